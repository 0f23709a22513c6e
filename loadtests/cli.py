"""`enkan bench …`: measurements for people at a command line."""

from __future__ import annotations

import asyncio
import enum
import shlex
import shutil
import statistics
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtests import (
    console_bench,
    demo_bench,
    fleet_bench,
    fleet_report,
    origin,
    procfs,
    profiling,
    report,
    takeover_bench,
)
from loadtests import curve as load_curve
from loadtests.crash import kill as crash_kill
from loadtests.crash import results as crash_results
from loadtests.crash import storage as crash_storage
from loadtests.errors import BenchError
from loadtests.faults import runner, verdict
from loadtests.fleet_consoles import MAX_CONSOLES
from loadtests.glass import bench as glass
from loadtests.hub_process import HubProcess
from loadtests.janus_process import INSTALL, JanusProcess
from loadtests.media_bench import Load, measure
from loadtests.relay_process import RelayProcess
from loadtests.statistics import nearest_rank
from loadtests.under_test import ForwarderUnderTest

R = TypeVar("R")

EXIT_FAILED: Final = 1
EXIT_CANNOT: Final = 4
AIORTC_STREAMS: Final = 1
"""aiortc decodes and encodes: more would only measure how it falls behind."""

GLASS_SHARE: Final = 0.99
"""Of the frames, whose computed age has to agree with their pixels."""

terminal = Console(highlight=False)
errors = Console(stderr=True, highlight=False)
app = typer.Typer(
    name="enkan bench",
    help="Measure a hub of your own on this machine: real peers, real packets, loopback only. "
    "Also, inside the hub: `enkan bench core` and `enkan bench journal`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Peer(enum.StrEnum):
    """What to measure beside our hub."""

    NONE = "none"
    AIORTC = "aiortc"
    JANUS = "janus"


@app.command()
def media(
    peer: Annotated[
        Peer, typer.Option(help="Measure this forwarder too, with the same peers and video.")
    ] = Peer.NONE,
    streams: Annotated[int, typer.Option(min=1, max=500, help="Vehicles that send video.")] = 5,
    mbps: Annotated[
        float, typer.Option(min=0.1, max=100, help="Rate of each stream, Mbit/s.")
    ] = 8.0,
    watchers: Annotated[int, typer.Option(min=1, max=50, help="Watchers of each stream.")] = 1,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to measure.")] = 8.0,
    run: Annotated[
        int, typer.Option(min=1, max=48, help="Packets a sender hands to the kernel at once.")
    ] = 16,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="Profile our media worker into this file, as JSON (costs 1 %)."),
    ] = None,
    curve: Annotated[
        str, typer.Option(help="One run for each of these numbers of streams, as 10,20,40.")
    ] = "",
    plot: Annotated[
        Path | None, typer.Option(help="Draw the curve into this file, as SVG.")
    ] = None,
) -> None:
    """Forwarding of video: CPU per packet, loss and added delay of the media worker.

    Starts a hub, sends it that many streams of 1080p-shaped H.264 at 30 pictures a
    second, and lets watchers receive and account every packet. Ends with code 1 if a
    packet was lost or nothing was forwarded.
    """
    if peer is Peer.JANUS and shutil.which("janus") is None:
        raise BenchError(INSTALL)
    load = Load(streams, mbps, watchers, seconds, "shaped", run)
    if curve:
        raise SystemExit(_curve(load, _numbers(curve), json, plot))
    result = asyncio.run(_media(peer, load, profile))
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    report.show(result, terminal)
    if profile is not None:
        terminal.print(profiling.most_expensive(profile), markup=False, soft_wrap=True)
    raise SystemExit(EXIT_FAILED if result.failed() else 0)


