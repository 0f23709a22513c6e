"""What must hold of duties, by the referee's own books: a step that was marked stays marked,
also over the death of a hub once its record was durable; its clocks run on; and what is
late is said to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from protocols.duties import DutyView, StepState
from sim.clockwork import SECOND, Clockwork, Violation
from sim.store import Store
from supervisor.core import effects as f
from supervisor.core import events as e

if TYPE_CHECKING:
    from sim.hub import SimHub

WRITTEN_NS: Final = 3 * SECOND
"""By when a mark is durable, on a disk that works."""


class Marked(NamedTuple):
    """What was last said of one step."""

    state: StepState
    by: str


class DutyJudge:
    """Books of duties over all lives of the hub.

    Attributes:
        marks: Steps marked: a simulation without any proves nothing.
        restored: Duties found again after a restart.
    """

    def __init__(self, clockwork: Clockwork, store: Store) -> None:
        self.marks = 0
        self.restored = 0
        self._clockwork = clockwork
        self._store = store
        self.new_life()

    def new_life(self) -> None:
        """A hub starts: what counts is what was durable."""
        self._marked: dict[tuple[str, str], Marked] = {}
        self._newest: dict[str, DutyView] = {}
        self._unwritten: dict[str, int] = {}

    def fail(self, what: str) -> None:
        """Something does not hold."""
        raise Violation(what)

    def on_restored(self, hub: SimHub) -> None:
        """Every duty whose record was durable is there again, as it was, with its clocks."""
        duties = hub.fleet.duties.duties
        for name, (written, base_ns) in self._store.duty_words.items():
            if written.ended_ns is not None:
                continue
            duty = duties.get(name)
            if duty is None:
                self.fail(f"duty {name} is lost over a restart")
                return
            self.restored += 1
            moved_ns = hub.now_ns() - self._clockwork.now - base_ns
            for before, step in zip(written.steps, duty.steps, strict=True):
                if (before.state, before.by, before.note) != (step.state, step.by, step.note):
                    self.fail(
                        f"{step.key} of {name} was {before.state} by {before.by!r}; after a "
                        f"restart it is {step.state} by {step.by!r}"
                    )
                if step.due_ns != before.due_ns + moved_ns:
                    late_s = (step.due_ns - before.due_ns - moved_ns) / SECOND
                    self.fail(f"{step.key} of {name} is due {late_s:+.1f} s later since a restart")
            self._keep(duty)

    def on_step(self, event: e.AnyEvent, effects: list[f.AnyEffect]) -> None:
        """What is shown of a duty was recorded before, and changed by a person alone."""
        recorded: dict[str, str] = {}
        for effect in effects:
            if type(effect) is f.Record and effect.kind.startswith("duty."):
                recorded[str(effect.data["duty"])] = str(effect.data.get("view", ""))
                self._unwritten[str(effect.data["duty"])] = self._clockwork.now
            elif type(effect) is f.ShowDuty:
                self._on_shown(effect.duty, event)
        for effect in effects:
            if type(effect) is f.ShowDuty and type(event) is not e.DutiesRestored:
                duty = effect.duty
                if duty.id not in recorded:
                    self.fail(f"duty {duty.id} is shown changed, and not recorded")
                said = json.loads(recorded[duty.id])
                states = [step.get("state", "open") for step in said["steps"]]
                if states != [step.state.value for step in duty.steps]:
                    self.fail(f"the record of duty {duty.id} is not what is shown")

    def _on_shown(self, duty: DutyView, event: e.AnyEvent) -> None:
        mark = event.mark if type(event) is e.DutyStepMarked else None
        for step in duty.steps:
            before = self._marked.get((duty.id, step.key))
            after = Marked(step.state, step.by)
            if before is None or before == after:
                continue
            if mark is None or (mark.duty, mark.step) != (duty.id, step.key):
                self.fail(f"{step.key} of {duty.id} was {before.state}, and nobody changed it")
            self.marks += 1
        self._keep(duty)

    def _keep(self, duty: DutyView) -> None:
        self._newest[duty.id] = duty
        for step in duty.steps:
            self._marked[duty.id, step.key] = Marked(step.state, step.by)

    def on_tick(self, hub: SimHub, now_ns: int) -> None:
        """After every tick: what is late is said to be; what is marked is durable in time."""
        for duty in hub.fleet.duties.duties.values():
            if duty.ended_ns is not None:
                continue
            for step in duty.steps:
                if step.state is StepState.OPEN and now_ns >= step.due_ns and not step.overdue:
                    self.fail(f"{step.key} of {duty.id} is late and not said to be")
            if duty != self._newest.get(duty.id):
                self.fail(f"duty {duty.id} changed and consoles are not told")
            self._check_written(hub, duty)

    def _check_written(self, hub: SimHub, duty: DutyView) -> None:
        now, store = self._clockwork.now, self._store
        since = max(self._unwritten.get(duty.id, 0), store.failing_until, store.stalled_until)
        if now - since < WRITTEN_NS:
            return
        written = store.duty_words.get(duty.id)
        if written is None or [s.state for s in written[0].steps] != [s.state for s in duty.steps]:
            self.fail(f"duty {duty.id} is shown as it is not written, on a disk that works")
