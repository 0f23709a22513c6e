"""A link that carries less than before: F-05 on the way up, W-01 on the way down."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec

from loadtests.emulator.link import Impairment
from loadtests.faults import judge
from loadtests.faults.bed import BASE, OTHER_LINK, VEHICLE_LINK, Bed
from loadtests.faults.fault import BACK_WITHIN_S, WIDE, Measured, Options, within
from loadtests.faults.verdict import Check, conditions, direction

SLOW: Final = Impairment(delay_ms=25.0, rate_kbps=1_500.0, queue_bytes=96_000)
"""Of a watcher's downlink: a quarter of what the large picture takes, a queue of half a second."""

WATCH_S: Final = 15.0


async def f05(bed: Bed, options: Options) -> Measured:
    """Make the uplink narrow, and wide again."""
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
                within(back_s, 10.0),
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


async def w01(bed: Bed, options: Options) -> Measured:
    """Let one of two watchers have a slow downlink: only he may see less."""
    await bed.healthy(WIDE)
    async with bed.another_seat() as other:
        await bed.network.both(OTHER_LINK, BASE)
        await other.until(lambda: len(other.shown) > 60, "pictures at the other seat", 30.0)
        since_ns = time.monotonic_ns()
        await asyncio.sleep(WATCH_S)
        slow_ns = await bed.network.set(OTHER_LINK, down=SLOW)
        await bed.network.take(OTHER_LINK)
        await asyncio.sleep(2 * WATCH_S)
        until_ns = await bed.network.both(OTHER_LINK, BASE)
        taken = await bed.network.take(OTHER_LINK)
        before, after = (
            judge.view(bed.seat.shown, *times)
            for times in ((since_ns, slow_ns), (slow_ns, until_ns))
        )
        settled_ns = slow_ns + round(WATCH_S * 1e9)
        slow = judge.view(other.shown, settled_ns, until_ns)
        kbps = other.kbps(settled_ns, until_ns)
        usual = other.kbps(since_ns, slow_ns)
    less = before.per_s and after.per_s / before.per_s
    return Measured(
        f"to the slow watcher: {direction(taken.down)}",
        [
            Check(
                "the other watcher's pictures",
                "≥ 90 % of before",
                f"{after.per_s:.1f}/s ({before.per_s:.1f}/s before)",
                less >= 0.9,
            ),
            Check(
                "the other watcher: freezes, longest",
                "none more than before",
                f"{after.freezes}, {after.longest_ms:,.0f} ms "
                f"({before.freezes}, {before.longest_ms:,.0f} ms before)",
                after.freezes <= before.freezes + 1,
            ),
            Check(
                "the slow watcher, from 15 s on",
                "pictures, no queue above 500 ms",
                f"{slow.per_s:.1f}/s of {kbps:,.0f} kbit/s ({usual:,.0f} before), "
                f"age p50 {slow.age_p50_ms:,.0f} ms, longest pause {slow.longest_ms:,.0f} ms",
                slow.pictures > 0 and slow.age_p50_ms <= 500,
            ),
        ],
        ["A freeze of both is the vehicle's or the machine's; one freeze more is allowed for it."],
    )
