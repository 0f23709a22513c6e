"""The run of `enkan bench fleet`: a hub of its own, a fleet, consoles, one window.

Everything is seen from outside: the hub's own broker and WebSocket, its `/metrics`,
and the processor time of its processes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from loadtests import fleet_control as control
from loadtests import metrics_page, procfs
from loadtests.children import spawn, stop
from loadtests.errors import BenchError
from loadtests.fleet_report import LAG_P99_MS, FleetResult
from loadtests.hub_process import ACCOUNT, SITE, HubProcess, vehicle_name

TELEMETRY_HZ: Final = 10
REPLY_WITHIN_S: Final = 90.0
WARM_UP_S: Final = 5.0
LOOK_EVERY_S: Final = 0.5

_FAULTS: Final = (
    "enkan_telemetry_faults_total",
    "enkan_heartbeat_faults_total",
    "enkan_state_faults_total",
    "enkan_telemetry_refused_total",
    "enkan_telemetry_dropped_total",
    "enkan_hub_events_dropped_total",
    "enkan_unknown_vehicle_total",
    "enkan_console_closed_total",
)
"""Metrics that stay at zero as long as nothing is lost or refused."""

M = TypeVar("M", bound=control.Message)
Say = Callable[[str, float], None]


class FleetLoad(NamedTuple):
    """What to put on the hub, and for how long. `decoding` consoles read every view."""

    vehicles: int
    consoles: int
    seconds: float
    decoding: int = 2


class Child:
    """A generating process; use as an async context manager."""

    def __init__(self, name: str, module: str, log: Path) -> None:
        self._name = name
        self._module = module
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Child:
        with self._log.open("ab") as log:
            self._process = await spawn(
                *(sys.executable, "-m", self._module),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log.fileno(),
                limit=control.MAX_LINE,
            )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()  # it ends by itself then, after its goodbyes
        await stop(self._process)

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    async def ask(self, message: control.Message, kind: type[M]) -> M:
        """Say something; return the answer.

        Raises:
            BenchError: It failed, ended or said something else.
        """
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                process.stdin.write(control.encode(message) + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        except (TimeoutError, ConnectionError) as error:
            raise BenchError(f"the {self._name} do not answer; {self._last_words()}") from error
        if not line:
            raise BenchError(f"the {self._name} have ended by themselves; {self._last_words()}")
        try:
            reply = control.from_child.decode(line)
        except msgspec.DecodeError as error:
            raise BenchError(f"the {self._name} said something unknown: {error}") from error
        if isinstance(reply, control.Failed):
            raise BenchError(reply.why)
        if not isinstance(reply, kind):
            raise BenchError(f"the {self._name} answered {type(reply).__name__}")
        return reply

    def _last_words(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip(" |+-") for line in text.splitlines()]
        words = [line for line in lines if line]
        return f"their last words: {words[-1] if words else 'none'}"


class _Look(NamedTuple):
    """Everything at one instant."""

    vehicles: control.VehiclesMark
    consoles: control.ConsolesMark
    cpu_s: list[float]
    page: metrics_page.Samples
    scrape_s: float
    waited_s: float | None


async def measure(load: FleetLoad, folder: Path, say: Say, profile: dict[str, str]) -> FleetResult:
    """Measure one hub in `folder`.

    Args:
        load: How much.
        folder: Empty, private; not removed here.
        say: Told what is done, and the share of the time that is over.
        profile: Added to the hub's environment.

    Raises:
        BenchError: Something could not start or ended; says what.
    """
    load_before = procfs.load_average()
    say("starting a hub", 0.0)
    home = folder / "hub"
    home.mkdir(mode=0o700)
    hub = HubProcess(home, profile)
    try:
        endpoints = await hub.launch(load.vehicles)
        async with (
            Child("vehicles", "loadtests.fleet_vehicles", folder / "vehicles.log") as vehicles,
            Child("consoles", "loadtests.fleet_consoles", folder / "consoles.log") as consoles,
        ):
            say(f"connecting {load.vehicles} vehicles", 0.0)
            broker = urlsplit(endpoints["mqtt"])
            names = {vehicle_name(n): hub.token(n) for n in range(load.vehicles)}
            await vehicles.ask(
                control.Vehicles(broker.hostname or "", broker.port or 0, SITE, names),
                control.Ready,
            )
            say(f"connecting {load.consoles} consoles", 0.0)
            await consoles.ask(
                control.Consoles(
                    endpoints["console"], ACCOUNT, hub.password, load.consoles, load.decoding
                ),
                control.Ready,
            )
            say("warming up", 0.0)
            await asyncio.sleep(min(WARM_UP_S, load.seconds / 2))
            pids = [hub.root_pid(), _broker(hub.root_pid()), vehicles.pid, consoles.pid]
            token = (home / "metrics.token").read_text(encoding="utf-8").strip()
            async with httpx.AsyncClient(
                headers={"Authorization": f"Bearer {token}"}, timeout=20.0, trust_env=False
            ) as client:

                async def look() -> _Look:
                    page, scrape_s = await _scrape(client, endpoints["metrics"])
                    return _Look(
                        await vehicles.ask(control.Mark(), control.VehiclesMark),
                        await consoles.ask(control.Mark(), control.ConsolesMark),
                        [procfs.cpu_s(pid) for pid in pids],
                        page,
                        scrape_s,
                        procfs.waited_s(pids[0]),
                    )

                first = await look()
                await _wait(load.seconds, say)
                last = await look()
                say("coming to rest", 1.0)
                memory = procfs.memory_bytes(pids[0])
                sent = await vehicles.ask(control.Settle(), control.VehiclesDone)
                seen = await consoles.ask(
                    control.Settle(sent.last, first.vehicles.at_ns, last.vehicles.at_ns),
                    control.ConsolesDone,
                )
                end, _ = await _scrape(client, endpoints["metrics"])
    finally:
        await hub.stop()
    return _result(load, first, last, sent, seen, end, memory, load_before)


async def _wait(seconds: float, say: Say) -> None:
    start = time.monotonic()
    while (left := start + seconds - time.monotonic()) > 0:
        say(f"measuring, {left:.0f} s left", 1 - left / seconds)
        await asyncio.sleep(min(LOOK_EVERY_S, left))


async def _scrape(client: httpx.AsyncClient, url: str) -> tuple[metrics_page.Samples, float]:
    start = time.monotonic()
    try:
        answer = await client.get(url)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise BenchError(f"the hub's /metrics cannot be read: {error}") from error
    return metrics_page.parse(answer.text), time.monotonic() - start


def _broker(root: int) -> int:
    for pid in procfs.descendants(root):
        if procfs.name(pid).startswith("nats-server"):
            return pid
    raise BenchError("the hub has no nats-server process")


def _result(
    load: FleetLoad,
    first: _Look,
    last: _Look,
    sent: control.VehiclesDone,
    seen: control.ConsolesDone,
    end: metrics_page.Samples,
    memory: int,
    load_before: float,
) -> FleetResult:
    seconds = (last.vehicles.at_ns - first.vehicles.at_ns) / 1e9
    telemetry = last.vehicles.telemetry - first.vehicles.telemetry
    cpu = [(b - a) / seconds for a, b in zip(first.cpu_s, last.cpu_s, strict=True)]
    lag = metrics_page.histogram(first.page, last.page, "enkan_loop_lag_seconds")
    lag_p99 = metrics_page.bound_of(lag, 0.99)
    samples = lag[-1][1] if lag else 0
    within = max((count for bound, count in lag if bound <= LAG_P99_MS / 1e3), default=0)
    consoles_s = load.consoles * seconds
    faults = {
        f"{name.removeprefix('enkan_').removesuffix('_total')} {' '.join(labels)}".strip(): int(
            value
        )
        for (name, labels), value in end.items()
        if name in _FAULTS and value
    }
    return FleetResult(
        vehicles=load.vehicles,
        consoles=load.consoles,
        decoding=min(load.decoding, load.consoles),
        seconds=seconds,
        telemetry=telemetry,
        achieved=telemetry / (load.vehicles * TELEMETRY_HZ * seconds),
        gaps=seen.gaps,
        behind=seen.behind,
        missing=seen.missing,
        disordered=seen.disordered,
        superseded=seen.superseded / max(1, seen.superseded + seen.shown),
        faults=faults,
        lost=sent.lost + seen.ended,
        delays=seen.delays,
        delay_p50_ms=_ms(seen.delay_p50_ns),
        delay_p99_ms=_ms(seen.delay_p99_ns),
        delay_max_ms=_ms(seen.delay_max_ns),
        lag_p99_at_most_ms=None if lag_p99 is None else lag_p99 * 1e3,
        lag_samples=samples,
        lag_above=samples - within,
        scrape_ms=max(first.scrape_s, last.scrape_s) * 1e3,
        hub_cpu=cpu[0],
        broker_cpu=cpu[1],
        vehicles_cpu=cpu[2],
        consoles_cpu=cpu[3],
        generator_late_p99_ms=sent.late_p99_ns / 1e6,
        console_bytes_per_s=(last.consoles.octets - first.consoles.octets) / consoles_s,
        console_messages_per_s=(last.consoles.messages - first.consoles.messages) / consoles_s,
        hub_waited=_share(first.waited_s, last.waited_s, seconds),
        hub_memory_mb=memory / 1e6,
        load_before=load_before,
        load_after=procfs.load_average(),
    )


def _share(before: float | None, after: float | None, seconds: float) -> float | None:
    return None if before is None or after is None else (after - before) / seconds


def _ms(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / 1e6
