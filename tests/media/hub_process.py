"""A media plane with its routes in a process of its own, for tests that kill it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocols.topics import VehicleId
from supervisor.counters import Counters
from supervisor.media.plane import MediaPlane
from supervisor.media.pool import MediaConfig

RIGHT = "the secret's name"


async def main(state: Path) -> None:
    async def signed_in(request: Request) -> str | None:
        return "operator"

    plane = MediaPlane(
        MediaConfig(workers=1),
        counters=Counters(),
        on_event=lambda event: None,
        authorise_publisher=lambda vehicle, token: vehicle == VehicleId("maebashi", "bus-01"),
        authorise_watcher=signed_in,
        state_dir=state,
        publisher_right=lambda vehicle: RIGHT,
    )
    plane.set_grant(VehicleId("maebashi", "bus-01"), "operator", 1)
    app = Starlette(routes=plane.routes())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(plane.run())
        tasks.create_task(server.serve())
        await plane.ready.wait()
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        worker = plane.worker_stats()[0].pid
        print(json.dumps({"port": port, "worker": worker}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
