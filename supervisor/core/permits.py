"""Whether somebody may have control of a vehicle now, and what he may order with it.

Everything that speaks against it is named, with a reason a console can translate and the
words for a person. The same is asked again when the offer is accepted and once more when
the record is durable: what has changed in between counts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from protocols.authority import ControlState
from protocols.operator import Role
from protocols.supervision import Purpose
from supervisor.core import seats
from supervisor.core.events import Operator
from supervisor.core.fleet import CommandRecord, Fleet, VehicleRecord
from supervisor.core.freeze import MOVING_MPS
from supervisor.core.supervise import drive_reasons

MAY_PREEMPT: Final = frozenset({Role.SUPERVISOR})
TAKE: Final = "take_control"


class Objection(NamedTuple):
    """What speaks against it."""

    reason: str
    detail: str


def to_control(
    fleet: Fleet, record: VehicleRecord, who: Operator, purpose: Purpose, now_ns: int
) -> Objection | None:
    """Return what speaks against this person's control of this vehicle, whoever has it now."""
    if who.role not in seats.MAY_CONTROL:
        return Objection("role", f"a {who.role} may not have control")
    if purpose is Purpose.MONITOR:
        return Objection("purpose", "control is for assisting or for driving")
    seat = fleet.seats.get(who.session)
    if seat is None:
        return Objection("seat", "this console is no seat")
    not_armed = seats.why_not(fleet, seat, now_ns)
    if not_armed:
        return Objection("seat", f"this seat is not armed: {', '.join(not_armed)}")
    other = held_by(fleet, who.account, record)
    if other is not None:
        return Objection("other_vehicle", f"{who.account} has control of {other.name_text}")
    return to_take(fleet, record, purpose, now_ns)


def to_take(fleet: Fleet, record: VehicleRecord, purpose: Purpose, now_ns: int) -> Objection | None:
    """Return what speaks, on the hub's and the vehicle's side, against anybody's control of it."""
    if fleet.ending:
        return Objection("hub_ending", "the hub is about to end")
    if record.factsheet is None or TAKE not in record.factsheet.commands:
        return Objection("not_supported", "the vehicle does not list this command")
    if not record.link.is_fresh(now_ns) or record.beat_at_ns is None:
        return Objection("link", f"the link is {record.link.state}, not fresh")
    if purpose is not Purpose.DRIVE:
        return None
    reasons = record.supervised.drive_reasons or drive_reasons(fleet, record, now_ns)
    if reasons:
        return Objection("drive", ", ".join(reasons))
    if record.telemetry is None or record.stale or record.telemetry_at_ns is None:
        return Objection("moving", "whether the vehicle stands is not known")
    if abs(record.telemetry.speed_mps) >= MOVING_MPS:
        return Objection("moving", "the vehicle has to stand first")
    return None


def to_preempt(record: VehicleRecord, who: Operator, reason: str) -> Objection | None:
    """Return what speaks against taking control from who has it, or is about to."""
    view = record.control.view
    if view.state is ControlState.FREE:
        return None
    if reason and who.role not in MAY_PREEMPT:
        return Objection("role", f"a {who.role} may not take control from somebody")
    if not reason.strip():
        words = {
            ControlState.OFFERED: "is offered it",
            ControlState.RELEASING: "is giving it back",
        }
        has = words.get(view.state, "has it")
        return Objection("held", f"{view.holder} {has}")
    return None


def to_order(record: VehicleRecord, who: Operator) -> Objection | None:
    """Return what speaks against this console's orders to the vehicle, as to control."""
    control = record.control
    if control.state is ControlState.HELD and control.session == who.session:
        return None
    if control.state is ControlState.FREE:
        return Objection("not_holder", "nobody has control; take it first")
    if control.session == who.session:
        return Objection("not_holder", f"control is {control.state}")
    return Objection("not_holder", f"{control.view.holder} has control")


def still_orders(record: VehicleRecord, command: CommandRecord) -> bool:
    """Return whether a command may go out: its console has had control all the time."""
    control = record.control
    return (
        control.state is ControlState.HELD
        and control.session == command.by
        and control.view.epoch == command.epoch
    )


def held_by(fleet: Fleet, account: str, but: VehicleRecord) -> VehicleRecord | None:
    """Return another vehicle that somebody has, is offered, is giving back or waits for."""
    for record in fleet.vehicles.values():
        if record is but:
            continue
        then = record.control.then
        if record.control.view.holder == account or (
            then is not None and then.operator.account == account
        ):
            return record
    return None
