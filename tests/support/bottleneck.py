"""A UDP relay in userspace whose uplink has a rate and a queue, like a cell."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque


class Bottleneck(asyncio.DatagramProtocol):
    """Carries one peer's datagrams to `target` at `bps`, the answers at once.

    Attributes:
        bps: Rate of the uplink, may be changed at any time.
        room: Bytes its queue holds; more are dropped.
        history: (time, queue in s, bytes passed) at each datagram that came.
    """

    def __init__(self, target: tuple[str, int], bps: float, room: int = 256_000) -> None:
        self.target = target
        self.bps = bps
        self.room = room
        self.waiting = 0
        self.passed = 0
        self.dropped = 0
        self.history: list[tuple[float, float, int]] = []
        self._queue: deque[bytes] = deque()
        self._free = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._peer: tuple[str, int] | None = None
        self._near: asyncio.DatagramTransport | None = None
        self._far: asyncio.DatagramTransport | None = None

    async def open(self) -> int:
        """Open both sides; return the port that peers send to."""
        loop = asyncio.get_running_loop()
        relay = self

        class Far(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
                if relay._peer is not None and relay._near is not None:
                    relay._near.sendto(data, relay._peer)

        self._near, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._far, _ = await loop.create_datagram_endpoint(Far, local_addr=("127.0.0.1", 0))
        port: int = self._near.get_extra_info("sockname")[1]
        return port

    def close(self) -> None:
        """Close both sides."""
        if self._timer is not None:
            self._timer.cancel()
        for side in (self._near, self._far):
            if side is not None:
                side.close()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Queue one datagram of the peer."""
        self._peer = address
        if self.waiting + len(data) > self.room:
            self.dropped += 1
            return
        self._queue.append(data)
        self.waiting += len(data)
        now = asyncio.get_running_loop().time()
        self.history.append((now, self.waiting * 8 / self.bps, self.passed))
        if self._timer is None:
            self._free = max(self._free, now)
            self._arm()

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._free += len(self._queue[0]) * 8 / self.bps
        self._timer = loop.call_at(self._free, self._depart)

    def _depart(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._queue:
            data = self._queue.popleft()
            self.waiting -= len(data)
            self.passed += len(data)
            if self._far is not None:
                self._far.sendto(data, self.target)
            if self._queue:
                if self._free > now:
                    self._arm()
                    return
                self._free += len(self._queue[0]) * 8 / self.bps

    def rate(self, seconds: float) -> float:
        """Return bit/s that passed during about the last `seconds`."""
        now = asyncio.get_running_loop().time()
        before = next((entry for entry in reversed(self.history) if now - entry[0] > seconds), None)
        if before is None:
            return 0.0
        return (self.passed - before[2]) * 8 / (now - before[0])

    def over(self, queue_s: float, since: float) -> float:
        """Return for how long the queue was longer than `queue_s` since then, in s."""
        total = 0.0
        entries = [entry for entry in self.history if entry[0] >= since]
        for entry, following in itertools.pairwise(entries):
            if entry[1] > queue_s:
                total += following[0] - entry[0]
        return total
