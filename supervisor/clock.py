"""The only place in the hub that reads a clock (ruff bans the rest).

Intervals use the monotonic clock. The wall clock appears in records and on
screens, never in a decision.
"""

from __future__ import annotations

import time


def monotonic_ns() -> int:
    """Return the hub's monotonic clock in nanoseconds."""
    return time.monotonic_ns()


def utc_ns() -> int:
    """Return the wall clock, nanoseconds since 1970 (UTC)."""
    return time.time_ns()


def cpu_ns() -> int:
    """Return the processor time this process has used, in nanoseconds."""
    return time.process_time_ns()
