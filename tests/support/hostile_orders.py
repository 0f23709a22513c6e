"""Hostile commands and control frames against a vehicle that is being driven.

The vehicle is the real one, in virtual time; its hub and its driver go on meanwhile, so
that there is something to replay, to reorder and to change. Each hostile message has a
cause, and each cause the reasons for which it has to be refused; that it changes nothing
is held after every one of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from protocols import tags
from protocols.codec import encode
from protocols.drive import DriveFrame, StopFrame, drive_key, seal, stop_key
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from protocols.vehicle import (
    Command,
    EmergencyStop,
    FollowPath,
    HubHeartbeat,
    LimitSpeed,
    MinimalRisk,
    Resume,
    Stop,
    TakeControl,
    Wait,
)
from support.mutation import mutate
from support.vehicle_world import BUS, HOLDER, KEY, MS, World
from vehicle_stub import checker, drive_frames
from vehicle_stub.checker import Accepted, PersistEpoch, Refused, Repeated

OTHER = VehicleId("maebashi", "bus-02")
OTHER_KEY = bytes(32)
GENUINE_EVERY = 40
"""Hostile messages to one genuine control frame: 40 ms."""


@dataclass
class Outcome:
    """What became of the hostile messages."""

    sent: int = 0
    obeyed: list[str] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)
    refused: dict[str, dict[str, int]] = field(default_factory=dict)
    genuine: int = 0
    counted: int = 0
    took_s: float = 0.0

    @property
    def held(self) -> bool:
        """Nothing was obeyed, everything counted by its cause, and the driving went on."""
        return not self.obeyed and not self.misnamed and self.counted == self.sent > 0

    def __str__(self) -> str:
        lines = [
            f"{self.sent:,} hostile commands and control frames in {self.took_s:.0f} s, "
            f"{self.genuine:,} genuine ones between them: {len(self.obeyed)} obeyed wrongly, "
            f"{len(self.misnamed)} refused for another cause, {self.counted:,} counted"
        ]
        for cause, reasons in sorted(self.refused.items()):
            said = ", ".join(f"{reason} {n:,}" for reason, n in sorted(reasons.items()))
            lines.append(f"  {cause:<28} {said}")
        lines += [f"  OBEYED: {what}" for what in self.obeyed[:10]]
        lines += [f"  misnamed: {what}" for what in self.misnamed[:10]]
        return "\n".join(lines)


class _Attack:
    """One vehicle under attack."""

    def __init__(self, seed: int, made: dict[str, Any]) -> None:
        self.choose = random.Random(f"orders {seed}")
        self.world = World(made=made)
        self.last: Any = None
        self.outcome = Outcome()
        self._number = 0
        world = self.world
        world.now = 60_000 * MS
        self._watch(world.vehicle.checker, "check")
        self._watch(world.vehicle.frames, "check")
        world.hub_there = False
        world.vehicle.drive.open_doors(opened=True)
        world.take(Purpose.DRIVE)
        self.commands: list[bytes] = []
        self.frames: list[bytes] = []
        self.stops: list[bytes] = []
        self.genuine()
        self.causes: dict[str, tuple[Callable[[], None], set[str]]] = {
            "command replayed": (self._replay, {"repeated", "old_seq"}),
            "command with a known id": (self._known_id, {"repeated"}),
            "command reordered": (lambda: self._command(seq=self.world.seq - 1), {"old_seq"}),
            "command stale": (self._stale, {"expired"}),
            "command from the future": (self._future, {"from_the_future"}),
            "command of another vehicle": (lambda: self._forge(vehicle=OTHER), {"bad_tag"}),
            "command of another key": (lambda: self._forge(key=OTHER_KEY), {"bad_tag"}),
            "command of an old epoch": (lambda: self._command(epoch=5), {"old_epoch"}),
            "command of another session": (
                lambda: self._command(session_id="s-0"), {"wrong_session"},
            ),
            "command of nobody in control": (
                lambda: self._command(body=Resume(), operator="jiro"), {"not_holder"},
            ),
            "control in a used epoch": (
                lambda: self._command(body=TakeControl("jiro", Purpose.DRIVE)), {"old_epoch"},
            ),
            "path off the earth": (self._path, {"outside_envelope"}),
            "command stored": (self._stored, {"retained"}),
            "command corrupted": (
                lambda: self._order(mutate(self.choose.choice(self.commands), self.choose)),
                {"bad_tag", "malformed", "unknown_type", "repeated"},
            ),
            "stop corrupted": (
                lambda: self._order(mutate(self.choose.choice(self.stops), self.choose)),
                {"bad_tag", "malformed", "unknown_type", "repeated"},
            ),
            "frame replayed": (lambda: self._drive(self.choose.choice(self.frames)), {"old_seq"}),
            "frame reordered": (
                lambda: self._frame(seq=self.choose.randrange(self.world.frame_seq)), {"old_seq"},
            ),
            "frame stale": (
                lambda: self._frame(issued_ns=self.world.now - self._over(301)), {"expired"},
            ),
            "frame from the future": (
                lambda: self._frame(issued_ns=self.world.now + self._over(101)),
                {"from_the_future"},
            ),
            "frame of another vehicle": (lambda: self._frame(vehicle=OTHER), {"bad_tag"}),
            "frame of another holder": (lambda: self._frame(holder="jiro"), {"bad_tag"}),
            "frame of an old epoch": (lambda: self._frame(epoch=5), {"old_epoch"}),
            "frame of a new epoch": (lambda: self._frame(epoch=7), {"old_epoch"}),
            "frame of another session": (
                lambda: self._frame(session_id="s-0"), {"wrong_session"},
            ),
            "frame outside the envelope": (
                lambda: self._frame(speed_mps=self.choose.uniform(5.6, 20.0)),
                {"outside_envelope"},
            ),
            "frame stored": (lambda: self._drive(self._made(), retained=True), {"retained"}),
            "frame corrupted": (
                lambda: self._drive(mutate(self.choose.choice(self.frames), self.choose)),
                {"bad_tag", "malformed", "oversize", "out_of_range", "not_finite", "old_epoch",
                 "old_seq"},
            ),
            "stop frame of another key": (
                lambda: self._stop_frame(self.choose.choice(["jiro", "saburo"])), {"bad_tag"},
            ),
        }  # fmt: skip

    def _watch(self, part: Any, name: str) -> None:
        real = getattr(part, name)

        def watched(*args: Any, **named: Any) -> Any:
            self.last = real(*args, **named)
            return self.last

        setattr(part, name, watched)

    # ---------------------------------------------------------------------- the genuine

    def genuine(self) -> None:
        """The hub and the driver go on; what they say is kept, to be misused."""
        world = self.world
        world.vehicle.drive.speed = 0.0
        beat = HubHeartbeat("h", 1, world.now, epoch=6, leased=True)
        world.vehicle.on_hub_heartbeat(beat, world.now)
        command_id = self._id()
        body = self.choose.choice([LimitSpeed(1.0, 1_000), Wait("none", 1.0)])
        self._keep(self.commands, world.command(command_id, body))
        assert isinstance(self.last, Accepted), self.last
        self._keep(self.frames, world.frame())
        assert isinstance(self.last, drive_frames.Obeyed), self.last
        if not self.stops:  # stops of before it was driven: known to it
            for kind in (Stop(), EmergencyStop()):
                data = world.order(self._id(), kind)
                verdict = world.vehicle.checker.check(data, False, world.now)
                assert isinstance(verdict, Accepted)
                self.stops.append(data)
        world.vehicle.on_time(world.now)
        world.drain()
        world.said.clear()
        self.outcome.genuine += 2

    def _keep(self, kept: list[bytes], data: bytes) -> None:
        kept.append(data)
        del kept[:-16]

    def _id(self) -> str:
        self._number += 1
        return f"g-{self._number}"

    # ---------------------------------------------------------------------- the hostile

    def step(self) -> None:
        """Send one hostile message, and hold what came of it against its cause."""
        cause = self.choose.choice(list(self.causes))
        send, reasons = self.causes[cause]
        self.world.now += MS
        before = self._effects()
        counted = self._counted()
        send()
        reason = self._reason()
        outcome = self.outcome
        outcome.sent += 1
        outcome.counted += self._counted() - counted == 1
        by_reason = outcome.refused.setdefault(cause, {})
        by_reason[reason] = by_reason.get(reason, 0) + 1
        if self._effects() != before:
            outcome.obeyed.append(f"{cause}: {self.last}")
        elif reason not in reasons:
            outcome.misnamed.append(f"{cause}: {reason}")
        self.world.drain()
        self.world.said.clear()
        self.world.persist.clear()

    def _effects(self) -> tuple[Any, ...]:
        vehicle = self.world.vehicle
        accepted = sum(n for what, n in vehicle.counts.items() if what.startswith("accepted_"))
        return (
            accepted, vehicle.checker.epoch, vehicle.control.held, vehicle.control.until_ns,
            vehicle.frames.seq, vehicle.deadman.until_ns, vehicle.deadman.wish,
            vehicle.conduct.phase, vehicle.limit.until_ns,
        )  # fmt: skip

    def _counted(self) -> int:
        vehicle = self.world.vehicle
        return (
            sum(vehicle.frames.refused_in_all.values())
            + sum(n for what, n in vehicle.counts.items() if what.startswith("refused_"))
            + vehicle.counts.get("repeated", 0)
        )

    def _reason(self) -> str:
        match self.last:
            case Refused(_, reason, _):
                return str(reason.value)
            case Repeated():
                return "repeated"
            case drive_frames.Ignored(reason):
                return reason
            case PersistEpoch():
                return "persisted"
        return "obeyed"

    def _order(self, data: bytes, *, retained: bool = False) -> None:
        self.world.vehicle.on_command(data, retained, self.world.now)

    def _drive(self, data: bytes, *, retained: bool = False) -> None:
        by_hub = self.choose.random() < 0.5
        self.world.vehicle.on_frame(data, self.world.now, by_hub=by_hub, retained=retained)

    def _over(self, least_ms: int) -> int:
        return self.choose.randrange(least_ms, 10 * least_ms) * MS

    def _command(self, body: Any = None, **changes: Any) -> None:
        chosen = body or self.choose.choice([LimitSpeed(9.0, 9_000), MinimalRisk("x"), Resume()])
        world = self.world
        given = {"seq": world.seq + 1} | changes
        data = world.order(self._id(), chosen, **given)
        world.seq -= 1
        self._order(data)

    def _forge(self, vehicle: VehicleId = BUS, key: bytes = KEY) -> None:
        chosen = self.choose.choice([Stop(), EmergencyStop(), Resume(), LimitSpeed(9.0, 9_000)])
        command = msgspec.json.decode(self.world.order(self._id(), chosen), type=Command)
        self.world.seq -= 1
        self._order(encode(tags.sign(command, vehicle, key)))

    def _replay(self) -> None:
        self._order(self.choose.choice([*self.commands, *self.stops]))

    def _known_id(self) -> None:
        known = msgspec.json.decode(self.choose.choice(self.commands), type=Command)
        changed = msgspec.structs.replace(
            known, seq=self.world.seq + 50, issued_ns=self.world.now, body=Resume()
        )
        self._order(encode(tags.sign(changed, BUS, KEY)))

    def _stale(self) -> None:
        self._command(issued_ns=self.world.now - self._over(1_001))

    def _future(self) -> None:
        self._command(issued_ns=self.world.now + self._over(1_001))

    def _path(self) -> None:
        self._command(body=FollowPath([(139.0, 36.0), (139.0, 91.0)], 1.0))

    def _stored(self) -> None:
        data = self.world.order(self._id(), self.choose.choice([Stop(), Resume()]))
        self.world.seq -= 1
        self._order(data, retained=True)

    def _made(self, **changes: Any) -> bytes:
        holder = changes.pop("holder", HOLDER)
        vehicle = changes.pop("vehicle", BUS)
        given: dict[str, Any] = {
            "session_id": "s-1",
            "epoch": 6,
            "seq": self.world.frame_seq + 1,
            "issued_ns": self.world.now,
            "deadman": True,
        }
        frame = DriveFrame(**given | changes)
        return seal(frame, drive_key(KEY, vehicle, frame.epoch, holder))

    def _frame(self, **changes: Any) -> None:
        self._drive(self._made(**changes))

    def _stop_frame(self, account: str) -> None:
        key = stop_key(KEY, OTHER, account) if account == "jiro" else stop_key(KEY, BUS, account)
        self._drive(seal(StopFrame(self._id(), "jiro"), key))


def attack(
    count: int,
    seed: int = 1,
    *,
    say: Callable[[str], object] = lambda text: None,
    guards: Any = checker.GUARDS,
    frame_guards: Any = drive_frames.GUARDS,
) -> Outcome:
    """Send `count` hostile messages; `guards` left out show that the attack would succeed."""
    began = time.monotonic()
    attacked = _Attack(seed, {"guards": guards, "frame_guards": frame_guards})
    for number in range(1, count + 1):
        attacked.step()
        if number % GENUINE_EVERY == 0:
            if attacked.outcome.obeyed:
                break
            attacked.genuine()
        if number % 200_000 == 0:
            say(f"orders: {number:,} of {count:,}")
    attacked.outcome.took_s = time.monotonic() - began
    return attacked.outcome
