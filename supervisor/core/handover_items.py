"""What the next person has to know now, read from the fleet. Changes nothing.

An item changes when its meaning does, never because time passes or a measured number
moves: what flickers could never be read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from protocols.alarms import AlarmState
from protocols.authority import ControlState
from protocols.duties import StepState
from protocols.handover import HandoverItem, ItemKind, NoteView
from protocols.operator import LinkState
from protocols.vehicle import MrmState
from supervisor.core.catalogue import TAKEOVER_REQUESTED, TAKEOVER_UNANSWERED
from supervisor.core.fleet import Fleet, VehicleRecord

ASIDE: Final = (AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE)
STANDING: Final = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.RETURNED_UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
)
OF_REQUESTS: Final = (TAKEOVER_REQUESTED, TAKEOVER_UNANSWERED)
"""Alarms whose request is an item already."""
IN_MANOEUVRE: Final = (MrmState.MRM_OPERATING, MrmState.MRM_SUCCEEDED, MrmState.MRM_FAILED)

_ORDER: Final = {kind: number for number, kind in enumerate(ItemKind)}


def collect(fleet: Fleet, notes: list[NoteView]) -> list[HandoverItem]:
    """Return every item in the order in which it is read; all have `rev` 0."""
    items = [
        *(item for record in fleet.vehicles.values() for item in _of_vehicle(record)),
        *_alarms(fleet),
        *_duties(fleet),
        *map(_note, notes),
    ]
    items.sort(key=_place)
    return items


def _place(item: HandoverItem) -> tuple[int, int, int, str]:
    since_ns = 0 if item.since_ns is None else item.since_ns
    return (_ORDER[item.kind], item.priority, since_ns, item.key)


def _of_vehicle(record: VehicleRecord) -> Iterator[HandoverItem]:
    name, control = record.name_text, record.control.view
    if control.state is not ControlState.FREE:
        yield HandoverItem(
            key=f"control:{name}",
            kind=ItemKind.CONTROL,
            rev=0,
            vehicle=name,
            what=str(control.purpose),
            state=str(control.state),
            by=control.holder,
            since_ns=control.since_ns,
        )
    for request in record.open_requests.values():
        yield HandoverItem(
            key=f"request:{name}#{request.id}",
            kind=ItemKind.REQUEST,
            rev=0,
            vehicle=name,
            what=request.reason,
            state=str(request.state),
            detail=request.text,
            since_ns=request.raised_ns,
            until_ns=request.deadline_ns,
        )
    link = record.link
    if link.state is not LinkState.ONLINE:
        is_known = link.state in (LinkState.LOST, LinkState.OFFLINE)
        yield HandoverItem(
            key=f"link:{name}",
            kind=ItemKind.VEHICLE,
            rev=0,
            vehicle=name,
            what="link",
            state=str(link.state),
            detail=link.why,
            since_ns=link.last_beat_ns if is_known else None,
        )
    state = record.state
    if state is not None and state.mrm in IN_MANOEUVRE:
        yield HandoverItem(
            key=f"mrm:{name}",
            kind=ItemKind.VEHICLE,
            rev=0,
            vehicle=name,
            what="mrm",
            state=str(state.mrm),
            detail=state.reason,
        )
    kept = record.supervised
    if kept.operator_kmh is not None:
        yield HandoverItem(
            key=f"limit:{name}",
            kind=ItemKind.LIMIT,
            rev=0,
            vehicle=name,
            what="limit",
            state=f"{kept.operator_kmh:g}",
            by=kept.operator_by,
        )


def _alarms(fleet: Fleet) -> Iterator[HandoverItem]:
    for alarm in fleet.alarms.standing():
        aside = alarm.state in ASIDE
        if not aside and (alarm.state not in STANDING or alarm.spec.key in OF_REQUESTS):
            continue
        yield HandoverItem(
            key=f"alarm:{alarm.alarm_id}",
            kind=ItemKind.SHELVED if aside else ItemKind.ALARM,
            rev=0,
            vehicle=alarm.vehicle,
            what=alarm.spec.key,
            state=str(alarm.state),
            by=alarm.by if aside else alarm.acknowledged_by,
            detail=alarm.why if aside else "",
            priority=int(alarm.spec.priority),
            since_ns=alarm.raised_ns,
            until_ns=alarm.until_ns if aside else None,
        )


def _duties(fleet: Fleet) -> Iterator[HandoverItem]:
    for duty in fleet.duties.duties.values():
        if duty.ended_ns is not None:
            continue
        left = [step for step in duty.steps if step.state is StepState.OPEN]
        yield HandoverItem(
            key=f"duty:{duty.id}",
            kind=ItemKind.DUTY,
            rev=0,
            vehicle=duty.vehicle,
            what=duty.key,
            state=f"{len(duty.steps) - len(left)}/{len(duty.steps)}",
            by=duty.in_charge,
            ja=duty.ja,
            en=duty.en,
            since_ns=duty.event_ns,
            until_ns=min((step.due_ns for step in left), default=None),
        )


def _note(note: NoteView) -> HandoverItem:
    return HandoverItem(
        key=f"note:{note.id}",
        kind=ItemKind.NOTE,
        rev=0,
        vehicle=note.vehicle,
        what=note.id,
        by=note.by,
        detail=note.text,
        since_ns=note.at_ns,
    )
