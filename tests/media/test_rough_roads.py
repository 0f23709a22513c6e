"""Loss, disorder and a changing address between real peers and a real worker."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiortc import RTCSessionDescription

pytestmark = [pytest.mark.integration]


class Road(asyncio.DatagramProtocol):
    """Carries one peer's datagrams to the worker, losing some; can change its address.

    The worker sees `self.away`'s address; the peer sees the road's own port.
    """

    def __init__(
        self,
        worker: tuple[str, int],
        loss: float = 0.0,
        reorder: float = 0.0,
        duplicate: float = 0.0,
    ) -> None:
        self.worker = worker
        self.loss = loss
        self.reorder = reorder
        self.duplicate = duplicate
        self.overtaken = 0
        self.doubled = 0
        self.held: list[list] = []
        self.lost = 0
        self.peer = None
        self.near = None
        self.away = None
        self._choose = random.Random(7)

    async def open(self):
        loop = asyncio.get_running_loop()
        self.near, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        await self.move()
        return self.near.get_extra_info("sockname")[1]

    async def move(self):
        road, old = self, self.away
        self.checked = None

        class Far(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                if road.peer is not None and not road._loses(data):
                    road.near.sendto(data, road.peer)

        loop = asyncio.get_running_loop()
        self.away, _ = await loop.create_datagram_endpoint(Far, local_addr=("127.0.0.1", 0))
        if old is not None:
            old.close()

    def _loses(self, data):
        """Only media is lost: handshakes have their own tests."""
        if 128 <= data[0] < 192 and not 192 <= data[1] <= 223 and self._choose.random() < self.loss:
            self.lost += 1
            return True
        return False

    def datagram_received(self, data, address):
        self.peer = address
        if data[0] < 4 and self.checked is None:
            self.checked = asyncio.get_running_loop().time()
        if self._loses(data):
            return
        media = 128 <= data[0] < 192
        if media and self._choose.random() < self.reorder:
            self.overtaken += 1
            self.held.append([self._choose.randrange(1, 4), data])
            return
        self.away.sendto(data, self.worker)
        if media and self._choose.random() < self.duplicate:
            self.doubled += 1
            self.away.sendto(data, self.worker)
        for entry in self.held:
            entry[0] -= 1
        for entry in [entry for entry in self.held if entry[0] <= 0]:
            self.held.remove(entry)
            self.away.sendto(entry[1], self.worker)

    def close(self):
        self.near.close()
        self.away.close()


@pytest.fixture
async def road(hub):
    roads = []

    async def build(loss=0.0, **faults):
        entry = Road(("127.0.0.1", hub.plane.worker_stats()[0].udp_port), loss, **faults)
        roads.append(entry)
        return entry, await entry.open()

    yield build
    for entry in roads:
        entry.close()


async def dial_over(hub, peer, path, port):
    """Dial with the answer's candidate pointing at a road instead of at the worker."""
    await peer.pc.setLocalDescription(await peer.pc.createOffer())
    response = await hub.post(path, peer.pc.localDescription.sdp)
    assert response.status_code == 201, response.text
    peer.answer = response.text
    worker = str(hub.plane.worker_stats()[0].udp_port)
    answer = response.text.replace(f" {worker} typ", f" {port} typ")
    await peer.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))


def front(hub):
    return next(s for s in hub.samples()[-1].streams if s.camera == "front")


def filmed(hub):
    """Frames so far; a sample may come before the first packet."""
    streams = hub.samples()[-1].streams if hub.samples() else []
    return next((s.frames for s in streams if s.camera == "front"), 0)


def repairs(hub, form):
    return hub.plane.counters.get("media_repairs", form)


@pytest.mark.parametrize("rtx", [True, False], ids=["rtx", "plain"])
async def test_lost_packets_are_repaired_on_the_way_up_and_down(hub, peer, media, road, rtx):
    up, up_port = await road(0.05)
    down, down_port = await road(0.05)
    vehicle = peer()
    vehicle.pc.addTrack(media.Camera())
    media.prefer(vehicle.pc, "VP8", rtx=rtx)
    await dial_over(hub, vehicle, "/whip/maebashi/bus-01", up_port)
    assert ("a=rtpmap:98 rtx/90000" in vehicle.answer) == rtx
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    watcher = peer()
    watcher.pc.addTransceiver("video", direction="recvonly")
    media.prefer(watcher.pc, "VP8", rtx=rtx)
    await dial_over(hub, watcher, "/whep/maebashi/bus-01", down_port)
    watcher.count_frames()
    await media.until(lambda: watcher.frames.get("video0", 0) > 10, "first pictures")
    frames, seen = front(hub).frames, watcher.frames["video0"]
    await media.until(
        lambda: up.lost > 10 and down.lost > 10 and front(hub).frames > frames + 200,
        "losses in both directions",
    )
    sent = front(hub).frames - frames
    await media.until(
        lambda: watcher.frames["video0"] - seen > 0.9 * sent, "nearly every picture decoded"
    )
    newest = front(hub)
    assert newest.lost > 0
    assert newest.repaired > 0.8 * newest.lost - 5
    assert newest.lost_for_good <= 0.1 * newest.lost
    assert (newest.width, newest.height) == (160, 120)
    await media.until(lambda: repairs(hub, "rtx" if rtx else "plain") > 0, "repairs are counted")
    assert repairs(hub, "plain" if rtx else "rtx") == 0


