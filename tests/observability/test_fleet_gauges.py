"""The gauges of fleet and media, read from a real fleet record."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from protocols.topics import VehicleId
from protocols.vehicle import Heartbeat, Kind, OperationMode, Telemetry
from supervisor.core.events import HeartbeatReceived, TelemetryReceived, VehicleConfigured
from supervisor.core.fleet import Fleet
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.media.ipc import Stats
from supervisor.media.pool import WorkerView
from supervisor.observability.exporter import Exporter
from supervisor.observability.fleet import add_fleet_gauges, add_media_gauges

BUS = VehicleId("maebashi", "bus-01")
SECOND = 1_000_000_000


def read(exporter: Exporter) -> dict[tuple[str, str], float]:
    text = exporter.render("text/plain")[0].decode()
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_vehicles_link_and_the_age_of_its_telemetry_are_gauges() -> None:
    fleet = Fleet()
    exporter = Exporter(Counters())
    add_fleet_gauges(exporter, fleet, lambda: 14 * SECOND)
    step(fleet, VehicleConfigured(BUS, Kind.BUS, "Bus 1", 1), 10 * SECOND)
    assert read(exporter)["enkan_vehicle_link_online", "maebashi/bus-01"] == 0
    assert ("enkan_vehicle_telemetry_age_seconds", "maebashi/bus-01") not in read(exporter)

    step(fleet, HeartbeatReceived(BUS, Heartbeat("s", 1, 1, 1)), 12 * SECOND)
    telemetry = Telemetry("s", 1, 1, 139.0, 36.0, 0.0, 5.0, OperationMode.AUTONOMOUS)
    step(fleet, TelemetryReceived(BUS, telemetry), 12 * SECOND)
    values = read(exporter)
    assert values["enkan_vehicle_link_online", "maebashi/bus-01"] == 1
    assert values["enkan_vehicle_telemetry_age_seconds", "maebashi/bus-01"] == 2
    assert values["enkan_alarms_active", "1"] == 0
    assert values["enkan_requests_open", ""] == 0


def test_a_worker_without_totals_is_counted_as_not_ready_only() -> None:
    exporter = Exporter(Counters())
    stats = Stats(7, 1.5, 10, 20, 100, 200, 3, [])
    workers = [WorkerView(0, True, 7, 40_000, stats), WorkerView(1, False, None, 40_001, None)]
    add_media_gauges(exporter, lambda: workers)
    values = read(exporter)
    assert values["enkan_media_workers_ready", ""] == 1
    assert values["enkan_media_peers", "0"] == 3
    assert values["enkan_media_worker_cpu_seconds", "0"] == 1.5
    assert ("enkan_media_peers", "1") not in values
