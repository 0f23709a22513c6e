"""The tag of a command: who made it, for whom, and that nobody changed it.

HMAC-SHA256 (RFC 2104) over the canonical JSON of the command without its tag,
keyed with a secret that only the hub and that one vehicle hold, and bound to the
vehicle's full name. The broker and every other vehicle need not be trusted.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from protocols.codec import encode
from protocols.topics import VehicleId
from protocols.vehicle import Command

KEY_BYTES: Final = 32


def sign(command: Command, vehicle_id: VehicleId, key: bytes) -> Command:
    """Return `command` with its tag set."""
    return command.with_tag(_tag(command, vehicle_id, key))


def verify(command: Command, vehicle_id: VehicleId, key: bytes) -> bool:
    """Return whether the tag belongs to this command, vehicle and key."""
    expected = _tag(command, vehicle_id, key)
    return hmac.compare_digest(command.tag.encode(), expected.encode())


def _tag(command: Command, vehicle_id: VehicleId, key: bytes) -> str:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a command key has {KEY_BYTES} bytes, this one has {len(key)}")
    message = str(vehicle_id).encode() + b"\0" + encode(command.with_tag(""))
    return hmac.new(key, message, hashlib.sha256).hexdigest()
