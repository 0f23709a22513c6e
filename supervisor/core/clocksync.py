"""Two clocks meet here and nowhere else: hub = vehicle + offset, with an error bar.

One exchange has four times: t1 hub sent, t2 vehicle received, t3 vehicle sent,
t4 hub received (RFC 5905 §8). With rtt = (t4 - t1) - (t3 - t2) the offset
((t1 - t2) + (t4 - t3)) / 2 is wrong by at most rtt / 2, whatever the asymmetry of
the two ways. Between exchanges the clocks may drift apart by `DRIFT_PPM`; so an
exchange of age a bounds the offset to ± (rtt / 2 + a * DRIFT_PPM), and the best
exchange is the one whose bound is narrowest *now* (a minimum-RTT filter that lets
an old minimum expire by itself).

Worked: a 30 ms exchange 10 s ago gives ± (15 ms + 0.5 ms); a 40 ms exchange now
gives ± 20 ms: the old one is kept. After 100 s its bound is ± 20 ms: the new wins.

Which exchange is best does not change with time, because all bounds widen alike: the
best is kept beside the others, and looked for again only when it leaves.

Exchanges come by heartbeat and over the vehicle's data channel; the narrower bound
wins, whichever path it took. What a path adds to one way only is inside the bound.

Two exchanges whose bounds do not touch contradict each other: a clock was stepped, runs
at an impossible rate, or the vehicle lies. Then everything before is forgotten and trust
is earned again: after a single contradiction by `EXCHANGES_TO_TRUST` exchanges that
agree, after a second one within `SUSPICION_NS` by that much time without a third. A
clock that runs 1000 ppm fast contradicts itself every few seconds, and so is never
trusted.

RTCP sender reports carry the vehicle's *wall* clock. Each heartbeat carries wall and
monotonic clock of one instant; a jump between them is a wall-clock step. A report is
mapped only when heartbeats from both sides of it say that nothing was stepped: one
before it since the last step, and one after it (`confirms`). Until then the report
before it is used.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

DRIFT_PPM: Final = 50
"""Crystals keep within ±20 to ±50 ppm; monotonic clocks are slewed by little more."""

KEPT_EXCHANGES: Final = 48
"""Some 16 s of two heartbeats and one exchange by data channel a second."""
EXCHANGES_TO_TRUST: Final = 3
SUSPICION_NS: Final = 60_000_000_000
RECENT_TRIPS: Final = 5
LONGEST_EXCHANGE_NS: Final = 10_000_000_000
WALL_STEP_NS: Final = 5_000_000
NTP_TO_UNIX_S: Final = 2_208_988_800
_HALF_ERA: Final = 1 << 31


class Exchange(NamedTuple):
    """One accepted exchange. `at_ns`: t4, hub clock."""

    at_ns: int
    offset_ns: int
    half_rtt_ns: int


class Mapped(NamedTuple):
    """An instant on the hub's clock, and the half-width of its error bar."""

    at_ns: int
    uncertainty_ns: int


