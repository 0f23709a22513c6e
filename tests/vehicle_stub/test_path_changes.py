"""The path under a session is cut, healed and changed, with a stock aiortc peer beyond."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from vehicle_stub import clock
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import CameraSection
from vehicle_stub.ice_path import source_address
from vehicle_stub.picture import Picture
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.webrtc import packetize
from vehicle_stub.whip import WhipClient

pytestmark = pytest.mark.integration


class Grey:
    """A source that costs nothing."""

    live = False
    draws_strip = True

    def __init__(self) -> None:
        self.picture = Picture(320, 192)
        self.picture.luma[:] = 90
        self.picture.cb[:] = self.picture.cr[:] = 128

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> Any:
        return self.picture.frame

    def close(self) -> None:
        pass


@asynccontextmanager
async def publishing(receiver: Any) -> AsyncIterator[MediaPublisher]:
    section = CameraSection(name="front", width=320, height=192, fps=15, bitrate_kbps=300)
    camera = CameraWorker(section, Grey, packetize, random.Random(1))
    camera.start()
    whip = WhipClient(receiver.url, receiver.token, verify=False)
    publisher = MediaPublisher(whip, [camera], None, random.Random(3))
    task = asyncio.create_task(publisher.run(), name="publisher")
    try:
        yield publisher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await whip.close()
        await asyncio.to_thread(camera.stop)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- several parties change what is asked
        await asyncio.sleep(0.01)


async def first_pictures(receiver: Any, count: int = 5) -> Any:
    track = await receiver.tracks.get()
    for _ in range(count):
        await track.recv()
    return track


async def test_a_short_cut_is_noticed_and_the_same_session_goes_on(
    whip_receiver: Any, relay: Any
) -> None:
    whip_receiver.relay = relay
    async with publishing(whip_receiver) as publisher, asyncio.timeout(60):
        track = await first_pictures(whip_receiver)
        session = publisher.session
        relay.cut = True
        cut_ns = clock.monotonic_ns()
        await until(lambda: publisher.noticed > 0)
        noticed_s = (clock.monotonic_ns() - cut_ns) / 1e9
        relay.cut = False
        await until(lambda: session.liveness is not None and not session.liveness.silent)
        for _ in range(5):
            await track.recv()
        assert publisher.session is session
    assert noticed_s < 3.0  # 0.25 to 0.5 s on an idle machine
    assert publisher.sessions == 1
    assert len(whip_receiver.offers) == 1


async def test_a_longer_cut_dials_and_whoever_answers_first_is_used(
    whip_receiver: Any, relay: Any
) -> None:
    whip_receiver.relay = relay
    async with publishing(whip_receiver) as publisher, asyncio.timeout(90):
        await first_pictures(whip_receiver)
        relay.cut = True
        await until(lambda: len(whip_receiver.offers) >= 2)
        relay.cut = False
        await until(lambda: publisher.sessions >= 2 or alive(publisher))
        session = publisher.session
        assert session is not None
        sent = session.sent
        await until(lambda: publisher.session is not None and publisher.session.sent > sent + 5)
    assert publisher.noticed >= 1


def alive(publisher: MediaPublisher) -> bool:
    session = publisher.session
    return session is not None and session.liveness is not None and not session.liveness.silent


async def test_a_new_address_on_the_way_needs_no_new_session(
    whip_receiver: Any, relay: Any
) -> None:
    whip_receiver.relay = relay
    async with publishing(whip_receiver) as publisher, asyncio.timeout(60):
        track = await first_pictures(whip_receiver)
        relay.new_address()
        for _ in range(20):
            await track.recv()
        assert alive(publisher)
    assert publisher.sessions == 1


async def test_a_new_own_address_moves_the_path_below_the_session(
    whip_receiver: Any, relay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whip_receiver.relay = relay
    async with publishing(whip_receiver) as publisher, asyncio.timeout(60):
        track = await first_pictures(whip_receiver)
        session = publisher.session
        assert session is not None
        path = session.path
        assert path is not None
        old = path._pair
        assert old is not None
        # The old socket hears nothing any more, and the system would use another address.
        monkeypatch.setattr(old.protocol, "datagram_received", lambda data, addr: None)
        monkeypatch.setattr("vehicle_stub.ice_path.source_address", lambda remote: "127.0.0.2")
        await until(lambda: path.moves == 1)
        for _ in range(10):
            await track.recv()
        new = path._pair
        assert new is not None
        assert new.local_addr[0] == "127.0.0.2"
        assert old.protocol.transport.is_closing()
        assert publisher.session is session
    assert publisher.sessions == 1
    assert len(whip_receiver.offers) == 1


async def test_a_forged_answer_is_no_sign_of_life(whip_receiver: Any, relay: Any) -> None:
    whip_receiver.relay = relay
    async with publishing(whip_receiver) as publisher, asyncio.timeout(60):
        await first_pictures(whip_receiver)
        session = publisher.session
        assert session is not None
        assert session.path is not None
        assert session.liveness is not None
        pair = session.path._pair
        request = session.path._connection.build_request(pair, nominate=False)
        request.message_class = 0x100
        request.add_message_integrity(b"not the password")
        before = session.path.moves, session.liveness.silent
        answered: list[int] = []
        session.path._answered = answered.append
        session.path.on_response(pair, request, 0)
        assert answered == []
        assert (session.path.moves, session.liveness.silent) == before


def test_the_own_address_is_what_the_routing_table_says() -> None:
    assert source_address(("127.0.0.1", 9)) == "127.0.0.1"
    assert source_address(("::1", 9)) in ("::1", None)


def test_without_a_route_or_a_family_there_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("vehicle_stub.ice_path.socket.socket", refuse)
    assert source_address(("2001:db8::1", 9)) is None
