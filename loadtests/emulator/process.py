"""The emulator's process: `python -m loadtests.emulator.process SEED`.

The first line of standard input is the list of links; then come control messages. It
ends with its standard input. One thread, one poll: packets in, packets out.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import select
import struct
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from loadtests.emulator import control, ipv4
from loadtests.emulator.link import Direction
from loadtests.emulator.meter import RtpMeter

TUN: Final = Path("/dev/net/tun")
READS_PER_TURN: Final = 64
MAX_PACKET: Final = 2_048
NICENESS: Final = -15
"""A busy machine must not look like a bad link."""

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_CLONE_NEWNET: Final = 0x40000000


def enter(namespace: str) -> None:
    """Let this thread live in another network namespace; what is open stays where it is.

    Raises:
        OSError: Not allowed, or no such namespace.
    """
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        if library.setns(descriptor, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
    finally:
        os.close(descriptor)


def open_tun(name: str) -> int:
    """Make a TUN device in this thread's namespace; it lives as long as the descriptor.

    Raises:
        OSError: Not allowed, or the name is taken.
    """
    descriptor = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(
            descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI)
        )
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Link:
    """Both directions of one link, and the address under which its near end is seen."""

    def __init__(self, spec: control.LinkSpec, seed: int) -> None:
        enter(spec.near)
        self.near = open_tun(spec.near_device)
        enter(spec.far)
        self.far = open_tun(spec.far_device)
        self.up = Direction(seed)
        self.down = Direction(seed + 1)
        self.meter = RtpMeter()
        self._own = ipv4.address_bytes(spec.near_address)
        self._seen_as = self._own
        self._moved = False

    def move(self, address: str) -> None:
        """See the near end under another address; its former one is gone."""
        self._seen_as = ipv4.address_bytes(address)
        self._moved = self._seen_as != self._own

    def read_near(self, packet: bytes, now_ns: int) -> None:
        """A packet leaves the near namespace."""
        if not ipv4.is_ipv4(packet):
            return  # neighbours that a kernel looks for by IPv6
        if self._moved and packet[12:16] == self._own:
            packet = ipv4.readdressed(packet, ipv4.SOURCE, self._seen_as)
        self.meter.see(packet)
        self.up.offer(packet, now_ns)

    def read_far(self, packet: bytes, now_ns: int) -> None:
        """A packet leaves the far namespace."""
        if not ipv4.is_ipv4(packet):
            return
        if self._moved:
            if packet[16:20] != self._seen_as:
                self.down.figures.stray += 1
                return
            packet = ipv4.readdressed(packet, ipv4.DESTINATION, self._own)
        self.down.offer(packet, now_ns)

    def deliver(self, now_ns: int) -> None:
        """Let go what is due."""
        for direction, device in ((self.up, self.far), (self.down, self.near)):
            for packet in direction.due(now_ns):
                try:
                    os.write(device, packet)
                except BlockingIOError:
                    direction.figures.overflowed += 1
                except OSError:  # the device is not up (yet)
                    direction.figures.stray += 1

    def next_deadline_ns(self) -> int | None:
        """When `deliver` has something next."""
        deadlines = [self.up.next_deadline_ns(), self.down.next_deadline_ns()]
        known = [deadline for deadline in deadlines if deadline is not None]
        return min(known) if known else None


class Emulator:
    """All links of one network."""

    def __init__(self, specs: list[control.LinkSpec], seed: int) -> None:
        self._links = {spec.name: Link(spec, seed + 2 * n) for n, spec in enumerate(specs)}
        self._readers = {}
        self._poll = select.epoll()
        for link in self._links.values():
            self._readers[link.near] = link.read_near
            self._readers[link.far] = link.read_far
        for descriptor in self._readers:
            self._poll.register(descriptor, select.EPOLLIN)
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)
        self._buffer = bytearray(MAX_PACKET)
        self._heard = b""

    def run(self) -> None:
        """Carry packets until standard input ends."""
        listening = True
        while listening:
            for descriptor, _ in self._poll.poll(self._timeout_s()):
                reader = self._readers.get(descriptor)
                if reader is None:
                    listening = self._listen()
                    continue
                now_ns = time.monotonic_ns()
                with contextlib.suppress(BlockingIOError):
                    for _ in range(READS_PER_TURN):
                        reader(os.read(descriptor, MAX_PACKET), now_ns)
            now_ns = time.monotonic_ns()
            for link in self._links.values():
                link.deliver(now_ns)

    def _timeout_s(self) -> float:
        deadlines = [link.next_deadline_ns() for link in self._links.values()]
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(0.0, (min(known) - time.monotonic_ns()) / 1e9) if known else -1.0

    def _listen(self) -> bool:
        data = os.read(sys.stdin.fileno(), 65_536)
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            answer = msgspec.json.encode(self._obey(control.to_emulator.decode(line)))
            os.write(sys.stdout.fileno(), answer + b"\n")
        return bool(data)

    def _obey(self, message: control.ToEmulator) -> control.FromEmulator:
        now_ns = time.monotonic_ns()
        link = self._links[message.link]
        match message:
            case control.Set(_, new_up, new_down):
                if new_up is not None:
                    link.up.change(new_up, now_ns)
                if new_down is not None:
                    link.down.change(new_down, now_ns)
            case control.Move(_, address):
                link.move(address)
            case control.Take():
                up, down = link.up.take_figures(now_ns), link.down.take_figures(now_ns)
                streams = link.meter.take()
                return control.Taken(now_ns, time.process_time_ns(), up, down, streams)
        return control.Done(now_ns)


def main() -> None:
    """Serve until standard input ends."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    first = b""
    while not first.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            return
        first += byte
    emulator = Emulator(control.specs.decode(first), int(sys.argv[1]))
    gc.collect()
    gc.freeze()
    os.write(sys.stdout.fileno(), msgspec.json.encode(control.Done(time.monotonic_ns())) + b"\n")
    emulator.run()


if __name__ == "__main__":
    main()
