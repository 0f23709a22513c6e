"""What `/api/fleet` tells is what `/metrics` exports."""

from __future__ import annotations

import math

import msgspec

from protocols import vehicle
from protocols.equipment import Equipment
from protocols.operator import LinkState
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core.config import CoreConfig
from supervisor.core.effects import Observe
from supervisor.core.fleet import Fleet
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.media.ipc import Stats
from supervisor.media.pool import WorkerView
from supervisor.observability.equipment import SAME_NS, EquipmentReader
from supervisor.observability.exporter import Exporter

BUS = VehicleId("maebashi", "bus-01")
SECOND = 1_000_000_000
STATS = Stats(
    pid=1, cpu_s=2.5, packets_in=100, packets_out=300, bytes_in=10_000, bytes_out=30_000, peers=4,
    totals=[("media_dropped", "full", 3), ("media_dropped", "late", 2), ("media_repairs", "rtx", 9)]
)  # fmt: skip


class World:
    def __init__(self) -> None:
        self.now_ns = 5 * SECOND
        self.fleet = Fleet(CoreConfig())
        step(self.fleet, e.VehicleConfigured(BUS, vehicle.Kind.BUS, "Bus 1", 1), self.now_ns)
        self.counters = Counters()
        self.exporter = Exporter(self.counters)
        self.free = math.nan
        self.exporter.add_gauge("consoles", lambda: 2.0)
        self.exporter.add_gauge("storage_free", lambda: self.free)
        self.parts = {"broker": True, "media": False}
        self.reader = EquipmentReader(
            self.fleet,
            self.exporter,
            workers=lambda: [
                WorkerView(0, True, 1, 5004, STATS),
                WorkerView(1, False, None, 5005, None),
            ],
            readiness=lambda: self.parts,
            version="1.2.3",
            embedded=True,
            now_ns=lambda: self.now_ns,
        )

    def read(self) -> Equipment:
        self.now_ns += SAME_NS
        return self.reader.read()


def test_totals_are_those_of_the_metrics_over_all_reasons() -> None:
    world = World()
    world.counters.add("core_event", "Tick", 40)
    world.counters.add("core_event", "TelemetryReceived", 2)
    world.counters.add("unheard_of", "x", 7)
    hub = world.read().hub
    assert hub.totals["enkan_hub_events_total"] == 42
    assert hub.totals["enkan_hub_events_dropped_total"] == 0
    assert all(name.startswith("enkan_") for name in (*hub.totals, *hub.gauges))
    assert (hub.version, hub.broker, hub.started_ns) == ("1.2.3", "embedded", 5 * SECOND)
    assert hub.parts == {"broker": True, "media": False}


def test_a_gauge_that_is_not_known_yet_is_left_out() -> None:
    world = World()
    assert world.read().hub.gauges == {"enkan_consoles": 2.0}
    world.free = 5e9
    assert world.read().hub.gauges["enkan_storage_free_bytes"] == 5e9


def test_loop_lag_is_the_histogram_of_the_metrics() -> None:
    world = World()
    assert world.read().hub.loop_lag == []
    for seconds in (0.0005, 0.015, 3.0):
        world.exporter.observe(Observe("loop_lag", seconds))
    lag = world.read().hub.loop_lag
    assert lag[0] == (0.001, 1) and lag[-1] == (None, 3)
    assert dict(lag)[0.02] == 2


def test_workers_tell_their_totals_and_drops_and_a_new_one_nothing() -> None:
    first, second = World().read().workers
    assert (first.peers, first.packets_out, first.dropped, first.cpu_s) == (4, 300, 5, 2.5)
    assert (second.ready, second.packets_in, second.dropped) == (False, None, None)


def test_a_vehicle_says_who_made_it_and_since_when_its_link_is_as_it_is() -> None:
    world = World()
    (unheard,) = world.read().vehicles
    assert (unheard.maker, unheard.protocol_version, unheard.link_since_ns) == ("", None, None)

    sheet = vehicle.Factsheet(
        vehicle.Kind.BUS, "Bus 1", [], True, ["stop"], 5.5, maker="Yamada", software="drive 4.2"
    )
    step(world.fleet, e.FactsheetReceived(BUS, sheet), world.now_ns)
    record = world.fleet.vehicles[BUS]
    record.link.on_heartbeat(world.now_ns)
    seen_ns = world.now_ns + SECOND // 10
    for tick in range(60):
        step(world.fleet, e.Tick(), seen_ns + tick * SECOND // 50)
    (told,) = world.read().vehicles
    assert (told.maker, told.software) == ("Yamada", "drive 4.2")
    assert record.link.state is LinkState.DEGRADED
    assert told.link_since_ns is not None and told.link_since_ns > seen_ns


def test_many_consoles_cost_what_one_does() -> None:
    world = World()
    first = world.read()
    world.now_ns += SAME_NS - 1
    assert world.reader.read() is first
    world.now_ns += 1
    assert world.reader.read() is not first


def test_the_answer_is_plain_json() -> None:
    world = World()
    world.exporter.observe(Observe("loop_lag", 0.5))
    answer = world.read()
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Equipment) == answer
