"""Virtual time: a heap of what happens next, one seeded source of chance, one trace.

Everything happens on a grid of `GRID_NS`, so that deadlines are often met *exactly*:
a `<` where `<=` is meant shows.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
GRID_NS: Final = 5 * MS
KEPT_LINES: Final = 40


class Violation(AssertionError):  # noqa: N818 - a finding, no malfunction
    """Something that must hold does not."""


class Clockwork:
    """Runs callbacks in the order of their time, and of their making within one time.

    Attributes:
        now: Nanoseconds since the simulation began: true time.
        chance: The only source of randomness.
        lines: The last things that happened, for a report.
    """

    def __init__(self, seed: int, *, tell: Callable[[str], None] | None = None) -> None:
        self.now = 0
        self.chance = random.Random(seed)
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._tell = tell
        self._bits = self.chance.getrandbits
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._made = 0
        self._hash = hashlib.blake2b(digest_size=16)

    def after(self, delay_ns: int, call: Callable[..., None], *arguments: Any) -> None:
        """Have something happen later."""
        self._made += 1
        heapq.heappush(self._heap, (self.now + delay_ns, self._made, call, arguments))

    def run(self, until_ns: int) -> None:
        """Let everything up to `until_ns` happen."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until_ns:
            self.now, _, call, arguments = pop(heap)
            call(*arguments)
        self.now = until_ns

    def some(self, low_ms: int, high_ms: int) -> int:
        """Return a duration on the grid, evenly from `low_ms` to `high_ms`, nanoseconds."""
        low = low_ms // 5
        width = high_ms // 5 + 1 - low
        bits, of = width.bit_length(), self._bits
        taken = of(bits)
        while taken >= width:  # as `randrange` does, without its checks
            taken = of(bits)
        return (low + taken) * GRID_NS

    def happens(self, probability: float) -> bool:
        """Return True that often."""
        return self.chance.random() < probability

    def note(self, what: str, *details: object) -> None:
        """Keep one line for the report, and in the trace's hash."""
        line = f"{self.now / SECOND:9.3f} s  {what} {' '.join(map(str, details))}".rstrip()
        self.lines.append(line)
        self._hash.update(line.encode())
        if self._tell is not None:
            self._tell(line)

    def mix(self, data: bytes) -> None:
        """Put bytes into the trace's hash."""
        self._hash.update(data)

    @property
    def digest(self) -> str:
        """The hash of all that happened."""
        return self._hash.hexdigest()
