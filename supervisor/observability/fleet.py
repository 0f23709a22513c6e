"""Gauges of the fleet and the media workers, read at every scrape.

The vehicle is a label on gauges only, and never an address, account or position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from protocols.alarms import AlarmState
from protocols.authority import ControlState
from protocols.duties import StepState
from protocols.operator import LinkState, PoseView, RequestState, VehicleView
from protocols.supervision import ObjectiveView, Rung, SupervisionView, Verdict
from supervisor.core import coverage, views
from supervisor.core.fleet import Fleet
from supervisor.evidence.journal import Journal
from supervisor.media.pool import WorkerView
from supervisor.observability.exporter import Exporter
from supervisor.vitals import Storage

PRIORITIES = (1, 2, 3)
SAME_SCRAPE_NS = 200_000_000

STEPS = ("routed", "neighbour", "supervisor", "unanswered")

Values = dict[tuple[str, ...], float]
View = TypeVar("View")


def once_a_scrape(
    read: Callable[[int], list[View]], now_ns: Callable[[], int]
) -> Callable[[], list[View]]:
    """Return `read`, called once for all gauges of one scrape: they hold the loop."""
    newest: tuple[int, list[View]] | None = None

    def views_of_now() -> list[View]:
        nonlocal newest
        now = now_ns()
        if newest is None or not 0 < now - newest[0] < SAME_SCRAPE_NS:
            newest = now, read(now)
        return newest[1]

    return views_of_now


def add_fleet_gauges(exporter: Exporter, fleet: Fleet, now_ns: Callable[[], int]) -> None:
    """Have links, ages, clocks, streams, alarms and requests read at every scrape."""
    vehicles = once_a_scrape(lambda now: views.all_vehicles(fleet, now), now_ns)

    def of_vehicles(read: Callable[[VehicleView], float | None]) -> Callable[[], Values]:
        def values() -> Values:
            found = ((view.id, read(view)) for view in vehicles())
            return {(name,): value for name, value in found if value is not None}

        return values

    def of_poses(read: Callable[[PoseView], float | None]) -> Callable[[], Values]:
        return of_vehicles(lambda view: None if view.pose is None else read(view.pose))

    def of_cameras(read: str) -> Values:
        return {
            (view.id, stream.name): float(getattr(stream, read))
            for view in vehicles()
            for stream in view.streams
            if stream.kind == "video"
        }

    def alarms() -> Values:
        found = Counter(alarm.priority for alarm in views.open_alarms(fleet))
        return {(str(priority),): float(found[priority]) for priority in PRIORITIES}

    exporter.add_gauge(
        "vehicle_link_online", of_vehicles(lambda view: float(view.link is LinkState.ONLINE))
    )
    exporter.add_gauge(
        "vehicle_telemetry_age", of_poses(lambda pose: (now_ns() - pose.at_ns) / 1e9)
    )
    exporter.add_gauge("vehicle_speed", of_poses(lambda pose: pose.speed_mps))
    exporter.add_gauge("vehicle_energy", of_poses(lambda pose: pose.energy))
    exporter.add_gauge(
        "vehicle_rsrp", of_poses(lambda pose: None if pose.radio is None else pose.radio.rsrp_dbm)
    )
    exporter.add_gauge(
        "vehicle_sinr", of_poses(lambda pose: None if pose.radio is None else pose.radio.sinr_db)
    )
    exporter.add_gauge(
        "vehicle_clock_trusted",
        of_vehicles(lambda view: float(view.clock_uncertainty_ns is not None)),
    )
    exporter.add_gauge(
        "vehicle_clock_uncertainty",
        of_vehicles(
            lambda view: (
                None if view.clock_uncertainty_ns is None else view.clock_uncertainty_ns / 1e9
            )
        ),
    )
    exporter.add_gauge("video_fps", lambda: of_cameras("fps"))
    exporter.add_gauge("video_kbps", lambda: of_cameras("kbps"))
    exporter.add_gauge("alarms_active", alarms)
    _add_alarm_gauges(exporter, fleet, now_ns)
    exporter.add_gauge(
        "requests_open",
        lambda: float(
            sum(
                request.state in (RequestState.OPEN, RequestState.UNANSWERED)
                for request in views.requests(fleet)
            )
        ),
    )


def add_people_gauges(exporter: Exporter, fleet: Fleet, now_ns: Callable[[], int]) -> None:
    """Have the attention queue, the seats and control read at every scrape."""
    queue = once_a_scrape(lambda now: views.attention_queue(fleet, now), now_ns)

    def waiting() -> Values:
        found = Counter(entry.step for entry in queue() if not entry.taken_by)
        return {(step,): float(found[step]) for step in STEPS}

    def oldest() -> Values:
        now = now_ns()
        found: Values = {(str(priority),): 0.0 for priority in PRIORITIES}
        for entry in queue():
            label = (str(entry.priority),)
            if not entry.taken_by:
                found[label] = max(found.get(label, 0.0), (now - entry.raised_ns) / 1e9)
        return found

    def seats() -> Values:
        found = Counter(seat.armed for seat in views.all_seats(fleet, now_ns()))
        return {("armed",): float(found[True]), ("not_armed",): float(found[False])}

    def controls() -> Values:
        found = Counter(view.state for view in views.all_controls(fleet))
        return {(str(state),): float(found[state]) for state in ControlState}

    exporter.add_gauge("attention_waiting", waiting)
    exporter.add_gauge("attention_oldest", oldest)
    exporter.add_gauge("seats_by_state", seats)
    exporter.add_gauge("control_vehicles", controls)


def _add_alarm_gauges(exporter: Exporter, fleet: Fleet, now_ns: Callable[[], int]) -> None:
    def states() -> Values:
        found = Counter(alarm.state for alarm in views.open_alarms(fleet))
        kept = (state for state in AlarmState if state is not AlarmState.NORMAL)
        return {(str(state),): float(found[state]) for state in kept}

    def troubles() -> Values:
        standing = views.open_alarms(fleet)
        return {
            ("chattering",): float(sum(alarm.chattering for alarm in standing)),
            ("stale",): float(sum(alarm.stale for alarm in standing)),
            ("overdue",): float(sum(alarm.overdue for alarm in standing)),
        }

    exporter.add_gauge("alarms_by_state", states)
    exporter.add_gauge("alarms_troubled", troubles)
    exporter.add_gauge(
        "alarms_announced_busiest",
        lambda: float(
            max((one.last_10_min for one in views.alarm_kpi(fleet, now_ns()).operators), default=0)
        ),
    )
    exporter.add_gauge(
        "operators_in_flood",
        lambda: float(sum(one.flood for one in views.alarm_kpi(fleet, now_ns()).operators)),
    )


def add_objective_gauges(exporter: Exporter, fleet: Fleet, now_ns: Callable[[], int]) -> None:
    """Have verdicts, budgets, limits and the ladder read at every scrape."""
    supervisions = once_a_scrape(lambda now: views.all_supervisions(fleet, now), now_ns)

    def of_vehicles(read: Callable[[SupervisionView], float | None]) -> Values:
        found = ((view.vehicle, read(view)) for view in supervisions())
        return {(name,): value for name, value in found if value is not None}

    def of_objectives(read: Callable[[ObjectiveView], float | None]) -> Values:
        found = {
            (view.vehicle, objective.key): read(objective)
            for view in supervisions()
            for objective in view.objectives
        }
        return {labels: value for labels, value in found.items() if value is not None}

    exporter.add_gauge(
        "vehicle_closed_loop",
        lambda: of_vehicles(
            lambda view: (
                None
                if view.closed_loop.ms is None
                else (view.closed_loop.ms + (view.closed_loop.uncertainty_ms or 0.0)) / 1e3
            )
        ),
    )
    exporter.add_gauge(
        "vehicle_round_trip",
        lambda: of_vehicles(
            lambda view: None if view.round_trip_ms is None else view.round_trip_ms / 1e3
        ),
    )
    exporter.add_gauge(
        "vehicle_speed_limit",
        lambda: of_vehicles(
            lambda view: None if view.speed_limit is None else view.speed_limit.kmh / 3.6
        ),
    )
    exporter.add_gauge(
        "vehicle_ladder_rung", lambda: of_vehicles(lambda view: float(_RUNGS[view.ladder.rung]))
    )
    exporter.add_gauge(
        "vehicle_drive_available", lambda: of_vehicles(lambda view: float(view.drive.available))
    )
    exporter.add_gauge(
        "objective_verdict", lambda: of_objectives(lambda one: float(_VERDICTS[one.verdict]))
    )
    exporter.add_gauge("objective_budget_left", lambda: of_objectives(lambda one: one.budget_left))
    exporter.add_gauge("objective_burn", lambda: of_objectives(lambda one: one.burn_short))
    exporter.add_totals(
        "objective_samples",
        lambda: {key: float(total) for key, total in views.objective_totals(fleet).items()},
    )
    exporter.add_gauge(
        "objective_allowed",
        lambda: {(one.key,): round(1.0 - one.share, 9) for one in fleet.config.objective},
    )


_RUNGS = {rung: height for height, rung in enumerate(Rung)}
_VERDICTS = {Verdict.MET: 0, Verdict.AT_RISK: 1, Verdict.VIOLATED: 2, Verdict.UNKNOWN: 3}


def add_duty_gauges(exporter: Exporter, fleet: Fleet) -> None:
    """Have coverage and open duties read at every scrape."""

    def steps() -> Values:
        open_steps = [
            step.overdue
            for duty in views.duties(fleet)
            if duty.ended_ns is None
            for step in duty.steps
            if step.state is StepState.OPEN
        ]
        late = sum(open_steps)
        return {("due",): float(len(open_steps) - late), ("overdue",): float(late)}

    exporter.add_gauge("duties_open_steps", steps)
    exporter.add_gauge(
        "monitoring_coverage",
        lambda: {(site,): share for site, share in coverage.ratio(fleet).items()},
    )


def add_hub_gauges(
    exporter: Exporter,
    *,
    version: str,
    ready: Callable[[], Mapping[str, bool]],
    storage: Callable[[], Storage | None],
    events_waiting: Callable[[], int],
) -> None:
    """Have the hub's parts, its disk and its queue read at every scrape."""

    def parts() -> Values:
        return {(part,): float(bool(state)) for part, state in ready().items()}

    def room(read: Callable[[Storage], int]) -> Values:
        found = storage()
        return {} if found is None else {(): float(read(found))}

    exporter.add_gauge("build_info", lambda: {(version,): 1.0})
    exporter.add_gauge("ready", parts)
    exporter.add_gauge("storage_free", lambda: room(lambda found: found.free_bytes))
    exporter.add_gauge("storage_size", lambda: room(lambda found: found.size_bytes))
    exporter.add_gauge("events_waiting", lambda: float(events_waiting()))


def add_media_gauges(exporter: Exporter, workers: Callable[[], list[WorkerView]]) -> None:
    """Have the media workers' state read at every scrape."""

    def of_workers(read: str) -> Values:
        return {
            (str(worker.index),): float(getattr(worker.stats, read))
            for worker in workers()
            if worker.stats is not None
        }

    exporter.add_gauge(
        "media_workers_ready", lambda: float(sum(worker.ready for worker in workers()))
    )
    exporter.add_gauge("media_workers_configured", lambda: float(len(workers())))
    exporter.add_gauge("media_peers", lambda: of_workers("peers"))
    exporter.add_gauge("media_worker_cpu", lambda: of_workers("cpu_s"))


def add_journal_gauges(exporter: Exporter, journal: Journal) -> None:
    """Have the journal's size and the age of its last write read at every scrape."""
    exporter.add_gauge("journal_stored", lambda: float(journal.stored_bytes))
    exporter.add_gauge("journal_write_age", journal.last_write_age_s)
