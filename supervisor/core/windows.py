"""Counts over a sliding window, in constant memory and amortised constant time.

Time is cut into slices of `window / SLICES`. A sample belongs to the slice it falls in;
the window holds the slice of now and the `SLICES - 1` before it. So a sample leaves
between `window * (1 - 1/SLICES)` and `window` after it came, and totals are sums that
are only ever added to and subtracted from.
"""

from __future__ import annotations

import struct
from typing import ClassVar, Final

SLICES: Final = 20

_SLICE: Final = struct.Struct("<qIII")
"""A finished slice: its number (time divided by the length of a slice), what it held."""


class SlidingCounts:
    """Samples by kind: good, bad, doubtful.

    A hub has thirty of these for each vehicle: finished slices are packed, so that they
    are small in memory and cost next to nothing in a snapshot.

    Args:
        window_ns: How far back it looks.

    Attributes:
        good, bad, doubtful: Totals as of the last call of `add` or `roll`.
    """

    is_plain: ClassVar[bool] = True
    """For `core.snapshot`: held by one holder alone, nothing but numbers and bytes inside."""

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
        self._finished = bytearray()
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

    def add_good(self, now_ns: int) -> None:
        """Count one good sample taken now, by far the most frequent one."""
        if now_ns // self._slice_ns > self._number:
            self.roll(now_ns)
        self._good += 1
        self.good += 1

    def roll(self, now_ns: int) -> None:
        """Let what is too old leave."""
        number = now_ns // self._slice_ns
        if number <= self._number:
            return
        finished = self._finished
        if self._good or self._bad or self._doubtful:
            finished += _SLICE.pack(self._number, self._good, self._bad, self._doubtful)
            self._good = self._bad = self._doubtful = 0
        self._number = number
        while finished:
            oldest, good, bad, doubtful = _SLICE.unpack_from(finished)
            if oldest > number - SLICES:
                return
            del finished[: _SLICE.size]
            self.good -= good
            self.bad -= bad
            self.doubtful -= doubtful
