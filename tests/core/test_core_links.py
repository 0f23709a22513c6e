from __future__ import annotations

import pytest
from helpers_core import BUS, MS, SECOND, World, of

from protocols import operator, vehicle
from protocols.drive import DriveEcho
from protocols.operator import LinkState
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.effects import Count, ShowVehicle
from supervisor.core.links import Link
from supervisor.core.sequences import Order, Sequence


def link() -> Link:
    return Link(1_200 * MS, 3_000 * MS)


def test_silence_degrades_then_loses_the_link_exactly_at_its_deadlines() -> None:
    machine = link()
    assert machine.next_deadline_ns() is None
    machine.on_heartbeat(0)
    assert machine.next_deadline_ns() == 1_200 * MS
    assert not machine.on_time(1_200 * MS - 1)
    assert machine.on_time(1_200 * MS)
    assert machine.state is LinkState.DEGRADED
    assert machine.next_deadline_ns() == 3_000 * MS
    assert not machine.on_time(3_000 * MS - 1)
    assert machine.on_time(3_000 * MS)
    assert machine.state is LinkState.LOST
    assert machine.next_deadline_ns() is None


def test_a_late_look_goes_straight_to_lost_and_looking_twice_changes_nothing() -> None:
    machine = link()
    machine.on_heartbeat(0)
    assert machine.on_time(60 * SECOND)
    assert machine.state is LinkState.LOST
    assert not machine.on_time(60 * SECOND)
    assert machine.on_heartbeat(61 * SECOND)
    assert machine.state is LinkState.ONLINE


def test_before_any_word_the_link_is_unknown_and_stays_so() -> None:
    world = World()
    world.run(10)
    assert world.bus.link.state is LinkState.UNKNOWN
    assert views.open_alarms(world.fleet) == []


def test_a_claim_to_be_online_is_no_evidence() -> None:
    world = World()
    world.connection("ONLINE")
    assert world.bus.link.state is LinkState.UNKNOWN


def test_a_last_will_of_an_older_session_cannot_end_a_newer_one() -> None:
    world = World()
    world.online()
    world.restart_vehicle("run-2")
    world.online()
    assert world.connection("CONNECTION_BROKEN", "run-1") == [Count("connection", "old_session")]
    assert world.connection("OFFLINE", "run-1") == [Count("connection", "old_session")]
    assert world.bus.link.state is LinkState.ONLINE
    world.connection("CONNECTION_BROKEN", "run-2")
    assert world.bus.link.state is LinkState.LOST


def test_a_replaced_session_never_comes_back() -> None:
    world = World()
    world.online()
    world.restart_vehicle("run-2")
    world.online()
    world.session = "run-1"
    assert world.beat(seq=1_000) == [Count("session", "old")]
    assert world.telemetry(seq=1_000) == [Count("session", "old")]
    assert world.connection("ONLINE") == [Count("connection", "old_session")]
    assert world.bus.session_id == "run-2"


def test_a_goodbye_is_offline_without_alarm_until_the_vehicle_announces_itself_again() -> None:
    world = World()
    world.online()
    world.connection("OFFLINE")
    assert world.bus.link.state is LinkState.OFFLINE
    assert world.beat() == [Count("heartbeat", "after_offline")]
    world.run(10)
    assert world.bus.link.state is LinkState.OFFLINE
    assert views.open_alarms(world.fleet) == []
    world.connection("ONLINE")
    world.beat()
    assert world.bus.link.state is LinkState.ONLINE


def test_a_new_session_after_a_goodbye_needs_no_announcement() -> None:
    world = World()
    world.online()
    world.connection("OFFLINE")
    world.restart_vehicle("run-2")
    world.telemetry()
    world.beat()
    assert world.bus.link.state is LinkState.ONLINE


def test_a_last_will_found_at_start_is_a_lost_link_not_a_switched_off_vehicle() -> None:
    world = World()
    world.connection("CONNECTION_BROKEN")
    world.tick()
    assert world.alarm("link.lost") == "unacknowledged"


@pytest.mark.parametrize(
    ("numbers", "orders", "missed"),
    [
        ([0, 1, 2], "FIRST NEXT NEXT", 0),
        ([7, 8], "FIRST NEXT", 0),
        ([0, 3], "FIRST GAP", 2),
        ([0, 3, 1], "FIRST GAP LATE", 1),
        ([0, 3, 1, 1], "FIRST GAP LATE DUPLICATE", 1),
        ([5, 5], "FIRST DUPLICATE", 0),
        ([5, 4], "FIRST LATE", 0),
        ([0, 1000, 1], "FIRST GAP LATE", 999),
        ([0, 2**53 - 1], "FIRST GAP", 2**53 - 2),
    ],
)
def test_sequence_numbers_tell_gaps_repetitions_and_late_ones_apart(
    numbers: list[int], orders: str, missed: int
) -> None:
    sequence = Sequence()
    assert [sequence.accept(n) for n in numbers] == [Order[o] for o in orders.split()]
    assert sequence.missed == missed


