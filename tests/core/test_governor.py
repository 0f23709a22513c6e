"""The blind-distance rule and its limit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.governor import Governor, allowed_kmh
from supervisor.core.objectives import GovernorConfig

SECOND = 1_000_000_000
CONFIG = GovernorConfig(step_kmh=5.0, hysteresis_kmh=2.0, rise_s=3.0)


@pytest.mark.parametrize(
    ("loop_ms", "bar_ms", "kmh"),
    [(250.0, 0.0, 40.032), (220.0, 30.0, 40.032), (200.0, 0.0, 50.04), (1_000.0, 1_000.0, 5.004)],
)
def test_the_rule_with_the_laws_own_numbers(loop_ms: float, bar_ms: float, kmh: float) -> None:
    assert allowed_kmh(2.78, loop_ms, bar_ms) == pytest.approx(kmh)


@pytest.mark.parametrize("loop_ms", [0.0, -5.0, math.nan])
def test_a_loop_that_is_no_measurement_gives_no_speed(loop_ms: float) -> None:
    with pytest.raises(ValueError, match="no measurement"):
        allowed_kmh(2.78, loop_ms, 0.0)


def test_the_limit_falls_at_once_to_the_step_below() -> None:
    governor = Governor(CONFIG)
    assert governor.limit(40.03, 60.0, 0) == 40.0
    assert governor.limit(39.99, 60.0, 1) == 35.0
    assert governor.limit(0.4, 60.0, 2) == 0.0


def test_it_rises_by_one_step_after_the_hold_and_only_with_the_hysteresis() -> None:
    governor = Governor(CONFIG)
    governor.limit(21.0, 60.0, 0)
    assert governor.kmh == 20.0
    assert governor.limit(26.999, 60.0, 100 * SECOND) == 20.0
    assert governor.limit(26.999, 60.0, 100 * SECOND + 3 * SECOND // 4) == 20.0
    for now_s, kmh in ((101, 20.0), (103.999, 20.0), (104, 25.0), (105, 25.0), (108, 30.0)):
        assert governor.limit(60.0, 60.0, int(now_s * SECOND)) == kmh, now_s
    governor.limit(31.0, 60.0, 109 * SECOND)  # not enough for the next step
    assert governor.limit(60.0, 60.0, 111 * SECOND) == 30.0, "the hold begins anew"
    assert governor.limit(60.0, 60.0, 114 * SECOND) == 35.0


def test_exactly_the_next_step_and_the_hysteresis_is_enough() -> None:
    governor = Governor(CONFIG)
    governor.limit(20.0, 60.0, 0)
    assert governor.limit(27.0, 60.0, SECOND) == 20.0
    assert governor.limit(27.0, 60.0, 4 * SECOND) == 25.0


def test_the_vehicles_own_maximum_is_the_last_step_and_is_followed_down() -> None:
    governor = Governor(CONFIG)
    assert governor.limit(math.inf, 19.8, 0) == 19.8
    assert governor.limit(12.0, 19.8, 1) == 10.0
    now_ns = 0
    seen = []
    for _ in range(40):
        now_ns += SECOND
        seen.append(governor.limit(math.inf, 19.8, now_ns))
    assert sorted(set(seen)) == [10.0, 15.0, 19.8]
    assert governor.limit(math.inf, 12.5, now_ns) == 12.5


@given(
    st.lists(st.tuples(st.floats(0, 200), st.integers(0, 4 * SECOND)), max_size=100),
    st.floats(1, 60),
)
def test_it_is_never_above_what_is_allowed_nor_above_the_maximum(steps, most: float) -> None:
    governor = Governor(CONFIG)
    now_ns = 0
    before = None
    for allowed, wait_ns in steps:
        now_ns += wait_ns
        kmh = governor.limit(allowed, most, now_ns)
        assert kmh <= allowed + 1e-6
        assert 0.0 <= kmh <= most
        if before is not None:
            assert kmh <= before + CONFIG.step_kmh + 1e-9
        before = kmh
