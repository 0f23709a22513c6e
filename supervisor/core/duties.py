"""Checklists with clocks: started by an alarm or by hand, ticked off by people.

    OPEN ──last step done or skipped──▶ FINISHED ──a step taken back──▶ OPEN
      └──given up, with a reason──────▶ ABANDONED

The clocks run from the *event* (when the alarm rose, or as long ago as a person says),
not from when somebody noticed. Every change is one audit record that holds the whole
duty, so that the newest record of a duty is all of it: a restarted hub goes on from
there (`supervisor.evidence.duties`), and the record of the end is complete by itself.

A duty orders nothing and hides nothing: it works with a failed audit store too.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from protocols.duties import DutySpec, DutyStep, DutyStepView, DutyView, StepState
from protocols.operator import Refusal, Role
from supervisor.core.catalogue import DUTY_OVERDUE
from supervisor.core.duty_rows import contact_for, effective
from supervisor.core.effects import AnyEffect, Count, Refuse, ShowDuty
from supervisor.core.events import (
    DutiesRestored,
    DutyAbandoned,
    DutyStartAsked,
    DutyStepMarked,
    Operator,
)
from supervisor.core.ledger import Facts

if TYPE_CHECKING:
    from supervisor.core.config import CoreConfig
    from supervisor.core.fleet import Fleet, VehicleRecord

MAY_DO: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
KEPT_ENDED: Final = 50
SAME_EVENT_NS: Final = 1_000_000_000
"""An alarm that outlived the hub rose, by its own record, give or take this, when the event
of its duty was: it is not a new one."""
SHOWN_AFTER_END_NS: Final = 600_000_000_000
"""So long an ended duty is shown, and a step marked by mistake can be taken back."""


class DutyBoard:
    """All duties of the hub.

    Attributes:
        specs: In force, by key.
        duties: Those shown, by id; open ones and those that ended lately.
        triggers: By alarm key, the duties it starts.
        raised_ns: By alarm id, the event that was last looked at.
        unwritten: A record could not be written; all of them are recorded again when one can.
    """

    __slots__ = ("duties", "ended", "next_due_ns", "raised_ns", "specs", "triggers", "unwritten")

    def __init__(self, config: CoreConfig) -> None:
        self.specs = effective(config.duty)
        self.duties: dict[str, DutyView] = {}
        self.ended: deque[tuple[int, str]] = deque()
        self.next_due_ns: int | None = None
        self.triggers: dict[str, list[str]] = {}
        for spec in self.specs.values():
            for alarm in spec.alarms:
                self.triggers.setdefault(alarm, []).append(spec.key)
        self.raised_ns: dict[str, int] = {}
        self.unwritten = False

    def open_one(self, key: str, vehicle: str) -> DutyView | None:
        """Return the open duty of this kind for this vehicle, if there is one."""
        for duty in self.duties.values():
            if duty.ended_ns is None and duty.key == key and duty.vehicle == vehicle:
                return duty
        return None


# ------------------------------------------------------------------------ people


def on_start_asked(fleet: Fleet, event: DutyStartAsked, now_ns: int) -> list[AnyEffect]:
    """Somebody saw what no alarm did."""
    who, ask = event.operator, event.ask
    board = fleet.duties
    record = fleet.by_name.get(ask.vehicle)
    spec = board.specs.get(ask.key)
    if who.role not in MAY_DO:
        return _refuse(who, ask.vehicle, "role", f"a {who.role} may not start a duty")
    if record is None:
        return _refuse(who, ask.vehicle, "unknown_vehicle", ask.vehicle)
    if spec is None:
        return _refuse(who, ask.vehicle, "unknown_duty", ask.key)
    if board.open_one(spec.key, record.name_text) is not None:
        return _refuse(who, ask.vehicle, "already_open", "this duty is open for this vehicle")
    event_ns = now_ns - int(ask.ago_s * 1e9)
    return _start(fleet, record, spec, event_ns, now_ns, by=who.account, note=ask.note)


def on_marked(fleet: Fleet, event: DutyStepMarked, now_ns: int) -> list[AnyEffect]:
    """Somebody did a step, leaves it out, or takes a mark back."""
    who, mark = event.operator, event.mark
    duty = fleet.duties.duties.get(mark.duty)
    if who.role not in MAY_DO:
        return _refuse(who, mark.duty, "role", f"a {who.role} may not mark a duty")
    if duty is None or duty.abandoned:
        return _refuse(who, mark.duty, "unknown_duty", "no such duty is open")
    at = next((i for i, step in enumerate(duty.steps) if step.key == mark.step), None)
    if at is None:
        return _refuse(who, mark.duty, "unknown_step", mark.step)
    if mark.state is not StepState.DONE and not mark.note.strip():
        return _refuse(who, mark.duty, "no_reason", "say why")
    before = duty.steps[at]
    if before.state is mark.state:
        return []  # two seats pressed the same button; the first stays
    is_open = mark.state is StepState.OPEN
    late = now_ns >= before.due_ns
    step = msgspec.structs.replace(
        before,
        state=mark.state,
        by="" if is_open else who.account,
        at_ns=None if is_open else now_ns,
        note=mark.note,
        overdue=late if is_open else late and mark.state is StepState.DONE,
    )
    steps = [*duty.steps[:at], step, *duty.steps[at + 1 :]]
    finished = all(step.state is not StepState.OPEN for step in steps)
    duty = msgspec.structs.replace(
        duty,
        steps=steps,
        ended_ns=now_ns if finished else None,
        ended_by=who.account if finished else "",
        in_charge=duty.in_charge or who.account,
    )
    effects = _changed(fleet, duty, "duty.step", who.account, now_ns, mark.step)
    if finished:
        effects += _ended(fleet, duty, "duty.finished", who.account, now_ns)
    return effects + weigh(fleet, duty.vehicle, now_ns)


def on_abandoned(fleet: Fleet, event: DutyAbandoned, now_ns: int) -> list[AnyEffect]:
    """A false alarm: the duty as a whole is given up, and that is on record."""
    who, ask = event.operator, event.ask
    duty = fleet.duties.duties.get(ask.duty)
    if who.role not in MAY_DO:
        return _refuse(who, ask.duty, "role", f"a {who.role} may not give a duty up")
    if duty is None or duty.ended_ns is not None:
        return _refuse(who, ask.duty, "unknown_duty", "no such duty is open")
    if not ask.reason.strip():
        return _refuse(who, ask.duty, "no_reason", "say why")
    duty = msgspec.structs.replace(
        duty, ended_ns=now_ns, ended_by=who.account, abandoned=ask.reason
    )
    fleet.duties.duties[duty.id] = duty
    effects: list[AnyEffect] = [ShowDuty(duty)]
    effects += _ended(fleet, duty, "duty.abandoned", who.account, now_ns)
    return effects + weigh(fleet, duty.vehicle, now_ns)


def hand_over(fleet: Fleet, leaving: str, taking: str, now_ns: int) -> list[AnyEffect]:
    """Somebody's shift is another's now, with what he was in charge of."""
    effects: list[AnyEffect] = []
    for duty in list(fleet.duties.duties.values()):
        if duty.ended_ns is None and duty.in_charge == leaving:
            duty = msgspec.structs.replace(duty, in_charge=taking)
            effects += _changed(fleet, duty, "duty.handed_over", taking, now_ns, "")
    return effects


def on_recorded(fleet: Fleet, ok: bool, now_ns: int) -> list[AnyEffect]:
    """A record was written or not. After a failure every duty is recorded again, so that a
    step that was marked meanwhile outlives the hub."""
    board = fleet.duties
    if not ok:
        board.unwritten = bool(board.duties)
        return []
    if not board.unwritten:
        return []
    board.unwritten = False
    effects: list[AnyEffect] = []
    for duty in board.duties.values():
        facts: Facts = {"duty": duty.id, "at_ns": now_ns, "view": _json(duty)}
        effects.append(fleet.ledger.record("duty.restated", "hub", duty.vehicle, facts))
    return effects


# ---------------------------------------------------------------- alarms and time


def on_restored(fleet: Fleet, event: DutiesRestored, now_ns: int) -> list[AnyEffect]:
    """At start: the duties that were open when the last hub ended."""
    effects: list[AnyEffect] = []
    fleet.duties.raised_ns.update(event.handled)
    for duty in event.duties:
        fleet.duties.duties[duty.id] = duty
        effects += [ShowDuty(duty), Count("duty", "restored")]
        facts: Facts = {"duty": duty.id, "at_ns": now_ns, "view": _json(duty)}
        effects.append(fleet.ledger.record("duty.restored", "hub", duty.vehicle, facts))
    _look_again(fleet.duties)
    return effects


def on_vehicle(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Start what alarms of this vehicle call for; cheap when none rose."""
    board = fleet.duties
    effects: list[AnyEffect] = []
    get, name_text = fleet.alarms.get, record.name_text
    for key, duties in board.triggers.items():
        alarm = get(key, name_text)
        if alarm is None or not alarm.raised_ns:
            continue
        seen_ns = board.raised_ns.get(alarm.alarm_id)
        if seen_ns is not None and alarm.raised_ns <= seen_ns + SAME_EVENT_NS:
            continue
        board.raised_ns[alarm.alarm_id] = alarm.raised_ns
        for name in duties:
            spec = board.specs[name]
            if spec.segments and record.supervised.segment not in spec.segments:
                continue
            effects += _trigger(fleet, record, spec, alarm.alarm_id, alarm.raised_ns, now_ns)
    return effects


