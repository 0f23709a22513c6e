"""What is measured of a vehicle at every look, put into its objectives.

Intervals that need only the hub's clock (frames, heartbeats) are known whatever the
vehicle's clock says. An age of something the *vehicle* stamped is known only while its
clock is trusted; the time since it arrived is then a lower bound, which may prove an
objective violated and never met.
"""

from __future__ import annotations

import math

from protocols.operator import LinkState
from protocols.supervision import FreezeCause, FrozenView, Indicator, Why
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.verdicts import ObjectiveTrack

SAME_MS = 700.0
"""Pictures the same to the pixel for so long, while it moves, are one picture."""
STILL_MS = 1_000.0
"""A console that shows nothing new for so long, while frames reach the hub, is stuck."""
FIRST_SHOWN_NS = 5_000_000_000
"""So long it may take to its first frame: it connects, and waits for a keyframe."""
SETTLES_NS = 2_000_000_000
"""A purpose has to be in use for so long before what only counts then is measured,"""
JUDGED_NS = 4_000_000_000
"""and to be measured for so long before it is judged."""
POOR_SHARE = 0.6
"""Lines received, of those promised, below which a picture is only scaled up."""
POOR_BITS = 0.01
"""Bits for each pixel below which a moving picture cannot be read."""


def sample(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[ObjectiveTrack]:
    """Take one sample of everything that is due all the time; return the tracks that got
    one that is not good."""
    by = record.supervised.by_indicator
    alarmed: list[ObjectiveTrack] = []
    if record.link.state is LinkState.OFFLINE or record.link.state is LinkState.UNKNOWN:
        return alarmed
    if Indicator.TELEMETRY_AGE in by:
        _telemetry(record, by[Indicator.TELEMETRY_AGE], alarmed, now_ns)
    if Indicator.HEARTBEAT_GAP in by and record.link.last_beat_ns is not None:
        gap_ms = (now_ns - record.link.last_beat_ns) / 1e6
        for track in by[Indicator.HEARTBEAT_GAP]:
            if in_use(record, track, now_ns) and track.add(gap_ms, 0.0, now_ns):
                alarmed.append(track)
    if Indicator.CLOCK_UNCERTAINTY in by:
        bar_ns = record.clock.uncertainty_ns(now_ns)
        if bar_ns is not None:
            _add(by[Indicator.CLOCK_UNCERTAINTY], bar_ns / 1e6, alarmed, now_ns)
    if record.streams:
        _pictures(fleet, record, alarmed, now_ns)
    return alarmed


def in_use(record: VehicleRecord, track: ObjectiveTrack, at_ns: int) -> bool:
    """Return whether what an objective measures counted at `at_ns`: some only while their
    purpose is in use, and has been since long enough for the vehicle to notice: it sends
    five times as many heartbeats while it is driven, and not at once."""
    kept, objective = record.supervised, track.objective
    if not objective.in_use_only:
        return True
    return kept.purpose is objective.purpose and at_ns - kept.purpose_ns >= SETTLES_NS


def missing(record: VehicleRecord, track: ObjectiveTrack, now_ns: int) -> Why | None:
    """Return why an objective cannot be judged now, whatever was measured before."""
    objective = track.objective
    if not in_use(record, track, now_ns - JUDGED_NS):
        return Why.NOT_IN_USE
    if record.link.state is LinkState.OFFLINE or record.link.state is LinkState.UNKNOWN:
        return Why.NO_EVIDENCE
    match objective.indicator:
        case Indicator.G2G | Indicator.CLOSED_LOOP:
            watcher = record.loop.counting()
            if watcher is None:
                return Why.NOBODY_WATCHES
            return Why.UNTRUSTED if watcher.worst(now_ns) is None else None
        case Indicator.TELEMETRY_AGE:
            if record.telemetry_at_ns is None or record.clock.is_trusted(now_ns):
                return None
            late = (now_ns - record.telemetry_at_ns) / 1e6 > objective.limit
            return None if late else Why.UNTRUSTED
        case Indicator.COMMAND_DELAY | Indicator.CLOCK_UNCERTAINTY:
            return None
        case Indicator.HEARTBEAT_GAP | Indicator.FRAME_GAP:
            return None
        case Indicator.PICTURE_HEIGHT | Indicator.BITRATE:
            return None


def frozen(fleet: Fleet, record: VehicleRecord, now_ns: int) -> tuple[FrozenView, ...]:
    """Return the pictures that stand still, each with how that is known."""
    found = dict.fromkeys(record.gaps, FreezeCause.GAP) if record.gaps else {}
    for camera, stream in record.streams.items():
        if stream.repeats_one_picture:
            found.setdefault(camera, FreezeCause.CONTENT)
    watcher = record.loop.counting()
    for camera, tile in () if watcher is None else watcher.tiles.items():
        if camera in found or camera not in record.streams:
            continue
        same_ms = tile.same_ms
        if (
            same_ms is not None
            and same_ms >= SAME_MS
            and moved_s(fleet, record, now_ns) * 1e3 >= same_ms
        ):
            found[camera] = FreezeCause.CONTENT
        elif tile.still_ms >= STILL_MS and (tile.begun or now_ns - tile.since_ns >= FIRST_SHOWN_NS):
            found[camera] = FreezeCause.PRESENTATION
    if not found:
        return ()
    return tuple(FrozenView(camera, cause) for camera, cause in sorted(found.items()))


def poor(fleet: Fleet, record: VehicleRecord, now_ns: int) -> tuple[str, ...]:
    """Return the cameras whose picture is far below what the factsheet promises."""
    if record.factsheet is None:
        return ()
    live_ns = int(fleet.config.stream_live_ms * 1e6)
    moving = moved_s(fleet, record, now_ns) >= 1.0
    found = []
    for promised in record.factsheet.cameras:
        stream = record.streams.get(promised.name)
        if stream is None or not stream.is_live(now_ns, live_ns):
            continue
        width, height = stream.sample.width, stream.sample.height
        if width is not None and height is not None and height < promised.height * POOR_SHARE:
            found.append(promised.name)
        elif moving:
            fps, kbps = stream.rates(now_ns, live_ns)
            pixels = (width or promised.width) * (height or promised.height)
            if fps > 0 and kbps * 1e3 < POOR_BITS * pixels * fps:
                found.append(promised.name)
    return tuple(found)


def moved_s(fleet: Fleet, record: VehicleRecord, now_ns: int) -> float:
    """Return for how long the vehicle has surely been moving; 0: it stands, or nobody knows."""
    at_ns, since_ns = record.telemetry_at_ns, record.moving_since_ns
    if at_ns is None or since_ns is None:
        return 0.0
    if now_ns - at_ns > int(fleet.config.telemetry_stale_s * 1e9):
        return 0.0
    return (now_ns - since_ns) / 1e9


def _add(
    tracks: list[ObjectiveTrack],
    value: float,
    alarmed: list[ObjectiveTrack],
    now_ns: int,
    uncertainty: float = 0.0,
) -> None:
    for track in tracks:
        if track.add(value, uncertainty, now_ns):
            alarmed.append(track)


def _telemetry(
    record: VehicleRecord,
    tracks: list[ObjectiveTrack],
    alarmed: list[ObjectiveTrack],
    now_ns: int,
) -> None:
    message, at_ns = record.telemetry, record.telemetry_at_ns
    if message is None or at_ns is None:
        return
    since_ms = (now_ns - at_ns) / 1e6
    offset = record.clock.offset(now_ns)
    if offset is None:
        for track in tracks:  # only the lower bound is known: it can prove a violation
            if since_ms > track.objective.limit and track.add(since_ms, 0.0, now_ns):
                alarmed.append(track)
        return
    bar = offset.uncertainty_ns / 1e6
    age_ms = (now_ns - message.sent_ns - offset.at_ns) / 1e6
    if age_ms < since_ms - bar:  # stamped later than it can have been sent
        age_ms, bar = since_ms, math.inf
    _add(tracks, age_ms, alarmed, now_ns, bar)


def _pictures(
    fleet: Fleet, record: VehicleRecord, alarmed: list[ObjectiveTrack], now_ns: int
) -> None:
    by = record.supervised.by_indicator
    worst_gap = -1.0
    lowest: float | None = None
    least: float | None = None
    live_ns = int(fleet.config.stream_live_ms * 1e6)
    wants_rate = Indicator.BITRATE in by
    for stream in record.streams.values():
        if stream.sample.kind != "video":
            continue
        at_ns = stream.last_frame_ns
        if at_ns is None:
            at_ns = record.media_expected_ns
        if at_ns is not None:
            worst_gap = max(worst_gap, (now_ns - at_ns) / 1e6)
        height = stream.sample.height
        if height is not None and (lowest is None or height < lowest):
            lowest = float(height)
        if wants_rate:
            kbps = stream.rates(now_ns, live_ns)[1]
            least = kbps if least is None else min(least, kbps)
    if Indicator.FRAME_GAP in by and worst_gap >= 0.0:
        _add(by[Indicator.FRAME_GAP], worst_gap, alarmed, now_ns)
    if Indicator.PICTURE_HEIGHT in by and lowest is not None:
        _add(by[Indicator.PICTURE_HEIGHT], lowest, alarmed, now_ns)
    if wants_rate and least is not None:
        _add(by[Indicator.BITRATE], least, alarmed, now_ns)
