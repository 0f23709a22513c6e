"""A vehicle asks for a person.

An event is acknowledged only when its record is durable, so a vehicle that repeats
it until then loses nothing if the hub dies in between; the same event id is one
event however often it comes.

    OPEN ──resume for it applied──▶ ANSWERED
      │ └──vehicle withdraws it───▶ CLEARED
      └──deadline─▶ UNANSWERED ──resume applied / withdrawn──▶ ANSWERED / CLEARED
"""

from __future__ import annotations

from typing import Final

import msgspec

from protocols.operator import RequestState, RequestView
from protocols.vehicle import EventAck, EventKind, VehicleEvent
from supervisor.core.catalogue import TAKEOVER_REQUESTED
from supervisor.core.effects import AnyEffect, Count, SendEventAck, ShowRequest
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.ledger import Purpose, Waiting
from supervisor.core.vehicle_alarms import on_alarm

KEPT_ENDED: Final = 100
SHOWN_AFTER_END_NS: Final = 600_000_000_000
MAX_OPEN: Final = 32
"""A vehicle that opens more than this at once is not asking, it is broken."""


def on_event(
    fleet: Fleet, record: VehicleRecord, event: VehicleEvent, now_ns: int
) -> list[AnyEffect]:
    """Take in one event of the vehicle's present session."""
    memory = record.events.get(event.event_id)
    if memory is not None and (memory.recorded or memory.writing):
        effects: list[AnyEffect] = [Count("vehicle_event", "repeated")]
        if memory.recorded:
            effects.append(SendEventAck(record.vehicle_id, EventAck(event.event_id)))
        return effects
    is_new = memory is None
    if memory is None:
        record.remember_event(event.event_id)
    else:
        memory.writing = True
    effects = [
        fleet.ledger.record(
            "event",
            record.name_text,
            record.name_text,
            {
                "event_id": event.event_id,
                "event": str(event.kind),
                "session_id": event.session_id,
                "sent_ns": event.sent_ns,
                "at_ns": now_ns,
                "reason": event.reason,
                "text": event.text,
                "respond_within_s": event.respond_within_s,
                "subject_id": event.subject_id,
                "alarm": event.alarm,
                "active": event.active,
            },
            Waiting(Purpose.ACKNOWLEDGE_EVENT, record.vehicle_id, event.event_id),
        )
    ]
    if not is_new:
        return effects
    effects.append(Count("vehicle_event", "new"))
    if event.kind is EventKind.TAKEOVER_REQUESTED:
        effects += _open(fleet, record, event, now_ns)
    elif event.kind is EventKind.TAKEOVER_CLEARED:
        request = record.open_requests.get(event.subject_id)
        if request is None:
            effects.append(Count("vehicle_event", "unknown_subject"))
        else:
            effects += _end(fleet, record, request, RequestState.CLEARED, now_ns)
    elif event.kind is EventKind.ALARM:
        effects += on_alarm(fleet, record, event, now_ns)
    return effects


def on_recorded(record: VehicleRecord, event_id: str, ok: bool) -> list[AnyEffect]:
    """The event's record is durable, or failed and waits for the repetition."""
    memory = record.events.get(event_id)
    if memory is not None:
        memory.writing = False
        memory.recorded = ok
    return [SendEventAck(record.vehicle_id, EventAck(event_id))] if ok else []


def answered(
    fleet: Fleet, record: VehicleRecord, request_id: str, account: str, command_id: str, now_ns: int
) -> list[AnyEffect]:
    """An answer to this request was applied by the vehicle.

    The vehicle withdraws a request that is answered, on another connection: if that came
    first, the request was answered all the same.
    """
    request = record.open_requests.get(request_id)
    if request is not None:
        return _end(fleet, record, request, RequestState.ANSWERED, now_ns, account, command_id)
    request = record.requests.get(request_id)
    if request is None or request.state is not RequestState.CLEARED:
        return []
    told = record.requests[request_id] = _with(request, RequestState.ANSWERED, account, command_id)
    return [_recorded(fleet, record, told, "withdrawn_first", now_ns), ShowRequest(told)]


