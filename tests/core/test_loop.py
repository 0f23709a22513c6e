"""Which console counts, and what picture and command take together."""

from __future__ import annotations

import math

import pytest
from helpers_core import MS, SECOND
from hypothesis import given
from hypothesis import strategies as st

from protocols.operator import Presented
from supervisor.core.clocksync import ClockSync
from supervisor.core.loop import Loop, ages_of, fault_of, percentile

NOW = 1_000 * SECOND


def tile(*ages: float, bar: float | None = 5.0, **changes) -> Presented:
    values = {
        "vehicle": "a/b", "camera": "front", "frames": len(ages), "still_ms": 10.0,
        "uncertainty_ms": bar, "ages_ms": list(ages),
    }  # fmt: skip
    return Presented(**{**values, **changes})


def trusted_clock(half_ms: int = 5) -> ClockSync:
    clock = ClockSync(20 * MS)
    for n in range(4):
        at = NOW - (4 - n) * SECOND
        clock.on_exchange(at - 2 * half_ms * MS, at - half_ms * MS, at - half_ms * MS, at)
    return clock


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (tile(-0.1), "implausible"),
        (tile(math.nan), "implausible"),
        (tile(math.inf), "implausible"),
        (tile(3_600_000.1), "implausible"),
        (tile(100.0, bar=None), "implausible"),
        (tile(100.0, bar=-1.0), "implausible"),
        (tile(100.0, bar=math.nan), "implausible"),
        (tile(100.0, still_ms=math.nan), "implausible"),
        (tile(100.0, same_ms=-1.0), "implausible"),
        (tile(100.0), ""),
        (tile(0.0, bar=0.0), ""),
        (tile(bar=None), ""),
    ],
)
def test_nonsense_is_told_from_sense(bad: Presented, fault: str) -> None:
    assert fault_of(bad) == fault
    loop = Loop()
    assert loop.on_tile("s", bad, 4.0, NOW) == fault
    assert (loop.watcher == "") == bool(fault)


def test_a_console_that_gives_only_the_newest_age_is_understood() -> None:
    assert ages_of(tile(age_ms=120.0, frames=30)) == (120.0,)
    assert ages_of(tile(age_ms=120.0, frames=0)) == ()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 1.0]))
def test_the_percentile_is_the_nearest_rank(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values) - 1e-6
    assert sum(v < found for v in values) < share * len(values)


def test_the_closed_loop_is_the_sum_of_its_parts_and_of_their_error_bars() -> None:
    loop, clock = Loop(), trusted_clock()
    assert loop.closed(NOW) is None
    assert loop.view(NOW).missing == ["g2g", "command", "console"]
    loop.on_tile("s", tile(100.0, 120.0, 110.0, bar=4.0), 6.0, NOW)
    assert loop.on_applied(NOW - 40 * MS, NOW - 25 * MS, clock, NOW) == ""
    whole = loop.closed(NOW)
    assert whole is not None
    assert whole.ms == pytest.approx(120.0 + 15.0 + 3.0)
    assert whole.uncertainty_ms == pytest.approx(4.0 + 5.05 + 3.0, abs=0.06)
    assert loop.view(NOW).missing == []
    assert loop.view(NOW).camera == "front"


def test_the_worst_camera_and_the_slowest_command_count() -> None:
    loop, clock = Loop(), trusted_clock()
    loop.on_tile("s", tile(100.0), 0.0, NOW)
    loop.on_tile("s", tile(300.0, camera="left"), 0.0, NOW)
    assert loop.g2g(NOW)[0] == "left"
    for ms in (20, 80, 30):
        loop.on_applied(NOW - 100 * MS, NOW - 100 * MS + ms * MS, clock, NOW)
    assert loop.command(NOW).ms == pytest.approx(80.0)
    loop.on_applied(NOW - 100 * MS, NOW - 70 * MS, clock, NOW)
    loop.on_applied(NOW - 100 * MS, NOW - 70 * MS, clock, NOW)
    assert loop.command(NOW).ms == pytest.approx(30.0), "three are kept"


def test_without_a_trusted_clock_a_command_took_all_the_time_until_it_was_heard_of() -> None:
    loop = Loop()
    assert loop.on_applied(NOW - 90 * MS, 5, ClockSync(20 * MS), NOW) == ""
    assert loop.command(NOW)[:2] == (90.0, 0.0)


