"""Bytes to messages and back, with limits and one declared error.

Every reader of foreign bytes calls `decode` and handles `ProtocolError`; nothing
else leaves this module, whatever the bytes are.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

MAX_MQTT_PAYLOAD: Final = 65_536
"""Bytes of one MQTT payload; an event with a still is the largest."""

MAX_WEBSOCKET_MESSAGE: Final = 65_536
"""Bytes of one console message after inflating."""


class ProtocolError(Exception):
    """A peer sent something outside the contract.

    Attributes:
        reason: A short constant, fit for a metric label (`oversize`, `malformed`,
            `not_finite`, `bad_name`, `bad_topic`, `bad_sdp`, ...).
        detail: What exactly, for a log line or an error answer. Holds no secret.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


_encoder = msgspec.json.Encoder()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(message: msgspec.Struct) -> bytes:
    """Return the JSON of one message (UTF-8, no white space)."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[T] | Any, *, limit: int = MAX_MQTT_PAYLOAD) -> T:
    """Return the message of type `kind` in `data`.

    Args:
        data: JSON, UTF-8.
        kind: A Struct or a tagged union of Structs from this package.
        limit: Greatest accepted size in bytes.

    Raises:
        ProtocolError: `oversize`, `malformed` (not JSON, or not of this type).
    """
    if len(data) > limit:
        raise ProtocolError("oversize", f"{len(data)} bytes, at most {limit}")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        message: T = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError("malformed", str(error)[:200]) from error
    return message


def finite(value: float, low: float, high: float, what: str) -> float:
    """Return `value` if it is a number in [low, high].

    JSON has no NaN, and the decoder refuses `1e999`; other sources may hold either.

    Raises:
        ProtocolError: `not_finite` or `out_of_range`.
    """
    if not math.isfinite(value):
        raise ProtocolError("not_finite", f"{what} is {value}")
    if not low <= value <= high:
        raise ProtocolError("out_of_range", f"{what} is {value}, allowed {low} to {high}")
    return value
