"""Vehicles that report events without pause and remember which were acknowledged."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Final

from loadtests.fleet_vehicles import LoadVehicle
from loadtests.mqtt import MqttError
from protocols import commands, vehicle
from protocols.codec import ProtocolError, decode, encode
from protocols.topics import Stream, VehicleId

EVENT_EVERY_S: Final = 0.1
RECONNECT_S: Final = 0.05


class Ledger:
    """What all vehicles together were promised.

    Attributes:
        sent: Event ids handed to the broker.
        acknowledged: Event ids the hub said are recorded.
        epochs: Highest epoch each vehicle has heard, and when it rose (monotonic, ns).
        lowered: Times a heartbeat carried a lower epoch than one before.
        leased: Epochs of which a heartbeat said that control goes on.
        taken: Epochs of which a command said that control begins.
        refused: What kept a vehicle from connecting for longer than a moment, last words.
    """

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self.epochs: dict[VehicleId, tuple[int, int]] = {}
        self.lowered = 0
        self.leased: set[int] = set()
        self.taken: set[int] = set()
        self.refused = ""


class Reporter(LoadVehicle):
    """One connection of one vehicle."""

    def __init__(
        self, vehicle_id: VehicleId, phase: float, ledger: Ledger, life: int, session: str
    ) -> None:
        super().__init__(vehicle_id, phase, [])
        self._session = session  # of the client's start, whatever happens to its connection
        self.orders = ["stop", "resume", "take_control", "release_control"]
        self._ledger = ledger
        self._life = life

    async def keep_saying(self) -> None:
        """Drive and report until the connection ends.

        Raises:
            MqttError: It has ended.
        """
        driving = asyncio.create_task(self.drive(asyncio.Event()), name=f"{self.vehicle_id}")
        try:
            await self._report()
        finally:
            driving.cancel()
            await asyncio.wait([driving])

    async def _report(self) -> None:
        number = 0
        while True:
            number += 1
            event = vehicle.VehicleEvent(
                session_id=self._session,
                event_id=f"{self.vehicle_id.vehicle}-{self._life}-{number}",
                kind=vehicle.EventKind.TAKEOVER_CLEARED,
                sent_ns=time.monotonic_ns(),
                reason="load",
                subject_id="none",
            )
            self._ledger.sent.add(event.event_id)
            await self._client.publish_acknowledged(
                self._topics[Stream.EVENT], encode(event), retain=False
            )
            await asyncio.sleep(EVENT_EVERY_S)

    def _on_message(self, topic: str, payload: bytes) -> None:
        super()._on_message(topic, payload)
        try:
            if topic == self._topics[Stream.EVENT_ACK]:
                ack: vehicle.EventAck = decode(payload, vehicle.EventAck)
                self._ledger.acknowledged.add(ack.event_id)
            elif topic == self._topics[Stream.HEARTBEAT_HUB]:
                beat: vehicle.HubHeartbeat = decode(payload, vehicle.HubHeartbeat)
                self._heard_epoch(beat.epoch)
                if beat.leased:
                    self._ledger.leased.add(beat.epoch)
            elif topic == self._topics[Stream.CMD]:
                command: commands.Command = decode(payload, commands.Command)
                self._obey(command)
        except ProtocolError as error:
            raise MqttError(f"the hub said something unknown: {error}") from error

    def _obey(self, command: commands.Command) -> None:
        match command.body:
            case commands.TakeControl(holder):
                self._ledger.taken.add(command.epoch)
                self.holder, self.control_epoch = holder, command.epoch
            case commands.ReleaseControl():
                self.holder, self.control_epoch = "", 0
            case _:
                pass
        result = commands.CommandResult(
            self._session, command.command_id, commands.ResultState.APPLIED, time.monotonic_ns()
        )
        self._client.publish(self._topics[Stream.CMD_RESULT], encode(result))

    def _heard_epoch(self, epoch: int) -> None:
        highest, _ = self._ledger.epochs.get(self.vehicle_id, (0, 0))
        if epoch > highest:
            self._ledger.epochs[self.vehicle_id] = epoch, time.monotonic_ns()
        elif epoch < highest:
            self._ledger.lowered += 1


async def keep_driving(
    vehicle_id: VehicleId, phase: float, host: str, port: int, secret: str, ledger: Ledger
) -> None:
    """Be one vehicle over all its connections, until cancelled."""
    session = secrets.token_hex(8)
    life = 0
    while True:
        life += 1
        one = Reporter(vehicle_id, phase, ledger, life, session)
        try:
            await one.connect(host, port, secret)
            await one.keep_saying()
        except MqttError as error:
            ledger.refused = str(error)  # the broker went with its hub: that is what this is about
        await asyncio.sleep(RECONNECT_S)
