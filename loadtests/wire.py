"""Formats on the wire: RTP headers, RTCP reports and feedback, and the trailer.

The trailer is what makes the measurement exact. Every packet ends with it, so that a
watcher knows which packet of which stream arrived and when it left:

    sent_ns  u64   CLOCK_MONOTONIC of the sender, which is machine-wide on Linux
    index    u32   counts the packets of a stream from 0; unlike the RTP sequence number
                   it passes through a forwarder unchanged
    stream   u16   the stream's number
    magic    u16   says that these bytes are a trailer

In decodable video the trailer is carried as RTP padding (RFC 3550 §5.1), which a
decoder never sees; the padding count is then one more byte behind the trailer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

RTP_HEADER: Final = struct.Struct("!BBHII")
TRAILER: Final = struct.Struct("!QIHH")
TRAILER_MAGIC: Final = 0xEB1C
PADDING: Final = bytes([TRAILER.size + 1])
PADDING_BIT: Final = 0x20
EXTENSION_BIT: Final = 0x10

SR: Final = 200
RR: Final = 201
SDES: Final = 202
RTPFB: Final = 205
PSFB: Final = 206

NACK_FORMAT: Final = 1
TRANSPORT_CC_FORMAT: Final = 15
PLI_FORMAT: Final = 1
FIR_FORMAT: Final = 4
REMB_FORMAT: Final = 15

_RTCP_HEADER: Final = struct.Struct("!BBH")
_NTP_UNIX: Final = 2_208_988_800


class WireError(Exception):
    """Bytes that are not what they should be."""


class Rtcp(NamedTuple):
    """One packet of an RTCP compound.

    Attributes:
        code: The five bits that mean report count or feedback format.
        body: Everything behind the four-byte header.
    """

    packet_type: int
    code: int
    body: bytes


def is_rtcp(data: bytes) -> bool:
    """Return whether a datagram is RTCP when RTP and RTCP share a port (RFC 5761 §4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def parse_rtcp(data: bytes) -> Iterator[Rtcp]:
    """Yield the packets of a compound.

    Raises:
        WireError: It is cut short or not version 2.
    """
    position = 0
    while position < len(data):
        if position + 4 > len(data):
            raise WireError("RTCP header cut short")
        first, packet_type, words = _RTCP_HEADER.unpack_from(data, position)
        end = position + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise WireError("RTCP packet malformed")
        yield Rtcp(packet_type, first & 0x1F, data[position + 4 : end])
        position = end


def nacked(body: bytes) -> list[int]:
    """Return the sequence numbers of a generic NACK's body (RFC 4585 §6.2.1)."""
    sequences: list[int] = []
    for position in range(8, len(body) - 3, 4):
        pid, mask = struct.unpack_from("!HH", body, position)
        sequences.append(pid)
        sequences.extend((pid + 1 + bit) & 0xFFFF for bit in range(16) if mask >> bit & 1)
    return sequences


def ntp(utc_ns: int) -> int:
    """Return the 64-bit NTP timestamp of nanoseconds since 1970 (RFC 3550 §4)."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    return (seconds + _NTP_UNIX) << 32 | (rest << 32) // 1_000_000_000


def sender_report(ssrc: int, ntp_time: int, rtp_ts: int, packets: int, octets: int) -> bytes:
    """Return SR + SDES (RFC 3550 §6.4.1, §6.5)."""
    report = struct.pack(
        "!BBHIQIII",
        0x80,
        SR,
        6,
        ssrc,
        ntp_time,
        rtp_ts & 0xFFFF_FFFF,
        packets & 0xFFFF_FFFF,
        octets & 0xFFFF_FFFF,
    )
    return report + _source_description(ssrc)


def receiver_report(
    sender: int, media: int, lost: int, highest: int, last_sr: int, delay: int
) -> bytes:
    """Return RR with one block + SDES (RFC 3550 §6.4.2); jitter is reported as 0.

    Args:
        sender: Our SSRC.
        media: The SSRC reported on.
        lost: Cumulative number of packets lost.
        highest: Extended highest sequence number.
        last_sr: Middle 32 bits of the newest SR's NTP time, 0 if none came.
        delay: Time since then in 1/65536 s.
    """
    report = struct.pack(
        "!BBHIIIIIII",
        0x81,
        RR,
        7,
        sender,
        media,
        min(max(lost, 0), 0x7F_FFFF),
        highest & 0xFFFF_FFFF,
        0,
        last_sr,
        delay,
    )
    return report + _source_description(sender)


def picture_loss_indication(sender: int, media: int) -> bytes:
    """Return a PLI (RFC 4585 §6.3.1)."""
    return struct.pack("!BBHII", 0x80 | PLI_FORMAT, PSFB, 2, sender, media)


def negative_acknowledgement(sender: int, media: int, sequence: int) -> bytes:
    """Return a generic NACK for one sequence number (RFC 4585 §6.2.1)."""
    return struct.pack(
        "!BBHIIHH", 0x80 | NACK_FORMAT, RTPFB, 3, sender, media, sequence & 0xFFFF, 0
    )


def negative_acknowledgements(sender: int, media: int, sequences: Sequence[int]) -> bytes:
    """Return one generic NACK for many sequence numbers, given in rising order."""
    pairs: list[list[int]] = []
    for sequence in sequences:
        distance = (sequence - pairs[-1][0]) & 0xFFFF if pairs else 0
        if pairs and 1 <= distance <= 16:
            pairs[-1][1] |= 1 << (distance - 1)
        else:
            pairs.append([sequence & 0xFFFF, 0])
    body = b"".join(struct.pack("!HH", *pair) for pair in pairs)
    head = struct.pack("!BBHII", 0x80 | NACK_FORMAT, RTPFB, 2 + len(pairs), sender, media)
    return head + body


def _source_description(ssrc: int) -> bytes:
    return struct.pack("!BBHIBB8sH", 0x81, SDES, 4, ssrc, 1, 8, b"loadtest", 0)
