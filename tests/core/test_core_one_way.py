"""Clock exchanges over the data channel, and a link that carries one way alone."""

from __future__ import annotations

import pytest
from helpers_core import BUS, MS, SECOND, World, of

from protocols import vehicle
from protocols.operator import LinkState
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.clocksync import ClockSync
from supervisor.core.effects import Count, WithdrawDrive
from supervisor.core.links import Link
from supervisor.core.snapshot import capture, restore

BEHIND = 1_000 * SECOND


def publishing() -> World:
    world = World()
    world.online()
    world.publish(1)
    return world


def exchanged(world: World, rtt_ms: float = 4.0, **changes: object):
    """One exchange over the data channel, just finished."""
    half = int(rtt_ms / 2 * MS)
    there = world.now_ns - half - BEHIND
    values = {
        "session": "m1",
        "vehicle_session": world.session,
        "asked_ns": world.now_ns - 2 * half,
        "received_ns": there,
        "sent_ns": there,
        "answered_ns": world.now_ns,
        **changes,
    }
    return world.do(e.ClockExchanged(BUS, **values))


def unheard(world: World, **changes: object):
    values = {"session": "m1", "vehicle_session": world.session, "at_ns": world.now_ns, **changes}
    return world.do(e.HubUnheard(BUS, **values))


def deaf_beat(world: World, unheard_ms: float):
    """A beat of a vehicle that last heard the hub so long before it."""
    heard_ns = world.vehicle_ns - int(unheard_ms * MS)
    return world.beat(echo=vehicle.Echo(heard_ns + BEHIND - 5 * MS, heard_ns))


# ---------------------------------------------------------------------- clocks


def test_the_data_channel_alone_makes_a_clock_trusted() -> None:
    world = publishing()
    for _ in range(3):
        world.now_ns += 300 * MS
        assert not of(exchanged(world), Count)
    offset = world.bus.clock.offset(world.now_ns)
    assert offset is not None
    assert abs(offset.at_ns - BEHIND) <= offset.uncertainty_ns < 3 * MS


def test_the_better_path_wins_whichever_it_is() -> None:
    world = publishing()
    for _ in range(4):
        world.now_ns += 500 * MS
        world.exchange(30.0)
    assert world.bus.clock.uncertainty_ns(world.now_ns) >= 15 * MS
    exchanged(world, 4.0)
    assert world.bus.clock.uncertainty_ns(world.now_ns) <= 3 * MS
    world.exchange(1.0)
    exchanged(world, 20.0)
    assert world.bus.clock.uncertainty_ns(world.now_ns) <= 1 * MS


def test_an_exchange_of_an_older_vehicle_session_never_sets_the_newer_clock() -> None:
    world = publishing()
    old = world.session
    world.restart_vehicle("run-2")
    world.online()
    for _ in range(5):
        world.now_ns += 300 * MS
        late = exchanged(world, vehicle_session=old)
        assert late == [Count("clock", "other_session")]
    assert world.bus.clock.uncertainty_ns(world.now_ns) is None
    assert world.bus.session_id == "run-2"


def test_a_session_only_known_from_its_channel_is_not_let_in_by_it() -> None:
    world = publishing()
    assert exchanged(world, vehicle_session="run-9") == [Count("clock", "other_session")]
    assert world.bus.session_id == "run-1"


def test_a_replaced_media_session_sets_no_clock() -> None:
    world = publishing()
    world.do(e.PublisherChanged(BUS, "m2", True))
    assert exchanged(world) == [Count("media", "other_session")]
    assert unheard(world) == [Count("media", "other_session")]
    assert world.bus.clock.uncertainty_ns(world.now_ns) is None


def test_impossible_times_are_counted_and_dropped() -> None:
    world = publishing()
    wrong = exchanged(world, received_ns=5, sent_ns=5 + 10 * SECOND)
    assert wrong == [Count("clock", "exchange_implausible")]


def test_a_quick_data_channel_does_not_hide_a_slow_command_link() -> None:
    clock = ClockSync(20 * MS)
    clock.on_exchange(0, 0, 0, 900 * MS)
    for n in range(10):
        at = SECOND + n * SECOND
        clock.on_exchange(at - 2 * MS, at, at, at, beat=False)
    assert clock.round_trip_ns() == 900 * MS


# -------------------------------------------------------------------- one way


