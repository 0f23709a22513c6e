"""A process full of consoles: `python -m loadtests.fleet_consoles`.

Each is one WebSocket as a browser opens it. Most read the head of each message only and
check its `seq`; a few decode every view, as a browser does, and take the delay from a
vehicle's `sent_ns` to the arrival of the message that first shows that telemetry. Both
clocks are this machine's CLOCK_MONOTONIC. Speaks `fleet_control`.
"""

from __future__ import annotations

import asyncio
import re
import time
from array import array
from typing import Final

import httpx
import msgspec
import numpy as np
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from loadtests import fleet_control as control
from loadtests.statistics import percentile
from protocols.codec import encode
from protocols.operator import (
    ClockPing,
    Delta,
    PresentationReport,
    Snapshot,
    ToConsole,
    VehicleView,
)

CONSOLES_PER_SIGN_IN: Final = 8
"""The hub lets one sign-in have so many windows."""

MAX_CONSOLES: Final = 40
"""The hub lets one account sign in five times a minute."""

REPORT_EVERY_S: Final = 1.0
CAUGHT_UP_WITHIN_S: Final = 5.0
POLL_S: Final = 0.02
MAX_MESSAGE: Final = 64 * 1_048_576

_HEAD: Final = re.compile(rb'\{"type":"(\w+)"(?:,"seq":(\d+))?')


class Reader:
    """One console that counts.

    Attributes:
        messages, octets: All that came.
        missing, disordered: By `seq` of snapshot and deltas.
        ended: Why it ended; empty while it is open.
    """

    def __init__(self) -> None:
        self.messages = self.octets = self.missing = self.disordered = 0
        self.ended = ""
        self.begun = asyncio.Event()
        self._seq: int | None = None

    async def follow(self, socket: ClientConnection) -> None:
        """Read until the socket ends."""
        try:
            while True:
                data = await socket.recv(decode=False)
                self.take(data, time.monotonic_ns())
        except ConnectionClosed as error:
            self.ended = self.ended or f"a console was closed: {error}"

    def take(self, data: bytes, now_ns: int) -> None:
        """Take one message that arrived at `now_ns`."""
        self.messages += 1
        self.octets += len(data)
        head = _HEAD.match(data)
        if head is None:
            self.ended = f"the hub said something unknown: {data[:60]!r}"
            return
        if head[1] == b"goodbye":
            self.ended = f"the hub said goodbye: {data[:100].decode(errors='replace')}"
        if head[2] is None or head[1] not in (b"snapshot", b"delta"):
            return
        seq = int(head[2])
        if self._seq is not None:
            if seq <= self._seq:
                self.disordered += 1
            else:
                self.missing += seq - self._seq - 1
        self._seq = seq
        self.begun.set()
        self.show(data, now_ns)

    def show(self, data: bytes, now_ns: int) -> None:
        """A console that only counts shows nothing."""


