"""A fleet of one bus on a hand-moved clock."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TypeVar

from protocols import operator, vehicle
from protocols.authority import ControlState, ControlView, SeatReport
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core.effects import AnyEffect, Record
from supervisor.core.fleet import Fleet
from supervisor.core.step import step

BUS = VehicleId("maebashi", "bus-01")
SECOND = 1_000_000_000
MS = 1_000_000
T = TypeVar("T")

OPERATOR = e.Operator("s1", "hanako", operator.Role.OPERATOR, "seat-1")
SECOND_OPERATOR = e.Operator("s3", "jiro", operator.Role.OPERATOR, "seat-3")
SUPERVISOR = e.Operator("s4", "mori", operator.Role.SUPERVISOR, "seat-4")
VIEWER = e.Operator("s2", "taro", operator.Role.VIEWER)

FACTSHEET = vehicle.Factsheet(
    kind=vehicle.Kind.BUS,
    name="Bus 1",
    cameras=[vehicle.CameraInfo("front", 1280, 720, 30.0, 3000)],
    audio=True,
    commands=["stop", "resume", "take_control", "release_control"],
    max_speed_mps=5.5,
)


def of(effects: Iterable[AnyEffect], kind: type[T]) -> list[T]:
    """Return the effects of one type."""
    return [effect for effect in effects if isinstance(effect, kind)]


class World:
    """Feeds a fleet; the vehicle's clock runs 1000 s behind the hub's."""

    def __init__(self, *, audit: bool = True) -> None:
        self.fleet = Fleet()
        self.now_ns = 5_000 * SECOND
        self.audit = audit
        self.log: list[AnyEffect] = []
        self._beats = itertools.count()
        self._telemetry = itertools.count()
        self._states = itertools.count()
        self.session = "run-1"
        self.sitting: list[e.Operator] = []
        """Whose consoles report by themselves while time passes."""
        self.do(e.VehicleConfigured(BUS, vehicle.Kind.BUS, "Bus 1", 7))

    @property
    def bus(self):
        return self.fleet.vehicles[BUS]

    @property
    def vehicle_ns(self) -> int:
        return self.now_ns - 1_000 * SECOND

    def do(self, event: e.AnyEvent) -> list[AnyEffect]:
        effects = step(self.fleet, event, self.now_ns)
        self.log += effects
        return effects

    def tick(self, ms: float = 100) -> list[AnyEffect]:
        self.now_ns += int(ms * MS)
        return self.do(e.Tick())

    def run(self, seconds: float, *, beats: bool = False, telemetry: bool = False):
        """Let time pass in ticks of 100 ms; return everything that happened."""
        effects: list[AnyEffect] = []
        for index in range(round(seconds * 10)):
            effects += self.tick()
            if beats and index % 5 == 0:
                effects += self.exchange(10.0)
            if telemetry:
                effects += self.telemetry()
            if index % 5 == 0:
                for who in self.sitting:
                    effects += self.seat(who)
        return effects

    def restart_vehicle(self, session: str) -> None:
        self.session = session
        self._beats = itertools.count()
        self._telemetry = itertools.count()
        self._states = itertools.count()

    def beat(self, *, echo: vehicle.Echo | None = None, **changes: object) -> list[AnyEffect]:
        values = {
            "session_id": self.session,
            "seq": next(self._beats),
            "sent_ns": self.vehicle_ns,
            "utc_ns": self.vehicle_ns + 1_700_000_000 * SECOND,
            "echo": echo,
            **changes,
        }
        return self.do(e.HeartbeatReceived(BUS, vehicle.Heartbeat(**values)))

    def exchange(self, rtt_ms: float, asymmetry_ms: float = 0.0) -> list[AnyEffect]:
        """A heartbeat with the echo of a hub beat; true offset is 1000 s."""
        up = int((rtt_ms / 2 + asymmetry_ms) * MS)
        t4 = self.now_ns
        t3 = t4 - up - 1_000 * SECOND
        t2 = t3 - 3 * MS
        t1 = t2 + 1_000 * SECOND - int((rtt_ms / 2 - asymmetry_ms) * MS)
        return self.beat(echo=vehicle.Echo(t1, t2), sent_ns=t3, utc_ns=t3 + 1_700_000_000 * SECOND)

    def telemetry(self, **changes: object) -> list[AnyEffect]:
        values = {
            "session_id": self.session,
            "seq": next(self._telemetry) if "seq" not in changes else changes["seq"],
            "sent_ns": self.vehicle_ns,
            "longitude": 139.06,
            "latitude": 36.39,
            "heading_deg": 90.0,
            "speed_mps": 4.0,
            "mode": vehicle.OperationMode.AUTONOMOUS,
            **changes,
        }
        return self.do(e.TelemetryReceived(BUS, vehicle.Telemetry(**values)))

    def online(self) -> None:
        """Factsheet, connection, first beat, first telemetry."""
        self.do(e.FactsheetReceived(BUS, FACTSHEET))
        self.connection("ONLINE")
        self.beat()
        self.telemetry()

    def publish(self, frames: int, **changes: object) -> list[AnyEffect]:
        """A sample of the camera "front"; the first one connects the publisher."""
        effects: list[AnyEffect] = []
        if not self.bus.media_session:
            effects += self.do(e.PublisherChanged(BUS, "m1", True))
        values = {
            "camera": "front", "kind": "video", "codec": "H264", "clock_rate": 90_000,
            "packets": frames * 10, "lost": 0, "bytes": frames * 12_500, "frames": frames,
            "keyframes": 1, "jitter_ms": 1.0, "last_frame_ns": self.now_ns,
            "width": 1280, "height": 720,
        }  # fmt: skip
        return effects + self.do(e.LinkSampled(BUS, "m1", [e.StreamSample(**values | changes)]))

    def connection(self, state: str, session: str | None = None) -> list[AnyEffect]:
        message = vehicle.Connection(vehicle.ConnectionState(state), session or self.session)
        return self.do(e.ConnectionReceived(BUS, message))

    def written(self, record_id: str, ok: bool = True) -> list[AnyEffect]:
        return self.do(e.AuditWritten(record_id, ok))

    def ask(
        self,
        body: vehicle.Body,
        command_id: str = "c1",
        who: e.Operator = OPERATOR,
        age_ms: float | None = 100.0,
        vehicle_id: VehicleId = BUS,
    ) -> list[AnyEffect]:
        return self.do(e.CommandAsked(who, command_id, vehicle_id, body, age_ms))

    def result(
        self, state: str, command_id: str = "c1", session: str | None = None, reason: str = ""
    ) -> list[AnyEffect]:
        message = vehicle.CommandResult(
            session or self.session,
            command_id,
            vehicle.ResultState(state),
            self.vehicle_ns,
            vehicle.RefusalReason(reason),
        )
        return self.do(e.CommandResultReceived(BUS, message))

    # ---------------------------------------------------------------- control

    def seat(self, who: e.Operator = OPERATOR, **changes: object) -> list[AnyEffect]:
        """The console of somebody says how it stands: armed, unless changed."""
        effects: list[AnyEffect] = []
        if who.session not in self.fleet.operators:
            effects += self.do(e.OperatorConnected(who))
        said = {"visible": True, "focused": True, "sound": True, "ready": True, **changes}
        return effects + self.do(e.SeatReported(who, SeatReport(**said)))

    def ask_control(
        self,
        who: e.Operator = OPERATOR,
        purpose: Purpose = Purpose.ASSIST,
        vehicle_id: VehicleId = BUS,
        **changes: object,
    ) -> list[AnyEffect]:
        return self.do(e.ControlAsked(who, vehicle_id, purpose, **{"is_proved": True, **changes}))

    def accept(self, who: e.Operator = OPERATOR, vehicle_id: VehicleId = BUS) -> list[AnyEffect]:
        return self.do(e.ControlAccepted(who, vehicle_id))

    def take(
        self, who: e.Operator = OPERATOR, purpose: Purpose = Purpose.ASSIST
    ) -> list[AnyEffect]:
        """Ask, accept, have it recorded, and let the vehicle obey."""
        effects = self.seat(who)
        if who not in self.sitting:
            self.sitting.append(who)
        effects += self.ask_control(who, purpose)
        accepted = self.accept(who)
        effects += accepted
        granted = [r for r in of(accepted, Record) if r.kind == "control.granted"]
        for record in granted:
            effects += self.written(record.record_id)
        effects += self.result("applied", self.bus.control.take_id)
        assert self.control.state is ControlState.HELD, self.control
        return effects

    @property
    def control(self) -> ControlView:
        return self.bus.control.view

    def says(self, holder: str = "", epoch: int = 0, **changes: object) -> list[AnyEffect]:
        """The vehicle says who has control of it."""
        values = {
            "session_id": self.session,
            "seq": next(self._states),
            "mode": vehicle.OperationMode.AUTONOMOUS,
            "mrm": vehicle.MrmState.NORMAL,
            "behaviour": vehicle.MrmBehaviour.NONE,
            "odd": vehicle.Odd.INSIDE,
            "fallback": vehicle.MrmBehaviour.COMFORTABLE_STOP,
            "holder": holder,
            "control_epoch": epoch,
            **changes,
        }
        return self.do(e.StateReceived(BUS, vehicle.State(**values)))

    def event(self, kind: str, event_id: str = "e1", **changes: object) -> list[AnyEffect]:
        message = vehicle.VehicleEvent(
            session_id=changes.pop("session_id", self.session),
            event_id=event_id,
            kind=vehicle.EventKind(kind),
            sent_ns=self.vehicle_ns,
            **changes,
        )
        return self.do(e.VehicleEventReceived(BUS, message))

    def alarm(self, key: str, vehicle_text: str = "maebashi/bus-01") -> str:
        found = self.fleet.alarms.get(key, vehicle_text)
        return "normal" if found is None else str(found.state)