def on_time(fleet: Fleet, now_ns: int) -> list[AnyEffect]:
    """Let steps become overdue, forget what ended long ago. Safe early, late or twice."""
    board = fleet.duties
    effects: list[AnyEffect] = []
    if board.next_due_ns is not None and now_ns >= board.next_due_ns:
        for duty in [duty for duty in board.duties.values() if duty.ended_ns is None]:
            late = [
                step.key
                for step in duty.steps
                if step.state is StepState.OPEN and not step.overdue and now_ns >= step.due_ns
            ]
            if not late:
                continue
            steps = [
                msgspec.structs.replace(step, overdue=True) if step.key in late else step
                for step in duty.steps
            ]
            duty = msgspec.structs.replace(duty, steps=steps)
            effects += _changed(fleet, duty, "duty.overdue", "hub", now_ns, ",".join(late))
            effects += [Count("duty", "overdue")] * len(late)
            effects += weigh(fleet, duty.vehicle, now_ns)
        _look_again(board)
    ended = board.ended
    while ended and (len(ended) > KEPT_ENDED or now_ns - ended[0][0] >= SHOWN_AFTER_END_NS):
        at_ns, name = ended.popleft()
        duty_or_none = board.duties.get(name)
        if duty_or_none is not None and duty_or_none.ended_ns == at_ns:
            del board.duties[name]
    return effects


