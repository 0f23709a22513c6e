"""Dials again and again with the vehicle's own code: `python -m loadtests.faults.connect
CONFIG TRIES` prints one `Dialled` as JSON for each try.

Timed from the hub's answer until ICE and DTLS are done: what the lossy path is asked
for. The offer itself goes over TCP, whose repair is the kernel's.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from vehicle_stub.app import VehicleApp
from vehicle_stub.config import load, load_credentials
from vehicle_stub.webrtc import MediaSession
from vehicle_stub.whip import WhipClient, WhipError

GIVE_UP_S: Final = 25.0


class Dialled(msgspec.Struct, frozen=True):
    """One try: how long it took, None if it did not connect within `GIVE_UP_S`."""

    seconds: float | None


async def _dial(app: VehicleApp, whip: WhipClient) -> Dialled:
    session = MediaSession(app.cameras, None)
    resource = ""
    try:
        answer, resource = await whip.publish(await session.offer())
        begun = time.monotonic()
        await session.accept(answer)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_S):
                await session.connected.wait()
                return Dialled(time.monotonic() - begun)
        return Dialled(None)
    finally:
        await session.close()
        if resource:
            with contextlib.suppress(WhipError):
                await whip.delete(resource)


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
