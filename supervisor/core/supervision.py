"""How well a vehicle can be supervised now, as consoles show it; pure reading."""

from __future__ import annotations

from protocols.supervision import (
    ClosedLoopView,
    DriveView,
    LadderView,
    Purpose,
    SupervisionView,
)
from supervisor.core.fleet import Fleet, VehicleRecord


def view(fleet: Fleet, record: VehicleRecord, now_ns: int) -> SupervisionView:
    """Return what is known of one vehicle's supervision."""
    return SupervisionView(
        vehicle=record.name_text,
        at_ns=now_ns,
        purpose=Purpose.MONITOR,
        segment="",
        objectives=[],
        closed_loop=ClosedLoopView(ms=None, uncertainty_ms=None, missing=["g2g", "command"]),
        speed_limit=None,
        ladder=LadderView(),
        drive=DriveView(available=False, reasons=["closed_loop"]),
        round_trip_ms=None,
        clock_trusted=record.clock.offset(now_ns) is not None,
    )
