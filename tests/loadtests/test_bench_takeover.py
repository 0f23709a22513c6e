"""`enkan bench takeover`, briefly: everything is measured, and what a miss looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.statistics import nearest_rank
from loadtests.takeover_bench import Figure, TakeoverLoad, measure


@pytest.mark.integration
async def test_requests_and_stops_of_a_few_vehicles_are_timed(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir(mode=0o700)
    said: list[str] = []
    figures, clock_ms = await measure(TakeoverLoad(3, 4, browser=False), folder, said.append)
    assert clock_ms is None
    assert [len(figure.values_ms) for figure in figures] == [4, 4, 4]
    assert all(0.0 < value < 20_000.0 for figure in figures for value in figure.values_ms)
    assert said[0] == "starting a hub"


@pytest.mark.parametrize(
    ("values", "limit", "ok"),
    [
        ([1.0] * 99 + [900.0], 500.0, True),
        ([1.0] * 98 + [900.0] * 2, 500.0, False),
        ([], 5.0, False),
    ],
    ids=["one-late", "two-late", "nothing"],
)
def test_the_99th_percentile_decides(values: list[float], limit: float, ok: bool) -> None:
    assert Figure("x", values, limit).ok is ok


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert nearest_rank([5.0, 1.0, 3.0], 0.5) == 3.0
    assert nearest_rank([5.0, 1.0, 3.0], 0.99) == 5.0
