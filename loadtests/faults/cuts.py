"""Nothing passes for a while, one way or both, or the address changes: F-06, F-07, F-09."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from loadtests.emulator.network import VEHICLE
from loadtests.errors import BenchError
from loadtests.faults import judge
from loadtests.faults.bed import BASE, VEHICLE_LINK, Bed
from loadtests.faults.fault import (
    BACK_WITHIN_S,
    SETTLE_S,
    Measured,
    Options,
    ms,
    picture_after,
    within,
)
from loadtests.faults.verdict import Check, conditions

BETWEEN_MOVES_S: Final = 3.0
ONE_WAY_S: Final = 6.0


_AFTER_CUT_MS: Final = {0.5: 500.0, 3.0: 1_000.0, 10.0: 2_000.0, 60.0: 3_000.0}


async def f06(bed: Bed, options: Options) -> Measured:
    """Cut both ways, heal, wait for pictures and numbers."""
    checks: list[Check] = []
    injected: list[str] = []
    notes: list[str] = []
    for cut_s in options.cuts_s:
        await bed.healthy()
        await bed.take()
        cut_ns = await bed.network.both(VEHICLE_LINK, msgspec.structs.replace(BASE, cut=True))
        await asyncio.sleep(cut_s)
        healed_ns = await bed.network.both(VEHICLE_LINK, BASE)
        first_ms = await picture_after(bed, healed_ns)
        limit_ms = _AFTER_CUT_MS[cut_s]
        checks.append(
            Check(
                f"cut of {cut_s:g} s: first picture after healing",
                f"≤ {limit_ms / 1e3:g} s",
                ms(first_ms),
                within(first_ms, limit_ms),
            )
        )
        checks.append(await _telemetry_after(bed, cut_s, cut_ns, healed_ns))
        injected.append(f"{cut_s:g} s: {conditions(await bed.take())}")
    return Measured(" | ".join(injected), checks, notes)


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


async def f07(bed: Bed, options: Options) -> Measured:
    """Give the vehicle other addresses, seen from outside and its own."""
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
        after_ms = await picture_after(bed, on_the_way_ns)
        found.append(None if after_ms is None else after_ms + (on_the_way_ns - at_ns) / 1e6)
    return found, conditions(await bed.take())


def _moved(what: str, back: Sequence[float | None]) -> Check:
    ordered = sorted(math.inf if one is None else one for one in back)
    p95 = ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)]
    told = ", ".join("never" if one is None else f"{one / 1e3:.1f}" for one in back)
    return Check(
        f"{what}, p95 of {len(back)}", "≤ 2 s", f"{p95 / 1e3:.1f} s ({told})", p95 <= 2_000
    )


async def f09(bed: Bed, options: Options) -> Measured:
    """Cut one direction alone: who is deaf, and who is dumb, has to be told apart from well."""
    up, up_injected = await _one_way(bed, "up")
    down, down_injected = await _one_way(bed, "down")
    return Measured(
        f"up cut: {up_injected} | down cut: {down_injected}",
        [
            Check("from the vehicle: marked at the seat", "≤ 1 s", up.text, up.seen(1_000)),
            Check(
                "to the vehicle: noticed by it",
                "≤ 1 s",
                ms(down.vehicle_ms),
                within(down.vehicle_ms, 1_000),
            ),
            Check("to the vehicle: marked at the seat", "≤ 1 s", down.text, down.seen(1_000)),
            Check("to the vehicle: pictures meanwhile", "–", f"{down.per_s:.1f}/s", None),
            Check("from the vehicle: pictures again after healing", "–", ms(up.back_ms), None),
            Check("to the vehicle: marked until", "–", "healed" if down.healed else "later", None),
        ],
        ["There is no remote driving yet, so no control that could be inhibited."],
    )


class _OneWay(NamedTuple):
    """What was noticed of one direction's cut; times after it, milliseconds."""

    seat_ms: float | None
    sign: str
    vehicle_ms: float | None
    per_s: float
    back_ms: float | None
    healed: bool

    @property
    def text(self) -> str:
        return "never" if self.seat_ms is None else f"{self.seat_ms:,.0f} ms ({self.sign})"

    def seen(self, limit_ms: float) -> bool:
        return within(self.seat_ms, limit_ms)


async def _one_way(bed: Bed, direction: str) -> tuple[_OneWay, str]:
    await bed.healthy()
    await asyncio.sleep(BETWEEN_MOVES_S)
    await bed.take()
    alarms = len(bed.seat.alarms)
    cut = msgspec.structs.replace(BASE, cut=True)
    cut_utc = datetime.datetime.now()
    cut_ns = await bed.network.set(VEHICLE_LINK, **{direction: cut})
    await asyncio.sleep(ONE_WAY_S)
    healed_ns = await bed.network.both(VEHICLE_LINK, BASE)
    seen = judge.view(bed.seat.shown, cut_ns + 1_000_000_000, healed_ns)
    signs = [
        (one.at_ns, one.link if one.link != "online" else "picture not live")
        for one in bed.seat.vehicle
        if cut_ns < one.at_ns < healed_ns and (one.link != "online" or not one.live)
    ]
    signs += [
        (one.at_ns, f"alarm {one.key}")
        for one in bed.seat.alarms[alarms:]
        if one.at_ns < healed_ns and one.state == "unacknowledged"
    ]
    first_ns, sign = min(signs, default=(None, ""))
    back_ms = await picture_after(bed, healed_ns + round(2 * BASE.delay_ms * 1e6))
    noticed_ms = bed.vehicle_said("the path is silent", cut_utc)
    healed = False
    with contextlib.suppress(BenchError):
        await bed.seat.until(lambda: _well(bed), "marked as well again", BACK_WITHIN_S)
        healed = True
    found = _OneWay(
        None if first_ns is None else (first_ns - cut_ns) / 1e6,
        sign,
        noticed_ms,
        seen.per_s,
        back_ms,
        healed,
    )
    return found, conditions(await bed.take())


def _well(bed: Bed) -> bool:
    newest = bed.seat.vehicle[-1]
    return newest.link == "online" and newest.live
