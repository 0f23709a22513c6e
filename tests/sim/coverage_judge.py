"""What must hold of the proof of who watched: by the referee's own books of what each
console reported, no interval and no gap says more than that."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sim.clockwork import SECOND, Violation
from supervisor.core import commands
from supervisor.core import effects as f
from supervisor.core import events as e

if TYPE_CHECKING:
    from sim.hub import SimHub

JOIN_NS: Final = 3 * SECOND
TICK_NS: Final = SECOND // 10
ALIVE_MS: Final = 1_000.0


class CoverageJudge:
    """Books of one life of the hub.

    Attributes:
        intervals: How many have ended: a simulation without any proves nothing.
    """

    def __init__(self) -> None:
        self.intervals = 0
        self.new_life()

    def new_life(self) -> None:
        """A hub starts: it has seen nothing yet."""
        self._there: set[str] = set()
        self._proofs: dict[tuple[str, str], list[int]] = {}
        self._accounts: dict[str, str] = {}
        self._begun: dict[tuple[str, str], int] = {}
        self._ended: dict[tuple[str, str], int] = {}

    def fail(self, what: str) -> None:
        """Something does not hold."""
        raise Violation(what)

    def on_event(self, event: e.AnyEvent, now_ns: int) -> None:
        """Before its effects are looked at."""
        kind = type(event)
        if kind is e.OperatorConnected:
            self._there.add(event.operator.session)
        elif kind is e.OperatorDisconnected:
            self._there.discard(event.operator.session)
        elif kind is e.PresentationReported:
            who, report = event.operator, event.report
            if not report.visible or who.role not in commands.MAY_ACT:
                return
            if who.session not in self._there:
                return
            self._accounts[who.session] = who.account
            for tile in report.tiles:
                if tile.frames and 0.0 <= tile.still_ms <= ALIVE_MS:
                    self._proofs.setdefault((tile.vehicle, who.session), []).append(now_ns)

    def on_record(self, record: f.Record, now_ns: int) -> None:
        """One record of an interval or of a gap."""
        if record.kind == "coverage.watched":
            self._on_watched(record)
        elif record.kind == "coverage.gap":
            self._on_gap(record, now_ns)

    def _on_watched(self, record: f.Record) -> None:
        facts, name = record.data, record.subject
        session, state = str(facts["session"]), facts["state"]
        place = (name, session)
        from_ns, to_ns = int(facts["from_ns"] or 0), int(facts["to_ns"] or 0)
        said = f"{session} had {name} on screen"
        if record.actor != self._accounts.get(session):
            self.fail(f"{said}; it is recorded of {record.actor}")
        if state == "began":
            if place in self._begun:
                self.fail(f"{said}: an interval begins within another")
            if from_ns < self._ended.get(place, -1):
                self.fail(f"{said}: an interval begins before the last one has ended")
            self._begun[place] = from_ns
        elif self._begun.get(place) != from_ns:
            self.fail(f"{said}: the interval {state}, and never began")
        proofs = [at for at in self._proofs.get(place, ()) if from_ns <= at <= to_ns]
        if not proofs or proofs[0] != from_ns or proofs[-1] != to_ns:
            self.fail(f"{said}: its interval ({state}) is longer than its reports")
        if any(later - at > JOIN_NS + TICK_NS for at, later in pairwise(proofs)):
            self.fail(f"{said}: its interval has a hole in which it was not seen")
        if state == "ended":
            del self._begun[place]
            self._ended[place] = to_ns
            self._proofs[place] = [at for at in self._proofs[place] if at > to_ns]
            self.intervals += 1

    def _on_gap(self, record: f.Record, now_ns: int) -> None:
        from_ns, to_ns = int(record.data["from_ns"] or 0), int(record.data["to_ns"] or 0)
        for (name, session), proofs in self._proofs.items():
            if name == record.subject and any(from_ns < at < to_ns for at in proofs):
                self.fail(f"nobody is said to have had {name} on screen; {session} had")

    def on_tick(self, hub: SimHub, now_ns: int) -> None:
        """After every tick: who is shown to watch does, and who does is shown."""
        for name, record in hub.fleet.by_name.items():
            shown = record.coverage.shown
            newest = {
                self._accounts[session]: proofs[-1]
                for (vehicle, session), proofs in self._proofs.items()
                if vehicle == name and proofs and session in self._there
            }
            told = set() if shown is None else set(shown.accounts)
            for account in told:
                if now_ns - newest.get(account, -JOIN_NS) > JOIN_NS:
                    self.fail(f"{account} is shown to have {name} on screen, without proof")
            for account, at_ns in newest.items():
                if account not in told and now_ns - at_ns < JOIN_NS:
                    self.fail(f"{account} has {name} on screen and is not shown to")
