"""What silence means: looks at one vehicle and says which alarm conditions hold.

While a link is *silent* nobody can tell yet whether the vehicle or the link is
silent: alarms about its data do not start then, and none that stands goes away. One
tick later the link is either back, and they count, or lost, and they are its
consequence.
"""

from __future__ import annotations

from typing import Final

from protocols.operator import LinkState
from protocols.supervision import FreezeCause, Indicator, Verdict
from supervisor.core.catalogue import (
    CLOCK_UNTRUSTED,
    LINK_DEGRADED,
    LINK_LOST,
    TELEMETRY_STALE,
    VIDEO_FROZEN,
    VIDEO_LATE,
    VIDEO_POOR,
)
from supervisor.core.effects import AnyEffect
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.objectives import PURPOSES


def watch_vehicle(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Bring link, staleness and their alarms up to date. Safe early, late or twice."""
    effects: list[AnyEffect] = []
    if record.link.on_time(now_ns):
        effects.append(record.show)
    link = record.link.state
    if link is not record.link_looked:
        record.link_looked, record.link_since_ns = link, now_ns
    alarms = fleet.alarms
    name = record.name_text
    if link is LinkState.LOST:
        alarms.note_cell(name, cell_of(record))
    if link is not LinkState.UNKNOWN:  # after a start of the hub silence is not "back"
        effects += alarms.set(LINK_LOST, name, link is LinkState.LOST, now_ns)
    stale = is_stale(fleet, record, now_ns)
    if stale is not record.stale:
        record.stale = stale
        effects.append(record.show)
    record.gaps = frozen_cameras(fleet, record, now_ns)
    if link is LinkState.DEGRADED and record.link.is_silent:
        alarms.hold(TELEMETRY_STALE, name)
        alarms.hold(VIDEO_FROZEN, name)
    else:
        effects += alarms.set(TELEMETRY_STALE, name, stale, now_ns)
        detail = frozen_detail(record)
        effects += alarms.set(VIDEO_FROZEN, name, bool(detail), now_ns, detail)
    live_ns = int(fleet.config.stream_live_ms * 1e6)
    live = tuple(n for n, stream in record.streams.items() if stream.is_live(now_ns, live_ns))
    if live != record.live_shown:
        record.live_shown = live
        effects.append(record.show)
    return effects


def cell_of(record: VehicleRecord) -> str:
    """Return the radio cell it was in last, as far as it says."""
    message = record.telemetry
    return "" if message is None or message.radio is None else message.radio.cell_id


def watch_quality(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Bring the alarms about how well it can be seen and reached up to date; twice a second."""
    alarms, name, link = fleet.alarms, record.name_text, record.link.state
    effects: list[AnyEffect] = []
    if link is LinkState.DEGRADED:
        alarms.hold(CLOCK_UNTRUSTED, name)
    else:
        untrusted = link is LinkState.ONLINE and not record.clock.is_trusted(now_ns)
        effects += alarms.set(CLOCK_UNTRUSTED, name, untrusted, now_ns)
    slow = slow_link(fleet, record)
    effects += alarms.set(LINK_DEGRADED, name, bool(slow), now_ns, slow)
    kept = record.supervised
    effects += alarms.set(VIDEO_POOR, name, bool(kept.poor), now_ns, ", ".join(kept.poor))
    late = late_picture(record)
    effects += alarms.set(VIDEO_LATE, name, bool(late), now_ns, late)
    return effects


def slow_link(fleet: Fleet, record: VehicleRecord) -> str:
    """Return why a link that is there is not good, or an empty text."""
    if record.link.state is LinkState.DEGRADED:
        silent = record.link.is_silent
        return "heartbeats are missing" if silent else "the vehicle does not hear the hub"
    trip_ns = record.clock.round_trip_ns()
    if record.link.state is not LinkState.ONLINE or trip_ns is None:
        return ""
    trip_ms = trip_ns / 1e6
    return f"{trip_ms:.0f} ms" if trip_ms > fleet.config.link_slow_ms else ""


def late_picture(record: VehicleRecord) -> str:
    """Return the objective for the age of the picture that is violated, of those whose
    purpose is in use; an empty text if none is."""
    kept = record.supervised
    in_use = PURPOSES.index(kept.purpose)
    for track in kept.by_indicator.get(Indicator.G2G, ()):
        objective = track.objective
        if (
            track.verdict is Verdict.VIOLATED
            and objective.key in kept.here
            and PURPOSES.index(objective.purpose) <= in_use
        ):
            return objective.key
    return ""


def is_stale(fleet: Fleet, record: VehicleRecord, now_ns: int) -> bool:
    """Return whether telemetry is due and old. A vehicle that is off owes none."""
    if record.link.state is LinkState.OFFLINE or record.link.state is LinkState.UNKNOWN:
        return False
    due_ns = record.telemetry_expected_ns
    if due_ns is None:
        return False
    at_ns = record.telemetry_at_ns
    if at_ns is not None and at_ns > due_ns:
        due_ns = at_ns
    return now_ns - due_ns > int(fleet.config.telemetry_stale_s * 1e9)


_FROZEN: Final = {
    FreezeCause.CONTENT: "one picture repeated",
    FreezeCause.PRESENTATION: "arrives, not displayed",
}


def frozen_detail(record: VehicleRecord) -> str:
    """Return which pictures stand still and where; an empty text if none does.

    A camera from which nothing arrives (`*`: from none) is said by its name alone.
    """
    if not record.supervised.frozen:
        return ", ".join(record.gaps)
    known = [
        f"{f.camera} ({_FROZEN[f.cause]})"
        for f in record.supervised.frozen
        if f.cause is not FreezeCause.GAP and f.camera not in record.gaps
    ]
    return ", ".join([*record.gaps, *known])


def frozen_cameras(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[str]:
    """Return the cameras whose picture has stopped although it is expected.

    Expected is a picture from when the vehicle first published until it says goodbye;
    a publisher that went away while its link lives counts as stopped.
    """
    if record.media_expected_ns is None or record.link.state is LinkState.OFFLINE:
        return []
    late_ns = now_ns - int(fleet.config.frame_frozen_ms * 1e6)
    frozen = []
    has_video = False
    for stream in record.streams.values():
        if stream.sample.kind != "video":
            continue
        has_video = True
        at_ns = stream.last_frame_ns
        if at_ns is None:
            at_ns = record.media_expected_ns
        if at_ns < late_ns:
            frozen.append(stream.sample.camera)
    if not has_video and record.media_expected_ns < late_ns:
        has_cameras = record.factsheet is not None and bool(record.factsheet.cameras)
        return ["*"] if has_cameras else []
    return frozen
