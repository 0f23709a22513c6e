"""What operators do besides commands: come, go, acknowledge, and see."""

from __future__ import annotations

import math
from typing import Final

from protocols.operator import PresentationReport
from supervisor.core import commands
from supervisor.core.effects import AnyEffect, Count, Observe
from supervisor.core.events import (
    AlarmAcknowledged,
    CommandAsked,
    OperatorConnected,
    OperatorDisconnected,
    PresentationReported,
)
from supervisor.core.fleet import Fleet
from supervisor.core.ledger import Facts

LONGEST_AGE_MS: Final = 3_600_000.0


def on_connected(fleet: Fleet, event: OperatorConnected, now_ns: int) -> list[AnyEffect]:
    """A console is there."""
    who = event.operator
    fleet.operators[who.session] = who
    facts: Facts = {"session": who.session, "role": str(who.role), "at_ns": now_ns}
    return [fleet.ledger.record("operator.connected", who.account, who.account, facts)]


def on_disconnected(fleet: Fleet, event: OperatorDisconnected, now_ns: int) -> list[AnyEffect]:
    """A console is gone, and what it saw with it."""
    who = event.operator
    fleet.operators.pop(who.session, None)
    fleet.presentations.pop(who.session, None)
    facts: Facts = {"session": who.session, "role": str(who.role), "at_ns": now_ns}
    return [fleet.ledger.record("operator.disconnected", who.account, who.account, facts)]


def on_command_asked(fleet: Fleet, event: CommandAsked, now_ns: int) -> list[AnyEffect]:
    """A key or a button."""
    return commands.on_asked(fleet, fleet.vehicles.get(event.vehicle_id), event, now_ns)


def on_acknowledged(fleet: Fleet, event: AlarmAcknowledged, now_ns: int) -> list[AnyEffect]:
    """Somebody who may act has seen an alarm."""
    who = event.operator
    if who.role not in commands.MAY_ACT:
        detail = f"a {who.role} may not acknowledge alarms"
        return [
            commands.refuse(who, event.alarm_id, "role", detail),
            Count("alarm", "refused"),
        ]
    effects = fleet.alarms.acknowledge(event.alarm_id, who.account, now_ns)
    if effects is None:
        return [
            commands.refuse(who, event.alarm_id, "unknown_alarm", "no such alarm is open"),
            Count("alarm", "refused"),
        ]
    return effects


def on_presented(fleet: Fleet, event: PresentationReported, now_ns: int) -> list[AnyEffect]:
    """What one operator really saw during the last second."""
    effects: list[AnyEffect] = []
    if event.operator.session in fleet.operators:
        fleet.presentations[event.operator.session] = event.report
    names = {record.name_text for record in fleet.vehicles.values()}
    for tile in event.report.tiles:
        if tile.vehicle not in names:
            effects.append(Count("presentation", "unknown_vehicle"))
        elif not _is_plausible(tile.still_ms, tile.age_ms, tile.uncertainty_ms):
            effects.append(Count("presentation", "implausible"))
        else:
            effects.append(Count("presentation", "accepted"))
            if tile.age_ms is not None and tile.frames:
                effects.append(Observe("picture_age", tile.age_ms / 1_000))
    return effects


def last_report(fleet: Fleet, session: str) -> PresentationReport | None:
    """Return what a console last said it shows."""
    return fleet.presentations.get(session)


def _is_plausible(*times_ms: float | None) -> bool:
    return all(ms is None or (math.isfinite(ms) and 0.0 <= ms <= LONGEST_AGE_MS) for ms in times_ms)
