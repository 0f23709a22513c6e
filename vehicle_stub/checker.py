"""Which commands a vehicle obeys. Pure, and never trusts the broker.

A command passes a row of guards, in this order; the first that objects names the
reason. What `never_waits` (stops) is the safe direction: it needs a valid tag and nothing
else (any session, epoch, seq or age), so a late or replayed stop costs a standing
vehicle, never a moving one. Everything else needs all guards.

    tag       made by this hub for this very vehicle (protocols.tags)
    session   meant for this start of the vehicle's client
    epoch     not older than the highest epoch this vehicle ever accepted (persisted),
              nor than the one a hub has said in a heartbeat: a hub that was started
              anew has fenced off what the last one sent
    seq       newer than the last accepted one of that epoch, stops included: a resume
              that was issued before a stop and arrives after it is refused
    expiry    now <= issued + ttl, on this vehicle's own monotonic clock
    future    issued <= now + 1 s
    take      `take_control` brings an epoch in which nothing was obeyed before, stops
              aside: no epoch ever has two holders, over restarts too
    holder    what `needs_control` comes from who has control of this vehicle, in the
              epoch of that control
    place     a path is on earth

A command of a new epoch is first answered `PersistEpoch`: the shell writes the epoch
to disk, calls `epoch_is_durable` and submits the same bytes again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar, get_args

import msgspec

from protocols import tags
from protocols.codec import ProtocolError, decode
from protocols.topics import VehicleId
from protocols.vehicle import (
    Body,
    Command,
    EmergencyStop,
    FollowPath,
    RefusalReason,
    TakeControl,
)

FUTURE_NS: Final = 1_000_000_000
KINDS: Final = frozenset(str(body.__struct_config__.tag) for body in get_args(Body))
"""The command types there are."""

REMEMBERED: Final = 1_024
"""Authenticated command ids kept, and as many of stops; an evicted one is still refused by
its seq, and an evicted stop, after so many others, stops again."""


T = TypeVar("T")


class Accepted(NamedTuple):
    """Apply it now."""

    command: Command


class Refused(NamedTuple):
    """Answer with the reason. `command_id` is None if it could not be read."""

    command_id: str | None
    reason: RefusalReason
    text: str


class Repeated(NamedTuple):
    """Known already: answer as before, do nothing."""

    command_id: str


class PersistEpoch(NamedTuple):
    """Write `epoch` to disk, then submit the same bytes again."""

    epoch: int


Verdict = Accepted | Refused | Repeated | PersistEpoch


class Held(NamedTuple):
    """Who has control of this vehicle now, and in which epoch; "" is nobody."""

    holder: str
    epoch: int


NOBODY: Final = Held("", 0)


class Marks(NamedTuple):
    """What the guards compare with.

    Attributes:
        session_id: This start of the client.
        epoch: Highest accepted.
        seq: Last accepted in that epoch; -1 for none.
        now_ns: Vehicle monotonic clock.
        fence: Highest epoch a hub has said it commands with.
        used: Highest epoch of anything accepted that is no stop, over all starts.
        held: Who has control.
    """

    session_id: str
    epoch: int
    seq: int
    now_ns: int
    fence: int
    used: int
    held: Held


class Objection(NamedTuple):
    """Why a guard refuses."""

    reason: RefusalReason
    text: str


Guard = Callable[[Command, Marks], Objection | None]


def guard_session(command: Command, marks: Marks) -> Objection | None:
    """Refuse what was meant for another start of this client."""
    if command.session_id == marks.session_id:
        return None
    return Objection(RefusalReason.WRONG_SESSION, "meant for another session of this vehicle")


def guard_epoch(command: Command, marks: Marks) -> Objection | None:
    """Refuse a fenced-off epoch."""
    highest = max(marks.epoch, marks.fence)
    if command.epoch >= highest:
        return None
    return Objection(RefusalReason.OLD_EPOCH, f"epoch {command.epoch}, highest seen {highest}")


def guard_seq(command: Command, marks: Marks) -> Objection | None:
    """Refuse what is not newer within its epoch."""
    if command.epoch != marks.epoch or command.seq > marks.seq:
        return None
    return Objection(RefusalReason.OLD_SEQ, f"seq {command.seq}, last seen {marks.seq}")


def guard_expiry(command: Command, marks: Marks) -> Objection | None:
    """Refuse what is older than its time to live."""
    late = marks.now_ns - command.issued_ns - command.ttl_ms * 1_000_000
    if late <= 0:
        return None
    return Objection(RefusalReason.EXPIRED, f"{late // 1_000_000} ms too late")


def guard_future(command: Command, marks: Marks) -> Objection | None:
    """Refuse what claims to be issued later than now: its expiry would mean nothing."""
    early = command.issued_ns - marks.now_ns
    if early <= FUTURE_NS:
        return None
    return Objection(RefusalReason.FROM_THE_FUTURE, f"issued {early // 1_000_000} ms from now")


def guard_take(command: Command, marks: Marks) -> Objection | None:
    """Refuse to give control in an epoch that was used already."""
    if not isinstance(command.body, TakeControl) or command.epoch > marks.used:
        return None
    return Objection(RefusalReason.OLD_EPOCH, f"control needs an epoch above {marks.used}")


def guard_holder(command: Command, marks: Marks) -> Objection | None:
    """Refuse what only the holder of control may order, from anybody else."""
    held = marks.held
    if not command.body.needs_control:
        return None
    if not held.holder:
        return Objection(RefusalReason.NOT_HOLDER, "nobody has control of this vehicle")
    if command.operator != held.holder or command.epoch != held.epoch:
        return Objection(RefusalReason.NOT_HOLDER, f"{held.holder} has control of this vehicle")
    return None


def guard_place(command: Command, marks: Marks) -> Objection | None:
    """Refuse a path through places that are none on earth."""
    if isinstance(command.body, FollowPath):
        try:
            command.body.check()
        except ProtocolError as error:
            return Objection(RefusalReason.OUTSIDE_ENVELOPE, error.detail)
    return None


GUARDS: Final[tuple[Guard, ...]] = (
    guard_session,
    guard_epoch,
    guard_seq,
    guard_expiry,
    guard_future,
    guard_take,
    guard_holder,
    guard_place,
)


class _Id(msgspec.Struct):
    command_id: str = ""


class _Type(msgspec.Struct):
    type: str = ""


class _Typed(msgspec.Struct):
    body: _Type = msgspec.field(default_factory=_Type)


class CommandChecker:
    """Checks the bytes of one vehicle's `cmd` topic.

    Attributes:
        epoch: Highest accepted.
        seq: Last accepted in it; -1 for none.
        fence: Highest epoch a hub has said; not persisted, so that a forged one costs
            nothing but resumes until the next start.
    """

    def __init__(
        self,
        vehicle_id: VehicleId,
        key: bytes,
        session_id: str,
        durable_epoch: int,
        guards: Sequence[Guard] = GUARDS,
    ) -> None:
        self.epoch = durable_epoch
        self.seq = -1
        self.fence = 0
        self._vehicle_id = vehicle_id
        self._key = key
        self._session_id = session_id
        self._durable = durable_epoch
        self._used = durable_epoch
        self._guards = tuple(guards)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._stops: OrderedDict[tuple[str, str], None] = OrderedDict()

    def fence_off(self, epoch: int) -> bool:
        """A hub said its epoch; return whether it has risen: it is not the hub of before."""
        if epoch <= self.fence:
            return False
        self.fence = epoch
        return True

    def epoch_is_durable(self, epoch: int) -> None:
        """The shell has this epoch on disk."""
        self._durable = max(self._durable, epoch)

    def stopped_by_frame(self, command_id: str) -> bool:
        """An emergency stop came by its direct path (`protocols.drive.StopFrame`).

        Return whether it is new; the command of the same id is `Repeated` from then on.
        """
        known_as = (command_id, _kind(EmergencyStop()))
        if known_as in self._stops:
            return False
        _remember(self._stops, known_as)
        return True

    def check(self, data: bytes, retained: bool, now_ns: int, held: Held = NOBODY) -> Verdict:
        """Return what to do with one message.

        Args:
            data: As received.
            retained: It came from the broker's store: an order of some other day.
            now_ns: Vehicle monotonic clock.
            held: Who has control at that time.
        """
        try:
            command: Command = decode(data, Command)
        except ProtocolError as error:
            return _unreadable(data, error)
        if retained:
            return Refused(command.command_id, RefusalReason.RETAINED, "commands are never stored")
        if not tags.verify(command, self._vehicle_id, self._key):
            return Refused(command.command_id, RefusalReason.BAD_TAG, "the tag does not fit")
        if command.body.never_waits:
            return self._check_stop(command)
        if command.command_id in self._known:
            return Repeated(command.command_id)
        marks = Marks(self._session_id, self.epoch, self.seq, now_ns, self.fence, self._used, held)
        for guard in self._guards:
            objection = guard(command, marks)
            if objection is not None:
                _remember(self._known, command.command_id)
                return Refused(command.command_id, objection.reason, objection.text)
        if command.epoch > self._durable:
            return PersistEpoch(command.epoch)
        self._used = max(self._used, command.epoch)
        self._advance(command)
        _remember(self._known, command.command_id)
        return Accepted(command)

    def _check_stop(self, command: Command) -> Verdict:
        # Nothing that meant something else may swallow a stop, nor one stop a harder one.
        known_as = (command.command_id, _kind(command.body))
        if known_as in self._stops:
            return Repeated(command.command_id)
        self._advance(command)
        _remember(self._stops, known_as)
        return Accepted(command)

    def _advance(self, command: Command) -> None:
        if command.epoch > self.epoch:
            self.epoch, self.seq = command.epoch, command.seq
        elif command.epoch == self.epoch:
            self.seq = max(self.seq, command.seq)


def _remember(known: OrderedDict[T, None], known_as: T) -> None:
    known[known_as] = None
    if len(known) > REMEMBERED:
        known.popitem(last=False)


def _kind(body: Body) -> str:
    return str(body.__struct_config__.tag)


def _unreadable(data: bytes, error: ProtocolError) -> Refused:
    """Name what can still be named: the id, and whether only the type is unknown."""
    try:
        named: _Id = decode(data, _Id)
        typed: _Typed = decode(data, _Typed)
    except ProtocolError:
        return Refused(None, RefusalReason.MALFORMED, error.detail)
    found = named.command_id[:64] or None
    kind = typed.body.type
    if kind and kind not in KINDS:
        return Refused(found, RefusalReason.UNKNOWN_TYPE, f"unknown command {kind[:32]!r}")
    return Refused(found, RefusalReason.MALFORMED, error.detail)
