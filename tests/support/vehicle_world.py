"""A vehicle in virtual time, a hub that may fall silent, and a driver's console."""

from __future__ import annotations

from typing import Any

from protocols import tags
from protocols.codec import encode
from protocols.drive import DriveFrame, StopFrame, drive_key, seal, stop_key
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from protocols.vehicle import (
    Command,
    CommandResult,
    HubHeartbeat,
    Kind,
    MrmBehaviour,
    ReleaseControl,
    State,
    TakeControl,
    VehicleEvent,
)
from vehicle_stub.course import Course
from vehicle_stub.drive import Drive
from vehicle_stub.geo import Line, LocalFrame, Point
from vehicle_stub.outputs import Announcement, Persist, Publish
from vehicle_stub.vehicle import Vehicle

BUS = VehicleId("maebashi", "bus-01")
KEY = bytes(range(32))
MS = 1_000_000
STEP_NS = 50 * MS
HOLDER = "hanako"


def straight(length: float, **changes: Any) -> Drive:
    line = Line([Point(0, 0), Point(0, length)])
    given: dict[str, Any] = {
        "start_m": 0.0,
        "obstacles": [],
        "dwell_s": 2.0,
        "loop": False,
        "now_ns": 0,
    }
    return Drive(Course(line, LocalFrame(139.07, 36.39), 20 / 3.6), **given | changes)


class World:
    """One vehicle, and everything that is said to it and by it.

    Attributes:
        leased: The hub's heartbeats say that control goes on.
        frames_lost: The driver's frames do not arrive.
        wish: What the driver's console sends twenty times a second; None: nothing.
    """

    def __init__(
        self,
        kind: Kind = Kind.BUS,
        silent_mps: float = 100.0,
        made: dict[str, Any] | None = None,
        **drive: Any,
    ) -> None:
        self.now = 0
        given: dict[str, Any] = {
            "vehicle_id": BUS,
            "kind": kind,
            "session_id": "s-1",
            "key": KEY,
            "durable_epoch": 5,
            "drive": straight(2_000.0, **drive),
            "fallback": MrmBehaviour.COMFORTABLE_STOP,
            "stops_on_link_loss": kind is Kind.TRACTOR,
            "link_loss_s": 3.0,
            "silent_mps": silent_mps,
            "answer_within_s": 20.0,
            "now_ns": 0,
        }
        self.vehicle = Vehicle(**given | (made or {}))
        self.said: list[Any] = []
        self.persist: list[Persist] = []
        self.announced: list[Announcement] = []
        self.hub_there = True
        self.hub_epoch = 5
        self.leased = False
        self.seq = 0
        self.frame_seq = 0
        self.frames_lost = False
        self.wish: dict[str, Any] | None = None

    # ------------------------------------------------------------------------ time

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.tick()

    def tick(self) -> None:
        self.now += STEP_NS
        if self.hub_there and self.now % (500 * MS) == 0:
            beat = HubHeartbeat("h", 1, self.now, epoch=self.hub_epoch, leased=self.leased)
            self.vehicle.on_hub_heartbeat(beat, self.now)
        if self.wish is not None and not self.frames_lost:
            self.frame(**self.wish)
        self.vehicle.on_time(self.now)
        self.drain()

    def drain(self) -> None:
        for output in self.vehicle.take_outputs():
            match output:
                case Publish(_, message):
                    self.said.append(message)
                case Persist():
                    self.persist.append(output)
                case Announcement():
                    self.announced.append(output)

    # -------------------------------------------------------------------- commands

    def order(self, command_id: str, body: Any, **changes: Any) -> bytes:
        """The next command of this hub, sealed."""
        self.seq += 1
        given: dict[str, Any] = {
            "command_id": command_id,
            "session_id": "s-1",
            "epoch": self.hub_epoch,
            "seq": self.seq,
            "issued_ns": self.now,
            "ttl_ms": 1_000,
            "body": body,
            "operator": HOLDER,
        }
        return encode(tags.sign(Command(**given | changes), BUS, KEY))

    def command(self, command_id: str, body: Any, **changes: Any) -> bytes:
        data = self.order(command_id, body, **changes)
        self.vehicle.on_command(data, False, self.now)
        self.drain()
        return data

    def keep_epochs(self) -> None:
        """The disk is fast: whatever has to be written is."""
        while self.persist:
            epoch, data = self.persist.pop(0)
            self.vehicle.on_epoch_durable(epoch, data, self.now)
            self.drain()

    def take(
        self, purpose: Purpose = Purpose.ASSIST, holder: str = HOLDER, **changes: Any
    ) -> list[str]:
        """Take control in a new epoch; return the vehicle's answers."""
        self.hub_epoch += 1
        self.seq = 0
        command_id = f"take-{self.hub_epoch}-{purpose}"
        self.command(command_id, TakeControl(holder, purpose, **changes), operator="hub")
        self.keep_epochs()
        self.leased = self.results(command_id)[-1:] == ["applied"]
        return self.results(command_id)

    def release(self, reason: str = "handed_back") -> list[str]:
        command_id = f"release-{self.hub_epoch}-{self.seq}"
        self.command(command_id, ReleaseControl(reason), operator="hub")
        self.leased = False
        return self.results(command_id)

    # --------------------------------------------------------------------- driving

    def make_frame(self, holder: str = HOLDER, **changes: Any) -> bytes:
        self.frame_seq += 1
        given: dict[str, Any] = {
            "session_id": "s-1",
            "epoch": self.hub_epoch,
            "seq": self.frame_seq,
            "issued_ns": self.now,
            "deadman": True,
        }
        frame = DriveFrame(**given | changes)
        return seal(frame, drive_key(KEY, BUS, frame.epoch, holder))

    def frame(self, **changes: Any) -> bytes:
        data = self.make_frame(**changes)
        self.vehicle.on_frame(data, self.now)
        self.drain()
        return data

    def stop_frame(self, command_id: str = "e-1", account: str = "jiro") -> bytes:
        data = seal(StopFrame(command_id, account), stop_key(KEY, BUS, account))
        self.vehicle.on_frame(data, self.now)
        self.drain()
        return data

    def drive_at(self, speed_mps: float, seconds: float, curvature: float = 0.0) -> None:
        """Take the vehicle, which has to stand, for driving; drive for so long."""
        if not self.vehicle.control.for_driving:
            assert self.take(Purpose.DRIVE) == ["received", "applied"]
        self.wish = {}
        self.run(0.2)
        self.wish = {"speed_mps": speed_mps, "curvature": curvature}
        self.run(seconds)

    # ---------------------------------------------------------------------- answers

    def results(self, command_id: str) -> list[str]:
        return [result.state.value for result in self.answers(command_id)]

    def answers(self, command_id: str) -> list[CommandResult]:
        return [m for m in self.said if isinstance(m, CommandResult) and m.command_id == command_id]

    @property
    def state(self) -> State:
        return next(m for m in reversed(self.said) if isinstance(m, State))

    @property
    def events(self) -> list[VehicleEvent]:
        return [m for m in self.said if isinstance(m, VehicleEvent)]

    @property
    def speed(self) -> float:
        return self.vehicle.drive.speed
