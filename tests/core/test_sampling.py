"""What is measured all the time: only what is known counts as good."""

from __future__ import annotations

import pytest
from helpers_core import BUS, FACTSHEET, MS, SECOND, World, of

from protocols.operator import Presented
from protocols.supervision import FreezeCause, Indicator, Purpose, Verdict, Why
from supervisor.core import events as e
from supervisor.core import sampling
from supervisor.core.config import CoreConfig
from supervisor.core.effects import Count
from supervisor.core.fleet import Fleet
from supervisor.core.objectives import Objective


def world_with(indicator: Indicator, limit: float, **changes) -> World:
    """A world with one objective, whose clock is trusted."""
    objective = Objective(
        key="x", purpose=Purpose.MONITOR, indicator=indicator, limit=limit, share=0.9,
        window_s=2.0, recover_s=0.0, samples=1, **changes,
    )  # fmt: skip
    world = World()
    world.fleet = Fleet(CoreConfig(objective=[objective]))
    world.do(e.VehicleConfigured(BUS, FACTSHEET.kind, "Bus 1", 7))
    world.online()
    for _ in range(4):
        world.now_ns += 500 * MS
        world.exchange(10.0)
    return world


def turn(world: World, n: int = 1, **telemetry) -> None:
    for _ in range(n):
        world.now_ns += 100 * MS
        if round(world.now_ns / (100 * MS)) % 5 == 0:
            world.exchange(10.0)
        world.telemetry(**telemetry)
        world.do(e.Tick())


def shown(world: World) -> tuple[Verdict, Why]:
    track = world.bus.supervised.tracks["x"]
    return track.verdict, track.why


def test_telemetry_is_as_old_as_when_the_vehicle_sent_it() -> None:
    world = world_with(Indicator.TELEMETRY_AGE, 300.0)
    turn(world, 10)
    assert shown(world) == (Verdict.MET, Why.WITHIN)
    for _ in range(20):
        turn(world, 1, sent_ns=world.vehicle_ns - 250 * MS)  # 350 ms old when it comes
    assert shown(world) == (Verdict.VIOLATED, Why.OVER_LIMIT)
    assert world.bus.supervised.tracks["x"].value == pytest.approx(350, abs=2)


def test_telemetry_from_the_future_is_counted_and_never_met() -> None:
    world = world_with(Indicator.TELEMETRY_AGE, 300.0)
    turn(world, 10)
    for _ in range(30):
        world.now_ns += 100 * MS
        if round(world.now_ns / (100 * MS)) % 5 == 0:
            world.exchange(10.0)
        effects = world.telemetry(sent_ns=world.vehicle_ns + 6 * MS)
        assert Count("telemetry", "future") in effects
        world.do(e.Tick())
    assert shown(world) == (Verdict.AT_RISK, Why.IN_DOUBT)
    effects = world.telemetry(sent_ns=world.vehicle_ns + 4 * MS)
    assert Count("telemetry", "future") not in effects, "within the error bar"


def test_without_a_trusted_clock_silence_proves_a_violation_and_nothing_proves_met() -> None:
    world = world_with(Indicator.TELEMETRY_AGE, 300.0)
    world.bus.clock.restart()
    for _ in range(10):
        world.now_ns += 100 * MS
        world.telemetry()
        world.beat()
        world.do(e.Tick())
    assert shown(world) == (Verdict.UNKNOWN, Why.UNTRUSTED)
    for _ in range(10):
        world.now_ns += 100 * MS
        world.beat()
        world.do(e.Tick())
    assert shown(world) == (Verdict.VIOLATED, Why.OVER_LIMIT)


def test_the_worst_camera_decides_the_gap_between_frames() -> None:
    world = world_with(Indicator.FRAME_GAP, 300.0)
    for n in range(20):
        world.publish(3 * n + 3)
        turn(world)
    assert shown(world)[0] is Verdict.MET
    stuck = world.now_ns
    for n in range(20, 40):
        samples = [
            sample
            for camera, at_ns in (("front", world.now_ns), ("left", stuck))
            for sample in [frame(3 * n, camera, at_ns)]
        ]
        world.do(e.LinkSampled(BUS, "m1", samples))
        turn(world)
    assert shown(world)[0] is Verdict.VIOLATED