def weigh(fleet: Fleet, vehicle: str, now_ns: int) -> list[AnyEffect]:
    """Bring the alarm about overdue steps of this vehicle up to date."""
    late = [
        step.key
        for duty in fleet.duties.duties.values()
        if duty.vehicle == vehicle and duty.ended_ns is None
        for step in duty.steps
        if step.overdue and step.state is StepState.OPEN
    ]
    return fleet.alarms.set(DUTY_OVERDUE, vehicle, bool(late), now_ns, ", ".join(late))


def _trigger(
    fleet: Fleet, record: VehicleRecord, spec: DutySpec, alarm_id: str, raised_ns: int, now_ns: int
) -> list[AnyEffect]:
    before = fleet.duties.open_one(spec.key, record.name_text)
    if before is None:
        return _start(fleet, record, spec, raised_ns, now_ns, trigger=alarm_id)
    facts: Facts = {"duty": before.id, "trigger": alarm_id, "raised_ns": raised_ns, "at_ns": now_ns}
    return [fleet.ledger.record("duty.triggered_again", "hub", record.name_text, facts)]


def _start(
    fleet: Fleet,
    record: VehicleRecord,
    spec: DutySpec,
    event_ns: int,
    now_ns: int,
    *,
    by: str = "",
    trigger: str = "",
    note: str = "",
) -> list[AnyEffect]:
    duty = DutyView(
        id=f"{spec.key}@{record.name_text}#{now_ns // 1_000_000}",
        key=spec.key,
        ja=spec.ja,
        en=spec.en,
        law=spec.law,
        vehicle=record.name_text,
        steps=[_step(fleet, record, step, event_ns) for step in spec.steps],
        event_ns=event_ns,
        started_ns=now_ns,
        trigger=trigger,
        started_by=by,
        note=note,
        in_charge=by,
    )
    effects = _changed(fleet, duty, "duty.started", by or "hub", now_ns, "")
    return [*effects, Count("duty", "started")]


