"""What a vehicle wants said or written, in order, until its shell takes it. Pure, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from protocols.topics import Stream
from protocols.vehicle import VehicleEvent

EVENT_REPEAT_NS: Final = 1_000_000_000
MAX_OUTPUTS: Final = 512
MAX_EVENTS: Final = 64


class Publish(NamedTuple):
    """Say this on one of the vehicle's streams."""

    stream: Stream
    message: msgspec.Struct


class Persist(NamedTuple):
    """Write `epoch` to disk, then call `on_epoch_durable` with the same bytes."""

    epoch: int
    data: bytes


class Announcement(NamedTuple):
    """Say this to people in the cabin, or in the street."""

    text: str
    outside: bool


Output = Publish | Persist | Announcement


class Outputs:
    """A queue that drops its oldest, and counts it by `count("outputs_dropped")`."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._waiting: deque[Output] = deque()

    def put(self, output: Output) -> None:
        """Add one."""
        if len(self._waiting) >= MAX_OUTPUTS:
            self._waiting.popleft()
            self._count("outputs_dropped")
        self._waiting.append(output)

    def take(self) -> list[Output]:
        """Return and forget all."""
        if not self._waiting:
            return []
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class EventRepeater:
    """Says an event every second until it is acknowledged; `events_dropped` counts too many."""

    def __init__(self, outputs: Outputs, count: Callable[[str], None]) -> None:
        self._outputs = outputs
        self._count = count
        self._events: dict[str, tuple[VehicleEvent, int]] = {}

    def add(self, event: VehicleEvent, now_ns: int) -> None:
        """Say it now and from now on."""
        while len(self._events) >= MAX_EVENTS:
            self._events.pop(next(iter(self._events)))
            self._count("events_dropped")
        self._events[event.event_id] = (event, now_ns + EVENT_REPEAT_NS)
        self._outputs.put(Publish(Stream.EVENT, event))

    def drop(self, event_id: str) -> None:
        """Say it no more: it is recorded, or over."""
        self._events.pop(event_id, None)

    def on_time(self, now_ns: int) -> None:
        """Say again what is due."""
        if not self._events:
            return
        for event_id, (event, due_ns) in list(self._events.items()):
            if now_ns >= due_ns:
                self._events[event_id] = (event, now_ns + EVENT_REPEAT_NS)
                self._outputs.put(Publish(Stream.EVENT, event))
