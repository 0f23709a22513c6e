"""A process full of vehicles without cameras: `python -m loadtests.fleet_vehicles`.

Each has its own MQTT connection and its own credentials and says what
`protocols.vehicle` lets a vehicle say: ONLINE, factsheet and state (on connecting and
every 5 s), telemetry at 10 Hz, heartbeats at 2 Hz with the echo of the hub's. The
vehicles begin spread over a tenth of a second. Speaks `fleet_control`.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from typing import Final

import msgspec
import numpy as np
import uvloop

from loadtests import fleet_control as control
from loadtests.mqtt import MqttClient, MqttError, Will
from loadtests.statistics import percentile
from protocols import vehicle
from protocols.codec import ProtocolError, decode, encode
from protocols.supervision import Purpose
from protocols.topics import RULES, Stream, VehicleId, topic_for

TELEMETRY_EVERY_S: Final = 0.1
HEARTBEAT_EVERY: Final = 5
STATE_EVERY: Final = 50
"""Telemetry messages to one heartbeat, and to one state."""

CONNECTING_AT_ONCE: Final = 16
KEEPALIVE_S: Final = 5

KEPT_LATENESS: Final = 1_000_000
"""Of how many telemetry messages it is remembered how late they were."""


class LoadVehicle:
    """One vehicle that drives in a circle.

    Attributes:
        orders: What its factsheet says it obeys.
        holder, control_epoch: Who has control of it, as its state says.
        telemetry: Messages sent; the next one's number.
        heard: Heartbeats of the hub.
        lost: Why its connection broke; empty while it stands.
    """

    def __init__(
        self, vehicle_id: VehicleId, phase: float, lateness: list[int], *, camera: bool = False
    ) -> None:
        self.vehicle_id = vehicle_id
        self.telemetry = self.heard = 0
        self.lost = ""
        self.orders = ["stop", "resume"]
        self.holder = ""
        self.control_epoch = 0
        self._phase = phase
        self._cameras = [vehicle.CameraInfo("front", 1280, 720, 30, 4_000)] if camera else []
        self._lateness = lateness
        self._session = secrets.token_hex(8)
        self._states = self._beats = 0
        self._echo: vehicle.Echo | None = None
        self._client = MqttClient(self._on_message)
        self._topics = {stream: topic_for(vehicle_id, stream) for stream in Stream}

    async def connect(self, host: str, port: int, secret: str) -> None:
        """Connect, subscribe, and say everything retained.

        Raises:
            MqttError: The broker is not there or refuses.
        """
        connection = Stream.CONNECTION
        await self._client.connect(
            host,
            port,
            name=f"{self.vehicle_id.site}-{self.vehicle_id.vehicle}-load-{self._session}",
            user=str(self.vehicle_id),
            password=secret,
            keepalive_s=KEEPALIVE_S,
            will=Will(
                self._topics[connection],
                self._state_of(vehicle.ConnectionState.CONNECTION_BROKEN),
                RULES[connection].qos,
                RULES[connection].retain,
            ),
        )
        for stream in (Stream.HEARTBEAT_HUB, Stream.EVENT_ACK, Stream.CMD):
            await self._client.subscribe(self._topics[stream], RULES[stream].qos)
        await self._say(connection, self._state_of(vehicle.ConnectionState.ONLINE))
        sheet = vehicle.Factsheet(
            kind=vehicle.Kind.BUS,
            name=self.vehicle_id.vehicle,
            cameras=self._cameras,
            audio=False,
            commands=self.orders,
            max_speed_mps=11.1,
            route=[self._place(turn / 50) for turn in range(50)],
        )
        await self._say(Stream.FACTSHEET, encode(sheet))

    async def drive(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set, then only heartbeats; ends with the connection."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._phase * TELEMETRY_EVERY_S
        count = 0
        try:
            while True:
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not stop.is_set():
                    if len(self._lateness) < KEPT_LATENESS:
                        self._lateness.append(int(max(0.0, loop.time() - due) * 1e9))
                    self._send_telemetry()
                if count % HEARTBEAT_EVERY == 0:
                    self._send_heartbeat()
                if count % STATE_EVERY == 0:
                    await self._say_state()
                count += 1
                due += TELEMETRY_EVERY_S  # nothing is left out: the generator catches up
        except MqttError as error:
            self.lost = f"{self.vehicle_id}: {error}"

    async def leave(self) -> None:
        """Say OFFLINE and close."""
        if self.lost:
            return
        try:
            offline = self._state_of(vehicle.ConnectionState.OFFLINE)
            await self._say(Stream.CONNECTION, offline)
        except MqttError as error:
            self.lost = f"{self.vehicle_id}: {error}"
        self._client.close()

    # ------------------------------------------------------------------------ inside

    def _on_message(self, topic: str, payload: bytes) -> None:
        if topic != self._topics[Stream.HEARTBEAT_HUB]:
            return
        now_ns = time.monotonic_ns()
        try:
            beat: vehicle.HubHeartbeat = decode(payload, vehicle.HubHeartbeat)
        except ProtocolError as error:
            raise MqttError(f"a heartbeat of the hub: {error}") from error
        self.heard += 1
        self._echo = vehicle.Echo(beat.sent_ns, now_ns)

    def _send_telemetry(self) -> None:
        turn = (self.telemetry * TELEMETRY_EVERY_S / 60 + self._phase) % 1.0
        longitude, latitude = self._place(turn)
        sent_ns = time.monotonic_ns()
        message = vehicle.Telemetry(
            session_id=self._session,
            seq=self.telemetry,
            sent_ns=sent_ns,
            longitude=longitude,
            latitude=latitude,
            heading_deg=(360.0 - turn * 360.0) % 360.0,
            speed_mps=8.0 + math.sin(self.telemetry / 40),
            mode=vehicle.OperationMode.AUTONOMOUS,
            speed_limit_mps=11.1,
            progress=turn,
            next_stop=f"{self.telemetry}:{sent_ns}",  # consoles are shown neither otherwise
            energy=0.8,
            radio=vehicle.Radio("44010-1a2b3c", -92.5, 14.0, 21_000.0, 60_000.0),
        )
        self._client.publish(self._topics[Stream.TELEMETRY], encode(message))
        self.telemetry += 1

    def _send_heartbeat(self) -> None:
        message = vehicle.Heartbeat(
            self._session, self._beats, time.monotonic_ns(), time.time_ns(), self._echo
        )
        self._client.publish(self._topics[Stream.HEARTBEAT], encode(message))
        self._beats += 1

    async def _say_state(self) -> None:
        state = vehicle.State(
            session_id=self._session,
            seq=self._states,
            mode=vehicle.OperationMode.AUTONOMOUS,
            mrm=vehicle.MrmState.NORMAL,
            behaviour=vehicle.MrmBehaviour.NONE,
            odd=vehicle.Odd.INSIDE,
            fallback=vehicle.MrmBehaviour.COMFORTABLE_STOP,
            holder=self.holder,
            purpose=Purpose.ASSIST if self.holder else Purpose.MONITOR,
            control_epoch=self.control_epoch,
        )
        self._states += 1
        await self._say(Stream.STATE, encode(state))

    async def _say(self, stream: Stream, payload: bytes) -> None:
        await self._client.publish_acknowledged(
            self._topics[stream], payload, retain=RULES[stream].retain
        )

    def _state_of(self, state: vehicle.ConnectionState) -> bytes:
        return encode(vehicle.Connection(state, self._session))

    def _place(self, turn: float) -> tuple[float, float]:
        angle = 2 * math.pi * turn
        return (
            139.06 + self._phase / 10 + 0.005 * math.cos(angle),
            36.39 + 0.005 * math.sin(angle),
        )


class _Fleet:
    def __init__(self, group: asyncio.TaskGroup, plan: control.Vehicles) -> None:
        self._group = group
        self._plan = plan
        self._lateness: list[int] = []
        self._stop = asyncio.Event()
        names = list(plan.secrets)
        self._vehicles = [
            LoadVehicle(
                VehicleId(plan.site, name),
                number / len(names),
                self._lateness,
                camera=number < plan.cameras,
            )
            for number, name in enumerate(names)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> control.Message:
        gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
        plan = self._plan

        async def one(load: LoadVehicle) -> None:
            async with gate:
                await load.connect(plan.host, plan.port, plan.secrets[load.vehicle_id.vehicle])
            name = f"vehicle {load.vehicle_id}"
            self._tasks.append(self._group.create_task(load.drive(self._stop), name=name))

        why: list[str] = []
        try:
            async with asyncio.TaskGroup() as connecting:
                for load in self._vehicles:
                    connecting.create_task(one(load), name=f"connect {load.vehicle_id}")
        except* MqttError as group:
            why.append(f"a vehicle could not connect: {_first(group)}")
        return control.Failed(why[0]) if why else control.Ready()

    def mark(self) -> control.VehiclesMark:
        return control.VehiclesMark(
            time.monotonic_ns(),
            sum(load.telemetry for load in self._vehicles),
            sum(load.heard for load in self._vehicles),
            self._lost(),
        )

    def settle(self) -> control.VehiclesDone:
        self._stop.set()
        return control.VehiclesDone(
            {str(load.vehicle_id): load.telemetry - 1 for load in self._vehicles},
            percentile(np.array(self._lateness, np.int64), 0.99) or 0,
            self._lost(),
        )

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with asyncio.TaskGroup() as leaving:
            for load in self._vehicles:
                leaving.create_task(load.leave(), name=f"leave {load.vehicle_id}")

    def _lost(self) -> list[str]:
        return [load.lost for load in self._vehicles if load.lost]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _main() -> None:
    fleet: _Fleet | None = None
    async with control.hearing() as reader, asyncio.TaskGroup() as group:
        while line := await reader.readline():
            match control.to_child.decode(line):
                case control.Vehicles() as plan:
                    fleet = _Fleet(group, plan)
                    control.say(await fleet.connect())
                case control.Mark() if fleet is not None:
                    control.say(fleet.mark())
                case control.Settle() if fleet is not None:
                    control.say(fleet.settle())
                case other:
                    raise msgspec.ValidationError(f"{type(other).__name__} has no place here")
        if fleet is not None:
            await fleet.leave()


if __name__ == "__main__":
    uvloop.run(_main())
