"""Every metric of the hub, in one table.

`source` is the name the rooms use: the name given to `Counters.add` or to a `Count`,
`Observe` or `Exporter.add_gauge`. A test reads the source code and fails for a name
without a row. Labels are bounded: reasons, kinds and stages are closed sets; no
session, SSRC, address or account ever is one.
"""

from __future__ import annotations

import enum
import sys
from typing import Final

import msgspec


class Type(enum.StrEnum):
    """Prometheus metric types in use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One row.

    Attributes:
        name: As scraped; counters end in `_total`, histograms in their unit.
        source: As counted inside the hub.
        labels: Label names, in the order of the values that come with `Observe`.
            A counter has at most one, filled with the reason.
        buckets: Upper bounds of a histogram, seconds.
    """

    name: str
    type: Type
    source: str
    meaning: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(
    name: str, source: str, meaning: str, *, label: str = "", unit: str = "events"
) -> Metric:
    return Metric(
        name=f"enkan_{name}_total",
        type=Type.COUNTER,
        source=source,
        meaning=meaning,
        unit=unit,
        labels=(label,) if label else (),
    )


def _gauge(
    name: str, source: str, meaning: str, *, unit: str, labels: tuple[str, ...] = ()
) -> Metric:
    return Metric(
        name=f"enkan_{name}",
        type=Type.GAUGE,
        source=source,
        meaning=meaning,
        unit=unit,
        labels=labels,
    )


def _histogram(
    name: str,
    source: str,
    meaning: str,
    buckets: tuple[float, ...],
    *,
    labels: tuple[str, ...] = (),
) -> Metric:
    return Metric(
        name=f"enkan_{name}_seconds",
        type=Type.HISTOGRAM,
        source=source,
        meaning=meaning,
        unit="seconds",
        labels=labels,
        buckets=buckets,
    )


_LATENCY: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0)
_LAG: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

UNLISTED: Final = "enkan_events_total"
"""Counts whose name has no row, with labels `name` and `reason`: nothing is lost."""