async def test_disorder_and_duplicates_reach_a_watcher_as_every_packet_once(hub, peer, media, road):
    up, up_port = await road(reorder=0.05, duplicate=0.02)
    vehicle = peer()
    vehicle.pc.addTrack(media.Camera())
    media.prefer(vehicle.pc, "VP8", rtx=True)
    await dial_over(hub, vehicle, "/whip/maebashi/bus-01", up_port)
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    watcher = peer()
    await watcher.watch("video")
    await media.until(lambda: up.doubled > 5 and up.overtaken > 10, "disorder")
    await media.until(
        lambda: front(hub).duplicates >= 5 and watcher.frames.get("video0", 0) > 30,
        "duplicates are counted and pictures shown",
    )
    assert front(hub).lost_for_good == 0


async def test_a_new_address_keeps_the_session_without_a_new_handshake(hub, peer, media, road):
    up, up_port = await road()
    vehicle = peer()
    vehicle.pc.addTrack(media.Camera())
    await dial_over(hub, vehicle, "/whip/maebashi/bus-01", up_port)
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    watcher = peer()
    await watcher.watch("video")
    await media.until(lambda: watcher.frames.get("video0", 0) > 10, "first pictures")
    await up.move()
    loop = asyncio.get_running_loop()
    moved, seen = loop.time(), watcher.frames["video0"]
    await media.until(lambda: up.checked is not None, "the peer's next check")
    frames = front(hub).frames
    await media.until(lambda: front(hub).frames > frames, "the worker hears it", every=0.005)
    heard = loop.time()
    await media.until(lambda: watcher.frames["video0"] > seen + 3, "pictures after the move")
    print(
        f"\nstock peer checked {up.checked - moved:.2f} s after the move; heard "
        f"{heard - up.checked:.2f} s and shown {loop.time() - up.checked:.2f} s after that"
    )
    assert heard - up.checked < 5
    await media.until(lambda: watcher.frames["video0"] > seen + 20, "pictures go on")
    assert [event.connected for event in hub.connected()] == [True]


async def test_silence_of_a_publisher_is_seen_by_our_own_checks(hub, peer, media, road, caplog):
    up, up_port = await road()
    vehicle = peer()
    vehicle.pc.addTrack(media.Camera())
    await dial_over(hub, vehicle, "/whip/maebashi/bus-01", up_port)
    await media.until(lambda: filmed(hub) > 10, "first pictures")
    loop = asyncio.get_running_loop()
    up.worker, worker = ("127.0.0.1", 9), up.worker
    cut = loop.time()
    await media.until(
        lambda: hub.plane.counters.get("media_silences") == 1, "the silence is told", every=0.01
    )
    print(f"\nsilence noticed {loop.time() - cut:.2f} s after the cut")
    last = front(hub).last_packet_ns
    assert last is not None
    assert front(hub).last_packet_ns == last
    up.worker = worker
    await media.until(lambda: front(hub).last_packet_ns > last, "media again")
    await media.until(lambda: not next(iter(hub.plane.sessions.values())).silent, "the end is told")
    assert [event.connected for event in hub.connected()] == [True]


async def test_a_late_watcher_gets_a_picture_without_waiting_for_the_next_keyframe(
    hub, peer, media
):
    vehicle = peer()
    await vehicle.publish(media.Camera())
    await media.until(lambda: filmed(hub) > 60, "a camera that films")
    watcher = peer()
    response = await watcher.watch("video")
    assert response.status_code == 201
    loop = asyncio.get_running_loop()
    await media.until(lambda: watcher.pc.connectionState == "connected", "watching", every=0.005)
    begun = loop.time()
    await media.until(lambda: watcher.frames.get("video0", 0) > 0, "a picture", every=0.005)
    print(f"\nfirst picture {1000 * (loop.time() - begun):.0f} ms after the handshake")
    assert loop.time() - begun < 5
