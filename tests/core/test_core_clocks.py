from __future__ import annotations

import pytest
from helpers_core import BUS, MS, SECOND, World, of
from hypothesis import given
from hypothesis import strategies as st

from protocols import vehicle
from protocols.operator import CameraView
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.clocksync import ClockSync, ntp_to_unix_ns
from supervisor.core.effects import Count
from supervisor.core.events import StreamSample

TRUE_OFFSET = 1_000 * SECOND
UNIX_AT_ZERO = 1_700_000_000 * SECOND
NTP_EPOCH = 2_208_988_800


def trusted_world(rtt_ms: float = 10.0) -> World:
    world = World()
    world.online()
    for _ in range(4):
        world.now_ns += 500 * MS
        world.exchange(rtt_ms)
    return world


def exchange(clock: ClockSync, at_ns: int, up_ms: float, down_ms: float, offset: int = TRUE_OFFSET):
    t2 = at_ns - offset - int(up_ms * MS)
    return clock.on_exchange(at_ns - int((up_ms + down_ms) * MS), t2, t2, at_ns)


def test_the_offset_is_unknown_before_enough_exchanges_and_right_within_its_error_bar_after():
    world = World()
    world.online()
    for count in range(1, 4):
        world.now_ns += 500 * MS
        world.exchange(10.0)
        view = views.vehicle_view(world.fleet, BUS, world.now_ns)
        assert (view.clock_offset_ns is None) == (count < 3)
    assert abs(view.clock_offset_ns - TRUE_OFFSET) <= view.clock_uncertainty_ns
    assert 5 * MS <= view.clock_uncertainty_ns < 6 * MS


def test_the_least_round_trip_wins_until_drift_has_eaten_its_advantage() -> None:
    clock = ClockSync(50 * MS)
    exchange(clock, 0, 15, 15)
    for second in range(1, 200):
        exchange(clock, second * SECOND, 20, 20)
        if second < 28:  # 32 exchanges are kept
            expected = 15 * MS + second * 50_000
            assert clock.uncertainty_ns(second * SECOND) == min(expected, 20 * MS)
    assert clock.uncertainty_ns(199 * SECOND) == 20 * MS


def test_trust_ends_when_exchanges_stop_coming() -> None:
    world = trusted_world(10.0)
    assert world.bus.clock.offset(world.now_ns) is not None
    later = world.now_ns + 400 * SECOND  # 5 ms + 400 s * 50 ppm = 25 ms > 20 ms
    assert world.bus.clock.offset(later) is None
    assert world.bus.clock.uncertainty_ns(later) > 20 * MS


def test_a_slow_link_is_never_trusted() -> None:
    world = trusted_world(60.0)
    view = views.vehicle_view(world.fleet, BUS, world.now_ns)
    assert view.clock_offset_ns is None
    assert view.clock_uncertainty_ns >= 30 * MS


@given(
    st.lists(st.tuples(st.floats(0, 200), st.floats(0, 200)), min_size=3, max_size=60),
    st.integers(-(10**15), 10**15),
    st.floats(-40, 40),
)
def test_the_true_offset_always_lies_within_the_error_bar(ways, offset: int, ppm: float) -> None:
    clock = ClockSync(10**12)
    for index, (up, down) in enumerate(ways):
        at_ns = 10 * SECOND + index * SECOND // 2
        true = offset + int(at_ns * ppm / 1e6)
        assert exchange(clock, at_ns, up, down, true) == ""
        got = clock.offset(at_ns)
        if got is not None:
            assert abs(got.at_ns - true) <= got.uncertainty_ns + 2_000


@pytest.mark.parametrize(
    "times",
    [
        (100, 5, 5, 99),  # received before it was sent
        (0, 10, 5, 100),  # the vehicle sent before it received
        (0, 0, 101, 100),  # it took longer there than here
        (0, 0, 0, 11 * SECOND),  # an echo of long ago
    ],
)
def test_impossible_exchanges_are_dropped_and_counted(times) -> None:
    clock = ClockSync(20 * MS)
    assert clock.on_exchange(*times) == "exchange_implausible"
    assert clock.uncertainty_ns(times[3]) is None


@pytest.mark.parametrize("step_s", [3600, -3600, 0.5])
def test_a_clock_that_jumps_loses_its_trust_and_earns_it_again(step_s: float) -> None:
    clock = ClockSync(20 * MS)
    for n in range(5):
        exchange(clock, n * SECOND, 5, 5)
    moved = TRUE_OFFSET + int(step_s * SECOND)
    assert exchange(clock, 6 * SECOND, 5, 5, moved) == "step"
    assert clock.offset(6 * SECOND) is None
    for n in range(7, 9):
        assert exchange(clock, n * SECOND, 5, 5, moved) == ""
    got = clock.offset(8 * SECOND)
    assert got is not None
    assert got.at_ns == moved


