"""A hub that is killed, and one whose disk fails: the short part of `enkan bench crash`.

Times are the testing machine's affair and are not asserted; what was promised is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtests.crash.results import CrashResult
from support.processes import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.real_time]


def crash(tmp_path: Path, *arguments: str) -> CrashResult:
    told = tmp_path / "crash.json"
    run = subprocess.run(
        [sys.executable, "-m", "loadtests", "crash", "--json", str(told), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    return msgspec.json.decode(told.read_bytes(), type=CrashResult)


def test_a_killed_hub_keeps_every_promise_and_its_epochs_rise(tmp_path: Path) -> None:
    figures = crash(tmp_path, "--times", "2", "--vehicles", "3", "--no-storage").figures
    counts = {figure.what: figure.values for figure in figures if not figure.unit}
    assert counts == {
        "acknowledged events that are not on record": [0.0],
        "times the chain was broken": [0.0],
        "control or lease that nobody took after a restart": [0.0],
        "epochs that did not rise": [0.0],
    }


def test_a_disk_that_fails_stops_control_never_a_stop(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root")
    figures = crash(tmp_path, "--times", "0").figures
    counts = {figure.what: figure.values for figure in figures if not figure.unit}
    assert counts == {
        "disk full: without an alarm": [0.0],
        "disk failing: without an alarm": [0.0],
        "acknowledged events that are not on record": [0.0],
        "times the chain was broken": [0.0],
    }
    measured = {figure.what: len(figure.values) for figure in figures if figure.unit == "s"}
    assert all(measured.values()), measured
    stops = [what for what in measured if "stop asked → at the vehicle" in what]
    assert len(stops) == 3
