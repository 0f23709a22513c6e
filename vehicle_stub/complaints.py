"""Says a lasting trouble once, then again every so often, instead of at every try."""

from __future__ import annotations

AGAIN_EVERY = 20


class Complaints:
    """Of one connection."""

    def __init__(self) -> None:
        self._last = ""
        self._times = 0

    def worth_saying(self, text: str) -> bool:
        """Return whether this text is news: other than the last, or its 20th time."""
        if text != self._last:
            self._last, self._times = text, 0
        self._times += 1
        return self._times % AGAIN_EVERY == 1

    def reset(self) -> None:
        """It works again."""
        self._last = ""