class ClockSync:
    """One vehicle's clocks, for one session."""

    __slots__ = (
        "_best_one",
        "_contradicted_ns",
        "_exchanges",
        "_suspected_ns",
        "_trips",
        "_wall",
        "_wall_from_utc_ns",
        "_wall_spread",
        "_wall_to_utc_ns",
        "trusted_below_ns",
    )

    def __init__(self, trusted_below_ns: int) -> None:
        self.trusted_below_ns = trusted_below_ns
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT_EXCHANGES)
        self._best_one: Exchange | None = None
        self._trips: deque[int] = deque(maxlen=RECENT_TRIPS)
        self._contradicted_ns: int | None = None
        self._suspected_ns: int | None = None
        self._wall: int | None = None
        self._wall_spread = 0
        self._wall_from_utc_ns = self._wall_to_utc_ns = 0

    def restart(self) -> None:
        """Forget everything: a new session has a new monotonic clock. Suspicion stays."""
        self._exchanges.clear()
        self._best_one = None
        self._trips.clear()
        self._wall = None
        self._wall_spread = 0
        self._wall_from_utc_ns = self._wall_to_utc_ns = 0

    def on_exchange(
        self, t1_ns: int, t2_ns: int, t3_ns: int, t4_ns: int, *, beat: bool = True
    ) -> str:
        """Take in one exchange, of any path; return "" or the reason to count.

        Only those of heartbeats (`beat`) tell the round trip of the command link.

        `exchange_implausible`: times that no honest exchange has; dropped.
        `step`: it contradicts what was known; the old is dropped.
        """
        rtt = (t4_ns - t1_ns) - (t3_ns - t2_ns)
        if not (0 <= t4_ns - t1_ns <= LONGEST_EXCHANGE_NS) or t3_ns < t2_ns or rtt < 0:
            return "exchange_implausible"
        new = Exchange(t4_ns, ((t1_ns - t2_ns) + (t4_ns - t3_ns)) // 2, (rtt + 1) // 2)
        if beat:
            self._trips.append(rtt)
        best = self._best_one
        # The oldest too: the longest look at how fast the two clocks drift apart.
        stepped = best is not None and (
            _contradict(new, best) or _contradict(new, self._exchanges[0])
        )
        if stepped:
            self._exchanges.clear()
            self._best_one = None
            earlier = self._contradicted_ns
            if earlier is not None and t4_ns - earlier < SUSPICION_NS:
                self._suspected_ns = t4_ns
            self._contradicted_ns = t4_ns
        self._keep(new)
        return "step" if stepped else ""

    def _keep(self, new: Exchange) -> None:
        exchanges, best = self._exchanges, self._best_one
        leaves = exchanges[0] if len(exchanges) == KEPT_EXCHANGES else None
        exchanges.append(new)
        if best is not None and leaves is best:
            best = min(reversed(exchanges), key=lambda one: _bound(one, new.at_ns))
        elif best is None or new.half_rtt_ns <= _bound(best, new.at_ns):
            best = new
        self._best_one = best

    def round_trip_ns(self) -> int | None:
        """Return the least of the newest round trips of heartbeats; None before the first."""
        return min(self._trips, default=None)

    def on_wall_clock(self, utc_ns: int, sent_ns: int) -> bool:
        """Take in one heartbeat's pair; return whether the wall clock was stepped."""
        wall = utc_ns - sent_ns
        before, self._wall = self._wall, wall
        moved = 0 if before is None else abs(wall - before)
        stepped = moved > WALL_STEP_NS
        if before is None or stepped:
            self._wall_spread = 0
            self._wall_from_utc_ns = utc_ns
        else:
            # A spread that decays: the pair's own reading jitter, kept for some beats.
            self._wall_spread = max(moved, self._wall_spread * 7 // 8)
        self._wall_to_utc_ns = utc_ns
        return stepped

    def confirms(self, ntp: int) -> bool | None:
        """Say whether a sender report's wall clock can be used.

        True: heartbeats on both sides of it agree. False: it is from before the last
        step, or before the first heartbeat. None: no heartbeat after it has come yet.
        """
        utc_ns = ntp_to_unix_ns(ntp)
        if utc_ns < self._wall_from_utc_ns or self._wall is None:
            return False
        return True if utc_ns <= self._wall_to_utc_ns else None

    def offset(self, now_ns: int) -> Mapped | None:
        """Return hub minus vehicle and its uncertainty; None while not trusted."""
        best = self._best_one
        if best is None or len(self._exchanges) < EXCHANGES_TO_TRUST:
            return None
        if self._suspected_ns is not None:
            if now_ns - self._suspected_ns < SUSPICION_NS:
                return None
            self._suspected_ns = None
        bound = _bound(best, now_ns)
        return Mapped(best.offset_ns, bound) if bound <= self.trusted_below_ns else None

    def is_trusted(self, now_ns: int) -> bool:
        """Return whether `offset` is known now."""
        best = self._best_one
        if best is None or len(self._exchanges) < EXCHANGES_TO_TRUST:
            return False
        if self._suspected_ns is not None:
            return self.offset(now_ns) is not None
        return _bound(best, now_ns) <= self.trusted_below_ns

    def uncertainty_ns(self, now_ns: int) -> int | None:
        """Return the present bound, trusted or not; None before the first exchange."""
        best = self._best_one
        return None if best is None else _bound(best, now_ns)

    def map_ntp(self, ntp: int, now_ns: int) -> Mapped | None:
        """Map a sender report's NTP time (64-bit, vehicle wall clock) to the hub's clock."""
        offset = self.offset(now_ns)
        if offset is None or self._wall is None:
            return None
        at_ns = ntp_to_unix_ns(ntp) - self._wall + offset.at_ns
        return Mapped(at_ns, offset.uncertainty_ns + self._wall_spread)


def _contradict(new: Exchange, old: Exchange) -> bool:
    return abs(new.offset_ns - old.offset_ns) > new.half_rtt_ns + _bound(old, new.at_ns)


def _bound(exchange: Exchange, now_ns: int) -> int:
    age_ns = now_ns - exchange.at_ns
    return exchange.half_rtt_ns + (age_ns * DRIFT_PPM // 1_000_000 if age_ns > 0 else 0)


def ntp_to_unix_ns(ntp: int) -> int:
    """Return nanoseconds since 1970 of a 64-bit NTP time (RFC 3550 §4).

    Seconds below 2^31 belong to the era that begins in 2036 (RFC 4330 §3).

    >>> ntp_to_unix_ns((2_208_988_800 + 1) << 32 | 1 << 31)
    1500000000
    """
    if ntp >> 32 < _HALF_ERA:
        ntp += 1 << 64
    return (ntp - (NTP_TO_UNIX_S << 32)) * 1_000_000_000 >> 32
