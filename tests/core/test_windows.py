from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.windows import SLICES, SlidingCounts

STEPS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
    max_size=200,
)


@given(STEPS, st.integers(20, 4_000))
def test_the_window_holds_what_a_list_of_all_samples_would_give(steps, window_ns: int) -> None:
    counts = SlidingCounts(window_ns)
    slice_ns = max(1, window_ns // SLICES)
    samples: list[tuple[int, int, int, int]] = []
    now_ns = 0
    for wait_ns, good, bad, doubtful in steps:
        now_ns += wait_ns
        counts.add(good, bad, doubtful, now_ns)
        samples.append((now_ns, good, bad, doubtful))
        kept = [s for s in samples if s[0] // slice_ns > now_ns // slice_ns - SLICES]
        assert counts.good == sum(s[1] for s in kept)
        assert counts.bad == sum(s[2] for s in kept)
        assert counts.doubtful == sum(s[3] for s in kept)
        assert counts.samples == counts.good + counts.bad + counts.doubtful


@given(STEPS)
def test_memory_is_bounded_by_the_slices_whatever_comes(steps) -> None:
    counts = SlidingCounts(1_000)
    now_ns = 0
    for wait_ns, *kinds in steps:
        now_ns += wait_ns
        counts.add(*kinds, now_ns)
        assert len(counts._finished) < SLICES * 20


def test_a_sample_leaves_exactly_when_its_slice_is_as_old_as_the_window() -> None:
    counts = SlidingCounts(SLICES * 10)
    counts.add(0, 1, 0, 19)  # in the slice from 10 to 19
    counts.roll(10 * SLICES + 9)
    assert counts.bad == 1
    counts.roll(10 * SLICES + 10)
    assert counts.bad == 0


def test_looking_twice_or_backwards_changes_nothing() -> None:
    counts = SlidingCounts(200)
    counts.add(3, 2, 1, 500)
    counts.roll(500)
    counts.roll(100)
    assert (counts.good, counts.bad, counts.doubtful) == (3, 2, 1)
    counts.roll(900)
    assert counts.samples == 0
