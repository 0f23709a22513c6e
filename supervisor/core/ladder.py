"""The enforcement ladder of one vehicle: a timed machine that says what it will do.

    NONE → PROTECT_FOCUS → SMALLER_LAYERS → SPEED_LIMIT → WITHDRAW_DRIVE → MINIMAL_RISK

A violated objective names the highest rung it may lead to (its *ceiling*). While the
ceiling is above the rung, the next rung is announced with the time at which it will be
taken, and taken then, one at a time. While the ceiling is below, the rung before is
announced likewise, and taken when nothing has called it back for `hold_s`. Each rung
keeps what those below it do.
"""

from __future__ import annotations

from typing import Final

from protocols.supervision import LadderView, Rung
from supervisor.core.objectives import RUNGS, LadderConfig

HEIGHT: Final = {rung: height for height, rung in enumerate(RUNGS)}


class Ladder:
    """Where enforcement stands.

    Attributes:
        rung: In force.
        since_ns: Since when.
        objective: Key of the objective with the highest ceiling; empty: none is violated.
        next_rung, next_ns: What is announced; None: nothing.
    """

    __slots__ = ("_config", "next_ns", "next_rung", "objective", "rung", "since_ns")

    def __init__(self, config: LadderConfig) -> None:
        self._config = config
        self.rung = Rung.NONE
        self.since_ns = 0
        self.objective = ""
        self.next_rung: Rung | None = None
        self.next_ns: int | None = None

    def on_ceiling(self, ceiling: Rung, objective: str, now_ns: int) -> bool:
        """Say how far it may climb now and why; return whether anything to show changed."""
        highest = self._config.highest
        if HEIGHT[ceiling] > HEIGHT[highest]:
            ceiling = highest
        here = HEIGHT[self.rung]
        there = HEIGHT[ceiling]
        wanted = None if there == here else RUNGS[here + 1] if there > here else RUNGS[here - 1]
        changed = objective != self.objective or wanted is not self.next_rung
        self.objective = objective
        if wanted is not self.next_rung:
            self.next_rung = wanted
            self.next_ns = None if wanted is None else now_ns + self._delay_ns(wanted)
        return changed

    def on_time(self, now_ns: int) -> Rung | None:
        """Take the announced rung if its time has come; return the one left, else None."""
        if self.next_rung is None or self.next_ns is None or now_ns < self.next_ns:
            return None
        before = self.rung
        self.rung = self.next_rung
        self.since_ns = now_ns
        self.next_rung = self.next_ns = None
        return before

    def next_deadline_ns(self) -> int | None:
        """When `on_time` has something to do next."""
        return self.next_ns

    def reaches(self, rung: Rung) -> bool:
        """Return whether `rung` is in force."""
        return HEIGHT[self.rung] >= HEIGHT[rung]

    def view(self) -> LadderView:
        """Return what a console shows."""
        return LadderView(
            rung=self.rung,
            since_ns=self.since_ns,
            objective=self.objective,
            next_rung=self.next_rung,
            next_at_ns=self.next_ns,
        )

    def _delay_ns(self, wanted: Rung) -> int:
        up = HEIGHT[wanted] > HEIGHT[self.rung]
        return self._config.delay_ns(wanted if up else Rung.NONE)
