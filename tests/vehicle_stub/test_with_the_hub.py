"""The vehicle with the real media plane: what a stock peer cannot show."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from starlette.applications import Starlette

from protocols.topics import VehicleId
from supervisor.core.clocksync import ClockSync
from supervisor.core.events import (
    AnyEvent,
    ClockExchanged,
    HubUnheard,
    LinkSampled,
    PublisherChanged,
)
from supervisor.counters import Counters
from supervisor.media.plane import MediaPlane
from supervisor.media.pool import MediaConfig
from vehicle_stub import clock
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import CameraSection
from vehicle_stub.link_frames import LinkFrames
from vehicle_stub.picture import Picture
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.sound import EngineSound
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.webrtc import packetize
from vehicle_stub.whip import WhipClient

pytestmark = pytest.mark.integration

BUS = VehicleId("maebashi", "bus-01")
TOKEN = "token-of-bus-01"


class Moving:
    """A picture that changes and costs little."""

    live = False
    draws_strip = True

    def __init__(self) -> None:
        self.picture = Picture(1280, 720)
        self.picture.cb[:] = self.picture.cr[:] = 128

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> Any:
        self.picture.luma[:] = np.roll(np.linspace(30, 220, 1280), number * 8).astype(np.uint8)
        return self.picture.frame

    def close(self) -> None:
        pass


def look() -> Snapshot:
    return Snapshot(0, 100.0, 100.0, 5.0, None, doors_open=False, braking=False)


class World:
    """Hub, vehicle, and one watcher."""

    def __init__(self, plane: MediaPlane, events: list[AnyEvent], client: httpx.AsyncClient):
        self.plane = plane
        self.events = events
        self.client = client
        self.frames: list[bytes | str] = []
        self.publisher: MediaPublisher
        self.seen_ns: list[int] = []

    @property
    def sessions(self) -> int:
        return sum(isinstance(e, PublisherChanged) and e.connected for e in self.events)

    async def watch(self) -> RTCPeerConnection:
        watcher = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        watcher.addTransceiver("video", direction="recvonly")
        await watcher.setLocalDescription(await watcher.createOffer())
        response = await self.client.post(
            f"/whep/{BUS.site}/{BUS.vehicle}",
            content=watcher.localDescription.sdp,
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/sdp"},
        )
        assert response.status_code == 201, response.text
        await watcher.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        return watcher

    async def see(self, watcher: RTCPeerConnection, count: int) -> None:
        track = watcher.getTransceivers()[0].receiver.track
        for _ in range(count):
            await track.recv()
            self.seen_ns.append(clock.monotonic_ns())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():  # noqa: ASYNC110 -- conditions of other processes
        await asyncio.sleep(0.01)


async def _anyone(request: Any) -> str:
    return "operator"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    events: list[AnyEvent] = []
    plane = MediaPlane(
        MediaConfig(),
        counters=Counters(),
        on_event=events.append,
        authorise_publisher=lambda vehicle, token: (vehicle, token) == (BUS, TOKEN),
        authorise_watcher=_anyone,
    )
    section = CameraSection(name="front", fps=15, bitrate_kbps=800)
    camera = CameraWorker(section, Moving, packetize, random.Random(1))
    camera.start()
    running = asyncio.create_task(plane.run(), name="media-plane")
    transport = httpx.ASGITransport(Starlette(routes=plane.routes()))
    whip = WhipClient(f"http://hub/whip/{BUS.site}/{BUS.vehicle}", TOKEN, verify=False)
    await whip.close()
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://hub") as client,
        httpx.AsyncClient(
            transport=transport, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as whip._http,
        asyncio.timeout(100),
    ):
        await plane.ready.wait()
        world = World(plane, events, client)
        world.publisher = MediaPublisher(
            whip,
            [camera],
            lambda: EngineSound(look),
            random.Random(2),
            None,
            lambda data, now_ns: world.frames.append(data),
            LinkFrames("run-7"),
        )
        publishing = asyncio.create_task(world.publisher.run(), name="publisher")
        try:
            await until(lambda: world.sessions == 1 and world.publisher.sessions == 1)
            yield world
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await asyncio.to_thread(camera.stop)


async def test_the_hub_takes_a_new_address_below_the_same_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = await world.watch()
    try:
        await world.see(watcher, 5)
        session = world.publisher.session
        assert session is not None
        path = session.path
        assert path is not None
        old = path._pair
        assert old is not None
        # The old network is gone in both directions, the system would use another address.
        monkeypatch.setattr(old.protocol, "datagram_received", lambda data, addr: None)
        monkeypatch.setattr(old.protocol.transport, "sendto", lambda data, addr: None)
        monkeypatch.setattr("vehicle_stub.ice_path.source_address", lambda remote: "127.0.0.3")
        lost_ns = clock.monotonic_ns()
        await until(lambda: path.moves == 1)
        await world.see(watcher, 10)
    finally:
        await watcher.close()
    gap = max(b - a for a, b in zip(world.seen_ns, world.seen_ns[1:], strict=False)) / 1e9
    print(f"moved; longest gap between pictures {gap * 1000:.0f} ms")
    assert lost_ns
    assert gap < 10  # 0.3 s on an idle machine
    assert world.sessions == 1
    assert world.publisher.session is session


async def test_small_picture_and_command_channel_are_known_to_the_hub(world: World) -> None:
    await until(
        lambda: any(
            isinstance(event, LinkSampled) and any(s.kind == "video" for s in event.streams)
            for event in world.events
        )
    )
    cameras = {
        stream.camera
        for event in world.events
        if isinstance(event, LinkSampled)
        for stream in event.streams
        if stream.kind == "video"
    }
    assert cameras == {"front"}
    session = world.publisher.session
    assert session is not None
    channel = session.channel
    assert channel is not None
    await until(lambda: channel.readyState == "open")
    names = [outlet.encoding.name for outlet in session.outlets]
    assert names == ["front", "front--low"]
    await until(lambda: all(outlet.sent > 3 for outlet in session.outlets))


def of(world: World, kind: type[Any]) -> list[Any]:
    return [event for event in world.events if isinstance(event, kind)]


async def test_clocks_are_exchanged_over_the_media_session_and_the_error_bar_holds(
    world: World,
) -> None:
    await until(lambda: len(of(world, ClockExchanged)) >= 4)
    clock_of_vehicle = ClockSync(10**12)
    for event in of(world, ClockExchanged):
        assert (event.vehicle_id, event.vehicle_session) == (BUS, "run-7")
        facts = (event.asked_ns, event.received_ns, event.sent_ns, event.answered_ns)
        assert clock_of_vehicle.on_exchange(*facts, beat=False) == ""
    found = clock_of_vehicle.offset(clock.monotonic_ns())
    assert found is not None
    # Vehicle and worker are on one machine here: the true offset is none.
    assert abs(found.at_ns) <= found.uncertainty_ns


async def test_a_vehicle_that_hears_nothing_says_so_and_is_asked_until_it_answers(
    world: World,
) -> None:
    session = world.publisher.session
    assert session is not None
    link = session.link
    assert link is not None
    await until(lambda: link.readyState == "open" and of(world, ClockExchanged))
    session.say_unheard(clock.monotonic_ns())
    await until(lambda: of(world, HubUnheard))
    told = of(world, HubUnheard)[0]
    assert (told.vehicle_id, told.vehicle_session) == (BUS, "run-7")
    await until(lambda: of(world, ClockExchanged)[-1].asked_ns >= told.at_ns)
