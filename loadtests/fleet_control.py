"""Messages between `enkan bench fleet` and its two children, one JSON line each.

To a child: `Vehicles` or `Consoles`, any number of `Mark`s, one `Settle`. It answers
each: `Ready` or `Failed`, `VehiclesMark` or `ConsolesMark`, `VehiclesDone` or
`ConsolesDone`. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Final

import msgspec

MAX_LINE: Final = 4_194_304


class Message(msgspec.Struct, frozen=True, tag=True):
    """One line."""


class Vehicles(Message, frozen=True):
    """Be these vehicles of one site. `secrets` holds the secret of each vehicle; the first
    `cameras` of them say that they have a camera (and send no pictures)."""

    host: str
    port: int
    site: str
    secrets: dict[str, str]
    cameras: int = 0


class Consoles(Message, frozen=True):
    """Be these consoles. The first `decoding` read every view, the rest only count."""

    url: str
    account: str
    password: str
    consoles: int
    decoding: int


class Mark(Message, frozen=True):
    """Say how much there was until now."""


class Settle(Message, frozen=True):
    """Come to rest and tell all.

    Attributes:
        last: Number of each vehicle's last telemetry, for consoles to wait for.
        from_ns, until_ns: Delays count of what was sent in this time (CLOCK_MONOTONIC).
    """

    last: dict[str, int] = {}
    from_ns: int = 0
    until_ns: int = 0


class Ready(Message, frozen=True):
    """All are connected."""


class Failed(Message, frozen=True):
    """Something could not connect; why, in words."""

    why: str


class VehiclesMark(Message, frozen=True):
    """Telemetry sent until `at_ns`, heartbeats of the hub heard, connections lost."""

    at_ns: int
    telemetry: int
    heard: int
    lost: list[str]


class VehiclesDone(Message, frozen=True):
    """No telemetry is sent any more; the connections stand.

    Attributes:
        last: Number of each vehicle's last telemetry.
        late_p99_ns: How late telemetry was sent, by this process's own fault.
        lost: Why connections broke, one line each.
    """

    last: dict[str, int]
    late_p99_ns: int
    lost: list[str]


class ConsolesMark(Message, frozen=True):
    """Messages and bytes of all consoles until now, and consoles that ended."""

    messages: int
    octets: int
    shown: int
    ended: list[str]


class ConsolesDone(Message, frozen=True):
    """What consoles saw, all together, over the whole run but for the delays.

    Attributes:
        missing: Consoles' messages missing by their `seq`.
        disordered: Consoles' messages, and telemetry of one vehicle, older than before.
        superseded: Telemetry never shown because newer came within the same tick.
        gaps: Telemetry the hub says it missed (`telemetry_gaps`), all vehicles.
        behind: Telemetry sent at the end and not shown within the time allowed.
        delays: Telemetry the delays are made of: the first showing of each.
        ended: Why consoles ended, one line each.
    """

    missing: int
    disordered: int
    superseded: int
    gaps: int
    behind: int
    shown: int
    delays: int
    delay_p50_ns: int | None
    delay_p99_ns: int | None
    delay_max_ns: int | None
    ended: list[str]


ToChild = Vehicles | Consoles | Mark | Settle
FromChild = Ready | Failed | VehiclesMark | VehiclesDone | ConsolesMark | ConsolesDone

to_child: Final = msgspec.json.Decoder(ToChild)
from_child: Final = msgspec.json.Decoder(FromChild)
encode: Final = msgspec.json.Encoder().encode


def say(message: Message) -> None:
    """Write one line to the bench."""
    sys.stdout.buffer.write(encode(message) + b"\n")
    sys.stdout.buffer.flush()


@contextlib.asynccontextmanager
async def hearing() -> AsyncIterator[asyncio.StreamReader]:
    """Yield what the bench says."""
    reader = asyncio.StreamReader(limit=MAX_LINE)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        yield reader
    finally:
        transport.close()
