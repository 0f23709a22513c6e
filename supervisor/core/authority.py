"""Who has control of a vehicle: asked for, offered, accepted, recorded, confirmed by the
vehicle, given back.

    asked    who may, from an armed seat, and has no other vehicle (`core.permits`); for
             driving, with a password given lately
    accepted a new epoch, above any ever given; the record of it, and the epoch with it,
             durable first; then `TakeControl`
    applied  the holder's grant and key; ten heartbeats a second that say `leased`
    ended    by whatever: grant and lease are taken back in the same step, the vehicle is
             told with a record that nothing waits for; free again when the vehicle has
             said so

Ending is the safe direction: it needs no right, no disk and no link. Nothing here takes
control up again by itself: not after a reconnect, and not after a restart, because what
is held is nowhere written down. A vehicle that still believes in a holder of another life
is fenced off by the risen epoch, and released.
"""

from __future__ import annotations

from typing import Final

from protocols.authority import ControlState
from protocols.operator import LinkState, Refusal
from protocols.supervision import Purpose
from protocols.vehicle import CommandResult, ResultState
from supervisor.core import holding, permits, seats
from supervisor.core.control import Input, Wish
from supervisor.core.effects import AnyEffect, Count, Refuse, ShowControl
from supervisor.core.events import (
    ControlAccepted,
    ControlAsked,
    ControlGivenBack,
    Operator,
    SeatReported,
)
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.holding import TAKEN
from supervisor.core.ledger import Facts, Waiting
from supervisor.core.ledger import Purpose as After

GONE: Final = frozenset({LinkState.LOST, LinkState.OFFLINE})
SAYS_STATE_NS: Final = 6_000_000_000
"""A vehicle says its state at least every 5 s."""


# --------------------------------------------------------------- what operators do


def on_asked(fleet: Fleet, event: ControlAsked, now_ns: int) -> list[AnyEffect]:
    """An operator asks for control."""
    record, who = fleet.vehicles.get(event.vehicle_id), event.operator
    if record is None:
        return _refuse(fleet, event, permits.Objection("unknown_vehicle", str(event.vehicle_id)))
    control = record.control
    mine = control.session == who.session and control.state is not ControlState.RELEASING
    if mine and control.view.purpose is event.purpose:
        return [ShowControl(control.view)]  # the same wish once more
    objection = permits.to_control(fleet, record, who, event.purpose, now_ns)
    if objection is None and event.purpose is Purpose.DRIVE and not event.is_proved:
        objection = permits.Objection("step_up", "give your password once more before driving")
    waits = control.state is ControlState.RELEASING and control.then is None
    if objection is None and not mine and not waits:
        objection = permits.to_preempt(record, who, event.preempt)
    if objection is not None:
        return _refuse(fleet, event, objection)
    wish = Wish(who, event.purpose, event.request_id, event.preempt)
    if control.state is ControlState.FREE:
        return holding.offer(fleet, record, wish, now_ns)
    effects: list[AnyEffect] = []
    if control.then is not None and control.then.operator.session != who.session:
        words = f"{who.account} is offered control: {event.preempt}"
        waited = control.then.operator.session
        effects.append(Refuse(waited, Refusal(record.name_text, "preempted", words)))
    control.then = wish
    why = "handed_back" if mine else "preempted"
    effects += holding.end(fleet, record, why, who.account, now_ns, reason=event.preempt)
    return effects or [ShowControl(control.view)]


def on_accepted(fleet: Fleet, event: ControlAccepted, now_ns: int) -> list[AnyEffect]:
    """An operator takes what was offered: from here on the epoch is used."""
    record, who = fleet.vehicles.get(event.vehicle_id), event.operator
    if record is None:
        return _refuse(fleet, event, permits.Objection("unknown_vehicle", str(event.vehicle_id)))
    control = record.control
    if control.session == who.session and control.state in TAKEN:
        return [ShowControl(control.view)]
    if control.state is not ControlState.OFFERED or control.session != who.session:
        return _refuse(
            fleet, event, permits.Objection("not_offered", "control is not offered to this seat")
        )
    objection = permits.to_control(fleet, record, who, control.view.purpose, now_ns)
    if objection is not None:
        return _refuse(fleet, event, objection)
    epoch = control.next_epoch(record.epoch)
    limit_ns = now_ns + int(fleet.config.decision_limit_s * 1e9)
    control.move(Input.ACCEPTED, now_ns, epoch=epoch, until_ns=limit_ns, vehicle_confirms=False)
    control.vehicle_session = record.session_id
    control.take_id = ""
    record.tick_ns = min(record.tick_ns, limit_ns)
    facts: Facts = {
        "epoch": epoch,
        "purpose": str(control.view.purpose),
        "seat": control.view.seat,
        "request_id": control.view.request_id,
        "reason": control.view.reason,
        "session_id": record.session_id,
        "at_ns": now_ns,
    }
    waiting = Waiting(After.GRANT_CONTROL, record.vehicle_id, str(epoch))
    granted = fleet.ledger.record("control.granted", who.account, record.name_text, facts, waiting)
    return [granted, *holding.shown(record)]


