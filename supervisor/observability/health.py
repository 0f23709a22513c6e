"""How late the event loop runs: the first sign of a hub that has too much to do."""

from __future__ import annotations

import asyncio

from supervisor.core.effects import Observe
from supervisor.observability.exporter import Exporter


class LoopLag:
    """Sleeps for a known time and observes how much longer it took (`loop_lag`).

    Args:
        exporter: Where the observations go.
        every_s: The known time.
    """

    def __init__(self, exporter: Exporter, *, every_s: float = 0.1) -> None:
        self._exporter = exporter
        self._every_s = every_s

    async def run(self) -> None:
        """Observe until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._every_s
            await asyncio.sleep(self._every_s)
            self._exporter.observe(Observe("loop_lag", max(0.0, loop.time() - due)))
