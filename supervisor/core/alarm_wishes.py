"""What people do with alarms: acknowledge, shelve, take out of service.

Shelving is for an operator who has understood a nuisance and wants it back later; it needs
his reason and always ends (8 h at most). Taking out of service is for whoever repairs the
sensor, or answers for the post; it lasts until somebody takes it back. Urgent alarms are
never shelved, and no row that says so.
"""

from __future__ import annotations

from typing import Final

from protocols.alarms import LONGEST_SHELF_S, AlarmState
from protocols.operator import Role
from supervisor.core import commands
from supervisor.core.alarm import HUB, Alarm
from supervisor.core.catalogue import Priority
from supervisor.core.command_records import refuse
from supervisor.core.effects import AnyEffect, Count
from supervisor.core.events import (
    AlarmAcknowledged,
    AlarmServiceSet,
    AlarmShelved,
    AlarmUnshelved,
    Operator,
)
from supervisor.core.fleet import Fleet

MAY_SHELVE: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
MAY_SERVE: Final = frozenset({Role.MAINTAINER, Role.SUPERVISOR})


def on_acknowledged(fleet: Fleet, event: AlarmAcknowledged, now_ns: int) -> list[AnyEffect]:
    """Somebody who may act has seen an alarm, or a group of them."""
    who = event.operator
    if who.role not in commands.MAY_ACT:
        return _refuse(who, event.alarm_id, "role", f"a {who.role} may not acknowledge alarms")
    effects = fleet.alarms.acknowledge(event.alarm_id, who.account, now_ns)
    if effects is None:
        return _refuse(who, event.alarm_id, "unknown_alarm", "no such alarm is open")
    return effects


def on_shelved(fleet: Fleet, event: AlarmShelved, now_ns: int) -> list[AnyEffect]:
    """Put an alarm aside; one that is shelved already gets a new reason and a new end."""
    who, ref = event.operator, event.alarm_id
    if who.role not in MAY_SHELVE:
        return _refuse(who, ref, "role", f"a {who.role} may not shelve alarms")
    alarm = fleet.alarms.find(ref)
    if alarm is None or alarm.state in (AlarmState.NORMAL, AlarmState.OUT_OF_SERVICE):
        return _refuse(who, ref, "unknown_alarm", "no such alarm is open")
    if alarm.spec.priority is Priority.URGENT or not alarm.spec.shelvable:
        return _refuse(who, ref, "not_shelvable", "this alarm cannot be put aside")
    if not event.reason.strip() or not 0 < event.for_s <= LONGEST_SHELF_S:
        return _refuse(who, ref, "no_reason", "a reason, and an end within 8 h, are needed")
    until_ns = now_ns + int(event.for_s * 1e9)
    return fleet.alarms.shelve(alarm, now_ns, who.account, event.reason.strip(), until_ns)


def on_unshelved(fleet: Fleet, event: AlarmUnshelved, now_ns: int) -> list[AnyEffect]:
    """Take an alarm from the shelf before its time."""
    who, ref = event.operator, event.alarm_id
    if who.role not in MAY_SHELVE:
        return _refuse(who, ref, "role", f"a {who.role} may not unshelve alarms")
    alarm = fleet.alarms.find(ref)
    if alarm is None or alarm.state is not AlarmState.SHELVED:
        return _refuse(who, ref, "unknown_alarm", "no such alarm is shelved")
    return fleet.alarms.put_back(alarm, now_ns, who.account)


def on_service_set(fleet: Fleet, event: AlarmServiceSet, now_ns: int) -> list[AnyEffect]:
    """Take an alarm out of service, or back into it."""
    who, ref = event.operator, event.alarm_id
    if who.role not in MAY_SERVE:
        return _refuse(who, ref, "role", f"a {who.role} may not take alarms out of service")
    if not event.reason.strip():
        return _refuse(who, ref, "no_reason", "a reason is needed")
    if event.in_service:
        alarm = fleet.alarms.find(ref)
        if alarm is None or alarm.state is not AlarmState.OUT_OF_SERVICE:
            return _refuse(who, ref, "unknown_alarm", "no such alarm is out of service")
        return fleet.alarms.put_back(alarm, now_ns, who.account)
    alarm = _named(fleet, ref)
    if alarm is None:
        return _refuse(who, ref, "unknown_alarm", "no such alarm, or no such vehicle")
    if alarm.state is AlarmState.OUT_OF_SERVICE:
        return _refuse(who, ref, "unknown_alarm", "it is out of service already")
    return fleet.alarms.take_out(alarm, now_ns, who.account, event.reason.strip())


def _named(fleet: Fleet, alarm_id: str) -> Alarm | None:
    """Return the alarm of an id, also one that has never been raised."""
    key, _, vehicle = alarm_id.partition("@")
    spec = fleet.alarms.specs.get(key)
    if spec is None or spec.waits_for:
        return None
    found = fleet.alarms.find(alarm_id)
    if found is not None:
        return found
    if vehicle == HUB:
        return fleet.alarms.make(key, "")
    return fleet.alarms.make(key, vehicle) if vehicle in fleet.by_name else None


def _refuse(who: Operator, ref: str, reason: str, detail: str) -> list[AnyEffect]:
    return [refuse(who, ref, reason, detail), Count("alarm", "refused")]
