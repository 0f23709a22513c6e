"""Figures from what was measured. Pure; exact, by sorting, never estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class Account(NamedTuple):
    """What became of the packets of one stream at one watcher.

    Attributes:
        received: Packets that arrived, each counted once.
        lost: Packets that never arrived.
        duplicates: Arrivals of a packet that had already arrived.
        reordered: Packets that arrived after a later one (RFC 4737 §3.3, type-P-reordered).
    """

    received: int = 0
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0

    def __add__(self, other: object) -> Account:
        """Sum field by field."""
        if not isinstance(other, Account):
            return NotImplemented
        return Account(*(a + b for a, b in zip(self, other, strict=True)))


def account(arrived: Integers, first: int, end: int) -> Account:
    """Account the packets numbered `first` (included) to `end` (excluded).

    Args:
        arrived: Packet numbers in order of arrival; others are left out.
        first: The first number that was sent.
        end: One more than the last number that was sent.
    """
    inside = arrived[(arrived >= first) & (arrived < end)]
    unique = len(np.unique(inside))
    _, first_arrival = np.unique(inside, return_index=True)
    once = inside[np.sort(first_arrival)]
    newest = np.maximum.accumulate(once) if len(once) else once
    return Account(
        received=unique,
        lost=max(end - first, 0) - unique,
        duplicates=len(inside) - unique,
        reordered=int(np.count_nonzero(once < newest)),
    )


def unwrap(sequences: npt.NDArray[np.uint16]) -> Integers:
    """Return 16-bit sequence numbers as a continuous count (RFC 3550 appendix A.1).

    Each number is taken as the one nearest to its predecessor: 65535, 0 becomes
    65535, 65536, and 0, 65535 becomes 0, -1.
    """
    if not len(sequences):
        return np.zeros(0, np.int64)
    steps = np.diff(sequences).astype(np.int16).astype(np.int64)
    start = np.int64(sequences[0])
    return np.concatenate(([start], start + np.cumsum(steps)))


def account_sequences(sequences: npt.NDArray[np.uint16]) -> Account:
    """Account what lies between the lowest and the highest sequence number seen."""
    numbers = unwrap(sequences)
    if not len(numbers):
        return Account()
    return account(numbers, int(numbers.min()), int(numbers.max()) + 1)


def percentile(values: Integers, share: float) -> int | None:
    """Return the smallest value that `share` of all values do not exceed (nearest rank).

    None if there are no values. Of 1, 2, 3, 4 the 0.5 percentile is 2 and the 0.99 is 4.
    """
    if not len(values):
        return None
    rank = max(1, math.ceil(share * len(values)))
    return int(np.partition(values, rank - 1)[rank - 1])


def nearest_rank(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the values do not exceed; NaN of nothing."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]
