"""A bus that works, and somebody who watches it on a good console: driving may be offered."""

from __future__ import annotations

import msgspec
from helpers_core import BUS, FACTSHEET, MS, OPERATOR, World, of

from protocols import operator, vehicle
from supervisor.core import events as e
from supervisor.core import supervision
from supervisor.core.config import CoreConfig
from supervisor.core.effects import Record, SendCommand
from supervisor.core.fleet import Fleet

ABLE = msgspec.structs.replace(
    FACTSHEET, commands=["stop", "resume", "limit_speed", "minimal_risk"], max_speed_mps=50 / 3.6
)


class Seat(World):
    """A bus that works, and an operator who watches it on a good console."""

    def __init__(self, config: CoreConfig | None = None, factsheet=ABLE) -> None:
        self.config = config
        super().__init__()
        if config is not None:
            self.fleet = Fleet(config)
            self.do(e.VehicleConfigured(BUS, vehicle.Kind.BUS, "Bus 1", 7))
        self.frames = 0
        self.mode = vehicle.OperationMode.AUTONOMOUS
        self.g2g = 120.0
        self.bar = 3.0
        self.delay_ms = 20
        self.who: e.Operator | None = OPERATOR
        self.answers = True
        self.audit_ok = True
        self.tile: dict[str, object] = {}
        self.sent: list[vehicle.Command] = []
        self.do(e.OperatorConnected(OPERATOR))
        self.do(e.FactsheetReceived(BUS, factsheet))
        self.connection("ONLINE")

    def do(self, event):
        effects = super().do(event)
        for record in of(effects, Record):
            if record.kind.endswith(".ordered"):
                effects = effects + self.do(e.AuditWritten(record.record_id, self.audit_ok))
        return effects

    def drive(self, seconds: float, beats_each: int = 5) -> list:
        """Let everything happen that happens; return the effects."""
        effects: list = []
        for _ in range(round(seconds * 10)):
            turn = round(self.now_ns / (100 * MS))
            effects += self.tick()
            effects += self.telemetry(mode=self.mode)
            self.frames += 3
            effects += self.publish(self.frames)
            if turn % beats_each == 0:
                effects += self.exchange(10.0)
            if turn % 5 == 0 and self.who is not None:
                effects += self.seat(self.who)
            if turn % 10 == 0 and self.who is not None:
                effects += self.report()
            for command in [x.command for x in of(effects, SendCommand)]:
                if command not in self.sent:
                    self.sent.append(command)
                    if self.answers:
                        effects += self.applied(command)
        return effects

    def applied(self, command: vehicle.Command) -> list:
        self.now_ns += self.delay_ms * MS
        return self.do(
            e.CommandResultReceived(
                BUS,
                vehicle.CommandResult(
                    self.session,
                    command.command_id,
                    vehicle.ResultState.APPLIED,
                    self.vehicle_ns,
                ),
            )
        )

    def report(self, **changes) -> list:
        values = {
            "vehicle": str(BUS), "camera": "front", "frames": 30, "still_ms": 20.0,
            "ages_ms": [self.g2g] * 30, "uncertainty_ms": self.bar, "focused": True,
        }  # fmt: skip
        tile = operator.Presented(**{**values, **self.tile, **changes})
        report = operator.PresentationReport(True, [tile], rtt_ms=4.0)
        return self.do(e.PresentationReported(self.who or OPERATOR, report))

    def view(self):
        return supervision.view(self.fleet, self.bus, self.now_ns)

    def verdict(self, key: str) -> str:
        return str(self.bus.supervised.tracks[key].verdict)

    def why(self, key: str) -> str:
        return str(self.bus.supervised.tracks[key].why)

    def limits(self) -> list[float]:
        """km/h of the limits sent, without repetitions."""
        found = [
            round(c.body.max_speed_mps * 3.6, 1)
            for c in self.sent
            if isinstance(c.body, vehicle.LimitSpeed)
        ]
        return [kmh for n, kmh in enumerate(found) if n == 0 or found[n - 1] != kmh]
