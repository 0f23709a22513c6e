"""Verdicts: never a wrong "met", down at once, up after a hold."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.supervision import Indicator, Purpose, Verdict, Why
from supervisor.core.objectives import Objective
from supervisor.core.verdicts import GOODNESS, TABLE, ObjectiveTrack
from supervisor.core.windows import SLICES

MS = 1_000_000
SECOND = 1_000 * MS
U, V, R, M = Verdict.UNKNOWN, Verdict.VIOLATED, Verdict.AT_RISK, Verdict.MET


def track(**changes) -> ObjectiveTrack:
    values = {
        "key": "x", "purpose": Purpose.MONITOR, "indicator": Indicator.G2G, "limit": 500.0,
        "share": 0.9, "window_s": 10.0, "recover_s": 5.0, "stale_s": 3.0, "samples": 1,
    }  # fmt: skip
    return ObjectiveTrack(Objective(**{**values, **changes}), 300.0, 3_600.0)


def fed(one: ObjectiveTrack, values, now_ns: int = SECOND, bar: float = 0.0) -> ObjectiveTrack:
    one.add_all(values, bar, now_ns)
    return one


# ------------------------------------------------------------------ the table


def test_the_table_has_every_case() -> None:
    assert set(TABLE) == set(itertools.product(Verdict, Verdict, (False, True)))


@pytest.mark.parametrize(("shown", "found", "lasted"), TABLE)
def test_every_row_of_the_table_is_honest(shown, found, lasted) -> None:
    after = TABLE[shown, found, lasted]
    assert after in (shown, found)
    if found is U:
        assert after is U
    elif found in (V, R) and (shown is U or GOODNESS[found] < GOODNESS[shown]):
        assert after is found, "falls at once"
    elif found is not shown:
        assert (after is found) == lasted, "rises after the hold"
    if after is M:
        assert found is M


# ------------------------------------------------------------------ one sample


@pytest.mark.parametrize(
    ("value", "bar", "at_least", "kind"),
    [
        (500.0, 0.0, False, "good"),
        (math.nextafter(500.0, 600.0), 0.0, False, "bad"),
        (490.0, 10.0, False, "good"),
        (490.0, 10.001, False, "doubtful"),
        (510.0, 10.0, False, "doubtful"),
        (510.001, 10.0, False, "bad"),
        (500.0, 0.0, True, "good"),
        (math.nextafter(500.0, 0.0), 0.0, True, "bad"),
        (510.0, 10.0, True, "good"),
        (490.0, 10.0, True, "doubtful"),
        (489.999, 10.0, True, "bad"),
        (math.nan, 1.0, False, "doubtful"),
        (100.0, math.nan, False, "doubtful"),
        (100.0, math.inf, False, "doubtful"),
        (100.0, -1.0, False, "doubtful"),
        (math.inf, 1.0, False, "bad"),
        (math.nan, 1.0, True, "doubtful"),
    ],
)
def test_a_sample_is_good_only_if_its_whole_error_bar_keeps_the_limit(
    value: float, bar: float, at_least: bool, kind: str
) -> None:
    one = track(indicator=Indicator.PICTURE_HEIGHT if at_least else Indicator.G2G)
    assert one.add(value, bar, SECOND) == (kind != "good")
    window = one._window
    found = {"good": window.good, "bad": window.bad, "doubtful": window.doubtful}
    assert found == {"good": 0, "bad": 0, "doubtful": 0, kind: 1}


# ---------------------------------------------------------------- the finding


@pytest.mark.parametrize(
    ("good", "bad", "doubtful", "verdict", "why"),
    [
        (100, 0, 0, M, Why.WITHIN),
        (96, 4, 0, M, Why.WITHIN),  # 4 of the 10 that may be over
        (95, 5, 0, R, Why.BUDGET_USED),  # exactly half of them
        (90, 10, 0, R, Why.BUDGET_USED),  # all of them, not one more
        (89, 11, 0, V, Why.OVER_LIMIT),
        (90, 0, 10, M, Why.WITHIN),
        (89, 0, 11, R, Why.IN_DOUBT),
        (0, 0, 100, R, Why.IN_DOUBT),
        (85, 5, 6, R, Why.IN_DOUBT),
        (0, 1, 0, V, Why.OVER_LIMIT),
    ],
)
def test_the_finding_at_its_limits(good: int, bad: int, doubtful: int, verdict, why) -> None:
    one = track()
    fed(one, [100.0] * good + [900.0] * bad)
    fed(one, [500.0] * doubtful, bar=1.0)
    assert one.find(SECOND, None)[:2] == (verdict, why)


def test_a_share_of_all_allows_nothing() -> None:
    one = track(share=1.0)
    fed(one, [100.0] * 10_000)
    assert one.find(SECOND, None).verdict is M
    fed(one, [501.0])
    assert one.find(SECOND, None).verdict is V


def test_nothing_is_unknown_and_old_is_stale_exactly_after_its_time() -> None:
    one = track()
    assert one.find(SECOND, None)[:2] == (U, Why.NO_EVIDENCE)
    fed(one, [100.0] * 5)
    assert one.find(4 * SECOND, None).verdict is M
    assert one.find(4 * SECOND + 1, None)[:2] == (U, Why.STALE)


def test_what_is_missing_makes_it_unknown_at_once_whatever_was_measured() -> None:
    one = track(recover_s=0.0)
    fed(one, [100.0] * 50)
    one.judge(SECOND)
    assert one.verdict is M
    assert one.judge(SECOND + 1, Why.NOBODY_WATCHES)
    assert (one.verdict, one.why) == (U, Why.NOBODY_WATCHES)


def test_too_few_samples_are_no_verdict_unless_they_violate() -> None:
    one = track(samples=5)
    fed(one, [100.0] * 4)
    assert one.find(SECOND, None)[:2] == (U, Why.TOO_FEW)
    fed(one, [100.0])
    assert one.find(SECOND, None).verdict is M
    other = fed(track(samples=5), [900.0])
    assert other.find(SECOND, None).verdict is V


# ----------------------------------------------------------------- over time


def test_a_verdict_falls_with_the_sample_and_rises_only_after_the_hold() -> None:
    one = track(recover_s=5.0, window_s=1.0)
    now_ns = SECOND
    fed(one, [100.0] * 10, now_ns)
    assert not one.judge(now_ns)
    assert (one.verdict, one.why) == (U, Why.RECOVERING)
    for _ in range(50):
        now_ns += 100 * MS
        fed(one, [100.0], now_ns)
        one.judge(now_ns)
    assert (one.verdict, one.since_ns) == (M, 6 * SECOND)
    fed(one, [900.0] * 5, now_ns + 1)
    assert one.judge(now_ns + 1)
    assert one.verdict is V
    begin = None
    while one.verdict is V:
        now_ns += 100 * MS
        fed(one, [100.0], now_ns)
        one.judge(now_ns)
        if begin is None and one.why is Why.RECOVERING:
            begin = now_ns
    assert begin is not None
    assert now_ns - begin == 5 * SECOND


def test_a_relapse_during_the_hold_begins_it_anew() -> None:
    one = track(recover_s=5.0, window_s=1.0)
    fed(one, [900.0], SECOND)
    one.judge(SECOND)
    for second in (3, 4, 5, 6):
        fed(one, [100.0], second * SECOND)
        one.judge(second * SECOND)
    fed(one, [900.0], int(6.5 * SECOND))
    one.judge(int(6.5 * SECOND))
    for second in (8, 9, 10, 11, 12):
        fed(one, [100.0], second * SECOND)
        one.judge(second * SECOND)
        assert one.verdict is V
    fed(one, [100.0], 13 * SECOND)
    one.judge(13 * SECOND)
    assert one.verdict is M


class Naive:
    """The same rules over lists, without any cleverness."""

    def __init__(self, objective: Objective) -> None:
        self.o = objective
        self.samples: list[tuple[int, str]] = []
        self.found: list[tuple[int, Verdict]] = []
        self.shown = U

    def add(self, value: float, bar: float, now_ns: int) -> None:
        ok, bad = value + bar <= self.o.limit, value - bar > self.o.limit
        self.samples.append((now_ns, "good" if ok else "bad" if bad else "doubt"))

    def find(self, now_ns: int) -> Verdict:
        if not self.samples or now_ns - self.samples[-1][0] > self.o.stale_s * SECOND:
            return U
        slice_ns = int(self.o.window_s * SECOND) // SLICES
        kinds = [k for at, k in self.samples if at // slice_ns > now_ns // slice_ns - SLICES]
        n, bad, doubt = len(kinds), kinds.count("bad"), kinds.count("doubt")
        spare = round((1 - self.o.share) * 1_000_000)
        if bad * 1_000_000 > spare * n:
            return V
        if n < self.o.samples:
            return U
        if (bad + doubt) * 1_000_000 > spare * n or (bad and 2 * bad * 1_000_000 >= spare * n):
            return R
        return M

    def judge(self, now_ns: int) -> Verdict:
        found = self.find(now_ns)
        self.found.append((now_ns, found))
        better = [
            (at, f)
            for at, f in self._tail()
        ]  # fmt: skip
        if found is U:
            self._show(U)
        elif found in (V, R) and (self.shown is U or GOODNESS[found] < GOODNESS[self.shown]):
            self._show(found)
        elif better and now_ns - better[0][0] >= self.o.recover_s * SECOND:
            self._show(min((f for _, f in better), key=lambda f: GOODNESS[f]))
        return self.shown

    def _show(self, verdict: Verdict) -> None:
        if verdict is not self.shown:
            self.shown = verdict
            self.found = self.found[-1:]

    def _tail(self) -> list[tuple[int, Verdict]]:
        """Findings since which all were better than what is shown."""
        tail: list[tuple[int, Verdict]] = []
        for at, found in reversed(self.found):
            rises = found is M if self.shown is U else found is not U and (
                GOODNESS[found] > GOODNESS[self.shown]
            )  # fmt: skip
            if not rises:
                break
            tail.append((at, found))
        return tail[::-1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([50, 100, 400, 1_000, 4_000]),
            st.sampled_from([100.0, 499.0, 500.0, 501.0, 900.0, None]),
            st.sampled_from([0.0, 1.0, 50.0]),
            st.integers(1, 5),
        ),
        max_size=120,
    ),
    st.sampled_from([0.5, 0.9, 1.0]),
    st.sampled_from([0.0, 1.0, 5.0]),
    st.sampled_from([1, 4]),
)
def test_verdicts_follow_a_naive_model(steps, share: float, recover_s: float, samples: int) -> None:
    one = track(share=share, recover_s=recover_s, samples=samples, window_s=4.0)
    naive = Naive(one.objective)
    now_ns = SECOND
    for wait_ms, value, bar, times in steps:
        now_ns += wait_ms * MS
        if value is not None:
            one.add_all([value] * times, bar, now_ns)
            for _ in range(times):
                naive.add(value, bar, now_ns)
        before = one.verdict
        changed = one.judge(now_ns)
        assert one.verdict is naive.judge(now_ns)
        assert changed == (one.verdict is not before)
        if one.verdict is M:
            assert one.find(now_ns, None).verdict is M, "met needs evidence now"


# ------------------------------------------------------------------- budgets


def test_budget_and_burn_over_two_windows() -> None:
    one = track(share=0.9)
    now_ns = SECOND
    for second in range(60):
        now_ns = (second + 1) * SECOND
        fed(one, [100.0] * 9 + [900.0], now_ns)
        one.judge(now_ns)
    view = one.view()
    assert (view.burn_short, view.burn_long, view.budget_left) == (1.0, 1.0, 0.0)
    for second in range(60, 1_200):
        now_ns = (second + 1) * SECOND
        fed(one, [100.0] * 10, now_ns)
        one.judge(now_ns)
    view = one.view()
    assert view.burn_short == 0.0
    assert view.burn_long == pytest.approx(0.05)
    assert view.budget_left == pytest.approx(0.95)
    assert track().view().budget_left is None


def test_no_number_that_json_cannot_carry_leaves_a_view() -> None:
    one = track()
    fed(one, [math.nan], bar=math.inf)
    one.judge(SECOND)
    view = one.view()
    assert (view.value, view.uncertainty) == (None, None)
    full = fed(track(share=1.0), [900.0])
    full.judge(SECOND)
    assert full.view().burn_short == 1e6