def test_a_new_session_forgets_the_clock() -> None:
    world = trusted_world()
    world.restart_vehicle("run-2")
    world.beat()
    assert world.bus.clock.uncertainty_ns(world.now_ns) is None


@pytest.mark.parametrize(
    ("ntp_s", "unix_s"),
    [(NTP_EPOCH, 0), (NTP_EPOCH + 1_700_000_000, 1_700_000_000), (5, 2**32 + 5 - NTP_EPOCH)],
)
def test_ntp_times_of_both_eras(ntp_s: int, unix_s: int) -> None:
    assert ntp_to_unix_ns(ntp_s << 32) == unix_s * SECOND
    assert abs(ntp_to_unix_ns(ntp_s << 32 | 1 << 30) - unix_s * SECOND - SECOND // 4) <= 1


def ntp_of(world: World, captured_hub_ns: int) -> int:
    """NTP time the vehicle's wall clock showed at a hub instant."""
    unix_ns = captured_hub_ns - TRUE_OFFSET + UNIX_AT_ZERO
    return ((unix_ns // SECOND + NTP_EPOCH) << 32) + (unix_ns % SECOND << 32) // SECOND


def sample(world: World, frames: int, **changes) -> StreamSample:
    values = {
        "camera": "front", "kind": "video", "codec": "H264", "clock_rate": 90_000,
        "packets": frames * 10, "lost": 0, "bytes": frames * 12_500, "frames": frames,
        "keyframes": 1, "jitter_ms": 1.0, "last_frame_ns": world.now_ns,
    }  # fmt: skip
    return StreamSample(**{**values, **changes})


def camera(world: World) -> CameraView:
    return views.vehicle_view(world.fleet, BUS, world.now_ns).streams[0]


def test_a_sender_report_gives_the_capture_time_on_the_hubs_clock_with_its_error_bar() -> None:
    world = trusted_world()
    world.do(e.PublisherChanged(BUS, "m1", True))
    captured = world.now_ns - 80 * MS
    report = {"sender_rtp": 123_456, "sender_ntp": ntp_of(world, captured)}
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 1, **report)]))
    view = camera(world)
    assert view.clock_rtp == 123_456
    assert abs(view.clock_captured_ns - captured) <= view.clock_uncertainty_ns
    assert view.clock_uncertainty_ns < 20 * MS


def test_a_sender_report_from_the_future_or_from_long_ago_maps_to_nothing() -> None:
    world = trusted_world()
    world.do(e.PublisherChanged(BUS, "m1", True))
    for shift in (SECOND, -120 * SECOND, -3600 * SECOND):
        report = {"sender_rtp": 1, "sender_ntp": ntp_of(world, world.now_ns + shift)}
        effects = world.do(e.LinkSampled(BUS, "m1", [sample(world, 1, **report)]))
        assert Count("clock", "report_implausible") in effects
        assert camera(world).clock_rtp is None


def beat_after(world: World, ms: float, shift: int = 0) -> list:
    world.now_ns += int(ms * MS)
    return world.beat(utc_ns=world.vehicle_ns + UNIX_AT_ZERO + shift)


def test_a_report_waits_for_a_heartbeat_after_it_and_the_one_before_is_used_until_then() -> None:
    world = trusted_world()
    world.do(e.PublisherChanged(BUS, "m1", True))
    first = {"sender_rtp": 1, "sender_ntp": ntp_of(world, world.now_ns + 50 * MS)}
    world.now_ns += 100 * MS
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 1, **first)]))
    assert camera(world).clock_rtp is None
    beat_after(world, 10)
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 2, **first)]))
    assert camera(world).clock_rtp == 1
    second = {"sender_rtp": 2, "sender_ntp": ntp_of(world, world.now_ns + 50 * MS)}
    world.now_ns += 100 * MS
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 3, **second)]))
    assert camera(world).clock_rtp == 1
    beat_after(world, 10)
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 4, **second)]))
    assert camera(world).clock_rtp == 2


