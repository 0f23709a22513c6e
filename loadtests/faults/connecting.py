"""Coming to stand on a bad path: F-03, F-04."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import msgspec

from loadtests.children import spawn, stop
from loadtests.errors import BenchError
from loadtests.faults import judge
from loadtests.faults.bed import BASE, VEHICLE_LINK, Bed, Camera
from loadtests.faults.connect import GIVE_UP_S, Dialled
from loadtests.faults.fault import Measured, Options, ms, within
from loadtests.faults.verdict import Check, conditions


async def f03(bed: Bed, options: Options) -> Measured:
    """Dial again and again where 30 % of datagrams are lost both ways."""
    camera = Camera()
    await bed.healthy(camera)
    await bed.end_vehicle()
    config = bed.vehicle_config(camera)
    await bed.take()
    await bed.network.both(VEHICLE_LINK, msgspec.structs.replace(BASE, loss=0.30, only_udp=True))
    process = await spawn(
        *bed.network.inside("vehicle"),
        *(sys.executable, "-m", "loadtests.faults.connect", str(config), str(options.tries)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complained = await process.communicate()
    finally:
        await stop(process, terminate=True)
    taken = await bed.take()
    if process.returncode != 0:
        words = complained.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise BenchError(f"dialling failed: {words[-1]}")
    dialled = [msgspec.json.decode(line, type=Dialled).seconds for line in said.splitlines()]
    took = sorted(seconds for seconds in dialled if seconds is not None)
    within = sum(1 for seconds in took if seconds <= 10)
    worst = f"{took[-1]:.1f} s" if len(took) == len(dialled) else f"none within {GIVE_UP_S:.0f} s"
    return Measured(
        conditions(taken),
        [
            Check(
                f"connected within 10 s, of {options.tries}",
                f"{options.tries}",
                f"{within}",
                within == options.tries,
            ),
            Check("median", "–", f"{took[len(took) // 2]:.1f} s" if took else "–", None),
            Check("longest", "–", worst, None),
        ],
        [
            "ICE and DTLS of the vehicle's own client, its dialling again included; datagrams are "
            "lost both ways, the TCP in between is not. Stock aiortc: 27 of 30, up to 17.6 s."
        ],
    )


async def f04(bed: Bed, options: Options) -> Measured:
    """Start a vehicle behind half a second each way."""
    await bed.healthy()
    await bed.end_vehicle()
    await bed.take()
    slow = msgspec.structs.replace(BASE, delay_ms=500.0)
    begun = await bed.network.both(VEHICLE_LINK, slow)
    raised_before = len(bed.seat.alarms)
    started = await bed.start_vehicle(Camera())
    back = None
    with contextlib.suppress(BenchError):
        await bed.seat.until(
            lambda: judge.first_after(bed.seat.shown, started) is not None, "a picture", 60.0
        )
        back = judge.first_after(bed.seat.shown, started)
    await asyncio.sleep(10.0)
    ended = time.monotonic_ns()
    taken = await bed.take()
    seen = judge.view(bed.seat.shown, ended - 5_000_000_000, ended)
    told = [one for one in bed.seat.vehicle if one.at_ns > begun][-1:]
    uncertainty = told[0].clock_uncertainty_ms if told else None
    link = told[0].link if told else "unknown"
    alarms = sorted({alarm.key for alarm in bed.seat.alarms[raised_before:]})
    shows = uncertainty is None or uncertainty > 20 or bool(alarms)
    clock = "unknown" if uncertainty is None else f"± {uncertainty:.0f} ms"
    await bed.network.both(VEHICLE_LINK, BASE)
    return Measured(
        conditions(taken),
        [
            Check(
                "first picture after the vehicle's start",
                "≤ 20 s",
                ms(back),
                within(back, 20_000),
            ),
            Check("pictures a second then", "≥ 25", f"{seen.per_s:.1f}", seen.per_s >= 25),
            Check("age of the pictures (median)", "≥ 500 ms", ms(seen.age_p50_ms), None),
            Check(
                "the console shows it",
                "clock beyond 20 ms, or an alarm",
                f"clock {clock}, link {link}, alarms: {', '.join(alarms) or 'none'}",
                shows,
            ),
        ],
        ["There is no remote driving yet, so nothing that could be blocked."],
    )