@app.command()
def g2g(
    seconds: Annotated[float, typer.Option(min=2, max=3600, help="How long to look.")] = 20.0,
    delay: Annotated[
        float, typer.Option(min=0, max=5000, help="Delay the browser's media by so many ms.")
    ] = 0.0,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
) -> None:
    """Glass to glass: the age of each displayed frame, by stage, against its pixels.

    Runs the demo with its console in Chromium and looks at the focused vehicle, 720p at
    30 pictures a second. The computed age of each frame is held against the capture time
    in its pixels. Ends with code 1 if fewer than 99 % agree within 20 ms.
    """
    with tempfile.TemporaryDirectory(prefix="enkan-bench-") as name, errors.status("") as status:
        result = asyncio.run(glass.measure(Path(name) / "demo", seconds, delay, status.update))
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    table = Table("", "", "target", title="Glass to glass")
    table.add_row("frames displayed", f"{result.frames}", "")
    table.add_row("with a known age", f"{result.known / max(1, result.frames):.1%}", "")
    table.add_row("drawn as another by a late page", f"{result.other}", "")
    for share in (0.5, 0.95, 0.99):
        target = "≤ 150 ms" if share == 0.95 and not delay else ""
        table.add_row(f"age p{share * 100:.0f}", f"{result.age(share):.0f} ms", target)
    table.add_row("largest error bar", f"± {result.uncertainty:.1f} ms", "≤ 20 ms")
    table.add_row(
        f"within {glass.WITHIN_MS:.0f} ms of the pixels ({len(result.errors)} frames)",
        f"{result.within:.2%}",
        "≥ 99 %",
    )
    table.add_row(
        "computed less pixels, median", f"{glass.quantile(result.errors, 0.5):+.1f} ms", ""
    )
    for stage, ms in result.stages.items():
        table.add_row(f"  {stage}", f"{ms:.0f} ms", "")
    terminal.print(table)
    raise SystemExit(0 if result.within >= GLASS_SHARE else EXIT_FAILED)


@app.command()
def fleet(
    vehicles: Annotated[
        int, typer.Option(min=1, max=1000, help="Vehicles, each with its own MQTT connection.")
    ] = 200,
    consoles: Annotated[
        int, typer.Option(min=1, max=MAX_CONSOLES, help="Consoles, each with its own WebSocket.")
    ] = 20,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to measure.")] = 20.0,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Profile the hub into this file, as JSON (costs 1 %).")
    ] = None,
) -> None:
    """A fleet's telemetry through broker and hub to many consoles: loss, order, delay.

    Starts a hub with that many vehicles, which say over MQTT what vehicles say (telemetry
    at 10 Hz, heartbeats at 2 Hz), and lets consoles follow over their WebSockets. Ends with
    code 1 if anything was lost, out of order or too late.
    """
    load = fleet_bench.FleetLoad(vehicles, consoles, seconds)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="enkan-bench-") as name,
        Progress(*columns, console=errors, transient=True) as bar,
    ):
        task = bar.add_task("", total=1.0)
        extra = {} if profile is None else profiling.environment(Path(name), profile, "hub")
        result = asyncio.run(
            fleet_bench.measure(
                load,
                Path(name),
                lambda what, share: bar.update(task, description=what, completed=share),
                extra,
            )
        )
    measured = fleet_report.Report(
        command=_command(),
        date_utc=origin.date_utc(),
        commit=origin.commit(),
        machine=procfs.machine(),
        result=result,
    )
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
    fleet_report.show(measured, terminal)
    if profile is not None:
        terminal.print(profiling.most_expensive(profile), markup=False, soft_wrap=True)
    raise SystemExit(EXIT_FAILED if measured.missed() else 0)


@app.command("faults")
def faults_command(
    only: Annotated[
        str, typer.Option(help="Only these, as F-01,F-06; all of them if left out.")
    ] = "",
    short: Annotated[
        bool, typer.Option("--short", help="F-01, F-03, F-06 and F-11 (or --only), briefly.")
    ] = False,
    long: Annotated[
        bool,
        typer.Option("--long", help="100 tries (F-03), 20 moves (F-07), a cut of 60 s too (F-06)."),
    ] = False,
    tries: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Tries of F-03 (20; 100 with --long).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the emulator's dice.")] = 1,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite docs/reliability.md with the result.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Keep logs and state in this empty folder.")
    ] = None,
) -> None:
    """What a bad network does to the pictures: loss, cuts, a narrow uplink, a new address.

    Runs a hub, a vehicle and an operator's seat in network namespaces of their own, with
    an emulated mobile link between vehicle and hub. Needs root on Linux; touches no
    interface or route of this machine. Ends with code 1 if a target was missed, with 4
    if something could not be measured.
    """
    plan = runner.plan(only, short=short, long=long, tries=tries)
    result = asyncio.run(
        runner.run(
            plan,
            seed=seed,
            command=_command(),
            keep=keep,
            tell=lambda text: errors.print(text, style="dim", markup=False),
        )
    )
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    if write:
        runner.PAGE.write_text(verdict.page(result), encoding="utf-8")
    verdict.show(result, terminal)
    if result.unmeasured():
        raise SystemExit(EXIT_CANNOT)
    raise SystemExit(EXIT_FAILED if result.missed() else 0)


