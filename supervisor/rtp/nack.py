"""Asking a publisher again for what is missing (RFC 4585 §6.2.1).

Bounded in every direction: a gap longer than `MAX_GAP` is not worth repairing (a
keyframe is), a packet is asked at most `MAX_TRIES` times and not beyond the age at
which a picture could still use it, no more than `MAX_MISSING` are remembered (the
oldest are given up first), and over time no more is asked than has arrived: on a
link that is too small, every packet sent again displaces another one.

Two times are learned from what comes back. The *round trip*, from an asked packet to
its answer, sets when to ask again. The *patience*, from packets that were only
overtaken, sets how long to wait before the first asking: none on a link that keeps
order.
"""

from __future__ import annotations

from typing import Final

MAX_GAP: Final = 256
MAX_MISSING: Final = 512
MAX_TRIES: Final = 8
RETRY_NS: Final = 40_000_000
"""Between two askings while the round trip is unknown; the field has 30 to 80 ms."""

MIN_RETRY_NS: Final = 20_000_000
MAX_RETRY_NS: Final = 200_000_000
RETRY_SLACK_NS: Final = 10_000_000
"""Beyond the round trip, until a packet is asked again."""

GIVE_UP_NS: Final = 500_000_000
"""Older than this a packet is of no use to a picture that must be fresh."""

BEFORE_KEYFRAME_NS: Final = 200_000_000
"""The same for a packet of before the newest keyframe: a watcher can begin there."""

MAX_PATIENCE_NS: Final = 20_000_000
ASK_BURST: Final = 128
"""Packets that may be asked at once; then one for each that arrives."""


class LossTracker:
    """Missing sequence numbers of one stream, unwrapped.

    Attributes:
        given_up: Packets that will not be asked any more and have not come.
        round_trip_ns: From asking to answer, smoothed; None before the first.
        patience_ns: Waited before the first asking.
    """

    __slots__ = (
        "_keyframe",
        "_missing",
        "_received",
        "_tokens",
        "given_up",
        "patience_ns",
        "round_trip_ns",
    )

    def __init__(self) -> None:
        self._missing: dict[int, list[int]] = {}
        self._keyframe = -1
        self._tokens = ASK_BURST
        self._received = 0
        self.given_up = 0
        self.patience_ns = 0
        self.round_trip_ns: int | None = None

    def __bool__(self) -> bool:
        """Something is missing."""
        return bool(self._missing)

    def __len__(self) -> int:
        return len(self._missing)

    def on_gap(self, first: int, last: int, now_ns: int) -> bool:
        """Remember `first` to `last` as missing; False if too many to repair."""
        if last - first + 1 > MAX_GAP:
            self.given_up += last - first + 1
            return False
        self.patience_ns -= self.patience_ns >> 4
        for sequence in range(first, last + 1):
            self._missing[sequence] = [now_ns, 0, 0]
        while len(self._missing) > MAX_MISSING:
            del self._missing[next(iter(self._missing))]
            self.given_up += 1
        return True

    def on_keyframe(self, sequence: int) -> None:
        """A keyframe begins here: what is older matters less."""
        self._keyframe = sequence

    def on_repair(self, sequence: int, now_ns: int) -> bool | None:
        """A packet came that was sent again: True if it was missing, None if not."""
        entry = self._missing.pop(sequence, None)
        if entry is None:
            return None
        if entry[2] == 1:
            took = now_ns - entry[1]
            known = self.round_trip_ns
            self.round_trip_ns = took if known is None else (7 * known + took) >> 3
        return True

    def on_late(self, sequence: int, now_ns: int, *, repaired_apart: bool = False) -> bool | None:
        """A missing packet came in the stream itself.

        Args:
            repaired_apart: What is sent again has its own stream (RTX), so this one
                was overtaken, whether it was asked or not.

        Returns:
            True if it was sent again, False if it was only overtaken, None if it was not
            missing.
        """
        entry = self._missing.get(sequence)
        if entry is None:
            return None
        if entry[2] > 0 and not repaired_apart:
            return self.on_repair(sequence, now_ns)
        del self._missing[sequence]
        late = now_ns - entry[0]
        if late > self.patience_ns:
            self.patience_ns = min(late + (late >> 1), MAX_PATIENCE_NS)
        return False

    def due(self, now_ns: int, received: int = 0) -> list[int]:
        """Return the sequence numbers (16 bit, rising) to ask for now.

        Args:
            received: Packets of the stream so far; each lets one be asked.
        """
        if not self._missing:
            return []
        self._tokens = min(ASK_BURST, self._tokens + max(0, received - self._received))
        self._received = received
        known = self.round_trip_ns
        ask: list[int] = []
        dead: list[int] = []
        for sequence, entry in self._missing.items():
            seen_ns, asked_ns, tries = entry
            age = now_ns - seen_ns
            limit = BEFORE_KEYFRAME_NS if sequence < self._keyframe else GIVE_UP_NS
            if tries >= MAX_TRIES or age > limit:
                dead.append(sequence)
                continue
            if tries == 0:
                ready = age >= self.patience_ns
            elif known is None:
                ready = now_ns - asked_ns >= RETRY_NS
            else:
                wait = known + (known >> 2) + RETRY_SLACK_NS
                ready = now_ns - asked_ns >= min(max(wait, MIN_RETRY_NS), MAX_RETRY_NS)
            if ready and self._tokens > 0:
                self._tokens -= 1
                entry[1] = now_ns
                entry[2] = tries + 1
                ask.append(sequence & 0xFFFF)
        for sequence in dead:
            del self._missing[sequence]
        self.given_up += len(dead)
        return ask
