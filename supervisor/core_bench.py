"""`enkan bench core`: what deciding costs, beside its targets.

Everything from a vehicle's bytes to a console's text: `telemetry.inbox` (decode and
check), `core.step`, the views of what changed and their one delta a tick. No broker and
no socket: bytes are handed to the inbox as the MQTT client would. Processor time is what
counts; the machine may do other work meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from protocols import operator, vehicle
from protocols.codec import encode
from protocols.topics import Stream, VehicleId, topic_for
from supervisor import clock
from supervisor.console.changes import Changes, Tick
from supervisor.console.server import TURN
from supervisor.core import effects, views
from supervisor.core import events as e
from supervisor.core.fleet import Fleet
from supervisor.core.loop import percentile
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.observability.exporter import Exporter
from supervisor.observability.fleet import (
    add_duty_gauges,
    add_fleet_gauges,
    add_objective_gauges,
    add_people_gauges,
)
from supervisor.telemetry.inbox import Inbox

SESSION: Final = "run-1"
BEHIND_NS: Final = 10**11
"""How far the vehicles' clocks are behind."""
OPERATOR: Final = e.Operator("seat", "bench", operator.Role.OPERATOR)
ABLE: Final = ["stop", "resume", "limit_speed", "minimal_risk"]
TICKS: Final = 5
"""In a tenth of a second, as `app.TICK_S`."""
LAG_EVERY_S: Final = 0.01


class Row(msgspec.Struct, frozen=True):
    """One figure. `ok` None: no target."""

    what: str
    target: str
    figure: str
    ok: bool | None = None


