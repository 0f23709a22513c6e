"""Rows of the metrics catalogue: the media plane, all workers together."""

from __future__ import annotations

from typing import Final

from supervisor.observability.metric import Metric, counter, gauge

MEDIA: Final[tuple[Metric, ...]] = (
    # ------------------------------------------------------------------ media
    counter("media_session_faults", "media", "Media reports that fit no session", label="reason"),
    counter(
        "media_packets",
        "media_packets",
        "Datagrams through the media workers",
        label="direction",
        unit="packets",
    ),
    counter(
        "media_bytes",
        "media_bytes",
        "Bytes through the media workers",
        label="direction",
        unit="bytes",
    ),
    gauge("media_workers_ready", "media_workers_ready", "Media workers that serve", unit="workers"),
    gauge(
        "media_workers_configured",
        "media_workers_configured",
        "Media workers that there should be",
        unit="workers",
    ),
    gauge(
        "media_peers",
        "media_peers",
        "Publishers and watchers of a worker",
        unit="peers",
        labels=("worker",),
    ),
    gauge(
        "media_worker_cpu_seconds",
        "media_worker_cpu",
        "Processor time a media worker has used since it started",
        unit="seconds",
        labels=("worker",),
    ),
    counter(
        "media_dropped_packets",
        "media_dropped",
        "Packets dropped by the media plane, by cause",
        label="reason",
        unit="packets",
    ),
    counter(
        "media_grants_dropped",
        "media_grants_dropped",
        "Times a worker ended all grants because this hub was silent for 3.5 s",
    ),
    counter(
        "media_talk_refused",
        "media_talk_refused",
        "Times an operator was told that a vehicle does not hear him, by cause",
        label="reason",
    ),
    counter(
        "media_receive_errors",
        "media_receive_errors",
        "Errors of the media socket, by errno",
        label="errno",
    ),
    counter(
        "media_command_frames",
        "media_command_frames",
        "Frames passed on by the data channels, by where to; `stop`: emergency stops",
        label="direction",
        unit="frames",
    ),
    counter(
        "media_command_frames_refused",
        "media_command_refused",
        "Frames of the data channels not passed on, by cause",
        label="reason",
        unit="frames",
    ),
    counter(
        "media_channel_dropped",
        "media_channel_dropped",
        "SCTP packets, frames and channels dropped before any grant was asked, by cause",
        label="reason",
    ),
    counter(
        "media_link_frames_refused",
        "media_link_refused",
        'Frames of the data channel "link" that were not believed, by cause',
        label="reason",
        unit="frames",
    ),
    counter("media_sessions", "media_sessions", "Media sessions opened", label="side"),
    counter(
        "media_preferences_dropped",
        "media_preference_dropped",
        "Sizes preferred for a watcher that a busy media worker did not take",
    ),
    counter(
        "media_sessions_ended",
        "media_sessions_ended",
        "Media sessions that ended, by cause",
        label="reason",
    ),
    counter(
        "media_signalling_refused",
        "media_signalling_refused",
        "WHIP and WHEP requests refused, by cause",
        label="reason",
    ),
    counter(
        "media_repaired_packets",
        "media_repairs",
        "Lost packets sent again to watchers, on their own SSRC (rtx) or as they were (plain)",
        label="form",
        unit="packets",
    ),
    counter(
        "media_rebound", "media_rebound", "Sessions whose peer's address changed and was validated"
    ),
    counter("media_ice_restarts", "media_ice_restarts", "ICE restarts of media sessions"),
    counter("media_silences", "media_silences", "Times a publisher's media fell silent"),
    counter("media_worker_restarts", "media_worker_restarts", "Media workers started again"),
)
