"""The whole way from key to vehicle over a broker that is not ours: Debian's mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import socket
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import connect

from protocols.operator import CommandState, Delta, Snapshot, ToConsole
from supervisor import cli
from support.fleet import (
    ACCOUNT,
    BUS,
    PASSWORD,
    prepare_hub,
    running_hub,
    running_vehicle,
    write_vehicle_config,
)
from support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.mosquitto]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def mosquitto(configuration: Path, port: int) -> AsyncIterator[None]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program is not None
    process = await asyncio.create_subprocess_exec(program, "-c", str(configuration))

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await until(listening, "mosquitto listens")
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_a_stop_travels_over_mosquitto_and_is_shown_as_applied(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    port = free_port()
    folder = tmp_path / "mosquitto"
    words = ["mosquitto", str(folder), "--config", str(config), "--port", str(port)]
    written = CliRunner().invoke(cli.app, [*words, "--run-as", getpass.getuser()])
    assert written.exit_code == 0, written.output
    name, _, url = (folder / "hub.env").read_text().strip().partition("=")
    assert name == "ENKAN_TELEMETRY__BROKER"
    password = url.partition("hub:")[2].rpartition("@")[0]
    assert len(password) >= 32 and password not in written.output
    again = CliRunner().invoke(cli.app, words)
    assert again.exit_code == 0 and password in (folder / "hub.env").read_text(), "it stays"
    CliRunner().invoke(cli.app, [*words, "--run-as", getpass.getuser()])
    broker_files = folder / "mosquitto.conf"
    async with mosquitto(broker_files, port), running_hub(config, "--broker", url) as hub:
        assert hub.find("nats-server") == [], "the embedded broker must not run"
        assert password not in " ".join(hub.lines) + str(hub.endpoints)
        vehicle = write_vehicle_config(tmp_path, hub)
        async with running_vehicle(vehicle):
            await stop_the_bus(hub.console)


async def stop_the_bus(url: str) -> None:
    """Wait until the bus drives, stop it as an operator, wait for *applied* and standstill."""
    async with httpx.AsyncClient(base_url=url, headers={"Origin": url}) as client:
        form = {"name": ACCOUNT, "password": PASSWORD}
        assert (await client.post("/api/session", json=form)).status_code == 200
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        command_id = str(uuid.uuid4())
        decoder = msgspec.json.Decoder(ToConsole)
        asked, state, speed = False, None, None
        async with (
            asyncio.timeout(60),
            connect(
                url.replace("http", "ws", 1) + "/ws",
                additional_headers={"Cookie": cookie},
                origin=url,
            ) as console,
        ):
            async for text in console:
                message = decoder.decode(text)
                if not isinstance(message, Snapshot | Delta):
                    continue
                for view in message.vehicles:
                    speed = view.pose.speed_mps if view.pose else None
                for command in message.commands:
                    state = command.state
                if not asked and speed is not None and speed > 1.0:
                    asked = True
                    answer = await client.post(
                        f"/api/vehicles/{BUS}/stop", json={"command_id": command_id}
                    )
                    assert answer.status_code == 202, answer.text
                if state is CommandState.APPLIED and speed == 0.0:
                    return
    raise AssertionError(f"socket ended: asked {asked}, state {state}, speed {speed}")
