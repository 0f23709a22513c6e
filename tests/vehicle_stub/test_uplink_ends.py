"""The uplink ends when it is told to, whatever its MQTT client does at that moment."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from protocols.topics import Stream, VehicleId
from protocols.vehicle import Connection, ConnectionState
from vehicle_stub.uplink import Uplink


class ClientThatWaitsAsTheLibraryDoes:
    """Waits for the broker's confirmation within the limit it is given."""

    def __init__(self) -> None:
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.called = asyncio.Event()

    async def publish(self, topic: str, payload: bytes, *, timeout: float, **_: Any) -> None:
        self.called.set()
        await asyncio.wait_for(self.confirmed, None if timeout == math.inf else timeout)
        self.confirmed = asyncio.get_running_loop().create_future()


async def test_a_confirmation_in_the_instant_of_the_end_does_not_lose_the_end() -> None:
    uplink = Uplink.__new__(Uplink)
    uplink._vehicle_id = VehicleId("maebashi", "bus-01")
    client = ClientThatWaitsAsTheLibraryDoes()
    online = Connection(ConnectionState.ONLINE, "s1")

    async def says_on_and_on() -> None:
        while True:
            await uplink._publish(client, Stream.CONNECTION, online)  # type: ignore[arg-type]

    task = asyncio.create_task(says_on_and_on())
    await client.called.wait()
    client.confirmed.set_result(None)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    assert done, "the task goes on"
    with pytest.raises(asyncio.CancelledError):
        await task
