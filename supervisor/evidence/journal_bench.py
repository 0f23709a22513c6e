"""What the journal costs: `./enkan bench journal`.

Feeds a fleet with telemetry, heartbeats and ticks at their real mixture, and prints for
one event: the loop's part (a step's `put`), the thread's part (encode, compress, write,
fsync), and bytes before and after compression; then what a state costs, and for how long
writing it holds the loop at most, beside the events of that time.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from protocols import vehicle
from protocols.topics import VehicleId
from supervisor import clock
from supervisor.core import events as e
from supervisor.core.effects import AnyEffect
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import Capture
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.evidence.journal import About, Journal, JournalConfig

VEHICLES: Final = 200
SECONDS: Final = 10
TICKS: Final = 5
"""In a tenth of a second, as the hub makes them."""
BATCH: Final = 600
"""Steps a turn of the thread takes at this load."""


def history() -> Iterator[tuple[int, e.AnyEvent]]:
    """Yield events of `VEHICLES` at 10 Hz telemetry, 2 Hz heartbeats, 50 Hz ticks."""
    names = [VehicleId("bench", f"bus-{n:03d}") for n in range(VEHICLES)]
    now_ns = 10**12
    for name in names:
        yield now_ns, e.VehicleConfigured(name, vehicle.Kind.BUS, str(name), 1)
    for tenth in range(SECONDS * 10):
        for index, name in enumerate(names):
            now_ns += 100_000_000 // VEHICLES
            if index % (VEHICLES // TICKS) == 0:
                yield now_ns, e.Tick()
            sent_ns = now_ns - 10**11 - 7_654_321
            if tenth % 5 == 0:
                beat = vehicle.Heartbeat("run-1", tenth, sent_ns, sent_ns + 10**18)
                yield now_ns, e.HeartbeatReceived(name, beat)
            yield (
                now_ns,
                e.TelemetryReceived(
                    name,
                    vehicle.Telemetry(
                        session_id="run-1",
                        seq=tenth,
                        sent_ns=sent_ns,
                        longitude=139.06 + index * 0.001 + tenth * 0.000_012_3,
                        latitude=36.39 + tenth * 0.000_004_56,
                        heading_deg=90.25 + tenth * 0.37,
                        speed_mps=4.0 + tenth % 17 * 0.013,
                        mode=vehicle.OperationMode.AUTONOMOUS,
                        speed_limit_mps=5.5,
                        progress=tenth * 0.000_71,
                        next_stop="前橋駅",
                        energy=0.87,
                        radio=vehicle.Radio("440-10-1", -91.0, 14.5, 9_800.0, 31_000.0),
                    ),
                ),
            )


def state_costs(fleet: Fleet, steps: Iterable[tuple[int, e.AnyEvent]]) -> dict[str, float]:
    """Write a state beside these events; return its whole cost and its longest hold."""
    held_ns: list[int] = []
    begin_ns = clock.cpu_ns()
    state = Capture(fleet)
    held_ns.append(clock.cpu_ns() - begin_ns)
    beside = 0
    for now_ns, event in steps:
        begin_ns = clock.cpu_ns()
        state.before(event, now_ns)
        held_ns.append(clock.cpu_ns() - begin_ns)
        step(fleet, event, now_ns)
        beside += 1
        if state.done:
            break
    begin_ns = clock.cpu_ns()
    size = len(state.finish())
    held_ns.append(clock.cpu_ns() - begin_ns)
    return {
        f"state_of_{VEHICLES}_ms": round(sum(held_ns) / 1e6, 1),
        "state_longest_hold_ms": round(max(held_ns) / 1e6, 1),
        "state_beside_events": beside,
        "state_bytes": size,
    }


def main() -> None:
    """Measure and print."""
    fleet = Fleet()
    steps: list[tuple[int, e.AnyEvent, list[AnyEffect]]] = []
    decide_ns = clock.cpu_ns()
    coming = history()
    for now_ns, event in itertools.islice(coming, VEHICLES * SECONDS * 10):
        steps.append((now_ns, event, step(fleet, event, now_ns)))
    decide_ns = clock.cpu_ns() - decide_ns
    raw = sum(len(msgspec.msgpack.encode(list(taken))) for taken in steps)
    with tempfile.TemporaryDirectory() as folder:
        counters = Counters()
        journal = Journal(
            JournalConfig(),
            Path(folder),
            about=About("bench", "bench", "bench", "{}"),
            capture=lambda: Capture(fleet),
            counters=counters,
        )
        loop_ns = thread_ns = 0
        for start in range(0, len(steps), BATCH):
            begin_ns = clock.cpu_ns()
            for now_ns, event, effects in steps[start : start + BATCH]:
                journal.put(now_ns, event, effects)
            middle_ns = clock.cpu_ns()
            journal.flush()
            loop_ns += middle_ns - begin_ns
            thread_ns += clock.cpu_ns() - middle_ns
        size = counters.get("journal_bytes")
    count = len(steps)
    result = {
        "events": count,
        "decide_us_per_event": round(decide_ns / count / 1e3, 2),
        "loop_us_per_event": round(loop_ns / count / 1e3, 2),
        "thread_us_per_event": round(thread_ns / count / 1e3, 2),
        "raw_bytes_per_event": round(raw / count, 1),
        "disk_bytes_per_event": round(size / count, 1),
        **state_costs(fleet, coming),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
