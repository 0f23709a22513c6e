"""A duty and the coverage log over a hub that is killed: seen from outside only."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.console import Console, followed
from loadtests.hub_process import ACCOUNT, SITE, HubProcess, vehicle_name
from loadtests.takeover_bench import driving
from protocols.duties import DutyView, MarkDutyStep, StartDuty, StepState
from protocols.operator import Delta, PresentationReport, Presented, Snapshot, ToConsole
from support.waiting import until

pytestmark = pytest.mark.integration
NAME = f"{SITE}/{vehicle_name(0)}"


class DutyConsole(Console):
    """A console that knows the duties."""

    def __init__(self, hub: HubProcess, url: str) -> None:
        super().__init__(url, ACCOUNT, hub.password)
        self.duties: dict[str, DutyView] = {}

    def take(self, message: ToConsole) -> None:
        super().take(message)
        if isinstance(message, Snapshot | Delta):
            self.duties.update({duty.id: duty for duty in message.duties})

    def open_ones(self) -> list[DutyView]:
        return [duty for duty in self.duties.values() if duty.ended_ns is None]


def enkan(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor", *words], capture_output=True, text=True, check=False
    )


async def test_an_open_duty_and_who_watched_outlive_a_killed_hub(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir(mode=0o700)
    hub = HubProcess(folder)
    try:
        endpoints = await hub.launch(1)
        async with (
            driving(hub, endpoints["mqtt"], 1),
            followed(DutyConsole(hub, endpoints["console"])) as console,
        ):
            assert isinstance(console, DutyConsole)
            await until(lambda: NAME in console.vehicles, "the vehicle")
            await console.say(StartDuty("accident", NAME, ago_s=30.0))
            (duty,) = await until(console.open_ones, "the duty")
            await console.say(MarkDutyStep(duty.id, "fire", StepState.DONE, "unit 3"))
            await until(
                lambda: console.duties[duty.id].steps[0].state is StepState.DONE, "the mark"
            )
            tile = Presented(vehicle=NAME, camera="front", frames=9, still_ms=20.0)
            for _ in range(3):
                await console.say(PresentationReport(visible=True, tiles=[tile]))
                await asyncio.sleep(1.0)  # as often as a console reports
        log = (folder / "hub.log").read_text(encoding="utf-8")
        assert f"fire@{SITE}" in log, "a contact that nobody configured is named"
        watched = f"watched,{NAME},{ACCOUNT},"
        await until(  # the console is gone, and its interval with it
            lambda: watched in enkan("coverage", str(folder), "--csv").stdout, "who has watched"
        )
        await hub.kill()

        endpoints = await hub.launch_again()
        async with followed(DutyConsole(hub, endpoints["console"])) as console:
            assert isinstance(console, DutyConsole)
            (again,) = await until(console.open_ones, "the duty again")
            assert again.id == duty.id
            fire, *others = again.steps
            assert (fire.state, fire.by, fire.note) == (StepState.DONE, ACCOUNT, "unit 3")
            assert abs(again.event_ns - duty.event_ns) < 1_000_000_000
            for step in others:
                await console.say(MarkDutyStep(duty.id, step.key, StepState.SKIPPED, "a test"))
            await until(lambda: console.duties[duty.id].ended_ns is not None, "its end")
    finally:
        await hub.stop()
    told = await asyncio.to_thread(enkan, "coverage", str(folder), "--csv")
    assert watched in told.stdout, told.stderr
    assert told.returncode in (0, 1)
