"""What the vehicle under test has said. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from protocols.codec import ProtocolError, decode
from protocols.topics import Stream
from protocols.vehicle import (
    CommandResult,
    Connection,
    Factsheet,
    Heartbeat,
    HubHeartbeat,
    State,
    Telemetry,
    VehicleEvent,
)

MESSAGES: Final[dict[Stream, type[msgspec.Struct]]] = {
    Stream.CONNECTION: Connection,
    Stream.FACTSHEET: Factsheet,
    Stream.STATE: State,
    Stream.TELEMETRY: Telemetry,
    Stream.HEARTBEAT: Heartbeat,
    Stream.EVENT: VehicleEvent,
    Stream.CMD_RESULT: CommandResult,
    Stream.HEARTBEAT_HUB: HubHeartbeat,
}
KEPT: Final = 512


class Heard:
    """Everything that came, newest last; of each stream at most `KEPT`.

    Attributes:
        wrong: Messages that are outside the contract, as "stream: why".
        stored: Streams whose last message came from the broker's store, when we came.
        other_hub: Another hub talks to this vehicle.
    """

    def __init__(self, hub_id: str) -> None:
        self.wrong: list[str] = []
        self.stored: set[Stream] = set()
        self.other_hub = ""
        self._hub_id = hub_id
        self._said: dict[Stream, deque[tuple[int, msgspec.Struct]]] = {
            stream: deque(maxlen=KEPT) for stream in MESSAGES
        }

    def take(self, stream: Stream, data: bytes, retained: bool, now_ns: int) -> None:
        """Take one message from the broker."""
        kind = MESSAGES.get(stream)
        if kind is None or not data:
            return
        try:
            message: msgspec.Struct = decode(data, kind)
            check = getattr(message, "check", None)
            if check is not None:
                check()
        except ProtocolError as error:
            if len(self.wrong) < KEPT:
                self.wrong.append(f"{stream.value}: {error.detail}")
            return
        if isinstance(message, HubHeartbeat):
            if message.hub_id != self._hub_id and not retained:
                self.other_hub = message.hub_id
            return
        if retained:
            self.stored.add(stream)
        self._said[stream].append((now_ns, message))

    def all(self, stream: Stream) -> list[tuple[int, msgspec.Struct]]:
        """Return the messages of a stream with when they came."""
        return list(self._said[stream])

    def _newest(self, stream: Stream) -> msgspec.Struct | None:
        said = self._said[stream]
        return said[-1][1] if said else None

    @property
    def connection(self) -> Connection | None:
        """Newest of its stream."""
        message = self._newest(Stream.CONNECTION)
        return message if isinstance(message, Connection) else None

    @property
    def factsheet(self) -> Factsheet | None:
        """Newest of its stream."""
        message = self._newest(Stream.FACTSHEET)
        return message if isinstance(message, Factsheet) else None

    @property
    def state(self) -> State | None:
        """Newest of its stream."""
        message = self._newest(Stream.STATE)
        return message if isinstance(message, State) else None

    @property
    def telemetry(self) -> Telemetry | None:
        """Newest of its stream."""
        message = self._newest(Stream.TELEMETRY)
        return message if isinstance(message, Telemetry) else None

    def heartbeats(self) -> list[tuple[int, Heartbeat]]:
        """Return all that are kept, with when they came."""
        return [(at, m) for at, m in self._said[Stream.HEARTBEAT] if isinstance(m, Heartbeat)]

    def results(self, command_id: str) -> list[CommandResult]:
        """Return the answers to one command."""
        return [
            message
            for _, message in self._said[Stream.CMD_RESULT]
            if isinstance(message, CommandResult) and message.command_id == command_id
        ]
