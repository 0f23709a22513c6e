"""What a hub says to a vehicle, right, or wrong on purpose.

The way there (`Way`) is MQTT in earnest and a vehicle in virtual time in tests, so a rule
waits for what it expects and never for the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from protocols import tags
from protocols.codec import encode
from protocols.drive import DriveFrame, StopFrame, drive_key, seal, stop_key
from protocols.supervision import Purpose
from protocols.topics import Stream, VehicleId
from protocols.vehicle import (
    Body,
    Command,
    CommandResult,
    HubHeartbeat,
    LimitSpeed,
    RefusalReason,
    ResultState,
    TakeControl,
)
from vehicle_stub.contract.heard import Heard

HOLDER: Final = "contract-check"
ANSWER_S: Final = 3.0
SILENCE_MS: Final = 1_500
TTL_MS: Final = 2_000
HARMLESS: Final = LimitSpeed(0.0, 1, "contract-check")
"""An order that does nothing if it is obeyed: a limit that is over at once."""


class Way(Protocol):
    """How the vehicle is reached.

    Attributes:
        heard: What came back.
    """

    heard: Heard

    def now_ns(self) -> int:
        """Our monotonic clock."""
        ...

    async def publish(self, stream: Stream, data: bytes, *, retain: bool = False) -> None:
        """Say this on one of the vehicle's streams."""
        ...

    async def ask_again(self) -> None:
        """Have the broker say again what it has stored."""
        ...

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until it holds; False: it did not in time."""
        ...


class CheckingHub:
    """A hub of which a vehicle can think what it wants.

    Attributes:
        epoch, leased: What its heartbeats say.
        beating: It sends heartbeats. Not before the vehicle has been stopped: one that
            waits for a hub would set off.
        reconnect_s: How long a rule waits for the vehicle to come back to the broker.
    """

    def __init__(
        self,
        way: Way,
        vehicle_id: VehicleId,
        key: bytes,
        epoch: int,
        run_id: str,
        reconnect_s: float = 0.0,
    ) -> None:
        self.way = way
        self.heard = way.heard
        self.vehicle_id = vehicle_id
        self.key = key
        self.epoch = epoch
        self.leased = False
        self.beating = False
        self.seq = 0
        self.reconnect_s = reconnect_s
        self.purpose = Purpose.ASSIST
        self._run_id = run_id
        self._number = 0
        self._beats = 0
        self._frame_seq = 0

    # -------------------------------------------------------------------- heartbeats

    def beat(self) -> bytes:
        """The next heartbeat."""
        self._beats += 1
        return encode(
            HubHeartbeat(
                self._run_id, self._beats, self.way.now_ns(), None, self.epoch, self.leased
            )
        )

    @property
    def session_id(self) -> str:
        """The vehicle's session, from its newest heartbeat."""
        beats = self.heard.heartbeats()
        return beats[-1][1].session_id if beats else ""

    @property
    def vehicle_ns(self) -> int:
        """The vehicle's clock now, from its newest heartbeat; never later than the truth."""
        beats = self.heard.heartbeats()
        if not beats:
            return 0
        at_ns, beat = beats[-1]
        return beat.sent_ns + self.way.now_ns() - at_ns

    # ---------------------------------------------------------------------- commands

    def new_id(self, what: str) -> str:
        """An id that was never used."""
        self._number += 1
        return f"{self._run_id}-{self._number}-{what}"[:64]

    def make(self, body: Body, what: str = "", **changes: Any) -> Command:
        """The next command, right in every way but for `changes`; not sealed."""
        self.seq += 1
        given: dict[str, Any] = {
            "command_id": self.new_id(what or str(body.__struct_config__.tag)),
            "session_id": self.session_id,
            "epoch": self.epoch,
            "seq": self.seq,
            "issued_ns": max(0, self.vehicle_ns),
            "ttl_ms": TTL_MS,
            "body": body,
            "operator": HOLDER,
        }
        return Command(**given | changes)

    def sealed(self, command: Command) -> bytes:
        """The command as it travels."""
        return encode(tags.sign(command, self.vehicle_id, self.key))

    async def send(self, data: bytes, *, retain: bool = False) -> None:
        """Publish on `cmd`."""
        await self.way.publish(Stream.CMD, data, retain=retain)

    async def answer(self, command_id: str, seen: int = 0) -> CommandResult | None:
        """Return the final answer after the first `seen` ones; None: none came."""

        def final() -> CommandResult | None:
            for result in self.heard.results(command_id)[seen:]:
                if result.state is not ResultState.RECEIVED:
                    return result
            return None

        await self.way.until(lambda: final() is not None, ANSWER_S)
        return final()

    async def order(self, body: Body, **changes: Any) -> CommandResult | None:
        """Send a command and return its final answer."""
        command = self.make(body, **changes)
        await self.send(self.sealed(command))
        return await self.answer(command.command_id)

    # ----------------------------------------------------------------------- control

    async def take(self) -> CommandResult | None:
        """Take control to assist in a new epoch, and hold it."""
        self.epoch += 1
        self.seq = 0
        answer = await self.order(TakeControl(HOLDER, self.purpose, SILENCE_MS), operator="")
        self.leased = answer is not None and answer.state is ResultState.APPLIED
        return answer

    def says_holder(self, holder: str) -> bool:
        """Whether the vehicle's newest state names this holder."""
        state = self.heard.state
        return state is not None and state.holder == holder

    # ------------------------------------------------------------------------ frames

    def frame(self) -> bytes:
        """A control frame that wants a standstill, sealed for us and our epoch."""
        self._frame_seq += 1
        frame = DriveFrame(
            self.session_id, self.epoch, self._frame_seq, max(0, self.vehicle_ns), deadman=True
        )
        return seal(frame, drive_key(self.key, self.vehicle_id, self.epoch, HOLDER))

    def stop_frame(self, command_id: str) -> bytes:
        """An emergency stop by its direct path."""
        key = stop_key(self.key, self.vehicle_id, HOLDER)
        return seal(StopFrame(command_id, HOLDER), key)


def refused(answer: CommandResult | None, *reasons: RefusalReason) -> str:
    """Return why this is not the refusal that the contract asks for; empty: it is."""
    if answer is None:
        return "not answered"
    if answer.state is not ResultState.REFUSED:
        return f"{answer.state.value}, not refused"
    if answer.reason not in reasons:
        return f"refused as {answer.reason.value}, not as {reasons[0].value}"
    return ""


def applied(answer: CommandResult | None) -> str:
    """Return why this is not `applied`; empty: it is."""
    if answer is None:
        return "not answered"
    if answer.state is not ResultState.APPLIED:
        return f"{answer.state.value} {answer.reason.value} {answer.text}".strip()
    return ""


def with_tag_of(command: Command, vehicle_id: VehicleId, key: bytes) -> bytes:
    """A command with the tag of another vehicle or key."""
    return encode(tags.sign(command, vehicle_id, key))


def changed_after_sealing(hub: CheckingHub, command: Command) -> bytes:
    """A command that somebody on the way has given another limit and epoch."""
    sealed = tags.sign(command, hub.vehicle_id, hub.key)
    return encode(msgspec.structs.replace(sealed, ttl_ms=command.ttl_ms + 1))