def waits(
    fleet: Fleet, record: VehicleRecord, request_id: str, more_s: float, now_ns: int
) -> list[AnyEffect]:
    """The vehicle has agreed to wait longer for an answer to this request."""
    request = record.open_requests.get(request_id)
    if request is None:
        return []
    longer = msgspec.structs.replace(
        request, state=RequestState.OPEN, deadline_ns=now_ns + int(more_s * 1e9)
    )
    record.requests[request.id] = record.open_requests[request.id] = longer
    return [_recorded(fleet, record, longer, "waits", now_ns), ShowRequest(longer)]


def end_requests_of_session(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """The vehicle's client started anew: it asks again if it still needs somebody."""
    effects: list[AnyEffect] = []
    for request in list(record.open_requests.values()):
        effects += _end(fleet, record, request, RequestState.CLEARED, now_ns, why="session_ended")
    return effects


def on_time(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Let deadlines pass and forget what ended long ago."""
    effects: list[AnyEffect] = []
    for request in list(record.open_requests.values()):
        if (
            request.state is RequestState.OPEN
            and request.deadline_ns is not None
            and now_ns >= request.deadline_ns
        ):
            late = _with(request, RequestState.UNANSWERED)
            record.open_requests[request.id] = record.requests[request.id] = late
            effects += [_recorded(fleet, record, late, "deadline", now_ns), ShowRequest(late)]
    ended = record.ended_requests
    while ended and (len(ended) > KEPT_ENDED or now_ns - ended[0][0] >= SHOWN_AFTER_END_NS):
        record.requests.pop(ended.popleft()[1], None)
    return effects


def _open(fleet: Fleet, record: VehicleRecord, event: VehicleEvent, now_ns: int) -> list[AnyEffect]:
    effects: list[AnyEffect] = []
    if len(record.open_requests) >= MAX_OPEN:
        oldest = next(iter(record.open_requests.values()))
        effects += _end(fleet, record, oldest, RequestState.CLEARED, now_ns, why="too_many")
    request = RequestView(
        id=event.event_id,
        vehicle=record.name_text,
        reason=event.reason,
        text=event.text,
        raised_ns=now_ns,
        deadline_ns=(
            now_ns + int(event.respond_within_s * 1e9) if event.respond_within_s > 0 else None
        ),
        state=RequestState.OPEN,
        options=event.options,
    )
    record.requests[request.id] = record.open_requests[request.id] = request
    effects.append(ShowRequest(request))
    effects += fleet.alarms.raise_again(
        TAKEOVER_REQUESTED, record.name_text, now_ns, event.text or event.reason
    )
    return effects


def _end(
    fleet: Fleet,
    record: VehicleRecord,
    request: RequestView,
    state: RequestState,
    now_ns: int,
    account: str = "",
    command_id: str = "",
    why: str = "",
) -> list[AnyEffect]:
    ended = _with(request, state, account, command_id)
    record.requests[request.id] = ended
    record.open_requests.pop(request.id, None)
    record.ended_requests.append((now_ns, request.id))
    effects: list[AnyEffect] = [
        _recorded(fleet, record, ended, why, now_ns),
        ShowRequest(ended),
    ]
    if not record.open_requests:
        effects += fleet.alarms.set(TAKEOVER_REQUESTED, record.name_text, False, now_ns)
    return effects


def _with(
    request: RequestView, state: RequestState, account: str = "", command_id: str = ""
) -> RequestView:
    return msgspec.structs.replace(request, state=state, answered_by=account, command_id=command_id)


def _recorded(
    fleet: Fleet, record: VehicleRecord, request: RequestView, why: str, now_ns: int
) -> AnyEffect:
    return fleet.ledger.record(
        "request",
        request.answered_by or record.name_text,
        record.name_text,
        {
            "request_id": request.id,
            "state": str(request.state),
            "command_id": request.command_id,
            "why": why,
            "at_ns": now_ns,
        },
    )
