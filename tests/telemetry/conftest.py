from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from protocols.topics import VehicleId
from supervisor import processes
from supervisor.telemetry.broker import EmbeddedBroker
from supervisor.telemetry.config import TelemetryConfig
from supervisor.telemetry.mosquitto import write_files

# Tests have no packages; the helpers beside them are found by path.
sys.path.insert(0, str(Path(__file__).parent))

BUS1, BUS2 = VehicleId("maebashi", "bus-01"), VehicleId("maebashi", "bus-02")
TOKENS = {BUS1: "token-of-bus-01", BUS2: "token-of-bus-02"}
HUB_PASSWORD = "password-of-the-hub"


class BrokerUnderTest:
    """A running broker: where it is, how to log in, how to kill it."""

    def __init__(self, name: str, port: int, embedded: EmbeddedBroker | None) -> None:
        self.name = name
        self.host = "127.0.0.1"
        self.port = port
        self.embedded = embedded
        self.config = (
            TelemetryConfig(mqtt_port=0)
            if embedded is not None
            else TelemetryConfig(broker=f"mqtt://hub:{HUB_PASSWORD}@127.0.0.1:{port}")
        )


@asynccontextmanager
async def running_nats(state_dir: Path) -> AsyncIterator[BrokerUnderTest]:
    embedded = EmbeddedBroker(
        TelemetryConfig(mqtt_port=0),
        state_dir=state_dir,
        users=TOKENS,
        hub_password=HUB_PASSWORD,
    )
    task = asyncio.create_task(embedded.run(), name="broker")
    try:
        ready = asyncio.create_task(embedded.ready.wait())
        await asyncio.wait([ready, task], timeout=30, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            await task
        assert embedded.ready.is_set()
        yield BrokerUnderTest("nats", embedded.port, embedded)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running_mosquitto(directory: Path) -> AsyncIterator[BrokerUnderTest]:
    program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    assert program is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = write_files(
        directory,
        listen="127.0.0.1",
        port=port,
        users=TOKENS,
        hub_password=HUB_PASSWORD,
        run_as=getpass.getuser(),
    )
    process = await processes.spawn([program, "-c", str(config)], stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(30):
            while True:
                assert process.returncode is None, "mosquitto ended at start"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                await writer.wait_closed()
                break
        yield BrokerUnderTest("mosquitto", port, None)
    finally:
        await processes.stop(process)


@pytest.fixture(params=["nats", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BrokerUnderTest]:
    start = running_nats if request.param == "nats" else running_mosquitto
    async with start(tmp_path / "broker") as running:
        yield running


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[BrokerUnderTest]:
    async with running_nats(tmp_path / "broker") as running:
        yield running