def frame(frames: int, camera: str, at_ns: int, **changes) -> e.StreamSample:
    values = {
        "camera": camera, "kind": "video", "codec": "H264", "clock_rate": 90_000,
        "packets": frames * 10, "lost": 0, "bytes": frames * 12_500, "frames": frames,
        "keyframes": 1, "jitter_ms": 1.0, "last_frame_ns": at_ns, "width": 1280, "height": 720,
    }  # fmt: skip
    return e.StreamSample(**{**values, **changes})


@pytest.mark.parametrize(
    ("indicator", "limit", "verdict"),
    [
        (Indicator.PICTURE_HEIGHT, 720.0, Verdict.MET),
        (Indicator.PICTURE_HEIGHT, 721.0, Verdict.VIOLATED),
        (Indicator.BITRATE, 2_900.0, Verdict.MET),
        (Indicator.BITRATE, 3_100.0, Verdict.VIOLATED),
        (Indicator.CLOCK_UNCERTAINTY, 6.0, Verdict.MET),
        (Indicator.CLOCK_UNCERTAINTY, 4.0, Verdict.VIOLATED),
        (Indicator.HEARTBEAT_GAP, 500.0, Verdict.MET),
        (Indicator.HEARTBEAT_GAP, 250.0, Verdict.VIOLATED),
    ],
)
def test_the_other_indicators_at_their_limits(indicator, limit: float, verdict) -> None:
    world = world_with(indicator, limit)
    world.publish(1)
    for n in range(30):
        world.publish(3 * n + 4)
        turn(world)
    assert shown(world)[0] is verdict


def test_a_vehicle_that_said_goodbye_is_unknown() -> None:
    world = world_with(Indicator.HEARTBEAT_GAP, 500.0)
    turn(world, 10)
    assert shown(world)[0] is Verdict.MET
    world.connection("OFFLINE")
    for _ in range(6):
        world.tick()
    assert shown(world) == (Verdict.UNKNOWN, Why.NO_EVIDENCE)


# --------------------------------------------------------------- poor pictures


def published(world: World, speed: float, seconds: float = 8.0, **changes) -> None:
    start = world.frames
    for n in range(round(seconds * 10)):
        world.frames = start + 3 * n + 3
        weight = changes.get("weight", 12_500)
        size = {k: v for k, v in changes.items() if k != "weight"}
        world.publish(world.frames, bytes=world.frames * weight, **size)
        turn(world, 1, speed_mps=speed)


@pytest.mark.parametrize(
    ("speed", "changes", "state"),
    [
        (4.0, {}, "normal"),
        (4.0, {"height": 432}, "normal"),  # exactly 0.6 of the promised 720
        (4.0, {"height": 431}, "unacknowledged"),
        (0.0, {"height": 360}, "unacknowledged"),
        (4.0, {"weight": 1_160}, "normal"),  # 0.0101 bit for each pixel
        (4.0, {"weight": 1_140}, "unacknowledged"),
        (0.0, {"weight": 200}, "normal"),  # it stands: nothing changes, nothing is sent
    ],
)
def test_a_picture_far_below_its_promise_is_poor(speed: float, changes, state: str) -> None:
    world = World()
    world.frames = 0
    world.online()
    published(world, speed, **changes)
    assert world.alarm("video.poor") == state
    if state != "normal":
        assert world.fleet.alarms.get("video.poor", str(BUS)).detail == "front"


def test_a_camera_that_is_not_live_is_not_poor_but_frozen() -> None:
    world = World()
    world.frames = 0
    world.online()
    published(world, 4.0, 2.0, height=360)
    world.run(3, beats=True, telemetry=True)
    assert world.bus.supervised.poor == ()
    assert [f.cause for f in world.bus.supervised.frozen] == [FreezeCause.GAP]


# ------------------------------------------------------ what consoles see stand


