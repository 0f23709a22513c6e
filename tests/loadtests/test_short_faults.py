"""Loss, short cuts, reordering and duplication between a real hub, vehicle and seat.

What is asserted is that packets are repaired, that connections come to stand and that
pictures and numbers come back: nothing of how long it took, which is the testing
machine's affair. The figures beside their targets are `./enkan bench faults`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.emulator.calibrate import calibrate
from loadtests.emulator.link import Impairment
from loadtests.emulator.network import Network, unavailable
from loadtests.faults import runner, verdict
from loadtests.faults.suite import FAULTS, Options

ROOT = Path(__file__).resolve().parent.parent.parent
WHY = unavailable()


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if WHY is None:
        return
    if os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(f"the fault tests cannot run: {WHY}")
    pytest.skip(f"no emulated network: {WHY}")


def namespaces() -> set[str]:
    folder = Path("/var/run/netns")
    ours = f"enkan-{os.getpid()}-"
    return {entry.name for entry in folder.glob(f"{ours}*")} if folder.is_dir() else set()


@pytest.mark.integration
@pytest.mark.real_time
async def test_the_emulator_carries_packets_without_losing_any_and_loses_what_it_is_told() -> None:
    async with Network(seed=3) as network:
        carried = await calibrate(network, 2_000, 1.0)
        assert carried.sent == carried.received >= 2_000
        await network.take("vehicle")
        await network.set("vehicle", up=Impairment(delay_ms=20, loss=0.2, burst=3))
        await calibrate(network, 1_000, 1.0)
        taken = await network.take("vehicle")
        assert 0.05 < taken.up.lost / taken.up.offered < 0.4
        assert taken.up.lost / taken.up.runs > 1.5
        assert taken.up.delay_ns / taken.up.delivered >= 20e6
        assert taken.down.lost == 0
        assert await network.kernel_drops() == 0
        assert len(namespaces()) == 4
    assert not namespaces()


@pytest.mark.integration
@pytest.mark.real_time
@pytest.mark.timeout(300)
async def test_lost_packets_are_repaired_and_connections_stand_and_come_back(
    tmp_path: Path,
) -> None:
    faults = [fault for fault in FAULTS if fault.id in ("F-01", "F-03", "F-06", "F-11")]
    plan = runner.Plan(faults, Options(seconds=10.0, cuts_s=(0.5, 3.0), tries=3), calibrated=False)
    said: list[str] = []
    result = await runner.run(plan, seed=5, command="test", keep=tmp_path, tell=said.append)
    figures = {one.id: one for one in result.results}
    assert not result.unmeasured(), [one.error for one in result.results]
    for one in result.results:
        print(one.id, one.conditions, [(check.what, check.measured) for check in one.checks])
    loss = measured(figures["F-01"])
    assert "lost (in" in figures["F-01"].conditions
    of_lost = loss["packets there in the end"].partition("(")[2]
    assert number(of_lost) > 80, "of the packets lost, these were there in the end"
    assert number(loss["pictures shown"]) > 0
    assert "none" not in measured(figures["F-03"])["longest"], "every try came to stand"
    cuts = measured(figures["F-06"])
    for cut in ("0.5", "3"):
        assert cuts[f"cut of {cut} s: first picture after healing"] != "never"
        assert "0 twice" in cuts[f"cut of {cut} s: telemetry"]
        assert "none since" not in cuts[f"cut of {cut} s: telemetry"]
    strict = {check.what: check.met for check in figures["F-11"].checks}
    assert strict["pictures shown twice or backwards"]
    assert strict["a stop pressed twice: applied"]
    assert strict["alarms raised again"]
    assert not namespaces()


def measured(result: verdict.FaultResult) -> dict[str, str]:
    return {check.what: check.measured for check in result.checks}


def number(text: str) -> float:
    return float(text.split()[0].replace(",", "").rstrip("%"))


@pytest.mark.integration
@pytest.mark.real_time
def test_ctrl_c_leaves_neither_namespace_nor_process() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "loadtests", "faults", "--only", "F-01"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # Whoever starts the tests in the background has SIGINT ignored, and children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "F-01" in line:
                break
        mine = f"enkan-{process.pid}-"
        assert any(entry.name.startswith(mine) for entry in Path("/var/run/netns").iterdir())
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(60) != 0
    assert not any(entry.name.startswith(mine) for entry in Path("/var/run/netns").iterdir())
    assert not left_behind(mine)


def left_behind(words: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if words in line and entry.name != str(os.getpid()):
                found.append(line)
    return found


def test_without_root_one_line_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    why = unavailable()
    assert why is not None and "root" in why and "\n" not in why
