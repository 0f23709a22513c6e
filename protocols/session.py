"""How long a sign-in lasts, as its console is told."""

from __future__ import annotations

import msgspec


class SessionView(msgspec.Struct, frozen=True, tag="session", kw_only=True):
    """Hub → one console, after the snapshot and whenever it changes.

    All times on the *hub's monotonic clock*.

    Attributes:
        ends_ns: The sign-in ends then, however busy it is. A password given before begins
            another whole time.
        proved_until_ns: Until then control for driving may be asked for; afterwards the
            password has to be given once more first. It may be past.
    """

    ends_ns: int
    proved_until_ns: int
