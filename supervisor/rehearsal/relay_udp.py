"""Datagrams of one vehicle to the hub's media port and back, through a `Line`.

    vehicle's socket ──▶ near socket ─lane─▶ far socket of that address ──▶ media worker
                    ◀──            ◀─lane─                            ◀──

Each address of the vehicle has a far socket of its own, as behind a NAT: the hub tells
sessions apart by where packets come from.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final

from supervisor import clock
from supervisor.rehearsal.line import Lane, Line

log = logging.getLogger("enkan.rehearsal")

MAX_ADDRESSES: Final = 16
"""Of one vehicle; the one that was silent longest gives way. A vehicle that dials again
and tries other sockets has about four."""

BATCH: Final = 64
"""Datagrams taken at once, then others get a turn."""

MAX_DATAGRAM: Final = 65_536
BUFFER: Final = 1 << 20

Address = tuple[str, int]


class UdpRelay:
    """Open until `close`.

    Args:
        target: The media worker's port.
        line: What the path does.

    Attributes:
        port: Where vehicles send to.
        passed: Datagrams, both ways.
        refused: Datagrams that the system did not take.
    """

    def __init__(self, target: Address, line: Line) -> None:
        self.passed = 0
        self.refused = 0
        self._target = target
        self._near = _bound()
        self.port: int = self._near.getsockname()[1]
        self._far: OrderedDict[Address, socket.socket] = OrderedDict()
        self._loop = asyncio.get_running_loop()
        self._up = _Carrier(line, self._loop, self._send_up)
        self._down = _Carrier(line, self._loop, self._send_down)
        self._loop.add_reader(self._near, self._read_near)

    def close(self) -> None:
        """Close all sockets; what is on the way is lost."""
        self._up.close()
        self._down.close()
        for one in (self._near, *self._far.values()):
            self._loop.remove_reader(one)
            one.close()
        self._far.clear()

    def _read_near(self) -> None:
        for _ in range(BATCH):
            try:
                data, address = self._near.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an answer found nobody: the vehicle has closed that socket
                continue
            self._up.take((address, data))

    def _read_far(self, address: Address, far: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data = far.recv(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # the worker is gone for this moment
                continue
            self._down.take((address, data))

    def _send_up(self, item: tuple[Address, bytes]) -> None:
        address, data = item
        far = self._far.get(address)
        if far is None:
            far = self._open_far(address)
        else:
            self._far.move_to_end(address)
        self._send(partial(far.send, data))

    def _send_down(self, item: tuple[Address, bytes]) -> None:
        address, data = item
        self._send(partial(self._near.sendto, data, address))

    def _send(self, send: Callable[[], int]) -> None:
        try:
            send()
        except OSError:  # no room, or nobody there: as on any network
            self.refused += 1
        else:
            self.passed += 1

    def _open_far(self, address: Address) -> socket.socket:
        if len(self._far) >= MAX_ADDRESSES:
            _, old = self._far.popitem(last=False)
            self._loop.remove_reader(old)
            old.close()
        far = _bound()
        far.connect(self._target)
        self._far[address] = far
        self._loop.add_reader(far, self._read_far, address, far)
        return far


class _Carrier:
    """A lane with a timer."""

    def __init__(
        self,
        line: Line,
        loop: asyncio.AbstractEventLoop,
        send: Callable[[tuple[Address, bytes]], None],
    ) -> None:
        self._lane: Lane[tuple[Address, bytes]] = Lane(line)
        self._loop = loop
        self._send = send
        self._timer: asyncio.TimerHandle | None = None

    def take(self, item: tuple[Address, bytes]) -> None:
        now_ns = clock.monotonic_ns()
        if self._lane.offer(item, now_ns):
            self._send(item)
        elif self._timer is None:
            self._arm(now_ns)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, now_ns: int) -> None:
        due_ns = self._lane.next_deadline_ns()
        if due_ns is not None:
            self._timer = self._loop.call_later(max(0, due_ns - now_ns) / 1e9, self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        now_ns = clock.monotonic_ns()
        for item in self._lane.due(now_ns):
            self._send(item)
        self._arm(now_ns)


def _bound() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    one.bind(("127.0.0.1", 0))
    return one
