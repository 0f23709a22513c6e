"""What a vehicle may be ordered, one order at a time, and what it answers.

A *body* says what is meant; `Command` says who orders it, in which order, and until when
it may be obeyed. Each body states two things that guards depend on:

* `never_waits`: the safe direction. It is sent at once, whoever holds control, and is
  obeyed whatever its session, epoch, seq or age.
* `needs_control`: only who holds control of the vehicle gives it; hub and vehicle both
  refuse it from anybody else.
"""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from protocols.codec import finite
from protocols.fields import Counter, Nanoseconds, Position, Text, Token
from protocols.supervision import Purpose

RequestId = Annotated[str, Meta(max_length=64)]
MAX_PATH_POINTS = 200


class Stop(msgspec.Struct, frozen=True, tag="stop", forbid_unknown_fields=True):
    """Stop now by service braking. It needs no control and no fresh epoch."""

    never_waits: ClassVar[bool] = True
    needs_control: ClassVar[bool] = False


class EmergencyStop(msgspec.Struct, frozen=True, tag="emergency_stop", forbid_unknown_fields=True):
    """Stop as hard as the vehicle can, drives off. Travels by every path there is at once,
    under one command id: the data channel (`drive.StopFrame`) and twice over the hub."""

    never_waits: ClassVar[bool] = True
    needs_control: ClassVar[bool] = False


class Resume(msgspec.Struct, frozen=True, tag="resume", forbid_unknown_fields=True):
    """Go on autonomously ("proceed"), decided by a person who was shown the picture.

    Attributes:
        request_id: Event id of the take-over request this answers; may be empty.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    request_id: RequestId = ""


class Wait(msgspec.Struct, frozen=True, tag="wait", forbid_unknown_fields=True):
    """Answer to a request: stay where you are, and do not act by yourself for `more_s`.

    Attributes:
        more_s: Seconds from when it is applied; then the request's own rule holds again.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    request_id: RequestId
    more_s: Annotated[float, Meta(gt=0, le=600)]


class AlternatePath(msgspec.Struct, frozen=True, tag="alternate_path", forbid_unknown_fields=True):
    """Answer to a request: take one of the ways that the vehicle itself offered
    (`vehicle.PathOption`)."""

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    request_id: RequestId
    option_id: Token


class PullOver(msgspec.Struct, frozen=True, tag="pull_over", forbid_unknown_fields=True):
    """Leave the lane to the side and stop there; only a `resume` ends it."""

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    request_id: RequestId = ""


class FollowPath(msgspec.Struct, frozen=True, tag="follow_path", forbid_unknown_fields=True):
    """Drive along this path by yourself, then go on as planned. The vehicle refuses a path
    outside its own envelope (`outside_envelope`).

    Attributes:
        points: From where it stands; at most 200.
        max_speed_mps: At most this fast, m/s.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    points: Annotated[list[Position], Meta(min_length=2, max_length=MAX_PATH_POINTS)]
    max_speed_mps: Annotated[float, Meta(gt=0, le=20)]
    request_id: RequestId = ""

    def check(self) -> None:
        """Raise ProtocolError for a place that is none on earth."""
        for longitude, latitude in self.points:
            finite(longitude, -180.0, 180.0, "longitude")
            finite(latitude, -90.0, 90.0, "latitude")


class LimitSpeed(msgspec.Struct, frozen=True, tag="limit_speed", forbid_unknown_fields=True):
    """Drive no faster than this until `issued_ns` + `hold_ms` on the vehicle's clock; the
    newest one holds. Without a limit that still holds the vehicle drives by its own lower
    default: silence never means *no limit*.

    Attributes:
        max_speed_mps: At most this fast, m/s; the vehicle's own limits stay.
        hold_ms: For how long from `issued_ns`, without being renewed.
        source: Who limits, for the vehicle's log (`operator.LimitSource`).
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = False

    max_speed_mps: Annotated[float, Meta(ge=0, le=100)]
    hold_ms: Annotated[int, Meta(ge=1, le=60_000)]
    source: Annotated[str, Meta(max_length=32)] = ""


class MinimalRisk(msgspec.Struct, frozen=True, tag="minimal_risk", forbid_unknown_fields=True):
    """Perform your own minimal-risk manoeuvre now; only a `resume` ends it.

    Attributes:
        reason: Machine-readable, for the vehicle's log.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = False

    reason: Annotated[str, Meta(max_length=64)] = ""


class TakeControl(msgspec.Struct, frozen=True, tag="take_control", forbid_unknown_fields=True):
    """From this command's epoch on, `holder` and nobody else has control. Given by the hub,
    recorded first. The vehicle answers `applied` when it obeys; for `drive` it has to stand,
    and says operation mode REMOTE_DRIVE from then on.

    Control lapses on the vehicle by itself, and is never taken up again by itself: with a
    higher epoch, with its own restart, and `silence_ms` after the last hub heartbeat that
    carries this epoch and `leased`. Lapsed while driven: minimal-risk manoeuvre.

    Attributes:
        holder: Account of the operator; `Command.operator` of what he gives.
        purpose: `assist` or `drive`.
        silence_ms: See above.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = False

    holder: Token
    purpose: Purpose
    silence_ms: Annotated[int, Meta(ge=200, le=10_000)] = 1_500


