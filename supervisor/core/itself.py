"""What the hub learns about itself: time, its audit store, its broker."""

from __future__ import annotations

from protocols.authority import ControlState
from protocols.operator import Refusal
from supervisor.core import (
    alarm_keeping,
    attention,
    authority,
    commands,
    coverage,
    duties,
    handover,
    holding,
    requests,
    seats,
    supervise,
)
from supervisor.core.catalogue import AUDIT_FAILED, BROKER_DOWN, JOURNAL_FAILED, STORAGE_LOW
from supervisor.core.effects import AnyEffect, Count, Refuse
from supervisor.core.events import (
    AlarmsRestored,
    AuditWritten,
    BrokerChanged,
    CommandSent,
    HubEnding,
    StoresSampled,
    Tick,
)
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.ledger import Purpose
from supervisor.core.supervised import VEHICLE_NS
from supervisor.core.watch import watch_vehicle


def on_tick(fleet: Fleet, event: Tick, now_ns: int) -> list[AnyEffect]:
    """Every deadline is looked at here; the broker's first, it explains the others.

    Each vehicle is looked at every `VEHICLE_NS`. Ticks may come more often: then each
    takes a part of the fleet, and none holds the loop for long.
    """
    fleet.last_tick_ns = now_ns
    effects = fleet.alarms.on_time(now_ns)
    effects += seats.on_time(fleet, now_ns)
    for record in fleet.vehicles.values():
        if now_ns < record.tick_ns:
            continue
        record.tick_ns = max(record.tick_ns, now_ns - VEHICLE_NS) + VEHICLE_NS
        effects += watch_vehicle(fleet, record, now_ns)
        effects += supervise.on_time(fleet, record, now_ns)
        effects += coverage.on_time(fleet, record, now_ns)
        effects += duties.on_vehicle(fleet, record, now_ns)
        effects += authority.on_time(fleet, record, now_ns)
        if record.open_requests or record.ended_requests:
            effects += requests.on_time(fleet, record, now_ns)
        if record.in_flight or record.finished:
            effects += commands.on_time(fleet, record, now_ns)
        due_ns = soonest(record)
        if due_ns is not None:
            record.tick_ns = min(record.tick_ns, due_ns)
    effects += attention.on_time(fleet, now_ns)
    effects += duties.on_time(fleet, now_ns)
    return effects + handover.on_time(fleet, now_ns)


def soonest(record: VehicleRecord) -> int | None:
    """Return when a decision that waits for its record has waited long enough."""
    control = record.control
    confirms = control.state is ControlState.CONFIRMING
    if not record.in_flight and not confirms:
        return None
    due = [command.deadline_ns for command in record.in_flight.values() if not command.sent]
    if confirms and control.view.until_ns is not None:
        due.append(control.view.until_ns)
    return min(due, default=None)


def on_audit_written(fleet: Fleet, event: AuditWritten, now_ns: int) -> list[AnyEffect]:
    """A record is durable or not; what waited for it goes on or is refused."""
    waiting = fleet.ledger.written(event.record_id)
    effects: list[AnyEffect] = []
    if not event.ok:
        effects.append(Count("audit", "failed"))
    if waiting is not None and waiting.vehicle_id is None:
        effects += handover.on_recorded(fleet, waiting.item_id, event.ok, now_ns)
    elif waiting is not None and waiting.vehicle_id is not None:
        record = fleet.vehicles[waiting.vehicle_id]
        match waiting.purpose:
            case Purpose.SEND_COMMAND:
                effects += commands.on_recorded(fleet, record, waiting.item_id, event.ok, now_ns)
            case Purpose.SEND_ORDER:
                for order in (record.limit_order, record.manoeuvre_order):
                    effects += order.on_recorded(fleet, record, waiting.item_id, event.ok, now_ns)
            case Purpose.GRANT_CONTROL:
                effects += authority.on_recorded(fleet, record, waiting.item_id, event.ok, now_ns)
            case Purpose.ACKNOWLEDGE_EVENT:
                effects += requests.on_recorded(record, waiting.item_id, event.ok)
    effects += fleet.alarms.on_recorded(event.ok, now_ns)
    effects += duties.on_recorded(fleet, event.ok, now_ns)
    return effects + fleet.alarms.set(AUDIT_FAILED, "", not event.ok, now_ns)


def on_command_sent(fleet: Fleet, event: CommandSent, now_ns: int) -> list[AnyEffect]:
    """The broker took a command, or not."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [Count("unknown_vehicle")]
    return commands.on_sent(fleet, record, event.command_id, event.ok, now_ns)


def on_broker(fleet: Fleet, event: BrokerChanged, now_ns: int) -> list[AnyEffect]:
    """The hub's own connection to the broker."""
    fleet.broker_connected = event.connected
    return fleet.alarms.set(BROKER_DOWN, "", not event.connected, now_ns)


def on_alarms_restored(fleet: Fleet, event: AlarmsRestored, now_ns: int) -> list[AnyEffect]:
    """What a former run of the hub left standing."""
    names = set(fleet.by_name)
    return alarm_keeping.restore(fleet.alarms, fleet.ledger, event.alarms, names, now_ns)


def on_stores(fleet: Fleet, event: StoresSampled, now_ns: int) -> list[AnyEffect]:
    """Room on the disk, and the health of the journal."""
    low = event.free_bytes < fleet.config.storage_low_mib << 20
    effects = fleet.alarms.set(STORAGE_LOW, "", low, now_ns, f"{event.free_bytes >> 20} MiB")
    return effects + fleet.alarms.set(JOURNAL_FAILED, "", not event.journal_ok, now_ns)


def on_hub_ending(fleet: Fleet, event: HubEnding, now_ns: int) -> list[AnyEffect]:
    """The hub was asked to end: whoever has control, is offered it or waits for it loses it.

    Ending is on record first, then each release; stops are taken until the very end.
    """
    if fleet.ending:
        return []
    fleet.ending = True
    had = ", ".join(
        f"{record.name_text} {record.control.view.holder}"
        for record in fleet.vehicles.values()
        if record.control.state is not ControlState.FREE
    )
    effects: list[AnyEffect] = [
        fleet.ledger.record("hub.ending", "hub", "hub", {"why": event.why, "control": had})
    ]
    for record in fleet.vehicles.values():
        waits, record.control.then = record.control.then, None
        if waits is not None:
            words = "the hub is being stopped"
            effects.append(
                Refuse(waits.operator.session, Refusal(record.name_text, "hub_ending", words))
            )
        effects += holding.end(fleet, record, "hub_ending", "hub", now_ns)
    return effects


def unsettled(fleet: Fleet) -> list[str]:
    """Name the vehicles that may still believe that somebody has control of them."""
    return [
        record.name_text
        for record in fleet.vehicles.values()
        if record.control.state is not ControlState.FREE or record.control.owed
    ]
