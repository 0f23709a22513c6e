"""What the media worker reports about a vehicle's publisher."""

from __future__ import annotations

from typing import Final

from protocols.vehicle import MAX_CAMERAS
from supervisor.core import supervise
from supervisor.core.effects import AnyEffect, Count
from supervisor.core.events import ClockExchanged, HubUnheard, LinkSampled, PublisherChanged
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
    changed = record.link.on_other_path(now_ns)
    effects = [record.show, *watch_vehicle(fleet, record, now_ns)]
    return effects + supervise.on_link(fleet, record, now_ns) if changed else effects


def on_clock(fleet: Fleet, event: ClockExchanged, now_ns: int) -> list[AnyEffect]:
    """One exchange over the data channel: it sets the clock of its own session alone."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [Count("unknown_vehicle")]
    if event.session != record.media_session:
        return [Count("media", "other_session")]
    if event.vehicle_session != record.session_id:
        return [Count("clock", "other_session")]
    problem = record.clock.on_exchange(
        event.asked_ns, event.received_ns, event.sent_ns, event.answered_ns, beat=False
    )
    effects: list[AnyEffect] = [Count("clock", problem)] if problem else []
    if record.link.on_answered(event.asked_ns, now_ns):
        effects.append(record.show)
        effects += supervise.on_link(fleet, record, now_ns)
    return effects


def on_unheard(fleet: Fleet, event: HubUnheard, now_ns: int) -> list[AnyEffect]:
    """The vehicle is heard and hears nothing: its link goes one way."""
    record = fleet.vehicles.get(event.vehicle_id)
    if record is None:
        return [Count("unknown_vehicle")]
    if event.session != record.media_session:
        return [Count("media", "other_session")]
    if event.vehicle_session != record.session_id:
        return [Count("link", "other_session")]
    effects: list[AnyEffect] = [Count("link", "unheard")]
    if record.link.on_unheard(event.at_ns, now_ns):
        effects += [record.show, *watch_vehicle(fleet, record, now_ns)]
        effects += supervise.on_link(fleet, record, now_ns)
    return effects


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
