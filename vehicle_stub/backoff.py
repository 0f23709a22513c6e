"""How long to wait before trying again: jittered, so that a fleet does not return as one.

first try again after 0.2 to 1 s, then each bound doubled, up to 5 s
"""

from __future__ import annotations

import random

FIRST_LOW_S = 0.2
FIRST_HIGH_S = 1.0
LONGEST_S = 5.0


class Backoff:
    """Delays of one connection."""

    def __init__(self, source: random.Random, longest_s: float = LONGEST_S) -> None:
        self._random = source
        self._longest_s = longest_s
        self._tries = 0

    def reset(self) -> None:
        """It worked: begin with short delays next time."""
        self._tries = 0

    def next_s(self) -> float:
        """Return the next delay in seconds."""
        factor = 2.0 ** min(self._tries, 8)
        self._tries += 1
        high = min(FIRST_HIGH_S * factor, self._longest_s)
        return self._random.uniform(min(FIRST_LOW_S * factor, high / 2), high)
