"""The whole interface of the core: `step(fleet, event, now_ns) -> effects`.

Dispatch by a dict of event types (a lookup costs about 50 ns; a `match` over
two dozen classes several times that). A handler module holds one mechanism.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from supervisor.core import (
    alarm_wishes,
    authority,
    duties,
    handover,
    itself,
    media,
    operators,
    supervise,
    vehicles,
)
from supervisor.core import events as e
from supervisor.core.effects import AnyEffect
from supervisor.core.fleet import Fleet

HANDLERS: Final[dict[type[e.Event], Callable[[Fleet, Any, int], list[AnyEffect]]]] = {
    e.ConnectionReceived: vehicles.on_connection,
    e.FactsheetReceived: vehicles.on_factsheet,
    e.StateReceived: vehicles.on_state,
    e.TelemetryReceived: vehicles.on_telemetry,
    e.HeartbeatReceived: vehicles.on_heartbeat,
    e.VehicleEventReceived: vehicles.on_event,
    e.CommandResultReceived: vehicles.on_command_result,
    e.VehicleConfigured: vehicles.on_configured,
    e.LinkSampled: media.on_sampled,
    e.PublisherChanged: media.on_publisher,
    e.ClockExchanged: media.on_clock,
    e.HubUnheard: media.on_unheard,
    e.OperatorConnected: operators.on_connected,
    e.OperatorDisconnected: operators.on_disconnected,
    e.CommandAsked: operators.on_command_asked,
    e.LimitAsked: supervise.on_limit_asked,
    e.ControlAsked: authority.on_asked,
    e.PasswordGiven: operators.on_password_given,
    e.ControlAccepted: authority.on_accepted,
    e.ControlGivenBack: authority.on_given_back,
    e.SeatReported: operators.on_seat_reported,
    e.AlarmAcknowledged: alarm_wishes.on_acknowledged,
    e.AlarmShelved: alarm_wishes.on_shelved,
    e.AlarmUnshelved: alarm_wishes.on_unshelved,
    e.AlarmServiceSet: alarm_wishes.on_service_set,
    e.PresentationReported: operators.on_presented,
    e.DutyStartAsked: duties.on_start_asked,
    e.DutyStepMarked: duties.on_marked,
    e.DutyAbandoned: duties.on_abandoned,
    e.DutiesRestored: duties.on_restored,
    e.HandoverAsked: handover.on_asked,
    e.HandoverRestored: handover.on_restored,
    e.AuditWritten: itself.on_audit_written,
    e.CommandSent: itself.on_command_sent,
    e.BrokerChanged: itself.on_broker,
    e.AlarmsRestored: itself.on_alarms_restored,
    e.StoresSampled: itself.on_stores,
    e.HubEnding: itself.on_hub_ending,
    e.Tick: itself.on_tick,
}


def step(fleet: Fleet, event: e.AnyEvent, now_ns: int) -> list[AnyEffect]:
    """Take in one event and return what is to be done, in this order.

    Args:
        fleet: Changed in place.
        event: What happened.
        now_ns: Hub monotonic clock; never before the `now_ns` of an earlier step.
    """
    return HANDLERS[type(event)](fleet, event, now_ns)
