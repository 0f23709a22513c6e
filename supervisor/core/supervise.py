"""From verdicts to what follows: look, judge, announce, act. Called for one vehicle.

samples → verdicts → ceiling → ladder → sizes, speed limit, drive authority, manoeuvre
                                 ↑
closed loop → governor ──────────┘ (a limit of its own, whatever the ladder says)
"""

from __future__ import annotations

from typing import Final, Literal

from protocols.authority import ControlState
from protocols.operator import LinkState, Refusal, Role
from protocols.supervision import Indicator, LimitSource, Purpose, Rung, Verdict, Why
from protocols.vehicle import LimitSpeed, MinimalRisk, OperationMode
from supervisor.core import sampling
from supervisor.core.conditions import watch_conditions
from supervisor.core.effects import (
    AnyEffect,
    Count,
    Observe,
    PreferLayers,
    Refuse,
    ShowSupervision,
    WithdrawDrive,
)
from supervisor.core.events import LimitAsked
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.governor import KMH, allowed_kmh
from supervisor.core.ledger import Facts
from supervisor.core.objectives import PURPOSES, RUNGS
from supervisor.core.supervised import LOOK_NS, SHOW_NS
from supervisor.core.verdicts import ObjectiveTrack
from supervisor.core.watch import watch_quality

LIMIT: Final = "limit_speed"
MANOEUVRE: Final = "minimal_risk"
NEVER: Final = float("inf")
MAY_LIMIT: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
_DRIVES: Final = PURPOSES.index(Purpose.DRIVE)
_WITHDRAWS: Final = RUNGS.index(Rung.WITHDRAW_DRIVE)
DRIVE_HOLD_NS: Final = 3_000_000_000
"""Driving is offered when nothing has spoken against it for so long."""


