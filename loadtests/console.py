"""A console without a screen: the newest view of everything, and when it came."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from loadtests.children import until
from loadtests.errors import BenchError
from protocols.authority import AcceptControl, AskControl, ControlState, ControlView, SeatReport
from protocols.codec import encode
from protocols.operator import (
    AlarmView,
    ClockPing,
    ClockPong,
    CommandState,
    CommandView,
    Delta,
    Refusal,
    Snapshot,
    ToConsole,
    VehicleView,
)

PING_EVERY_S: Final = 0.05
REPORT_EVERY_S: Final = 0.5
ARMED: Final = SeatReport(visible=True, focused=True, sound=True, ready=True)
CONTROL_WITHIN_S: Final = 20.0
MAX_MESSAGE: Final = 64 * 1_048_576


class Console:
    """One console.

    Attributes:
        client: Signed in after `follow` has begun.
        vehicles, alarms, commands, controls: Newest views by id or vehicle.
        applied, ended: By command id: when it was first shown as applied, and when as
            applied, refused or unconfirmed (monotonic, s).
        refusals: By what they refer to: when it came, and why.
        round_trips: Of clock pings, s, while `pinging`.
    """

    def __init__(self, url: str, account: str, password: str) -> None:
        self.url = url
        self.vehicles: dict[str, VehicleView] = {}
        self.alarms: dict[str, AlarmView] = {}
        self.commands: dict[str, CommandView] = {}
        self.controls: dict[str, ControlView] = {}
        self.applied: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.refusals: dict[str, tuple[float, str]] = {}
        self.round_trips: list[float] = []
        self.client = httpx.AsyncClient(
            base_url=url, headers={"Origin": url}, timeout=10.0, trust_env=False
        )
        self.open = asyncio.Event()
        self._sign_in = {"name": account, "password": password}
        self._socket: ClientConnection | None = None

    async def follow(self) -> None:
        """Sign in and take what the hub sends, until cancelled or the socket ends."""
        answer = await self.client.post("/api/session", json=self._sign_in)
        answer.raise_for_status()
        cookie = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        decode = msgspec.json.Decoder(ToConsole).decode
        async with connect(
            self.url.replace("http", "ws", 1) + "/ws",
            additional_headers={"Cookie": cookie},
            origin=self.url,  # type: ignore[arg-type]
            proxy=None,
            max_size=MAX_MESSAGE,
        ) as socket:
            self._socket = socket
            async for text in socket:
                self.take(decode(text))

    def take(self, message: ToConsole) -> None:
        """Take one message of the hub."""
        now = time.monotonic()
        if isinstance(message, ClockPong):
            self.round_trips.append(now - message.t1_ms / 1e3)
        elif isinstance(message, Refusal):
            self.refusals.setdefault(message.ref, (now, message.reason))
        elif isinstance(message, Snapshot | Delta):
            self.vehicles.update({view.id: view for view in message.vehicles})
            self.alarms.update({view.id: view for view in message.alarms})
            self.controls.update({view.vehicle: view for view in message.controls})
            for command in message.commands:
                self.commands[command.id] = command
                if command.state is CommandState.APPLIED:
                    self.applied.setdefault(command.id, now)
                if command.state in (
                    CommandState.APPLIED,
                    CommandState.REFUSED,
                    CommandState.UNCONFIRMED,
                ):
                    self.ended.setdefault(command.id, now)
            self.open.set()

    async def say(self, message: msgspec.Struct) -> None:
        """Send one message of `protocols.operator`.

        Raises:
            BenchError: The socket is not open.
        """
        if self._socket is None:
            raise BenchError("the console's socket is not open")
        await self._socket.send(encode(message).decode())

    async def keep_reporting(self) -> None:
        """Be an armed seat, until cancelled."""
        while True:
            await self.say(ARMED)
            await asyncio.sleep(REPORT_EVERY_S)

    async def take_control(self, vehicle: str) -> None:
        """Take control of a vehicle to assist it; the seat has to be armed.

        Raises:
            BenchError: It was refused, or nobody answered.
        """
        self.refusals.pop(vehicle, None)
        await self.say(ARMED)
        await self.say(AskControl(vehicle))
        await self._control(vehicle, ControlState.OFFERED)
        await self.say(AcceptControl(vehicle))
        await self._control(vehicle, ControlState.HELD)

    async def _control(self, vehicle: str, state: ControlState) -> None:
        def reached() -> bool | None:
            if vehicle in self.refusals:
                raise BenchError(f"control was refused: {self.refusals[vehicle][1]}")
            view = self.controls.get(vehicle)
            return True if view is not None and view.state is state else None

        await until(reached, f"control that is {state}", CONTROL_WITHIN_S)

    async def keep_pinging(self) -> None:
        """Ask for the hub's clock twenty times a second, until cancelled."""
        while True:
            await self.say(ClockPing(time.monotonic() * 1e3))
            await asyncio.sleep(PING_EVERY_S)


@contextlib.asynccontextmanager
async def followed(console: Console) -> AsyncIterator[Console]:
    """Open a console; close it behind the block.

    Raises:
        BenchError: The hub refuses it or does not answer.
    """
    task = asyncio.create_task(console.follow(), name="console")
    opened = asyncio.create_task(console.open.wait(), name="console opens")
    try:
        await asyncio.wait([task, opened], timeout=30.0, return_when=asyncio.FIRST_COMPLETED)
        if not console.open.is_set():
            why = task.exception() if task.done() and not task.cancelled() else "no answer"
            raise BenchError(f"a console did not open: {why}")
        yield console
    finally:
        for one in (task, opened):
            one.cancel()
        await asyncio.wait([task, opened])
        await console.client.aclose()
