"""What follows when control of a vehicle changes: records, grants, leases, commands.

The order of effects is the point. Taking: the record, durable, before anything. Ending:
grant and lease first, then the record, then the vehicle.
"""

from __future__ import annotations

from typing import Final

from protocols.authority import ControlState
from protocols.operator import Refusal
from protocols.supervision import Purpose
from protocols.vehicle import Body, Command, CommandResult, ReleaseControl, TakeControl
from supervisor.core import permits, supervise
from supervisor.core.catalogue import AUTHORITY_LOST, DEADMAN_RELEASED
from supervisor.core.control import Input, Wish
from supervisor.core.effects import (
    AnyEffect,
    Count,
    Lease,
    Observe,
    Refuse,
    SendCommand,
    SetGrant,
    ShowControl,
    ShowSeats,
)
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.ledger import Facts

TAKEN: Final = frozenset({ControlState.CONFIRMING, ControlState.HELD})
BY_WISH: Final = frozenset({"handed_back", "declined"})


def offer(fleet: Fleet, record: VehicleRecord, wish: Wish, now_ns: int) -> list[AnyEffect]:
    """Offer control that is free to who asked for it."""
    control, who = record.control, wish.operator
    control.session = who.session
    control.move(
        Input.ASKED,
        now_ns,
        holder=who.account,
        seat=who.seat,
        purpose=wish.purpose,
        request_id=wish.request_id,
        reason=wish.reason,
        until_ns=now_ns + int(fleet.config.offer_s * 1e9),
    )
    facts: Facts = {
        "purpose": str(wish.purpose),
        "seat": who.seat,
        "request_id": wish.request_id,
        "reason": wish.reason,
        "at_ns": now_ns,
    }
    offered = fleet.ledger.record("control.offered", who.account, record.name_text, facts)
    return [offered, *shown(record)]


