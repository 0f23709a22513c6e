"""What a seat says on its standard output, one JSON message a line.

Every `at_ns` is CLOCK_MONOTONIC, the same for all processes of a machine.
"""

from __future__ import annotations

import msgspec


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """The seat gets media (again)."""

    at_ns: int


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """One picture was decoded.

    Attributes:
        frame: Number in its strip; None if the strip could not be read.
        captured_ms: From the strip: since 1970, modulo 2^40.
        age_ms: Decoding minus capture, both on this machine's wall clock.
        lost, skipped: See `receiver.Picture`.
    """

    at_ns: int
    frame: int | None
    captured_ms: int
    age_ms: float
    rtp_ts: int
    keyframe: bool
    lost: int
    skipped: int


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """Totals since the seat began, ten times a second.

    Attributes:
        octets: RTP payload of video, sent again or not.
        again, again_octets: Packets that came as retransmissions (RFC 4588).
        asked, keyframes_asked: Packets and keyframes this seat asked for.
    """

    at_ns: int
    packets: int
    octets: int
    again: int
    again_octets: int
    duplicates: int
    repaired: int
    lost: int
    asked: int
    keyframes_asked: int


class Vehicle(msgspec.Struct, frozen=True, tag="vehicle"):
    """The console's view of the vehicle changed.

    Attributes:
        gaps: Telemetry messages the hub knows to have missed.
        live: Packets of the first camera arrive at the hub.
        loss: Of the first camera on the way to the hub, before repair.
    """

    at_ns: int
    link: str
    media: bool
    live: bool
    gaps: int
    speed_mps: float | None
    clock_uncertainty_ms: float | None
    loss: float | None
    kbps: float | None


class Alarm(msgspec.Struct, frozen=True, tag="alarm"):
    """An alarm changed its state."""

    at_ns: int
    id: str
    key: str
    state: str
    raised_ns: int


class Command(msgspec.Struct, frozen=True, tag="command"):
    """A command made a step."""

    at_ns: int
    id: str
    kind: str
    state: str


class Telemetry(msgspec.Struct, frozen=True, tag="telemetry"):
    """A telemetry message came through the broker."""

    at_ns: int
    session: str
    seq: int


class Result(msgspec.Struct, frozen=True, tag="result"):
    """The vehicle answered a command at the broker; it answers a repetition as before.

    Attributes:
        vehicle_at_ns: When the effect was, on the vehicle's clock: each has its own.
    """

    at_ns: int
    id: str
    outcome: str
    vehicle_at_ns: int = 0


class Trouble(msgspec.Struct, frozen=True, tag="trouble"):
    """Something did not work; the seat goes on."""

    at_ns: int
    text: str


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """To the seat: stop the vehicle under this command id."""

    command_id: str


Said = Connected | Shown | Counts | Vehicle | Alarm | Command | Result | Telemetry | Trouble

decoder = msgspec.json.Decoder(Said)
asked = msgspec.json.Decoder(Stop)
