"""Gauges of the fleet and the media workers, read at every scrape.

The vehicle is a label on gauges only, and never an address, account or position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from protocols.alarms import AlarmState
from protocols.duties import StepState
from protocols.operator import LinkState, RequestState, VehicleView
from protocols.supervision import ObjectiveView, Rung, SupervisionView, Verdict
from supervisor.core import coverage, views
from supervisor.core.fleet import Fleet
from supervisor.evidence.journal import Journal
from supervisor.media.pool import WorkerView
from supervisor.observability.exporter import Exporter

PRIORITIES = (1, 2, 3)
SAME_SCRAPE_NS = 200_000_000

Values = dict[tuple[str, ...], float]


def add_fleet_gauges(exporter: Exporter, fleet: Fleet, now_ns: Callable[[], int]) -> None:
    """Have links, ages, clocks, streams, alarms and requests read at every scrape."""

    def of_vehicles(
        read: Callable[[VehicleView, int], float | None],
    ) -> Values:
        now = now_ns()
        values = ((view.id, read(view, now)) for view in views.all_vehicles(fleet, now))
        return {(name,): value for name, value in values if value is not None}

    def of_cameras(read: str) -> Values:
        return {
            (view.id, stream.name): float(getattr(stream, read))
            for view in views.all_vehicles(fleet, now_ns())
            for stream in view.streams
            if stream.kind == "video"
        }

    def alarms() -> Values:
        found = Counter(alarm.priority for alarm in views.open_alarms(fleet))
        return {(str(priority),): float(found[priority]) for priority in PRIORITIES}

    exporter.add_gauge(
        "vehicle_link_online",
        lambda: of_vehicles(lambda view, _: float(view.link is LinkState.ONLINE)),
    )
    exporter.add_gauge(
        "vehicle_telemetry_age",
        lambda: of_vehicles(
            lambda view, now: None if view.pose is None else (now - view.pose.at_ns) / 1e9
        ),
    )
    exporter.add_gauge(
        "vehicle_clock_uncertainty",
        lambda: of_vehicles(
            lambda view, _: (
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
    newest: tuple[int, list[SupervisionView]] | None = None

    def supervisions() -> list[SupervisionView]:
        """Return the views, made once for all gauges of one scrape: they hold the loop."""
        nonlocal newest
        now = now_ns()
        if newest is None or not 0 < now - newest[0] < SAME_SCRAPE_NS:
            newest = now, views.all_supervisions(fleet, now)
        return newest[1]

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
    exporter.add_gauge("media_peers", lambda: of_workers("peers"))
    exporter.add_gauge("media_worker_cpu", lambda: of_workers("cpu_s"))


def add_journal_gauges(exporter: Exporter, journal: Journal) -> None:
    """Have the journal's size and the age of its last write read at every scrape."""
    exporter.add_gauge("journal_stored", lambda: float(journal.stored_bytes))
    exporter.add_gauge("journal_write_age", journal.last_write_age_s)