def test_beats_that_echo_nothing_newer_degrade_the_link_and_the_next_echo_ends_it() -> None:
    world = publishing()
    deaf_beat(world, 1_199)
    assert world.bus.link.state is LinkState.ONLINE
    deaf_beat(world, 1_200)
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert (view.link, view.link_why) == (LinkState.DEGRADED, "one_way")
    world.run(0.5)
    assert world.bus.link.state is LinkState.DEGRADED
    deaf_beat(world, 200)
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert (view.link, view.link_why) == (LinkState.ONLINE, "")


def test_jitter_of_both_sides_beats_raises_nothing() -> None:
    """Hub beats every 0.5 s and 0.4 s late at times, one lost now and then; so the vehicle's."""
    world = publishing()
    heard_ms = 0.0
    for number in range(200):
        hub_ms = number * 500 + (400 if number % 3 == 0 else 0)
        if number % 7:
            heard_ms = max(heard_ms, hub_ms)
        beat_ms = number * 500 + 450
        if beat_ms >= heard_ms:
            world.now_ns += 500 * MS
            deaf_beat(world, beat_ms - heard_ms)
        assert world.bus.link.state is LinkState.ONLINE


def test_a_vehicle_that_says_it_hears_nothing_is_believed_at_once() -> None:
    world = publishing()
    effects = unheard(world)
    assert Count("link", "unheard") in effects
    assert world.bus.link.state is LinkState.DEGRADED
    assert world.bus.link.why == "one_way"
    assert "one_way" in world.bus.supervised.drive_reasons
    assert not world.bus.link.is_fresh(world.now_ns)


def test_driving_is_withdrawn_in_the_same_step() -> None:
    world = publishing()
    world.bus.supervised.drive_reasons = ()
    effects = unheard(world)
    assert [w.reasons[0] for w in of(effects, WithdrawDrive)] == ["one_way"]


def test_one_way_stands_while_beats_come_until_something_asked_later_is_answered() -> None:
    world = publishing()
    before_ns = world.now_ns - 10 * MS
    unheard(world)
    for _ in range(6):
        world.now_ns += 500 * MS
        world.exchange(10.0)
        assert world.bus.link.why == "one_way"
    exchanged(world, asked_ns=before_ns)
    assert world.bus.link.why == "one_way", "asked before it said so"
    exchanged(world)
    assert world.bus.link.state is LinkState.ONLINE


@pytest.mark.parametrize("connected", [True, False])
def test_another_media_session_ends_it_and_so_does_the_end_of_this_one(connected: bool) -> None:
    world = publishing()
    unheard(world)
    world.do(e.PublisherChanged(BUS, "m2" if connected else "m1", connected))
    assert world.bus.link.state is LinkState.ONLINE


def test_another_vehicle_session_begins_unburdened() -> None:
    world = publishing()
    deaf_beat(world, 5_000)
    unheard(world)
    world.restart_vehicle("run-2")
    world.online()
    assert world.bus.link.state is LinkState.ONLINE
    assert unheard(world, vehicle_session="run-1") == [Count("link", "other_session")]
    assert world.bus.link.state is LinkState.ONLINE


def test_silence_ends_in_a_lost_link_also_when_it_went_one_way_first() -> None:
    machine = Link(1_200 * MS, 3_000 * MS)
    machine.on_heartbeat(0)
    assert machine.on_unheard(100 * MS, 100 * MS)
    assert machine.why == "one_way"
    assert not machine.on_time(1_200 * MS)
    assert machine.why == "silent"
    assert machine.on_time(3_000 * MS)
    assert (machine.state, machine.why) == (LinkState.LOST, "")
    assert not machine.on_answered(2_000 * MS, 3_100 * MS), "no beat, no better link"
    assert machine.state is LinkState.LOST


def test_what_a_deaf_vehicle_says_is_still_judged() -> None:
    """Missing beats hold back alarms about its data; a cut in the other direction does not."""
    world = publishing()
    for _ in range(50):
        world.now_ns += 100 * MS
        deaf_beat(world, 3_000)
        world.do(e.Tick())
    assert world.bus.link.why == "one_way"
    assert world.alarm("telemetry.stale") == "unacknowledged"
    assert world.alarm("link.degraded") == "unacknowledged"
    details = {alarm.key: alarm.detail for alarm in views.open_alarms(world.fleet)}
    assert details["link.degraded"] == "the vehicle does not hear the hub"


def test_one_way_survives_a_snapshot() -> None:
    world = publishing()
    unheard(world)
    copy = restore(capture(world.fleet))
    assert copy.vehicles[BUS].link.why == "one_way"
