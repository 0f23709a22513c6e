"""Packets of one video into whole pictures, as an operator's browser does it. Pure.

A gap is asked again at once and every `AGAIN_NS`. If it is still open after
`PATIENCE_NS`, a keyframe is asked for, and shown as soon as one is whole; what lies
between is lost for good. Pictures that refer to lost ones are never shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from loadtests.faults import h264

FIRST_ASK_NS: Final = 5_000_000
AGAIN_NS: Final = 50_000_000
MAX_TRIES: Final = 10
PATIENCE_NS: Final = 250_000_000
KEYFRAME_EVERY_NS: Final = 500_000_000
MAX_GAP: Final = 2_000
MAX_HELD: Final = 4_000
"""Packets kept behind a gap; beyond it everything before the next keyframe goes."""


class Packet(NamedTuple):
    """What matters of an RTP packet."""

    rtp_ts: int
    marker: bool
    payload: bytes


class Picture(NamedTuple):
    """One access unit ready to be decoded.

    Attributes:
        lost: Packets given up since the picture before this one.
        skipped: Whole pictures not shown since then, because they refer to lost ones.
    """

    data: bytes
    rtp_ts: int
    keyframe: bool
    lost: int
    skipped: int


class _Gap:
    __slots__ = ("asked_ns", "since_ns", "tries")

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.asked_ns = since_ns
        self.tries = 0


class Receiver:
    """State of one stream.

    Attributes:
        packets: Taken, each once.
        duplicates: Packets that had already come, or that came after they were given up.
        lost: Packets given up.
        repaired: Packets that came after a later one.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.duplicates = 0
        self.lost = 0
        self.repaired = 0
        self._held: dict[int, Packet] = {}
        self._gaps: dict[int, _Gap] = {}
        self._next: int | None = None
        self._highest = 0
        self._needs_keyframe = True
        self._keyframe_asked_ns: int | None = None
        self._lost_before = 0
        self._skipped_before = 0

    def insert(self, sequence: int, packet: Packet, now_ns: int) -> None:
        """Take one packet; `sequence` has 16 bits."""
        if self._next is None:
            self._next = self._highest = sequence
        number = self._highest + ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if number < self._next or number in self._held:
            self.duplicates += 1
            return
        if number - self._highest > MAX_GAP:
            self._restart(number)
        for missing in range(self._highest + 1, number):
            self._gaps[missing] = _Gap(now_ns)
        if number < self._highest and self._gaps.pop(number, None) is not None:
            self.repaired += 1
        self._highest = max(self._highest, number)
        self._held[number] = packet
        self.packets += 1

    def take(self, now_ns: int) -> list[Picture]:
        """Return the pictures that are whole and can be decoded now, in order."""
        pictures: list[Picture] = []
        while self._next is not None:
            end = self._whole_until(self._next)
            if end is None:
                if not self._skip_to_keyframe(now_ns):
                    break
                continue
            packets = [self._held.pop(number) for number in range(self._next, end + 1)]
            self._next = end + 1
            keyframe = any(h264.begins_keyframe(packet.payload) for packet in packets)
            if self._needs_keyframe and not keyframe:
                self._skipped_before += 1
                continue
            self._needs_keyframe = False
            pictures.append(
                Picture(
                    h264.access_unit(packet.payload for packet in packets),
                    packets[0].rtp_ts,
                    keyframe,
                    self._lost_before,
                    self._skipped_before,
                )
            )
            self._lost_before = self._skipped_before = 0
        return pictures

    def missing(self, now_ns: int) -> list[int]:
        """Return the sequence numbers (16 bits, rising) to ask for now."""
        due = []
        for number, gap in self._gaps.items():
            wait_ns = AGAIN_NS if gap.tries else FIRST_ASK_NS
            if gap.tries < MAX_TRIES and now_ns - gap.asked_ns >= wait_ns:
                gap.tries += 1
                gap.asked_ns = now_ns
                due.append(number & 0xFFFF)
        return due

    def wants_keyframe(self, now_ns: int) -> bool:
        """Return whether to send a PLI now."""
        stuck = self._blocked_since_ns()
        if not self._needs_keyframe and (stuck is None or now_ns - stuck < PATIENCE_NS):
            return False
        asked_ns = self._keyframe_asked_ns
        if asked_ns is not None and now_ns - asked_ns < KEYFRAME_EVERY_NS:
            return False
        self._keyframe_asked_ns = now_ns
        return True

    # ------------------------------------------------------------------------ inside

    def _whole_until(self, start: int) -> int | None:
        number = start
        while (packet := self._held.get(number)) is not None:
            if packet.marker:
                return number
            number += 1
        return None

    def _blocked_since_ns(self) -> int | None:
        gap = next(iter(self._gaps.values()), None)  # the oldest: inserted in rising order
        return None if gap is None else gap.since_ns

    def _skip_to_keyframe(self, now_ns: int) -> bool:
        since_ns = self._blocked_since_ns()
        patient = since_ns is None or now_ns - since_ns < PATIENCE_NS
        if since_ns is None or (patient and len(self._held) < MAX_HELD):
            return False
        assert self._next is not None
        after = min(self._gaps)
        begins: Callable[[int], bool] = lambda number: (  # noqa: E731
            number > after and h264.begins_keyframe(self._held[number].payload)
        )
        start = next(
            (n for n in sorted(self._held) if begins(n) and self._whole_until(n) is not None), None
        )
        if start is None:
            if len(self._held) >= MAX_HELD:
                self._restart(self._highest + 1)
                return True
            return False
        self._give_up(start)
        return True

    def _give_up(self, start: int) -> None:
        """Continue at `start`, with a keyframe."""
        gone = [number for number in self._gaps if number < start]
        for number in gone:
            del self._gaps[number]
        self.lost += len(gone)
        self._lost_before += len(gone)
        for number in [number for number in self._held if number < start]:
            self._skipped_before += self._held.pop(number).marker
        self._next = start
        self._needs_keyframe = True

    def _restart(self, number: int) -> None:
        """Too much is missing to remember it packet by packet."""
        skipped = number - self._highest - 1
        self._give_up(number)
        self.lost += skipped
        self._lost_before += skipped
        self._highest = number - 1