def take(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """The grant is on disk: order the vehicle to obey its holder, in the new epoch."""
    control, config, view = record.control, fleet.config, record.control.view
    record.epoch, record.command_seq = view.epoch, 0
    ttl_ms = int(config.take_ttl_s * 1_000)
    until_ns = now_ns + ttl_ms * 1_000_000 + int(config.confirm_grace_s * 1e9)
    control.take_id = f"take-{view.epoch}"
    control.handed_ns = now_ns
    control.owed, control.agreed = True, False
    control.change(until_ns=until_ns)
    record.limit_order.start_anew(until_ns)
    body = TakeControl(view.holder, view.purpose, int(config.control_silence_s * 1_000))
    return [
        Lease(record.vehicle_id, view.epoch, leased=True),
        command(record, control.take_id, body, view.holder, ttl_ms, now_ns),
        *shown(record),
    ]


def hold(
    fleet: Fleet, record: VehicleRecord, result: CommandResult, now_ns: int
) -> list[AnyEffect]:
    """The vehicle obeys him from now on."""
    control = record.control
    seat = fleet.seats.get(control.session)
    until_ns = now_ns if seat is None else seat.report_at_ns
    until_ns += int(fleet.config.seat_report_s * 1e9)
    control.move(Input.APPLIED, now_ns, until_ns=until_ns, vehicle_confirms=True)
    record.limit_order.start_anew(now_ns)
    view = control.view
    effects: list[AnyEffect] = [
        SetGrant(
            record.vehicle_id,
            control.session,
            view.holder,
            view.epoch,
            view.purpose,
            control.vehicle_session,
        ),
        *shown(record),
        Observe("control_taken", (now_ns - control.handed_ns) / 1e9, record.place),
    ]
    for key in (AUTHORITY_LOST, DEADMAN_RELEASED):
        effects += fleet.alarms.set(key, record.name_text, False, now_ns)
    fault = record.loop.on_applied(control.handed_ns, result.at_ns, record.clock, now_ns)
    if fault:
        effects.append(Count("command_result", fault))
    return effects + supervise.on_command_delay(fleet, record, now_ns)


def fail(
    fleet: Fleet, record: VehicleRecord, reason: str, detail: str, now_ns: int
) -> list[AnyEffect]:
    """What was accepted did not come about; the epoch stays used, and the holder is told."""
    control = record.control
    session, account, epoch = control.session, control.view.holder, control.view.epoch
    why = reason if reason in ("refused", "unconfirmed") else "refused"
    ended_by = record.name_text if reason in ("refused", "unconfirmed") else "hub"
    control.move(Input.FAILED, now_ns, ended=why, ended_by=ended_by, vehicle_confirms=False)
    control.again_ns = now_ns
    _settle(record)
    record.limit_order.start_anew(now_ns)
    facts: Facts = {"epoch": epoch, "why": reason, "detail": detail, "at_ns": now_ns}
    effects: list[AnyEffect] = [
        Lease(record.vehicle_id, record.epoch, leased=False),
        fleet.ledger.record("control.failed", account, record.name_text, facts),
        Refuse(session, Refusal(record.name_text, reason, detail)),
        Count("control_refused", reason),
        *shown(record),
    ]
    return effects + _offer_next(fleet, record, now_ns)


def end(
    fleet: Fleet,
    record: VehicleRecord,
    why: str,
    by: str,
    now_ns: int,
    *,
    reason: str = "",
    cause: str = "",
) -> list[AnyEffect]:
    """End control, an offer of it or the way there: now, whatever disk and link do.

    Args:
        fleet: All of them.
        record: Of which vehicle.
        why: As in `ControlView.ended`.
        by: Account or vehicle that ended it.
        now_ns: Hub clock.
        reason: Further words.
        cause: One-tap cause code of an intervention.
    """
    control = record.control
    before = control.view
    happened = Input.GIVEN_BACK if why in BY_WISH else Input.ENDED
    limit_ns = None
    if before.state in TAKEN:
        limit_ns = now_ns + int(fleet.config.release_limit_s * 1e9)
    session = control.session
    if not control.move(
        happened, now_ns, ended=why, ended_by=by, vehicle_confirms=False, until_ns=limit_ns
    ):
        return []  # it is ending already
    facts: Facts = {
        "epoch": before.epoch,
        "was": str(before.state),
        "holder": before.holder,
        "why": why,
        "reason": reason,
        "cause": cause,
        "at_ns": now_ns,
    }
    effects: list[AnyEffect] = []
    if before.state in TAKEN:
        effects.append(_no_grant(record))
        effects.append(Lease(record.vehicle_id, record.epoch, leased=False))
        record.limit_order.start_anew(now_ns)
    effects.append(fleet.ledger.record("control.ended", by or "hub", record.name_text, facts))
    if why == "preempted":
        words = f"{by} has taken control: {reason}"
        effects.append(Refuse(session, Refusal(record.name_text, "preempted", words)))
    if before.state is ControlState.HELD and why not in BY_WISH:
        detail = f"{before.holder}: {why}"
        key = DEADMAN_RELEASED if why == "deadman" else AUTHORITY_LOST
        effects += fleet.alarms.raise_again(key, record.name_text, now_ns, detail)
    effects.append(Count("control_ended", why))
    if control.state is ControlState.FREE:
        _settle(record)
        return [*effects, *shown(record), *_offer_next(fleet, record, now_ns)]
    effects += shown(record)
    if not control.owed:  # the vehicle was never told, or has forgotten
        return effects + nobody_has(fleet, record, now_ns)
    control.again_ns = now_ns
    return effects + release_again(fleet, record, now_ns)


def release_again(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Tell the vehicle that nobody has control; again until it says so."""
    control, config = record.control, fleet.config
    if now_ns < control.again_ns or not record.link.is_heard(now_ns) or record.beat_at_ns is None:
        return []
    control.again_ns = now_ns + int(config.release_again_s * 1e9)
    body = ReleaseControl(control.view.ended)
    ttl_ms = int(config.release_ttl_s * 1_000)
    return [command(record, control.next_release_id(), body, "hub", ttl_ms, now_ns)]


def nobody_has(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """The vehicle says that nobody has control of it."""
    control = record.control
    control.owed = False
    if control.state is ControlState.RELEASING:
        return free(fleet, record, now_ns, Input.RELEASED)
    return agreeing(record, True)


def free(fleet: Fleet, record: VehicleRecord, now_ns: int, happened: Input) -> list[AnyEffect]:
    """Nobody has control any more; who has waited for it is offered it."""
    control = record.control
    holder, epoch = control.view.holder, control.view.epoch
    confirmed = happened is Input.RELEASED
    control.move(happened, now_ns, vehicle_confirms=confirmed)
    facts: Facts = {"epoch": epoch, "holder": holder, "confirmed": confirmed, "at_ns": now_ns}
    actor = record.name_text if confirmed else "hub"
    effects: list[AnyEffect] = [
        fleet.ledger.record("control.free", actor, record.name_text, facts),
        *shown(record),
    ]
    for key in (AUTHORITY_LOST, DEADMAN_RELEASED):
        effects += fleet.alarms.set(key, record.name_text, False, now_ns)
    return effects + _offer_next(fleet, record, now_ns)


def _offer_next(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    control = record.control
    wish, control.then = control.then, None
    if wish is None or control.state is not ControlState.FREE:
        return []
    who = wish.operator
    objection = permits.to_control(fleet, record, who, wish.purpose, now_ns)
    if objection is None:
        return offer(fleet, record, wish, now_ns)
    refusal = Refusal(record.name_text, objection.reason, objection.detail)
    return [Refuse(who.session, refusal), Count("control_refused", objection.reason)]


def believes(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """The vehicle believes in a holder that this hub has not made: of another life of it."""
    control, state = record.control, record.state
    assert state is not None
    control.owed = True
    control.again_ns = now_ns
    control.change(ended="hub_restarted", ended_by="hub", vehicle_confirms=False)
    facts: Facts = {"holder": state.holder, "epoch": state.control_epoch, "at_ns": now_ns}
    effects: list[AnyEffect] = [
        fleet.ledger.record("control.unknown", record.name_text, record.name_text, facts),
        Count("control_ended", "hub_restarted"),
    ]
    effects += fleet.alarms.raise_again(
        AUTHORITY_LOST, record.name_text, now_ns, f"{state.holder}: hub_restarted"
    )
    return [*effects, *shown(record), *release_again(fleet, record, now_ns)]


def agreeing(record: VehicleRecord, agrees: bool) -> list[AnyEffect]:
    """Show whether the vehicle's own word agrees."""
    if record.control.change(vehicle_confirms=agrees):
        return [ShowControl(record.control.view)]
    return []


def _settle(record: VehicleRecord) -> None:
    """Say whether a vehicle that nobody has control of agrees."""
    state = record.state
    believes = state is not None and bool(state.holder)
    record.control.change(vehicle_confirms=not record.control.owed and not believes)


def _no_grant(record: VehicleRecord) -> SetGrant:
    return SetGrant(
        record.vehicle_id, None, "", record.control.view.epoch, Purpose.MONITOR, record.session_id
    )


def shown(record: VehicleRecord) -> list[AnyEffect]:
    """Tell everybody that the state has changed."""
    view = record.control.view
    return [ShowControl(view), ShowSeats(), Count("control", str(view.state))]


def command(
    record: VehicleRecord, command_id: str, body: Body, who: str, ttl_ms: int, now_ns: int
) -> AnyEffect:
    """Return a command about control, the next one of the present epoch."""
    record.command_seq += 1
    ordered = Command(
        command_id=command_id,
        session_id=record.session_id,
        epoch=record.epoch,
        seq=record.command_seq,
        issued_ns=record.vehicle_clock_ns(now_ns),
        ttl_ms=ttl_ms,
        body=body,
        operator=who[:64],
    )
    return SendCommand(record.vehicle_id, ordered)
