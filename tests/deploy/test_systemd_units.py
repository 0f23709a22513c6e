"""The unit files, read by systemd itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from supervisor.app import DRAIN_S
from supervisor.vitals import CORE_S

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
EXPOSED_AT_MOST = 25
"""Tenths, by systemd's own scale of 0 (safe) to 100."""


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with the checkout where this one lies."""
    for unit in UNITS:
        text = unit.read_text()
        assert "/opt/enkan/enkan " in text
        (tmp_path / unit.name).write_text(text.replace("/opt/enkan", str(ROOT)))
    return tmp_path


@pytest.mark.systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault_in_a_unit(unit: Path, installed: Path) -> None:
    path = installed / unit.name.replace("@.", "@bus-01.")
    shutil.move(installed / unit.name, path)
    done = analyze("verify", "--recursive-errors=no", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    broken = path.read_text().replace("WatchdogSec=15", "WatchdogSec=soon")
    path.write_text(broken.replace("Restart=always", "Restart=sometimes"))
    assert "Failed to parse" in analyze("verify", str(path)).stderr, "a fault is found"


@pytest.mark.systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_as_closed_as_it_is_said_to_be(unit: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}", str(unit))
    done = analyze(*words)
    assert done.returncode == 0, done.stdout[-200:]


def values(unit: str) -> dict[str, str]:
    text = (ROOT / "deploy" / "systemd" / unit).read_text()
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#")
    return dict(pairs)


def test_the_managers_limits_fit_the_hubs_own() -> None:
    hub = values("enkan-hub.service")
    assert hub["Type"] == "notify" and hub["NotifyAccess"] == "main"
    assert hub["KillMode"] == "process", "media outlives a killed hub: decision 0008"
    assert float(hub["WatchdogSec"]) / 2 > CORE_S, "the hub misses its own limit first"
    assert float(hub["TimeoutStopSec"]) > DRAIN_S + 10
    assert values("enkan-vehicle@.service")["Restart"] == "always"
