"""Servers and files the vehicle's tests need, on free loopback ports."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KEY = bytes(range(32))
TOKEN = "token-of-bus-01"
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def vehicle_files(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration with its credentials; return its path."""

    def write(
        *,
        broker: str = "mqtt://127.0.0.1:1",
        whip_url: str = "",
        extra: str = "",
        drive: str = "",
        kind: str = "bus",
        cameras: str = "",
        audio: str = "none",
        vehicle: str = "bus-01",
        token: str = TOKEN,
    ) -> Path:
        credentials = tmp_path / f"{vehicle}.credentials.json"
        credentials.write_text(
            json.dumps(
                {"site": "maebashi", "vehicle": vehicle, "token": token, "command_key": KEY.hex()}
            )
        )
        credentials.chmod(0o600)
        route = ROOT / "scenarios/maebashi/route.geojson"
        path = tmp_path / f"{vehicle}.toml"
        path.write_text(
            f"""
[vehicle]
site = "maebashi"
id = "{vehicle}"
kind = "{kind}"
name = "前橋 1"

[hub]
whip_url = "{whip_url}"
broker = "{broker}"
credentials = "{credentials.name}"

[audio]
source = "{audio}"

[drive]
{drive or f'route = "{route}"'}
{cameras}
{extra}
"""
        )
        return path

    return write


@dataclass
class WhipReceiver:
    """A stock aiortc peer behind a WHIP endpoint."""

    url: str = ""
    token: str = TOKEN
    peers: list[RTCPeerConnection] = field(default_factory=list)
    tracks: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    offers: list[str] = field(default_factory=list)
    deleted: int = 0
    refused: int = 0
    publish_as: Callable[[Request], Awaitable[Response]] | None = None

    async def publish(self, request: Request) -> Response:
        if self.publish_as is not None:
            return await self.publish_as(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            self.refused += 1
            return Response("no", status_code=401)
        offer = (await request.body()).decode()
        self.offers.append(offer)
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.append(peer)
        peer.on("track", self.tracks.put_nowait)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return Response(
            peer.localDescription.sdp,
            status_code=201,
            headers={"Location": f"/whip/{len(self.peers) - 1}", "Content-Type": "application/sdp"},
        )

    async def delete(self, request: Request) -> Response:
        self.deleted += 1
        return Response(status_code=200)


@asynccontextmanager
async def _serve(receiver: WhipReceiver, port: int) -> AsyncIterator[None]:
    app = Starlette(
        routes=[
            Route("/whip", receiver.publish, methods=["POST"]),
            Route("/whip/{number}", receiver.delete, methods=["DELETE"]),
        ]
    )
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(), name="whip-receiver")
    while not server.started and not task.done():  # noqa: ASYNC110 -- uvicorn has no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def whip_receiver() -> AsyncIterator[WhipReceiver]:
    receiver = WhipReceiver()
    port = free_port()
    receiver.url = f"http://127.0.0.1:{port}/whip"
    async with _serve(receiver, port):
        yield receiver
        for peer in receiver.peers:
            await peer.close()
