"""The rate falls at once, rises smoothly, and trades pictures for readability."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vehicle_stub.rate import FLOOR_KBPS, HEADROOM, HOLD_NS, Rate, RateFollower, share

S = 1_000_000_000


def follower(ceiling: int = 8_000) -> RateFollower:
    return RateFollower(ceiling, 1920, 1080, 30)


def test_it_falls_at_once_and_is_back_within_ten_seconds() -> None:
    rate = follower()
    rate.on_estimate(20_000, 0)
    assert rate.at(0).kbps == 8_000
    rate.on_estimate(1_000, S)
    assert rate.at(S).kbps == 900
    rate.on_estimate(20_000, 2 * S)
    seen = [rate.at(2 * S + tick * S // 30).kbps for tick in range(300)]
    assert seen == sorted(seen)
    assert all(b <= a * 1.04 for a, b in itertools.pairwise(seen))
    assert all(b <= a * 1.02 for a, b in itertools.pairwise(seen) if a > 4_000)
    assert seen[-1] == 8_000


def test_it_waits_a_moment_after_a_fall_before_it_rises() -> None:
    rate = follower()
    rate.on_estimate(2_000, S)
    rate.on_estimate(9_000, S + 1)
    assert rate.at(S + HOLD_NS).kbps == 1_800
    assert rate.at(S + HOLD_NS + S // 10).kbps > 1_800


def test_after_a_queue_was_emptied_it_is_back_at_what_the_link_carries_soon() -> None:
    rate = follower()
    rate.on_estimate(100, S)
    assert rate.at(S).kbps == FLOOR_KBPS
    rate.on_estimate(900, 2 * S)
    assert rate.at(2 * S + S // 2).kbps < 400
    assert rate.at(4 * S).kbps == 810


def test_fewer_pictures_before_they_become_unreadable_and_back_with_hysteresis() -> None:
    rate = RateFollower(2_500, 1280, 720, 30)
    seen = []
    for kbps in (2_500, 1_000, 700, 400, 200):
        rate.on_estimate(kbps / HEADROOM, S)
        seen.append(rate.at(S).divisor)
    assert seen == [1, 1, 2, 3, 3]
    # 968 kbit/s are enough to stay at 30 a second, 1258 to come back to it.
    rate.on_estimate(1_100 / HEADROOM, 2 * S)
    assert rate.at(30 * S) == Rate(1_100, 2)
    rate.on_estimate(1_300 / HEADROOM, 31 * S)
    assert rate.at(60 * S) == Rate(1_300, 1)


def test_a_camera_configured_below_the_readable_rate_still_gets_its_pictures_back() -> None:
    rate = RateFollower(500, 1280, 720, 30)
    assert rate.at(0) == Rate(500, 1)
    rate.on_estimate(300, S)
    assert rate.at(S).divisor > 1
    rate.on_estimate(5_000, 2 * S)
    assert rate.at(60 * S) == Rate(500, 1)


def test_reported_loss_counts_only_where_no_estimate_comes() -> None:
    rate = follower()
    rate.on_loss(0.4, S)
    assert rate.at(S).kbps == 6_400
    rate.on_loss(0.05, 2 * S)
    assert rate.at(2 * S).kbps == 6_400
    for second in range(3, 20):
        rate.on_loss(0.0, second * S)
    assert rate.at(20 * S).kbps == 8_000
    rate.on_estimate(8_000 / HEADROOM, 21 * S)
    rate.on_loss(0.5, 22 * S)
    assert rate.at(22 * S).kbps == 8_000


def test_an_estimate_is_shared_by_the_configured_rates() -> None:
    ceilings = {1: 2_500, 2: 300, 3: 2_500}
    parts = [share(5_300, ceilings, ssrc) for ssrc in ceilings]
    assert [round(part) for part in parts] == [2_500, 300, 2_500]


@given(
    st.lists(
        st.tuples(st.integers(0, 10**10), st.sampled_from("ela"), st.floats(0, 1e5)), max_size=40
    ),
    st.integers(100, 20_000),
    st.sampled_from([(640, 360, 15), (1280, 720, 30), (1920, 1080, 60), (320, 180, 1)]),
)
def test_it_stays_between_floor_and_ceiling(
    steps: list[tuple[int, str, float]], ceiling: int, size: tuple[int, int, int]
) -> None:
    rate = RateFollower(ceiling, *size)
    now = 0
    for delta, what, value in steps:
        now += delta
        if what == "e":
            rate.on_estimate(value, now)
        elif what == "l":
            rate.on_loss(min(1.0, value / 1e5), now)
        found = rate.at(now)
        assert min(FLOOR_KBPS, ceiling) <= found.kbps <= ceiling
        assert found.divisor == 1 or size[2] / found.divisor >= 10
