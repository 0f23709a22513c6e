"""Starts a seat and keeps what it says."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtests.children import POLL_S, spawn, stop
from loadtests.errors import BenchError
from loadtests.faults import said
from loadtests.faults.seat import Place

MAX_LINE: Final = 65_536
MAX_KEPT: Final = 200_000
"""Messages of one kind; a run of an hour has half of it."""


class SeatProcess:
    """One seat. Use as an async context manager.

    Attributes:
        shown, counts, vehicle, alarms, commands, results, telemetry, troubles: Everything
            said until now, in order.
    """

    def __init__(self, place: Place, inside: Sequence[str], log: Path) -> None:
        self.shown: list[said.Shown] = []
        self.counts: list[said.Counts] = []
        self.vehicle: list[said.Vehicle] = []
        self.alarms: list[said.Alarm] = []
        self.commands: list[said.Command] = []
        self.results: list[said.Result] = []
        self.telemetry: list[said.Telemetry] = []
        self.troubles: list[said.Trouble] = []
        self.connected: list[said.Connected] = []
        self._place = place
        self._inside = list(inside)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SeatProcess:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await spawn(
                *(*self._inside, sys.executable, "-m", "loadtests.faults.seat"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log.fileno(),
                limit=MAX_LINE,
            )
        self._write(self._place)
        self._reader = asyncio.create_task(self._read(), name="seat")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End it."""
        process = self._process
        assert process is not None and process.stdin is not None and self._reader is not None
        process.stdin.close()
        await stop(process, terminate=True)
        await asyncio.wait([self._reader])

    def stop_vehicle(self, command_id: str) -> None:
        """Press STOP."""
        self._write(said.Stop(command_id))

    async def until(self, condition: Callable[[], bool], what: str, within_s: float) -> None:
        """Wait for something that this seat says.

        Raises:
            BenchError: Not within that time, or the seat ended; names `what`.
        """
        deadline = time.monotonic() + within_s
        while not condition():
            assert self._reader is not None
            if self._reader.done():
                raise BenchError(f"the seat ended by itself: {self._last_words()}")
            if time.monotonic() > deadline:
                trouble = f" ({self.troubles[-1].text})" if self.troubles else ""
                raise BenchError(f"{what}: not within {within_s:.0f} s{trouble}")
            await asyncio.sleep(POLL_S)

    def counts_at(self, at_ns: int) -> said.Counts | None:
        """Return the newest totals before a time."""
        return next((one for one in reversed(self.counts) if one.at_ns <= at_ns), None)

    def kbps(self, from_ns: int, to_ns: int) -> float:
        """Return the rate of video payload that came in that time, kbit/s."""
        inside = [one for one in self.counts if from_ns <= one.at_ns <= to_ns]
        if len(inside) < 2:
            return 0.0
        octets = sum(max(0, b.octets - a.octets) for a, b in itertools.pairwise(inside))
        return octets * 8e6 / (inside[-1].at_ns - inside[0].at_ns)

    def _write(self, message: msgspec.Struct) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        kept: dict[type, list[Any]] = {
            said.Shown: self.shown,
            said.Counts: self.counts,
            said.Vehicle: self.vehicle,
            said.Alarm: self.alarms,
            said.Command: self.commands,
            said.Result: self.results,
            said.Telemetry: self.telemetry,
            said.Trouble: self.troubles,
            said.Connected: self.connected,
        }
        while line := await self._process.stdout.readline():
            message = said.decoder.decode(line)
            where = kept[type(message)]
            where.append(message)
            if len(where) > MAX_KEPT:
                del where[: MAX_KEPT // 2]

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
