"""Several sizes of one camera through a real worker."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.integration]

WHIP = "/whip/maebashi/bus-01"
HEADERS_OF = {"Content-Type": "application/json"}


async def two_sizes(hub, peer, media):
    """A stock peer with sibling tracks: 200 is the large picture, 40 the small one."""
    vehicle = peer()
    vehicle.pc.addTrack(media.Camera(200))
    vehicle.pc.addTrack(media.Camera(40))
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
