"""`enkan bench console`: what a large fleet costs the operator's page.

A hub of its own, vehicles that send telemetry at 10 Hz (another process), and the page in
Chromium with its tiles, queue and map. Vehicles with a tile say that they have a camera,
but send no pictures. Measured inside the page:

* how long its main thread is not free: the lateness of a timer that is due every 10 ms;
* how long a delta takes from the state before to the rendered document: reducing and
  rendering, without the browser's layout and painting (which the first figure holds);
* the JavaScript heap after a forced collection, each minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from rich.console import Console as Terminal
from rich.table import Table

from loadtests import fleet_control as control
from loadtests import procfs
from loadtests.errors import BenchError
from loadtests.fleet_bench import Child
from loadtests.glass.browser import chromium, signed_in
from loadtests.hub_process import ACCOUNT, SITE, HubProcess, vehicle_name
from loadtests.statistics import nearest_rank

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

BUSY_P99_MS: Final = 50.0
DELTA_P99_MS: Final = 8.0
GROWTH_MB: Final = 5.0
WARM_UP_S: Final = 15.0
"""Or as long as is measured, where that is less."""
WITHIN_S: Final = 90.0
SIZE: Final = (1920, 1080)

PROBE: Final = """(() => {
    const found = globalThis.probe = {late: [], long: [], deltas: []};
    const EVERY = 10;
    let due = performance.now() + EVERY;
    const tick = () => {
        const now = performance.now();
        found.late.push(Math.max(0, now - due));
        due = now + EVERY;
        setTimeout(tick, EVERY);
    };
    setTimeout(tick, EVERY);
    new PerformanceObserver((list) => {
        for (const {duration} of list.getEntries()) found.long.push(duration);
    }).observe({type: 'longtask'});
    const ask = requestAnimationFrame.bind(globalThis);
    globalThis.requestAnimationFrame = (callback) => ask((at) => {
        const before = globalThis.enkan?.state.peek();
        const start = performance.now();
        callback(at);
        const after = globalThis.enkan?.state.peek();
        if (!before || before.seq === null || after.seq === before.seq) return;
        // The view library renders in microtasks, which run before these.
        queueMicrotask(() => queueMicrotask(() => {
            const ms = performance.now() - start;
            const isNew = (id) => after.vehicles[id] !== before.vehicles[id];
            found.deltas.push([after.order.filter(isNew).length, ms]);
        }));
    });
})()"""

TAKE: Final = """() => {
    const {late, long, deltas} = globalThis.probe;
    return {late: late.splice(0), long: long.splice(0), deltas: deltas.splice(0)};
}"""


class ConsoleLoad(NamedTuple):
    """What to show, and for how long. `tiles` of the vehicles have a camera."""

    vehicles: int
    tiles: int
    minutes: float


class ConsoleResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one run showed. Times in ms, heap in MB.

    Attributes:
        tiles: That the page really showed.
        late_*: By how much a timer of the main thread came too late.
        long_tasks: Tasks above 50 ms, with the longest.
        deltas: Flushes of messages that changed at least nine tenths of the vehicles, from
            reducing to the rendered document.
        heap_mb: After a collection: at the beginning and after each minute.
        load_before, load_after: Load averages; figures of a busy machine say little.
    """

    vehicles: int
    tiles: int
    seconds: float
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    long_tasks: int
    longest_task_ms: float
    deltas: int
    delta_p50_ms: float
    delta_p99_ms: float
    delta_max_ms: float
    heap_mb: list[float]
    load_before: float
    load_after: float

    @property
    def growth_mb(self) -> float:
        """From the first minute's heap to the last one's."""
        return self.heap_mb[-1] - self.heap_mb[0]

    def missed(self) -> list[str]:
        """Return which targets were missed, in words."""
        return [
            what
            for what, bad in (
                ("the main thread was busy", self.late_p99_ms > BUSY_P99_MS),
                ("no delta of the whole fleet was seen", self.deltas == 0),
                ("deltas took too long", self.delta_p99_ms > DELTA_P99_MS),
                ("memory grew", self.growth_mb > GROWTH_MB),
            )
            if bad
        ]


class ConsoleReport(msgspec.Struct, frozen=True, kw_only=True):
    """One command's result, with where it was measured."""

    command: str
    commit: str
    date_utc: str
    machine: procfs.Machine
    result: ConsoleResult


async def measure(load: ConsoleLoad, folder: Path, say: Callable[[str], None]) -> ConsoleResult:
    """Measure the page of a hub in `folder`.

    Raises:
        BenchError: Something could not start or did not happen; says what.
    """
    before = procfs.load_average()
    say("starting a hub")
    home = folder / "hub"
    home.mkdir(mode=0o700)
    hub = HubProcess(home)
    try:
        endpoints = await hub.launch(load.vehicles)
        broker = urlsplit(endpoints["mqtt"])
        names = {vehicle_name(n): hub.token(n) for n in range(load.vehicles)}
        plan = control.Vehicles(
            broker.hostname or "", broker.port or 0, SITE, names, cameras=load.tiles
        )
        log = folder / "vehicles.log"
        async with Child("vehicles", "loadtests.fleet_vehicles", log) as vehicles:
            say(f"connecting {load.vehicles} vehicles")
            await vehicles.ask(plan, control.Ready)
            say("starting Chromium")
            async with (
                chromium() as browser,
                signed_in(
                    browser, endpoints["console"], ACCOUNT, hub.password, size=SIZE, script=PROBE
                ) as page,
            ):
                return await _watch(load, page, before, say)
    finally:
        await hub.stop()


