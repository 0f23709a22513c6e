"""What the media worker reports about a vehicle's publisher."""

from __future__ import annotations

from typing import Final

from protocols.vehicle import MAX_CAMERAS
from supervisor.core.effects import AnyEffect, Count
from supervisor.core.events import LinkSampled, PublisherChanged
from supervisor.core.fleet import Fleet
from supervisor.core.sampling import moved_s
from supervisor.core.streams import StreamTrack
from supervisor.core.watch import watch_vehicle

MAX_STREAMS: Final = MAX_CAMERAS + 1
"""Every camera of a factsheet, and sound."""

FIRST_FRAME_NS: Final = 5_000_000_000
"""A publisher has this long from its connection to its first picture."""


def on_publisher(fleet: Fleet, event: PublisherChanged, now_ns: int) -> list[AnyEffect]:
    """A publisher session begins or ends; the end of a replaced one means nothing."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [Count("unknown_vehicle")]
    if event.connected:
        record.media_session = event.session
        record.streams = {}
        record.media_expected_ns = now_ns + FIRST_FRAME_NS
    elif event.session == record.media_session:
        record.media_session = ""
    else:
        return [Count("media", "other_session")]
    return [record.show, *watch_vehicle(fleet, record, now_ns)]


def on_sampled(fleet: Fleet, event: LinkSampled, now_ns: int) -> list[AnyEffect]:
    """Ten times a second: totals of each stream."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [Count("unknown_vehicle")]
    if event.session != record.media_session:
        return [Count("media", "other_session")]
    effects: list[AnyEffect] = [record.show]
    streams = record.streams
    seen: dict[str, StreamTrack] = {}
    moving_s = moved_s(fleet, record, now_ns)
    for sample in event.streams[:MAX_STREAMS]:
        stream = streams.get(sample.camera)
        if stream is None:
            stream = StreamTrack(sample, now_ns)
        else:
            stream.on_sample(sample, now_ns, moving_s)
        if not stream.map_clock(record.clock, now_ns):
            effects.append(Count("clock", "report_implausible"))
        seen[sample.camera] = stream
    record.streams = seen
    return effects
