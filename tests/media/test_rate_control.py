"""An uplink that falls to an eighth and returns, between the vehicle client and a worker."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from support.bottleneck import Bottleneck
from vehicle_stub import clock
from vehicle_stub.encoding import EncodedPicture, Shape
from vehicle_stub.webrtc import MediaSession

pytestmark = [pytest.mark.integration]

FULL, LOW = 8_000_000, 1_000_000
FPS = 30


class BusyCamera:
    """Stands for a camera whose encoder always uses the rate it is given, up to 7.5 Mbit/s."""

    def __init__(self):
        self.name = "front"
        self.kbps = self.top = 7_500
        self.shape = Shape(1_920, 1_080, FPS, 1, self.top, 2.0)
        self._task = None
        self._keyframe = True

    def attach(self, deliver):
        self._task = asyncio.get_running_loop().create_task(self._film(deliver), name="camera")

    def detach(self, deliver):
        if self._task is not None:
            self._task.cancel()

    async def end(self):
        if self._task is not None:
            await asyncio.wait([self._task])

    def ask_keyframe(self):
        self._keyframe = True

    def set_rate(self, rate):
        self.kbps = rate.kbps

    def on_sent(self, taken_ms):
        self.sent_ms = taken_ms

    async def _film(self, deliver):
        loop = asyncio.get_running_loop()
        begun, number = loop.time(), 0
        while True:
            key, self._keyframe = self._keyframe, False
            size = self.kbps * 1000 // 8 // FPS * (3 if key else 1)
            head = b"\x65" if key else b"\x41"
            payloads = [head + os.urandom(min(1_150, size - at)) for at in range(0, size, 1_150)]
            now_ns = clock.monotonic_ns()
            timestamp = number * 90_000 // FPS
            deliver(EncodedPicture(payloads, timestamp, now_ns, now_ns, key))
            number += 1
            await asyncio.sleep(max(0.0, begun + number / FPS - loop.time()))


async def test_the_vehicles_encoder_follows_an_uplink_from_8_to_1_and_back(hub, media):
    """Fault F-05. Figures are printed; asserted is what holds on any machine."""
    worker = hub.plane.worker_stats()[0].udp_port
    cell = Bottleneck(("127.0.0.1", worker), FULL)
    port = await cell.open()
    camera = BusyCamera()
    session = MediaSession([camera], None, random.Random(1))
    loop = asyncio.get_running_loop()
    try:
        response = await hub.post("/whip/maebashi/bus-01", await session.offer())
        assert response.status_code == 201, response.text
        assert "abs-send-time" in response.text
        await session.accept(response.text.replace(f" {worker} typ", f" {port} typ"))
        async with asyncio.timeout(40):
            await session.connected.wait()
        session.open()

        def estimate():
            return hub.samples()[-1].streams[0].estimate_kbps or 0

        await media.until(lambda: cell.rate(3.0) > 5e6, "the camera films")
        before = cell.rate(1.0)
        fell = loop.time()
        cell.bps = LOW
        await media.until(lambda: camera.kbps < 1_200, "the encoder follows down")
        followed = loop.time() - fell
        await media.until(
            lambda: loop.time() - fell > 3 and cell.history[-1][1] < 0.3, "the queue is gone"
        )
        over = cell.over(0.5, fell)
        worst = max(queue for at, queue, _ in cell.history if at >= fell)
        await media.until(lambda: loop.time() - fell > 6, "a while at the low rate")
        low = cell.rate(2.0)
        returned = loop.time()
        cell.bps = FULL
        await media.until(lambda: camera.kbps > 0.9 * camera.top, "the encoder is back")
        back = loop.time() - returned
        print(
            f"\nbefore {before / 1e6:.2f} Mbit/s; followed down in {followed:.2f} s, queue at most "
            f"{worst:.2f} s, over 0.5 s for {over:.2f} s; at 1 Mbit/s {low / 1e6:.2f}; back to "
            f"90 % in {back:.1f} s; {cell.dropped} dropped"
        )
        assert followed < 3
        assert over < 6
        assert low < 1.1 * LOW
        assert back < 20
        assert estimate() > 0
    finally:
        await session.close()
        await camera.end()
        cell.close()
