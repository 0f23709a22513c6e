"""`enkan bench console`: what decides, and one short run of the real thing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loadtests.console_bench import ConsoleLoad, ConsoleResult, measure
from loadtests.statistics import nearest_rank

GOOD = ConsoleResult(
    vehicles=200, tiles=16, seconds=600, late_p50_ms=1, late_p99_ms=50, late_max_ms=90,
    long_tasks=1, longest_task_ms=90, deltas=5_000, delta_p50_ms=3, delta_p99_ms=8,
    delta_max_ms=30, heap_mb=[20.0, 22.0, 25.0], load_before=0, load_after=1,
)  # fmt: skip


def test_what_is_on_the_limit_is_good() -> None:
    assert GOOD.missed() == []
    assert GOOD.growth_mb == 5.0


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"late_p99_ms": 50.1}, "the main thread was busy"),
        ({"delta_p99_ms": 8.1}, "deltas took too long"),
        ({"deltas": 0}, "no delta of the whole fleet was seen"),
        ({"heap_mb": [20.0, 25.1]}, "memory grew"),
    ],
)
def test_each_target_counts(change: dict[str, object], missed: str) -> None:
    assert msgspec.structs.replace(GOOD, **change).missed() == [missed]


def test_nothing_measured_is_no_number() -> None:
    assert str(nearest_rank([], 0.99)) == "nan"


@pytest.mark.integration
@pytest.mark.real_time
@pytest.mark.browser
async def test_a_short_run_measures_everything(tmp_path: Path) -> None:
    result = await measure(ConsoleLoad(6, 2, 0.05), tmp_path, lambda _: None)
    assert (result.vehicles, result.tiles) == (6, 2)
    assert result.deltas > 0 and result.delta_p99_ms > 0 and result.late_max_ms > 0
    assert len(result.heap_mb) == 2 and result.heap_mb[0] > 1
