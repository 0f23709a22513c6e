"""One keyframe request upstream for many watchers, never more than two a second."""

from __future__ import annotations

from typing import Final

MIN_INTERVAL_NS: Final = 500_000_000


class KeyframeAsker:
    """Coalesces and rate-limits requests; asks again until a keyframe begins.

    >>> asker = KeyframeAsker()
    >>> asker.ask(); asker.ask()
    >>> asker.due(0), asker.due(1), asker.due(MIN_INTERVAL_NS)
    (True, False, True)
    """

    __slots__ = ("_sent_ns", "asked", "sent", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self.asked = 0
        self.sent = 0
        self._sent_ns: int | None = None

    def ask(self) -> None:
        """Somebody needs a keyframe."""
        self.wanted = True
        self.asked += 1

    def on_keyframe(self) -> None:
        """A keyframe begins: everybody who asked before gets it."""
        self.wanted = False

    def due(self, now_ns: int) -> bool:
        """Tell whether to send one request now, and count it as sent."""
        if not self.wanted:
            return False
        if self._sent_ns is not None and now_ns - self._sent_ns < MIN_INTERVAL_NS:
            return False
        self._sent_ns = now_ns
        self.sent += 1
        return True

    def next_deadline_ns(self) -> int | None:
        """When `due` can next become true; None while nobody asks."""
        if not self.wanted:
            return None
        return 0 if self._sent_ns is None else self._sent_ns + MIN_INTERVAL_NS
