"""What operators do besides commands: come, go, acknowledge, and see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocols.operator import PresentationReport, Presented, Role
from supervisor.core import authority, commands, coverage, seats, supervise
from supervisor.core.effects import AnyEffect, Count, Observe
from supervisor.core.events import (
    CommandAsked,
    OperatorConnected,
    OperatorDisconnected,
    PasswordGiven,
    PresentationReported,
    SeatReported,
)
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.ledger import Facts
from supervisor.core.loop import LONGEST_MS, ages_of, fault_of

WATCHERS: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
"""Whose post it is to answer alarms: what is announced to them is counted for them."""


def on_connected(fleet: Fleet, event: OperatorConnected, now_ns: int) -> list[AnyEffect]:
    """A console is there."""
    who = event.operator
    fleet.operators[who.session] = who
    if who.role in WATCHERS:
        fleet.alarms.load.on_duty(who.account, now_ns)
    facts: Facts = {"session": who.session, "role": str(who.role), "at_ns": now_ns}
    record = fleet.ledger.record("operator.connected", who.account, who.account, facts)
    return [record, *seats.on_connected(fleet, who, now_ns)]


def on_disconnected(fleet: Fleet, event: OperatorDisconnected, now_ns: int) -> list[AnyEffect]:
    """A console is gone, and what it saw with it."""
    who = event.operator
    if fleet.operators.pop(who.session, None) is not None and who.role in WATCHERS:
        fleet.alarms.load.off_duty(who.account, now_ns)
    fleet.presentations.pop(who.session, None)
    _show(fleet, who.session, (), now_ns)
    facts: Facts = {"session": who.session, "role": str(who.role), "at_ns": now_ns}
    effects: list[AnyEffect] = authority.on_seat_gone(fleet, who, now_ns)
    effects += seats.on_disconnected(fleet, who)
    record = fleet.ledger.record("operator.disconnected", who.account, who.account, facts)
    return [*effects, record, *coverage.on_gone(fleet, who.session, now_ns)]


def on_password_given(fleet: Fleet, event: PasswordGiven, now_ns: int) -> list[AnyEffect]:
    """Somebody gave his password once more, rightly or not: that is on record."""
    who = event.operator
    facts: Facts = {"session": who.session, "reason": event.refused, "at_ns": now_ns}
    kind = "password.refused" if event.refused else "password.given"
    return [fleet.ledger.record(kind, who.account, who.account, facts)]


def on_command_asked(fleet: Fleet, event: CommandAsked, now_ns: int) -> list[AnyEffect]:
    """A key or a button."""
    return commands.on_asked(fleet, fleet.vehicles.get(event.vehicle_id), event, now_ns)


def on_seat_reported(fleet: Fleet, event: SeatReported, now_ns: int) -> list[AnyEffect]:
    """A console says whether it can warn, and what it has just lost."""
    effects = seats.on_reported(fleet, event, now_ns)
    return effects + authority.on_seat_reported(fleet, event, now_ns)


def on_presented(fleet: Fleet, event: PresentationReported, now_ns: int) -> list[AnyEffect]:
    """What one operator really saw during the last second.

    A page that is not visible proves nothing, nor does one of somebody who may not act.
    """
    who, report = event.operator, event.report
    effects: list[AnyEffect] = []
    if who.session in fleet.operators:
        fleet.presentations[who.session] = report
    counts = report.visible and who.role in commands.MAY_ACT and who.session in fleet.operators
    shown: dict[str, None] = {}
    for tile in report.tiles:
        record = fleet.by_name.get(tile.vehicle)
        if record is None:
            effects.append(Count("presentation", "unknown_vehicle"))
            continue
        fault = impossible(record, tile, now_ns) or fault_of(tile)
        if fault:
            effects.append(Count("presentation", fault))
            continue
        if counts:
            shown[tile.vehicle] = None
            fault = record.loop.on_tile(who.session, tile, report.rtt_ms, now_ns)
            if fault:
                effects.append(Count("presentation", fault))
                continue
        effects.append(Count("presentation", "accepted"))
        if tile.age_ms is not None and tile.frames:
            effects.append(Observe("picture_age", tile.age_ms / 1_000, record.place))
        for stage in tile.stages:
            if 0.0 <= stage.ms <= LONGEST_MS:
                labels = (str(stage.stage), *record.place)
                effects.append(Observe("picture_stage", stage.ms / 1_000, labels))
        if counts and record.loop.watcher == who.session:
            ages, bar = list(ages_of(tile)), tile.uncertainty_ms or 0.0
            effects += supervise.on_report(fleet, record, ages, bar, now_ns)
    if who.session in fleet.operators:
        _show(fleet, who.session, shown, now_ns)
    if counts:
        sound = [tile for tile in report.tiles if not fault_of(tile)]
        effects += coverage.on_report(fleet, who, sound, now_ns)
    return effects


def impossible(record: VehicleRecord, tile: Presented, now_ns: int) -> str:
    """Return "" or why the hub knows better than this tile.

    A picture is not younger on a screen than it was when it reached the hub: whoever
    says so has a wrong clock, or lies.
    """
    stream = record.streams.get(tile.camera)
    ages = ages_of(tile)
    if not ages:
        return ""
    if stream is None:
        return "unknown_camera"
    arrival = stream.arrival(now_ns)
    if arrival is None:
        return ""
    bar = (tile.uncertainty_ms or 0.0) + arrival.uncertainty_ms
    return "impossible" if min(ages) + bar < arrival.least_ms else ""


def _show(fleet: Fleet, session: str, names: Iterable[str], now_ns: int) -> None:
    """This console shows these vehicles now and no others."""
    shown = tuple(names)
    for name in fleet.shown.pop(session, ()):
        if name not in shown:
            fleet.by_name[name].loop.on_gone(session, now_ns)
    if shown:
        fleet.shown[session] = shown


def last_report(fleet: Fleet, session: str) -> PresentationReport | None:
    """Return what a console last said it shows."""
    return fleet.presentations.get(session)
