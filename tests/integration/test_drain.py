"""The end of a real hub by a signal: control given back first, and the manager told."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sqlite3
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from loadtests.console import Console, followed
from protocols.authority import ControlState
from supervisor.app import AUDIT_FILE
from support.fleet import ACCOUNT, BUS, PASSWORD, prepare_hub, running_hub, running_vehicle
from support.fleet import write_vehicle_config as vehicle_config
from support.processes import Running
from support.waiting import until

pytestmark = [pytest.mark.integration]
WITHIN_S = 10.0


class Manager:
    """The service manager's end of sd_notify(3)."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.said: list[str] = []

    def heard(self, line: str) -> int:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said += self.socket.recv(4096).decode().split("\n")
        return self.said.count(line)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Manager]:
    path = tmp_path / "n"
    made = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    yield made
    made.socket.close()


@contextlib.asynccontextmanager
async def held(folder: Path) -> AsyncIterator[tuple[Running, Console, Process]]:
    """A hub, a vehicle, and an operator who has control of it."""
    config, _ = prepare_hub(folder)
    async with (
        running_hub(config) as hub,
        running_vehicle(vehicle_config(folder, hub)) as vehicle,
    ):
        await hub.wait_for_line("is live")
        console = Console(hub.console, ACCOUNT, PASSWORD)
        async with followed(console), asyncio.TaskGroup() as group:
            reports = group.create_task(reporting(console))
            await console.take_control(str(BUS))
            yield hub, console, vehicle
            reports.cancel()


async def reporting(console: Console) -> None:
    with contextlib.suppress(ConnectionClosed):  # the hub ends: that is what is tested
        await console.keep_reporting()


@contextlib.contextmanager
def frozen(vehicle: Process) -> Iterator[None]:
    """A vehicle that says nothing any more, and still has its connections."""
    vehicle.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        vehicle.send_signal(signal.SIGCONT)


def records(hub: Running) -> list[str]:
    with contextlib.closing(sqlite3.connect(hub.state_dir / AUDIT_FILE)) as database:
        return [kind for (kind,) in database.execute("select kind from audit order by seq")]


async def test_a_signal_gives_control_back_on_record_before_the_hub_ends(
    tmp_path: Path, manager: Manager
) -> None:
    async with held(tmp_path) as (hub, console, _):
        await until(lambda: manager.heard("READY=1"), "ready")
        await until(lambda: manager.heard("WATCHDOG=1") >= 3, "signs of life")
        async with httpx.AsyncClient(trust_env=False) as client:
            told = (await client.get(f"{hub.console}/readyz")).json()
            assert told["ready"] is True
            for part in ("broker", "audit", "journal", "disk", "media"):
                assert told["parts"][part]["state"] == "ok", part
            assert "clock" in told["parts"], "told, whatever it is on this machine"
        hub.process.send_signal(signal.SIGTERM)
        await until(
            lambda: console.controls[str(BUS)].ended == "hub_ending",
            "the operator is told",
            within_s=WITHIN_S,
        )
        assert await asyncio.wait_for(hub.process.wait(), WITHIN_S) == 0
        assert console.controls[str(BUS)].state is ControlState.FREE, "by the vehicle's word"
        assert manager.heard("STOPPING=1") == 1
        kinds = records(hub)
        assert kinds.index("hub.ending") < kinds.index("control.ended")


async def test_a_frozen_vehicle_does_not_keep_the_hub_for_ever(tmp_path: Path) -> None:
    async with held(tmp_path) as (hub, console, vehicle):
        with frozen(vehicle):
            hub.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(hub.process.wait(), WITHIN_S) == 0
            assert not console.controls[str(BUS)].vehicle_confirms, "nobody claims it is free"
            assert "control.ended" in records(hub)


async def test_a_second_signal_ends_at_once(tmp_path: Path, manager: Manager) -> None:
    async with held(tmp_path) as (hub, _, vehicle):
        with frozen(vehicle):
            hub.process.send_signal(signal.SIGINT)
            await until(lambda: manager.heard("STOPPING=1"), "the drain", within_s=WITHIN_S)
            hub.process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(hub.process.wait(), WITHIN_S) == 0
            assert manager.heard("STATUS=ending at once") == 1
            assert "control.ended" in records(hub)
