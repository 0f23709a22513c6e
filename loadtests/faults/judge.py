"""Freezes and losses, from the pictures a seat has shown. Pure.

A *freeze* is what W3C webrtc-stats (`freezeCount`) calls one: with δ the mean time
between the last 30 pictures, a pause of at least max(3 δ, δ + 150 ms); 183 ms at 30
pictures a second. Its whole length counts as frozen.

A picture is *lost* if its number was never shown and packets were given up there, or
whole pictures had to be thrown away because they refer to lost ones. A number missing
without that was never sent: the vehicle skipped it (a busy machine).
"""

from __future__ import annotations

import itertools
import statistics as mean
from collections.abc import Sequence
from typing import Final, NamedTuple

from loadtests.faults.said import Shown, Telemetry

WINDOW: Final = 30
FREEZE_ADDED_MS: Final = 150.0
_FRAMES: Final = 1 << 24
_MS: Final = 1 << 40


class Viewing(NamedTuple):
    """What an operator saw in one stretch of time.

    Attributes:
        pictures: Shown.
        longest_ms: Longest pause between two pictures, edges included.
        freezes, frozen_ms: Count and total length.
        own_freezes, own_ms: Those of them in which the vehicle itself captured nothing for
            so long that it alone is a freeze: a busy machine, not the network.
        lost: Picture numbers never shown because of packets lost.
        skipped: Numbers the vehicle never sent.
        repeated: Shown again or out of order.
        unreadable: Pictures whose strip could not be read.
        camera_pause_ms: Longest time between two captures of pictures shown in a row
            without a loss: a pause of the vehicle itself.
        age_p50_ms, age_max_ms: Capture to display.
    """

    seconds: float
    pictures: int
    longest_ms: float
    freezes: int
    frozen_ms: float
    own_freezes: int
    own_ms: float
    lost: int
    skipped: int
    repeated: int
    unreadable: int
    camera_pause_ms: float
    age_p50_ms: float
    age_max_ms: float

    @property
    def frozen_share(self) -> float:
        """Frozen time by all time."""
        return self.frozen_ms / (self.seconds * 1e3) if self.seconds else 1.0

    @property
    def per_s(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds if self.seconds else 0.0


def view(shown: Sequence[Shown], from_ns: int, to_ns: int) -> Viewing:
    """Judge the pictures shown from `from_ns` to `to_ns`."""
    inside = [one for one in shown if from_ns <= one.at_ns < to_ns]
    edges = [from_ns, *(one.at_ns for one in inside), to_ns]
    pauses = [(b - a) / 1e6 for a, b in itertools.pairwise(edges)]
    frozen = _freezes(pauses)
    freezes = [pauses[index] for index in frozen]
    own = [pauses[index] for index in frozen if _is_own(inside, index, pauses[index])]
    lost = skipped = repeated = 0
    camera_pause_ms = 0.0
    readable = [one for one in inside if one.frame is not None]
    for before, after in itertools.pairwise(readable):
        assert before.frame is not None and after.frame is not None
        step = (after.frame - before.frame) % _FRAMES
        if step == 0 or step > _FRAMES // 2:
            repeated += 1
        elif after.lost or after.skipped:
            lost += step - 1
        else:
            skipped += step - 1
            pause_ms = float((after.captured_ms - before.captured_ms) % _MS)
            camera_pause_ms = max(camera_pause_ms, pause_ms)
    ages = [one.age_ms for one in readable]
    return Viewing(
        seconds=(to_ns - from_ns) / 1e9,
        pictures=len(inside),
        longest_ms=max(pauses),
        freezes=len(freezes),
        frozen_ms=sum(freezes),
        own_freezes=len(own),
        own_ms=sum(own),
        lost=lost,
        skipped=skipped,
        repeated=repeated,
        unreadable=len(inside) - len(readable),
        camera_pause_ms=camera_pause_ms,
        age_p50_ms=mean.median(ages) if ages else 0.0,
        age_max_ms=max(ages, default=0.0),
    )


def _freezes(pauses: Sequence[float]) -> list[int]:
    """Return which of the pauses are freezes."""
    found = []
    recent: list[float] = []
    for index, pause in enumerate(pauses):
        usual = sum(recent) / len(recent) if recent else 1000 / 30
        if pause >= max(3 * usual, usual + FREEZE_ADDED_MS):
            found.append(index)
        recent = [*recent, pause][-WINDOW:]
    return found


def _is_own(inside: Sequence[Shown], index: int, pause_ms: float) -> bool:
    """Tell whether the pause before picture `index` is the vehicle's own.

    It is if, had the vehicle captured at its pace, what remains were no freeze.
    """
    if not 0 < index < len(inside):
        return False
    before, after = inside[index - 1], inside[index]
    if before.frame is None or after.frame is None or after.lost or after.skipped:
        return False
    captured_ms = float((after.captured_ms - before.captured_ms) % _MS)
    usual = 1000 / 30
    return pause_ms - max(0.0, captured_ms - usual) < usual + FREEZE_ADDED_MS


def first_after(shown: Sequence[Shown], at_ns: int) -> float | None:
    """Return how long after `at_ns` the next picture was shown, milliseconds."""
    return next(((one.at_ns - at_ns) / 1e6 for one in shown if one.at_ns >= at_ns), None)


class Numbers(NamedTuple):
    """Telemetry messages of one stretch: `missing` and `repeated` by their number."""

    messages: int
    missing: int
    repeated: int


def numbers(told: Sequence[Telemetry], from_ns: int, to_ns: int) -> Numbers:
    """Account telemetry by session and sequence number."""
    inside = [one for one in told if from_ns <= one.at_ns < to_ns]
    by_session: dict[str, list[int]] = {}
    for one in inside:
        by_session.setdefault(one.session, []).append(one.seq)
    missing = repeated = 0
    for sequence in by_session.values():
        distinct = set(sequence)
        missing += max(distinct) - min(distinct) + 1 - len(distinct)
        repeated += len(sequence) - len(distinct)
    return Numbers(len(inside), missing, repeated)
