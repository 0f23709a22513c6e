"""What a vehicle's own words mean for its alarms: its state, its numbers, its answers.

Only what is said counts. While the link is not online nobody can tell: nothing begins, and
nothing that stands goes away. A vehicle that has said goodbye has none of these.
"""

from __future__ import annotations

from typing import Final

from protocols.operator import CommandState, CommandView, LinkState
from protocols.vehicle import MrmState, Odd, OperationMode
from supervisor.core.catalogue import (
    AUDIO_LOST,
    BY_KEY,
    COMMAND_LATE,
    COMMAND_REFUSED,
    ENERGY_LOW,
    GEOFENCE_LEFT,
    MRM_FAILED,
    MRM_OPERATING,
    ODD_EXIT,
    ODD_NEAR_EXIT,
    VEHICLE_STOPPED_IN_LANE,
)
from supervisor.core.corridor import distance_m, near
from supervisor.core.effects import AnyEffect
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.freeze import MOVING_MPS

ENERGY_BACK: Final = 0.05
"""It is low no more when it is so much above the limit."""
SILENT_NS: Final = 2_000_000_000
SHOWN_NS: Final = 30_000_000_000
"""A command that went wrong is a condition for so long after the last one."""
SEARCH_NS: Final = 2_000_000_000
"""The whole route is searched at most this often."""

_OF_STATE: Final = (ODD_NEAR_EXIT, ODD_EXIT, MRM_OPERATING, MRM_FAILED)
_OF_NUMBERS: Final = (ENERGY_LOW, GEOFENCE_LEFT, VEHICLE_STOPPED_IN_LANE)


def watch_conditions(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Bring the alarms about the vehicle itself up to date; twice a second, and at once when
    its state changes."""
    alarms, name, link = fleet.alarms, record.name_text, record.link.state
    effects = _commands(fleet, record, now_ns)
    if link is LinkState.OFFLINE:
        for key in (*_OF_STATE, *_OF_NUMBERS, AUDIO_LOST):
            effects += alarms.set(key, name, False, now_ns)
        return effects
    if link is not LinkState.ONLINE:
        for key in (*_OF_STATE, *_OF_NUMBERS, AUDIO_LOST):
            alarms.hold(key, name)
        return effects
    state = record.state
    if state is not None and record.state_at_ns is not None:
        for key, there in (
            (ODD_NEAR_EXIT, state.odd is Odd.NEAR_EXIT),
            (ODD_EXIT, state.odd is Odd.OUTSIDE),
            (MRM_OPERATING, state.mrm is MrmState.MRM_OPERATING),
            (MRM_FAILED, state.mrm is MrmState.MRM_FAILED),
        ):
            effects += alarms.set(key, name, there, now_ns, state.reason)
    effects += alarms.set(AUDIO_LOST, name, _is_silent(record, now_ns), now_ns)
    return effects + _numbers(fleet, record, now_ns)


def on_command_ended(
    fleet: Fleet, record: VehicleRecord, command: CommandView, by_vehicle: bool, now_ns: int
) -> list[AnyEffect]:
    """A command got no answer, or the vehicle's refusal. The hub's own refusal is no alarm:
    whoever asked has been told.

    Args:
        by_vehicle: It was the vehicle that refused.
    """
    if command.state is CommandState.UNCONFIRMED:
        key, detail = COMMAND_LATE, command.type
    elif command.state is CommandState.REFUSED and by_vehicle:
        key, detail = COMMAND_REFUSED, f"{command.type}: {command.reason}"
    else:
        return []
    record.command_troubles[key] = now_ns
    return fleet.alarms.raise_again(key, record.name_text, now_ns, detail)


def _commands(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    effects: list[AnyEffect] = []
    for key, at_ns in list(record.command_troubles.items()):
        if now_ns - at_ns >= SHOWN_NS:
            del record.command_troubles[key]
            effects += fleet.alarms.set(key, record.name_text, False, now_ns)
    return effects


def _is_silent(record: VehicleRecord, now_ns: int) -> bool:
    """Return whether sound is promised, video comes, and no sound does."""
    if record.factsheet is None or not record.factsheet.audio or not record.media_session:
        return False
    due_ns = record.media_expected_ns
    if due_ns is None or now_ns < due_ns:
        return False
    heard = [
        stream.last_packet_ns
        for stream in record.streams.values()
        if stream.sample.kind == "audio" and stream.last_packet_ns is not None
    ]
    return not heard or now_ns - max(heard) > SILENT_NS


def _numbers(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    alarms, name, message = fleet.alarms, record.name_text, record.telemetry
    if message is None or record.stale:
        for key in _OF_NUMBERS:
            alarms.hold(key, name)
        return []
    effects: list[AnyEffect] = []
    if message.energy is not None:
        limit = fleet.config.energy_low
        if alarms.is_active(ENERGY_LOW, name):
            limit += ENERGY_BACK
        text = f"{message.energy:.0%}"
        effects += alarms.set(ENERGY_LOW, name, message.energy < limit, now_ns, text)
    off_m = _off_route_m(fleet, record, now_ns)
    if off_m is not None:
        left = off_m > fleet.config.geofence_m
        effects += alarms.set(GEOFENCE_LEFT, name, left, now_ns, f"{off_m:.0f} m")
    if record.kind in BY_KEY[VEHICLE_STOPPED_IN_LANE].kinds:
        stands = (
            message.mode is OperationMode.AUTONOMOUS
            and abs(message.speed_mps) < MOVING_MPS
            and record.state is not None
            and not record.state.reason
            and not record.state.doors_open
        )
        effects += alarms.set(VEHICLE_STOPPED_IN_LANE, name, stands, now_ns)
    return effects


def _off_route_m(fleet: Fleet, record: VehicleRecord, now_ns: int) -> float | None:
    """Return how far it is from its route; None: it has none, or it is not known now."""
    message = record.telemetry
    route = [] if record.factsheet is None else record.factsheet.route
    if message is None or len(route) < 2:
        return None
    place = (message.longitude, message.latitude)
    legs = len(route) - 1
    off_m, leg = distance_m(route, place, near(record.route_leg, legs))
    if off_m > fleet.config.geofence_m:
        if now_ns < record.route_search_ns:
            return None  # as it was
        record.route_search_ns = now_ns + SEARCH_NS
        off_m, leg = distance_m(route, place, range(legs))
    record.route_leg = leg
    return off_m
