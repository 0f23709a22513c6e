"""Transport-wide feedback: which packets came, and when, so that the sender can estimate.

draft-holmer-rmcat-transport-wide-cc-extensions-01. The sender numbers the packets of
all its streams together in a header extension; the receiver reports the arrival of
each (§3.1). Statuses are 0 not received, 1 received with a delta of one byte, 2 with
one of two bytes; deltas are in units of 250 µs, each from the packet before.

    base and count ▸ chunks of statuses ▸ deltas of the received ones

What arrived stays known for `BACK_NS`, so that a packet overtaken by a report is
reported in the next one together with its neighbours.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from supervisor.rtp.packet import find_extension
from supervisor.rtp.rtcp import RTPFB

INTERVAL_NS: Final = 60_000_000
"""Between two reports; libwebrtc takes 50 to 250 ms."""

BACK_NS: Final = 500_000_000
MAX_SEEN: Final = 4_096
"""Packets noted between two reports; more are not reported, and so count as lost."""

MAX_STATUSES: Final = 400
"""Of one report, so that it fits into a datagram with every delta of two bytes."""

_TICK_NS: Final = 250_000
_REFERENCE_TICKS: Final = 256
_HEAD: Final = Struct(">BBHIIHHI")
_U16: Final = Struct(">H")
_I16: Final = Struct(">h")
_RUN: Final = 14


class Arrivals:
    """Arrival times of one publisher's packets.

    Args:
        extension: Id of the header extension as negotiated.
    """

    __slots__ = ("_arrived", "_count", "_extension", "_head", "_next", "_reported_ns", "_seen")

    def __init__(self, extension: int) -> None:
        self._extension = extension
        self._head = extension << 4 | 1
        self._seen: list[tuple[int, int]] = []
        self._arrived: dict[int, int] = {}
        self._next: int | None = None
        self._count = 0
        self._reported_ns = 0

    def on_packet(self, data: bytes, now_ns: int) -> None:
        """Note one RTP packet; the extension is read where senders put it first."""
        if len(self._seen) >= MAX_SEEN:
            return
        if (
            len(data) > 19
            and data[16] == self._head
            and data[0] & 0x1F == 0x10
            and data[12] == 0xBE
            and data[13] == 0xDE
        ):
            self._seen.append((data[17] << 8 | data[18], now_ns))
            return
        value = find_extension(data, self._extension)
        if value is not None and len(value) >= 2:
            self._seen.append((value[0] << 8 | value[1], now_ns))

    def on_run(self, packets: list[bytes], now_ns: int) -> None:
        """Note RTP packets that came together."""
        head = self._head
        seen = self._seen
        if len(seen) >= MAX_SEEN:
            return
        for data in packets:
            if (
                data[0] == 0x90
                and len(data) > 19
                and data[16] == head
                and data[12] == 0xBE
                and data[13] == 0xDE
            ):
                seen.append((data[17] << 8 | data[18], now_ns))
            else:
                self.on_packet(data, now_ns)

    def due(self, now_ns: int) -> bool:
        """Tell whether to report now."""
        return bool(self._seen) and now_ns - self._reported_ns >= INTERVAL_NS

    def reports(self, sender: int, media: int, now_ns: int) -> list[bytes]:
        """Return what came since the last call as RTCP packets.

        Args:
            sender, media: SSRCs: ours, and any of the publisher's.
        """
        self._reported_ns = now_ns
        seen, self._seen = self._seen, []
        if not seen:
            return []
        arrived = self._arrived
        self._forget(now_ns - BACK_NS)
        near = self._next if self._next is not None else seen[0][0]
        first = near
        for value, at_ns in seen:
            sequence = near + ((value - near + 0x8000) & 0xFFFF) - 0x8000  # as `unwrap16`
            if sequence > near:
                near = sequence
                arrived[sequence] = at_ns
            elif sequence not in arrived:
                arrived[sequence] = at_ns
                if sequence < first:
                    first = sequence
        if near - first > 4 * MAX_STATUSES:
            first = near - 4 * MAX_STATUSES
        self._next = near + 1
        packets: list[bytes] = []
        while first <= near:
            first = self._skip_if_nothing(first, near)
            packet, first = self._report(sender, media, first, near)
            packets.append(packet)
        return packets

    def _forget(self, before_ns: int) -> None:
        """Forget what came before; the dict is in order of arrival."""
        old: list[int] = []
        for number, at_ns in self._arrived.items():
            if at_ns >= before_ns:
                break
            old.append(number)
        for number in old:
            del self._arrived[number]

    def _skip_if_nothing(self, first: int, last: int) -> int:
        """Leave out a long hole: what nobody reports counts as lost as well."""
        if first in self._arrived:
            return first
        if any(number in self._arrived for number in range(first, first + MAX_STATUSES)):
            return first
        return min(number for number in self._arrived if first <= number <= last)

    def _report(self, sender: int, media: int, first: int, last: int) -> tuple[bytes, int]:
        find = self._arrived.get
        statuses: list[int] = []
        deltas = bytearray()
        reference = before = -1
        number = first
        last = min(last, first + MAX_STATUSES - 1)
        while number <= last:
            at_ns = find(number)
            if at_ns is None:
                statuses.append(0)
                number += 1
                continue
            tick = at_ns // _TICK_NS
            if before < 0:
                reference = tick // _REFERENCE_TICKS
                before = reference * _REFERENCE_TICKS
            delta = tick - before
            if 0 <= delta <= 0xFF:
                statuses.append(1)
                deltas.append(delta)
            elif -0x8000 <= delta <= 0x7FFF:
                statuses.append(2)
                deltas += _I16.pack(delta)
            else:
                break
            before = tick
            number += 1
        body = _chunks(statuses) + deltas
        body += bytes(-len(body) % 4)
        head = _HEAD.pack(
            0x80 | 15,
            RTPFB,
            (20 + len(body)) // 4 - 1,
            sender,
            media,
            first & 0xFFFF,
            len(statuses),
            (max(reference, 0) & 0xFFFFFF) << 8 | self._count,
        )
        self._count = self._count + 1 & 0xFF
        return head + body, number


def _chunks(statuses: list[int]) -> bytes:
    """Return packet status chunks (§3.1.1 to §3.1.4): runs where long, vectors elsewhere.

    >>> _chunks([1] * 20).hex(), _chunks([1, 0, 1]).hex()
    ('2014', 'a800')
    """
    out: list[bytes] = []
    at = 0
    total = len(statuses)
    while at < total:
        symbol = statuses[at]
        end = at + 1
        while end < total and statuses[end] == symbol and end - at < 0x1FFF:
            end += 1
        if end - at > _RUN or end == total:
            out.append(_U16.pack(symbol << 13 | end - at))
            at = end
            continue
        part = statuses[at : at + _RUN]
        if 2 in part:
            part = part[:7]
            value = 0xC000
            for index, status in enumerate(part):
                value |= status << 2 * (6 - index)
        else:
            value = 0x8000
            for index, status in enumerate(part):
                value |= status << 13 - index
        out.append(_U16.pack(value))
        at += len(part)
    return b"".join(out)
