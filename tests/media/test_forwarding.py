"""Real peers through a real worker process."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket

import pytest

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


async def test_a_killed_worker_is_back_and_a_new_dial_works(hub, peer, media):
    await publishing(hub, media, peer, media.Camera())
    killed = hub.plane.worker_stats()[0].pid
    os.kill(killed, signal.SIGKILL)
    await media.until(lambda: not hub.connected()[-1].connected, "the session's end reported")
    assert not hub.plane.publishing(media.BUS)
    await media.until(
        lambda: hub.plane.ready.is_set() and hub.plane.worker_stats()[0].pid != killed,
        "another worker",
    )
    await publishing(hub, media, peer, media.Camera())
    await watching(media, peer, "video")
    assert hub.plane.counters.get("media_worker_restarts") == 1


async def test_a_frozen_worker_is_killed_and_replaced(hub, media):
    frozen = hub.plane.worker_stats()[0].pid
    os.kill(frozen, signal.SIGSTOP)
    await media.until(
        lambda: hub.plane.worker_stats()[0].ready and hub.plane.worker_stats()[0].pid != frozen,
        "another worker",
    )


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
