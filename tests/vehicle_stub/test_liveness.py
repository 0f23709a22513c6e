"""When a path is silent and when to dial again, on a clock that jumps."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from vehicle_stub.liveness import (
    LONGEST_HESITATION_NS,
    SHORTEST_HESITATION_NS,
    Act,
    Liveness,
)

MS = 1_000_000


def run(
    life: Liveness,
    until_ms: int,
    answers: set[int] | None = None,
    start_ms: int = 0,
    heard: set[int] | None = None,
) -> list[tuple[int, Act]]:
    """Step a millisecond at a time; at `answers` one comes, at `heard` something else."""
    said = []
    for now in range(start_ms, until_ms):
        if answers and now in answers:
            life.on_answer(now * MS)
        if heard and now in heard:
            life.on_heard(now * MS)
        if life.next_deadline_ns() <= now * MS or life._resumed or life._moved:
            said += [(now, act) for act in life.on_time(now * MS) if act is not Act.CHECK]
    return said


def test_silence_is_noticed_within_500_ms_and_dialled_within_a_second_of_that() -> None:
    life = Liveness(0, 400 * MS)
    assert run(life, 3_000) == [(450, Act.NOTICED), (850, Act.DIAL)]
    assert life.silent


def test_on_a_long_way_the_first_answer_is_waited_for() -> None:
    life = Liveness(0, 400 * MS, 1_000 * MS)
    assert run(life, 3_000, {1_020, *range(1_200, 3_000, 200)}) == []
    life = Liveness(0, 400 * MS, 1_000 * MS)
    assert run(life, 3_000) == [(1_450, Act.NOTICED), (1_850, Act.DIAL)]


def test_a_short_outage_costs_neither_pictures_nor_dialling() -> None:
    life = Liveness(0, 300 * MS)
    answers = {200, 690, *range(800, 3_000, 200)}
    assert run(life, 3_000, answers) == [(650, Act.NOTICED), (690, Act.RESUMED)]


def test_after_a_second_without_a_sign_the_pictures_begin_again() -> None:
    for back_ms, expected in ((1_199, []), (1_200, [(1_200, Act.RESTART)])):
        life = Liveness(0, 500 * MS)
        answers = {200, *range(back_ms, 3_000, 200)}
        said = run(life, 3_000, answers)
        assert said[0] == (650, Act.NOTICED)
        assert said[1] == (1_150, Act.DIAL)
        assert said[2:] == [(back_ms, Act.RESUMED), *expected]


def test_anything_genuine_is_a_sign_of_life_while_answers_are_lost() -> None:
    life = Liveness(0, 400 * MS)
    answers = {200, 850, *range(1_000, 3_000, 200)}
    assert run(life, 3_000, answers, heard={430, 700}) == []


def test_what_is_only_heard_proves_one_direction_and_stands_in_for_700_ms() -> None:
    life = Liveness(0, 300 * MS)
    said = run(life, 3_000, {200}, heard=set(range(0, 3_000, 20)))
    assert said == [(900, Act.NOTICED), (1_200, Act.DIAL)]
    assert life.silent


def test_what_is_only_heard_hides_no_second_without_answers() -> None:
    life = Liveness(0, 500 * MS)
    said = run(life, 2_000, {200, *range(1_300, 2_000, 200)}, heard={850})
    assert said[-2:] == [(1_300, Act.RESUMED), (1_300, Act.RESTART)]


def test_what_is_heard_after_a_short_silence_ends_it() -> None:
    life = Liveness(0, 400 * MS)
    said = run(life, 1_000, {200, 800}, heard={680})
    assert said == [(650, Act.NOTICED), (680, Act.RESUMED)]


def test_what_is_heard_says_nothing_for_a_changed_address_or_a_refused_session() -> None:
    life = Liveness(0, 350 * MS)
    life.on_answer(200 * MS)
    life.on_moved(210 * MS)
    said = run(life, 1_000, start_ms=210, heard=set(range(220, 700, 20)))
    assert said == [(210, Act.NOTICED), (560, Act.DIAL)]
    life = Liveness(0, 300 * MS)
    life.on_refused(100 * MS)
    assert run(life, 300, start_ms=100, heard={110, 150}) == [(100, Act.DIAL)]
    assert life.silent


def test_a_path_with_a_long_round_trip_is_alive_as_long_as_it_answers() -> None:
    life = Liveness(0, 300 * MS)
    assert run(life, 10_000, set(range(60, 10_000, 260))) == []


def test_checks_hurry_when_an_answer_is_late() -> None:
    life = Liveness(0, 300 * MS)
    checks = [
        now
        for now in range(600)
        if life.next_deadline_ns() <= now * MS and Act.CHECK in life.on_time(now * MS)
    ]
    assert checks == [0, 200, 250, 300, 350, 400, 450, 500, 550]


def test_a_session_that_the_hub_says_is_gone_is_dialled_anew_within_200_ms_and_once() -> None:
    for hesitation_ms in (300, 500):
        life = Liveness(0, hesitation_ms * MS)
        life.on_answer(100 * MS)
        life.on_refused(110 * MS)
        life.on_refused(160 * MS)
        said = run(life, 3_000, start_ms=110)
        assert said == [(110 + hesitation_ms - 300, Act.DIAL)]


def test_a_new_own_address_is_acted_on_at_once() -> None:
    life = Liveness(0, 350 * MS)
    life.on_answer(200 * MS)
    life.on_moved(210 * MS)
    assert run(life, 1_000, start_ms=210) == [(210, Act.NOTICED), (560, Act.DIAL)]
    answered = Liveness(0, 350 * MS)
    answered.on_moved(0)
    answers = set(range(20, 1_000, 200))
    assert run(answered, 1_000, answers) == [
        (0, Act.NOTICED),
        (20, Act.RESUMED),
        (20, Act.RESTART),
    ]


@given(st.integers(0, 2**32), st.integers(0, 30))
def test_random_loss_below_a_third_hardly_ever_dials(seed: int, loss: int) -> None:
    source = random.Random(seed)
    life = Liveness(0, source.randint(SHORTEST_HESITATION_NS, LONGEST_HESITATION_NS))
    pending: list[int] = []
    dials = 0
    for now in range(0, 20_000, 5):
        while pending and pending[0] <= now:
            life.on_answer(pending.pop(0) * MS)
        for act in life.on_time(now * MS):
            if act is Act.CHECK and source.random() > (loss / 100) * 1.7:
                pending.append(now + 50)
            dials += act is Act.DIAL
    assert dials <= 1


@given(st.lists(st.tuples(st.integers(0, 3_000), st.sampled_from("athm")), max_size=60))
def test_it_asks_to_dial_only_when_silent_and_always_gives_a_deadline(
    steps: list[tuple[int, str]],
) -> None:
    life = Liveness(0, 400 * MS)
    now = 0
    for delta, what in steps:
        now += delta * MS
        if what == "a":
            life.on_answer(now)
        elif what == "m":
            life.on_moved(now)
        elif what == "h":
            life.on_heard(now)
        else:
            acts = life.on_time(now)
            assert Act.DIAL not in acts or life.silent
            assert life.next_deadline_ns() > now, acts