@pytest.mark.parametrize("shift_ms", [30, -30, 3_000, 3_600_000, -3_600_000])
def test_a_step_of_the_wall_clock_never_moves_a_picture_and_trust_comes_back(shift_ms: int) -> None:
    """The report between the step and the heartbeat that tells of it is the dangerous one."""
    world = trusted_world()
    world.do(e.PublisherChanged(BUS, "m1", True))
    shift = shift_ms * MS
    rtp = 90_000

    def report(captured: int, by: int) -> None:
        nonlocal rtp
        rtp += 9_000
        said = {"sender_rtp": rtp, "sender_ntp": ntp_of(world, captured + by)}
        world.do(e.LinkSampled(BUS, "m1", [sample(world, rtp // 9_000, **said)]))
        view = camera(world)
        if view.clock_captured_ns is not None:
            # rtp n was captured at its own place on a straight line, whatever was stepped.
            true = captured - (rtp - view.clock_rtp) * SECOND // 90_000
            assert abs(view.clock_captured_ns - true) <= view.clock_uncertainty_ns

    def go(by: int, beats: int) -> None:
        for _ in range(beats):
            for _ in range(5):
                world.now_ns += 100 * MS
                report(world.now_ns, by)
            world.now_ns += 1
            world.beat(utc_ns=world.vehicle_ns + UNIX_AT_ZERO + by)

    go(0, 4)
    assert camera(world).clock_captured_ns is not None
    for _ in range(3):  # stepped, and no heartbeat has told it yet
        world.now_ns += 100 * MS
        report(world.now_ns, shift)
    effects = beat_after(world, 1, shift)
    assert Count("clock", "wall_step") in effects
    go(shift, 3)
    assert camera(world).clock_captured_ns is not None


def test_without_a_trusted_clock_a_picture_has_no_capture_time() -> None:
    world = World()
    world.online()
    world.do(e.PublisherChanged(BUS, "m1", True))
    report = {"sender_rtp": 1, "sender_ntp": ntp_of(world, world.now_ns)}
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 1, **report)]))
    assert camera(world).clock_captured_ns is None


def test_rates_come_from_the_last_second_and_silence_is_not_live() -> None:
    world = World()
    world.online()
    world.do(e.PublisherChanged(BUS, "m1", True))
    for n in range(1, 31):
        world.now_ns += 100 * MS
        world.do(e.LinkSampled(BUS, "m1", [sample(world, 3 * n, lost=n)]))
    view = camera(world)
    assert view.live
    assert view.fps == pytest.approx(30.0, abs=0.1)
    assert view.kbps == pytest.approx(3_000.0, abs=10)
    assert view.loss == pytest.approx(1 / 31, abs=0.001)
    world.now_ns += 301 * MS
    view = camera(world)
    assert (view.live, view.fps, view.kbps) == (False, 0.0, 0.0)


def test_totals_that_fall_begin_a_new_history_and_foreign_sessions_are_counted() -> None:
    world = World()
    world.online()
    world.do(e.PublisherChanged(BUS, "m1", True))
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 900)]))
    world.now_ns += 100 * MS
    world.do(e.LinkSampled(BUS, "m1", [sample(world, 3)]))
    assert camera(world).fps == 0.0
    other = e.LinkSampled(BUS, "m0", [sample(world, 3)])
    assert world.do(other) == [Count("media", "other_session")]
    assert of(world.do(e.PublisherChanged(BUS, "m0", False)), Count)
    assert views.vehicle_view(world.fleet, BUS, world.now_ns).media


def test_a_worker_that_reports_endless_streams_is_cut() -> None:
    world = World()
    world.online()
    world.do(e.PublisherChanged(BUS, "m1", True))
    many = [sample(world, 1, camera=f"c{n}") for n in range(100)]
    world.do(e.LinkSampled(BUS, "m1", many))
    assert len(world.bus.streams) == vehicle.MAX_CAMERAS + 1


def test_a_clock_that_runs_at_an_impossible_rate_is_not_trusted() -> None:
    """1000 ppm fast: it contradicts itself again and again."""
    clock = ClockSync(20 * MS)
    stepped = 0
    trusted = []
    for n in range(400):
        at_ns = (n + 1) * SECOND // 2
        stepped += exchange(clock, at_ns, 2, 2, TRUE_OFFSET - at_ns // 1_000) == "step"
        if stepped >= 2:
            trusted.append(clock.offset(at_ns) is not None)
    assert stepped > 2
    assert not any(trusted)


def test_two_steps_within_a_minute_cost_a_minute_of_trust() -> None:
    clock = ClockSync(20 * MS)
    at_ns = SECOND
    for offset in (0, SECOND, 2 * SECOND):
        for _ in range(5):
            at_ns += SECOND
            exchange(clock, at_ns, 5, 5, offset)
    assert clock.offset(at_ns) is None
    suspected = at_ns - 4 * SECOND
    while at_ns < suspected + 60 * SECOND - SECOND:
        at_ns += SECOND
        exchange(clock, at_ns, 5, 5, 2 * SECOND)
        assert clock.offset(at_ns) is None
    at_ns += SECOND
    exchange(clock, at_ns, 5, 5, 2 * SECOND)
    assert clock.offset(at_ns) is not None


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 30_000)), min_size=1, max_size=120))
def test_the_best_exchange_is_the_one_with_the_narrowest_bar_of_the_newest(trips) -> None:
    clock = ClockSync(10**15)
    at_ns = 0
    naive: list[tuple[int, int]] = []
    for rtt_ms, wait_ms in trips:
        at_ns += wait_ms * MS
        exchange(clock, at_ns, rtt_ms / 2, rtt_ms / 2)
        naive = [*naive, (at_ns, rtt_ms * MS // 2)][-32:]
        bars = [half + (at_ns - then) * 50 // 1_000_000 for then, half in naive]
        assert abs(clock.uncertainty_ns(at_ns) - min(bars)) <= 2
