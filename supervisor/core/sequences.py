"""Sequence numbers of one stream of one vehicle session.

MQTT at QoS 0 may lose, at QoS 1 may repeat, and a broker's reconnect may reorder.
Only what is newer than everything seen is used; the rest is told apart so that it
can be counted by cause. A window of the last `WINDOW` numbers separates a repetition
from a message that arrives late for the first time.
"""

from __future__ import annotations

import enum
from typing import Final

WINDOW: Final = 64


class Order(enum.Enum):
    """What a sequence number says about its message."""

    FIRST = "first"
    NEXT = "next"
    GAP = "gap"
    DUPLICATE = "duplicate"
    LATE = "late"


class Sequence:
    """Follows one rising counter.

    Attributes:
        missed: Numbers that never came, over all sessions; a late arrival takes
            its number off again.
    """

    __slots__ = ("_newest", "_seen", "missed")

    def __init__(self) -> None:
        self._newest = -1
        self._seen = 0  # bit i: number newest - i has been seen
        self.missed = 0

    def restart(self) -> None:
        """Begin a new session: the next number is the first."""
        self._newest = -1
        self._seen = 0

    def accept(self, seq: int) -> Order:
        """Take in one number and say how it stands to the newest.

        >>> numbers = Sequence()
        >>> [numbers.accept(n).value for n in (5, 6, 9, 9, 8)], numbers.missed
        (['first', 'next', 'gap', 'duplicate', 'late'], 1)
        """
        newest = self._newest
        if seq == newest + 1 and newest >= 0:
            self._newest = seq
            self._seen = (self._seen << 1 | 1) & (1 << WINDOW) - 1
            return Order.NEXT
        if newest < 0:
            self._newest = seq
            self._seen = 1
            return Order.FIRST
        if seq > newest:
            step = seq - newest
            self.missed += step - 1
            self._newest = seq
            self._seen = (self._seen << step | 1) & (1 << WINDOW) - 1 if step < WINDOW else 1
            return Order.GAP
        back = newest - seq
        if back >= WINDOW:
            return Order.LATE
        if self._seen >> back & 1:
            return Order.DUPLICATE
        self._seen |= 1 << back
        if self.missed:
            self.missed -= 1
        return Order.LATE
