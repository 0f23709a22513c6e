"""The ladder says what it will do before it does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.supervision import Rung
from supervisor.core.ladder import HEIGHT, Ladder
from supervisor.core.objectives import RUNGS, LadderConfig

SECOND = 1_000_000_000
CONFIG = LadderConfig(
    protect_focus_s=2.0, smaller_layers_s=3.0, speed_limit_s=5.0, withdraw_drive_s=4.0,
    minimal_risk_s=10.0, hold_s=7.0, minimal_risk=True,
)  # fmt: skip


def test_each_rung_is_announced_with_its_time_and_taken_exactly_then() -> None:
    ladder = Ladder(CONFIG)
    now_ns = SECOND
    for rung, delay_s in zip(RUNGS[1:], (2, 3, 5, 4, 10), strict=True):
        assert ladder.on_ceiling(Rung.MINIMAL_RISK, "x", now_ns)
        assert (ladder.next_rung, ladder.next_ns) == (rung, now_ns + delay_s * SECOND)
        assert ladder.next_deadline_ns() == ladder.next_ns
        now_ns += delay_s * SECOND
        assert ladder.on_time(now_ns - 1) is None
        assert ladder.on_time(now_ns) is RUNGS[HEIGHT[rung] - 1]
        assert (ladder.rung, ladder.since_ns, ladder.next_rung) == (rung, now_ns, None)
        assert ladder.on_time(now_ns) is None
    assert not ladder.on_ceiling(Rung.MINIMAL_RISK, "x", now_ns)
    assert ladder.next_rung is None


def test_it_steps_down_one_rung_after_each_hold() -> None:
    ladder = Ladder(CONFIG)
    climb(ladder, Rung.SPEED_LIMIT)
    now_ns = 100 * SECOND
    for rung in (Rung.SMALLER_LAYERS, Rung.PROTECT_FOCUS, Rung.NONE):
        assert ladder.on_ceiling(Rung.NONE, "", now_ns)
        assert (ladder.next_rung, ladder.next_ns) == (rung, now_ns + 7 * SECOND)
        now_ns += 7 * SECOND
        assert ladder.on_time(now_ns - 1) is None
        assert ladder.on_time(now_ns) is not None
        assert ladder.rung is rung
    ladder.on_ceiling(Rung.NONE, "", now_ns)
    assert ladder.next_rung is None


def climb(ladder: Ladder, rung: Rung) -> None:
    now_ns = 0
    while ladder.rung is not rung:
        ladder.on_ceiling(rung, "x", now_ns)
        now_ns += 20 * SECOND
        ladder.on_time(now_ns)


def test_what_gets_well_in_time_is_never_taken() -> None:
    ladder = Ladder(CONFIG)
    ladder.on_ceiling(Rung.SPEED_LIMIT, "x", 0)
    assert ladder.on_ceiling(Rung.NONE, "", SECOND)
    assert ladder.next_rung is None
    assert ladder.on_time(60 * SECOND) is None
    assert ladder.rung is Rung.NONE


def test_a_relapse_during_the_hold_begins_it_anew_and_the_same_ceiling_keeps_the_countdown() -> (
    None
):
    ladder = Ladder(CONFIG)
    climb(ladder, Rung.PROTECT_FOCUS)
    ladder.on_ceiling(Rung.NONE, "", 100 * SECOND)
    ladder.on_ceiling(Rung.PROTECT_FOCUS, "x", 106 * SECOND)
    assert ladder.next_rung is None
    ladder.on_ceiling(Rung.NONE, "", 107 * SECOND)
    assert ladder.next_ns == 114 * SECOND
    assert not ladder.on_ceiling(Rung.NONE, "", 110 * SECOND)
    assert ladder.next_ns == 114 * SECOND
    assert ladder.on_ceiling(Rung.NONE, "y", 111 * SECOND), "another reason is shown"
    assert ladder.next_ns == 114 * SECOND


def test_the_last_rung_exists_only_where_it_is_configured() -> None:
    ladder = Ladder(LadderConfig())
    climb(ladder, Rung.WITHDRAW_DRIVE)
    ladder.on_ceiling(Rung.MINIMAL_RISK, "x", 1_000 * SECOND)
    assert ladder.next_rung is None
    assert ladder.reaches(Rung.SPEED_LIMIT)
    assert ladder.reaches(Rung.WITHDRAW_DRIVE)
    assert not ladder.reaches(Rung.MINIMAL_RISK)


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_has_a_delay(rung: Rung) -> None:
    assert CONFIG.delay_ns(rung) > 0


@given(st.lists(st.tuples(st.sampled_from(RUNGS), st.integers(0, 9 * SECOND)), max_size=200))
def test_it_never_skips_a_rung_and_never_acts_unannounced(steps) -> None:
    ladder = Ladder(CONFIG)
    now_ns = 0
    for ceiling, wait_ns in steps:
        now_ns += wait_ns
        before, announced = ladder.rung, ladder.view()
        left = ladder.on_time(now_ns)
        if left is None:
            assert ladder.rung is before
        else:
            assert left is before
            assert (announced.next_rung, abs(HEIGHT[ladder.rung] - HEIGHT[before])) == (
                ladder.rung,
                1,
            )
            assert announced.next_at_ns is not None
            assert announced.next_at_ns <= now_ns
        ladder.on_ceiling(ceiling, "x", now_ns)
        if ladder.next_rung is not None:
            toward = HEIGHT[ceiling] - HEIGHT[ladder.rung]
            assert (HEIGHT[ladder.next_rung] - HEIGHT[ladder.rung]) * toward > 0
