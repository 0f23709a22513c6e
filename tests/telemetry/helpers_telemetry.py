"""A vehicle's MQTT client, the hub's link with its events collected, stock clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import aiomqtt

from protocols.topics import VehicleId
from supervisor.core.events import AnyEvent, BrokerChanged
from supervisor.counters import Counters
from supervisor.telemetry.link import TelemetryLink

BUS1, BUS2 = VehicleId("maebashi", "bus-01"), VehicleId("maebashi", "bus-02")
TOKENS = {BUS1: "token-of-bus-01", BUS2: "token-of-bus-02"}
KEYS = {BUS1: bytes(range(32)), BUS2: bytes(32)}


class Collected:
    """The hub's link and what came out of it."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.counters = Counters()
        self.changed = asyncio.Event()
        self.link: TelemetryLink

    def take(self, event: AnyEvent) -> None:
        self.events.append(event)
        self.changed.set()

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - conditions look at lists and counters
                await asyncio.sleep(0.01)

    async def until_connected(self, times: int = 1) -> None:
        await self.until(lambda: sum(event.connected for event in self.of(BrokerChanged)) >= times)


@contextlib.asynccontextmanager
async def hub(broker, *, connected: bool = True) -> AsyncIterator[Collected]:
    """Run a TelemetryLink against a broker."""
    collected = Collected()
    collected.link = TelemetryLink(
        broker.config,
        broker=broker.embedded,
        hub_id="hub-1",
        command_keys=KEYS,
        counters=collected.counters,
        on_event=collected.take,
    )
    task = asyncio.create_task(collected.link.run(), name="link")
    try:
        if connected:
            await collected.until_connected()
        yield collected
    finally:
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError), results[0]


def client(broker, vehicle_id: VehicleId = BUS1, **options: object) -> aiomqtt.Client:
    """A vehicle's own MQTT client."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=str(vehicle_id),
        password=TOKENS[vehicle_id],
        protocol=aiomqtt.ProtocolVersion.V311,
        **options,
    )


async def stock(program: str, broker, vehicle_id: VehicleId, *arguments: str) -> tuple[int, str]:
    """Run mosquitto_pub or mosquitto_sub with a vehicle's credentials."""
    process = await asyncio.create_subprocess_exec(
        program,
        "-h", broker.host, "-p", str(broker.port), "-V", "mqttv311",
        "-u", str(vehicle_id), "-P", TOKENS[vehicle_id],
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode()
