"""How many packets a second the emulator carries without losing any itself.

One process sends numbered datagrams both ways over the vehicle's link, with sockets
that it opened in both namespaces: `python -m loadtests.emulator.calibrate NEAR FAR
NEAR_ADDRESS FAR_ADDRESS PACKETS_PER_S SECONDS BYTES` prints `Carried` as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from typing import Final

import msgspec

from loadtests import procfs
from loadtests.children import spawn
from loadtests.emulator.network import HUB, VEHICLE, Network
from loadtests.emulator.process import enter
from loadtests.errors import BenchError

BUFFER_BYTES: Final = 16 << 20
SETTLE_S: Final = 1.0
_SO_RCVBUFFORCE: Final = 33


class Carried(msgspec.Struct, frozen=True):
    """What went through.

    Attributes:
        per_s: Packets sent each way in a second.
        sent, received: Both ways together.
        kernel_drops: Of those, not read by the emulator in time.
        cpu_share: Of one core, used by the emulator.
    """

    per_s: float
    sent: int
    received: int
    kernel_drops: int = 0
    cpu_share: float = 0.0


async def calibrate(network: Network, per_s: int, seconds: float, size: int = 1_000) -> Carried:
    """Measure on the vehicle's link, which must not be impaired.

    Raises:
        BenchError: The measuring process failed.
    """
    pid = network.emulator_pid()
    drops, cpu_s, begun_s = await network.kernel_drops(), procfs.cpu_s(pid), time.monotonic()
    process = await spawn(
        *(sys.executable, "-m", "loadtests.emulator.calibrate"),
        *(network.path("vehicle"), network.path("hub"), VEHICLE, HUB),
        *(str(per_s), str(seconds), str(size)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    if process.returncode != 0:
        raise BenchError(f"calibration failed: {complained.decode(errors='replace')[-300:]}")
    carried = msgspec.json.decode(said, type=Carried)
    return msgspec.structs.replace(
        carried,
        kernel_drops=await network.kernel_drops() - drops,
        cpu_share=(procfs.cpu_s(pid) - cpu_s) / (time.monotonic() - begun_s),
    )


def _socket(namespace: str, address: str) -> socket.socket:
    enter(namespace)
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER_BYTES)
    opened.bind((address, 0))
    opened.setblocking(False)
    return opened


def main() -> None:
    """Send, count, print."""
    near_path, far_path, near_address, far_address, *numbers = sys.argv[1:]
    per_s, seconds, size = int(numbers[0]), float(numbers[1]), int(numbers[2])
    with _socket(near_path, near_address) as near, _socket(far_path, far_address) as far:
        near.connect(far.getsockname())
        far.connect(near.getsockname())
        payload = bytes(size - 28)  # IP and UDP headers
        sent = received = 0
        start = time.monotonic()
        while (elapsed := time.monotonic() - start) < seconds:
            while sent < elapsed * per_s * 2:
                near.send(payload)
                far.send(payload)
                sent += 2
            received += _count(near) + _count(far)
            time.sleep(0.0005)
        taken = time.monotonic() - start
        deadline = time.monotonic() + SETTLE_S
        while received < sent and time.monotonic() < deadline:
            received += _count(near) + _count(far)
            time.sleep(0.001)
    print(msgspec.json.encode(Carried(sent / 2 / taken, sent, received)).decode())


def _count(source: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            source.recv(2_048)
            count += 1
    return count


if __name__ == "__main__":
    main()
