"""`./enkan bench core` measures what it says; its figures are not judged here."""

from __future__ import annotations

import pytest

from supervisor import core_bench


def test_every_figure_is_measured() -> None:
    assert core_bench.telemetry_rate(5, 3) > 0
    cost, tick_ms, sent = core_bench.whole_cost(5, 1)
    assert min(cost, tick_ms, sent) > 0
    by_clock, by_cpu = core_bench.verdict_delays(5, 1)
    assert len(by_clock) == len(by_cpu) == 1


@pytest.mark.real_time
async def test_lag_is_measured_while_a_fleet_is_decided() -> None:
    late, own = await core_bench.loop_lag(3, 0.3)
    assert len(late) == len(own) > 0
    assert all(0 <= mine <= all_of_it for mine, all_of_it in zip(own, late, strict=True))
    assert await core_bench.idle_lag(0.05)


def test_wrong_arguments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert core_bench.main(["--nonsense"]) == 2
    assert core_bench.main(["--help"]) == 0
    assert "enkan bench core" in capsys.readouterr().out
