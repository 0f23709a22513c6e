"""RTCP: the packets a forwarder reads and writes.

SR, RR, SDES, BYE (RFC 3550 §6.4 to §6.6); NACK and PLI (RFC 4585 §6.2.1, §6.3.1);
FIR (RFC 5104 §4.3.1); REMB (draft-alvestrand-rmcat-remb-03 §2.2). Other types are
skipped. One compound packet is at most one datagram; whatever the bytes are, only
`ProtocolError` leaves `parse`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Final

import msgspec

from protocols.codec import ProtocolError

_HEAD: Final = Struct(">BBH")
_SSRC: Final = Struct(">I")
_SENDER: Final = Struct(">IQIII")
_REPORT: Final = Struct(">IIIIII")
_FEEDBACK: Final = Struct(">II")
_NACK: Final = Struct(">HH")

SR: Final = 200
RR: Final = 201
SDES: Final = 202
BYE: Final = 203
RTPFB: Final = 205
PSFB: Final = 206

MAX_NACKS: Final = 512
"""Sequence numbers taken from one NACK packet; the rest is ignored."""


class ReceptionReport(msgspec.Struct, frozen=True):
    """One report block.

    Attributes:
        fraction_lost: Since the last report, in 1/256.
        lost: Total, signed 24 bit.
        highest: Extended highest sequence number.
        jitter: In timestamp units.
        lsr, dlsr: Middle 32 bits of the last SR's NTP time; delay since it, 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int


class SenderReport(msgspec.Struct, frozen=True):
    """SR. `ntp`: 64-bit fixed point, seconds since 1900 on the sender's wall clock."""

    ssrc: int
    ntp: int
    rtp: int
    packets: int
    octets: int
    reports: tuple[ReceptionReport, ...] = ()


class ReceiverReport(msgspec.Struct, frozen=True):
    """RR."""

    ssrc: int
    reports: tuple[ReceptionReport, ...] = ()


class Goodbye(msgspec.Struct, frozen=True):
    """BYE."""

    ssrcs: tuple[int, ...]


class Nack(msgspec.Struct, frozen=True):
    """Generic NACK: `sequences` of `media` are asked again."""

    sender: int
    media: int
    sequences: tuple[int, ...]


class KeyframeAsked(msgspec.Struct, frozen=True):
    """PLI or FIR about `media`."""

    sender: int
    media: int


class BitrateEstimated(msgspec.Struct, frozen=True):
    """REMB: the receiver can take `bits_per_second` on all of `ssrcs` together."""

    sender: int
    bits_per_second: int
    ssrcs: tuple[int, ...]


Rtcp = SenderReport | ReceiverReport | Goodbye | Nack | KeyframeAsked | BitrateEstimated


def _reports(body: bytes, start: int, count: int) -> tuple[ReceptionReport, ...]:
    if start + 24 * count > len(body):
        raise ProtocolError("malformed", "RTCP report blocks cut off")
    blocks = []
    for index in range(count):
        ssrc, loss, highest, jitter, lsr, dlsr = _REPORT.unpack_from(body, start + 24 * index)
        lost = loss & 0xFFFFFF
        if lost & 0x800000:
            lost -= 1 << 24
        blocks.append(ReceptionReport(ssrc, loss >> 24, lost, highest, jitter, lsr, dlsr))
    return tuple(blocks)


def _read_sr(count: int, body: bytes) -> list[Rtcp]:
    if len(body) < 24:
        raise ProtocolError("malformed", "SR cut off")
    ssrc, ntp, rtp, packets, octets = _SENDER.unpack_from(body)
    return [SenderReport(ssrc, ntp, rtp, packets, octets, _reports(body, 24, count))]


def _read_rr(count: int, body: bytes) -> list[Rtcp]:
    if len(body) < 4:
        raise ProtocolError("malformed", "RR cut off")
    return [ReceiverReport(_SSRC.unpack_from(body)[0], _reports(body, 4, count))]


def _read_bye(count: int, body: bytes) -> list[Rtcp]:
    if len(body) < 4 * count:
        raise ProtocolError("malformed", "BYE cut off")
    return [Goodbye(tuple(_SSRC.unpack_from(body, 4 * index)[0] for index in range(count)))]


