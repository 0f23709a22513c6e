"""Dials again and again with the vehicle's own publisher: `python -m
loadtests.faults.connect CONFIG TRIES` prints one `Dialled` as JSON for each try.

Timed from the first request until ICE and DTLS are done, the vehicle's own giving up
and dialling again included. The offer goes over TCP, whose repair is the kernel's.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from vehicle_stub.app import VehicleApp
from vehicle_stub.config import load
from vehicle_stub.credentials import load_credentials
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.whip import WhipClient

GIVE_UP_S: Final = 25.0
POLL_S: Final = 0.01


class Dialled(msgspec.Struct, frozen=True):
    """One try: how long it took, None if it did not connect within `GIVE_UP_S`."""

    seconds: float | None


async def _dial(app: VehicleApp, whip: WhipClient) -> Dialled:
    publisher = MediaPublisher(whip, app.cameras, None, random.Random())
    begun = time.monotonic()
    running = asyncio.create_task(publisher.run(), name="publisher")
    try:
        while time.monotonic() - begun < GIVE_UP_S and not running.done():
            if publisher.sessions:
                return Dialled(time.monotonic() - begun)
            await asyncio.sleep(POLL_S)
        return Dialled(None)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _main(path: Path, tries: int) -> None:
    config = load(path)
    app = VehicleApp(config, path)
    token = load_credentials(config, path).token
    whip = WhipClient(f"{config.hub.whip_url}/{config.vehicle_id}", token, False)
    for camera in app.cameras:
        camera.start()
    try:
        for _ in range(tries):
            print(msgspec.json.encode(await _dial(app, whip)).decode(), flush=True)
    finally:
        await whip.close()
        for camera in app.cameras:
            await asyncio.to_thread(camera.stop)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
