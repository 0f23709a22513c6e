"""The MQTT topic grammar: `enkan/v1/{site}/{vehicle}/{stream}`.

Stream names may have one inner slash (`cmd/result`). The table below is the whole
contract; direction, quality of service and retention are part of it, because a
retained command would be executed by a vehicle that starts a week later.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from protocols.codec import ProtocolError
from protocols.ids import check_name

PREFIX: Final = "enkan/v1"
MAX_TOPIC_LENGTH: Final = 128


class Stream(enum.StrEnum):
    """The last part of a topic."""

    CONNECTION = "connection"
    FACTSHEET = "factsheet"
    STATE = "state"
    TELEMETRY = "telemetry"
    HEARTBEAT = "heartbeat"
    HEARTBEAT_HUB = "heartbeat/hub"
    EVENT = "event"
    EVENT_ACK = "event/ack"
    CMD = "cmd"
    CMD_RESULT = "cmd/result"
    DRIVE = "drive"


class Rule(NamedTuple):
    """How one stream is carried."""

    from_vehicle: bool
    qos: int
    retain: bool


RULES: Final[dict[Stream, Rule]] = {
    Stream.CONNECTION: Rule(True, 1, True),
    Stream.FACTSHEET: Rule(True, 1, True),
    Stream.STATE: Rule(True, 1, True),
    Stream.TELEMETRY: Rule(True, 0, False),
    Stream.HEARTBEAT: Rule(True, 0, False),
    Stream.HEARTBEAT_HUB: Rule(False, 0, False),
    Stream.EVENT: Rule(True, 1, False),
    Stream.EVENT_ACK: Rule(False, 1, False),
    Stream.CMD: Rule(False, 1, False),
    Stream.CMD_RESULT: Rule(True, 1, False),
    Stream.DRIVE: Rule(False, 0, False),
}


class VehicleId(NamedTuple):
    """A vehicle's full name. Sorts by site, then vehicle."""

    site: str
    vehicle: str

    def __str__(self) -> str:
        return f"{self.site}/{self.vehicle}"

    @classmethod
    def parse(cls, text: str) -> VehicleId:
        """Return the id in `site/vehicle`.

        Raises:
            ProtocolError: `bad_name`.
        """
        site, slash, vehicle = text.partition("/")
        if not slash:
            raise ProtocolError("bad_name", f"{text[:64]!r}: expected site/vehicle")
        return cls(check_name(site, "site"), check_name(vehicle, "vehicle"))


class Topic(NamedTuple):
    """One parsed topic."""

    vehicle_id: VehicleId
    stream: Stream

    def __str__(self) -> str:
        return f"{PREFIX}/{self.vehicle_id.site}/{self.vehicle_id.vehicle}/{self.stream}"


_STREAMS: Final[dict[str, Stream]] = {stream.value: stream for stream in Stream}


def parse_topic(text: str) -> Topic:
    """Return the parts of a topic.

    >>> parse_topic("enkan/v1/maebashi/bus-01/cmd/result").stream.value
    'cmd/result'

    Raises:
        ProtocolError: `bad_topic` or `bad_name`.
    """
    if len(text) > MAX_TOPIC_LENGTH:
        raise ProtocolError("bad_topic", f"{len(text)} characters, at most {MAX_TOPIC_LENGTH}")
    parts = text.split("/", 4)
    if len(parts) != 5 or parts[0] != "enkan" or parts[1] != "v1":
        raise ProtocolError("bad_topic", f"{text!r}: expected {PREFIX}/site/vehicle/stream")
    stream = _STREAMS.get(parts[4])
    if stream is None:
        raise ProtocolError("bad_topic", f"unknown stream {parts[4]!r}")
    return Topic(VehicleId(check_name(parts[2], "site"), check_name(parts[3], "vehicle")), stream)


def topic_for(vehicle_id: VehicleId, stream: Stream) -> str:
    """Return the topic text of one vehicle's stream."""
    return str(Topic(vehicle_id, stream))


def hub_subscriptions() -> list[tuple[str, int]]:
    """Return the filters and qualities of service a hub subscribes to."""
    return [
        (f"{PREFIX}/+/+/{stream}", rule.qos) for stream, rule in RULES.items() if rule.from_vehicle
    ]