@pytest.mark.parametrize("lie_ms", [-3_600_000, -106, 6, 3_600_000])
def test_a_vehicle_that_lies_about_when_it_applied_gains_nothing(lie_ms: int) -> None:
    """Sent 100 ms ago: with ±5 ms it was applied -105 to +5 ms from now."""
    loop, clock = Loop(), trusted_clock()
    assert loop.on_applied(NOW - 100 * MS, NOW + lie_ms * MS, clock, NOW) == "impossible_time"
    assert loop.command(NOW)[:2] == (100.0, 0.0)


@pytest.mark.parametrize(("at_ms", "delay"), [(-104, 0.0), (4, 100.0), (-60, 40.0)])
def test_times_within_the_error_bar_are_cut_to_what_is_possible(at_ms: int, delay: float) -> None:
    loop, clock = Loop(), trusted_clock()
    assert loop.on_applied(NOW - 100 * MS, NOW + at_ms * MS, clock, NOW) == ""
    assert loop.command(NOW).ms == pytest.approx(delay)


def test_measurements_go_out_of_date() -> None:
    loop = Loop()
    loop.on_tile("s", tile(100.0), 1.0, NOW)
    loop.on_applied(NOW, 0, ClockSync(1), NOW)
    assert loop.g2g(NOW + 3 * SECOND) is not None
    assert loop.g2g(NOW + 3 * SECOND + 1) is None
    assert loop.command(NOW + 10 * SECOND) is not None
    assert loop.command(NOW + 10 * SECOND + 1) is None
    loop.on_time(NOW + 3 * SECOND)
    assert loop.watcher == "s"
    loop.on_time(NOW + 3 * SECOND + 1)
    assert loop.watcher == ""


def test_the_console_that_has_it_in_focus_counts_then_the_youngest_picture_with_some_calm() -> None:
    loop = Loop()
    loop.on_tile("slow", tile(200.0), 1.0, NOW)
    assert loop.watcher == "slow"
    loop.on_tile("fair", tile(170.0), 1.0, NOW)
    assert loop.watcher == "slow", "not better by a fifth"
    loop.on_tile("fast", tile(150.0), 1.0, NOW)
    assert loop.watcher == "fast"
    loop.on_tile("eyes", tile(400.0, focused=True), 1.0, NOW)
    assert loop.watcher == "eyes"
    loop.on_gone("eyes", NOW)
    assert loop.watcher == "fast"
    loop.on_tile("blind", tile(bar=None), 1.0, NOW)
    loop.on_gone("fast", NOW)
    loop.on_gone("fair", NOW)
    loop.on_gone("slow", NOW)
    assert loop.watcher == "blind"
    assert loop.g2g(NOW) is None


def test_reports_that_come_too_often_or_from_too_many_are_refused() -> None:
    loop = Loop()
    assert loop.on_tile("s", tile(100.0), 1.0, NOW) == ""
    assert loop.on_tile("s", tile(1.0), 1.0, NOW + 299 * MS) == "too_often"
    assert loop.g2g(NOW)[1].ms == 100.0
    assert loop.on_tile("s", tile(90.0), 1.0, NOW + 300 * MS) == ""
    assert {loop.on_tile("s", tile(1.0, camera=f"c{n}"), 1.0, NOW) for n in range(30)} == {
        "",
        "too_many",
    }
    assert {loop.on_tile(f"s{n}", tile(1.0), 1.0, NOW) for n in range(100)} == {"", "too_many"}
    assert len(loop.sessions()) == 64


def test_the_order_in_which_cameras_are_named_does_not_matter() -> None:
    loop = Loop()
    loop.on_tile("s", tile(300.0, camera="left"), 0.0, NOW)
    loop.on_tile("s", tile(100.0), 0.0, NOW)
    assert loop.g2g(NOW)[0] == "left"
    loop.on_tile("s", tile(300.0, camera="rear"), 0.0, NOW)
    assert loop.g2g(NOW)[0] == "left", "of two as bad the first"


@pytest.mark.parametrize("rtt_ms", [None, -0.1, math.nan, math.inf, 3_600_000.1])
def test_a_way_to_the_hub_that_cannot_be_is_unknown_and_so_is_the_loop(rtt_ms) -> None:
    loop = Loop()
    loop.on_tile("s", tile(100.0), rtt_ms, NOW)
    loop.on_applied(NOW, 0, ClockSync(1), NOW)
    assert loop.view(NOW).missing == ["console"]
    assert loop.closed(NOW) is None
    loop.on_tile("s", tile(100.0), 0.0, NOW + SECOND)
    assert loop.view(NOW + SECOND).missing == []


def test_sixteen_cameras_fit_and_no_more() -> None:
    loop = Loop()
    faults = [loop.on_tile("s", tile(1.0, camera=f"c{n}"), 1.0, NOW) for n in range(17)]
    assert faults == [""] * 16 + ["too_many"]
