"""Our own vehicle client and an operator on the two ends of a real worker."""

from __future__ import annotations

import asyncio
import contextlib
import random
import wave

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette

from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import CameraSection
from vehicle_stub.picture import Picture
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.sound import EngineSound
from vehicle_stub.speaker import RATE, Speaker, WavOutput
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.webrtc import packetize
from vehicle_stub.whip import WhipClient

pytestmark = [pytest.mark.integration]


class Gradient:
    """A picture wide enough to have a small one beside it."""

    live = False
    draws_strip = True

    def __init__(self):
        self.picture = Picture(1280, 720)
        self.picture.luma[:] = np.linspace(30, 220, 1280).astype(np.uint8)
        self.picture.cb[:] = self.picture.cr[:] = 128

    def read(self, captured_ns, captured_utc_ns, number):
        return self.picture.frame

    def close(self):
        pass


@contextlib.asynccontextmanager
async def vehicle(hub, media, path):
    app = Starlette(routes=hub.plane.routes())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve(), name="uvicorn")
    await media.until(lambda: server.started, "uvicorn is started")
    port = server.servers[0].sockets[0].getsockname()[1]
    section = CameraSection(name="front", fps=10, bitrate_kbps=600, low=True)
    camera = CameraWorker(section, Gradient, packetize, random.Random(1))
    camera.start()
    whip = WhipClient(f"http://127.0.0.1:{port}/whip/{media.BUS}", media.TOKEN, verify=False)
    speaker = Speaker(lambda: WavOutput(path), random.Random(1))
    frames: list[bytes | str] = []
    still = Snapshot(0, 100.0, 100.0, 5.0, None, doors_open=False, braking=False)
    publisher = MediaPublisher(
        whip,
        [camera],
        lambda: EngineSound(lambda: still),
        random.Random(3),
        speaker,
        lambda data, now_ns: frames.append(data),
    )
    tasks = [
        asyncio.create_task(publisher.run(), name="publisher"),
        asyncio.create_task(speaker.run(), name="speaker"),
    ]
    try:
        yield speaker, frames
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await whip.close()
        await asyncio.to_thread(camera.stop)
        server.should_exit = True
        await serving


async def test_the_operator_chooses_sizes_speaks_and_commands(hub, peer, media, tmp_path):
    path = tmp_path / "voice.wav"
    async with vehicle(hub, media, path) as (speaker, frames):
        await media.until(lambda: hub.plane.publishing(media.BUS), "publisher connected")
        operator = peer()
        operator.pc.addTransceiver("video", direction="recvonly")
        operator.pc.addTrack(media.Microphone())
        line = operator.pc.createDataChannel("command", ordered=False, maxRetransmits=0)
        hub.plane.set_grant(media.BUS, "operator", 1)
        assert (await operator.dial(f"/whep/{media.BUS}", layer="low")).status_code == 201
        track = operator.pc.getTransceivers()[0].receiver.track

        async def width(wanted):
            async with asyncio.timeout(40):
                while (await track.recv()).width != wanted:
                    pass

        await width(640)
        for layer, wanted in (("high", 1280), ("low", 640)):
            answer = await hub.client.post(
                f"{operator.location}/layers",
                json={"front": layer},
                headers={"Authorization": f"Bearer {media.TOKEN}"},
            )
            assert answer.status_code == 204
            await width(wanted)
        assert [s.camera for s in hub.samples()[-1].streams if s.kind == "video"] == ["front"]

        await media.until(lambda: line.readyState == "open", "the channel")
        async with asyncio.timeout(40):
            while len(frames) < 5:
                line.send(b"\x00nonsense")
                await asyncio.sleep(0.05)
        await media.until(lambda: speaker.frames > 100, "a voice")
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    spectrum = np.abs(np.fft.rfft(samples[RATE // 2 : RATE // 2 + RATE]))
    assert abs(int(np.argmax(spectrum)) - 48_000 / 20 / 2 / np.pi) < 20, "his tone"