@app.command("crash")
def crash_command(
    times: Annotated[int, typer.Option(min=0, max=1000, help="How often the hub dies.")] = 100,
    vehicles: Annotated[int, typer.Option(min=1, max=200, help="That report events.")] = 20,
    storage: Annotated[
        bool, typer.Option(help="Also a disk that is full, fails, stalls (needs root).")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of the instants of death.")] = 1,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
) -> None:
    """What a hub loses when it is killed, and what it does when its disk fails.

    A real hub and broker on loopback, vehicles that report without pause; the audit store
    is read afterwards with SQLite and `enkan verify`. Ends with code 1 if a target was
    missed, with 4 if something could not be measured.
    """

    def tell(text: str) -> None:
        errors.print(text, style="dim", markup=False)

    figures: list[crash_results.Figure] = []
    with tempfile.TemporaryDirectory(prefix="enkan-bench-") as name:
        if storage:
            disk = _folder(Path(name), "disk")
            with crash_storage.own_disk(disk):
                figures += _run(crash_storage.measure(disk, tell))
        if times:
            plan = crash_kill.Kills(times, vehicles, seed)
            folder = _folder(Path(name), "hub")
            figures += _run(crash_kill.measure(plan, folder, tell))
    result = crash_results.CrashResult(
        command=_command(),
        commit=origin.commit(),
        date_utc=origin.date_utc(),
        machine=procfs.machine(),
        figures=figures,
    )
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    crash_results.show(result, terminal)
    raise SystemExit(EXIT_FAILED if result.missed() else 0)


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and 1 <= int(part) <= 500 for part in parts):
        raise BenchError(f"--curve {text}: say numbers of streams from 1 to 500, as 10,20,40")
    return sorted({int(part) for part in parts})


def _curve(load: Load, numbers: list[int], json: Path | None, plot: Path | None) -> int:
    """Measure each number of streams with a fresh hub; return the exit code."""
    results, more_watchers = asyncio.run(_points(load, numbers))
    measured = load_curve.Curve(
        command=_command(),
        date_utc=origin.date_utc(),
        commit=origin.commit(),
        machine=procfs.machine(),
        results=results,
        more_watchers=more_watchers,
    )
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
    if plot is not None:
        plot.write_text(load_curve.plot(measured), encoding="utf-8")
    load_curve.show(measured, terminal)
    return 0 if load_curve.knee(measured.results) is not None else EXIT_FAILED


async def _points(
    load: Load, numbers: list[int]
) -> tuple[list[report.Result], report.Result | None]:
    """Return one result for each number of streams, and the first with more watchers."""
    crowd = load.watchers + load_curve.MORE_WATCHERS
    plan = [load._replace(streams=streams) for streams in numbers]
    plan.append(plan[0]._replace(watchers=crowd))
    results: list[report.Result] = []
    for one in plan:
        with tempfile.TemporaryDirectory(prefix="enkan-bench-") as name:
            ours = HubProcess(_folder(Path(name), "hub"))
            try:
                results.append(await _measure(ours, one, Path(name)))
            except BenchError as error:
                if not results:
                    raise
                errors.print(f"{one.streams} streams: {error}", style="yellow", markup=False)
    more = results.pop() if results[-1].watchers == crowd else None
    return results, more


def _run(measuring: Coroutine[Any, Any, R]) -> R:
    """Run it; of several things that failed together, what cannot be measured is told."""
    try:
        return asyncio.run(measuring)
    except BaseExceptionGroup as group:
        told: BaseException | None = group.subgroup(BenchError)
        while isinstance(told, BaseExceptionGroup):
            told = told.exceptions[0]
        if told is None:
            raise
        raise told from group


def _command() -> str:
    return shlex.join(["./enkan", "bench", *sys.argv[1:]])


async def _media(peer: Peer, load: Load, profile: Path | None) -> report.Report:
    with tempfile.TemporaryDirectory(prefix="enkan-bench-") as name:
        folder = Path(name)
        extra = {} if profile is None else profiling.environment(folder, profile)
        ours = HubProcess(_folder(folder, "hub"), extra)
        plan: list[tuple[ForwarderUnderTest, Load]] = [(ours, load)]
        match peer:
            case Peer.AIORTC:
                decodable = load._replace(video="encoded")
                few = decodable._replace(streams=min(load.streams, AIORTC_STREAMS))
                plan = [
                    (ours, decodable),
                    (RelayProcess(_folder(folder, "relay"), load.mbps), few),
                ]
            case Peer.JANUS:
                plan.append((JanusProcess(_folder(folder, "janus")), load))
            case Peer.NONE:
                pass
        results = [await _measure(forwarder, one, folder) for forwarder, one in plan]
    return report.Report(
        command=_command(),
        machine=procfs.machine(),
        results=results,
        ratio=report.ratio(results),
    )


