"""The only place in the hub that reads a clock (ruff bans the rest).

Intervals use the monotonic clock. The wall clock appears in records and on
screens, never in a decision.
"""

from __future__ import annotations

import ctypes
import os
import time
from typing import Final, NamedTuple

_STA_UNSYNC: Final = 0x40
_TIME_ERROR: Final = 5


class Discipline(NamedTuple):
    """What the kernel knows of how well its wall clock is kept (adjtimex(2), RFC 5905).

    Attributes:
        synchronised: A time service keeps it.
        max_error_s: Bound of its error, as the kernel extrapolates it, seconds.
    """

    synchronised: bool
    max_error_s: float


class _Timex(ctypes.Structure):
    """The head of `struct timex`; the kernel writes 208 bytes on 64-bit machines."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def discipline() -> Discipline:
    """Ask the kernel whether its wall clock is kept; changes nothing.

    Raises:
        OSError: This system does not say.
    """
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except AttributeError as error:
        raise OSError("this system has no adjtimex") from error
    told = _Timex()
    state = ask(ctypes.byref(told))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    kept = state != _TIME_ERROR and not told.status & _STA_UNSYNC
    return Discipline(kept, told.maxerror / 1e6)


def monotonic_ns() -> int:
    """Return the hub's monotonic clock in nanoseconds."""
    return time.monotonic_ns()


def utc_ns() -> int:
    """Return the wall clock, nanoseconds since 1970 (UTC)."""
    return time.time_ns()


def cpu_ns() -> int:
    """Return the processor time this process has used, in nanoseconds."""
    return time.process_time_ns()