def test_the_same_pixels_while_it_moves_are_frozen_and_a_stuck_console_is_told_apart() -> None:
    world = World()
    world.frames = 0
    world.online()
    published(world, 4.0, 3.0)
    loop = world.bus.loop

    def seen(**changes) -> tuple:
        world.now_ns += SECOND
        world.telemetry(speed_mps=4.0)
        world.publish(world.frames + 3)
        tile = Presented(str(BUS), "front", 30, changes.pop("still_ms", 10.0), **changes)
        assert loop.on_tile("s", tile, 1.0, world.now_ns) == ""
        return tuple(f.cause for f in sampling.frozen(world.fleet, world.bus, world.now_ns))

    assert seen(same_ms=699.0) == ()
    assert seen(same_ms=700.0) == (FreezeCause.CONTENT,)
    assert seen(same_ms=60_000.0) == (), "longer than it has been moving: it stood then"
    assert seen(still_ms=999.0) == ()
    assert seen(still_ms=1_000.0) == (FreezeCause.PRESENTATION,)
    world.telemetry(speed_mps=0.4)
    assert seen_standing(world) == ()


def still(world: World, still_ms: float, frames: int, session: str = "s") -> None:
    """A second in which frames reach the hub, and what one console says of it."""
    for _ in range(10):
        world.now_ns += 100 * MS
        world.publish(world.frames + 3)
        world.frames += 3
        world.telemetry()
        if round(world.now_ns / (100 * MS)) % 5 == 0:
            world.exchange(10.0)
        world.do(e.Tick())
    tile = Presented(str(BUS), "front", frames, still_ms)
    assert world.bus.loop.on_tile(session, tile, 1.0, world.now_ns) == ""


def watched() -> World:
    world = World()
    world.frames = 0
    world.online()
    world.publish(1)
    return world


def test_a_console_that_stands_still_while_frames_arrive_raises_the_alarm_and_says_so() -> None:
    world = watched()
    still(world, 20.0, 30)
    still(world, 999.0, 1)
    assert world.alarm("video.frozen") == "normal"
    still(world, 1_400.0, 0)
    still(world, 2_400.0, 0)
    assert world.alarm("video.frozen") == "unacknowledged"
    found = world.fleet.alarms.get("video.frozen", str(BUS))
    assert found.detail == "front (arrives, not displayed)"
    still(world, 30.0, 30)
    for _ in range(2):
        still(world, 30.0, 30)
    assert world.alarm("video.frozen") in ("normal", "returned_unacknowledged")


def test_a_console_that_has_just_begun_is_given_time_for_its_first_picture() -> None:
    world = watched()
    for second in range(5):
        still(world, 60_000.0 + second, 0)
        assert world.alarm("video.frozen") == "normal"
    for _ in range(3):
        still(world, 70_000.0, 0)
    assert world.alarm("video.frozen") == "unacknowledged"


def test_a_camera_that_sends_nothing_is_no_console_s_fault() -> None:
    world = watched()
    still(world, 20.0, 30)
    for _ in range(20):
        world.now_ns += 100 * MS
        world.telemetry()
        world.do(e.Tick())
    tile = Presented(str(BUS), "front", 0, 2_000.0)
    world.bus.loop.on_tile("s", tile, 1.0, world.now_ns)
    world.tick()
    assert world.fleet.alarms.get("video.frozen", str(BUS)).detail == "front"


def seen_standing(world: World) -> tuple:
    world.now_ns += SECOND
    world.publish(world.frames + 6)
    world.telemetry(speed_mps=0.4)
    tile = Presented(str(BUS), "front", 30, 10.0, same_ms=800.0)
    world.bus.loop.on_tile("s", tile, 1.0, world.now_ns)
    return sampling.frozen(world.fleet, world.bus, world.now_ns)


def test_movement_is_only_known_from_fresh_telemetry() -> None:
    world = World()
    world.online()
    world.telemetry(speed_mps=0.5)
    begin = world.now_ns
    assert sampling.moved_s(world.fleet, world.bus, begin + SECOND) == 1.0
    assert sampling.moved_s(world.fleet, world.bus, begin + SECOND + 1) == 0.0
    world.telemetry(speed_mps=-3.0)
    assert sampling.moved_s(world.fleet, world.bus, begin + SECOND) == 1.0, "backing is moving"
    world.telemetry(speed_mps=0.49)
    assert sampling.moved_s(world.fleet, world.bus, begin) == 0.0
    assert of(world.log, Count)
