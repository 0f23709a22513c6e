"""Who has control of a vehicle: asked for, offered, accepted, confirmed, given back."""

from __future__ import annotations

from protocols.operator import Refusal
from supervisor.core.effects import AnyEffect, Count, Refuse
from supervisor.core.events import (
    ControlAccepted,
    ControlAsked,
    ControlGivenBack,
    Operator,
    SeatReported,
)
from supervisor.core.fleet import Fleet


def on_asked(fleet: Fleet, event: ControlAsked, now_ns: int) -> list[AnyEffect]:
    """An operator asks for control."""
    if event.vehicle_id not in fleet.vehicles:
        return _refuse(event, "unknown_vehicle", str(event.vehicle_id))
    return _refuse(event, "not_supported", "the vehicle does not list this command")


def on_accepted(fleet: Fleet, event: ControlAccepted, now_ns: int) -> list[AnyEffect]:
    """An operator takes what was offered."""
    return _refuse(event, "not_offered", "control is not offered to this seat")


def on_given_back(fleet: Fleet, event: ControlGivenBack, now_ns: int) -> list[AnyEffect]:
    """An operator gives control back, or declines."""
    return _refuse(event, "not_holder", "this seat does not have control")


def on_seat_reported(fleet: Fleet, event: SeatReported, now_ns: int) -> list[AnyEffect]:
    """A seat has said how it stands."""
    return []


def on_seat_gone(fleet: Fleet, who: Operator, now_ns: int) -> list[AnyEffect]:
    """A console is gone."""
    return []


def _refuse(
    event: ControlAsked | ControlAccepted | ControlGivenBack, reason: str, detail: str
) -> list[AnyEffect]:
    refusal = Refusal(str(event.vehicle_id), reason, detail)
    return [Refuse(event.operator.session, refusal), Count("control_refused", reason)]