class Bench:
    """A fleet, its traffic as bytes, and a console that takes every delta."""

    def __init__(self, vehicles: int) -> None:
        self.names = [VehicleId("bench", f"bus-{n:03d}") for n in range(vehicles)]
        self.fleet = Fleet()
        self.inbox = Inbox(dict.fromkeys(self.names), 1e6, Counters())
        self.now_ns = 10**12
        self.changes = Changes()
        self.dirty: dict[VehicleId, None] = {}
        self.supervised: dict[VehicleId, None] = {}
        self.frames = 0
        self.seq = 0
        self.sent_bytes = 0
        self.step_ns: list[int] = []
        for name in self.names:
            self.take(e.VehicleConfigured(name, vehicle.Kind.BUS, str(name), 1))
            camera = vehicle.CameraInfo("front", 1280, 720, 30.0, 2_500)
            sheet = vehicle.Factsheet(vehicle.Kind.BUS, "Bus", [camera], True, ABLE, 5.5)
            self.take(e.FactsheetReceived(name, sheet))
            self.take(e.PublisherChanged(name, "m", True))
        self.take(e.OperatorConnected(OPERATOR))
        self.topics = [topic_for(name, Stream.TELEMETRY) for name in self.names]

    def take(self, event: e.AnyEvent) -> list[effects.AnyEffect]:
        """Decide one event and do what the console shell would."""
        done = step(self.fleet, event, self.now_ns)
        for effect in done:
            match effect:
                case effects.ShowVehicle():
                    self.dirty[effect.vehicle_id] = None
                case effects.ShowSupervision():
                    self.supervised[effect.vehicle_id] = None
                case effects.Record() if effect.kind.endswith(".ordered"):
                    self.take(e.AuditWritten(effect.record_id, True))
                case effects.SendCommand():
                    self.answer(effect)
                case _:
                    pass
        return done

    def answer(self, sent: effects.SendCommand) -> None:
        """Let the vehicle apply an order at once."""
        command = sent.command
        result = vehicle.CommandResult(
            SESSION, command.command_id, vehicle.ResultState.APPLIED, self.now_ns - BEHIND_NS
        )
        self.take(e.CommandResultReceived(sent.vehicle_id, result))

    def telemetry(self) -> Iterator[tuple[str, bytes]]:
        """Yield one message of each vehicle, encoded."""
        self.seq += 1
        sent_ns = self.now_ns - BEHIND_NS
        for index, topic in enumerate(self.topics):
            yield (
                topic,
                encode(
                    vehicle.Telemetry(
                        session_id=SESSION,
                        seq=self.seq,
                        sent_ns=sent_ns,
                        longitude=139.06 + index * 0.001 + self.seq * 0.000_012_3,
                        latitude=36.39 + self.seq * 0.000_004_56,
                        heading_deg=90.25,
                        speed_mps=4.0 + self.seq % 17 * 0.013,
                        mode=vehicle.OperationMode.AUTONOMOUS,
                        speed_limit_mps=5.5,
                        progress=0.5,
                        next_stop="前橋駅",
                        energy=0.87,
                        radio=vehicle.Radio("440-10-1", -91.0, 14.5, 9_800.0, 31_000.0),
                    )
                ),
            )

    def read(self, messages: list[tuple[str, bytes]]) -> None:
        """Decode, check and decide messages."""
        read, take, now_ns = self.inbox.read, self.take, self.now_ns
        for topic, payload in messages:
            event = read(topic, payload, False, now_ns)
            assert event is not None
            take(event)

    def others(self, tenth: int, part: int | None = None) -> None:
        """What comes beside telemetry: beats, link samples, reports; of all vehicles, or of
        one of `TICKS` parts of them."""
        at_ns = self.now_ns - BEHIND_NS
        if not part:
            self.frames += 3
        for index, name in enumerate(self.names):
            if part is not None and index % TICKS != part:
                continue
            if (tenth + index) % 5 == 0:
                echo = vehicle.Echo(self.now_ns - 6_000_000, at_ns - 3_000_000)
                beat = vehicle.Heartbeat(SESSION, tenth, at_ns - 3_000_000, at_ns + 10**18, echo)
                self.take(e.HeartbeatReceived(name, beat))
            sample = e.StreamSample(
                camera="front", kind="video", codec="H264", clock_rate=90_000,
                packets=self.frames * 9, lost=0, bytes=self.frames * 10_000, frames=self.frames,
                keyframes=1, jitter_ms=0.5, last_frame_ns=self.now_ns, width=1280, height=720,
            )  # fmt: skip
            self.take(e.LinkSampled(name, "m", [sample]))
        if tenth % 10 == 0 and not part:
            self.report(150.0)

    def tick(self) -> None:
        """Let time be looked at."""
        begin_ns = clock.cpu_ns()
        self.take(e.Tick())
        self.step_ns.append(clock.cpu_ns() - begin_ns)

    def pass_time(self) -> None:
        """A tenth of a second, in ticks as the hub makes them."""
        for _ in range(TICKS):
            self.now_ns += 100_000_000 // TICKS
            self.tick()

    def report(self, age_ms: float) -> list[effects.AnyEffect]:
        """One console shows four vehicles."""
        tiles = [
            operator.Presented(str(name), "front", 30, 10.0, age_ms, 4.0, [age_ms] * 30)
            for name in self.names[:4]
        ]
        report = operator.PresentationReport(True, tiles, 5.0)
        return self.take(e.PresentationReported(OPERATOR, report))

    def show(self) -> None:
        """Make the one delta of a tick."""
        for _ in self._views():
            pass

    async def show_in_turns(self) -> None:
        """The same as the console's server does it: others get a turn now and then."""
        for number in self._views():
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)

    def _views(self) -> Iterator[int]:
        changes = Changes()
        dirty, self.dirty = self.dirty, {}
        supervised, self.supervised = self.supervised, {}
        for number, name in enumerate(dirty):
            yield number
            view = views.vehicle_view(self.fleet, name, self.now_ns)
            assert view is not None
            changes.vehicles[view.id] = view
        for name in supervised:
            found = views.supervision_view(self.fleet, name, self.now_ns)
            assert found is not None
            changes.supervision[found.vehicle] = found
        self.sent_bytes += len(Tick(changes, self.now_ns).text(self.seq))


def telemetry_rate(vehicles: int, rounds: int) -> float:
    """Return telemetry events a second of processor time: decode, step, delta."""
    bench = Bench(vehicles)
    spent_ns = 0
    for _ in range(rounds):
        bench.now_ns += 100_000_000
        messages = list(bench.telemetry())
        begin_ns = clock.cpu_ns()
        bench.read(messages)
        bench.show()
        spent_ns += clock.cpu_ns() - begin_ns
    return vehicles * rounds / (spent_ns / 1e9)


def whole_cost(vehicles: int, seconds: int) -> tuple[float, float, float]:
    """Return processor time in µs for one vehicle and second with everything on, the
    longest tick in ms, and the bytes a second that one console is sent."""
    bench = Bench(vehicles)
    spent_ns = 0
    for tenth in range(seconds * 10):
        messages = list(bench.telemetry())
        begin_ns = clock.cpu_ns()
        bench.read(messages)
        bench.others(tenth)
        bench.pass_time()
        bench.show()
        spent_ns += clock.cpu_ns() - begin_ns
    cost = spent_ns / 1e3 / vehicles / seconds
    return cost, max(bench.step_ns) / 1e6, bench.sent_bytes / seconds


