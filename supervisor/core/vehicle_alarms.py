"""Alarms that a vehicle raises itself: a button in the cabin, a collision, gas.

A vehicle may raise the rows of the catalogue that are its own (`source` vehicle), of its
kind; anything else is counted and changes nothing. Its events are recorded before they are
acknowledged, like every event (`requests`), and only the newest word on each row counts:
events may arrive in another order than they were sent.

What the last session of a vehicle's client raised is over when a new one begins: the
vehicle says again what still is so.
"""

from __future__ import annotations

from protocols.vehicle import VehicleEvent
from supervisor.core.catalogue import BY_KEY, Source
from supervisor.core.effects import AnyEffect, Count
from supervisor.core.fleet import Fleet, VehicleRecord


def on_alarm(
    fleet: Fleet, record: VehicleRecord, event: VehicleEvent, now_ns: int
) -> list[AnyEffect]:
    """Take in one event of kind `alarm`, seen for the first time."""
    spec = BY_KEY.get(event.alarm)
    if spec is None:
        return [Count("vehicle_event", "unknown_alarm")]
    if spec.source is not Source.VEHICLE:
        return [Count("vehicle_event", "not_a_vehicles_alarm")]
    if spec.kinds and record.kind not in spec.kinds:
        return [Count("vehicle_event", "alarm_of_another_kind")]
    newest_ns = record.alarm_said_ns.get(spec.key, -1)
    if event.sent_ns < newest_ns:
        return [Count("vehicle_event", "late_alarm")]
    record.alarm_said_ns[spec.key] = event.sent_ns
    name, detail = record.name_text, event.text or event.reason
    if not event.active:
        return fleet.alarms.set(spec.key, name, False, now_ns)
    fleet.alarms.make(spec.key, name).origin = event.session_id
    return fleet.alarms.raise_again(spec.key, name, now_ns, detail)


def on_session(
    fleet: Fleet, record: VehicleRecord, session_id: str, now_ns: int
) -> list[AnyEffect]:
    """The vehicle's client speaks in a new session: what an older one raised is over."""
    record.alarm_said_ns.clear()
    effects: list[AnyEffect] = []
    for spec in BY_KEY.values():
        if spec.source is Source.VEHICLE:
            alarm = fleet.alarms.get(spec.key, record.name_text)
            if alarm is not None and alarm.condition and alarm.origin != session_id:
                effects += fleet.alarms.set(spec.key, record.name_text, False, now_ns)
    return effects
