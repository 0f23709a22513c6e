"""Rows of the metrics catalogue: the hub itself, its consoles, its broker."""

from __future__ import annotations

from typing import Final

from supervisor.observability.metric import LAG, Metric, counter, gauge, histogram

HUB: Final[tuple[Metric, ...]] = (
    # --------------------------------------------------------------- the hub itself
    gauge("build_info", "build_info", "1; the version is its label", unit="", labels=("version",)),
    gauge(
        "ready",
        "ready",
        "1 while a part is ok, else 0, by `/readyz`: audit, broker, clock, disk, journal, media",
        unit="",
        labels=("part",),
    ),
    gauge(
        "storage_free_bytes",
        "storage_free",
        "Room on the disk of the hub's state; absent before the first look",
        unit="bytes",
    ),
    gauge("storage_size_bytes", "storage_size", "Size of that disk", unit="bytes"),
    gauge("events_waiting", "events_waiting", "Events that wait for the core", unit="events"),
    counter("audit_refused", "audit", "Decisions that went without their audit record"),
    counter(
        "audit_failures",
        "audit_failed",
        "Audit records that could not be made durable, by cause",
        label="reason",
    ),
    counter(
        "journal_records",
        "journal_records",
        "Steps of the core on disk in the journal",
        unit="records",
    ),
    counter("journal_bytes", "journal_bytes", "Bytes written to the journal", unit="bytes"),
    counter(
        "journal_gaps",
        "journal_lost",
        "Steps missing in the journal, by cause; each gap is told in it",
        label="reason",
        unit="records",
    ),
    counter(
        "journal_segments_removed",
        "journal_segments_removed",
        "Journal files removed by retention",
        unit="files",
    ),
    gauge("journal_stored_bytes", "journal_stored", "Size of all journal files kept", unit="bytes"),
    gauge(
        "journal_last_write_age_seconds",
        "journal_write_age",
        "Time since steps were last known to be on disk",
        unit="seconds",
    ),
    counter("hub_events", "core_event", "Events decided by the core", label="kind"),
    counter(
        "hub_events_dropped",
        "events_dropped",
        "Replaceable events dropped by a full core queue",
        label="kind",
    ),
    histogram("loop_lag", "loop_lag", "How late the event loop wakes up", LAG),
    # ---------------------------------------------------------------- console
    gauge("consoles", "consoles", "Open consoles", unit="consoles"),
    gauge(
        "console_certificate_seconds",
        "console_certificate",
        "Until the end of the console's certificate; absent over plain http",
        unit="seconds",
    ),
    counter("console_sign_ins", "console_sign_in", "Sign-ins by outcome", label="outcome"),
    counter(
        "console_proofs",
        "console_proof",
        "Passwords given once more by who is signed in, by outcome",
        label="outcome",
    ),
    counter(
        "console_sessions_ended",
        "console_session_ended",
        "Sign-ins that ended, by cause",
        label="reason",
    ),
    counter("console_closed", "console_closed", "Console sockets closed, by cause", label="reason"),
    counter("console_messages", "console_message", "Messages from consoles", label="kind"),
    counter(
        "console_faults", "console_fault", "Console messages refused, by cause", label="reason"
    ),
    counter(
        "http_refused",
        "http_refused",
        "Requests refused before any route, by cause",
        label="reason",
    ),
    counter("rehearsal", "rehearsal", "Wishes of a demo's rehearsal, by outcome", label="outcome"),
    counter("metrics_refused", "metrics_refused", "Scrapes without the token"),
    # -------------------------------------------------------------- telemetry
    counter(
        "telemetry_refused",
        "telemetry_refused",
        "Messages from vehicles outside the contract, by cause",
        label="reason",
    ),
    counter(
        "telemetry_dropped",
        "telemetry_dropped",
        "Messages to vehicles that were not handed to the broker, by cause",
        label="reason",
    ),
    counter("telemetry_sent", "telemetry_sent", "Messages handed to the broker", label="kind"),
)
