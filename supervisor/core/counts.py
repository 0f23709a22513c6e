"""Names and reasons of everything the core counts or observes.

The metrics catalogue has one row for each name; reasons are a closed set, so that
a label can never grow with what a peer sends.
"""

from __future__ import annotations

from typing import Final

COUNTS: Final[dict[str, tuple[str, ...]]] = {
    "unknown_vehicle": ("",),
    "session": ("new", "old"),
    "telemetry": ("gap", "duplicate", "late", "future"),
    "state": ("gap", "duplicate", "late", "retained_old_session"),
    "heartbeat": ("gap", "duplicate", "late", "after_offline"),
    "connection": ("old_session",),
    "clock": ("exchange_implausible", "step", "wall_step", "report_implausible", "other_session"),
    "link": ("unheard", "other_session"),
    "vehicle_event": (
        "new",
        "repeated",
        "unknown_subject",
        "unknown_alarm",
        "not_a_vehicles_alarm",
        "alarm_of_another_kind",
        "late_alarm",
    ),
    "command": ("asked", "duplicate", "sent", "applied", "refused", "unconfirmed"),
    "command_refused": (
        "role",
        "unknown_vehicle",
        "duplicate_id",
        "not_holder",
        "not_supported",
        "link",
        "picture",
        "unknown_request",
        "busy",
        "audit",
        "superseded",
        "broker",
        "vehicle",
    ),
    "command_result": ("wrong_session", "unknown_id", "after_end", "impossible_time"),
    "control": ("free", "offered", "confirming", "held", "releasing"),
    "control_ended": (
        *("handed_back", "declined", "preempted", "seat_lost", "link_lost", "deadman"),
        *("drive_withdrawn", "session_ended", "hub_restarted", "hub_ending"),
    ),
    "control_refused": (
        *("role", "unknown_vehicle", "purpose", "seat", "other_vehicle", "not_supported"),
        *("link", "drive", "moving", "held", "not_offered", "not_holder", "audit", "session"),
        *("broker", "refused", "unconfirmed", "hub_ending"),
    ),
    "seat": ("armed", "disarmed", "no_seat"),
    "order": ("not_recorded", "sent", "applied", "refused", "unconfirmed", "broker"),
    "speed_limit": ("vehicle", "governor", "unknown_delay", "ladder", "operator"),
    "verdict": ("met", "at_risk", "violated", "unknown"),
    "ladder": (
        "none",
        "protect_focus",
        "smaller_layers",
        "speed_limit",
        "withdraw_drive",
        "minimal_risk",
    ),
    "drive": ("withdrawn", "available"),
    "media": ("other_session",),
    "presentation": (
        "accepted",
        "implausible",
        "impossible",
        "unknown_vehicle",
        "unknown_camera",
        "too_often",
        "too_many",
    ),
    "alarm": (
        "raised",
        "returned",
        "acknowledged",
        "suppressed",
        "shelved",
        "unshelved",
        "out_of_service",
        "in_service",
        "refused",
        "chatter",
        "calm",
        "stale",
        "overdue",
        "flood",
        "flood_over",
        "restored",
        "restated",
        "dropped",
    ),
    "audit": ("failed",),
    "duty": ("started", "finished", "abandoned", "overdue", "restored", "refused"),
    "coverage": ("gap",),
    "attention": ("request", "alarm", "routed", "neighbour", "supervisor", "unanswered"),
}

OBSERVATIONS: Final[tuple[str, ...]] = (
    "command_applied",
    "alarm_acknowledged",
    "picture_age",
    "picture_stage",
    "closed_loop",
    "attention_taken",
    "control_taken",
)
"""Histograms, seconds: operator's key to `applied`; capture to display, and its stages;
picture and command together; from `take_control` to the vehicle's `applied`."""