def _read_rtpfb(fmt: int, body: bytes) -> list[Rtcp]:
    if len(body) < 8:
        raise ProtocolError("malformed", "feedback cut off")
    if fmt != 1:
        return []
    sender, media = _FEEDBACK.unpack_from(body)
    asked: list[int] = []
    for start in range(8, len(body) - 3, 4):
        first, mask = _NACK.unpack_from(body, start)
        asked.append(first)
        asked.extend((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
        if len(asked) >= MAX_NACKS:
            break
    return [Nack(sender, media, tuple(asked[:MAX_NACKS]))]


def _read_psfb(fmt: int, body: bytes) -> list[Rtcp]:
    if len(body) < 8:
        raise ProtocolError("malformed", "feedback cut off")
    sender, media = _FEEDBACK.unpack_from(body)
    if fmt == 1:
        return [KeyframeAsked(sender, media)]
    if fmt == 4:
        return [
            KeyframeAsked(sender, _SSRC.unpack_from(body, start)[0])
            for start in range(8, len(body) - 7, 8)
        ]
    if fmt == 15 and len(body) >= 16 and body[8:12] == b"REMB":
        count = body[12]
        if len(body) < 16 + 4 * count:
            raise ProtocolError("malformed", "REMB cut off")
        exponent = body[13] >> 2
        mantissa = (body[13] & 0x03) << 16 | body[14] << 8 | body[15]
        ssrcs = tuple(_SSRC.unpack_from(body, 16 + 4 * index)[0] for index in range(count))
        return [BitrateEstimated(sender, mantissa << exponent, ssrcs)]
    return []


_READERS: Final[dict[int, Callable[[int, bytes], list[Rtcp]]]] = {
    SR: _read_sr,
    RR: _read_rr,
    BYE: _read_bye,
    RTPFB: _read_rtpfb,
    PSFB: _read_psfb,
}


def parse(data: bytes) -> list[Rtcp]:
    """Return the packets of one compound (or reduced-size) RTCP datagram.

    Raises:
        ProtocolError: `malformed`.
    """
    packets: list[Rtcp] = []
    position = 0
    total = len(data)
    if total < 4:
        raise ProtocolError("malformed", f"RTCP of {total} bytes")
    while position < total:
        if position + 4 > total:
            raise ProtocolError("malformed", "RTCP header cut off")
        first, kind, words = _HEAD.unpack_from(data, position)
        if first >> 6 != 2:
            raise ProtocolError("malformed", f"RTCP version {first >> 6}")
        end = position + 4 + 4 * words
        if end > total:
            raise ProtocolError("malformed", "RTCP longer than its datagram")
        body = data[position + 4 : end]
        if first & 0x20:
            if not body or not 0 < body[-1] <= len(body):
                raise ProtocolError("malformed", "RTCP padding longer than its packet")
            body = body[: -body[-1]]
        reader = _READERS.get(kind)
        if reader is not None:
            packets.extend(reader(first & 0x1F, body))
        position = end
    return packets


def _packet(count: int, kind: int, body: bytes) -> bytes:
    return _HEAD.pack(0x80 | count, kind, len(body) // 4) + body


def _report_bytes(reports: Iterable[ReceptionReport]) -> bytes:
    return b"".join(
        _REPORT.pack(
            r.ssrc,
            r.fraction_lost << 24 | max(-0x800000, min(r.lost, 0x7FFFFF)) & 0xFFFFFF,
            r.highest & 0xFFFFFFFF,
            r.jitter & 0xFFFFFFFF,
            r.lsr,
            r.dlsr,
        )
        for r in reports
    )


def build_sender_report(report: SenderReport) -> bytes:
    """Return one SR; counts are reduced to 32 bits."""
    body = _SENDER.pack(
        report.ssrc,
        report.ntp,
        report.rtp & 0xFFFFFFFF,
        report.packets & 0xFFFFFFFF,
        report.octets & 0xFFFFFFFF,
    )
    return _packet(len(report.reports), SR, body + _report_bytes(report.reports))


def build_receiver_report(ssrc: int, reports: Sequence[ReceptionReport]) -> bytes:
    """Return one RR with at most 31 reports (RFC 3550 §6.4.2)."""
    blocks = reports[:31]
    return _packet(len(blocks), RR, _SSRC.pack(ssrc) + _report_bytes(blocks))


def build_sdes(ssrc: int, cname: str) -> bytes:
    """Return one SDES with a CNAME (RFC 3550 §6.5.1)."""
    name = cname.encode()[:255]
    chunk = _SSRC.pack(ssrc) + bytes((1, len(name))) + name
    chunk += bytes(4 - len(chunk) % 4)
    return _packet(1, SDES, chunk)


def build_goodbye(ssrcs: Sequence[int]) -> bytes:
    """Return one BYE."""
    return _packet(len(ssrcs), BYE, b"".join(_SSRC.pack(ssrc) for ssrc in ssrcs))


def build_pli(sender: int, media: int) -> bytes:
    """Return one PLI."""
    return _packet(1, PSFB, _FEEDBACK.pack(sender, media))


def build_nack(sender: int, media: int, sequences: Sequence[int]) -> bytes:
    """Return one NACK for sequence numbers in rising order (modulo 2^16).

    >>> build_nack(1, 2, [10, 11, 26, 27]).hex()[24:]
    '000a8001001b0000'
    """
    items: list[bytes] = []
    index = 0
    while index < len(sequences):
        first = sequences[index]
        mask = 0
        index += 1
        while index < len(sequences) and 0 < (sequences[index] - first) & 0xFFFF <= 16:
            mask |= 1 << (((sequences[index] - first) & 0xFFFF) - 1)
            index += 1
        items.append(_NACK.pack(first, mask))
    return _packet(1, RTPFB, _FEEDBACK.pack(sender, media) + b"".join(items))


def build_remb(sender: int, bits_per_second: int, ssrcs: Sequence[int]) -> bytes:
    """Return one REMB: an 18-bit mantissa, so the rate is rounded down by < 0.001 %."""
    exponent = max(0, bits_per_second.bit_length() - 18)
    mantissa = bits_per_second >> exponent
    body = _FEEDBACK.pack(sender, 0) + b"REMB"
    body += bytes(
        (len(ssrcs), exponent << 2 | mantissa >> 16, mantissa >> 8 & 0xFF, mantissa & 0xFF)
    )
    return _packet(15, PSFB, body + b"".join(_SSRC.pack(ssrc) for ssrc in ssrcs))
