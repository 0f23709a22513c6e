"""The vehicle publishes to a stock aiortc peer: real ICE, DTLS, SRTP, H.264, Opus."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols import strip
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import CameraSection
from vehicle_stub.course import route_course
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.sound import EngineSound, SoundTrack
from vehicle_stub.synthetic import SyntheticSource
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.webrtc import packetize
from vehicle_stub.whip import WhipClient

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def look() -> Snapshot:
    return Snapshot(0, 100.0, 100.0, 5.0, 30.0, doors_open=False, braking=False)


def make_camera(name: str = "front", **changes: Any) -> CameraWorker:
    settings = {"width": 640, "height": 360, "fps": 15, "bitrate_kbps": 800} | changes
    camera = CameraSection(name=name, **settings)
    course = route_course((ROOT / "scenarios/maebashi/route.geojson").read_bytes(), 5.5)
    return CameraWorker(
        camera,
        lambda: SyntheticSource(camera, "bus-01", course, look),
        packetize,
        random.Random(1),
    )


def read_strip(frame: Any) -> strip.StripReading | None:
    luma = frame.to_ndarray(format="gray")
    rows = luma[2 : strip.strip_height(frame.height) - 2]
    centres = [(2 * cell + 1) * frame.width // (2 * strip.CELLS) for cell in range(strip.CELLS)]
    return strip.decode_cells([float(np.mean(rows[:, c - 1 : c + 2])) for c in centres])


async def publishing(publisher: MediaPublisher) -> asyncio.Task[None]:
    return asyncio.create_task(publisher.run(), name="publisher")


async def test_pictures_decode_their_numbers_advance_and_reports_name_the_capture_instant(
    whip_receiver: Any,
) -> None:
    camera = make_camera()
    camera.start()
    whip = WhipClient(whip_receiver.url, whip_receiver.token, verify=False)
    publisher = MediaPublisher(whip, [camera], lambda: EngineSound(look), random.Random(2))
    task = asyncio.create_task(publisher.run(), name="publisher")
    try:
        tracks = {}
        async with asyncio.timeout(30):
            while len(tracks) < 2:
                track = await whip_receiver.tracks.get()
                tracks[track.kind] = track
            readings = []
            while len(readings) < 20:
                frame = await tracks["video"].recv()
                reading = read_strip(frame)
                assert reading is not None
                readings.append((frame.pts, reading))
            numbers = [reading.frame_number for _, reading in readings]
            assert numbers == sorted(set(numbers))
            await tracks["audio"].recv()
        assert "a=msid:front " in whip_receiver.offers[0]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await whip.close()
        await asyncio.to_thread(camera.stop)
    assert whip_receiver.deleted == 1
