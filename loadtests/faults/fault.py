"""What every fault is made of: its row, its options, its result, its common sums."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from loadtests.errors import BenchError
from loadtests.faults import judge
from loadtests.faults.bed import Bed, Camera
from loadtests.faults.verdict import Check

WIDE: Final = Camera(width=1280, height=720, kbps=6_000)
SETTLE_S: Final = 1.0
BACK_WITHIN_S: Final = 30.0


class Options(NamedTuple):
    """How much to do.

    Attributes:
        seconds: Of loss in F-01 and F-02.
        cuts_s: F-06.
        tries: F-03.
        moves: F-07, of each kind.
    """

    seconds: float = 60.0
    cuts_s: tuple[float, ...] = (0.5, 3.0, 10.0)
    tries: int = 20
    moves: int = 5


class Measured(NamedTuple):
    """What a fault's function brings home."""

    conditions: str
    checks: list[Check]
    notes: Sequence[str] = ()


class Fault(NamedTuple):
    """One row of the suite."""

    id: str
    title: str
    run: Callable[[Bed, Options], Awaitable[Measured]]


def ms(value: float | None) -> str:
    """Return a time as text; None is never."""
    return "never" if value is None else f"{value:,.0f} ms"


def within(value: float | None, limit: float) -> bool:
    """Tell whether it happened, and by then."""
    return value is not None and value <= limit


def shown(seen: judge.Viewing) -> Check:
    """Return what the seat saw, as a line without a target."""
    return Check(
        "pictures shown",
        "–",
        f"{seen.pictures:,} ({seen.per_s:.1f}/s), age p50 {seen.age_p50_ms:.0f} ms, "
        f"max {seen.age_max_ms:.0f} ms",
        None,
    )


def vehicle_pauses(seen: judge.Viewing) -> list[str]:
    """Return a note on what the machine did, not the network."""
    notes = []
    if seen.own_freezes:
        notes.append(
            f"of {seen.freezes} freezes {seen.own_freezes} ({seen.own_ms:,.0f} of "
            f"{seen.frozen_ms:,.0f} ms) are pauses of the vehicle itself: this machine was busy; "
            f"without them {(seen.frozen_ms - seen.own_ms) / 1e3 / seen.seconds:.2%} frozen"
        )
    if seen.skipped:
        notes.append(
            f"the vehicle itself left out {seen.skipped} pictures (longest pause "
            f"{seen.camera_pause_ms:.0f} ms): this machine was busy"
        )
    return notes


async def picture_after(bed: Bed, at_ns: int) -> float | None:
    """Wait for the next picture after a time; return how long after it, milliseconds."""
    with contextlib.suppress(BenchError):
        await bed.seat.until(
            lambda: judge.first_after(bed.seat.shown, at_ns) is not None, "", BACK_WITHIN_S
        )
    return judge.first_after(bed.seat.shown, at_ns)