@app.command()
def demo(
    stops: Annotated[int, typer.Option(min=1, max=1000, help="How many stops to time.")] = 30,
    kills: Annotated[int, typer.Option(min=1, max=50, help="How often each part dies.")] = 3,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
) -> None:
    """Start, stop and recovery of the demo: real processes, timed from outside."""
    load = procfs.load_average()
    with (
        tempfile.TemporaryDirectory(prefix="enkan-bench-") as name,
        terminal.status("starting") as status,
    ):
        timings = asyncio.run(demo_bench.measure(Path(name) / "demo", stops, kills, status.update))
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(timings)) + b"\n")
    table = Table("", "n", "median", "p99", "worst", "target", title="The demo")
    for timing in timings:
        ordered = sorted(timing.seconds)
        p99 = nearest_rank(ordered, 0.99)
        figures = [f"{value:.3f} s" for value in (statistics.median(ordered), p99, ordered[-1])]
        table.add_row(timing.what, str(len(ordered)), *figures, timing.target)
    terminal.print(table)
    terminal.print(f"machine: {procfs.machine()}; load average before: {load:.2f}", markup=False)


@app.command()
def takeover(
    vehicles: Annotated[int, typer.Option(min=1, max=200, help="That drive and ask.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, max=5_000, help="Requests, and stops.")] = 200,
    browser: Annotated[bool, typer.Option(help="Also cards and keys in Chromium.")] = True,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
) -> None:
    """From a vehicle's asking to the card on a screen; from the stop key to the vehicle.

    A real hub and broker on loopback. Ends with code 1 if a target was missed, with 4 if
    something could not be measured.
    """
    load = takeover_bench.TakeoverLoad(vehicles, rounds, browser)
    before = procfs.load_average()
    with (
        tempfile.TemporaryDirectory(prefix="enkan-bench-") as name,
        errors.status("starting") as status,
    ):
        hub = _folder(Path(name), "hub")
        figures, clock_ms = _run(takeover_bench.measure(load, hub, status.update))
    result = takeover_bench.TakeoverResult(
        command=_command(),
        commit=origin.commit(),
        date_utc=origin.date_utc(),
        machine=procfs.machine(),
        vehicles=vehicles,
        load_before=before,
        clock_ms=clock_ms,
        figures=figures,
    )
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    takeover_bench.show(result, terminal)
    raise SystemExit(0 if all(figure.ok for figure in figures) else EXIT_FAILED)


@app.command()
def console(
    vehicles: Annotated[int, typer.Option(min=1, max=1000, help="That send telemetry.")] = 200,
    tiles: Annotated[int, typer.Option(min=0, max=64, help="Vehicles with a camera.")] = 16,
    minutes: Annotated[float, typer.Option(min=0.05, max=600, help="How long to measure.")] = 10.0,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.")
    ] = None,
) -> None:
    """The operator's page with a large fleet: main thread, deltas, memory.

    A real hub and broker on loopback, vehicles that send telemetry at 10 Hz, and the page
    in Chromium. Ends with code 1 if a target was missed, with 4 if something could not be
    measured.
    """
    load = console_bench.ConsoleLoad(vehicles, tiles, minutes)
    with (
        tempfile.TemporaryDirectory(prefix="enkan-bench-") as name,
        errors.status("starting") as status,
    ):
        result = _run(console_bench.measure(load, Path(name), status.update))
    measured = console_bench.ConsoleReport(
        command=_command(),
        commit=origin.commit(),
        date_utc=origin.date_utc(),
        machine=procfs.machine(),
        result=result,
    )
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
    console_bench.show(measured, terminal)
    raise SystemExit(EXIT_FAILED if result.missed() else 0)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir(mode=0o700)
    return folder


async def _measure(forwarder: ForwarderUnderTest, load: Load, folder: Path) -> report.Result:
    columns = (
        TextColumn("{task.fields[forwarder]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("", total=1.0, forwarder=forwarder.name)
        return await measure(
            forwarder,
            load,
            folder,
            lambda what, share: bar.update(task, description=what, completed=share),
        )


def main() -> None:
    """Run the command line; what cannot be measured ends in one clear line."""
    try:
        app(prog_name="enkan bench")
    except BenchError as error:
        errors.print(f"enkan bench: {error}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(EXIT_CANNOT) from error
