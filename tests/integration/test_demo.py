"""`enkan demo` as a newcomer runs it, and what happens when its parts die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect

from protocols.operator import Delta, LinkState, Snapshot, ToConsole, VehicleView, Welcome
from supervisor.demo import DEMO_ACCOUNT, DEMO_PASSWORD
from supervisor.evidence.replay import Replay, find_segments
from supervisor.evidence.replay_report import summary_lines
from support.processes import Running, demo
from support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

NAMES = ["iwamizawa/tractor-01", "maebashi/bus-01", "maebashi/bus-02"]


class Operator:
    """A console without a browser: keeps what the hub told it."""

    def __init__(self) -> None:
        self.welcome: Welcome | None = None
        self.vehicles: dict[str, VehicleView] = {}

    async def follow(self, url: str) -> None:
        decoder = msgspec.json.Decoder(ToConsole)
        async with httpx.AsyncClient(base_url=url, headers={"Origin": url}) as client:
            answer = await client.post(
                "/api/session", json={"name": DEMO_ACCOUNT, "password": DEMO_PASSWORD}
            )
            assert answer.status_code == 200, answer.text
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        async with connect(
            url.replace("http", "ws", 1) + "/ws", additional_headers={"Cookie": cookie}, origin=url
        ) as socket:
            async for text in socket:
                match decoder.decode(text):
                    case Welcome() as welcome:
                        self.welcome = welcome
                    case Snapshot(vehicles=vehicles) | Delta(vehicles=vehicles):
                        self.vehicles.update({view.id: view for view in vehicles})

    def live(self) -> bool:
        return sorted(self.vehicles) == NAMES and all(
            view.link is LinkState.ONLINE
            and any(s.kind == "video" and s.live and s.fps > 5 for s in view.streams)
            for view in self.vehicles.values()
        )


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with demo(tmp_path / "demo") as started:
        yield started


@pytest.fixture
async def operator(running: Running) -> AsyncIterator[Operator]:
    seen = Operator()
    task = asyncio.create_task(seen.follow(running.console))
    try:
        yield seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_demo_brings_three_live_vehicles_and_survives_the_death_of_its_parts(
    running: Running, operator: Operator
) -> None:
    await until(operator.live, "three live vehicles", within_s=60)

    await until(lambda: running.named("enkan-spare"), "a warm spare")
    (worker,) = running.named("enkan-media-0")
    os.kill(worker, signal.SIGKILL)
    await until(lambda: not operator.live(), "the console says that pictures are gone")
    await until(
        lambda: [pid for pid in running.named("enkan-media-0") if pid != worker],
        "another media worker",
        within_s=10,
    )
    await until(operator.live, "pictures again, without anybody's help", within_s=60)

    (broker,) = running.find("nats-server")
    os.kill(broker, signal.SIGKILL)
    await until(
        lambda: [pid for pid in running.find("nats-server") if pid != broker],
        "another broker",
        within_s=10,
    )
    before = {name: view.pose.at_ns for name, view in operator.vehicles.items() if view.pose}
    await until(
        lambda: all(
            view.pose is not None and view.pose.at_ns > before.get(name, 0) + 5_000_000_000
            for name, view in operator.vehicles.items()
        ),
        "telemetry again from every vehicle",
        within_s=60,
    )
    await until(operator.live, "all online", within_s=60)

    (vehicle,) = running.find("bus-01.toml")
    os.kill(vehicle, signal.SIGKILL)
    await until(lambda: not operator.live(), "the console says that bus 1 is gone")
    await until(operator.live, "bus 1 again", within_s=60)

    found = await asyncio.to_thread(Replay(find_segments(running.state_dir)).run)
    assert found.difference is None, summary_lines(found)
    assert found.events > 500
    assert found.alarms > 0
