"""Counts over a sliding window, in constant memory and amortised constant time.

Time is cut into slices of `window / SLICES`. A sample belongs to the slice it falls in;
the window holds the slice of now and the `SLICES - 1` before it. So a sample leaves
between `window * (1 - 1/SLICES)` and `window` after it came, and totals are sums that
are only ever added to and subtracted from.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

SLICES: Final = 20


class Slice(NamedTuple):
    """What one finished slice held. `number`: time divided by the length of a slice."""

    number: int
    good: int
    bad: int
    doubtful: int


class SlidingCounts:
    """Samples by kind: good, bad, doubtful.

    Args:
        window_ns: How far back it looks.

    Attributes:
        good, bad, doubtful: Totals as of the last call of `add` or `roll`.
    """

    __slots__ = (
        "_bad",
        "_doubtful",
        "_finished",
        "_good",
        "_number",
        "_slice_ns",
        "bad",
        "doubtful",
        "good",
    )

    def __init__(self, window_ns: int) -> None:
        self._slice_ns = max(1, window_ns // SLICES)
        self._finished: deque[Slice] = deque()
        self._number = -1  # of the slice of now, and what it holds so far
        self._good = self._bad = self._doubtful = 0
        self.good = 0
        self.bad = 0
        self.doubtful = 0

    @property
    def samples(self) -> int:
        """All of them."""
        return self.good + self.bad + self.doubtful

    def add(self, good: int, bad: int, doubtful: int, now_ns: int) -> None:
        """Count samples taken now; `now_ns` never falls."""
        if now_ns // self._slice_ns > self._number:
            self.roll(now_ns)
        if good:
            self._good += good
            self.good += good
        if bad:
            self._bad += bad
            self.bad += bad
        if doubtful:
            self._doubtful += doubtful
            self.doubtful += doubtful

    def roll(self, now_ns: int) -> None:
        """Let what is too old leave."""
        number = now_ns // self._slice_ns
        if number <= self._number:
            return
        finished = self._finished
        if self._good or self._bad or self._doubtful:
            finished.append(Slice(self._number, self._good, self._bad, self._doubtful))
            self._good = self._bad = self._doubtful = 0
        self._number = number
        while finished and finished[0].number <= number - SLICES:
            gone = finished.popleft()
            self.good -= gone.good
            self.bad -= gone.bad
            self.doubtful -= gone.doubtful