def _step(fleet: Fleet, record: VehicleRecord, step: DutyStep, event_ns: int) -> DutyStepView:
    contact = None
    if step.contact:
        place = (record.vehicle_id.site, record.supervised.segment)
        contact = contact_for(fleet.config.contact, step.contact, *place)
    return DutyStepView(
        key=step.key,
        ja=step.ja,
        en=step.en,
        hint_ja=step.hint_ja,
        hint_en=step.hint_en,
        due_ns=event_ns + int(step.within_s * 1e9),
        contact=step.contact,
        contact_name="" if contact is None else contact.name,
        phone="" if contact is None else contact.phone,
        contact_note="" if contact is None else contact.note,
    )


def _changed(
    fleet: Fleet, duty: DutyView, kind: str, actor: str, now_ns: int, step: str
) -> list[AnyEffect]:
    """Keep, record and show a duty's newest state."""
    board = fleet.duties
    board.duties[duty.id] = duty
    _look_again(board)
    found = next((one for one in duty.steps if one.key == step), None)
    facts: Facts = {
        "duty": duty.id,
        "step": step,
        "state": "" if found is None else str(found.state),
        "note": duty.note if found is None else found.note,
        "at_ns": now_ns,
        "view": _json(duty),
    }
    return [fleet.ledger.record(kind, actor, duty.vehicle, facts), ShowDuty(duty)]


def _ended(fleet: Fleet, duty: DutyView, kind: str, actor: str, now_ns: int) -> list[AnyEffect]:
    """The one record that holds it all: times of every step, in seconds from the event."""
    fleet.duties.ended.append((now_ns, duty.id))
    _look_again(fleet.duties)
    facts: dict[str, str | int | float | bool | None] = {
        "duty": duty.id,
        "trigger": duty.trigger,
        "reason": duty.abandoned,
        "event_ns": duty.event_ns,
        "started_after_s": _after(duty, duty.started_ns),
        "ended_after_s": _after(duty, now_ns),
        "overdue": sum(step.overdue for step in duty.steps),
        "at_ns": now_ns,
        "view": _json(duty),
    }
    for step in duty.steps:
        facts[f"step.{step.key}"] = (
            str(step.state)
            if step.at_ns is None
            else f"{step.state} +{_after(duty, step.at_ns)} s by {step.by}"
        )
    how = kind.removeprefix("duty.")
    return [fleet.ledger.record(kind, actor, duty.vehicle, facts), Count("duty", how)]


def _after(duty: DutyView, at_ns: int) -> float:
    return round((at_ns - duty.event_ns) / 1e9, 3)


def _look_again(board: DutyBoard) -> None:
    board.next_due_ns = min(
        (
            step.due_ns
            for duty in board.duties.values()
            if duty.ended_ns is None
            for step in duty.steps
            if step.state is StepState.OPEN and not step.overdue
        ),
        default=None,
    )


def _json(duty: DutyView) -> str:
    return msgspec.json.encode(duty).decode()


def _refuse(who: Operator, ref: str, reason: str, detail: str) -> list[AnyEffect]:
    return [Refuse(who.session, Refusal(ref, reason, detail)), Count("duty", "refused")]
