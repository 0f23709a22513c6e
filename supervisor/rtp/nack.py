"""Asking a publisher again for what is missing (RFC 4585 §6.2.1).

Bounded in every direction: a gap longer than `MAX_GAP` is not worth repairing (a
keyframe is), a packet is asked at most `MAX_TRIES` times and not beyond the age at
which a picture could still use it, no more than `MAX_MISSING` are remembered (the
oldest are given up first), and over time no more is asked than has arrived: on a
link that is too small, every packet sent again displaces another one.

    gap seen ─▶ ask ─ 10 ms ─▶ the same once more ─ a round trip ─▶ ask again ─ 10 ms ─▶ …

The repetition costs some 20 bytes and saves a round trip where the asking itself was
lost: at 5 % loss each way, 1 repair in 20 is late by a round trip instead of 1 in 10.
What the first asking did not bring is repeated every 10 ms: the way to the publisher
carries little, so a hole of a few packets there would outlast what a picture can wait.
A publisher does not send a packet twice within a round trip (ours does not, libwebrtc's
does not); one that does is noticed by what comes twice, and hears no repetitions.

Two times are learned from what comes back. The *round trip*, from an asked packet to
its answer, sets when to ask again. The *patience*, from packets that were only
overtaken, sets how long to wait before the first asking: none on a link that keeps
order.

A lost *last* packet of a picture shows only when the next picture begins, 33 ms later:
too late for two askings within what a picture can wait. So while a link loses, a
picture that stays without its end is asked for it (`tail_ns`); where that was wrong,
the wait becomes longer.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_GAP: Final = 256
MAX_MISSING: Final = 512
MAX_TRIES: Final = 10
RETRY_NS: Final = 100_000_000
"""Between two askings while the round trip is unknown. The field has 30 to 80 ms; where
the second asking leaves before the answer to the first, no answer tells the time."""

MIN_RETRY_NS: Final = 20_000_000
MAX_RETRY_NS: Final = 200_000_000
RETRY_SLACK_NS: Final = 3_000_000
"""Beyond the round trip and a sixteenth of it, until a packet is asked again."""

ECHO_NS: Final = 10_000_000
"""Until the same asking is sent once more: longer than most holes of a radio link."""

TRUST: Final = 16
"""Gained by a repair, one each; `TWICE_COSTS` are lost by a packet that comes twice though
it was asked for but once and repeated. Below half of it nothing is repeated."""

MAX_ECHOES: Final = 8
"""Of one asking; the first has one, and so has each while the round trip is unknown. Only
in the first two thirds of the time until the next asking: later the publisher takes it
for that."""

REMEMBERED: Final = 64
"""Packets repaired so, of which a second copy would tell."""

TWICE_COSTS: Final = 4

GIVE_UP_NS: Final = 500_000_000
"""Older than this a packet is of no use to a picture that must be fresh."""

BEFORE_KEYFRAME_NS: Final = 300_000_000
"""The same for a packet of before the newest keyframe: a watcher can begin there."""

RESTLESS_NS: Final = 2_000_000_000
"""After a loss the next one is looked for so long."""

TAIL_NS: Final = 12_000_000
"""A picture without its last packet that gets no other one for so long has lost it."""

MAX_TAIL_NS: Final = 100_000_000

MAX_PATIENCE_NS: Final = 20_000_000
ASK_BURST: Final = 128
"""Packets that may be asked at once; then one for each that arrives."""


class LossTracker:
    """Missing sequence numbers of one stream, unwrapped.

    Attributes:
        broken: A packet of since the newest keyframe was given up, so only another one
            helps. Whoever asks for that clears it.
        given_up: Packets that will not be asked any more and have not come.
        round_trip_ns: From asking to answer, smoothed; None before the first.
        patience_ns: Waited before the first asking.
        tail_ns: Waited for the last packet of a picture.
    """

    __slots__ = (
        "_gap_ns",
        "_keyframe",
        "_missing",
        "_received",
        "_repeated",
        "_tail",
        "_tokens",
        "_trust",
        "broken",
        "given_up",
        "patience_ns",
        "round_trip_ns",
        "tail_ns",
    )

    def __init__(self) -> None:
        self._missing: dict[int, list[int]] = {}
        self._keyframe = -1
        self._tokens = ASK_BURST
        self._received = 0
        self._gap_ns: int | None = None
        self._tail = -1
        self._trust = TRUST
        self._repeated: deque[int] = deque(maxlen=REMEMBERED)
        self.broken = False
        self.given_up = 0
        self.patience_ns = 0
        self.tail_ns = TAIL_NS
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
        self._gap_ns = now_ns
        self.patience_ns -= self.patience_ns >> 4
        for sequence in range(first, last + 1):
            self._missing[sequence] = [now_ns, 0, 0, 0]
        while len(self._missing) > MAX_MISSING:
            del self._missing[next(iter(self._missing))]
            self.given_up += 1
            self.broken = True
        return True

    def on_tail(self, sequence: int, now_ns: int) -> None:
        """The last packet of a picture does not come: this one is taken for lost."""
        restless_ns = self._gap_ns
        self.on_gap(sequence, sequence, now_ns)
        self._gap_ns = restless_ns  # a guess is no loss
        self._tail = sequence

    def restless(self, now_ns: int) -> bool:
        """Tell whether something is missing, or was a moment ago."""
        if self._missing:
            return True
        return self._gap_ns is not None and now_ns - self._gap_ns < RESTLESS_NS

    def on_keyframe(self, sequence: int) -> None:
        """A keyframe begins here: what is older matters less."""
        self._keyframe = sequence

    def on_repair(self, sequence: int, now_ns: int) -> bool | None:
        """A packet came that was sent again: True if it was missing, None if not."""
        entry = self._missing.pop(sequence, None)
        if entry is None:
            if sequence in self._repeated:
                self._trust = max(0, self._trust - TWICE_COSTS)
            return None
        self._trust = min(TRUST, self._trust + 1)
        if sequence == self._tail:
            self.tail_ns = max(TAIL_NS, self.tail_ns - (self.tail_ns >> 3))
        took, known = now_ns - entry[1], self.round_trip_ns
        if entry[2] == 1:
            if entry[3]:
                self._repeated.append(sequence)
            if known is None:
                self.round_trip_ns = took
            else:  # what is longer is often the machine's doing
                self.round_trip_ns = (
                    (3 * known + took) >> 2 if took < known else (15 * known + took) >> 4
                )
        elif entry[2] and known is not None and took < known - (known >> 3):
            # Too soon for the last asking: it answers the one before, the way is longer.
            self.round_trip_ns = (7 * known + took + self._retry_ns()) >> 3
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
        if sequence == self._tail:
            self.tail_ns = min(2 * self.tail_ns, MAX_TAIL_NS)
            return False
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
        retry_ns = self._retry_ns()
        echoing = self._trust >= TRUST // 2
        ask: list[int] = []
        dead: list[int] = []
        for sequence, entry in self._missing.items():
            seen_ns, asked_ns, tries, echoed = entry
            age = now_ns - seen_ns
            limit = BEFORE_KEYFRAME_NS if sequence < self._keyframe else GIVE_UP_NS
            if tries >= MAX_TRIES or age > limit:
                dead.append(sequence)
                continue
            ready = now_ns - asked_ns >= retry_ns if tries else age >= self.patience_ns
            first = tries == 1
            if ready:
                if self._tokens <= 0:
                    continue
                entry[1:] = (now_ns, tries + 1, 0)
                self._tokens -= 1
            elif (
                echoing
                and tries
                and echoed < (1 if first or self.round_trip_ns is None else MAX_ECHOES)
                and now_ns - asked_ns >= ECHO_NS * (echoed + 1)
                and (echoed == 0 or now_ns - asked_ns < retry_ns * 2 // 3)
            ):
                if not echoed:  # a later one makes the publisher send nothing more
                    if self._tokens <= 0:
                        continue
                    self._tokens -= 1
                entry[3] = echoed + 1
            else:
                continue
            ask.append(sequence & 0xFFFF)
        for sequence in dead:
            del self._missing[sequence]
            self.broken = self.broken or sequence >= self._keyframe
        self.given_up += len(dead)
        return ask

    def _retry_ns(self) -> int:
        known = self.round_trip_ns
        if known is None:
            return RETRY_NS
        return min(max(known + (known >> 4) + RETRY_SLACK_NS, MIN_RETRY_NS), MAX_RETRY_NS)