def on_given_back(fleet: Fleet, event: ControlGivenBack, now_ns: int) -> list[AnyEffect]:
    """An operator gives control back, or declines an offer."""
    record, who = fleet.vehicles.get(event.vehicle_id), event.operator
    if record is None:
        return _refuse(fleet, event, permits.Objection("unknown_vehicle", str(event.vehicle_id)))
    control = record.control
    if control.then is not None and control.then.operator.session == who.session:
        control.then = None
        if control.session != who.session:
            return [ShowControl(control.view)]
    if control.session != who.session or control.state is ControlState.FREE:
        return _refuse(
            fleet, event, permits.Objection("not_holder", "this seat does not have control")
        )
    if control.state is ControlState.RELEASING:
        return [ShowControl(control.view)]
    declined = control.state is ControlState.OFFERED
    why = "declined" if declined else "handed_back"
    return holding.end(fleet, record, why, who.account, now_ns, cause=event.cause)


def on_seat_reported(fleet: Fleet, event: SeatReported, now_ns: int) -> list[AnyEffect]:
    """A seat has said how it stands: its control goes on, or ends at once."""
    record = _of_seat(fleet, event.operator)
    seat = fleet.seats.get(event.operator.session)
    if record is None or seat is None or record.control.state not in TAKEN:
        return []
    late = on_time(fleet, record, now_ns)  # what was over before this came stays over
    if record.control.state not in TAKEN:
        return late
    report = event.report
    if record.control.view.purpose is Purpose.DRIVE:
        lost = report.lost or ", ".join(seats.why_not(fleet, seat, now_ns))
        if lost:
            return holding.end(
                fleet, record, "seat_lost", event.operator.account, now_ns, reason=lost
            )
    if record.control.state is ControlState.HELD:
        until_ns = now_ns + int(fleet.config.seat_report_s * 1e9)
        if record.control.change(until_ns=until_ns):
            return [ShowControl(record.control.view)]
    return []


def on_seat_gone(fleet: Fleet, who: Operator, now_ns: int) -> list[AnyEffect]:
    """A console is gone, and what it had with it."""
    effects: list[AnyEffect] = []
    for record in fleet.vehicles.values():
        then = record.control.then
        if then is not None and then.operator.session == who.session:
            record.control.then = None
    lost = _of_seat(fleet, who)
    if lost is not None:
        effects += holding.end(fleet, lost, "seat_lost", who.account, now_ns, reason="disconnected")
    return effects


# ------------------------------------------------------- what disk and vehicle answer


def on_recorded(
    fleet: Fleet, record: VehicleRecord, item_id: str, ok: bool, now_ns: int
) -> list[AnyEffect]:
    """The record of a grant, with its epoch, is durable or not."""
    control = record.control
    view = control.view
    if control.state is not ControlState.CONFIRMING or item_id != str(view.epoch):
        return []  # it ended meanwhile; the epoch stays used
    if control.take_id:
        return []
    if not ok or view.until_ns is None or now_ns >= view.until_ns:
        return holding.fail(fleet, record, "audit", "the decision was not recorded", now_ns)
    seat = fleet.seats.get(control.session)
    if seat is None or seats.why_not(fleet, seat, now_ns):
        return holding.fail(fleet, record, "seat", "this seat is not armed any more", now_ns)
    objection = permits.to_take(fleet, record, view.purpose, now_ns)
    if objection is None and record.session_id != control.vehicle_session:
        objection = permits.Objection("session", "the vehicle has started anew")
    if objection is not None:
        return holding.fail(fleet, record, objection.reason, objection.detail, now_ns)
    return holding.take(fleet, record, now_ns)


def on_sent(
    fleet: Fleet, record: VehicleRecord, command_id: str, ok: bool, now_ns: int
) -> list[AnyEffect]:
    """The broker took a command of ours, or not."""
    control = record.control
    if ok or command_id != control.take_id or control.state is not ControlState.CONFIRMING:
        return []
    return holding.fail(fleet, record, "broker", "the command could not be handed over", now_ns)


