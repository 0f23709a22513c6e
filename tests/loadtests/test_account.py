"""Loss, order and delay are counted exactly."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests.statistics import Account, account, account_sequences, percentile, unwrap


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("arrived", "first", "end", "expected"),
    [
        pytest.param((0, 1, 2), 0, 3, Account(received=3), id="all in order"),
        pytest.param((), 0, 3, Account(lost=3), id="nothing came"),
        pytest.param((), 3, 3, Account(), id="nothing was sent"),
        pytest.param((0, 2), 0, 3, Account(received=2, lost=1), id="one lost"),
        pytest.param((0, 1), 0, 3, Account(received=2, lost=1), id="the last one lost"),
        pytest.param((1, 2), 0, 3, Account(received=2, lost=1), id="the first one lost"),
        pytest.param((0, 2, 1), 0, 3, Account(received=3, reordered=1), id="one late"),
        pytest.param((2, 1, 0), 0, 3, Account(received=3, reordered=2), id="reversed"),
        pytest.param((0, 0, 1), 0, 2, Account(received=2, duplicates=1), id="one twice"),
        pytest.param((0, 1, 0), 0, 2, Account(received=2, duplicates=1), id="late duplicate"),
        pytest.param((3, 4, 5, 9), 4, 6, Account(received=2), id="others are left out"),
    ],
)
def test_every_packet_of_the_window_is_accounted(
    arrived: tuple[int, ...], first: int, end: int, expected: Account
) -> None:
    assert account(numbers(*arrived), first, end) == expected


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        pytest.param((), Account(), id="nothing"),
        pytest.param((7,), Account(received=1), id="one"),
        pytest.param((65534, 65535, 0, 1), Account(received=4), id="over the wrap"),
        pytest.param((65534, 0, 1), Account(received=3, lost=1), id="lost at the wrap"),
        pytest.param((65534, 0, 65535), Account(received=3, reordered=1), id="late at the wrap"),
        pytest.param((1, 2, 2), Account(received=2, duplicates=1), id="twice"),
    ],
)
def test_sequence_numbers_are_accounted_over_their_wrap(
    sequences: tuple[int, ...], expected: Account
) -> None:
    assert account_sequences(np.array(sequences, np.uint16)) == expected


def test_unwrapping_takes_the_nearest_number() -> None:
    assert list(unwrap(np.array([65535, 0], np.uint16))) == [65535, 65536]
    assert list(unwrap(np.array([0, 65535], np.uint16))) == [0, -1]


def test_many_rounds_of_sequence_numbers_keep_their_order() -> None:
    sent = np.arange(300_000) % 65_536
    assert account_sequences(sent.astype(np.uint16)) == Account(received=300_000)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ((), 0.5, None),
        ((5,), 0.5, 5),
        ((5,), 0.99, 5),
        ((4, 1, 3, 2), 0.5, 2),
        ((4, 1, 3, 2), 0.75, 3),
        ((4, 1, 3, 2), 0.99, 4),
        ((4, 1, 3, 2), 1.0, 4),
        (tuple(range(1, 101)), 0.99, 99),
        (tuple(range(1, 1001)), 0.5, 500),
    ],
)
def test_percentiles_are_values_that_were_seen(
    values: tuple[int, ...], share: float, expected: int | None
) -> None:
    assert percentile(numbers(*values), share) == expected


def test_accounts_add_up() -> None:
    assert Account(1, 2, 3, 4) + Account(10, 20, 30, 40) == Account(11, 22, 33, 44)
