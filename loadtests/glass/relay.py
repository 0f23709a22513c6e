"""A delay on the way of media: datagrams between one browser and a worker wait a while."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

MAX_WAITING: Final = 20_000
"""Datagrams under way; more are dropped: a second of 100 Mbit/s."""


class DelayLine(asyncio.DatagramProtocol):
    """Carries the datagrams of one peer to `target` and back; the way back is late.

    Attributes:
        delay_s: How long a datagram to the peer waits; may be changed at any time.
        dropped: Those that found the line full.
    """

    def __init__(self, target: tuple[str, int], delay_s: float) -> None:
        self.delay_s = delay_s
        self.dropped = 0
        self._target = target
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._peer: tuple[str, int] | None = None
        self._near: asyncio.DatagramTransport | None = None
        self._far: asyncio.DatagramTransport | None = None

    async def open(self) -> int:
        """Open both sides; return the port that the peer sends to."""
        loop = asyncio.get_running_loop()
        line = self

        class Far(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
                line._delay(data)

        self._near, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._far, _ = await loop.create_datagram_endpoint(Far, local_addr=("127.0.0.1", 0))
        port: int = self._near.get_extra_info("sockname")[1]
        return port

    def close(self) -> None:
        """Close both sides; what waits is lost."""
        if self._timer is not None:
            self._timer.cancel()
        for side in (self._near, self._far):
            if side is not None:
                side.close()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Pass one datagram of the peer on at once."""
        self._peer = address
        if self._far is not None:
            self._far.sendto(data, self._target)

    def _delay(self, data: bytes) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        due = asyncio.get_running_loop().time() + self.delay_s
        self._waiting.append((due, data))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(due, self._depart)

    def _depart(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting and self._waiting[0][0] <= loop.time():
            _, data = self._waiting.popleft()
            if self._near is not None and self._peer is not None:
                self._near.sendto(data, self._peer)
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self._depart)
