"""Plain counters, cheap enough for every path; read at scrape time.

Names are rows of `supervisor.observability.catalogue`; a test holds the two
together.
"""

from __future__ import annotations


class Counters:
    """Totals by (name, reason). Not shared between threads."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], int] = {}

    def add(self, name: str, reason: str = "", amount: int = 1) -> None:
        """Add to one total. `reason` must come from a bounded set."""
        key = (name, reason)
        self._totals[key] = self._totals.get(key, 0) + amount

    def get(self, name: str, reason: str = "") -> int:
        """Return one total, 0 if it was never counted."""
        return self._totals.get((name, reason), 0)

    def items(self) -> list[tuple[str, str, int]]:
        """Return (name, reason, total), sorted."""
        return sorted((name, reason, total) for (name, reason), total in self._totals.items())
