"""Real peers through a real worker process."""

from __future__ import annotations

import os
import signal

import pytest
from aiortc import RTCRtpSender

pytestmark = [pytest.mark.integration]




async def test_one_publisher_reaches_two_watchers_who_decode_picture_and_sound(hub, peer, media):
    vehicle = peer()
    response = await vehicle.publish(media.Camera(), media.Microphone())
    assert response.status_code == 201, response.text
    await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
    watchers = [peer(), peer()]
    for watcher in watchers:
        response = await watcher.watch("video", "audio")
        assert response.status_code == 201, response.text
    for watcher in watchers:
        await media.until(
            lambda w=watcher: w.frames.get("video0", 0) >= 20 and w.frames.get("audio1", 0) >= 20,
            "twenty pictures and sounds",
        )
    await media.until(
        lambda: any(
            stream.sender_ntp is not None and stream.camera == "front"
            for sample in hub.samples()
            for stream in sample.streams
        ),
        "a sender report in a sample",
    )
