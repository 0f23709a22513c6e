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

Two exchanges whose bounds do not touch contradict each other: a clock was stepped
or the vehicle lies. Then everything before is forgotten and trust is earned again.

RTCP sender reports carry the vehicle's *wall* clock. Each heartbeat carries wall and
monotonic clock of one instant; a jump between them is a wall-clock step, and a
sender report from before the step is not mapped.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

DRIFT_PPM: Final = 50
"""Crystals keep within ±20 to ±50 ppm; monotonic clocks are slewed by little more."""

KEPT_EXCHANGES: Final = 32
EXCHANGES_TO_TRUST: Final = 3
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

    __slots__ = ("_exchanges", "_wall", "_wall_spread", "trusted_below_ns")

    def __init__(self, trusted_below_ns: int) -> None:
        self.trusted_below_ns = trusted_below_ns
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT_EXCHANGES)
        self._wall: int | None = None
        self._wall_spread = 0

    def restart(self) -> None:
        """Forget everything: a new session has a new monotonic clock."""
        self._exchanges.clear()
        self._wall = None
        self._wall_spread = 0

    def on_exchange(self, t1_ns: int, t2_ns: int, t3_ns: int, t4_ns: int) -> str:
        """Take in one exchange; return "" or the reason to count.

        `exchange_implausible`: times that no honest exchange has; dropped.
        `step`: it contradicts what was known; the old is dropped.
        """
        rtt = (t4_ns - t1_ns) - (t3_ns - t2_ns)
        if not (0 <= t4_ns - t1_ns <= LONGEST_EXCHANGE_NS) or t3_ns < t2_ns or rtt < 0:
            return "exchange_implausible"
        new = Exchange(t4_ns, ((t1_ns - t2_ns) + (t4_ns - t3_ns)) // 2, (rtt + 1) // 2)
        best = self._best(t4_ns)
        stepped = best is not None and abs(new.offset_ns - best.offset_ns) > (
            new.half_rtt_ns + _bound(best, t4_ns)
        )
        if stepped:
            self._exchanges.clear()
        self._exchanges.append(new)
        return "step" if stepped else ""

    def on_wall_clock(self, utc_ns: int, sent_ns: int) -> bool:
        """Take in one heartbeat's pair; return whether the wall clock was stepped."""
        wall = utc_ns - sent_ns
        before, self._wall = self._wall, wall
        if before is None:
            return False
        moved = abs(wall - before)
        if moved > WALL_STEP_NS:
            self._wall_spread = 0
            return True
        # A spread that decays: the pair's own reading jitter, kept for some beats.
        self._wall_spread = max(moved, self._wall_spread * 7 // 8)
        return False

    def offset(self, now_ns: int) -> Mapped | None:
        """Return hub minus vehicle and its uncertainty; None while not trusted."""
        if len(self._exchanges) < EXCHANGES_TO_TRUST:
            return None
        best = self._best(now_ns)
        if best is None:
            return None
        bound = _bound(best, now_ns)
        return Mapped(best.offset_ns, bound) if bound <= self.trusted_below_ns else None

    def uncertainty_ns(self, now_ns: int) -> int | None:
        """Return the present bound, trusted or not; None before the first exchange."""
        best = self._best(now_ns)
        return None if best is None else _bound(best, now_ns)

    def map_ntp(self, ntp: int, now_ns: int) -> Mapped | None:
        """Map a sender report's NTP time (64-bit, vehicle wall clock) to the hub's clock."""
        offset = self.offset(now_ns)
        if offset is None or self._wall is None:
            return None
        at_ns = ntp_to_unix_ns(ntp) - self._wall + offset.at_ns
        return Mapped(at_ns, offset.uncertainty_ns + self._wall_spread)

    def _best(self, now_ns: int) -> Exchange | None:
        best: Exchange | None = None
        best_bound = 0
        for exchange in self._exchanges:
            bound = _bound(exchange, now_ns)
            if best is None or bound <= best_bound:
                best, best_bound = exchange, bound
        return best


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
