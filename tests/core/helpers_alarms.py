"""What the tests of alarms share."""

from __future__ import annotations

from helpers_core import MS, OPERATOR, SECOND, World, of

from protocols import alarms, operator, vehicle
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.alarm_standing import from_record
from supervisor.core.effects import Record, Refuse

SUPERVISOR = e.Operator("s3", "shunin", operator.Role.SUPERVISOR)
MAINTAINER = e.Operator("s4", "goro", operator.Role.MAINTAINER)
VIEWER = e.Operator("s5", "taro", operator.Role.VIEWER)
NAME = "maebashi/bus-01"
LOST = f"link.lost@{NAME}"
LOW = f"energy.low@{NAME}"


def view(world: World, alarm_id: str) -> alarms.AlarmView | None:
    return next((a for a in views.open_alarms(world.fleet) if a.id == alarm_id), None)


def seen(world: World, alarm_id: str) -> alarms.AlarmView:
    found = view(world, alarm_id)
    assert found is not None, f"{alarm_id} is normal"
    return found


def refused(effects: list) -> list[str]:
    return [effect.refusal.reason for effect in of(effects, Refuse)]


def tired(energy: float = 0.1) -> World:
    """A bus on the air with little energy left."""
    world = World()
    world.online()
    for _ in range(120):
        world.tick()
        if world.now_ns // (500 * MS) % 2:
            world.exchange(10.0)
        world.telemetry(energy=energy)
    return world


def shelve(world: World, alarm_id: str = LOW, who: e.Operator = OPERATOR, **changes) -> list:
    values = {"reason": "known, goes to the depot", "for_s": 600.0, **changes}
    return world.do(e.AlarmShelved(who, alarm_id, **values))


def keep_on(world: World, seconds: float, energy: float) -> None:
    for index in range(round(seconds * 2)):
        world.tick(500)
        if index % 1 == 0:
            world.exchange(10.0)
        world.telemetry(energy=energy)


def words_of(log: list) -> dict[str, dict]:
    """The last record of each alarm, as the audit keeps them."""
    words: dict[str, dict] = {}
    for record in of(log, Record):
        if record.kind == "alarm":
            words[str(record.data["alarm"])] = record.data
    return {name: data for name, data in words.items() if data["stands"]}


def reborn(world: World, gap_s: float = 10.0) -> World:
    """The next run of the hub, on a clock of its own."""
    again = World()
    kept = [from_record(data, int(gap_s * SECOND)) for data in words_of(world.log).values()]
    again.do(e.AlarmsRestored([said for said in kept if said is not None]))
    return again


class Site:
    """Many buses of one site, whose links can be cut together."""

    def __init__(self, number: int) -> None:
        self.world = World()
        self.names = [VehicleId("maebashi", f"b{index:02d}") for index in range(number)]
        for name in self.names:
            self.world.do(e.VehicleConfigured(name, vehicle.Kind.BUS, str(name), 7))
        self.seq = 0

    def beat(self, names: list[VehicleId], cell: str = "") -> None:
        self.seq += 1
        for name in names:
            beat = vehicle.Heartbeat("run", self.seq, self.world.vehicle_ns, 1)
            self.world.do(e.HeartbeatReceived(name, beat))
            telemetry = vehicle.Telemetry(
                "run", self.seq, self.world.vehicle_ns, 139.0, 36.0, 0.0, 0.0,
                vehicle.OperationMode.STOP, radio=vehicle.Radio(cell_id=cell),
            )  # fmt: skip
            self.world.do(e.TelemetryReceived(name, telemetry))

    def run(self, seconds: float, alive: list[VehicleId], cell: str = "") -> list:
        log = len(self.world.log)
        for index in range(round(seconds * 10)):
            if index % 5 == 0:
                self.beat(alive, cell)
            self.world.tick()
        return self.world.log[log:]

    def lost(self) -> list[alarms.AlarmView]:
        return [a for a in views.open_alarms(self.world.fleet) if a.key == "link.lost"]


def sixty_lost() -> tuple[Site, alarms.AlarmGroupView]:
    site = Site(60)
    site.world.do(e.OperatorConnected(OPERATOR))
    site.run(2, site.names, cell="440-10-1")
    site.run(5, [])
    (group,) = views.alarm_groups(site.world.fleet)
    return site, group
