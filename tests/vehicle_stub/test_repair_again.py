"""What a vehicle sends again, in virtual time."""

from __future__ import annotations

import random

import pytest

from vehicle_stub.repair import HISTORY, LONGEST_NS, SHORTEST_NS, WINDOW_NS, Again, Repairs

MS = 1_000_000
KBPS = 8_000
TRIP_NS = 48 * MS
PAUSE_NS = TRIP_NS * 3 // 4


@pytest.fixture
def repairs():
    filled: Repairs[str] = Repairs()
    for sequence in range(65_000, 65_000 + HISTORY):
        filled.keep(sequence & 0xFFFF, f"packet {sequence & 0xFFFF}", 1_000)
    return filled


def test_a_first_asking_is_answered_once_and_its_repetition_not_at_all(repairs):
    assert repairs.asked([65_535, 0], KBPS, TRIP_NS, 0) == [
        Again("packet 65535", False),
        Again("packet 0", False),
    ]
    assert repairs.asked([65_535, 0], KBPS, TRIP_NS, 10 * MS) == []
    assert repairs.asked([65_535], KBPS, TRIP_NS, PAUSE_NS - 1) == []
    assert (repairs.repaired, repairs.unrepaired) == (2, 0)


def test_asked_after_a_round_trip_the_answer_was_lost_and_goes_out_twice(repairs):
    repairs.asked([7], KBPS, TRIP_NS, 0)
    assert repairs.asked([7], KBPS, TRIP_NS, PAUSE_NS) == [Again("packet 7", True)]
    assert repairs.repaired == 3


@pytest.mark.parametrize(
    ("trip_ns", "pause_ns"), [(None, SHORTEST_NS), (0, SHORTEST_NS), (10**9, LONGEST_NS)]
)
def test_the_pause_is_bounded_whatever_the_path_says(repairs, trip_ns, pause_ns):
    repairs.asked([7], KBPS, trip_ns, 0)
    assert repairs.asked([7], KBPS, trip_ns, pause_ns - 1) == []
    assert repairs.asked([7], KBPS, trip_ns, pause_ns) == [Again("packet 7", True)]


def test_what_is_gone_or_was_never_sent_is_counted(repairs):
    gone, never = 64_999, 65_000 + HISTORY & 0xFFFF
    assert repairs.asked([gone, never], KBPS, TRIP_NS, 0) == []
    assert repairs.unrepaired == 2


def test_repair_takes_half_of_the_rate_and_second_copies_a_quarter():
    repairs: Repairs[int] = Repairs()
    for sequence in range(1_000):
        repairs.keep(sequence, sequence, 1_000)
    half = KBPS * 125 // 2 // (1_000_000_000 // WINDOW_NS) // 1_000
    found = repairs.asked(list(range(1_000)), KBPS, TRIP_NS, 0)
    assert abs(len(found) - half) <= 1
    again = repairs.asked(list(range(1_000)), KBPS, TRIP_NS, WINDOW_NS)
    doubled = sum(entry.twice for entry in again)
    assert abs(2 * doubled - half / 2) <= 3
    assert len(again) + doubled <= half + 2


def test_two_askings_repeated_and_two_copies_fail_once_in_thousands_at_5_percent_loss():
    """The sum in the module's words, thrown with dice: asking, repetition, answer."""
    dice = random.Random(1)
    lost = lambda: dice.random() < 0.05  # noqa: E731
    missing = 0
    for _ in range(100_000):
        first = (not lost() or not lost()) and not lost()
        second = (not lost() or not lost()) and (not lost() or not lost())
        missing += not first and not second
    assert missing < 100_000 / 2_500
