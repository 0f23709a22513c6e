"""The faults: what is injected, what must hold, what was measured.

Each fault begins with a healthy bed (clean link of 50 ms round trip, pictures at their
pace), injects, waits, and judges from what the seat saw. Times are CLOCK_MONOTONIC.
"""

from __future__ import annotations

import time
from typing import Final

from loadtests import procfs
from loadtests.errors import BenchError
from loadtests.faults import connecting, cuts, losing, narrow
from loadtests.faults.bed import Bed
from loadtests.faults.fault import Fault, Measured, Options
from loadtests.faults.verdict import FaultResult

__all__ = ["FAULTS", "SHORT", "SHORT_OPTIONS", "Fault", "Options", "measure"]


async def measure(fault: Fault, bed: Bed, options: Options) -> FaultResult:
    """Run one fault; what cannot be measured is said in the result."""
    load, begun = procfs.load_average(), time.monotonic()
    error = ""
    measured = Measured("", [])
    try:
        measured = await fault.run(bed, options)
    except BenchError as reason:
        error = str(reason)
        await bed.end_vehicle()  # the next fault begins with a new one
    return FaultResult(
        id=fault.id,
        title=fault.title,
        conditions=measured.conditions,
        checks=measured.checks,
        seconds=time.monotonic() - begun,
        load=load,
        error=error,
        notes=list(measured.notes),
    )


FAULTS: Final = [
    Fault("F-01", "5 % loss both ways", losing.f01),
    Fault("F-02", "10 % loss in bursts, both ways", losing.f02),
    Fault("F-03", "connecting under 30 % loss", connecting.f03),
    Fault("F-04", "500 ms each way", connecting.f04),
    Fault("F-05", "uplink 8 → 1 → 8 Mbit/s", narrow.f05),
    Fault("F-06", "the link is cut", cuts.f06),
    Fault("F-07", "the vehicle's address changes", cuts.f07),
    Fault("F-09", "one direction is cut", cuts.f09),
    Fault("F-11", "5 % reordered, 2 % duplicated", losing.f11),
    Fault("W-01", "one of two watchers has a slow link", narrow.w01),
]
"""In the order they run."""

SHORT: Final = ("F-01", "F-03", "F-06", "F-11")
"""What a submission runs, with `SHORT_OPTIONS`."""

SHORT_OPTIONS: Final = Options(seconds=10.0, cuts_s=(0.5, 3.0), tries=5, moves=1)
