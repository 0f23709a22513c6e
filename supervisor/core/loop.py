"""The measured loop of one vehicle: what is seen, how late, and how late a command is.

Several consoles may show a vehicle. One of them *counts*: of those that are visible and
belong to somebody who may act, one that has the vehicle in focus before one that has
not, then the one whose picture is youngest; the present one is kept unless another is
a fifth better. A console that reports nonsense so never speaks for the vehicle, and one
that is merely slow does not while a better one watches.

    closed loop = g2g (95th percentile of the last report, worst camera)
                + command (slowest of the last three that were applied)
                + the way from the console to the hub (half its round trip, ± as much)

Each part has an error bar; that of the whole is their sum.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from protocols.operator import Presented
from protocols.supervision import ClosedLoopView
from supervisor.core.clocksync import ClockSync

REPORT_FRESH_NS: Final = 3_000_000_000
COMMAND_FRESH_NS: Final = 10_000_000_000
REPORT_EVERY_NS: Final = 300_000_000
"""Reports that come faster than this are not counted again."""
LONGEST_MS: Final = 3_600_000.0
KEPT_COMMANDS: Final = 3
MAX_WATCHERS: Final = 64
MAX_TILES: Final = 16
KEEP: Final = 0.8
"""Another console must be better by this factor to take over."""


class Measure(NamedTuple):
    """A measured time in milliseconds, the half-width of its error bar, and when."""

    ms: float
    uncertainty_ms: float
    at_ns: int


class Tile(NamedTuple):
    """What one console last said of one camera.

    Attributes:
        p95_ms: 95th percentile of the ages; None: no age is known.
        still_ms: Without a new picture.
        same_ms: Pictures that are the same to the pixel; None: not looked at.
        begun: It has shown at least one frame of this camera.
        since_ns: When it first said anything of this camera.
    """

    at_ns: int
    p95_ms: float | None
    uncertainty_ms: float
    still_ms: float
    same_ms: float | None
    focused: bool
    begun: bool
    since_ns: int


class Watcher:
    """One console that shows this vehicle."""

    __slots__ = ("at_ns", "rtt_ms", "tiles")

    def __init__(self) -> None:
        self.at_ns = 0
        self.rtt_ms: float | None = None
        self.tiles: dict[str, Tile] = {}

    def worst(self, now_ns: int) -> tuple[str, Tile] | None:
        """Return the camera with the oldest picture, of those whose age is known."""
        found: tuple[str, Tile] | None = None
        for camera, tile in self.tiles.items():
            if now_ns - tile.at_ns > REPORT_FRESH_NS or tile.p95_ms is None:
                continue
            if found is None or tile.p95_ms > (found[1].p95_ms or 0.0):
                found = camera, tile
        return found

    def focused_camera(self) -> str:
        """Return the camera that is shown large, if any."""
        for camera, tile in self.tiles.items():
            if tile.focused:
                return camera
        return ""


class Loop:
    """What is known of one vehicle's loop.

    Attributes:
        watcher: Session of the console that counts; empty: nobody watches.
    """

    __slots__ = ("_commands", "_watchers", "watcher")

    def __init__(self) -> None:
        self.watcher = ""
        self._watchers: dict[str, Watcher] = {}
        self._commands: deque[Measure] = deque(maxlen=KEPT_COMMANDS)

    # ------------------------------------------------------------------ pictures

    def on_tile(self, session: str, tile: Presented, rtt_ms: float | None, now_ns: int) -> str:
        """Take what a visible console says of one camera; return "" or the fault."""
        fault = fault_of(tile)
        if fault:
            return fault
        watcher = self._watchers.get(session)
        if watcher is None:
            if len(self._watchers) >= MAX_WATCHERS:
                return "too_many"
            watcher = self._watchers[session] = Watcher()
        before = watcher.tiles.get(tile.camera)
        if before is not None and now_ns - before.at_ns < REPORT_EVERY_NS:
            return "too_often"
        if before is None and len(watcher.tiles) >= MAX_TILES:
            return "too_many"
        ages = ages_of(tile)
        watcher.at_ns = now_ns
        watcher.rtt_ms = rtt_ms if rtt_ms is not None and 0.0 <= rtt_ms <= LONGEST_MS else None
        watcher.tiles[tile.camera] = Tile(
            now_ns,
            percentile(ages, 0.95) if ages else None,
            tile.uncertainty_ms or 0.0,
            tile.still_ms,
            tile.same_ms,
            tile.focused,
            tile.frames > 0 or (before is not None and before.begun),
            now_ns if before is None else before.since_ns,
        )
        self._choose(now_ns)
        return ""

    def on_gone(self, session: str, now_ns: int) -> None:
        """A console is gone, hidden, or shows this vehicle no more."""
        if self._watchers.pop(session, None) is not None:
            self._choose(now_ns)

    def sessions(self) -> list[str]:
        """Return the consoles that show this vehicle."""
        return list(self._watchers)

    def on_time(self, now_ns: int) -> None:
        """Forget who has said nothing for too long."""
        if not self._watchers:
            return
        silent = [
            session
            for session, watcher in self._watchers.items()
            if now_ns - watcher.at_ns > REPORT_FRESH_NS
        ]
        for session in silent:
            del self._watchers[session]
        if silent:
            self._choose(now_ns)

    def counting(self) -> Watcher | None:
        """Return what the console that counts has said."""
        return self._watchers.get(self.watcher)

    def _choose(self, now_ns: int) -> None:
        best: tuple[bool, float, str] | None = None
        for session, watcher in self._watchers.items():
            worst = watcher.worst(now_ns)
            age = math.inf if worst is None else worst[1].p95_ms or 0.0
            if session == self.watcher:
                age *= KEEP
            key = (not watcher.focused_camera(), age, session)
            if best is None or key < best:
                best = key
        self.watcher = "" if best is None else best[2]

    # ------------------------------------------------------------------ commands

    def on_applied(self, sent_ns: int, applied_ns: int, clock: ClockSync, now_ns: int) -> str:
        """A command sent at `sent_ns` was applied at `applied_ns` (vehicle clock), as is
        known since now. Return "" or the fault.

        The vehicle's own time counts where its clock is trusted and it fits between
        sending and hearing of it; otherwise all that time is the delay, which is never
        too little.
        """
        whole_ms = (now_ns - sent_ns) / 1e6
        measured = Measure(whole_ms, 0.0, now_ns)
        fault = ""
        offset = clock.offset(now_ns)
        if offset is not None:
            ms = (applied_ns + offset.at_ns - sent_ns) / 1e6
            bar = offset.uncertainty_ns / 1e6
            if -bar <= ms <= whole_ms + bar:
                measured = Measure(min(max(ms, 0.0), whole_ms), bar, now_ns)
            else:
                fault = "impossible_time"
        self._commands.append(measured)
        return fault

    def forget_commands(self) -> None:
        """Another vehicle session: its delays are not known."""
        self._commands.clear()

    # ---------------------------------------------------------------- what results

    def g2g(self, now_ns: int) -> tuple[str, Measure] | None:
        """Return the worst camera of the console that counts and its age."""
        watcher = self.counting()
        worst = None if watcher is None else watcher.worst(now_ns)
        if worst is None or worst[1].p95_ms is None:
            return None
        camera, tile = worst
        return camera, Measure(worst[1].p95_ms, tile.uncertainty_ms, tile.at_ns)

    def command(self, now_ns: int) -> Measure | None:
        """Return the slowest of the newest commands."""
        slowest: Measure | None = None
        for one in self._commands:
            if now_ns - one.at_ns <= COMMAND_FRESH_NS and (
                slowest is None or one.ms + one.uncertainty_ms > slowest.ms + slowest.uncertainty_ms
            ):
                slowest = one
        return slowest

    def console_way(self) -> Measure | None:
        """Return the way of a command from the console that counts to the hub."""
        watcher = self.counting()
        if watcher is None or watcher.rtt_ms is None:
            return None
        return Measure(watcher.rtt_ms / 2, watcher.rtt_ms / 2, watcher.at_ns)

    def closed(self, now_ns: int) -> Measure | None:
        """Return the whole loop; None while a part of it is unknown."""
        watcher = self.counting()
        if watcher is None or watcher.rtt_ms is None:
            return None
        worst, command = watcher.worst(now_ns), self.command(now_ns)
        if worst is None or command is None:
            return None
        tile, way_ms = worst[1], watcher.rtt_ms / 2
        assert tile.p95_ms is not None
        return Measure(
            tile.p95_ms + command.ms + way_ms,
            tile.uncertainty_ms + command.uncertainty_ms + way_ms,
            min(tile.at_ns, command.at_ns),
        )

    def is_closed(self, now_ns: int) -> bool:
        """Return whether the whole loop is known."""
        watcher = self.counting()
        return (
            watcher is not None
            and watcher.rtt_ms is not None
            and self.command(now_ns) is not None
            and watcher.worst(now_ns) is not None
        )

    def view(self, now_ns: int) -> ClosedLoopView:
        """Return what a console shows."""
        g2g, command, way = self.g2g(now_ns), self.command(now_ns), self.console_way()
        whole = self.closed(now_ns)
        missing = [
            name
            for name, part in (("g2g", g2g), ("command", command), ("console", way))
            if part is None
        ]
        return ClosedLoopView(
            ms=None if whole is None else round(whole.ms, 1),
            uncertainty_ms=None if whole is None else round(whole.uncertainty_ms, 1),
            g2g_ms=None if g2g is None else round(g2g[1].ms, 1),
            g2g_uncertainty_ms=None if g2g is None else round(g2g[1].uncertainty_ms, 1),
            command_ms=None if command is None else round(command.ms, 1),
            command_uncertainty_ms=None if command is None else round(command.uncertainty_ms, 1),
            camera="" if g2g is None else g2g[0],
            at_ns=None if whole is None else whole.at_ns,
            missing=missing,
        )


def ages_of(tile: Presented) -> Sequence[float]:
    """Return the known ages of a tile's frames."""
    if tile.ages_ms:
        return tile.ages_ms
    return () if tile.age_ms is None or not tile.frames else (tile.age_ms,)


def fault_of(tile: Presented) -> str:
    """Return "" or why a tile is nonsense."""
    bar = tile.uncertainty_ms
    times = (tile.still_ms, *ages_of(tile))
    if not all(0.0 <= ms <= LONGEST_MS for ms in times):  # false for NaN
        return "implausible"
    if tile.same_ms is not None and not 0.0 <= tile.same_ms <= LONGEST_MS:
        return "implausible"
    if bar is None:
        return "implausible" if ages_of(tile) else ""
    return "" if 0.0 <= bar <= LONGEST_MS else "implausible"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the values do not exceed (nearest rank).

    >>> percentile([5.0, 1.0, 2.0, 3.0, 4.0], 0.8)
    4.0
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]
