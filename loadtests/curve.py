"""How cost and delay grow with the number of streams, and where it breaks.

The *knee* is the last measured number of streams that still holds all of: nothing
lost, added delay p99 within `DELAY_MS`, generator at its pace. If the generator falls
behind first, the machine is too small to find the forwarder's own knee, and that is
said.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import linear_regression
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.plot import Panel, svg
from loadtests.procfs import Machine
from loadtests.report import GENERATOR_SHARE_WANTED, Result

DELAY_MS: Final = 5.0
LINEAR_WITHIN: Final = 0.10
MORE_WATCHERS: Final = 4


class Curve(msgspec.Struct, frozen=True):
    """Results by rising number of streams.

    Attributes:
        more_watchers: The first point again, with `MORE_WATCHERS` more of each stream: its
            memory tells what a watcher takes. None if it was not measured.
    """

    command: str
    date_utc: str
    commit: str
    machine: Machine
    results: list[Result]
    more_watchers: Result | None = None


def holds(result: Result) -> bool:
    """Return whether this many streams went without loss and delay."""
    return not short_of(result)


def short_of(result: Result) -> list[str]:
    """Return what does not hold, in words."""
    found = []
    if result.achieved < GENERATOR_SHARE_WANTED:
        found.append(f"the generator sent only {result.achieved:.1%}: this machine is too small")
    if result.lost or not result.received:
        found.append(f"{result.lost:,} of {result.expected:,} packets lost")
    if result.delay_p99_ms is None or result.delay_p99_ms > DELAY_MS:
        found.append(f"p99 {result.delay_p99_ms or 0:.1f} ms")
    return found


def knee(results: Sequence[Result]) -> int | None:
    """Return the last number of streams that holds, with all smaller ones; None if none."""
    last = None
    for result in results:
        if not holds(result):
            break
        last = result.streams
    return last


def growth(results: Sequence[Result]) -> float | None:
    """Return the CPU per packet at the knee by that at the first point, if both are there."""
    good = [result for result in results if holds(result) and result.cpu_us_per_forwarded]
    if len(good) < 2:
        return None
    first, last = good[0].cpu_us_per_forwarded, good[-1].cpu_us_per_forwarded
    assert first is not None and last is not None
    return last / first


class Memory(NamedTuple):
    """Resident memory of the worker, as a line through the points.

    Attributes:
        base_mb: Without streams.
        per_stream_mb: For each stream with its watchers.
        within: Farthest point from the line, as a share of its value.
        per_watcher_mb: For each further watcher; None if it was not measured.
    """

    base_mb: float
    per_stream_mb: float
    within: float
    per_watcher_mb: float | None


def memory(curve: Curve) -> Memory | None:
    """Return how memory grows; None for fewer than two points."""
    points = [(float(result.streams), result.memory_mb) for result in curve.results]
    if len(points) < 2:
        return None
    slope, base = linear_regression(*zip(*points, strict=True))
    within = max(abs(mb - base - slope * streams) / (mb or 1.0) for streams, mb in points)
    first, more = curve.results[0], curve.more_watchers
    watcher = None
    if more is not None:
        watcher = (more.memory_mb - first.memory_mb) / (MORE_WATCHERS * first.streams)
    return Memory(base, slope, within, watcher)


def show(curve: Curve, terminal: Console) -> None:
    """Print one row for each number of streams, and the knee."""
    table = Table(title="Streams against cost, loss and delay")
    for name in ("streams", "packets/s", "µs/packet", "of a core", "lost", "p99 ms", "MB", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for result in curve.results:
        cost, delay = result.cpu_us_per_forwarded, result.delay_p99_ms
        table.add_row(
            f"{result.streams}",
            f"{result.packets_in:,.0f}",
            "–" if cost is None else f"{cost:.2f}",
            f"{result.cpu_share:.0%}",
            f"{result.lost:,}",
            "–" if delay is None else f"{delay:.2f}",
            f"{result.memory_mb:.0f}",
            "holds" if holds(result) else "breaks",
        )
    terminal.print(table)
    for result in curve.results:
        if not holds(result):
            why = "; ".join(short_of(result))
            terminal.print(f"{result.streams} streams: {why}", markup=False, soft_wrap=True)
    terminal.print(verdict(curve), markup=False, soft_wrap=True)
    grown = memory(curve)
    if grown is not None:
        watcher = grown.per_watcher_mb
        terminal.print(
            f"memory: {grown.base_mb:.1f} MB and {grown.per_stream_mb:.2f} MB for each stream with "
            f"its watchers (points within {grown.within:.0%} of that line)"
            + ("" if watcher is None else f"; {watcher:.2f} MB for each further watcher"),
            markup=False,
            soft_wrap=True,
        )
    terminal.print(f"command: {curve.command}", markup=False, soft_wrap=True)


def verdict(curve: Curve) -> str:
    """Return where it breaks, in a sentence."""
    last, ratio = knee(curve.results), growth(curve.results)
    cost = ""
    if ratio:
        grows = "no faster than" if ratio <= 1 + LINEAR_WITHIN else "faster than"
        cost = (
            f"; CPU per packet there is {ratio:.2f} of that of the first point: cost grows "
            f"{grows} the number of streams"
        )
    if last is None:
        return f"no number of streams held: {'; '.join(short_of(curve.results[0]))}"
    beyond = next((result for result in curve.results if result.streams > last), None)
    if beyond is None:
        return f"{last} streams hold, and none was measured that does not{cost}"
    return f"{last} streams hold, {beyond.streams} do not ({'; '.join(short_of(beyond))}){cost}"


def plot(curve: Curve) -> str:
    """Return the curve as SVG."""
    results = curve.results
    last = knee(results)
    machine = curve.machine
    first = results[0]
    return svg(
        f"{first.mbps:g} Mbit/s streams, {first.watchers} watcher each, one media worker",
        f"{machine.processor}, {machine.cores} cores shared with generator and sinks, "
        f"{curve.date_utc}, commit {curve.commit}\n{curve.command}",
        "streams",
        [float(result.streams) for result in results],
        [
            Panel("CPU µs per forwarded packet", [r.cpu_us_per_forwarded for r in results]),
            Panel("worker's CPU, % of one core", [100 * r.cpu_share for r in results], 100.0),
            Panel("lost, % of packets", [_lost_percent(r) for r in results]),
            Panel("added delay p99, ms", [r.delay_p99_ms for r in results], DELAY_MS),
            Panel("worker's memory, MB", [r.memory_mb for r in results]),
        ],
        None if last is None else (float(last), f"knee: {last}"),
    )


def _lost_percent(result: Result) -> float | None:
    return 100 * result.lost / result.expected if result.expected else None
