"""A vehicle client that writes down each of its steps: who drives it, on its own clock.

Run as `python -m support.traced_vehicle CONFIG TRACE` with `tests` on the path. Nothing of
the vehicle is changed but that its drive is asked through a function that notes down what
it was asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from vehicle_stub.app import VehicleApp
from vehicle_stub.config import load


class Step(NamedTuple):
    """One step of 50 ms, as the drive was asked for it.

    Attributes:
        at_ns: Vehicle monotonic clock.
        driving: The dead-man is pressed, by the vehicle's own knowledge.
        wanted_mps: What the driver's hand asks for; 0 when nobody drives.
        seq, accepted_ns: The newest accepted frame, and when it was accepted.
        speed_mps: Of the vehicle, before this step.
    """

    at_ns: int
    driving: bool
    wanted_mps: float
    seq: int
    accepted_ns: int
    speed_mps: float


def read(trace: Path) -> list[Step]:
    """Return the steps so far; one that is half written is left out."""
    if not trace.exists():
        return []
    lines = trace.read_text().splitlines(keepends=True)
    return [Step(*json.loads(line)) for line in lines if line.endswith("\n")]


def main(config: Path, trace: Path) -> None:
    """Run the vehicle until SIGTERM."""
    app = VehicleApp(load(config), config)
    vehicle = app.vehicle
    step = vehicle.drive.step
    with trace.open("w", buffering=1) as file:

        def traced(now_ns: int, demand: Any, limit_mps: float, wish: Any) -> Any:
            newest = vehicle._newest
            speed = vehicle.drive.speed
            said = Step(
                now_ns, vehicle.deadman.driving, wish.speed_mps, newest.seq, newest.at_ns, speed
            )
            file.write(json.dumps(said) + "\n")
            return step(now_ns, demand, limit_mps, wish)

        vehicle.drive.step = traced  # type: ignore[method-assign]
        asyncio.run(app.run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