def split_cost(fleets: int, vehicles: int, seconds: int) -> float:
    """Return the cost as `whole_cost` does, of fleets that know nothing of each other and
    take turns: what it costs that all of them do not fit the processor's caches."""
    benches = [Bench(vehicles) for _ in range(fleets)]
    spent_ns = 0
    for tenth in range(seconds * 10):
        for bench in benches:
            messages = list(bench.telemetry())
            begin_ns = clock.cpu_ns()
            bench.read(messages)
            bench.others(tenth)
            bench.pass_time()
            bench.show()
            spent_ns += clock.cpu_ns() - begin_ns
    return spent_ns / 1e3 / (fleets * vehicles) / seconds


def verdict_delays(vehicles: int, tries: int) -> tuple[list[float], list[float]]:
    """Return how long it takes, in ms, from a bad report's arrival to its verdicts: by the
    clock, and of processor time."""
    by_clock: list[float] = []
    by_cpu: list[float] = []
    for _ in range(tries):
        bench = Bench(vehicles)
        for tenth in range(80):
            bench.read(list(bench.telemetry()))
            bench.others(tenth)
            bench.pass_time()
        bench.now_ns += 1_000_000_000
        begin_ns, begin_cpu_ns = clock.monotonic_ns(), clock.cpu_ns()
        done = bench.report(9_000.0)
        by_cpu.append((clock.cpu_ns() - begin_cpu_ns) / 1e6)
        by_clock.append((clock.monotonic_ns() - begin_ns) / 1e6)
        verdicts = [x for x in done if isinstance(x, effects.Count) and x.name == "verdict"]
        assert effects.Count("verdict", "violated") in verdicts, "the bad report has no verdict"
    return by_clock, by_cpu


