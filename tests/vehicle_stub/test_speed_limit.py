"""The hub's speed limit: obeyed, expiring, and never *no limit* by silence."""

from __future__ import annotations

from protocols import tags
from protocols.codec import encode
from protocols.topics import VehicleId
from protocols.vehicle import (
    Body,
    Command,
    CommandResult,
    HubHeartbeat,
    Kind,
    LimitSpeed,
    MinimalRisk,
    MrmBehaviour,
    ResultState,
)
from vehicle_stub.course import Course
from vehicle_stub.drive import Drive
from vehicle_stub.geo import Line, LocalFrame, Point
from vehicle_stub.outputs import Publish
from vehicle_stub.speed_limit import SpeedLimit
from vehicle_stub.vehicle import Vehicle

BUS = VehicleId("maebashi", "bus-01")
KEY = bytes(range(32))
SECOND = 1_000_000_000


class World:
    """A bus on a straight road of 2 km, in virtual time."""

    def __init__(self, silent_mps: float = 5.0) -> None:
        self.now = 0
        line = Line([Point(0, 0), Point(0, 2_000.0)])
        self.vehicle = Vehicle(
            vehicle_id=BUS,
            kind=Kind.BUS,
            session_id="s-1",
            key=KEY,
            durable_epoch=5,
            drive=Drive(
                Course(line, LocalFrame(139.07, 36.39), 20 / 3.6),
                start_m=0.0,
                obstacles=[],
                dwell_s=2.0,
                loop=False,
                now_ns=0,
            ),
            fallback=MrmBehaviour.COMFORTABLE_STOP,
            stops_on_link_loss=False,
            link_loss_s=3.0,
            answer_within_s=20.0,
            silent_mps=silent_mps,
            now_ns=0,
        )
        self.seq = 0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.now += SECOND // 20
            self.vehicle.on_hub_heartbeat(HubHeartbeat("h", 1, self.now), self.now)
            self.vehicle.on_time(self.now)
            self.vehicle.take_outputs()


def order(world: World, body: Body, *, issued_ns: int | None = None, ttl_ms: int = 2_000) -> str:
    """Send an order and return the last word of the vehicle about it."""
    world.seq += 1
    command = Command(
        command_id=f"limit-{world.seq}",
        session_id="s-1",
        epoch=5,
        seq=world.seq,
        issued_ns=world.now if issued_ns is None else issued_ns,
        ttl_ms=ttl_ms,
        body=body,
        operator="hub",
    )
    world.vehicle.on_command(encode(tags.sign(command, BUS, KEY)), False, world.now)
    said = [
        output.message
        for output in world.vehicle.take_outputs()
        if isinstance(output, Publish) and isinstance(output.message, CommandResult)
    ]
    return str(said[-1].state)


def test_before_the_hubs_first_word_and_after_its_last_the_vehicles_own_lower_speed_holds() -> None:
    limit = SpeedLimit(2.5)
    assert limit.mps(0) == 2.5
    limit.obey(9.0, SECOND, 6_500, SECOND)
    assert limit.mps(SECOND) == 9.0
    assert limit.mps(SECOND + 6_500_000_000 - 1) == 9.0
    assert limit.mps(SECOND + 6_500_000_000) == 2.5
    assert not limit.holds(SECOND + 6_500_000_000)


def test_a_delayed_order_holds_no_longer_for_it_and_one_from_the_future_neither() -> None:
    limit = SpeedLimit(2.5)
    limit.obey(9.0, 0, 1_000, SECOND // 2)
    assert limit.until_ns == SECOND
    limit.obey(9.0, 5 * SECOND, 1_000, 2 * SECOND)
    assert limit.until_ns == 3 * SECOND


def test_a_lower_limit_of_the_hub_counts_even_below_the_own_default() -> None:
    limit = SpeedLimit(2.5)
    limit.obey(1.0, 0, 1_000, 0)
    assert limit.mps(0) == 1.0


def test_the_vehicle_drives_by_the_limit_and_brakes_to_its_own_when_the_hub_falls_silent() -> None:
    world = World(silent_mps=2.0)
    world.run(10)
    assert world.vehicle.drive.speed == 2.0, "nobody has allowed more"
    for _ in range(10):
        assert order(world, LimitSpeed(4.0, 6_500, "governor")) == ResultState.APPLIED
        world.run(2)
    assert world.vehicle.drive.speed == 4.0
    assert world.vehicle.telemetry(world.now).speed_limit_mps == 4.0
    world.run(4.4)
    assert world.vehicle.drive.speed == 4.0
    world.run(5)
    assert world.vehicle.drive.speed == 2.0
    assert world.vehicle.telemetry(world.now).speed_limit_mps == 2.0


def test_a_limit_goes_through_every_guard_of_a_command() -> None:
    world = World(silent_mps=2.0)
    world.run(5)
    late = world.now - 3 * SECOND
    assert order(world, LimitSpeed(9.0, 6_500), issued_ns=late) == ResultState.REFUSED
    future = world.now + 2 * SECOND
    assert order(world, LimitSpeed(9.0, 6_500), issued_ns=future) == ResultState.REFUSED
    assert order(world, LimitSpeed(3.0, 6_500)) == ResultState.APPLIED
    world.seq -= 1
    replay = Command("other", "s-1", 5, world.seq, world.now, 2_000, LimitSpeed(9.0, 6_500))
    world.vehicle.on_command(encode(tags.sign(replay, BUS, KEY)), False, world.now)
    world.vehicle.on_command(encode(replay), False, world.now)
    assert world.vehicle.limit.mps(world.now) == 3.0


def test_a_limit_of_zero_stops_it_and_a_limit_is_no_permission_to_go() -> None:
    world = World(silent_mps=5.0)
    world.run(10)
    order(world, LimitSpeed(0.0, 60_000))
    world.run(10)
    assert world.vehicle.drive.standing
    assert world.vehicle.conduct.words.mode == "AUTONOMOUS"


def test_asked_for_its_minimal_risk_manoeuvre_it_performs_it_and_waits_for_a_person() -> None:
    world = World()
    world.run(10)
    assert order(world, MinimalRisk("objective:drive-late")) == ResultState.APPLIED
    assert world.vehicle.conduct.words.mrm == "MRM_OPERATING"
    world.run(15)
    assert world.vehicle.drive.standing
    assert world.vehicle.conduct.words.mrm == "MRM_SUCCEEDED"
    assert "objective:drive-late" in world.vehicle.conduct.reason
    order(world, LimitSpeed(9.0, 60_000))
    world.run(5)
    assert world.vehicle.drive.standing
