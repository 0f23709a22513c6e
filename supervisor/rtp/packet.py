"""RTP packets: reading and patching the header (RFC 3550 §5.1, RFC 8285)."""

from __future__ import annotations

from struct import Struct
from typing import Final

import msgspec

from protocols.codec import ProtocolError

HEADER: Final = Struct(">BBHII")
"""First byte (V, P, X, CC), second byte (M, PT), sequence, timestamp, SSRC."""

MAX_PACKET: Final = 1_500
"""Bytes; an RTP packet larger than an Ethernet frame is not forwarded."""

_U16: Final = Struct(">H")


class RtpHeader(msgspec.Struct, frozen=True):
    """What one RTP header says.

    Attributes:
        payload_offset: Where the payload begins, after CSRCs and extensions.
        padding: Bytes of padding at the end, its count byte included.
    """

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload_offset: int
    padding: int


def payload_offset(data: bytes) -> int:
    """Return where the payload of an RTP packet begins.

    >>> payload_offset(bytes.fromhex("800000010000000200000003") + b"payload")
    12

    Raises:
        ProtocolError: `malformed`: shorter than its own header says, or version not 2.
    """
    length = len(data)
    if length < 12:
        raise ProtocolError("malformed", f"RTP of {length} bytes")
    first = data[0]
    if first >> 6 != 2:
        raise ProtocolError("malformed", f"RTP version {first >> 6}")
    offset = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        if offset + 4 > length:
            raise ProtocolError("malformed", "RTP header extension cut off")
        offset += 4 + 4 * int(_U16.unpack_from(data, offset + 2)[0])
    if offset > length:
        raise ProtocolError("malformed", "RTP header longer than its packet")
    if first & 0x20 and not 0 < data[-1] <= length - offset:
        raise ProtocolError("malformed", "RTP padding longer than its payload")
    return offset


def parse_rtp(data: bytes) -> RtpHeader:
    """Return the header of an RTP packet.

    Raises:
        ProtocolError: `malformed`.
    """
    offset = payload_offset(data)
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    return RtpHeader(
        bool(second & 0x80),
        second & 0x7F,
        sequence,
        timestamp,
        ssrc,
        offset,
        data[-1] if first & 0x20 else 0,
    )


def _in_one_byte_elements(data: bytes, position: int, end: int, wanted: int) -> bytes | None:
    while position < end:
        head = data[position]
        if head == 0:
            position += 1
            continue
        after = position + 2 + (head & 0x0F)
        if head >> 4 == 15 or after > end:
            return None
        if head >> 4 == wanted:
            return data[position + 1 : after]
        position = after
    return None


def _in_two_byte_elements(data: bytes, position: int, end: int, wanted: int) -> bytes | None:
    while position < end:
        if data[position] == 0:
            position += 1
            continue
        if position + 2 > end:
            return None
        after = position + 2 + data[position + 1]
        if after > end:
            return None
        if data[position] == wanted:
            return data[position + 2 : after]
        position = after
    return None


def find_extension(data: bytes, wanted: int) -> bytes | None:
    """Return the value of header extension `wanted`, None if it is not there.

    Reads both forms of RFC 8285 (one-byte 0xBEDE, two-byte 0x100X). A damaged block
    counts as absent: the packet itself is still good.
    """
    length = len(data)
    if length < 16 or not data[0] & 0x10:
        return None
    start = 16 + 4 * (data[0] & 0x0F)
    if start > length:
        return None
    end = min(length, start + 4 * (data[start - 2] << 8 | data[start - 1]))
    profile = data[start - 4] << 8 | data[start - 3]
    if profile == 0xBEDE:
        return _in_one_byte_elements(data, start, end, wanted)
    if profile & 0xFFF0 == 0x1000:
        return _in_two_byte_elements(data, start, end, wanted)
    return None


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP from RTP on one port (RFC 5761 §4): packet types 192 to 223."""
    return len(data) > 1 and 192 <= data[1] <= 223
