"""What vehicles say, taken into the fleet; each message only if its session may speak."""

from __future__ import annotations

from protocols.operator import LinkState
from protocols.vehicle import ConnectionState
from supervisor.core import authority, commands, requests, sessions, supervise
from supervisor.core.conditions import watch_conditions
from supervisor.core.effects import AnyEffect, Count, ShowRoute
from supervisor.core.events import (
    CommandResultReceived,
    ConnectionReceived,
    FactsheetReceived,
    HeartbeatReceived,
    StateReceived,
    TelemetryReceived,
    VehicleConfigured,
    VehicleEventReceived,
)
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.freeze import MOVING_MPS
from supervisor.core.sequences import Order
from supervisor.core.supervised import LOOK_NS, SHOW_NS, VEHICLE_NS
from supervisor.core.watch import watch_vehicle

UNKNOWN = Count("unknown_vehicle")
OLD_SESSION = Count("session", "old")


def on_configured(fleet: Fleet, event: VehicleConfigured, now_ns: int) -> list[AnyEffect]:
    """A vehicle of the configuration; a higher epoch later fences off older commands."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        record = VehicleRecord(event.vehicle_id, event.kind, event.name, event.epoch, fleet.config)
        # Not all at once: the looks and reports of a fleet are spread over their period.
        spread = len(fleet.vehicles) % 10
        record.tick_ns = now_ns + spread * VEHICLE_NS // 10
        record.supervised.look_ns = now_ns + spread * LOOK_NS // 10
        record.supervised.show_ns = now_ns + spread * SHOW_NS // 10
        fleet.vehicles[event.vehicle_id] = fleet.by_name[record.name_text] = record
    else:
        record.kind, record.name = event.kind, event.name
        if event.epoch > record.epoch:
            record.epoch, record.command_seq = event.epoch, 0
            record.control.born_epoch = event.epoch
    return [record.show]


def on_connection(fleet: Fleet, event: ConnectionReceived, now_ns: int) -> list[AnyEffect]:
    """ONLINE is only a claim; OFFLINE and the last will count for their own session."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [UNKNOWN]
    message = event.message
    if message.state is not ConnectionState.ONLINE and record.session_id not in (
        "",
        message.session_id,
    ):
        return [Count("connection", "old_session")]
    entered = sessions.enter(fleet, record, message.session_id, now_ns)
    if entered is None:
        return [Count("connection", "old_session")]
    link = record.link
    match message.state:
        case ConnectionState.ONLINE:
            changed = link.on_announced()
        case ConnectionState.OFFLINE:
            changed = link.on_goodbye()
            record.telemetry_expected_ns = record.media_expected_ns = None
        case ConnectionState.CONNECTION_BROKEN:
            changed = link.on_broken()
    if changed:
        entered.append(record.show)
        entered += watch_vehicle(fleet, record, now_ns)
    return entered


