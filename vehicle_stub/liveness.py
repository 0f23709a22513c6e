"""Decides when a path is silent and when to dial again. Pure.

The shell asks the other end for a sign of life over the path itself (a STUN binding
check, as RFC 7675 does for consent) and tells when it answered, and when anything else
genuine came (RTCP, a command frame). What counts is the time since the last *sign*, not
the round trip of one check: a path of 500 ms each way answers as regularly as one of
5 ms. An answer proves both directions; anything else only the one towards us, so it
stands in for answers no longer than `UNANSWERED_NS`.

    answered                    a check every 200 ms
    no answer for 250 ms        one is overdue: a check every 50 ms
    no sign for 450 ms, or
    no answer for 700 ms        silent: NOTICED (other sockets and addresses are tried)
    silent and still nothing    DIAL, after a hesitation that differs between vehicles,
                                so that a short outage costs nothing and a fleet does
                                not return as one
    a sign again                RESUMED; also RESTART if no answer came for 1 s or the
                                address changed: the pictures begin with a keyframe.
                                What a shorter hole took is repaired (`repair`)
    the own address changed     NOTICED at once, DIAL if that leads to no answer soon
    the session is refused      DIAL within 200 ms: the hub says itself that it is gone
"""

from __future__ import annotations

import enum
from typing import Final

CHECK_NS: Final = 200_000_000
LATE_NS: Final = 250_000_000
LATE_CHECK_NS: Final = 50_000_000
SILENT_NS: Final = 450_000_000
UNANSWERED_NS: Final = 700_000_000
RESTART_NS: Final = 1_000_000_000
"""From the last answer before a silence to its end: what was lost meanwhile is more than
repair brings back in time."""

SHORTEST_HESITATION_NS: Final = 300_000_000
LONGEST_HESITATION_NS: Final = 500_000_000


class Act(enum.Enum):
    """What the shell has to do now."""

    CHECK = "check"
    NOTICED = "noticed"
    DIAL = "dial"
    RESUMED = "resumed"
    RESTART = "restart"


class Liveness:
    """Of one connected path.

    Args:
        now_ns: When the path was established; counts as an answer.
        hesitation_ns: From NOTICED to DIAL; take it at random between the two bounds.
        round_trip_ns: About how long the first answer takes; none can come before.

    Attributes:
        silent: NOTICED was said and no sign of life came since.
        refused: The other end said that the session has ended.
        answered_ns: When the last answer came.
        heard_ns: When the last sign of any kind came.
    """

    def __init__(self, now_ns: int, hesitation_ns: int, round_trip_ns: int = 0) -> None:
        self.silent = False
        self.refused = False
        self.answered_ns = self.heard_ns = now_ns + round_trip_ns
        self._hesitation_ns = hesitation_ns
        self._check_ns = now_ns
        self._dial_ns: int | None = None
        self._hurried = False
        self._moved = False
        self._changed = False
        self._resumed = False
        self._restart = False

    def on_answer(self, now_ns: int) -> None:
        """The other end answered a check."""
        self._live(now_ns)
        self.answered_ns = now_ns
        self._hurried = False

    def on_heard(self, now_ns: int) -> None:
        """Something else came that only the other end can have sent, now."""
        if not self.refused and not self._changed and now_ns - self.answered_ns < UNANSWERED_NS:
            self._live(now_ns)

    def _live(self, now_ns: int) -> None:
        if self.silent:
            self.silent = False
            self._resumed = True
            long = now_ns - self.answered_ns >= RESTART_NS
            self._restart = self._changed or self.refused or long
        self._changed = False
        self.heard_ns = max(self.heard_ns, now_ns)
        self._dial_ns = None

    def on_refused(self, now_ns: int) -> None:
        """The other end does not know the session any more; more often changes nothing."""
        if not self.refused:
            self.refused = self.silent = True
            self._dial_ns = now_ns + self._hesitation_ns - SHORTEST_HESITATION_NS

    def on_moved(self, now_ns: int) -> None:
        """The own address for this destination is another one now."""
        self._moved = True
        self._check_ns = now_ns

    def on_time(self, now_ns: int) -> list[Act]:
        """Return what to do; safe early, late or twice."""
        acts: list[Act] = []
        if self._resumed:
            self._resumed = False
            acts.append(Act.RESUMED)
            if self._restart:
                acts.append(Act.RESTART)
        if self._moved or (now_ns >= self._silent_ns() and not self.silent):
            self._changed = self._changed or self._moved
            self._moved = False
            self.silent = True
            self._dial_ns = now_ns + self._hesitation_ns
            acts.append(Act.NOTICED)
        if not self._hurried and (self.silent or now_ns - self.answered_ns >= LATE_NS):
            self._hurried = True
            self._check_ns = min(self._check_ns, now_ns)
        if now_ns >= self._check_ns:
            self._check_ns = now_ns + (LATE_CHECK_NS if self._hurried else CHECK_NS)
            acts.append(Act.CHECK)
        if self._dial_ns is not None and now_ns >= self._dial_ns:
            self._dial_ns = None
            acts.append(Act.DIAL)
        return acts

    def is_unheard(self, now_ns: int) -> bool:
        """Return whether nothing came for so long that the way from there must be cut."""
        return not self.refused and now_ns - self.heard_ns >= SILENT_NS

    def next_deadline_ns(self) -> int:
        """Return when to call `on_time` next."""
        deadlines = [self._check_ns]
        if self._dial_ns is not None:
            deadlines.append(self._dial_ns)
        if not self.silent:
            deadlines.append(self._silent_ns())
            if not self._hurried:
                deadlines.append(self.answered_ns + LATE_NS)
        return min(deadlines)

    def _silent_ns(self) -> int:
        return min(self.heard_ns + SILENT_NS, self.answered_ns + UNANSWERED_NS)
