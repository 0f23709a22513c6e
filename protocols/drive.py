"""Direct driving: control frames from the console to the vehicle, 20 to 50 a second.

A frame is a 32-byte tag followed by the JSON of the message, in one binary message on the
data channel "command", or, while that does not carry, as the payload of the MQTT stream
`drive` (QoS 0, never retained) through the hub. The vehicle takes frames from both and
obeys each `seq` once. Frames are never repeated and never kept.

Tags are HMAC-SHA256 (RFC 2104) over the JSON *as sent*, keyed with a key that the hub
derives from the vehicle's command key and gives to one console:

    drive key   HMAC(command key, "enkan drive" 0 vehicle 0 epoch 0 holder)
    stop key    HMAC(command key, "enkan stop" 0 vehicle 0 account)

The drive key is worth nothing after its epoch. The stop key can only stop, and needs no
control. So neither the media worker nor the broker has to be trusted.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from protocols.codec import ProtocolError, decode, encode, finite
from protocols.fields import Counter, Nanoseconds, Token
from protocols.topics import VehicleId

TAG_BYTES: Final = 32
MAX_FRAME_BYTES: Final = 1_024
"""One SCTP packet."""
FRAME_TTL_MS: Final = 300
"""A frame older than this on the vehicle's clock is refused."""
DEADMAN_MS: Final = 400
"""Without a valid frame with the dead-man pressed for so long, driving ends: with the
vehicle's own step of 50 ms the effect is gone within 500 ms."""


class DriveFrame(msgspec.Struct, frozen=True, tag="drive", forbid_unknown_fields=True):
    """What the driver wants now. Complete in itself: a lost frame is replaced by the next.

    Attributes:
        session_id: The vehicle session it is meant for.
        epoch: Of the control held.
        seq: Strictly rising within the epoch, over both paths.
        issued_ns: *Vehicle* monotonic clock at issue, as the console knows it through the
            hub; later than the truth by no more than the error bars.
        deadman: The dead-man is pressed, in a visible, focused tab.
        speed_mps: Wanted speed, m/s, forward; the vehicle's limits stay.
        curvature: Wanted path curvature, 1/m, positive to the left (ISO 8855).
        brake: 0 to 1; above 0.1 it wins over any speed.
    """

    session_id: Token
    epoch: Counter
    seq: Counter
    issued_ns: Nanoseconds
    deadman: bool
    speed_mps: Annotated[float, Meta(ge=0, le=20)] = 0.0
    curvature: Annotated[float, Meta(ge=-0.5, le=0.5)] = 0.0
    brake: Annotated[float, Meta(ge=0, le=1)] = 0.0


class StopFrame(msgspec.Struct, frozen=True, tag="emergency_stop", forbid_unknown_fields=True):
    """The emergency stop's direct path. Obeyed from any account whose stop key fits,
    whoever holds control, at any age; the same `command_id` comes over the hub too and has
    one effect.

    Attributes:
        operator: Account; names the key.
    """

    command_id: Token
    operator: Token


Frame = DriveFrame | StopFrame


class DriveEcho(msgspec.Struct, frozen=True, tag="drive_echo"):
    """V→console on the data channel, and in `Heartbeat.drive`: how far frames have come,
    ten times a second while control is held for driving.

    Attributes:
        epoch: Of the control held.
        seq: Newest accepted frame; -1: none yet.
        at_ns: When it was accepted, *vehicle* monotonic clock; 0: never.
        driving: The newest valid frame has the dead-man pressed and is obeyed.
        by_hub: The newest accepted frame came over the hub.
        refused: Frames refused since control was taken, by reason.
    """

    epoch: Counter
    seq: Annotated[int, Meta(ge=-1, le=2**53 - 1)] = -1
    at_ns: Nanoseconds = 0
    driving: bool = False
    by_hub: bool = False
    refused: Annotated[dict[Token, Counter], Meta(max_length=32)] = {}


def drive_key(command_key: bytes, vehicle_id: VehicleId, epoch: int, holder: str) -> bytes:
    """Return the key of one holder's frames during one epoch."""
    return _derive(command_key, "enkan drive", str(vehicle_id), str(epoch), holder)


def stop_key(command_key: bytes, vehicle_id: VehicleId, account: str) -> bytes:
    """Return the key with which one account can stop one vehicle, and nothing else."""
    return _derive(command_key, "enkan stop", str(vehicle_id), account)


def seal(frame: Frame, key: bytes) -> bytes:
    """Return the frame as it travels."""
    payload = encode(frame)
    return _tag(payload, key) + payload


def read(data: bytes) -> Frame:
    """Return the frame in `data`, its tag *not* checked: call `sealed_by` before obeying.

    Raises:
        ProtocolError: `oversize`, `malformed`, `out_of_range`.
    """
    if len(data) <= TAG_BYTES:
        raise ProtocolError("malformed", f"{len(data)} bytes, shorter than its tag")
    if len(data) > MAX_FRAME_BYTES:
        raise ProtocolError("oversize", f"{len(data)} bytes, at most {MAX_FRAME_BYTES}")
    frame: Frame = decode(data[TAG_BYTES:], Frame, limit=MAX_FRAME_BYTES)
    if isinstance(frame, DriveFrame):
        finite(frame.speed_mps, 0.0, 20.0, "speed_mps")
        finite(frame.curvature, -0.5, 0.5, "curvature")
        finite(frame.brake, 0.0, 1.0, "brake")
    return frame


def sealed_by(data: bytes, key: bytes) -> bool:
    """Return whether these very bytes carry the key's tag."""
    return hmac.compare_digest(data[:TAG_BYTES], _tag(data[TAG_BYTES:], key))


def _tag(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, payload, hashlib.sha256)


def _derive(command_key: bytes, *parts: str) -> bytes:
    return hmac.digest(command_key, b"\0".join(part.encode() for part in parts), hashlib.sha256)