def on_factsheet(fleet: Fleet, event: FactsheetReceived, now_ns: int) -> list[AnyEffect]:
    """What the vehicle is; kept over sessions."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [UNKNOWN]
    before, record.factsheet = record.factsheet, event.message
    if before is None or before.route != event.message.route:
        return [record.show, ShowRoute(record.vehicle_id)]
    return [record.show]


def on_heartbeat(fleet: Fleet, event: HeartbeatReceived, now_ns: int) -> list[AnyEffect]:
    """The link is alive; the beat also carries a clock exchange."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [UNKNOWN]
    beat = event.message
    effects = sessions.enter(fleet, record, beat.session_id, now_ns)
    if effects is None:
        return [OLD_SESSION]
    if not effects and record.link.state is LinkState.OFFLINE:
        return [Count("heartbeat", "after_offline")]
    order = record.beats.accept(beat.seq)
    if order is not Order.NEXT and order is not Order.FIRST:
        effects.append(Count("heartbeat", order.value))
        if order is not Order.GAP:
            return effects
    record.beat_sent_ns, record.beat_at_ns = beat.sent_ns, now_ns
    if record.clock.on_wall_clock(beat.utc_ns, beat.sent_ns):
        effects.append(Count("clock", "wall_step"))
        for stream in record.streams.values():
            stream.distrust_report()
    if beat.encode_ms:
        record.encode_ms = beat.encode_ms
    record.drive_echo = beat.drive
    unheard_ns = None
    if beat.echo is not None:
        unheard_ns = beat.sent_ns - beat.echo.received_ns
        problem = record.clock.on_exchange(
            beat.echo.sent_ns, beat.echo.received_ns, beat.sent_ns, now_ns
        )
        if problem:
            effects.append(Count("clock", problem))
    was_up = record.link.state in (LinkState.ONLINE, LinkState.DEGRADED)
    if record.link.on_heartbeat(now_ns, unheard_ns):
        if not was_up:
            record.telemetry_expected_ns = now_ns
        effects += watch_vehicle(fleet, record, now_ns)
        effects += supervise.on_link(fleet, record, now_ns)
    effects.append(record.show)
    return effects


def on_telemetry(fleet: Fleet, event: TelemetryReceived, now_ns: int) -> list[AnyEffect]:
    """Where it is; anything but the newest is dropped and counted. The hot path."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [UNKNOWN]
    message = event.message
    effects: list[AnyEffect]
    if message.session_id == record.session_id:
        effects = [record.show]
    else:
        entered = sessions.enter(fleet, record, message.session_id, now_ns)
        if entered is None:
            return [OLD_SESSION]
        effects = entered
    order = record.telemetry_order.accept(message.seq)
    if order is not Order.NEXT and order is not Order.FIRST:
        effects.append(Count("telemetry", order.value))
        if order is not Order.GAP:
            return effects
    record.telemetry = message
    record.telemetry_at_ns = now_ns
    offset = record.clock.offset(now_ns)
    if offset is not None and message.sent_ns + offset.at_ns > now_ns + offset.uncertainty_ns:
        effects.append(Count("telemetry", "future"))
    if abs(message.speed_mps) < MOVING_MPS:
        record.moving_since_ns = None
    elif record.moving_since_ns is None:
        record.moving_since_ns = now_ns
    if record.supervised.segments:
        effects += supervise.on_moved(fleet, record, now_ns)
    if record.stale:
        effects += watch_vehicle(fleet, record, now_ns)
    return effects


def on_state(fleet: Fleet, event: StateReceived, now_ns: int) -> list[AnyEffect]:
    """What it does. A retained state is old news: shown, but without a time."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [UNKNOWN]
    message = event.message
    if event.retained:
        if record.state_at_ns is not None:
            return []
        if record.session_id not in ("", message.session_id):
            return [Count("state", "retained_old_session")]
        record.state = message
        return [record.show]
    effects = sessions.enter(fleet, record, message.session_id, now_ns)
    if effects is None:
        return [OLD_SESSION]
    order = record.state_order.accept(message.seq)
    if order is not Order.NEXT and order is not Order.FIRST:
        effects.append(Count("state", order.value))
        if order is not Order.GAP:
            return effects
    record.state = message
    record.state_at_ns = now_ns
    effects.append(record.show)
    effects += authority.on_state(fleet, record, now_ns)
    return effects + watch_conditions(fleet, record, now_ns)


def on_event(fleet: Fleet, event: VehicleEventReceived, now_ns: int) -> list[AnyEffect]:
    """It asks or reports."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [UNKNOWN]
    effects = sessions.enter(fleet, record, event.message.session_id, now_ns)
    if effects is None:
        return [OLD_SESSION]
    return effects + requests.on_event(fleet, record, event.message, now_ns)


def on_command_result(fleet: Fleet, event: CommandResultReceived, now_ns: int) -> list[AnyEffect]:
    """It answers a command."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [UNKNOWN]
    return commands.on_result(fleet, record, event.message, now_ns)