def on_time(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Look at one vehicle; ten times a second, safe early, late or twice."""
    kept = record.supervised
    record.loop.on_time(now_ns)
    effects: list[AnyEffect] = []
    changed = False
    alarmed = sampling.sample(fleet, record, now_ns)
    frozen = sampling.frozen(fleet, record, now_ns)
    if frozen != kept.frozen:
        kept.frozen = frozen
        changed = True
    due_ns = kept.ladder.next_ns
    if now_ns >= kept.look_ns:
        kept.look_ns = now_ns + LOOK_NS
        changed |= _look(fleet, record, now_ns, effects)
        changed |= enforce(fleet, record, now_ns, effects)
        effects += watch_quality(fleet, record, now_ns)
        effects += watch_conditions(fleet, record, now_ns)
    elif alarmed or (due_ns is not None and now_ns >= due_ns):
        changed |= _judge(fleet, record, alarmed, now_ns, effects)
        changed |= enforce(fleet, record, now_ns, effects)
    if changed or now_ns >= kept.show_ns:
        kept.show_ns = now_ns + SHOW_NS
        effects.append(ShowSupervision(record.vehicle_id))
    return effects


def on_report(
    fleet: Fleet, record: VehicleRecord, ages: list[float], bar: float, now_ns: int
) -> list[AnyEffect]:
    """The console that counts has said how old the pictures were: judge at once."""
    by = record.supervised.by_indicator
    judged: list[ObjectiveTrack] = []
    if ages:
        for track in by.get(Indicator.G2G, ()):
            track.add_all(ages, bar, now_ns)
            judged.append(track)
    whole = record.loop.closed(now_ns)
    if whole is not None:
        for track in by.get(Indicator.CLOSED_LOOP, ()):
            track.add(whole.ms, whole.uncertainty_ms, now_ns)
            judged.append(track)
    effects: list[AnyEffect] = []
    if whole is not None:
        effects.append(Observe("closed_loop", whole.ms / 1e3, record.place))
    return _after_samples(fleet, record, judged, now_ns, effects)


def on_command_delay(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """A command was applied: judge what depends on its delay."""
    command = record.loop.command(now_ns)
    tracks = record.supervised.by_indicator.get(Indicator.COMMAND_DELAY, ())
    if command is None or not tracks:
        return []
    for track in tracks:
        track.add(command.ms, command.uncertainty_ms, now_ns)
    return _after_samples(fleet, record, tracks, now_ns, [])


def on_link(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """The state of its link changed: what depends on it does not wait for the next look."""
    return _after_samples(fleet, record, (), now_ns, [])


def on_moved(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """New telemetry: is it on another road segment? Only for sites that have some."""
    kept, message = record.supervised, record.telemetry
    if message is None:
        return []
    segment = kept.locate(message.longitude, message.latitude)
    if segment == kept.segment:
        return []
    kept.enter(segment)
    effects: list[AnyEffect] = []
    _look(fleet, record, now_ns, effects)
    enforce(fleet, record, now_ns, effects)
    effects.append(ShowSupervision(record.vehicle_id))
    return effects


def on_limit_asked(fleet: Fleet, event: LimitAsked, now_ns: int) -> list[AnyEffect]:
    """A person limits a vehicle's speed, or takes a person's limit back.

    The lowest of all limits holds; a limit of the governor or the ladder is not his to
    take back.
    """
    record, who = fleet.vehicles.get(event.vehicle_id), event.operator
    if record is None or who.role not in MAY_LIMIT:
        reason = "unknown_vehicle" if record is None else "role"
        detail = f"a {who.role} may not limit the speed" if record else str(event.vehicle_id)
        refusal = Refusal(f"limit {event.vehicle_id}", reason, detail)
        return [Refuse(who.session, refusal), Count("command_refused", reason)]
    kept = record.supervised
    facts: Facts = {
        "kmh": None if event.kmh is None else round(event.kmh, 2),
        "before_kmh": None if kept.operator_kmh is None else round(kept.operator_kmh, 2),
        "before_by": kept.operator_by,
        "at_ns": now_ns,
    }
    kept.operator_kmh = event.kmh
    kept.operator_by = "" if event.kmh is None else who.account
    effects: list[AnyEffect] = [
        fleet.ledger.record("limit.asked", who.account, record.name_text, facts)
    ]
    enforce(fleet, record, now_ns, effects)
    effects.append(ShowSupervision(record.vehicle_id))
    return effects


def purpose_of(record: VehicleRecord) -> Purpose:
    """Return what a vehicle is used for now: by who has control of it, by its own word and
    by what it asks."""
    mode = None
    control = record.control.view
    if control.state in (ControlState.CONFIRMING, ControlState.HELD) and (
        control.purpose is Purpose.DRIVE
    ):
        return Purpose.DRIVE
    if record.telemetry is not None:
        mode = record.telemetry.mode
    if mode is OperationMode.REMOTE_DRIVE:
        return Purpose.DRIVE
    if record.state is not None and record.state.mode is OperationMode.REMOTE_DRIVE:
        return Purpose.DRIVE
    if control.state is ControlState.HELD and control.purpose is Purpose.ASSIST:
        return Purpose.ASSIST
    if mode is OperationMode.REMOTE_ASSIST or record.open_requests:
        return Purpose.ASSIST
    return Purpose.MONITOR


def ceiling(record: VehicleRecord) -> tuple[Rung, str]:
    """Return how far the ladder may climb now, and because of which objective."""
    kept = record.supervised
    in_use = PURPOSES.index(kept.purpose)
    highest, why = 0, ""
    for track in kept.in_force:
        if track.height <= highest or track.purpose_rank > in_use:
            continue
        counts = track.verdict is Verdict.VIOLATED or (
            # Who drives must know; who watches is only told that nobody knows.
            track.verdict is Verdict.UNKNOWN
            and track.objective.purpose is Purpose.DRIVE
            and not _not_yet(track)
        )
        if counts:
            highest, why = track.height, track.objective.key
    return RUNGS[highest], why


def drive_reasons(fleet: Fleet, record: VehicleRecord, now_ns: int) -> tuple[str, ...]:
    """Return why remote driving may not be offered now; empty: it may."""
    kept = record.supervised
    found = []
    if record.link.state is not LinkState.ONLINE:
        found.append("one_way" if record.link.why == "one_way" else "link")
    if not record.clock.is_trusted(now_ns):
        found.append("clock")
    if not _knows(record, LIMIT):
        found.append("unsupported")
    if not record.loop.is_closed(now_ns):
        found.append("closed_loop")
    if kept.ladder.reaches(Rung.WITHDRAW_DRIVE):
        found.append("ladder")
    for track in kept.in_force:
        if track.purpose_rank != _DRIVES or track.height < _WITHDRAWS or _not_yet(track):
            continue
        if track.verdict is Verdict.VIOLATED or track.verdict is Verdict.UNKNOWN:
            found.append(f"objective:{track.objective.key}")
    return tuple(found)


def _not_yet(track: ObjectiveTrack) -> bool:
    """Return whether an unknown is nothing but young: judged only while its purpose is in
    use, and either it is not, or what was measured since is good."""
    if track.verdict is not Verdict.UNKNOWN:
        return False
    young = track.why is Why.RECOVERING and track.objective.in_use_only
    return track.why is Why.NOT_IN_USE or young


def enforce(fleet: Fleet, record: VehicleRecord, now_ns: int, effects: list[AnyEffect]) -> bool:
    """Announce and take rungs, set the limit; return whether anything to show changed."""
    kept = record.supervised
    ladder = kept.ladder
    changed = _announce(fleet, record, now_ns, effects)
    if ladder.on_time(now_ns) is not None:
        changed = True
        effects.append(_ladder_record(fleet, record, "ladder.taken", now_ns))
        effects.append(Count("ladder", str(ladder.rung)))
        effects += manoeuvre(fleet, record, now_ns)
        _announce(fleet, record, now_ns, effects)
    changed |= _sizes(record, effects)
    changed |= _limit(fleet, record, now_ns, effects)
    effects += record.limit_order.on_time(fleet, record, now_ns)
    # Beside a person's order it waits for what comes of that, unless objectives ask for it.
    waits = bool(record.in_flight) and not ladder.reaches(Rung.MINIMAL_RISK)
    if record.manoeuvre_order.body is not None and not waits:
        effects += record.manoeuvre_order.on_time(fleet, record, now_ns)
    reasons = drive_reasons(fleet, record, now_ns)
    if reasons:
        kept.drive_clear_ns = None
    elif kept.drive_reasons:  # withdrawn at once, offered again after a hold
        if kept.drive_clear_ns is None:
            kept.drive_clear_ns = now_ns
        if now_ns - kept.drive_clear_ns < DRIVE_HOLD_NS:
            reasons = ("recovering",)
    if reasons != kept.drive_reasons:
        if bool(reasons) != bool(kept.drive_reasons):
            facts: Facts = {"reasons": ",".join(reasons), "at_ns": now_ns}
            kind = "drive.withdrawn" if reasons else "drive.available"
            effects.append(fleet.ledger.record(kind, "hub", record.name_text, facts))
            effects.append(Count("drive", "withdrawn" if reasons else "available"))
            effects.append(WithdrawDrive(record.vehicle_id, reasons))
        kept.drive_reasons = reasons
        changed = True
    return changed


def _announce(fleet: Fleet, record: VehicleRecord, now_ns: int, effects: list[AnyEffect]) -> bool:
    ladder = record.supervised.ladder
    before = ladder.next_rung
    changed = ladder.on_ceiling(*ceiling(record), now_ns)
    if ladder.next_rung is not None and ladder.next_rung is not before:
        effects.append(_ladder_record(fleet, record, "ladder.announced", now_ns))
    return changed


def _after_samples(
    fleet: Fleet,
    record: VehicleRecord,
    tracks: list[ObjectiveTrack] | tuple[ObjectiveTrack, ...],
    now_ns: int,
    effects: list[AnyEffect],
) -> list[AnyEffect]:
    changed = _judge(fleet, record, tracks, now_ns, effects)
    changed |= enforce(fleet, record, now_ns, effects)
    if changed:
        effects.append(ShowSupervision(record.vehicle_id))
    return effects


def _look(fleet: Fleet, record: VehicleRecord, now_ns: int, effects: list[AnyEffect]) -> bool:
    kept = record.supervised
    purpose = purpose_of(record)
    changed = purpose is not kept.purpose
    if changed:
        kept.use(purpose, now_ns)
    kept.poor = sampling.poor(fleet, record, now_ns)
    return _judge(fleet, record, kept.in_force, now_ns, effects) or changed


def _judge(
    fleet: Fleet,
    record: VehicleRecord,
    tracks: list[ObjectiveTrack] | tuple[ObjectiveTrack, ...],
    now_ns: int,
    effects: list[AnyEffect],
) -> bool:
    changed = False
    here = record.supervised.here
    for track in tracks:
        before = track.verdict
        if not track.judge(now_ns, sampling.missing(record, track, now_ns)):
            continue
        if track.objective.key not in here:
            continue
        changed = True
        effects.append(Count("verdict", str(track.verdict)))
        if track.objective.enforce is not Rung.NONE:
            effects.append(
                fleet.ledger.record(
                    "objective",
                    "hub",
                    record.name_text,
                    {
                        "objective": track.objective.key,
                        "before": str(before),
                        "verdict": str(track.verdict),
                        "why": str(track.why),
                        "value": track.value,
                        "uncertainty": _finite(track.uncertainty),
                        "limit": track.objective.limit,
                        "segment": record.supervised.segment,
                        "at_ns": now_ns,
                    },
                )
            )
    return changed


def _sizes(record: VehicleRecord, effects: list[AnyEffect]) -> bool:
    kept = record.supervised
    focus: Literal["high", "auto", "low"] | None = None
    others: Literal["high", "auto", "low"] | None = None
    focused = ""
    if kept.ladder.reaches(Rung.PROTECT_FOCUS):
        focus, others = "high", "auto"
        if kept.ladder.reaches(Rung.SMALLER_LAYERS):
            others = "low"
        watcher = record.loop.counting()
        focused = "" if watcher is None else watcher.focused_camera()
        if not focused and record.factsheet is not None and record.factsheet.cameras:
            focused = record.factsheet.cameras[0].name
    prefers = (focused, focus or "", others or "")
    if prefers == kept.prefers:
        return False
    kept.prefers = prefers
    effects.append(PreferLayers(record.vehicle_id, focused, focus, others))
    return True


def _limit(fleet: Fleet, record: VehicleRecord, now_ns: int, effects: list[AnyEffect]) -> bool:
    """Decide how fast it may go; a decision is recorded with all it was made from."""
    kept, config, factsheet = record.supervised, fleet.config.governor, record.factsheet
    loop = record.loop.closed(now_ns)
    rule = None
    if loop is not None and loop.ms + loop.uncertainty_ms > 0.0:
        rule = allowed_kmh(config.distance_m, loop.ms, loop.uncertainty_ms)
    kept.allowed_kmh = rule
    if factsheet is None or LIMIT not in factsheet.commands:
        return False
    most_kmh = factsheet.max_speed_mps * KMH
    by_ladder = kept.ladder.reaches(Rung.SPEED_LIMIT)
    source = kept.limit_source
    if kept.purpose in config.purposes or by_ladder:
        if rule is not None:
            allowed = rule
            source = LimitSource.LADDER if by_ladder else LimitSource.GOVERNOR
        else:
            allowed = 0.0 if kept.purpose is Purpose.DRIVE else config.unknown_kmh
            source = LimitSource.UNKNOWN_DELAY
    else:
        allowed = NEVER
    if kept.operator_kmh is not None and kept.operator_kmh < allowed:
        allowed, source = kept.operator_kmh, LimitSource.OPERATOR
    before = kept.governor.kmh
    kmh = kept.governor.limit(allowed, most_kmh, now_ns)
    if kmh >= most_kmh:
        source = LimitSource.VEHICLE
    if kmh == before and record.limit_order.body is not None:
        changed = source is not kept.limit_source
        kept.limit_source = source
        return changed
    kept.limit_source = source
    kept.limit_why = ""
    if source is LimitSource.OPERATOR:
        kept.limit_why = kept.operator_by
    elif by_ladder:
        kept.limit_why = kept.ladder.objective
    g2g, command = record.loop.g2g(now_ns), record.loop.command(now_ns)
    facts: Facts = {
        "kmh": round(kmh, 2),
        "before_kmh": None if before is None else round(before, 2),
        "source": str(source),
        "why": kept.limit_why,
        "purpose": str(kept.purpose),
        "rung": str(kept.ladder.rung),
        "allowed_kmh": None if rule is None else round(rule, 2),
        "distance_m": config.distance_m,
        "loop_ms": None if loop is None else round(loop.ms, 2),
        "loop_uncertainty_ms": None if loop is None else round(loop.uncertainty_ms, 2),
        "g2g_ms": None if g2g is None else round(g2g[1].ms, 2),
        "g2g_uncertainty_ms": None if g2g is None else round(g2g[1].uncertainty_ms, 2),
        "camera": "" if g2g is None else g2g[0],
        "command_ms": None if command is None else round(command.ms, 2),
        "command_uncertainty_ms": None if command is None else round(command.uncertainty_ms, 2),
    }
    body = LimitSpeed(kmh / KMH, int(config.hold_s * 1_000), str(source))
    effects += record.limit_order.decide(fleet, record, body, facts, now_ns)
    effects.append(Count("speed_limit", str(source)))
    return True


def manoeuvre(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Order the minimal-risk manoeuvre while the ladder or an unanswered request wants it."""
    kept, order = record.supervised, record.manoeuvre_order
    by_ladder = kept.ladder.reaches(Rung.MINIMAL_RISK)
    if not by_ladder and not record.unanswered:
        order.withdraw()
        return []
    if order.body is not None or not _knows(record, MANOEUVRE):
        return []
    why = f"objective:{kept.ladder.objective}" if by_ladder else f"unanswered:{record.unanswered}"
    facts: Facts = {"why": why, "purpose": str(kept.purpose)}
    return order.decide(fleet, record, MinimalRisk(why[:64]), facts, now_ns)


def _knows(record: VehicleRecord, command: str) -> bool:
    return record.factsheet is not None and command in record.factsheet.commands


def _ladder_record(fleet: Fleet, record: VehicleRecord, kind: str, now_ns: int) -> AnyEffect:
    ladder = record.supervised.ladder
    return fleet.ledger.record(
        kind,
        "hub",
        record.name_text,
        {
            "rung": str(ladder.rung),
            "next_rung": None if ladder.next_rung is None else str(ladder.next_rung),
            "next_at_ns": ladder.next_ns,
            "objective": ladder.objective,
            "purpose": str(record.supervised.purpose),
            "at_ns": now_ns,
        },
    )


def _finite(value: float | None) -> float | None:
    return None if value is None or value == NEVER else value
