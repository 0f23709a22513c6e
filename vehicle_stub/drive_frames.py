"""Which control frames a vehicle obeys, whichever way they come. Pure.

Frames come over the data channel "command" and over the MQTT stream `drive`; neither the
media worker nor the broker is trusted. A `DriveFrame` passes these guards, in this order;
the first that objects names the reason under which it is counted:

    size, form     `oversize`, `malformed`, `out_of_range`, `not_finite`, `retained`
    control        `not_holder`: nobody has control for driving
    epoch          `old_epoch`: not the epoch of that control
    tag            `bad_tag`: not made with the drive key of this vehicle, epoch and holder
    session        `wrong_session`: meant for another start of this vehicle's client
    order          `old_seq`: not newer than the newest accepted one, over both ways
    age            `expired` (300 ms), `from_the_future` (100 ms: the console's clock is
                   known no better), on the vehicle's own clock
    envelope       `outside_envelope`: faster or sharper than the vehicle can be driven

A `StopFrame` needs a tag that fits its account's stop key, and nothing else; its command
id makes it one with the command of the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from protocols.codec import ProtocolError
from protocols.drive import (
    FRAME_TTL_MS,
    DriveFrame,
    StopFrame,
    drive_key,
    read,
    sealed_by,
    stop_key,
)
from protocols.topics import VehicleId
from vehicle_stub.checker import NOBODY, Held

LABEL: Final = "command"
"""Of the data channel of whoever has control."""

TTL_NS: Final = FRAME_TTL_MS * 1_000_000
FUTURE_NS: Final = 100_000_000
SPEED_MARGIN_MPS: Final = 0.01
"""What is said in the factsheet is rounded."""


class Limits(NamedTuple):
    """The vehicle's own envelope for driving: m/s, and 1/m to either side."""

    max_speed_mps: float
    max_curvature: float


class Obeyed(NamedTuple):
    """A valid frame; what it wants is for the dead-man to judge.

    Attributes:
        issued_ns: When it was made, never later than now.
    """

    frame: DriveFrame
    issued_ns: int
    by_hub: bool


class StopNow(NamedTuple):
    """An emergency stop by its direct path."""

    command_id: str
    operator: str


class Ignored(NamedTuple):
    """A frame that is not obeyed, and the reason it was counted under."""

    reason: str


Verdict = Obeyed | StopNow | Ignored


class Expected(NamedTuple):
    """What the guards compare with."""

    session_id: str
    seq: int
    now_ns: int
    limits: Limits


Guard = Callable[[DriveFrame, Expected], str]


def guard_session(frame: DriveFrame, expected: Expected) -> str:
    """Refuse what was meant for another start of this client."""
    return "" if frame.session_id == expected.session_id else "wrong_session"


def guard_order(frame: DriveFrame, expected: Expected) -> str:
    """Refuse what is not newer than the newest."""
    return "" if frame.seq > expected.seq else "old_seq"


def guard_age(frame: DriveFrame, expected: Expected) -> str:
    """Refuse what is too old to be what the driver wants now."""
    return "" if expected.now_ns - frame.issued_ns <= TTL_NS else "expired"


def guard_future(frame: DriveFrame, expected: Expected) -> str:
    """Refuse what claims to be made later: its age would mean nothing."""
    return "" if frame.issued_ns - expected.now_ns <= FUTURE_NS else "from_the_future"


def guard_envelope(frame: DriveFrame, expected: Expected) -> str:
    """Refuse to be driven as this vehicle cannot be; letting go is always heard."""
    limits = expected.limits
    if not frame.deadman:
        return ""
    if frame.speed_mps > limits.max_speed_mps + SPEED_MARGIN_MPS:
        return "outside_envelope"
    return "" if abs(frame.curvature) <= limits.max_curvature else "outside_envelope"


GUARDS: Final[tuple[Guard, ...]] = (
    guard_session,
    guard_order,
    guard_age,
    guard_future,
    guard_envelope,
)


class DriveFrames:
    """Checks the frames of one vehicle.

    Attributes:
        seq: Newest accepted since control was taken; -1: none.
        frames: How many came in all.
        refused: Since control was taken, by reason.
        refused_in_all: Since the start, by reason.
    """

    def __init__(
        self,
        vehicle_id: VehicleId,
        key: bytes,
        session_id: str,
        limits: Limits,
        guards: Sequence[Guard] = GUARDS,
    ) -> None:
        self.seq = -1
        self.frames = 0
        self.refused: dict[str, int] = {}
        self.refused_in_all: dict[str, int] = {}
        self._vehicle_id = vehicle_id
        self._key = key
        self._session_id = session_id
        self._limits = limits
        self._guards = tuple(guards)
        self._held = NOBODY

    def begin(self, held: Held) -> None:
        """Control for driving was taken: only its holder's frames of its epoch count."""
        self._held = held
        self.seq = -1
        self.refused = {}

    def end(self) -> None:
        """Nobody drives."""
        self._held = NOBODY

    def check(
        self, data: bytes | str, now_ns: int, *, by_hub: bool = False, retained: bool = False
    ) -> Verdict:
        """Return what to do with one frame.

        Args:
            data: As received; text is no frame.
            now_ns: Vehicle monotonic clock.
            by_hub: It came by MQTT instead of the data channel.
            retained: It came from the broker's store.
        """
        self.frames += 1
        if isinstance(data, str):
            return self.ignore("malformed")
        if retained:
            return self.ignore("retained")
        try:
            frame = read(data)
        except ProtocolError as error:
            return self.ignore(error.reason)
        if isinstance(frame, StopFrame):
            if not sealed_by(data, stop_key(self._key, self._vehicle_id, frame.operator)):
                return self.ignore("bad_tag")
            return StopNow(frame.command_id, frame.operator)
        held = self._held
        if held is NOBODY:
            return self.ignore("not_holder")
        if frame.epoch != held.epoch:
            return self.ignore("old_epoch")
        if not sealed_by(data, drive_key(self._key, self._vehicle_id, held.epoch, held.holder)):
            return self.ignore("bad_tag")
        expected = Expected(self._session_id, self.seq, now_ns, self._limits)
        for guard in self._guards:
            reason = guard(frame, expected)
            if reason:
                return self.ignore(reason)
        self.seq = frame.seq
        return Obeyed(frame, min(frame.issued_ns, now_ns), by_hub)

    def ignore(self, reason: str) -> Ignored:
        """Count one that is not obeyed."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self.refused_in_all[reason] = self.refused_in_all.get(reason, 0) + 1
        return Ignored(reason)