class ReleaseControl(
    msgspec.Struct, frozen=True, tag="release_control", forbid_unknown_fields=True
):
    """Control ends: the vehicle is on its own again. While driven it brakes to a standstill
    first; `applied` says that it stands or drives by itself, and nobody has control.

    Attributes:
        reason: `handed_back`, `preempted`, `lapsed`, ..., for the vehicle's log.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = False

    reason: Annotated[str, Meta(max_length=64)] = ""


class Doors(msgspec.Struct, frozen=True, tag="doors", forbid_unknown_fields=True):
    """Open or close the doors of a bus; refused while it moves."""

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    open: bool


class Announce(msgspec.Struct, frozen=True, tag="announce", forbid_unknown_fields=True):
    """Say something inside or outside the vehicle.

    Attributes:
        outside: To the street instead of the cabin.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    text: Annotated[str, Meta(min_length=1, max_length=200)]
    outside: bool = False


class Implement(msgspec.Struct, frozen=True, tag="implement", forbid_unknown_fields=True):
    """Set a tractor's implement and power take-off. Power take-off on is refused while a
    person is seen near the machine.

    Attributes:
        lowered, pto: As wanted; None: as it is.
    """

    never_waits: ClassVar[bool] = False
    needs_control: ClassVar[bool] = True

    lowered: bool | None = None
    pto: bool | None = None


Body = (
    Stop
    | EmergencyStop
    | Resume
    | Wait
    | AlternatePath
    | PullOver
    | FollowPath
    | LimitSpeed
    | MinimalRisk
    | TakeControl
    | ReleaseControl
    | Doors
    | Announce
    | Implement
)


OperatorBody = Resume | Wait | AlternatePath | PullOver | FollowPath | Doors | Announce | Implement
"""What an operator who has control may order (`operator.AskCommand`)."""


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """H→V, QoS 1, never retained: one order to one vehicle.

    Attributes:
        command_id: Unique; a repetition is the same command and has one effect.
        session_id: The vehicle session it is meant for. Empty only for what never waits,
            sent before the hub has heard a heartbeat.
        epoch: Fencing token, strictly rising over hub restarts and lease changes.
        seq: Strictly rising within the epoch.
        issued_ns: *Vehicle* monotonic clock at issue, as the hub estimates it from
            the last heartbeat (`sent_ns` + time since its arrival; early by the
            uplink delay, so a command expires rather too soon than too late).
            0 only for what never waits, sent before the hub has heard a heartbeat.
        ttl_ms: The vehicle refuses it once its clock passes `issued_ns` + ttl.
        operator: Who gave it, for the vehicle's own log.
        tag: See `protocols.tags`.
    """

    command_id: Token
    session_id: Annotated[str, Meta(max_length=64)]
    epoch: Counter
    seq: Counter
    issued_ns: Nanoseconds
    ttl_ms: Annotated[int, Meta(ge=1, le=60_000)]
    body: Body
    operator: Annotated[str, Meta(max_length=64)] = ""
    tag: Annotated[str, Meta(max_length=64)] = ""

    def with_tag(self, tag: str) -> Command:
        """Return the same command with another tag."""
        return Command(
            self.command_id,
            self.session_id,
            self.epoch,
            self.seq,
            self.issued_ns,
            self.ttl_ms,
            self.body,
            self.operator,
            tag,
        )


class ResultState(enum.StrEnum):
    """How far a command has come at the vehicle."""

    RECEIVED = "received"
    APPLIED = "applied"
    REFUSED = "refused"


class RefusalReason(enum.StrEnum):
    """Why a vehicle refuses a command."""

    NONE = ""
    BAD_TAG = "bad_tag"
    WRONG_SESSION = "wrong_session"
    OLD_EPOCH = "old_epoch"
    OLD_SEQ = "old_seq"
    EXPIRED = "expired"
    FROM_THE_FUTURE = "from_the_future"
    UNKNOWN_TYPE = "unknown_type"
    MALFORMED = "malformed"
    RETAINED = "retained"
    OUTSIDE_ENVELOPE = "outside_envelope"
    NOT_POSSIBLE_NOW = "not_possible_now"
    NOT_HOLDER = "not_holder"


class CommandResult(msgspec.Struct, frozen=True):
    """V→H, QoS 1: one step of one command.

    `applied` means that the effect is reached as far as the vehicle decides it:
    for `stop`, that braking is commanded and the drive is off; the speed that
    follows is in the telemetry.

    Attributes:
        at_ns: Vehicle monotonic clock.
    """

    session_id: Token
    command_id: Token
    state: ResultState
    at_ns: Nanoseconds
    reason: RefusalReason = RefusalReason.NONE
    text: Text = ""
