"""Servers and files the vehicle's tests need, on free loopback ports."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
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


class _Door(asyncio.DatagramProtocol):
    """Where the vehicle sends to, for one session; beyond it a socket per sender, as a NAT."""

    def __init__(self, relay: Relay, target: tuple[str, int]) -> None:
        self.relay = relay
        self.target = target
        self.port = 0
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[tuple[str, int], socket.socket] = {}

    async def start(self) -> None:
        self._front, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.port = self._front.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.relay.cut:
            self.relay.swallowed += 1
            return
        back = self._backs.get(addr)
        if back is None:
            back = self._backs[addr] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.setblocking(False)
            back.bind((self.target[0], 0))
            asyncio.get_running_loop().add_reader(back, self._come_back, back, addr)
        self.relay.passed += 1
        with suppress(OSError):
            back.sendto(data, self.target)

    def _come_back(self, back: socket.socket, addr: tuple[str, int]) -> None:
        with suppress(OSError):
            data = back.recv(2048)
            if not self.relay.cut and self._front is not None:
                self._front.sendto(data, addr)

    def forget_backs(self) -> None:
        for back in self._backs.values():
            asyncio.get_running_loop().remove_reader(back)
            back.close()
        self._backs.clear()

    def close(self) -> None:
        self.forget_backs()
        if self._front is not None:
            self._front.close()


class Relay:
    """The only way between the vehicle and its receiver: cuts, heals, changes the address."""

    def __init__(self) -> None:
        self.cut = False
        self.passed = 0
        self.swallowed = 0
        self._doors: list[_Door] = []

    def new_address(self) -> None:
        """The receiver sees the vehicle come from other ports from now on."""
        for door in self._doors:
            door.forget_backs()

    def close(self) -> None:
        for door in self._doors:
            door.close()

    async def hide(self, answer: str) -> str:
        """Put a door of the relay in place of the receiver's candidates."""
        lines, door = [], None
        for line in answer.splitlines():
            if line.startswith("a=candidate:"):
                parts = line.split()
                if door is None and ":" not in parts[4]:
                    door = _Door(self, (parts[4], int(parts[5])))
                    await door.start()
                    self._doors.append(door)
                    lines.append(f"{parts[0]} 1 udp {parts[3]} 127.0.0.1 {door.port} typ host")
                continue
            lines.append(line)
        return "\r\n".join(lines) + "\r\n"

    @staticmethod
    def hide_vehicle(offer: str) -> str:
        """Name a dead candidate: the receiver must not go round the relay."""
        lines = [
            "a=candidate:1 1 udp 1 127.0.0.1 9 typ host"
            if line.startswith("a=candidate:")
            else line
            for line in offer.splitlines()
        ]
        return "\r\n".join(lines) + "\r\n"


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
    relay: Relay | None = None
    voice: Callable[[], Any] | None = None
    channels: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    takes_channels: bool = True

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
        if self.relay is not None:
            offer = self.relay.hide_vehicle(offer)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        peer.on("datachannel", self.channels.put_nowait)
        if self.voice is not None:
            peer.addTrack(self.voice())
        await peer.setLocalDescription(await peer.createAnswer())
        answer = peer.localDescription.sdp
        if not self.takes_channels:
            answer = _refuse_channel(answer)
        return Response(
            await self.relay.hide(answer) if self.relay is not None else answer,
            status_code=201,
            headers={"Location": f"/whip/{len(self.peers) - 1}", "Content-Type": "application/sdp"},
        )

    async def delete(self, request: Request) -> Response:
        self.deleted += 1
        return Response(status_code=200)


def _refuse_channel(answer: str) -> str:
    """Answer the data channel section as a server that knows none does (RFC 8829 §5.3.1)."""
    before, found, section = answer.partition("m=application ")
    if not found:
        return answer
    mid = next(line for line in section.splitlines() if line.startswith("a=mid:"))[6:]
    lines = [
        " ".join(word for word in line.split(" ") if word != mid)
        if line.startswith("a=group:BUNDLE")
        else line
        for line in before.splitlines()
    ]
    lines += ["m=application 0 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0"]
    return "\r\n".join([*lines, f"a=mid:{mid}", "a=inactive"]) + "\r\n"


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


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    found = Relay()
    yield found
    found.close()