def on_result(
    fleet: Fleet, record: VehicleRecord, result: CommandResult, now_ns: int
) -> tuple[bool, list[AnyEffect]]:
    """The vehicle answered; return whether it was about control."""
    control = record.control
    if result.command_id in control.release_ids:
        if result.state is ResultState.APPLIED and result.session_id == record.session_id:
            newest = result.command_id.startswith(f"release-{control.view.epoch}-")
            if newest and control.state not in TAKEN:
                return True, holding.nobody_has(fleet, record, now_ns)
        return True, []
    if not control.take_id or result.command_id != control.take_id:
        return False, []
    if control.state is not ControlState.CONFIRMING or result.state is ResultState.RECEIVED:
        return True, []
    if result.session_id != control.vehicle_session:
        return True, [Count("command_result", "wrong_session")]
    told = fleet.ledger.record(
        "control.result",
        record.name_text,
        record.name_text,
        {
            "epoch": control.view.epoch,
            "state": str(result.state),
            "reason": str(result.reason),
            "text": result.text,
            "vehicle_at_ns": result.at_ns,
            "at_ns": now_ns,
        },
    )
    if result.state is ResultState.REFUSED:
        control.owed = False
        detail = result.text or str(result.reason)
        return True, [told, *holding.fail(fleet, record, "refused", detail, now_ns)]
    return True, [told, *holding.hold(fleet, record, result, now_ns)]


def on_state(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """The vehicle has said who has control, by its own knowledge."""
    control, state = record.control, record.state
    if state is None:
        return []
    view = control.view
    agrees = state.holder == view.holder and state.control_epoch == view.epoch
    match view.state:
        case ControlState.HELD:
            if agrees:
                control.agreed = True
            elif control.agreed or now_ns - view.since_ns >= SAYS_STATE_NS:
                why = "deadman" if view.purpose is Purpose.DRIVE else "link_lost"
                return holding.end(
                    fleet, record, why, record.name_text, now_ns, reason=state.reason
                )
            return holding.agreeing(record, agrees or not control.agreed)
        case ControlState.FREE | ControlState.OFFERED:
            if not state.holder:
                return holding.agreeing(record, not control.owed)
            if control.owed:
                return holding.agreeing(record, False)
            if state.control_epoch <= control.born_epoch:
                return holding.believes(fleet, record, now_ns)
            if now_ns - view.since_ns < SAYS_STATE_NS:
                return []  # older than its answer, and overtaken by it
            control.owed, control.again_ns = True, now_ns
            return holding.agreeing(record, False)
        case ControlState.CONFIRMING | ControlState.RELEASING:
            return []


def on_new_session(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """The vehicle's client has started anew: nobody has control there."""
    control = record.control
    control.owed = False
    if control.state in TAKEN:
        return holding.end(fleet, record, "session_ended", record.name_text, now_ns)
    if control.state is ControlState.RELEASING:
        return holding.nobody_has(fleet, record, now_ns)
    return []


def on_time(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """What time, the link and the objectives end. Safe early, late or twice."""
    control = record.control
    view = control.view
    due = view.until_ns is not None and now_ns >= view.until_ns
    match view.state:
        case ControlState.FREE:
            return holding.release_again(fleet, record, now_ns) if control.owed else []
        case ControlState.OFFERED:
            if due:
                return holding.end(fleet, record, "declined", "", now_ns, reason="nobody accepted")
            return holding.release_again(fleet, record, now_ns) if control.owed else []
        case ControlState.CONFIRMING:
            if due and not control.take_id:
                return holding.fail(fleet, record, "audit", "the record took too long", now_ns)
            if due:
                return holding.fail(
                    fleet, record, "unconfirmed", "the vehicle did not answer", now_ns
                )
        case ControlState.HELD:
            if due:
                return holding.end(
                    fleet, record, "seat_lost", view.holder, now_ns, reason="no_report"
                )
        case ControlState.RELEASING:
            if due or record.link.state in GONE:
                return holding.free(fleet, record, now_ns, Input.EXPIRED)
            return holding.release_again(fleet, record, now_ns) if control.owed else []
    if record.link.state in GONE:
        return holding.end(fleet, record, "link_lost", record.name_text, now_ns)
    reasons = record.supervised.drive_reasons
    if view.purpose is Purpose.DRIVE and reasons:
        why = ", ".join(reasons)
        return holding.end(fleet, record, "drive_withdrawn", "hub", now_ns, reason=why)
    return []


def _of_seat(fleet: Fleet, who: Operator) -> VehicleRecord | None:
    """Return the vehicle that this console has, is offered or takes."""
    for record in fleet.vehicles.values():
        if record.control.session == who.session:
            return record
    return None


def _refuse(
    fleet: Fleet,
    event: ControlAsked | ControlAccepted | ControlGivenBack,
    objection: permits.Objection,
) -> list[AnyEffect]:
    who = event.operator
    facts: Facts = {
        "asked": type(event).__name__,
        "role": str(who.role),
        "reason": objection.reason,
        "detail": objection.detail,
    }
    return [
        fleet.ledger.record("control.refused", who.account, str(event.vehicle_id), facts),
        Refuse(who.session, Refusal(str(event.vehicle_id), objection.reason, objection.detail)),
        Count("control_refused", objection.reason),
    ]