async def _watch(
    load: ConsoleLoad, page: Page, before: float, say: Callable[[str], None]
) -> ConsoleResult:
    await _fleet_shown(page, load)
    say("warming up")
    await asyncio.sleep(min(WARM_UP_S, load.minutes * 60))
    session = await page.context.new_cdp_session(page)
    heap_mb = [await _heap_mb(session)]
    await page.evaluate(TAKE)
    late: list[float] = []
    long: list[float] = []
    deltas: list[tuple[int, float]] = []
    start = time.monotonic()
    end = start + load.minutes * 60
    while (left_s := end - time.monotonic()) > 0:
        say(f"measuring, {left_s:.0f} s left")
        await asyncio.sleep(min(60.0, left_s))
        taken: dict[str, Any] = await page.evaluate(TAKE)
        late += taken["late"]
        long += taken["long"]
        deltas += [(changed, ms) for changed, ms in taken["deltas"]]
        heap_mb.append(await _heap_mb(session))
        await page.evaluate(TAKE)  # What the collection itself cost is not the console's.
    whole = [ms for changed, ms in deltas if changed >= 0.9 * load.vehicles]
    return ConsoleResult(
        vehicles=load.vehicles,
        tiles=await page.locator(".tile[data-testid^=tile-]").count(),
        seconds=time.monotonic() - start,
        late_p50_ms=nearest_rank(late, 0.5),
        late_p99_ms=nearest_rank(late, 0.99),
        late_max_ms=max(late, default=0.0),
        long_tasks=len(long),
        longest_task_ms=max(long, default=0.0),
        deltas=len(whole),
        delta_p50_ms=nearest_rank(whole, 0.5),
        delta_p99_ms=nearest_rank(whole, 0.99),
        delta_max_ms=max(whole, default=0.0),
        heap_mb=heap_mb,
        load_before=before,
        load_after=procfs.load_average(),
    )


async def _fleet_shown(page: Page, load: ConsoleLoad) -> None:
    heard = (
        "Object.values(globalThis.enkan?.state.peek().vehicles ?? {})"
        ".filter(({pose}) => pose).length"
    )
    deadline = time.monotonic() + WITHIN_S
    while (count := await page.evaluate(heard)) < load.vehicles:
        if time.monotonic() > deadline:
            raise BenchError(f"only {count} of {load.vehicles} vehicles were heard of in the page")
        await asyncio.sleep(0.2)


async def _heap_mb(session: CDPSession) -> float:
    """Return what the page really holds, after two collections (the first may free more)."""
    for _ in range(2):
        await session.send("HeapProfiler.collectGarbage")
    return float((await session.send("Runtime.getHeapUsage"))["usedSize"]) / 1e6


def show(report: ConsoleReport, terminal: Terminal) -> None:
    """Print each figure beside its target."""
    result = report.result
    table = Table(
        "", "", "target", title=f"The console with {result.vehicles} vehicles, {result.tiles} tiles"
    )
    heap = " → ".join(f"{mb:.1f}" for mb in (result.heap_mb[0], result.heap_mb[-1]))
    for row in (
        ("measured", f"{result.seconds:.0f} s", ""),
        ("main thread late, p50", f"{result.late_p50_ms:.1f} ms", ""),
        ("main thread late, p99", f"{result.late_p99_ms:.1f} ms", f"≤ {BUSY_P99_MS:g} ms"),
        ("main thread late, worst", f"{result.late_max_ms:.1f} ms", ""),
        ("tasks above 50 ms", f"{result.long_tasks}, longest {result.longest_task_ms:.0f} ms", ""),
        (f"delta of the fleet, p50 of {result.deltas}", f"{result.delta_p50_ms:.1f} ms", ""),
        ("delta of the fleet, p99", f"{result.delta_p99_ms:.1f} ms", f"≤ {DELTA_P99_MS:g} ms"),
        ("delta of the fleet, worst", f"{result.delta_max_ms:.1f} ms", ""),
        ("heap after collection", f"{heap} MB", ""),
        ("growth", f"{result.growth_mb:+.1f} MB", f"≤ {GROWTH_MB:g} MB"),
    ):
        table.add_row(*row)
    terminal.print(table)
    for text in result.missed():
        terminal.print(f"MISSED: {text}", style="red", markup=False)
    machine = report.machine
    terminal.print(
        f"machine: {machine.processor}, {machine.cores} cores; load average "
        f"{result.load_before:.2f} before, {result.load_after:.2f} after; no pictures were sent",
        markup=False,
        soft_wrap=True,
    )
    terminal.print(f"command: {report.command}", markup=False, soft_wrap=True)
