"""From an MQTT message to an event of the core, or to a counted refusal.

Everything that can be wrong with a message is settled here: its topic, its size, its
form, its numbers, its retained flag, and how many come. A refusal concerns the one
message; a flood concerns the one vehicle.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from protocols import vehicle
from protocols.codec import ProtocolError, decode
from protocols.topics import RULES, Stream, VehicleId, parse_topic
from supervisor.core import events
from supervisor.counters import Counters

log = logging.getLogger("enkan.telemetry")

REFUSED: Final = "telemetry_refused"
BURST_S: Final = 5.0
"""A vehicle that was cut off may send this many seconds' worth at once."""


class _Kind(NamedTuple):
    message: Any
    event: Callable[..., events.AnyEvent]


KINDS: Final[Mapping[Stream, _Kind]] = {
    Stream.CONNECTION: _Kind(vehicle.Connection, events.ConnectionReceived),
    Stream.FACTSHEET: _Kind(vehicle.Factsheet, events.FactsheetReceived),
    Stream.STATE: _Kind(vehicle.State, events.StateReceived),
    Stream.TELEMETRY: _Kind(vehicle.Telemetry, events.TelemetryReceived),
    Stream.HEARTBEAT: _Kind(vehicle.Heartbeat, events.HeartbeatReceived),
    Stream.EVENT: _Kind(vehicle.VehicleEvent, events.VehicleEventReceived),
    Stream.CMD_RESULT: _Kind(vehicle.CommandResult, events.CommandResultReceived),
}


class Budget:
    """A token bucket: one vehicle's share of the hub."""

    __slots__ = ("_at_ns", "_burst", "_left", "_per_ns")

    def __init__(self, per_s: float) -> None:
        self._per_ns = per_s / 1e9
        self._burst = self._left = per_s * BURST_S
        self._at_ns: int | None = None

    def take(self, now_ns: int) -> bool:
        """Return whether one more message fits."""
        if self._at_ns is not None:
            self._left = min(self._burst, self._left + (now_ns - self._at_ns) * self._per_ns)
        self._at_ns = now_ns
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Inbox:
    """Turns messages of known vehicles into events.

    Args:
        vehicles: The configured vehicles; others are counted and not decoded.
        per_s: Messages one vehicle may send on average.
        counters: Gets `telemetry_refused` by reason.
    """

    def __init__(
        self, vehicles: Mapping[VehicleId, object], per_s: float, counters: Counters
    ) -> None:
        self._budgets = {vehicle_id: Budget(per_s) for vehicle_id in vehicles}
        self._counters = counters
        self._told: set[tuple[VehicleId | None, str]] = set()

    def read(
        self, topic: str, payload: bytes, retained: bool, now_ns: int
    ) -> events.AnyEvent | None:
        """Return the event, or None if the message was refused and counted."""
        vehicle_id: VehicleId | None = None
        try:
            vehicle_id, stream = parse_topic(topic)
            budget = self._budgets.get(vehicle_id)
            if budget is None:
                vehicle_id = None
                raise ProtocolError("unknown_vehicle", "not in the configuration")
            if not budget.take(now_ns):
                raise ProtocolError("rate", "more messages than one vehicle may send")
            kind = KINDS.get(stream)
            if kind is None:
                raise ProtocolError("wrong_direction", f"{stream} is for the hub to say")
            if retained and not RULES[stream].retain:
                raise ProtocolError("retained", f"{stream} must not be retained")
            message = decode(payload, kind.message)
            check = getattr(message, "check", None)
            if check is not None:
                check()
        except ProtocolError as error:
            self._refuse(vehicle_id, error)
            return None
        if stream is Stream.STATE:
            return events.StateReceived(vehicle_id, message, retained)
        return kind.event(vehicle_id, message)

    def _refuse(self, vehicle_id: VehicleId | None, error: ProtocolError) -> None:
        self._counters.add(REFUSED, error.reason)
        place = (vehicle_id, error.reason)
        if place not in self._told:  # bounded: configured vehicles times reasons
            self._told.add(place)
            log.warning("message of %s refused: %s", vehicle_id or "a stranger", error)
