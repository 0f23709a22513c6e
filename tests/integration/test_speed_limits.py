"""A real hub limits a real vehicle; when the hub falls silent, the vehicle's own limit holds."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
import pytest

from protocols.codec import decode
from protocols.topics import Stream, topic_for
from protocols.vehicle import Telemetry
from support.fleet import BUS, prepare_hub, running_hub, running_vehicle, write_vehicle_config
from support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

CRUISE_MPS = 20 / 3.6
SILENT_MPS = 7 / 3.6


async def test_a_frozen_hub_leaves_the_vehicle_with_its_own_lower_speed(tmp_path: Path) -> None:
    config, secrets = prepare_hub(tmp_path)
    async with running_hub(config) as hub:
        vehicle = write_vehicle_config(
            tmp_path,
            hub,
            camera='source = "synthetic"\nwidth = 320\nheight = 180\nfps = 5\nlow = false',
            drive="cruise_kmh = 20.0\nsilent_kmh = 7.0\ndwell_s = 1.0",
        )
        broker = urlsplit(hub.endpoints["mqtt"])
        heard: list[Telemetry] = []

        async def listen() -> None:
            async with aiomqtt.Client(
                broker.hostname or "",
                broker.port or 1883,
                username=str(BUS),
                password=secrets[BUS].token,
                identifier="listener-4711",
            ) as client:
                await client.subscribe(topic_for(BUS, Stream.TELEMETRY))
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    heard.append(decode(message.payload, Telemetry))

        def limit() -> float | None:
            return heard[-1].speed_limit_mps if heard else None

        async with running_vehicle(vehicle), asyncio.TaskGroup() as group:
            listener = group.create_task(listen(), name="listener")
            await until(
                lambda: limit() == pytest.approx(CRUISE_MPS, abs=0.01),
                "the hub allows the cruising speed",
                within_s=60,
            )
            os.kill(hub.process.pid, signal.SIGSTOP)
            try:
                await until(
                    lambda: limit() == pytest.approx(SILENT_MPS, abs=0.01),
                    "its own limit holds",
                    within_s=60,
                )
                await until(
                    lambda: heard[-1].speed_mps <= SILENT_MPS + 0.01, "it drives by it", within_s=60
                )
            finally:
                os.kill(hub.process.pid, signal.SIGCONT)
            await until(
                lambda: limit() == pytest.approx(CRUISE_MPS, abs=0.01),
                "the hub allows the cruising speed",
                within_s=60,
            )
            listener.cancel()
