"""The only place in the vehicle that reads clocks (ruff bans the rest).

Intervals and expiry use the monotonic clock; the wall clock is only sent along
(`Heartbeat.utc_ns`, RTCP sender reports, the strip in the picture).
"""

from __future__ import annotations

import time


def monotonic_ns() -> int:
    """Return the vehicle's monotonic clock in nanoseconds."""
    return time.monotonic_ns()


def utc_ns() -> int:
    """Return the wall clock, nanoseconds since 1970 (UTC)."""
    return time.time_ns()


def utc_offset_ns() -> int:
    """Return wall clock minus monotonic clock now, nanoseconds.

    The best of three readings: the one whose two monotonic readings lie closest.
    """
    best_gap = 1 << 62
    offset = 0
    for _ in range(3):
        before = time.monotonic_ns()
        utc = time.time_ns()
        gap = time.monotonic_ns() - before
        if gap < best_gap:
            best_gap = gap
            offset = utc - before - gap // 2
    return offset
