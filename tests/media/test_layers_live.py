"""Several sizes of one camera through a real worker."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest
from av import VideoFrame

from supervisor.rtp import rtcp

pytestmark = [pytest.mark.integration]

WHIP = "/whip/maebashi/bus-01"
HEADERS_OF = {"Content-Type": "application/json"}


def noisy(media, level):
    """Pictures that cost an encoder some hundred kbit/s, with this mean brightness."""

    class Noisy(media.Camera):
        async def recv(self):
            frame = await super().recv()
            random = np.random.default_rng(self._count)
            pixels = random.integers(level - 50, level + 50, (120, 160, 3), np.uint8)
            noise = VideoFrame.from_ndarray(pixels, format="rgb24")
            noise.pts, noise.time_base = frame.pts, frame.time_base
            return noise

    return Noisy()


async def two_sizes(hub, peer, media, *, noise=False):
    """A stock peer with sibling tracks: the large picture is bright, the small one dark."""
    vehicle = peer()
    for level in (180, 60):
        vehicle.pc.addTrack(noisy(media, level) if noise else media.Camera(level))
    media.prefer(vehicle.pc, "VP8")
    response = await vehicle.dial(WHIP, cameras="front,front--low")
    assert response.status_code == 201, response.text
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    return vehicle


async def wish(hub, media, watcher, wishes, token=None):
    return await hub.client.post(
        f"{watcher.location}/layers",
        content=wishes,
        headers={"Authorization": f"Bearer {token or media.TOKEN}", **HEADERS_OF},
    )


async def test_a_watcher_goes_from_large_to_small_and_back_and_decodes_all_along(hub, peer, media):
    await two_sizes(hub, peer, media)
    watcher, other = peer(), peer()
    for entry in (watcher, other):
        assert (await entry.watch("video")).status_code == 201
        await media.until(lambda entry=entry: entry.levels.get("video0", 0) > 150, "large picture")
    for layer, found in (
        ("low", lambda: watcher.levels["video0"] < 100),
        ("high", lambda: watcher.levels["video0"] > 150),
        ("low", lambda: watcher.levels["video0"] < 100),
    ):
        response = await wish(hub, media, watcher, f'{{"front":"{layer}"}}')
        assert response.status_code == 204, response.text
        await media.until(found, f"the {layer} picture")
    seen = watcher.frames["video0"]
    await media.until(lambda: watcher.frames["video0"] > seen + 30, "goes on")
    assert other.levels["video0"] > 150


async def test_one_camera_is_reported_and_a_watcher_can_begin_small(hub, peer, media):
    await two_sizes(hub, peer, media)
    watcher = peer()
    assert (await watcher.watch("video", layer="low")).status_code == 201
    await media.until(lambda: 0 < watcher.levels.get("video0", 0) < 100, "the small picture")
    await media.until(
        lambda: hub.samples() and hub.samples()[-1].streams[0].sender_ntp, "a sender report"
    )
    streams = hub.samples()[-1].streams
    assert [stream.camera for stream in streams] == ["front"]
    missing = peer()
    response = await missing.watch("video", cameras="front--low")
    assert response.status_code == 404, "a size is no camera of its own"


async def test_wishes_are_checked_like_everything_else(hub, peer, media):
    await two_sizes(hub, peer, media)
    watcher = peer()
    assert (await watcher.watch("video")).status_code == 201
    assert (await wish(hub, media, watcher, '{"front":"low"}', "wrong")).status_code == 401
    for text in ("{}x", '{"front":"tiny"}', '{"../":"low"}', "[]"):
        assert (await wish(hub, media, watcher, text)).status_code == 400
    assert (await wish(hub, media, watcher, '{"x":"low"}' + " " * 3_000)).status_code == 413
    assert (await peer().watch("video", layer="tiny")).status_code == 400


async def test_a_watcher_whose_path_is_narrow_gets_the_small_picture_and_the_other_none_the_worse(
    hub, peer, media
):
    await two_sizes(hub, peer, media, noise=True)
    slow, other = peer(), peer()
    for entry in (slow, other):
        assert (await entry.watch("video")).status_code == 201
        await media.until(lambda entry=entry: entry.levels.get("video0", 0) > 130, "large picture")
    told = asyncio.create_task(tell_estimate(slow, 20_000), name="estimate")
    try:
        await media.until(lambda: slow.levels["video0"] < 110, "the small picture")
        before = slow.frames["video0"], other.frames["video0"]
        await media.until(lambda: other.frames["video0"] > before[1] + 150, "the other goes on")
        assert slow.frames["video0"] - before[0] < 120, "pictures are left out"
        assert other.levels["video0"] > 130
    finally:
        told.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await told
    await media.until(lambda: slow.levels["video0"] > 130, "the large picture again")


async def tell_estimate(watcher, bits_per_second):
    receiver = watcher.pc.getTransceivers()[0].receiver
    while True:
        ssrcs = list(watcher_ssrcs(watcher))
        for rate in (bits_per_second * 11 // 10, bits_per_second):
            await receiver.transport._send_rtp(rtcp.build_remb(1, rate, ssrcs))
        await asyncio.sleep(0.2)


def watcher_ssrcs(watcher):
    for line in watcher.answer.splitlines():
        if line.startswith("a=ssrc:") and "cname" in line:
            yield int(line[7:].split(" ")[0])
