"""Totals of good, bad and doubtful samples, from which rates of a budget's burning are made."""

from __future__ import annotations

from protocols.supervision import Purpose
from protocols.topics import VehicleId
from protocols.vehicle import Kind
from supervisor.core import views
from supervisor.core.events import VehicleConfigured
from supervisor.core.fleet import Fleet
from supervisor.core.step import step

BUS = VehicleId("maebashi", "bus-01")
TRACTOR = VehicleId("maebashi", "tractor-01")
SECOND = 1_000_000_000


def fleet_of(*names: VehicleId) -> Fleet:
    fleet = Fleet()
    for name in names:
        step(fleet, VehicleConfigured(name, Kind.BUS, str(name), 1), SECOND)
    return fleet


def measure(fleet: Fleet, name: VehicleId, key: str, *values: float, at_s: int) -> None:
    track = fleet.vehicles[name].supervised.tracks[key]
    track.add_all(values, 10.0, at_s * SECOND)
    track.judge(at_s * SECOND)


def totals(fleet: Fleet, key: str) -> list[int]:
    found = views.objective_totals(fleet)
    return [found["maebashi", key, result] for result in ("good", "bad", "doubtful")]


def test_samples_of_all_vehicles_of_a_site_are_summed() -> None:
    fleet = fleet_of(BUS, TRACTOR)
    measure(fleet, BUS, "monitor-g2g", 100.0, 600.0, 505.0, at_s=10)
    measure(fleet, TRACTOR, "monitor-g2g", 100.0, at_s=10)
    assert totals(fleet, "monitor-g2g") == [2, 1, 1]


def test_what_is_promised_for_driving_counts_only_while_it_is_used_for_driving() -> None:
    fleet = fleet_of(BUS)
    measure(fleet, BUS, "drive-loop", 900.0, at_s=10)
    assert totals(fleet, "drive-loop") == [0, 0, 0]
    fleet.vehicles[BUS].supervised.use(Purpose.DRIVE, 11 * SECOND)
    measure(fleet, BUS, "drive-loop", 900.0, 100.0, at_s=20)
    measure(fleet, BUS, "monitor-g2g", 100.0, at_s=20)
    assert totals(fleet, "drive-loop") == [1, 1, 0]
    assert totals(fleet, "monitor-g2g") == [1, 0, 0]
    fleet.vehicles[BUS].supervised.use(Purpose.MONITOR, 21 * SECOND)
    measure(fleet, BUS, "drive-loop", 900.0, at_s=30)
    assert totals(fleet, "drive-loop") == [1, 1, 0], "a total never falls"
