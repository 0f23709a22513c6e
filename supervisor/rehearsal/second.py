"""A second operator: a real console connection with an account of its own, no browser.

It signs in, sits in an armed seat, and takes control of one vehicle from whoever has it,
with a reason, as a supervisor may. It gives back when told to, and does nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from protocols.authority import (
    AcceptControl,
    AskControl,
    ControlState,
    ControlView,
    GiveBackControl,
    SeatReport,
)
from protocols.codec import encode
from protocols.operator import Delta, Refusal, Snapshot, ToConsole, Welcome
from supervisor import clock

log = logging.getLogger("enkan.rehearsal")

ACCOUNT: Final = "second-operator"
REASON: Final = "訓練: 二人目の操作者 / rehearsal: a second operator"
SEAT_EVERY_S: Final = 0.5
TAKEN_WITHIN_S: Final = 6.0
MAX_MESSAGE: Final = 8 << 20
"""A snapshot of a whole fleet."""

_decoder: Final = msgspec.json.Decoder(ToConsole)


class SecondError(Exception):
    """He did not get what he was sent for.

    Attributes:
        reason: A short constant.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class SecondOperator:
    """One person at a console, from `sitting` on.

    Args:
        url: The hub's console.
        password: Of `ACCOUNT`.
    """

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        self._password = password
        self._socket: ClientConnection | None = None
        self._seat = ""
        self._controls: dict[str, ControlView] = {}
        self._refusals: dict[str, Refusal] = {}
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def sitting(self) -> AsyncIterator[None]:
        """Be signed in, with an armed seat.

        Raises:
            SecondError: The hub does not let him in.
        """
        try:
            async with (
                httpx.AsyncClient(base_url=self._url, trust_env=False) as client,
                await self._connected(client) as socket,
                asyncio.TaskGroup() as tasks,
            ):
                self._socket = socket
                running = [
                    tasks.create_task(self._listen(socket), name="second-listens"),
                    tasks.create_task(self._report(socket), name="second-seat"),
                ]
                try:
                    yield
                finally:
                    self._socket = None
                    for task in running:
                        task.cancel()
        except* (OSError, httpx.HTTPError, ConnectionClosed) as group:
            raise SecondError("second_lost", "the second operator lost the hub") from group

    async def _connected(self, client: httpx.AsyncClient) -> connect:
        form = {"name": ACCOUNT, "password": self._password}
        answer = await client.post("/api/session", json=form, headers={"Origin": self._url})
        if answer.status_code != 200:
            raise SecondError("second_refused", f"sign-in answered {answer.status_code}")
        cookies = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
        return connect(
            self._url.replace("http", "ws", 1) + "/ws",
            origin=self._url,  # type: ignore[arg-type]
            additional_headers={"Cookie": cookies},
            max_size=MAX_MESSAGE,
            proxy=None,
        )

    async def _listen(self, socket: ClientConnection) -> None:
        async for text in socket:
            match _decoder.decode(text):
                case Welcome(seat=seat):
                    self._seat = seat
                case Snapshot(controls=controls) | Delta(controls=controls):
                    self._controls |= {control.vehicle: control for control in controls}
                case Refusal() as refusal:
                    self._refusals[refusal.ref] = refusal
                case _:
                    continue
            self._news.set()

    async def _report(self, socket: ClientConnection) -> None:
        report = encode(SeatReport(visible=True, focused=True, sound=True, ready=True)).decode()
        while True:
            await socket.send(report)
            await asyncio.sleep(SEAT_EVERY_S)

    async def _say(self, message: msgspec.Struct) -> None:
        if self._socket is None:
            raise SecondError("second_lost", "the second operator is not signed in")
        try:
            await self._socket.send(encode(message).decode())
        except ConnectionClosed as error:
            raise SecondError("second_lost", "the second operator lost the hub") from error

    def _mine(self, vehicle: str) -> ControlView | None:
        control = self._controls.get(vehicle)
        return control if control is not None and control.seat == self._seat else None

    async def take(self, vehicle: str) -> int:
        """Take control of a vehicle, from whoever has it; return when he asked for it.

        Raises:
            SecondError: Refused, or not confirmed in time.
        """
        try:
            async with asyncio.timeout(TAKEN_WITHIN_S):
                while not self._seat or vehicle not in self._controls:
                    await self._next()
                self._refusals.pop(vehicle, None)
                asked_ns = clock.monotonic_ns()
                await self._say(AskControl(vehicle, preempt=REASON))
                accepted = False
                while True:
                    if (refusal := self._refusals.get(vehicle)) is not None:
                        raise SecondError(refusal.reason, refusal.detail or refusal.reason)
                    mine = self._mine(vehicle)
                    if mine is not None and mine.state is ControlState.HELD:
                        return asked_ns
                    if mine is not None and mine.state is ControlState.OFFERED and not accepted:
                        accepted = True
                        await self._say(AcceptControl(vehicle))
                    await self._next()
        except TimeoutError as error:
            raise SecondError("not_taken", "control did not come in time") from error

    async def give_back(self, vehicle: str) -> None:
        """Give control back, if he has it.

        Raises:
            SecondError: He has lost the hub.
        """
        mine = self._mine(vehicle)
        if mine is not None and mine.state is not ControlState.FREE:
            await self._say(GiveBackControl(vehicle))

    async def _next(self) -> None:
        self._news.clear()
        await self._news.wait()