METRICS: Final[tuple[Metric, ...]] = (
    # ---------------------------------------------------------------- vehicles
    _counter("unknown_vehicle", "unknown_vehicle", "Messages of vehicles not in the configuration"),
    _counter(
        "vehicle_sessions",
        "session",
        "Starts of vehicle clients, and late news of old ones",
        label="kind",
    ),
    _counter(
        "telemetry_faults",
        "telemetry",
        "Telemetry missed, repeated, late or from the future",
        label="reason",
    ),
    _counter(
        "state_faults",
        "state",
        "State messages missed, repeated, late or of an old session",
        label="reason",
    ),
    _counter(
        "heartbeat_faults",
        "heartbeat",
        "Heartbeats missed, repeated, late or after OFFLINE",
        label="reason",
    ),
    _counter(
        "connection_faults", "connection", "Connection messages of an old session", label="reason"
    ),
    _counter(
        "link_one_way",
        "link",
        "Reports of vehicles that they do not hear the hub, and those of other sessions",
        label="kind",
    ),
    _counter(
        "clock_faults",
        "clock",
        "Clock exchanges that were not believed, and clock steps",
        label="reason",
    ),
    _counter("vehicle_events", "vehicle_event", "Events reported by vehicles", label="kind"),
    # ---------------------------------------------------------------- commands
    _counter("commands", "command", "Commands by the step they reached", label="step"),
    _counter(
        "commands_refused", "command_refused", "Commands not carried out, by cause", label="reason"
    ),
    _counter(
        "control_refused",
        "control_refused",
        "Wishes for control of a vehicle that were not granted, by cause",
        label="reason",
    ),
    _counter("control_states", "control", "States that control of vehicles came to", label="to"),
    _counter("control_ended", "control_ended", "Control that ended, by cause", label="reason"),
    _histogram(
        "control_taken",
        "control_taken",
        "From handing over the taking of control to knowing that the vehicle obeys",
        _LATENCY,
    ),
    _counter("seats", "seat", "Consoles that became able to warn, or unable", label="to"),
    _counter("drive_frames_relayed", "drive_relayed", "Control frames passed on over the hub"),
    _counter(
        "drive_frames_refused",
        "drive_relay_refused",
        "Control frames over the hub not passed on, by cause",
        label="reason",
    ),
    _counter(
        "command_result_faults",
        "command_result",
        "Answers to commands that fit no command",
        label="reason",
    ),
    _histogram(
        "command_applied",
        "command_applied",
        "From the operator's key to `applied`",
        _LATENCY,
        labels=("type",),
    ),
    # ---------------------------------------------------- objectives, enforcement
    _counter("verdicts", "verdict", "Verdicts of objectives, each time one changed", label="to"),
    _counter("ladder_steps", "ladder", "Rungs of enforcement taken", label="rung"),
    _counter("drive_availability", "drive", "Remote driving withdrawn or offered", label="to"),
    _counter("speed_limits", "speed_limit", "Speed limits decided, by who limits", label="source"),
    _counter("orders", "order", "Orders of the hub itself by the step they reached", label="step"),
    _histogram(
        "closed_loop",
        "closed_loop",
        "Capture to display and command to applied together, of the console that counts",
        _LATENCY,
    ),
    _gauge(
        "vehicle_closed_loop_seconds",
        "vehicle_closed_loop",
        "The same, newest, with its error bar added; absent while unknown",
        unit="seconds",
        labels=("vehicle",),
    ),
    _gauge(
        "vehicle_round_trip_seconds",
        "vehicle_round_trip",
        "Least round trip of the newest heartbeats",
        unit="seconds",
        labels=("vehicle",),
    ),
    _gauge(
        "vehicle_speed_limit_metres_per_second",
        "vehicle_speed_limit",
        "The speed limit the hub has decided; absent before the first",
        unit="m/s",
        labels=("vehicle",),
    ),
    _gauge(
        "vehicle_ladder_rung",
        "vehicle_ladder_rung",
        "Rung of enforcement in force: 0 none, 5 minimal risk",
        unit="",
        labels=("vehicle",),
    ),
    _gauge(
        "vehicle_drive_available",
        "vehicle_drive_available",
        "1 while remote driving may be offered, else 0",
        unit="",
        labels=("vehicle",),
    ),
    _gauge(
        "objective_verdict",
        "objective_verdict",
        "Objectives in force: 0 met, 1 at risk, 2 violated, 3 unknown",
        unit="",
        labels=("vehicle", "objective"),
    ),
    _gauge(
        "objective_budget_left_ratio",
        "objective_budget_left",
        "Share of the error budget of the long window that is left",
        unit="",
        labels=("vehicle", "objective"),
    ),
    _gauge(
        "objective_burn_rate",
        "objective_burn",
        "How fast the error budget burns over the short window; 1 uses it up exactly",
        unit="",
        labels=("vehicle", "objective"),
    ),
    # ------------------------------------------------------- alarms, presentation
    _counter("alarms", "alarm", "Alarm transitions", label="transition"),
    _histogram(
        "alarm_acknowledged",
        "alarm_acknowledged",
        "From an alarm, or its return, to its acknowledgement",
        (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3_600.0),
        labels=("priority",),
    ),
    _gauge(
        "alarms_by_state",
        "alarms_by_state",
        "Alarms that are not normal, by their state after ISA-18.2",
        unit="alarms",
        labels=("state",),
    ),
    _gauge(
        "alarms_troubled",
        "alarms_troubled",
        "Alarms that chatter, are stale, or are overdue for acknowledgement",
        unit="alarms",
        labels=("trouble",),
    ),
    _gauge(
        "alarms_announced_busiest_operator",
        "alarms_announced_busiest",
        "Alarms of the last ten minutes announced to the operator who got most",
        unit="alarms",
    ),
    _gauge(
        "operators_in_alarm_flood",
        "operators_in_flood",
        "Operators to whom more than ten alarms in ten minutes were announced, and not yet fewer",
        unit="operators",
    ),
    _counter("presentations", "presentation", "Reports of what operators saw", label="reason"),
    _histogram(
        "picture_age", "picture_age", "Capture to display of the newest frame on a tile", _LATENCY
    ),
    _histogram(
        "picture_stage",
        "picture_stage",
        "Stages of that age, as consoles report them",
        _LATENCY,
        labels=("stage",),
    ),
    # ------------------------------------------------------------ duties, coverage
    _counter("duties", "duty", "Statutory checklists by what became of them", label="step"),
    _counter("handovers", "handover", "Handovers of a shift, and notes for it", label="step"),
    _counter(
        "attention_entries",
        "attention",
        "Entries of the attention queue: by kind as they come, by step as they go on",
        label="step",
    ),
    _histogram(
        "attention_taken",
        "attention_taken",
        "From when a vehicle needs a person to when somebody has control of it",
        (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0),
    ),
    _counter("monitoring_gaps", "coverage", "Vehicles in operation that nobody watched any more"),
    _gauge(
        "monitoring_coverage_ratio",
        "monitoring_coverage",
        "Share of the vehicles in operation that somebody who may act has on screen",
        unit="",
        labels=("site",),
    ),
    _gauge(
        "duties_open_steps",
        "duties_open_steps",
        "Steps of open duties that are not marked; `overdue` those past their time",
        unit="steps",
        labels=("state",),
    ),
    # --------------------------------------------------------------- the hub itself
    _counter("audit_refused", "audit", "Decisions that went without their audit record"),
    _counter(
        "audit_failures",
        "audit_failed",
        "Audit records that could not be made durable, by cause",
        label="reason",
    ),
    _counter(
        "journal_records",
        "journal_records",
        "Steps of the core on disk in the journal",
        unit="records",
    ),
    _counter("journal_bytes", "journal_bytes", "Bytes written to the journal", unit="bytes"),
    _counter(
        "journal_gaps",
        "journal_lost",
        "Steps missing in the journal, by cause; each gap is told in it",
        label="reason",
        unit="records",
    ),
    _counter(
        "journal_segments_removed",
        "journal_segments_removed",
        "Journal files removed by retention",
        unit="files",
    ),
    _gauge(
        "journal_stored_bytes", "journal_stored", "Size of all journal files kept", unit="bytes"
    ),
    _gauge(
        "journal_last_write_age_seconds",
        "journal_write_age",
        "Time since steps were last known to be on disk",
        unit="seconds",
    ),
    _counter(
        "hub_events_dropped",
        "events_dropped",
        "Replaceable events dropped by a full core queue",
        label="kind",
    ),
    _histogram("loop_lag", "loop_lag", "How late the event loop wakes up", _LAG),
    # ------------------------------------------------------------------ fleet
    _gauge(
        "vehicle_link_online",
        "vehicle_link_online",
        "1 while the command link of a vehicle is online, else 0",
        unit="",
        labels=("vehicle",),
    ),
    _gauge(
        "vehicle_telemetry_age_seconds",
        "vehicle_telemetry_age",
        "Time since the newest telemetry arrived",
        unit="seconds",
        labels=("vehicle",),
    ),
    _gauge(
        "vehicle_clock_uncertainty_seconds",
        "vehicle_clock_uncertainty",
        "Half-width of the error bar of the vehicle's clock; absent while untrusted",
        unit="seconds",
        labels=("vehicle",),
    ),
    _gauge(
        "video_frames_per_second",
        "video_fps",
        "Complete frames received over the last second",
        unit="frames/s",
        labels=("vehicle", "camera"),
    ),
    _gauge(
        "video_kilobits_per_second",
        "video_kbps",
        "Video received over the last second",
        unit="kbit/s",
        labels=("vehicle", "camera"),
    ),
    _gauge(
        "alarms_active",
        "alarms_active",
        "Alarms that are not normal",
        unit="alarms",
        labels=("priority",),
    ),
    _gauge(
        "requests_open", "requests_open", "Take-over requests without an answer", unit="requests"
    ),
    # ---------------------------------------------------------------- console
    _gauge("consoles", "consoles", "Open consoles", unit="consoles"),
    _gauge("console_certificate_seconds", "console_certificate", "Until its end", unit="seconds"),
    _counter("console_sign_ins", "console_sign_in", "Sign-ins by outcome", label="outcome"),
    _counter(
        "console_sessions_ended",
        "console_session_ended",
        "Sign-ins that ended, by cause",
        label="reason",
    ),
    _counter(
        "console_closed", "console_closed", "Console sockets closed, by cause", label="reason"
    ),
    _counter("console_messages", "console_message", "Messages from consoles", label="kind"),
    _counter(
        "console_faults", "console_fault", "Console messages refused, by cause", label="reason"
    ),
    _counter(
        "http_refused",
        "http_refused",
        "Requests refused before any route, by cause",
        label="reason",
    ),
    _counter("metrics_refused", "metrics_refused", "Scrapes without the token"),
    # ------------------------------------------------------------------ media
    _counter("media_session_faults", "media", "Media reports that fit no session", label="reason"),
    _counter(
        "media_packets",
        "media_packets",
        "Datagrams through the media workers",
        label="direction",
        unit="packets",
    ),
    _counter(
        "media_bytes",
        "media_bytes",
        "Bytes through the media workers",
        label="direction",
        unit="bytes",
    ),
    _gauge(
        "media_workers_ready", "media_workers_ready", "Media workers that serve", unit="workers"
    ),
    _gauge(
        "media_peers",
        "media_peers",
        "Publishers and watchers of a worker",
        unit="peers",
        labels=("worker",),
    ),
    _gauge(
        "media_worker_cpu_seconds",
        "media_worker_cpu",
        "Processor time a media worker has used since it started",
        unit="seconds",
        labels=("worker",),
    ),
    _counter(
        "media_dropped_packets",
        "media_dropped",
        "Packets dropped by the media plane, by cause",
        label="reason",
        unit="packets",
    ),
    _counter(
        "media_grants_dropped",
        "media_grants_dropped",
        "Times a worker ended all grants because this hub was silent for 3.5 s",
    ),
    _counter(
        "media_talk_refused",
        "media_talk_refused",
        "Times an operator was told that a vehicle does not hear him, by cause",
        label="reason",
    ),
    _counter(
        "media_receive_errors",
        "media_receive_errors",
        "Errors of the media socket, by errno",
        label="errno",
    ),
    _counter(
        "media_command_frames",
        "media_command_frames",
        "Frames passed on by the data channels, by where to; `stop`: emergency stops",
        label="direction",
        unit="frames",
    ),
    _counter(
        "media_command_frames_refused",
        "media_command_refused",
        "Frames of the data channels not passed on, by cause",
        label="reason",
        unit="frames",
    ),
    _counter(
        "media_channel_dropped",
        "media_channel_dropped",
        "SCTP packets, frames and channels dropped before any grant was asked, by cause",
        label="reason",
    ),
    _counter(
        "media_link_frames_refused",
        "media_link_refused",
        'Frames of the data channel "link" that were not believed, by cause',
        label="reason",
        unit="frames",
    ),
    _counter("media_sessions", "media_sessions", "Media sessions opened", label="side"),
    _counter(
        "media_preferences_dropped",
        "media_preference_dropped",
        "Sizes preferred for a watcher that a busy media worker did not take",
    ),
    _counter(
        "media_sessions_ended",
        "media_sessions_ended",
        "Media sessions that ended, by cause",
        label="reason",
    ),
    _counter(
        "media_signalling_refused",
        "media_signalling_refused",
        "WHIP and WHEP requests refused, by cause",
        label="reason",
    ),
    _counter(
        "media_repaired_packets",
        "media_repairs",
        "Lost packets sent again to watchers, on their own SSRC (rtx) or as they were (plain)",
        label="form",
        unit="packets",
    ),
    _counter(
        "media_rebound", "media_rebound", "Sessions whose peer's address changed and was validated"
    ),
    _counter("media_ice_restarts", "media_ice_restarts", "ICE restarts of media sessions"),
    _counter("media_silences", "media_silences", "Times a publisher's media fell silent"),
    _counter("media_worker_restarts", "media_worker_restarts", "Media workers started again"),
    # -------------------------------------------------------------- telemetry
    _counter(
        "telemetry_refused",
        "telemetry_refused",
        "Messages from vehicles outside the contract, by cause",
        label="reason",
    ),
    _counter(
        "telemetry_dropped",
        "telemetry_dropped",
        "Messages to vehicles that were not handed to the broker, by cause",
        label="reason",
    ),
    _counter("telemetry_sent", "telemetry_sent", "Messages handed to the broker", label="kind"),
)

BY_SOURCE: Final[dict[str, Metric]] = {metric.source: metric for metric in METRICS}


def document() -> str:
    """Return the catalogue as Markdown."""
    lines = [
        "# Metrics",
        "",
        "Served at `/metrics` on the hub's metrics port (`[metrics]` in the configuration), in the",
        "Prometheus text and OpenMetrics formats, to who presents the token in the token file:",
        "`Authorization: Bearer <token>`. The standard `process_*` metrics come with it.",
        "",
        "This file is printed by `python -m supervisor.observability.catalogue`.",
        "",
        "| metric | type | labels | unit | meaning |",
        "|---|---|---|---|---|",
    ]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        lines.append(
            f"| `{metric.name}` | {metric.type} | {labels} | {metric.unit} | {metric.meaning} |"
        )
    lines.append(
        f"| `{UNLISTED}` | counter | `name`, `reason` | events | "
        "Counts that have no row of their own yet |"
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
