"""Asking a publisher again for what is missing (RFC 4585 §6.2.1).

Bounded in every direction: a gap longer than `MAX_GAP` is not worth repairing (a
keyframe is), a packet is asked at most `MAX_TRIES` times, and no more than
`MAX_MISSING` are remembered; the oldest are given up first.
"""

from __future__ import annotations

from typing import Final

MAX_GAP: Final = 256
MAX_MISSING: Final = 512
MAX_TRIES: Final = 8
RETRY_NS: Final = 40_000_000
"""Between two askings of one packet; a round trip of the field is 30 to 80 ms."""

GIVE_UP_NS: Final = 500_000_000
"""Older than this a packet is of no use to a picture that must be fresh."""


class LossTracker:
    """Missing sequence numbers of one stream, unwrapped."""

    __slots__ = ("_missing", "given_up")

    def __init__(self) -> None:
        self._missing: dict[int, list[int]] = {}
        self.given_up = 0

    def __bool__(self) -> bool:
        """Something is missing."""
        return bool(self._missing)

    def on_gap(self, first: int, last: int, now_ns: int) -> bool:
        """Remember `first` to `last` as missing; False if too many to repair."""
        if last - first + 1 > MAX_GAP:
            self.given_up += last - first + 1
            return False
        for sequence in range(first, last + 1):
            self._missing[sequence] = [now_ns, 0, 0]
        while len(self._missing) > MAX_MISSING:
            del self._missing[next(iter(self._missing))]
            self.given_up += 1
        return True

    def on_late(self, sequence: int) -> bool | None:
        """A missing packet came: True if it had been asked, None if not missing."""
        entry = self._missing.pop(sequence, None)
        return None if entry is None else entry[2] > 0

    def due(self, now_ns: int) -> list[int]:
        """Return the sequence numbers (16 bit, rising) to ask for now."""
        if not self._missing:
            return []
        ask: list[int] = []
        dead: list[int] = []
        for sequence, entry in self._missing.items():
            seen_ns, asked_ns, tries = entry
            if tries >= MAX_TRIES or now_ns - seen_ns > GIVE_UP_NS:
                dead.append(sequence)
            elif tries == 0 or now_ns - asked_ns >= RETRY_NS:
                entry[1] = now_ns
                entry[2] = tries + 1
                ask.append(sequence & 0xFFFF)
        for sequence in dead:
            del self._missing[sequence]
        self.given_up += len(dead)
        return ask
