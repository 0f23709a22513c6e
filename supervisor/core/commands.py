"""From an operator's key to the vehicle's *applied*, and never more than is known.

    RECORDING ──sent──▶ SENT ──▶ RECEIVED ──▶ APPLIED
        │                 └─────────┴───────▶ REFUSED (by the vehicle, with its reason)
        │                 └─────────┴───────▶ UNCONFIRMED (no result in time; a late
        └──▶ REFUSED (by the hub: audit, broker, superseded)    result still counts)

`stop` and `emergency_stop` are the safe direction: sent in the same step in which they are
asked for, the record first in the list but not waited for, with the link lost, without a
factsheet, without a known session, whoever has control. Everything else comes from the
console that has control, is decided on a picture that was shown, and is sent only when
its record is durable and that console still has control of the same epoch; a stop that
comes in between withdraws it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from protocols.operator import CommandState, CommandView, Role
from protocols.vehicle import (
    AlternatePath,
    Announce,
    Command,
    CommandResult,
    FollowPath,
    ResultState,
    Resume,
    Wait,
)
from supervisor.core import authority, permits, supervise
from supervisor.core.catalogue import AUDIT_FAILED
from supervisor.core.command_records import (
    asked_record,
    ended_record,
    kind_of,
    refuse_asked,
    request_of,
    result_record,
)
from supervisor.core.conditions import on_command_ended
from supervisor.core.effects import AnyEffect, Count, Observe, SendCommand, ShowCommand
from supervisor.core.events import CommandAsked
from supervisor.core.fleet import CommandRecord, Fleet, VehicleRecord
from supervisor.core.requests import answered, waits

MAY_ACT: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.MAINTAINER, Role.ADMIN})
KEPT_FINISHED: Final = 100
KEPT_IDS: Final = 10_000
MAX_IN_FLIGHT: Final = 16
"""Commands other than stop that one vehicle may have under way."""
MAX_STOPS_IN_FLIGHT: Final = 256
"""Stops are never refused; beyond this the oldest ends as unconfirmed to make room."""
SHOWN_AFTER_END_NS: Final = 600_000_000_000
WITHOUT_PICTURE: Final = (Announce,)
"""Whatever else the holder orders is decided on a picture: shown, of known age, not old."""


def on_asked(
    fleet: Fleet, record: VehicleRecord | None, asked: CommandAsked, now_ns: int
) -> list[AnyEffect]:
    """An operator asks for a command; `record` is None for an unknown vehicle."""
    if asked.operator.role not in MAY_ACT:
        return refuse_asked(fleet, asked, "role", f"a {asked.operator.role} may not give commands")
    if record is None:
        return refuse_asked(fleet, asked, "unknown_vehicle", str(asked.vehicle_id))
    if asked.command_id in fleet.asked:
        earlier = record.commands.get(asked.command_id)
        if earlier is None or type(earlier.body) is not type(asked.body):
            # Never swallow a stop because of an id that meant something else.
            return refuse_asked(
                fleet, asked, "duplicate_id", "this id was used for another command"
            )
        return [Count("command", "duplicate"), ShowCommand(earlier.view)]
    if asked.body.never_waits:
        return _stop(fleet, record, asked, now_ns)
    if asked.body.needs_control:
        return _order(fleet, record, asked, now_ns)
    return refuse_asked(fleet, asked, "not_supported", "only the hub itself gives this command")


def on_recorded(
    fleet: Fleet, record: VehicleRecord, command_id: str, ok: bool, now_ns: int
) -> list[AnyEffect]:
    """The record of a command that waits for it is durable, or could not be written."""
    command = record.in_flight.get(command_id)
    if command is None or command.sent or command.view.state is not CommandState.RECORDING:
        return []
    if not ok:
        return _end(fleet, record, command, CommandState.REFUSED, now_ns, "audit")
    if now_ns - command.view.asked_ns > int(fleet.config.decision_limit_s * 1e9):
        return _end(fleet, record, command, CommandState.REFUSED, now_ns, "audit")
    if not record.link.is_fresh(now_ns) or record.session_id != command.session_id:
        return _end(fleet, record, command, CommandState.REFUSED, now_ns, "link")
    if not permits.still_orders(record, command):
        return _end(fleet, record, command, CommandState.REFUSED, now_ns, "not_holder")
    request_id = request_of(command.body)
    if request_id and request_id not in record.open_requests:
        return _end(fleet, record, command, CommandState.REFUSED, now_ns, "unknown_request")
    return _send(fleet, record, command, int(fleet.config.resume_ttl_s * 1_000), now_ns)


def on_sent(
    fleet: Fleet, record: VehicleRecord, command_id: str, ok: bool, now_ns: int
) -> list[AnyEffect]:
    """The broker took the command, or it could not be handed over."""
    command = record.in_flight.get(command_id)
    if command is None:
        told = record.limit_order.on_sent(command_id, ok)
        told += record.manoeuvre_order.on_sent(command_id, ok)
        return told + authority.on_sent(fleet, record, command_id, ok, now_ns)
    if command.view.state is not CommandState.RECORDING:
        return []
    if not ok:
        return _end(fleet, record, command, CommandState.REFUSED, now_ns, "broker")
    command.view = msgspec.structs.replace(command.view, state=CommandState.SENT, sent_ns=now_ns)
    return [ShowCommand(command.view), Count("command", "sent")]


def on_result(
    fleet: Fleet, record: VehicleRecord, result: CommandResult, now_ns: int
) -> list[AnyEffect]:
    """The vehicle answered. Steps forward only; what it refused or applied is final."""
    command = record.commands.get(result.command_id)
    if command is None:
        for order in (record.limit_order, record.manoeuvre_order):
            is_order, told = order.on_result(fleet, record, result, now_ns)
            if is_order:
                return told + supervise.on_command_delay(fleet, record, now_ns)
        is_control, told = authority.on_result(fleet, record, result, now_ns)
        if is_control:
            return told
    if command is None or not command.sent:
        return [Count("command_result", "unknown_id")]
    if result.session_id not in (command.session_id, record.session_id):
        return [Count("command_result", "wrong_session")]
    view = command.view
    if view.state is CommandState.APPLIED or (
        view.state is CommandState.REFUSED and view.reason != "broker"
    ):
        return [Count("command_result", "after_end")]
    if result.state is ResultState.RECEIVED:
        if view.received_ns is not None:
            return []
        state = view.state
        if state is not CommandState.UNCONFIRMED:
            state = CommandState.RECEIVED
        command.view = msgspec.structs.replace(view, state=state, received_ns=now_ns, reason="")
        return [result_record(fleet, record, command, result, now_ns), ShowCommand(command.view)]
    effects: list[AnyEffect] = [result_record(fleet, record, command, result, now_ns)]
    if result.state is ResultState.REFUSED:
        reason = str(result.reason) or "vehicle"
        return effects + _end(fleet, record, command, CommandState.REFUSED, now_ns, reason)
    late = view.state is CommandState.UNCONFIRMED or view.reason == "broker"
    effects += _end(fleet, record, command, CommandState.APPLIED, now_ns, "")
    effects.append(
        Observe("command_applied", (now_ns - view.asked_ns) / 1e9, (view.type, *record.place))
    )
    if not late:
        fault = record.loop.on_applied(command.handed_ns, result.at_ns, record.clock, now_ns)
        if fault:
            effects.append(Count("command_result", fault))
        effects += supervise.on_command_delay(fleet, record, now_ns)
    match command.body:
        case Wait(request_id, more_s):
            effects += waits(fleet, record, request_id, more_s, now_ns)
        case Resume(request_id) | AlternatePath(request_id):
            effects += answered(fleet, record, request_id, view.operator, view.id, now_ns)
        case FollowPath():
            request_id = command.body.request_id
            effects += answered(fleet, record, request_id, view.operator, view.id, now_ns)
        case _:
            pass
    return effects


def on_time(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """End what got no answer in time and forget what ended long ago."""
    effects: list[AnyEffect] = []
    if record.in_flight:
        for command in [c for c in record.in_flight.values() if now_ns >= c.deadline_ns]:
            if command.sent:
                effects += _end(fleet, record, command, CommandState.UNCONFIRMED, now_ns, "")
            else:
                effects += _end(fleet, record, command, CommandState.REFUSED, now_ns, "audit")
                effects += fleet.alarms.set(AUDIT_FAILED, "", True, now_ns, "no answer in time")
    finished = record.finished
    while finished and (
        len(finished) > KEPT_FINISHED or now_ns - finished[0][0] >= SHOWN_AFTER_END_NS
    ):
        _forget(record, finished.popleft()[1])
    return effects


def _stop(fleet: Fleet, record: VehicleRecord, asked: CommandAsked, now_ns: int) -> list[AnyEffect]:
    effects: list[AnyEffect] = []
    for other in [c for c in record.in_flight.values() if not c.sent]:
        effects += _end(fleet, record, other, CommandState.REFUSED, now_ns, "superseded")
    if len(record.in_flight) >= MAX_STOPS_IN_FLIGHT:
        oldest = next(iter(record.in_flight.values()))
        effects += _end(fleet, record, oldest, CommandState.UNCONFIRMED, now_ns, "")
    command = _begin(fleet, record, asked, now_ns)
    first = asked_record(fleet, record, asked, now_ns, waits=False)
    sent = _send(fleet, record, command, int(fleet.config.stop_ttl_s * 1_000), now_ns)
    return [first, *sent, ShowCommand(command.view), Count("command", "asked"), *effects]


def _order(
    fleet: Fleet, record: VehicleRecord, asked: CommandAsked, now_ns: int
) -> list[AnyEffect]:
    """Take what only the holder of control may order."""
    objection = permits.to_order(record, asked.operator)
    if objection is not None:
        return refuse_asked(fleet, asked, objection.reason, objection.detail)
    if record.factsheet is None or kind_of(asked) not in record.factsheet.commands:
        detail = "the vehicle does not list this command"
        return refuse_asked(fleet, asked, "not_supported", detail)
    if not record.link.is_fresh(now_ns) or record.beat_at_ns is None:
        detail = f"the link is {record.link.state}, not fresh"
        return refuse_asked(fleet, asked, "link", detail)
    if not isinstance(asked.body, WITHOUT_PICTURE):
        age, limit = asked.picture_age_ms, fleet.config.picture_limit_ms
        if age is None or not 0.0 <= age <= limit:
            detail = "the age of the picture is unknown"
            if age is not None:
                detail = f"the picture was {age:.0f} ms old, at most {limit:.0f} ms"
            return refuse_asked(fleet, asked, "picture", detail)
    request_id = request_of(asked.body)
    if request_id and request_id not in record.open_requests:
        past = record.requests.get(request_id)
        state = "unknown" if past is None else str(past.state)
        return refuse_asked(fleet, asked, "unknown_request", f"the request is {state}")
    if len(record.in_flight) >= MAX_IN_FLIGHT:
        return refuse_asked(fleet, asked, "busy", "too many commands are under way")
    command = _begin(fleet, record, asked, now_ns)
    command.session_id = record.session_id
    command.epoch = record.epoch
    record.tick_ns = min(record.tick_ns, command.deadline_ns)
    return [
        asked_record(fleet, record, asked, now_ns, waits=True),
        ShowCommand(command.view),
        Count("command", "asked"),
    ]


def _begin(fleet: Fleet, record: VehicleRecord, asked: CommandAsked, now_ns: int) -> CommandRecord:
    view = CommandView(
        id=asked.command_id,
        vehicle=record.name_text,
        type=kind_of(asked),
        operator=asked.operator.account,
        state=CommandState.RECORDING,
        asked_ns=now_ns,
    )
    deadline_ns = now_ns + int(fleet.config.decision_limit_s * 1e9)
    command = CommandRecord(view, asked.body, deadline_ns, asked.operator.session)
    record.commands[view.id] = record.in_flight[view.id] = command
    fleet.asked[view.id] = None
    while len(fleet.asked) > KEPT_IDS:
        fleet.asked.popitem(last=False)
    return command


def _send(
    fleet: Fleet, record: VehicleRecord, command: CommandRecord, ttl_ms: int, now_ns: int
) -> list[AnyEffect]:
    """Hand the command to the shell. Its vehicle clock is estimated at this instant."""
    record.command_seq += 1
    heard = record.beat_at_ns is not None
    command.sent = True
    command.handed_ns = now_ns
    command.session_id = record.session_id if heard else ""
    command.deadline_ns = now_ns + ttl_ms * 1_000_000 + int(fleet.config.confirm_grace_s * 1e9)
    return [
        SendCommand(
            record.vehicle_id,
            Command(
                command_id=command.view.id,
                session_id=command.session_id,
                epoch=record.epoch,
                seq=record.command_seq,
                issued_ns=record.vehicle_clock_ns(now_ns),
                ttl_ms=ttl_ms,
                body=command.body,
                operator=command.view.operator[:64],
            ),
        )
    ]


def _end(
    fleet: Fleet,
    record: VehicleRecord,
    command: CommandRecord,
    state: CommandState,
    now_ns: int,
    reason: str,
) -> list[AnyEffect]:
    was_open = record.in_flight.pop(command.view.id, None) is not None
    if was_open:
        record.finished.append((now_ns, command.view.id))
    applied = state is CommandState.APPLIED
    command.view = msgspec.structs.replace(
        command.view,
        state=state,
        reason=reason,
        applied_ns=now_ns if applied else None,
    )
    effects: list[AnyEffect] = []
    if not applied and not (state is CommandState.REFUSED and command.sent and reason != "broker"):
        # What the vehicle says is recorded where it is heard.
        effects.append(ended_record(fleet, record, command, now_ns))
    effects.append(ShowCommand(command.view))
    effects.append(Count("command", str(state)))
    by_vehicle = command.sent and reason != "broker"
    if state is CommandState.REFUSED:
        counted = "vehicle" if by_vehicle else reason
        effects.append(Count("command_refused", counted))
    effects += on_command_ended(fleet, record, command.view, by_vehicle, now_ns)
    return effects


def _forget(record: VehicleRecord, command_id: str) -> None:
    record.commands.pop(command_id, None)