async def idle_lag(seconds: float) -> list[float]:
    """Return how late, in ms, a task woke on a loop with nothing else to do: the machine's."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    ending = loop.time() + seconds
    while loop.time() < ending:
        due = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        late.append(max(0.0, loop.time() - due) * 1e3)
    return late


async def loop_lag(vehicles: int, seconds: float) -> tuple[list[float], list[float]]:
    """Return how late, in ms, a task woke while a fleet's real rate was decided on its loop,
    and how much of each lag can be of the loop's own making: never more than the processor
    time it used in that wait."""
    bench = Bench(vehicles)
    loop = asyncio.get_running_loop()
    late: list[float] = []
    own: list[float] = []
    pool = [list(bench.telemetry()) for _ in range(int(seconds * 10) + 20)]
    gc.collect()
    gc.freeze()
    ending = loop.time() + seconds

    async def watch() -> None:
        while loop.time() < ending:
            due = loop.time() + LAG_EVERY_S
            used_ns = clock.cpu_ns()
            await asyncio.sleep(LAG_EVERY_S)
            lag_ms = max(0.0, loop.time() - due) * 1e3
            late.append(lag_ms)
            own.append(min(lag_ms, (clock.cpu_ns() - used_ns) / 1e6))

    async def arrive() -> None:
        """Messages come spread over the period, in twenty lots, as a socket hands them."""
        lot = max(1, vehicles // 20)
        due = loop.time()
        for messages in pool:
            for start in range(0, vehicles, lot):
                bench.now_ns += 100_000_000 * lot // vehicles
                bench.read(messages[start : start + lot])
                due += 0.1 * lot / vehicles
                await asyncio.sleep(max(0.0, due - loop.time()))
            if loop.time() >= ending:
                return

    async def tick() -> None:
        due = loop.time()
        for number in itertools.count():
            if loop.time() >= ending:
                return
            bench.tick()
            await asyncio.sleep(0)
            bench.others(number // TICKS, number % TICKS)
            if number % TICKS == TICKS // 2:
                await bench.show_in_turns()
            due += 0.1 / TICKS
            await asyncio.sleep(max(0.0, due - loop.time()))

    async with asyncio.TaskGroup() as group:
        group.create_task(watch(), name="lag")
        group.create_task(arrive(), name="telemetry")
        group.create_task(tick(), name="tick")
    gc.unfreeze()
    return late, own


def scrape_times(vehicles: int, tries: int) -> tuple[list[float], list[float]]:
    """Return what one scrape of the fleet's metrics costs, in ms of processor time: reading
    the values, which holds the loop, and all of it: text is made of them in a thread."""
    bench = Bench(vehicles)
    exporter = Exporter(Counters())
    instants = itertools.count(1)  # no two readings of a clock are the same

    def now_ns() -> int:
        return bench.now_ns + next(instants)

    add_fleet_gauges(exporter, bench.fleet, now_ns)
    add_people_gauges(exporter, bench.fleet, now_ns)
    add_objective_gauges(exporter, bench.fleet, now_ns)
    add_duty_gauges(exporter, bench.fleet)
    reading: list[float] = []
    whole: list[float] = []
    for number in range(tries):
        for tenth in range(10):
            bench.read(list(bench.telemetry()))
            bench.others(number * 10 + tenth)
            bench.pass_time()
        begin_ns = clock.cpu_ns()
        for _ in exporter.collect():
            pass
        reading.append((clock.cpu_ns() - begin_ns) / 1e6)
        bench.now_ns += 1_000_000_000
        begin_ns = clock.cpu_ns()
        exporter.render("")
        whole.append((clock.cpu_ns() - begin_ns) / 1e6)
    return reading, whole


def measure(*, quick: bool = False) -> list[Row]:
    """Measure everything; `quick` only shows that it works."""
    rounds, seconds, tries = (10, 2, 2) if quick else (100, 10, 10)
    rate = max(telemetry_rate(200, rounds) for _ in range(1 if quick else 3))
    sizes = (10, 50, 200)
    costs = {
        size: min(whole_cost(size, seconds) for _ in range(1 if quick else 3)) for size in sizes
    }
    growth = costs[200][0] / costs[10][0]
    apart = min(split_cost(20, 10, seconds) for _ in range(1 if quick else 3))
    by_clock, by_cpu = verdict_delays(200, tries)
    idle = asyncio.run(idle_lag(2.0 if quick else 10.0))
    lag, own = asyncio.run(loop_lag(200, 3.0 if quick else 20.0))
    lag_p99 = percentile(lag, 0.99)
    reading, whole = scrape_times(200, tries)
    rows = [
        Row(
            "telemetry: decode + step + delta, 200 vehicles, one core",
            "≥ 20,000 /s",
            f"{rate:,.0f} /s",
            rate >= 20_000,
        ),
        Row(
            "loop lag p99, 200 vehicles × 10 Hz with everything on, in one process",
            "≤ 20 ms",
            f"{lag_p99:.1f} ms (median {percentile(lag, 0.5):.1f}, worst {max(lag):.1f}); "
            f"of its own making at most {percentile(own, 0.99):.1f}; "
            f"an idle loop here: p99 {percentile(idle, 0.99):.1f}, worst {max(idle):.1f}",
            lag_p99 <= 20,
        ),
        Row(
            "verdicts of four vehicles after the report that causes them",
            "≤ 5 ms",
            f"{max(by_cpu):.2f} ms of a core at worst; by the clock median "
            f"{percentile(by_clock, 0.5):.2f}, worst {max(by_clock):.2f}",
            percentile(by_clock, 0.5) <= 5 and max(by_cpu) <= 5,
        ),
        Row(
            "one scrape of /metrics, 200 vehicles",
            "≤ 100 ms",
            f"{max(whole):.0f} ms of a core at worst (median {percentile(whole, 0.5):.0f}), of "
            f"which reading holds the loop {max(reading):.0f} ms "
            f"(median {percentile(reading, 0.5):.0f})",
            max(whole) <= 100,
        ),
        Row(
            "cost of a vehicle among 200 against among 10",
            "within 10 %",
            f"{(growth - 1) * 100:+.1f} %",
            growth <= 1.1,
        ),
        Row(
            "the same of 20 fleets of 10 that take turns: the caches' part of it",
            "–",
            f"{(apart / costs[10][0] - 1) * 100:+.1f} %",
        ),
    ]
    rows += [
        Row(
            f"everything on, {size} vehicles",
            "–",
            f"{cost:,.0f} µs of a core for each vehicle and second, {size * cost / 1e4:.1f} % of "
            f"a core in all; longest tick {tick_ms:.1f} ms; {sent / 1e3:,.0f} kB/s to a console",
        )
        for size, (cost, tick_ms, sent) in costs.items()
    ]
    return rows


def main(arguments: list[str]) -> int:
    """Measure, print figures beside targets; return 1 if a target is missed."""
    if arguments not in ([], ["--quick"]):
        sys.stdout.write(
            "usage: enkan bench core [--quick]\n\n"
            "What deciding costs: telemetry rate, loop lag, verdict delay, growth with the\n"
            "fleet. --quick only shows that it works.\n"
        )
        return 0 if arguments == ["--help"] else 2
    rows = measure(quick="--quick" in arguments)
    load = Path("/proc/loadavg")
    if load.exists():
        others = load.read_text(encoding="ascii").split()[0]
        sys.stdout.write(f"load average {others}: on a busy machine lags are the machine's\n")
    for row in rows:
        mark = {True: "ok    ", False: "MISSED", None: "      "}[row.ok]
        sys.stdout.write(f"{mark} {row.what}: {row.figure}   (target {row.target})\n")
    return 0 if all(row.ok is not False for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
