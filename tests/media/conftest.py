"""A hub's media plane with real workers, and stock aiortc peers around it."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame, VideoFrame
from starlette.applications import Starlette
from starlette.requests import Request

from protocols.topics import VehicleId
from supervisor.core.events import AnyEvent, LinkSampled, PublisherChanged
from supervisor.counters import Counters
from supervisor.media.plane import MediaPlane
from supervisor.media.pool import MediaConfig

BUS = VehicleId("maebashi", "bus-01")
TOKEN = "token-of-bus-01"
OTHER = "token-of-another-operator"
ACCOUNTS = {TOKEN: "operator", OTHER: "other"}


class Camera(MediaStreamTrack):
    """A small picture whose brightness says which vehicle session made it."""

    kind = "video"

    def __init__(self, level: int = 60, fps: int = 30) -> None:
        super().__init__()
        self.level = level
        self._count = 0
        self._fps = fps

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(1 / self._fps)
        self._count += 1
        pixels = np.full((120, 160, 3), self.level, np.uint8)
        pixels[:, self._count % 160] = 255
        frame = VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = self._count * 90_000 // self._fps
        frame.time_base = fractions.Fraction(1, 90_000)
        return frame


class Microphone(MediaStreamTrack):
    """A quiet 20 ms tone after another."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(0.02)
        samples = (np.sin(np.arange(960) / 20) * 5_000).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = 48_000
        frame.pts = self._count * 960
        frame.time_base = fractions.Fraction(1, 48_000)
        self._count += 1
        return frame


async def until(
    condition: Callable[[], Any], what: str, timeout: float = 40.0, every: float = 0.02
) -> None:
    """Wait until `condition()` holds; the caller sets no pace."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - conditions of other processes
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"never happened: {what}") from None


class Hub:
    """A media plane with its routes, without sockets for signalling."""

    def __init__(self, plane: MediaPlane, events: list[AnyEvent], client: httpx.AsyncClient):
        self.plane = plane
        self.events = events
        self.client = client
        self.unheard: list[tuple[str, VehicleId, str]] = []
        plane._on_talk_refused = lambda *told: self.unheard.append(told)

    def connected(self) -> list[PublisherChanged]:
        return [event for event in self.events if isinstance(event, PublisherChanged)]

    def samples(self) -> list[LinkSampled]:
        return [event for event in self.events if isinstance(event, LinkSampled)]

    async def post(
        self, path: str, sdp: str | bytes, token: str = TOKEN, **params: str
    ) -> httpx.Response:
        return await self.client.post(
            path,
            params=params,
            content=sdp,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"},
        )


def prefer(pc: RTCPeerConnection, codec: str, *, rtx: bool = False) -> None:
    """Offer only this codec for video, with retransmissions on their own SSRC or without."""
    wanted = {f"video/{codec}", "video/rtx"} if rtx else {f"video/{codec}"}
    codecs = [
        entry for entry in RTCRtpSender.getCapabilities("video").codecs if entry.mimeType in wanted
    ]
    for transceiver in pc.getTransceivers():
        if transceiver.kind == "video":
            transceiver.setCodecPreferences(codecs)


class Peer:
    """A stock aiortc peer that publishes or watches."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.frames: dict[str, int] = {}
        self.levels: dict[str, float] = {}
        self.location = ""
        self.answer = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def dial(self, path: str, token: str = TOKEN, **params: str) -> httpx.Response:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        response = await self.hub.post(path, self.pc.localDescription.sdp, token, **params)
        if response.status_code == 201:
            self.location = response.headers["location"]
            self.answer = response.text
            await self.pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        return response

    async def publish(self, *tracks: MediaStreamTrack, **params: str) -> httpx.Response:
        for track in tracks:
            self.pc.addTrack(track)
        return await self.dial(f"/whip/{BUS.site}/{BUS.vehicle}", **params)

    async def watch(self, *kinds: str, **params: str) -> httpx.Response:
        for kind in kinds:
            self.pc.addTransceiver(kind, direction="recvonly")
        response = await self.dial(f"/whep/{BUS.site}/{BUS.vehicle}", **params)
        if response.status_code == 201:
            self.count_frames()
        return response

    def count_frames(self) -> None:
        for index, transceiver in enumerate(self.pc.getTransceivers()):
            name = f"{transceiver.kind}{index}"
            track = transceiver.receiver.track
            self._tasks.append(asyncio.create_task(self._count(name, track), name=name))

    async def _count(self, name: str, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            self.frames[name] = self.frames.get(name, 0) + 1
            if isinstance(frame, VideoFrame):
                self.levels[name] = float(frame.to_ndarray(format="gray").mean())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await self.pc.close()


async def _account(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return ACCOUNTS.get(token) if scheme == "Bearer" else None


def make_plane(
    config: MediaConfig | None,
    events: list[AnyEvent],
    publishers: Mapping[str, VehicleId] = MappingProxyType({TOKEN: BUS}),
    **more: Any,
) -> MediaPlane:
    return MediaPlane(
        config or MediaConfig(workers=1),
        counters=Counters(),
        on_event=events.append,
        authorise_publisher=lambda vehicle, token: publishers.get(token) == vehicle,
        authorise_watcher=_account,
        **{"may_stop": lambda sign_in: sign_in == "operator", **more},
    )


def client_of(plane: MediaPlane) -> httpx.AsyncClient:
    app = Starlette(routes=plane.routes())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub")


@contextlib.asynccontextmanager
async def running_hub(
    config: MediaConfig | None = None,
    publishers: Mapping[str, VehicleId] = MappingProxyType({TOKEN: BUS}),
    **more: Any,
) -> AsyncIterator[Hub]:
    events: list[AnyEvent] = []
    plane = make_plane(config, events, publishers, **more)
    running = asyncio.create_task(plane.run(), name="media plane")
    ready = asyncio.create_task(plane.ready.wait(), name="ready")
    try:
        async with asyncio.timeout(40):
            await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        async with client_of(plane) as client:
            yield Hub(plane, events, client)
    finally:
        ready.cancel()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with running_hub() as hub:
        yield hub


@pytest.fixture
async def door() -> AsyncIterator[Hub]:
    """The routes of a plane whose worker never starts: enough for whatever is refused before."""
    events: list[AnyEvent] = []
    plane = make_plane(None, events)
    async with client_of(plane) as client:
        yield Hub(plane, events, client)


PeerFactory = Callable[[], Peer]


@pytest.fixture
async def peer(hub: Hub) -> AsyncIterator[PeerFactory]:
    peers: list[Peer] = []

    def make() -> Peer:
        peers.append(Peer(hub))
        return peers[-1]

    yield make
    closing: list[Awaitable[None]] = [entry.close() for entry in peers]
    await asyncio.gather(*closing)


@pytest.fixture
def media() -> Any:
    """This module: tracks, peers, `until`."""
    import sys

    return sys.modules[__name__]
