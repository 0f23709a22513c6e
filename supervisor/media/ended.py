"""Sessions that are no more, so that their peers can be told instead of left to guess.

A peer goes on checking its path after its session ended here, most of all when the
worker that had it died. It gets an error response, made with the session's own password
so that nobody else can make one: the vehicle client and browsers take it as the end of
the path at once, long before their own patience is over (RFC 7675: 30 s). Who is not
known here gets silence as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MAX_ENDED: Final = 4_096
"""Sessions remembered; the oldest is forgotten first."""


class Ended:
    """ICE credentials of ended sessions."""

    __slots__ = ("_passwords",)

    def __init__(self) -> None:
        self._passwords: dict[str, str] = {}

    def add(self, ufrag: str, password: str) -> None:
        """A session has ended."""
        self._passwords[ufrag] = password
        if len(self._passwords) > MAX_ENDED:
            del self._passwords[next(iter(self._passwords))]

    def update(self, passwords: Mapping[str, str]) -> None:
        """Several have, by user fragment."""
        for ufrag, password in passwords.items():
            self.add(ufrag, password)

    def password(self, ufrag: str) -> str | None:
        """Return the password of an ended session, None if there was none of this name."""
        return self._passwords.get(ufrag)