def test_older_telemetry_than_the_newest_is_dropped_and_counted() -> None:
    world = World()
    world.online()
    world.telemetry(seq=5, speed_mps=5.0)
    assert Count("telemetry", "late") in world.telemetry(seq=4, speed_mps=1.0)
    assert Count("telemetry", "duplicate") in world.telemetry(seq=5, speed_mps=2.0)
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert view.pose is not None
    assert view.pose.speed_mps == 5.0
    assert view.telemetry_gaps == 3


def test_a_new_session_starts_its_numbers_anew() -> None:
    world = World()
    world.online()
    world.telemetry(seq=500)
    world.restart_vehicle("run-2")
    assert not of(world.telemetry(seq=0), Count)[1:]
    assert world.bus.telemetry.seq == 0


def test_every_value_carries_its_time_and_old_news_carries_none() -> None:
    world = World()
    state = vehicle.State(
        "run-0",
        3,
        vehicle.OperationMode.AUTONOMOUS,
        vehicle.MrmState.NORMAL,
        vehicle.MrmBehaviour.NONE,
        vehicle.Odd.INSIDE,
        vehicle.MrmBehaviour.COMFORTABLE_STOP,
    )
    world.do(e.StateReceived(BUS, state, retained=True))
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert (view.mode, view.state_at_ns) == (vehicle.OperationMode.AUTONOMOUS, None)
    assert world.bus.session_id == "", "a retained state is no evidence of a session"
    world.online()
    fresh = vehicle.State(
        "run-1", 0, *[getattr(state, n) for n in ("mode", "mrm", "behaviour", "odd", "fallback")]
    )
    world.do(e.StateReceived(BUS, fresh))
    at_ns = world.now_ns
    world.run(1)
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert view.state_at_ns == at_ns
    assert view.pose is not None
    assert view.pose.at_ns == at_ns
    world.do(e.StateReceived(BUS, state, retained=True))
    assert world.bus.state is fresh


@pytest.mark.parametrize(
    "make",
    [
        lambda who: e.TelemetryReceived(who, None),
        lambda who: e.HeartbeatReceived(who, None),
        lambda who: e.ConnectionReceived(who, None),
        lambda who: e.FactsheetReceived(who, None),
        lambda who: e.StateReceived(who, None),
        lambda who: e.VehicleEventReceived(who, None),
        lambda who: e.CommandResultReceived(who, None),
        lambda who: e.LinkSampled(who, "m", []),
        lambda who: e.PublisherChanged(who, "m", True),
        lambda who: e.CommandSent(who, "c", True),
    ],
)
def test_an_unknown_vehicle_is_counted_and_nothing_else(make) -> None:
    world = World()
    assert world.do(make(VehicleId("other", "bus-01"))) == [Count("unknown_vehicle")]
    assert list(world.fleet.vehicles) == [BUS]


def test_silence_is_shown_without_any_message() -> None:
    world = World()
    world.online()
    assert of(world.run(1.3), ShowVehicle)
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert view.link is operator.LinkState.DEGRADED


def test_consoles_are_told_how_far_a_drivers_frames_have_come_and_where_doors_are() -> None:
    world = World()
    world.online()
    implement = vehicle.ImplementState(lowered=True, pto=False)
    said = vehicle.State(
        world.session,
        0,
        vehicle.OperationMode.REMOTE_DRIVE,
        vehicle.MrmState.NORMAL,
        vehicle.MrmBehaviour.NONE,
        vehicle.Odd.INSIDE,
        vehicle.MrmBehaviour.COMFORTABLE_STOP,
        doors_open=True,
        implement=implement,
    )
    world.do(e.StateReceived(BUS, said))
    echo = DriveEcho(7, 12, 5 * SECOND, driving=True, by_hub=True)
    world.beat(drive=echo)
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert view is not None
    assert (view.drive_echo, view.doors_open) == (echo, True)
    assert view.implement == implement
    world.beat()
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert view is not None
    assert view.drive_echo is None, "nobody drives it any more"
