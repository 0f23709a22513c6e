"""How often somebody may ask: token buckets in bounded memory."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

MAX_KEYS: Final = 4_096
"""Askers remembered; the one not heard for longest is forgotten, and so forgiven."""


class Pace:
    """One limit, kept for each asker by itself.

    >>> pace = Pace(per_s=1, burst=2)
    >>> [pace.wait_s("a", 0) for _ in range(3)], pace.wait_s("b", 0)
    ([0, 0, 1], 0)
    >>> pace.wait_s("a", 1_000_000_000)
    0

    Args:
        per_s: Asking that goes on for ever is allowed so often.
        burst: So many at once after a rest.
    """

    __slots__ = ("_burst", "_known", "_per_s")

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._known: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def wait_s(self, asker: Hashable, now_ns: int) -> int:
        """Count one asking; return 0 if it is allowed, else whole seconds to wait.

        What is refused is not counted, so patience is rewarded and impatience not
        punished further.
        """
        left, since_ns = self._known.pop(asker, (float(self._burst), now_ns))
        left = min(self._burst, left + max(0, now_ns - since_ns) * self._per_s / 1e9)
        allowed = left >= 1
        self._known[asker] = (left - 1 if allowed else left, now_ns)
        if len(self._known) > MAX_KEYS:
            self._known.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) / self._per_s))
