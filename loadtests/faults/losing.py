"""Packets are lost, overtaken, doubled: F-01, F-02, F-11."""

from __future__ import annotations

import asyncio
import secrets

import msgspec

from loadtests.emulator.control import Taken
from loadtests.emulator.link import Impairment
from loadtests.faults import judge
from loadtests.faults.bed import BASE, VEHICLE_LINK, Bed
from loadtests.faults.fault import SETTLE_S, Measured, Options, ms, shown, vehicle_pauses
from loadtests.faults.verdict import Check, conditions


async def f01(bed: Bed, options: Options) -> Measured:
    """Lose 5 % both ways."""
    how = msgspec.structs.replace(BASE, loss=0.05)
    given_up = bed.seat.counts[-1].lost if bed.seat.counts else 0
    seen, taken, _ = await _lossy(bed, how, options.seconds)
    there, _ = _recovered(bed, given_up, taken)
    return Measured(
        conditions(taken),
        [
            Check("pictures finally lost", "0", f"{seen.lost:,}", seen.lost == 0),
            Check("time frozen", "≤ 1 %", f"{seen.frozen_share:.2%}", seen.frozen_share <= 0.01),
            Check("longest freeze", "≤ 300 ms", ms(seen.longest_ms), seen.longest_ms <= 300),
            Check("packets there in the end", "–", there, None),
            shown(seen),
        ],
        vehicle_pauses(seen),
    )


async def f02(bed: Bed, options: Options) -> Measured:
    """Lose 10 % both ways in bursts of four."""
    how = msgspec.structs.replace(BASE, loss=0.10, burst=4.0)
    given_up = bed.seat.counts[-1].lost if bed.seat.counts else 0
    seen, taken, before = await _lossy(bed, how, options.seconds)
    there, recovered = _recovered(bed, given_up, taken)
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
                there,
                recovered >= 0.999,
            ),
            Check("longest freeze", "≤ 500 ms", ms(seen.longest_ms), seen.longest_ms <= 500),
            Check("sent again, of all bytes", "≤ 20 %", f"{share:.1%}", share <= 0.20),
            Check("pictures finally lost", "–", f"{seen.lost:,}", None),
            Check("time frozen", "–", f"{seen.frozen_share:.2%}", None),
            shown(seen),
        ],
        vehicle_pauses(seen),
    )


async def f11(bed: Bed, options: Options) -> Measured:
    """Reorder and double, while a stop is pressed twice."""
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
            shown(seen),
        ],
        vehicle_pauses(seen),
    )


def _applied(bed: Bed, command: str, since: int) -> int:
    """Return how many effects a command had."""
    answers = [one for one in bed.seat.results[since:] if one.id == command]
    return len({one.vehicle_at_ns for one in answers if one.outcome == "applied"})


def _recovered(bed: Bed, given_up: int, taken: Taken) -> tuple[str, float]:
    """Return what of the packets was there in the end, as text and as a share."""
    lost_for_good = max(0, bed.seat.counts[-1].lost - given_up)
    recovered = 1 - lost_for_good / max(1, taken.up.offered)
    of_lost = 1 - lost_for_good / max(1, taken.up.lost)
    return f"{recovered:.3%} ({of_lost:.1%} of those lost)", recovered


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
