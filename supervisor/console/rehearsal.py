"""The way of a rehearsal from a console to the demo that can break things.

Only a hub that `enkan demo` started has it: the demo leaves address and token of its
channel in the state folder (`rehearsal.json`, mode 0600), and without that file, or
without `demo = true`, there are no such routes. The hub itself breaks nothing; it checks
who asks, passes the wish on, and returns what the demo says.

    console ──HTTP──▶ hub ──one line each way, loopback, token──▶ demo
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from protocols.codec import ProtocolError, decode, encode
from supervisor.console.guard import BODY_LIMIT, problem
from supervisor.counters import Counters

log = logging.getLogger("enkan.console")

CHANNEL_FILE: Final = "rehearsal.json"
MAX_ORDER: Final = 1_024
MAX_ANSWER: Final = 65_536
ANSWER_WITHIN_S: Final = 10.0
"""Taking control from somebody is an exchange with the vehicle."""


class Fault(enum.StrEnum):
    """What can be broken.

    FREEZE: A camera gives no more pictures. REPEAT: It gives one picture again and again.
    LOSS: One packet of twenty is lost. DELAY: 300 ms more, each way. CUT: Nothing passes
    between vehicle and hub. BROKER: The message broker is killed. GRAB: A second operator
    takes control.
    """

    FREEZE = "freeze"
    REPEAT = "repeat"
    LOSS = "loss"
    DELAY = "delay"
    CUT = "cut"
    BROKER = "broker"
    GRAB = "grab"


class Do(enum.StrEnum):
    """What is wished: to know how things stand, to break, to mend."""

    LOOK = "look"
    BREAK = "break"
    MEND = "mend"


Name = Annotated[str, Meta(max_length=80)]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of a request: break or mend this. `vehicle` may be empty for the broker."""

    fault: Fault
    vehicle: Name = ""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line to the demo."""

    token: Annotated[str, Meta(min_length=16, max_length=128)]
    do: Do
    fault: Fault | None = None
    vehicle: Name = ""


class Broken(msgspec.Struct, frozen=True):
    """Something that is broken now, since `at_ns` (monotonic clock of the machine)."""

    fault: Fault
    vehicle: str
    at_ns: int


class VehicleWord(msgspec.Struct, frozen=True):
    """What a vehicle itself says past every link; see `vehicle_stub.rehearsal`."""

    at_ns: int
    speed_mps: float
    limit_mps: float
    mode: str
    mrm: str
    link_up: bool


class Standing(msgspec.Struct, frozen=True):
    """How things stand.

    Attributes:
        at_ns: When what was wished was done; else now.
        reason, detail: Why it was not done; empty: it was.
        broken: What is broken now.
        words: By vehicle.
        broker_pid: The broker that runs now; 0: none does.
    """

    at_ns: int
    reason: str = ""
    detail: str = ""
    broken: list[Broken] = []
    words: dict[str, VehicleWord] = {}
    broker_pid: int = 0


class ChannelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the demo listens, and the token that proves who speaks."""

    port: Annotated[int, Meta(ge=1, le=65_535)]
    token: Annotated[str, Meta(min_length=16, max_length=128)]


class Channel:
    """Speaks to the demo; one connection for each wish.

    Args:
        where: From the state folder.
        counters: `rehearsal` by outcome.
    """

    def __init__(self, where: ChannelFile, counters: Counters) -> None:
        self._where = where
        self._counters = counters

    async def ask(self, do: Do, wish: Wish | None = None) -> Standing:
        """Pass a wish on and return how things stand.

        Raises:
            OSError: The demo is not reached.
            TimeoutError: It does not answer.
            ProtocolError: It answers something else.
        """
        fault, vehicle = (wish.fault, wish.vehicle) if wish is not None else (None, "")
        order = Order(self._where.token, do, fault, vehicle)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self._where.port, limit=MAX_ANSWER
            )
            try:
                writer.write(encode(order) + b"\n")
                await writer.drain()
                try:
                    line = await reader.readuntil(b"\n")
                except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                    raise ProtocolError("malformed", "the demo gave no whole answer") from error
            finally:
                writer.close()
        standing: Standing = decode(line, Standing, limit=MAX_ANSWER)
        return standing

    async def look(self, request: Request) -> Response:
        """Answer how things stand."""
        return await self._answer(Do.LOOK, None)

    async def do_break(self, request: Request) -> Response:
        """Break something."""
        return await self._wished(Do.BREAK, request)

    async def mend(self, request: Request) -> Response:
        """Mend it."""
        return await self._wished(Do.MEND, request)

    async def _wished(self, do: Do, request: Request) -> Response:
        try:
            wish: Wish = decode(await request.body(), Wish, limit=BODY_LIMIT)
        except ProtocolError as error:
            self._counters.add("rehearsal", error.reason)
            return problem(400, error.reason, error.detail)
        log.info("rehearsal: %s %s %s", do.value, wish.fault.value, wish.vehicle)
        return await self._answer(do, wish)

    async def _answer(self, do: Do, wish: Wish | None) -> Response:
        try:
            standing = await self.ask(do, wish)
        except (OSError, TimeoutError, ProtocolError) as error:
            self._counters.add("rehearsal", "demo_gone")
            return problem(503, "demo_gone", f"the demo does not answer: {type(error).__name__}")
        self._counters.add("rehearsal", standing.reason or do.value)
        if standing.reason:
            return problem(409, standing.reason, standing.detail or standing.reason)
        return JSONResponse(msgspec.to_builtins(standing))


def endpoints(
    channel: Channel | None,
) -> dict[tuple[str, str], Callable[[Request], Awaitable[Response]]]:
    """Return what answers each of `REHEARSAL_ROUTES`; nothing without a demo."""
    if channel is None:
        return {}
    return {
        ("GET", "/api/rehearsal"): channel.look,
        ("POST", "/api/rehearsal/break"): channel.do_break,
        ("POST", "/api/rehearsal/mend"): channel.mend,
    }


def find_channel(state_dir: Path, counters: Counters) -> Channel | None:
    """Return the way to the demo that started this hub; None: there is none.

    Raises:
        ProtocolError: The demo's file is not what it writes.
    """
    path = state_dir / CHANNEL_FILE
    if not path.exists():
        return None
    where: ChannelFile = decode(path.read_bytes(), ChannelFile, limit=MAX_ORDER)
    return Channel(where, counters)
