"""A killed hub and its successor: the vehicle's video session is the same afterwards."""

from __future__ import annotations

import contextlib
import signal
import socket
from pathlib import Path

import httpx
import pytest

from support.fleet import prepare_hub, running_hub, running_vehicle
from support.fleet import write_vehicle_config as vehicle_config
from support.processes import Running
from support.waiting import until

pytestmark = [pytest.mark.integration]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def running(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def video_bytes(hub: Running) -> float:
    """Return the bytes that came from vehicles since this hub knows of them."""
    token = (hub.state_dir / "metrics.token").read_text().strip()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await client.get(hub.endpoints["metrics"])
        answer.raise_for_status()
        text = answer.text
    lines = [line for line in text.splitlines() if line.startswith("enkan_media_bytes_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if 'direction="in"' in line)


async def test_the_next_hub_goes_on_with_the_vehicles_session(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    text = config.read_text()
    text = text.replace("[console]\nport = 0", f"[console]\nport = {free_port()}")
    text = text.replace("mqtt_port = 0", f"mqtt_port = {free_port()}")
    config.write_text(text + "\n[media]\nworkers = 1\n")
    async with contextlib.AsyncExitStack() as stack:
        async with running_hub(config) as first:
            await stack.enter_async_context(running_vehicle(vehicle_config(tmp_path, first)))
            await first.wait_for_line("is live")
            (worker,) = first.named("enkan-media-0")
            first.process.send_signal(signal.SIGKILL)
            await first.process.wait()
        assert running(worker)
        async with running_hub(config) as second:
            assert await second.wait_for_line("is live")
            assert running(worker)
            assert second.named("enkan-media-0") == [], "no worker of its own"
            before = await video_bytes(second)

            async def flows() -> bool:
                return await video_bytes(second) > before + 10_000

            await until(flows, "video counted by the new hub")
        await until(lambda: not running(worker), "an orderly end ends it too")
