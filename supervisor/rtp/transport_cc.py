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

from collections import deque
from collections.abc import Sequence
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

    __slots__ = ("_back", "_count", "_extension", "_next", "_noted", "_reported_ns", "_seen")

    def __init__(self, extension: int) -> None:
        self._extension = extension
        self._seen: list[tuple[int, int, int]] = []
        self._noted = 0
        self._back: deque[tuple[int, int, int]] = deque()
        self._next: int | None = None
        self._count = 0
        self._reported_ns = 0

    def on_packet(self, data: bytes, now_ns: int) -> None:
        """Note one RTP packet."""
        value = find_extension(data, self._extension)
        if value is not None and len(value) >= 2:
            self.on_numbers((value[0] << 8 | value[1],), now_ns)

    def on_numbers(self, numbers: Sequence[int], now_ns: int) -> None:
        """Note packets that came together by their transport-wide numbers (16 bits)."""
        count = len(numbers)
        if not count or self._noted >= MAX_SEEN:
            return
        self._noted += count
        first = numbers[0]
        if numbers == tuple(range(first, first + count)):
            self._seen.append((first, count, now_ns))
        else:
            self._seen.extend((number, 1, now_ns) for number in numbers)

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
        self._noted = 0
        if not seen:
            return []
        back = self._back
        while back and back[0][2] < now_ns - BACK_NS:
            back.popleft()
        first = near = seen[0][0] if self._next is None else self._next
        runs: list[tuple[int, int, int]] = []
        in_order = True
        for value, count, at_ns in seen:
            number = near + ((value - near + 0x8000) & 0xFFFF) - 0x8000  # as `unwrap16`
            runs.append((number, count, at_ns))
            in_order = in_order and number == near
            near = max(near, number + count)
        self._next = near
        if in_order:
            back.extend(runs)
        else:
            first, runs = self._in_disorder(first, runs)
        return self._build(sender, media, first, runs)

    def _in_disorder(
        self, first: int, runs: list[tuple[int, int, int]]
    ) -> tuple[int, list[tuple[int, int, int]]]:
        """Return what to report, rising, and from where on; what came twice counts once."""
        arrived: dict[int, int] = {}
        for begin, count, at_ns in self._back:
            arrived.update(dict.fromkeys(range(begin, begin + count), at_ns))
        for begin, count, at_ns in runs:
            for number in range(begin, begin + count):
                if number not in arrived:
                    arrived[number] = at_ns
                    self._back.append((number, 1, at_ns))
                    first = min(first, number)
        return first, [
            (number, 1, arrived[number]) for number in sorted(arrived) if number >= first
        ]

    def _build(
        self, sender: int, media: int, first: int, runs: list[tuple[int, int, int]]
    ) -> list[bytes]:
        """Return reports of rising runs, with the holes between them, from `first` on.

        A long hole is left out: what nobody reports counts as lost as well.
        """
        packets: list[bytes] = []
        report = _Report(first)
        for begin, count, at_ns in runs:
            while count:
                taken = report.add(begin, count, at_ns)
                if not taken:
                    if report.statuses:
                        packets.append(self._written(sender, media, report))
                    report = _Report(begin)
                begin += taken
                count -= taken
        if report.statuses:
            packets.append(self._written(sender, media, report))
        return packets

    def _written(self, sender: int, media: int, report: _Report) -> bytes:
        body = _chunks(report.statuses) + report.deltas
        body += bytes(-len(body) % 4)
        head = _HEAD.pack(
            0x80 | 15,
            RTPFB,
            (20 + len(body)) // 4 - 1,
            sender,
            media,
            report.first & 0xFFFF,
            len(report.statuses),
            (report.reference & 0xFFFFFF) << 8 | self._count,
        )
        self._count = self._count + 1 & 0xFF
        return head + body


class _Report:
    """One report in the making: statuses and deltas from `first` on."""

    __slots__ = ("_tick", "deltas", "first", "reference", "statuses")

    def __init__(self, first: int) -> None:
        self.first = first
        self.reference = 0
        self.statuses = bytearray()
        self.deltas = bytearray()
        self._tick = -1

    def add(self, begin: int, count: int, at_ns: int) -> int:
        """Add packets that came together; return how many fit, 0 if another report is due."""
        hole = begin - self.first - len(self.statuses)
        room = MAX_STATUSES - len(self.statuses) - hole
        if room <= 0:
            return 0
        tick = at_ns // _TICK_NS
        if self._tick < 0:
            self.reference = tick // _REFERENCE_TICKS
            self._tick = self.reference * _REFERENCE_TICKS
        delta = tick - self._tick
        if not -0x8000 <= delta <= 0x7FFF:
            return 0
        self._tick = tick
        taken = min(count, room)
        self.statuses += bytes(hole)
        if 0 <= delta <= 0xFF:
            self.statuses.append(1)
            self.deltas.append(delta)
        else:
            self.statuses.append(2)
            self.deltas += _I16.pack(delta)
        self.statuses += b"\1" * (taken - 1)
        self.deltas += bytes(taken - 1)
        return taken


def _chunks(statuses: Sequence[int]) -> bytes:
    """Return packet status chunks (§3.1.1 to §3.1.4): runs where long, vectors elsewhere.

    >>> _chunks([1] * 20).hex(), _chunks([1, 0, 1]).hex()
    ('2014', 'a800')
    """
    out: list[bytes] = []
    at = 0
    total = len(statuses)
    if statuses.count(statuses[0]) == total:
        return _U16.pack(statuses[0] << 13 | total)
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
