"""The faults: what is injected, what must hold, what was measured.

Each fault begins with a healthy bed (clean link of 50 ms round trip, pictures at their
pace), injects, waits, and judges from what the seat saw. Times are CLOCK_MONOTONIC.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from loadtests import procfs
from loadtests.children import spawn, stop
from loadtests.emulator.control import Taken
from loadtests.emulator.link import Impairment
from loadtests.emulator.network import VEHICLE
from loadtests.errors import BenchError
from loadtests.faults import judge
from loadtests.faults.bed import BASE, VEHICLE_LINK, Bed, Camera
from loadtests.faults.connect import GIVE_UP_S, Dialled
from loadtests.faults.verdict import Check, FaultResult, conditions

WIDE: Final = Camera(width=1280, height=720, kbps=6_000)
SETTLE_S: Final = 1.0
BACK_WITHIN_S: Final = 30.0
BETWEEN_MOVES_S: Final = 3.0


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


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f} ms"


def _within(value: float | None, limit: float) -> bool:
    return value is not None and value <= limit


async def _lossy(
    bed: Bed, how: Impairment, seconds: float
) -> tuple[judge.Viewing, Taken, set[int]]:
    """Impair both ways for that long; return what was seen and what was there before."""
    await bed.healthy()
    await asyncio.sleep(SETTLE_S)  # repairs of an earlier fault are over
    await bed.take()
    await asyncio.sleep(SETTLE_S)
    before = set((await bed.take()).streams)
    begun = await bed.network.both(VEHICLE_LINK, how)
    await asyncio.sleep(seconds)
    ended = await bed.network.both(VEHICLE_LINK, BASE)
    taken = await bed.take()
    await asyncio.sleep(SETTLE_S)  # repairs still on their way belong to the fault
    seen = judge.view(bed.seat.shown, begun, ended + round(SETTLE_S * 1e9))
    return seen, taken, before


def _vehicle_pauses(seen: judge.Viewing) -> list[str]:
    if not seen.skipped:
        return []
    return [
        f"the vehicle itself left out {seen.skipped} pictures (longest pause "
        f"{seen.camera_pause_ms:.0f} ms): this machine was busy"
    ]


async def _f01(bed: Bed, options: Options) -> Measured:
    how = msgspec.structs.replace(BASE, loss=0.05)
    seen, taken, _ = await _lossy(bed, how, options.seconds)
    return Measured(
        conditions(taken),
        [
            Check("pictures finally lost", "0", f"{seen.lost:,}", seen.lost == 0),
            Check("time frozen", "≤ 1 %", f"{seen.frozen_share:.2%}", seen.frozen_share <= 0.01),
            Check("longest freeze", "≤ 300 ms", _ms(seen.longest_ms), seen.longest_ms <= 300),
            _shown(seen),
        ],
        _vehicle_pauses(seen),
    )


async def _f02(bed: Bed, options: Options) -> Measured:
    how = msgspec.structs.replace(BASE, loss=0.10, burst=4.0)
    given_up = bed.seat.counts[-1].lost if bed.seat.counts else 0
    seen, taken, before = await _lossy(bed, how, options.seconds)
    lost_for_good = max(0, bed.seat.counts[-1].lost - given_up)
    recovered = 1 - lost_for_good / max(1, taken.up.offered)
    of_lost = 1 - lost_for_good / max(1, taken.up.lost)
    octets = sum(stream.octets for stream in taken.streams.values())
    again = sum(
        stream.repeated_octets if ssrc in before else stream.octets
        for ssrc, stream in taken.streams.items()
    )
    share = again / max(1, octets)
    return Measured(
        conditions(taken),
        [
            Check(
                "packets there in the end",
                "≥ 99.9 %",
                f"{recovered:.3%} ({of_lost:.1%} of those lost)",
                recovered >= 0.999,
            ),
            Check("longest freeze", "≤ 500 ms", _ms(seen.longest_ms), seen.longest_ms <= 500),
            Check("sent again, of all bytes", "≤ 20 %", f"{share:.1%}", share <= 0.20),
            Check("pictures finally lost", "–", f"{seen.lost:,}", None),
            Check("time frozen", "–", f"{seen.frozen_share:.2%}", None),
            _shown(seen),
        ],
        _vehicle_pauses(seen),
    )


def _shown(seen: judge.Viewing) -> Check:
    return Check(
        "pictures shown",
        "–",
        f"{seen.pictures:,} ({seen.per_s:.1f}/s), age p50 {seen.age_p50_ms:.0f} ms, "
        f"max {seen.age_max_ms:.0f} ms",
        None,
    )


async def _f03(bed: Bed, options: Options) -> Measured:
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


async def _f04(bed: Bed, options: Options) -> Measured:
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
                _ms(back),
                _within(back, 20_000),
            ),
            Check("pictures a second then", "≥ 25", f"{seen.per_s:.1f}", seen.per_s >= 25),
            Check("age of the pictures (median)", "≥ 500 ms", _ms(seen.age_p50_ms), None),
            Check(
                "the console shows it",
                "clock beyond 20 ms, or an alarm",
                f"clock {clock}, link {link}, alarms: {', '.join(alarms) or 'none'}",
                shows,
            ),
        ],
        ["There is no remote driving yet, so nothing that could be blocked."],
    )


async def _f05(bed: Bed, options: Options) -> Measured:
    wide = msgspec.structs.replace(BASE, rate_kbps=8_000.0)
    await bed.healthy(WIDE)
    await bed.network.set(VEHICLE_LINK, up=wide)
    await asyncio.sleep(10.0)
    narrow_ns = await bed.network.set(
        VEHICLE_LINK, up=msgspec.structs.replace(BASE, rate_kbps=1_000.0)
    )
    usual = bed.seat.kbps(narrow_ns - 5_000_000_000, narrow_ns)
    await bed.take()
    await asyncio.sleep(20.0)
    taken = await bed.take()
    wide_ns = await bed.network.set(VEHICLE_LINK, up=wide)
    in_narrow = bed.seat.kbps(wide_ns - 10_000_000_000, wide_ns)
    seen = judge.view(bed.seat.shown, narrow_ns, wide_ns)
    back_s = await _back_to(bed, 0.9 * usual, wide_ns)
    standing_s = taken.up.standing_ns / 1e9
    back = f"{back_s:.1f} s" if back_s is not None else f"not within {BACK_WITHIN_S:.0f} s"
    return Measured(
        conditions(taken, both=False),
        [
            Check(
                "longest time with a queue above 500 ms",
                "≤ 2 s",
                f"{standing_s:.1f} s (longest queue {taken.up.queue_ns / 1e6:,.0f} ms)",
                standing_s <= 2.0,
            ),
            Check(
                "back to 90 % of the rate before",
                "≤ 10 s",
                f"{back} ({usual:,.0f} kbit/s before)",
                _within(back_s, 10.0),
            ),
            Check(
                "while narrow",
                "–",
                f"{in_narrow:,.0f} kbit/s, {seen.per_s:.1f} pictures/s, "
                f"longest pause {seen.longest_ms:,.0f} ms",
                None,
            ),
        ],
    )


async def _back_to(bed: Bed, kbps: float, since_ns: int) -> float | None:
    """Return after how many seconds the rate over one second was that high again."""
    while True:
        now_ns = time.monotonic_ns()
        if (
            now_ns - since_ns > 1_000_000_000
            and bed.seat.kbps(now_ns - 1_000_000_000, now_ns) >= kbps
        ):
            return (now_ns - since_ns) / 1e9
        if now_ns - since_ns > BACK_WITHIN_S * 1e9:
            return None
        await asyncio.sleep(0.1)


_AFTER_CUT_MS: Final = {0.5: 500.0, 3.0: 1_000.0, 10.0: 2_000.0, 60.0: 3_000.0}


async def _f06(bed: Bed, options: Options) -> Measured:
    checks: list[Check] = []
    injected: list[str] = []
    notes: list[str] = []
    for cut_s in options.cuts_s:
        await bed.healthy()
        await bed.take()
        cut_ns = await bed.network.both(VEHICLE_LINK, msgspec.structs.replace(BASE, cut=True))
        await asyncio.sleep(cut_s)
        healed_ns = await bed.network.both(VEHICLE_LINK, BASE)
        first_ms = await _picture_after(bed, healed_ns)
        limit_ms = _AFTER_CUT_MS[cut_s]
        checks.append(
            Check(
                f"cut of {cut_s:g} s: first picture after healing",
                f"≤ {limit_ms / 1e3:g} s",
                _ms(first_ms),
                _within(first_ms, limit_ms),
            )
        )
        checks.append(await _telemetry_after(bed, cut_s, cut_ns, healed_ns))
        injected.append(f"{cut_s:g} s: {conditions(await bed.take())}")
    return Measured(" | ".join(injected), checks, notes)


async def _picture_after(bed: Bed, at_ns: int) -> float | None:
    with contextlib.suppress(BenchError):
        await bed.seat.until(
            lambda: judge.first_after(bed.seat.shown, at_ns) is not None, "", BACK_WITHIN_S
        )
    return judge.first_after(bed.seat.shown, at_ns)


async def _telemetry_after(bed: Bed, cut_s: float, cut_ns: int, healed_ns: int) -> Check:
    """Every message is there later, or the hub knows how many it missed; none twice."""
    gaps_before = next((one.gaps for one in reversed(bed.seat.vehicle) if one.at_ns < cut_ns), 0)
    with contextlib.suppress(BenchError):
        await bed.seat.until(
            lambda: bool(bed.seat.telemetry) and bed.seat.telemetry[-1].at_ns > healed_ns,
            "",
            BACK_WITHIN_S,
        )
    await asyncio.sleep(2 * SETTLE_S)
    told = judge.numbers(bed.seat.telemetry, cut_ns - 2_000_000_000, time.monotonic_ns())
    marked = bed.seat.vehicle[-1].gaps - gaps_before
    resumed = bool(bed.seat.telemetry) and bed.seat.telemetry[-1].at_ns > healed_ns
    return Check(
        f"cut of {cut_s:g} s: telemetry",
        "later or marked, 0 twice",
        f"{told.missing} missing, {marked} marked, {told.repeated} twice"
        + ("" if resumed else ", none since"),
        resumed and told.repeated == 0 and marked >= told.missing,
    )


async def _f07(bed: Bed, options: Options) -> Measured:
    own = ".".join([*VEHICLE.split(".")[:3], "{}"])
    try:
        rebound, rebound_conditions = await _moves(
            bed,
            [own.format(10 + number) for number in range(options.moves)],
            lambda new: bed.network.move(VEHICLE_LINK, new),
        )
    finally:
        await bed.network.move(VEHICLE_LINK, VEHICLE)
    address = VEHICLE

    async def readdress(new: str) -> int:
        nonlocal address
        at_ns = time.monotonic_ns()
        await bed.network.readdress("vehicle", address, new)
        address = new
        return at_ns

    try:
        renewed, renewed_conditions = await _moves(
            bed, [own.format(110 + number) for number in range(options.moves)], readdress
        )
    finally:
        await readdress(VEHICLE)
    return Measured(
        f"behind a NAT: {rebound_conditions} | own address: {renewed_conditions}",
        [
            _moved("hub sees a new address (NAT): video back", rebound),
            _moved("vehicle has a new address: video back", renewed),
        ],
        [
            "There are no leases yet, so none that could be lost.",
            "Stock aiortc notices after about 30 s.",
        ],
    )


async def _moves(
    bed: Bed, addresses: Sequence[str], move: Callable[[str], Awaitable[int]]
) -> tuple[list[float | None], str]:
    found: list[float | None] = []
    await bed.healthy()
    await bed.take()
    for new in addresses:
        await bed.healthy()
        await asyncio.sleep(BETWEEN_MOVES_S)
        at_ns = await move(new)
        # What was on the way still arrives: video is back after the pause that follows.
        on_the_way_ns = at_ns + round((BASE.delay_ms * 2 + 50) * 1e6)
        after_ms = await _picture_after(bed, on_the_way_ns)
        found.append(None if after_ms is None else after_ms + (on_the_way_ns - at_ns) / 1e6)
    return found, conditions(await bed.take())


def _moved(what: str, back: Sequence[float | None]) -> Check:
    ordered = sorted(math.inf if one is None else one for one in back)
    p95 = ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)]
    told = ", ".join("never" if one is None else f"{one / 1e3:.1f}" for one in back)
    return Check(
        f"{what}, p95 of {len(back)}", "≤ 2 s", f"{p95 / 1e3:.1f} s ({told})", p95 <= 2_000
    )


async def _f11(bed: Bed, options: Options) -> Measured:
    await bed.healthy()
    await bed.take()
    alarms_before, results_before = len(bed.seat.alarms), len(bed.seat.results)
    twice_before = bed.seat.counts[-1].duplicates
    how = msgspec.structs.replace(BASE, reorder=0.05, duplicate=0.02)
    begun = await bed.network.both(VEHICLE_LINK, how)
    await asyncio.sleep(min(options.seconds, 20.0))
    command = secrets.token_hex(8)
    bed.seat.stop_vehicle(command)
    bed.seat.stop_vehicle(command)
    await bed.seat.until(lambda: _applied(bed, command, results_before) > 0, "stop applied", 20.0)
    await asyncio.sleep(2 * SETTLE_S)
    ended = await bed.network.both(VEHICLE_LINK, BASE)
    taken = await bed.take()
    seen = judge.view(bed.seat.shown, begun, ended)
    applied = _applied(bed, command, results_before)
    raised = [
        (alarm.id, alarm.raised_ns)
        for alarm in bed.seat.alarms[alarms_before:]
        if alarm.state == "unacknowledged"
    ]
    again = len(raised) - len({identity for identity, _ in raised})
    await bed.end_vehicle()  # it has stopped; the next one drives again
    return Measured(
        conditions(taken),
        [
            Check("pictures shown twice or backwards", "0", f"{seen.repeated}", seen.repeated == 0),
            Check("pictures finally lost", "0", f"{seen.lost}", seen.lost == 0),
            Check("a stop pressed twice: applied", "1 time", f"{applied}", applied == 1),
            Check("alarms raised again", "0", f"{again} ({len(raised)} raised)", again == 0),
            Check(
                "packets that reached the seat twice, asked again in vain included",
                "–",
                f"{bed.seat.counts[-1].duplicates - twice_before}",
                None,
            ),
            _shown(seen),
        ],
        _vehicle_pauses(seen),
    )


def _applied(bed: Bed, command: str, since: int) -> int:
    return sum(
        1 for one in bed.seat.results[since:] if one.id == command and one.outcome == "applied"
    )


FAULTS: Final = [
    Fault("F-01", "5 % loss both ways", _f01),
    Fault("F-02", "10 % loss in bursts, both ways", _f02),
    Fault("F-03", "connecting under 30 % loss", _f03),
    Fault("F-04", "500 ms each way", _f04),
    Fault("F-05", "uplink 8 → 1 → 8 Mbit/s", _f05),
    Fault("F-06", "the link is cut", _f06),
    Fault("F-07", "the vehicle's address changes", _f07),
    Fault("F-11", "5 % reordered, 2 % duplicated", _f11),
]
"""In the order they run."""

SHORT: Final = ("F-01", "F-06", "F-11")
"""What a submission runs, with `SHORT_OPTIONS`."""

SHORT_OPTIONS: Final = Options(seconds=10.0, cuts_s=(0.5, 3.0), tries=5, moves=1)
