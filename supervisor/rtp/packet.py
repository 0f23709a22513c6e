"""RTP packets: reading and patching the header (RFC 3550 §5.1, RFC 8285)."""

from __future__ import annotations

from collections.abc import Callable
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


def _one_byte_elements(block: bytes, wanted: int) -> bytes | None:
    position = 0
    while position < len(block):
        head = block[position]
        if head == 0:
            position += 1
            continue
        if head >> 4 == 15:
            return None
        size = (head & 0x0F) + 1
        if position + 1 + size > len(block):
            return None
        if head >> 4 == wanted:
            return block[position + 1 : position + 1 + size]
        position += 1 + size
    return None


def _two_byte_elements(block: bytes, wanted: int) -> bytes | None:
    position = 0
    while position < len(block):
        if block[position] == 0:
            position += 1
            continue
        if position + 2 > len(block):
            return None
        size = block[position + 1]
        if position + 2 + size > len(block):
            return None
        if block[position] == wanted:
            return block[position + 2 : position + 2 + size]
        position += 2 + size
    return None


def find_extension(data: bytes, wanted: int) -> bytes | None:
    """Return the value of header extension `wanted`, None if it is not there.

    Reads both forms of RFC 8285 (one-byte 0xBEDE, two-byte 0x100X). A damaged block
    counts as absent: the packet itself is still good.
    """
    if len(data) < 16 or not data[0] & 0x10:
        return None
    start = 12 + 4 * (data[0] & 0x0F)
    if start + 4 > len(data):
        return None
    (profile,) = _U16.unpack_from(data, start)
    (words,) = _U16.unpack_from(data, start + 2)
    block = data[start + 4 : start + 4 + 4 * words]
    read: Callable[[bytes, int], bytes | None]
    if profile == 0xBEDE:
        read = _one_byte_elements
    elif profile & 0xFFF0 == 0x1000:
        read = _two_byte_elements
    else:
        return None
    return read(block, wanted)


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP from RTP on one port (RFC 5761 §4): packet types 192 to 223."""
    return len(data) > 1 and 192 <= data[1] <= 223
