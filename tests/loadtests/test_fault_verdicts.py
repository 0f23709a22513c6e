"""Freezes and losses are judged from what was shown; the page says what was measured."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from loadtests.errors import BenchError
from loadtests.faults import judge, runner, suite, verdict
from loadtests.faults.said import Shown, Telemetry
from loadtests.procfs import Machine

MS = 1_000_000


def shown(at_ms: float, frame: int | None, *, lost: int = 0, skipped: int = 0) -> Shown:
    number = frame or 0
    return Shown(round(at_ms * MS), frame, number * 33, 40.0, number * 3000, False, lost, skipped)


def steady(count: int, start: int = 0) -> list[Shown]:
    return [shown(33 * number, number) for number in range(start, start + count)]


def test_a_steady_stream_has_no_freeze_and_no_loss() -> None:
    seen = judge.view(steady(300), 0, 300 * 33 * MS)
    assert (seen.freezes, seen.lost, seen.skipped, seen.repeated) == (0, 0, 0, 0)
    assert seen.longest_ms == pytest.approx(33)
    assert seen.per_s == pytest.approx(30.3, abs=0.1)


def test_a_pause_is_a_freeze_from_150_ms_above_the_usual_on() -> None:
    for pause, freezes in ((180, 0), (184, 1)):
        late = [shown(33 * 99 + pause + 33 * n, 100 + n) for n in range(50)]
        seen = judge.view([*steady(100), *late], 0, late[-1].at_ns)
        assert seen.freezes == freezes
        assert seen.longest_ms == pytest.approx(pause)
    assert seen.frozen_ms == pytest.approx(184)


def test_a_pause_of_the_vehicle_itself_is_told_apart_from_one_of_the_network() -> None:
    """The strip tells when a picture was captured: a busy machine captures late."""
    end = 99 * 33
    own = [shown(end + 250 + 33 * n, 100 + n) for n in range(10)]
    own = [msgspec.structs.replace(one, captured_ms=one.captured_ms + 217) for one in own]
    seen = judge.view([*steady(100), *own], 0, own[-1].at_ns)
    assert (seen.freezes, seen.own_freezes) == (1, 1)
    assert seen.own_ms == pytest.approx(250)
    held = [shown(end + 250 + 33 * n, 100 + n) for n in range(10)]
    seen = judge.view([*steady(100), *held], 0, held[-1].at_ns)
    assert (seen.freezes, seen.own_freezes) == (1, 0)


def test_silence_until_the_end_is_a_freeze_too() -> None:
    seen = judge.view(steady(30), 0, 5_000 * MS)
    assert seen.freezes == 1
    assert seen.frozen_share == pytest.approx((5_000 - 29 * 33) / 5_000, abs=0.01)


def test_pictures_missing_behind_a_loss_are_lost_and_others_were_never_sent() -> None:
    pictures = [
        *steady(10),
        shown(400, 13, lost=2),
        shown(433, 16),
        shown(466, 20, skipped=1),
        shown(470, 20),
        shown(480, None),
    ]
    seen = judge.view(pictures, 0, 500 * MS)
    assert (seen.lost, seen.skipped, seen.repeated, seen.unreadable) == (3 + 3, 2, 1, 1)


def test_telemetry_is_accounted_by_session() -> None:
    told = [Telemetry(n, "a", seq) for n, seq in enumerate((5, 6, 9, 9))]
    told += [Telemetry(10 + n, "b", seq) for n, seq in enumerate((0, 1))]
    assert judge.numbers(told, 0, 100) == judge.Numbers(6, 2, 1)


def results(*, met: bool | None = True, error: str = "") -> verdict.SuiteResult:
    checks = [] if error else [verdict.Check("freeze", "≤ 1 %", "0.2 %", met)]
    return verdict.SuiteResult(
        command="./enkan bench faults",
        commit="abc1234",
        date_utc="2026-01-01 00:00 UTC",
        machine=Machine("cpu", 2, "6.1", "3.11"),
        seed=1,
        carried=None,
        results=[verdict.FaultResult("F-01", "loss", "up: 5 %", checks, 3.0, 0.5, error, ["busy"])],
    )


def test_a_missed_target_and_an_unmeasured_fault_are_told_apart() -> None:
    assert not results().missed() and not results().unmeasured()
    assert results(met=False).missed()
    assert not results(met=None).missed()
    assert results(error="no pictures").unmeasured() and not results(error="x").missed()


@pytest.mark.parametrize("suite_result", [results(), results(met=False), results(error="gone")])
def test_page_and_table_name_command_machine_conditions_and_verdict(
    suite_result: verdict.SuiteResult,
) -> None:
    text = StringIO()
    verdict.show(suite_result, Console(file=text, width=200))
    for said in (text.getvalue(), verdict.page(suite_result)):
        for words in ("./enkan bench faults", "abc1234", "2 cores", "F-01"):
            assert words in said
        assert suite_result.results[0].error in said
    assert suite_result.results[0].verdict in verdict.page(suite_result)


def test_faults_are_chosen_by_name_and_unknown_ones_refused() -> None:
    def chosen(only: str, *, short: bool = False) -> list[str]:
        return [f.id for f in runner.plan(only, short=short, long=False, tries=None).faults]

    assert chosen("f-06, F-01") == ["F-01", "F-06"]
    assert chosen("") == [fault.id for fault in suite.FAULTS]
    assert chosen("", short=True) == list(suite.SHORT)
    with pytest.raises(BenchError, match="no fault F-99"):
        chosen("F-99")


def test_a_long_run_has_the_long_cut_and_a_hundred_tries() -> None:
    options = runner.plan("", short=False, long=True, tries=None).options
    assert options.cuts_s[-1] == 60.0
    assert options.tries == 100
    assert runner.plan("", short=False, long=True, tries=7).options.tries == 7


def test_the_help_says_what_is_done_and_what_is_needed() -> None:
    done = bench("faults", "--help")
    assert done.returncode == 0
    for words in ("--only", "--short", "--long", "--write", "Needs root"):
        assert words in done.stdout


def test_an_unknown_fault_is_one_line_that_names_the_known_ones() -> None:
    done = bench("faults", "--only", "F-99")
    assert done.returncode == 4
    assert "F-01" in done.stderr
    assert "Traceback" not in done.stderr


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtests", *arguments],
        cwd=Path(__file__).resolve().parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