class Decoder(Reader):
    """One console that reads every view.

    Attributes:
        last: Number of the newest telemetry shown, by vehicle.
        gaps: What the hub says it missed, by vehicle.
        shown, superseded: Telemetry that was shown, and that newer came too soon for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, int] = {}
        self.gaps: dict[str, int] = {}
        self.shown = self.superseded = 0
        self.sent_ns = array("q")
        self.delay_ns = array("q")
        self._decode = msgspec.json.Decoder(ToConsole).decode

    def show(self, data: bytes, now_ns: int) -> None:
        """Take the views of a snapshot or delta."""
        message = self._decode(data)
        assert isinstance(message, Snapshot | Delta)
        for view in message.vehicles:
            self.gaps[view.id] = view.telemetry_gaps
            self._show(view, now_ns)

    def _show(self, view: VehicleView, now_ns: int) -> None:
        if view.pose is None:
            return
        number, _, sent = view.pose.next_stop.partition(":")
        seq, before = int(number), self.last.get(view.id)
        if before is not None:
            if seq == before:
                return  # something else changed
            if seq < before:
                self.disordered += 1
                return
            self.superseded += seq - before - 1
        self.last[view.id] = seq
        self.shown += 1
        self.sent_ns.append(int(sent))
        self.delay_ns.append(now_ns - int(sent))

    def behind(self, last: dict[str, int]) -> int:
        """Return how much of what was sent until `last` has not been shown."""
        return sum(max(0, seq - self.last.get(name, -1)) for name, seq in last.items())


class _Consoles:
    def __init__(self, group: asyncio.TaskGroup, plan: control.Consoles) -> None:
        self._group = group
        self._plan = plan
        self._decoders = [Decoder() for _ in range(min(plan.decoding, plan.consoles))]
        counting = plan.consoles - len(self._decoders)
        self._readers: list[Reader] = [*self._decoders, *(Reader() for _ in range(counting))]
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> control.Message:
        try:
            cookie = ""
            for number, reader in enumerate(self._readers):
                if number % CONSOLES_PER_SIGN_IN == 0:
                    cookie = await self._sign_in()
                task = self._group.create_task(
                    self._serve(reader, cookie), name=f"console {number}"
                )
                self._tasks.append(task)
                waiting = self._group.create_task(reader.begun.wait(), name="snapshot")
                await asyncio.wait(
                    [task, waiting], timeout=20.0, return_when=asyncio.FIRST_COMPLETED
                )
                waiting.cancel()
                if not reader.begun.is_set():
                    why = reader.ended or "no snapshot within 20 s"
                    return control.Failed(f"a console could not connect: {why}")
        except httpx.HTTPError as error:
            return control.Failed(f"the hub does not answer a sign-in: {error}")
        except PermissionError as error:
            return control.Failed(str(error))
        return control.Ready()

    async def _sign_in(self) -> str:
        plan = self._plan
        async with httpx.AsyncClient(
            base_url=plan.url, headers={"Origin": plan.url}, timeout=20.0, trust_env=False
        ) as client:
            answer = await client.post(
                "/api/session", json={"name": plan.account, "password": plan.password}
            )
            if answer.status_code >= 300:
                raise PermissionError(
                    f"the hub refused a sign-in: {answer.status_code} {answer.text[:200]}"
                )
            return "; ".join(f"{name}={value}" for name, value in client.cookies.items())

    async def _serve(self, reader: Reader, cookie: str) -> None:
        url = self._plan.url
        try:
            async with (
                connect(
                    url.replace("http", "ws", 1) + "/ws",
                    additional_headers={"Cookie": cookie},
                    origin=url,  # type: ignore[arg-type]
                    proxy=None,
                    max_size=MAX_MESSAGE,
                ) as socket,
                asyncio.TaskGroup() as group,
            ):
                report = group.create_task(_report(socket), name="report")
                await reader.follow(socket)
                report.cancel()
        except (OSError, WebSocketException, TimeoutError) as error:
            reader.ended = reader.ended or f"{type(error).__name__}: {error}"

    def mark(self) -> control.ConsolesMark:
        return control.ConsolesMark(
            sum(reader.messages for reader in self._readers),
            sum(reader.octets for reader in self._readers),
            sum(decoder.shown for decoder in self._decoders),
            self._ended(),
        )

    async def settle(self, asked: control.Settle) -> control.ConsolesDone:
        deadline = time.monotonic() + CAUGHT_UP_WITHIN_S
        while self._behind(asked.last):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(POLL_S)
        delays = []
        for decoder in self._decoders:
            sent = np.frombuffer(decoder.sent_ns, np.int64)
            inside = (sent >= asked.from_ns) & (sent < asked.until_ns)
            delays.append(np.frombuffer(decoder.delay_ns, np.int64)[inside])
        together = np.concatenate(delays)
        return control.ConsolesDone(
            missing=sum(reader.missing for reader in self._readers),
            disordered=sum(reader.disordered for reader in self._readers),
            superseded=sum(decoder.superseded for decoder in self._decoders),
            gaps=max(sum(decoder.gaps.values()) for decoder in self._decoders),
            behind=self._behind(asked.last),
            shown=sum(decoder.shown for decoder in self._decoders),
            delays=len(together),
            delay_p50_ns=percentile(together, 0.50),
            delay_p99_ns=percentile(together, 0.99),
            delay_max_ns=percentile(together, 1.0),
            ended=self._ended(),
        )

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _behind(self, last: dict[str, int]) -> int:
        return sum(decoder.behind(last) for decoder in self._decoders)

    def _ended(self) -> list[str]:
        return [reader.ended for reader in self._readers if reader.ended]


async def _report(socket: ClientConnection) -> None:
    """Say what a console says each second."""
    try:
        while True:
            await socket.send(encode(ClockPing(time.monotonic() * 1e3)).decode())
            await socket.send(encode(PresentationReport(True, [])).decode())
            await asyncio.sleep(REPORT_EVERY_S)
    except ConnectionClosed:
        return  # the reader sees it as well and says why


async def _main() -> None:
    consoles: _Consoles | None = None
    async with control.hearing() as reader, asyncio.TaskGroup() as group:
        while line := await reader.readline():
            match control.to_child.decode(line):
                case control.Consoles() as plan:
                    consoles = _Consoles(group, plan)
                    control.say(await consoles.connect())
                case control.Mark() if consoles is not None:
                    control.say(consoles.mark())
                case control.Settle() as asked if consoles is not None:
                    control.say(await consoles.settle(asked))
                case other:
                    raise msgspec.ValidationError(f"{type(other).__name__} has no place here")
        if consoles is not None:
            consoles.close()


if __name__ == "__main__":
    uvloop.run(_main())
