"""Real peers through a real worker process."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from pathlib import Path

import pytest

from protocols.topics import VehicleId
from supervisor.media.pool import MediaConfig

pytestmark = [pytest.mark.integration]

WHIP = "/whip/maebashi/bus-01"
WHEP = "/whep/maebashi/bus-01"


def drops(hub):
    stats = hub.plane.worker_stats()[0].stats
    return {} if stats is None else stats.drops


async def publishing(hub, media, make, *tracks, codec="H264", **params):
    vehicle = make()
    for track in tracks:
        vehicle.pc.addTrack(track)
    media.prefer(vehicle.pc, codec)
    response = await vehicle.dial(WHIP, **params)
    assert response.status_code == 201, response.text
    session = response.headers["location"].rpartition("/")[2]
    await media.until(
        lambda: any(event.session == session and event.connected for event in hub.connected()),
        "publisher connected",
    )
    return vehicle


async def watching(media, make, *kinds, pictures=10, **params):
    watcher = make()
    response = await watcher.watch(*kinds, **params)
    assert response.status_code == 201, response.text
    for index, kind in enumerate(kinds):
        await media.until(
            lambda name=f"{kind}{index}": watcher.frames.get(name, 0) >= pictures,
            f"{pictures} frames of {kind} {index}",
        )
    return watcher


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_one_publisher_reaches_two_watchers_who_decode_picture_and_sound(
    hub, peer, media, codec
):
    await publishing(hub, media, peer, media.Camera(), media.Microphone(), codec=codec)
    await watching(media, peer, "video", "audio")
    await watching(media, peer, "video", "audio")

    def front():
        return [
            stream
            for sample in hub.samples()
            for stream in sample.streams
            if stream.camera == "front"
        ]

    await media.until(
        lambda: any(stream.sender_ntp is not None for stream in front()),
        "a sender report in a sample",
    )
    newest = front()[-1]
    assert newest.codec == codec
    assert newest.clock_rate == 90_000
    assert newest.frames > 10
    assert newest.keyframes >= 1
    assert newest.lost == 0
    assert newest.last_frame_ns is not None


async def test_cameras_are_named_by_the_query_and_asked_for_by_name(hub, peer, media):
    await publishing(hub, media, peer, media.Camera(40), media.Camera(200), cameras="front,rear")
    watcher = await watching(media, peer, "video", "video", cameras="rear,front")
    assert watcher.levels["video0"] > 150 > 100 > watcher.levels["video1"]


async def test_a_redial_replaces_the_first_session_and_watchers_survive_it(hub, peer, media):
    await publishing(hub, media, peer, media.Camera(40))
    watcher = await watching(media, peer, "video")
    first = hub.connected()[-1].session
    await publishing(hub, media, peer, media.Camera(200))
    await media.until(lambda: watcher.levels["video0"] > 150, "the second session's picture")
    assert [(event.session == first, event.connected) for event in hub.connected()] == [
        (True, True),
        (True, False),
        (False, True),
    ]


def worker_of(hub, index=0):
    return hub.plane.worker_stats()[index]


def comm(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip()


async def test_a_spare_takes_a_dead_workers_place_and_a_new_dial_works(hub, peer, media):
    vehicle = await publishing(hub, media, peer, media.Camera())
    supply = hub.plane.pool.supply
    await media.until(lambda: supply.warm, "a warm spare")
    killed, spare = worker_of(hub).pid, supply.warm
    assert (comm(killed), comm(spare)) == ("enkan-media-0", "enkan-spare")
    os.kill(killed, signal.SIGKILL)
    await media.until(lambda: not hub.connected()[-1].connected, "the session's end reported")
    assert not hub.plane.publishing(media.BUS)
    await media.until(lambda: worker_of(hub).ready, "ready again")
    assert worker_of(hub).pid == spare
    assert supply.warm is None
    await media.until(lambda: comm(spare) == "enkan-media-0", "its name")
    await media.until(
        lambda: hub.plane.counters.get("media_dropped", "stun_ended"),
        "the vehicle, which still checks its path, is told that its session has ended",
    )
    await vehicle.close()
    await publishing(hub, media, peer, media.Camera())
    await watching(media, peer, "video")
    assert hub.plane.counters.get("media_worker_restarts") == 1
    await media.until(lambda: supply.warm not in (None, spare), "the next spare")


async def test_a_worker_that_dies_before_any_spare_is_warm_is_started_cold(hub, peer, media):
    killed = worker_of(hub).pid
    os.kill(killed, signal.SIGKILL)
    await media.until(lambda: not worker_of(hub).ready, "noticed")
    await publishing(hub, media, peer, media.Camera())
    assert worker_of(hub).pid != killed


async def test_a_spare_that_dies_unused_takes_nobodys_place(hub, media, monkeypatch):
    monkeypatch.setattr("supervisor.media.spare.RETRY_S", 0.1)
    supply = hub.plane.pool.supply
    await media.until(lambda: supply.warm, "a warm spare")
    dead = supply.warm
    os.kill(dead, signal.SIGKILL)
    await media.until(lambda: supply.warm not in (None, dead), "another spare")
    assert worker_of(hub).ready


async def test_an_offer_made_to_a_frozen_worker_is_answered_by_its_successor(hub, media, peer):
    frozen = worker_of(hub).pid
    os.kill(frozen, signal.SIGSTOP)
    await publishing(hub, media, peer, media.Camera())
    assert worker_of(hub).pid != frozen
    await watching(media, peer, "video")


async def test_two_workers_share_the_vehicles_and_one_survives_the_others_death(media):
    tokens = {"a": media.BUS, "b": VehicleId("maebashi", "bus-02")}
    async with media.running_hub(
        MediaConfig(workers=2), publishers={f"token-{name}": bus for name, bus in tokens.items()}
    ) as hub:
        await media.until(lambda: worker_of(hub, 0).ready and worker_of(hub, 1).ready, "both")
        peers = [media.Peer(hub) for _ in range(4)]
        try:
            for entry, (name, bus) in zip(peers, tokens.items(), strict=False):
                entry.pc.addTrack(media.Camera())
                answer = await entry.dial(f"/whip/{bus}", f"token-{name}")
                assert answer.status_code == 201, answer.text
                await media.until(lambda bus=bus: hub.plane.publishing(bus), f"{bus} publishes")
            places = {s.vehicle_id: s.link.index for s in hub.plane.sessions.values()}
            assert sorted(places.values()) == [0, 1]
            for entry, bus in zip(peers[2:], tokens.values(), strict=True):
                entry.pc.addTransceiver("video", direction="recvonly")
                assert (await entry.dial(f"/whep/{bus}")).status_code == 201
                entry.count_frames()
                await media.until(lambda entry=entry: entry.frames.get("video0", 0) > 3, "pictures")
            assert all(places[s.vehicle_id] == s.link.index for s in hub.plane.sessions.values())
            first, other = tokens.values()
            os.kill(worker_of(hub, places[first]).pid, signal.SIGKILL)
            await media.until(lambda: not hub.plane.publishing(first), "the first is gone")
            seen = peers[3].frames["video0"]
            await media.until(lambda: peers[3].frames["video0"] > seen + 10, "the other goes on")
            assert hub.plane.publishing(other)
        finally:
            await asyncio.gather(*(entry.close() for entry in peers))


async def test_strangers_who_spray_the_port_do_not_disturb_a_handshake(hub, peer, media):
    port = hub.plane.worker_stats()[0].udp_port
    client_hello = bytes.fromhex("16fefd0000000000000000002f0100") + secrets.token_bytes(47)

    async def spray():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            while True:
                for data in (client_hello, secrets.token_bytes(60), b"\x00\x01", b"\x80" * 40, b""):
                    stranger.sendto(data, ("127.0.0.1", port))
                await asyncio.sleep(0.001)

    spraying = asyncio.create_task(spray(), name="spray")
    try:
        await publishing(hub, media, peer, media.Camera())
        await watching(media, peer, "video")
    finally:
        spraying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spraying
    await media.until(
        lambda: (
            drops(hub).get("unbound", 0) > 100
            and hub.plane.counters.get("media_dropped", "unbound") > 100
        ),
        "the spray is counted, by the worker and at the hub",
    )


async def test_deleting_the_publisher_ends_it_and_watchers_are_told_to_come_again(hub, peer, media):
    vehicle = await publishing(hub, media, peer, media.Camera())
    headers = {"Authorization": f"Bearer {media.TOKEN}"}
    refused = await hub.client.delete(vehicle.location)
    assert refused.status_code == 401
    assert (await hub.client.delete(vehicle.location, headers=headers)).status_code == 200
    assert (await hub.client.delete(vehicle.location, headers=headers)).status_code == 404
    assert not hub.connected()[-1].connected
    watcher = peer()
    response = await watcher.watch("video")
    assert response.status_code == 404
    assert response.json()["reason"] == "not_publishing"
    assert response.headers["retry-after"] == "1"


async def test_a_watcher_that_closes_leaves_the_others_alone(hub, peer, media):
    await publishing(hub, media, peer, media.Camera())
    first = await watching(media, peer, "video")
    second = await watching(media, peer, "video")
    await first.close()
    seen = second.frames["video0"]
    await media.until(lambda: second.frames["video0"] > seen + 20, "the other goes on")
    await media.until(
        lambda: sum(not entry.publisher for entry in hub.plane.sessions.values()) == 1,
        "the closed one is forgotten",
    )
