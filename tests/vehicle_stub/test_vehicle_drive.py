"""Motion, conduct and the vehicle's decisions, in virtual time."""

from __future__ import annotations

import functools
import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.supervision import Purpose
from protocols.topics import VehicleId
from protocols.vehicle import (
    CommandResult,
    EventAck,
    Kind,
    MrmBehaviour,
    Resume,
    State,
    Stop,
    TakeControl,
)
from support.vehicle_world import World, straight
from vehicle_stub.backoff import Backoff
from vehicle_stub.conduct import TABLE, Conduct, Input, Phase
from vehicle_stub.course import Course, CourseError, field_course, route_course
from vehicle_stub.coverage import CoverageError, coverage
from vehicle_stub.drive import SIGHT_M, Demand, Drive
from vehicle_stub.epochs import EpochError, EpochStore
from vehicle_stub.geo import LocalFrame, Point
from vehicle_stub.radio import RadioModel

ROOT = Path(__file__).parents[2]
ROUTE = (ROOT / "scenarios/maebashi/route.geojson").read_bytes()
FIELD = (ROOT / "scenarios/field/field.geojson").read_bytes()
BUS = VehicleId("maebashi", "bus-01")
KEY = bytes(range(32))
STEP_NS = 50_000_000


@functools.cache
def town() -> Course:
    return route_course(ROUTE, 20 / 3.6)


def bus(**changes: Any) -> Drive:
    given: dict[str, Any] = {
        "start_m": 0.0,
        "obstacles": [],
        "dwell_s": 2.0,
        "loop": True,
        "now_ns": 0,
    }
    return Drive(town(), **given | changes)


# --------------------------------------------------------------------------- ground


def test_degrees_and_metres_agree_there_and_back() -> None:
    frame = LocalFrame(139.07, 36.39)
    east, north = frame.to_metres(139.08, 36.40)
    assert east == pytest.approx(897.4, abs=0.5)
    assert north == pytest.approx(1109.7, abs=0.5)
    assert frame.to_degrees(east, north) == pytest.approx((139.08, 36.40))


def test_the_scenario_route_is_a_loop_with_named_stops() -> None:
    course = route_course(ROUTE, 20 / 3.6)
    assert course.line.closed
    assert 2_000 < course.line.length < 6_000
    assert len(course.stops) >= 4
    assert all(stop.name for stop in course.stops)
    assert len(course.degrees(200)) <= 200


@pytest.mark.parametrize("name", ["maebashi", "field"])
def test_the_basemap_is_geojson_with_kinds(name: str) -> None:
    data = json.loads((ROOT / f"scenarios/{name}/basemap.geojson").read_text())
    kinds = {feature["properties"]["kind"] for feature in data["features"]}
    assert {"road", "water", "building", "park"} <= kinds
    assert name == "maebashi" or "field" in kinds


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"features":[]}',
        b'{"features":[{"geometry":{"type":"LineString","coordinates":[]}}]}',
        b'{"features":[{"geometry":{"type":"LineString","coordinates":[[1,2],[1,2]]}}]}',
        b'{"features":[{"geometry":{"type":"LineString","coordinates":[[999,2],[1,3]]}}]}',
        b'{"features":[{"geometry":{"type":"LineString","coordinates":"x"}}]}',
        b"[" * 100_000,
    ],
)
def test_a_bad_route_is_a_course_error(data: bytes) -> None:
    with pytest.raises(CourseError):
        route_course(data, 5.0)
    with pytest.raises(CourseError):
        field_course(data, 5.0, 4.0)


# ------------------------------------------------------------------------- coverage


def distance_to_path(place: Point, path: list[Point]) -> float:
    best = math.inf
    for a, b in itertools.pairwise(path):
        dx, dy = b.east - a.east, b.north - a.north
        square = dx * dx + dy * dy
        t = 0.0
        if square:
            t = ((place.east - a.east) * dx + (place.north - a.north) * dy) / square
            t = min(1.0, max(0.0, t))
        best = min(best, math.dist(place, (a.east + t * dx, a.north + t * dy)))
    return best


@settings(max_examples=20, deadline=None)
@given(
    width=st.floats(60, 150),
    height=st.floats(50, 120),
    skew=st.floats(-15, 15),
    turn=st.floats(0, 2 * math.pi),
    implement=st.floats(2.5, 6),
)
def test_the_coverage_path_works_every_part_of_the_field_and_stays_inside(
    width: float, height: float, skew: float, turn: float, implement: float
) -> None:
    cosine, sine = math.cos(turn), math.sin(turn)
    raw = [(0, 0), (width, 0), (width + skew, height), (skew, height)]
    corners = [Point(x * cosine - y * sine, x * sine + y * cosine) for x, y in raw]
    path = coverage(corners, implement)
    assert math.dist(path[0], path[-1]) < 1e-6
    for u in (0.03, 0.2, 0.35, 0.5, 0.77, 0.97):
        for v in (0.03, 0.24, 0.5, 0.81, 0.97):
            x, y = u * width + skew * v, v * height
            place = Point(x * cosine - y * sine, x * sine + y * cosine)
            assert distance_to_path(place, path) <= implement / 2 * 1.5 + 0.01
    for point in path:
        x, y = point.east * cosine + point.north * sine, point.north * cosine - point.east * sine
        assert -1e-6 <= y <= height + 1e-6
        assert skew * y / height - 1e-6 <= x <= width + skew * y / height + 1e-6


def test_a_field_that_is_not_convex_or_too_small_is_refused() -> None:
    with pytest.raises(CoverageError, match="convex"):
        coverage([Point(0, 0), Point(90, 0), Point(40, 40), Point(0, 90)], 4.0)
    with pytest.raises(CoverageError, match="too small"):
        coverage([Point(0, 0), Point(15, 0), Point(15, 15), Point(0, 15)], 4.0)


# --------------------------------------------------------------------------- motion


def test_a_lap_keeps_its_limits_and_serves_every_stop() -> None:
    drive = bus()
    served, last, now = set(), 0.0, 0
    while drive.travelled < drive.course.line.length + 50:
        now += STEP_NS
        drive.step(now, Demand.GO)
        change = (drive.speed - last) / 0.05
        assert -1.6 <= change <= 1.01
        assert drive.speed <= 20 / 3.6 + 1e-9
        last = drive.speed
        if drive.doors_open:
            served.add(drive.next_stop)
        assert now < 3_600_000_000_000
    assert served == {stop.name for stop in drive.course.stops}


@settings(deadline=None)
@given(st.lists(st.integers(0, 2_000_000_000), max_size=60))
def test_time_may_come_early_late_or_twice(times: list[int]) -> None:
    drive = bus()
    for now_ns in times:
        drive.step(now_ns, Demand.GO)
        assert 0 <= drive.speed <= 20 / 3.6
        assert drive.travelled <= 2.0 * 20 / 3.6


def test_a_stop_command_brakes_at_two_and_a_half() -> None:
    drive = straight(1_000.0)
    for tick in range(1, 400):
        drive.step(tick * STEP_NS, Demand.GO)
    speed, now = drive.speed, 400 * STEP_NS
    assert speed == pytest.approx(20 / 3.6)
    ticks = 0
    while not drive.standing:
        now += STEP_NS
        drive.step(now, Demand.HARD)
        ticks += 1
    assert ticks * 0.05 == pytest.approx(speed / 2.5, abs=0.15)


def test_it_stands_before_the_obstacle_and_passes_it_only_when_told() -> None:
    drive = straight(400.0, obstacles=[200.0])
    now = 0
    while not drive.blocked:
        now += STEP_NS
        drive.step(now, Demand.GO)
        assert now < 200_000_000_000
    assert 190 < drive.distance < 194
    for _ in range(100):
        now += STEP_NS
        drive.step(now, Demand.GO)
    assert drive.blocked
    drive.pass_obstacle()
    while not drive.done:
        now += STEP_NS
        drive.step(now, Demand.GO)
        assert now < 400_000_000_000
    assert drive.distance == pytest.approx(400.0, abs=0.3)


def test_an_obstacle_is_seen_only_within_sight() -> None:
    drive = straight(400.0, obstacles=[200.0], start_m=200.0 - SIGHT_M - 1)
    assert drive.obstacle_ahead() is None
    drive = straight(400.0, obstacles=[200.0], start_m=200.0 - SIGHT_M + 1)
    assert drive.obstacle_ahead() == pytest.approx(SIGHT_M - 1)


# -------------------------------------------------------------------------- conduct


def test_the_table_is_total() -> None:
    assert set(TABLE) == set(itertools.product(Phase, Input))


def test_only_resume_leads_back_to_driving_and_the_end_of_a_path() -> None:
    for (phase, happened), following in TABLE.items():
        if following is Phase.DRIVING and phase is not Phase.DRIVING:
            assert happened is Input.RESUME or (phase, happened) == (Phase.FOLLOWING, Input.ARRIVED)


def test_stop_is_refused_nowhere_and_always_ends_off() -> None:
    for phase in Phase:
        braking = {Phase.BRAKING, Phase.STOPPED, Phase.EMERGENCY}
        assert TABLE[phase, Input.STOP] in braking
        assert TABLE[phase, Input.EMERGENCY_STOP] is Phase.EMERGENCY


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(Input)), max_size=50))
def test_after_a_stop_only_a_resume_or_a_driver_can_set_it_moving(inputs: list[Input]) -> None:
    conduct = Conduct(MrmBehaviour.COMFORTABLE_STOP)
    off = False
    for happened in inputs:
        taken = conduct.feed(happened, "because")
        decided = happened in (Input.RESUME, Input.DRIVE_TAKEN) and taken
        off = happened in (Input.STOP, Input.EMERGENCY_STOP) or (off and not decided)
        if off:
            assert conduct.demand in (Demand.HARD, Demand.EMERGENCY)
            assert conduct.words.mode == "STOP"
            assert conduct.reason


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(Input)), max_size=50))
def test_it_is_driven_only_while_control_for_driving_is_neither_lapsed_nor_released(
    inputs: list[Input],
) -> None:
    conduct = Conduct(MrmBehaviour.COMFORTABLE_STOP)
    held = False
    for happened in inputs:
        taken = conduct.feed(happened, "because")
        if happened in (Input.LAPSED, Input.RELEASED):
            held = False
        held = held or (happened is Input.DRIVE_TAKEN and taken)
        if conduct.demand is Demand.DRIVEN:
            assert held
            assert conduct.words.mode == "REMOTE_DRIVE"


# -------------------------------------------------------------------------- vehicle


def test_stop_is_received_and_applied_at_once_and_a_repetition_changes_nothing() -> None:
    world = World()
    world.run(10)
    data = world.command("c", Stop())
    assert world.results("c") == ["received", "applied"]
    assert world.state.mode == "STOP"
    world.run(5)
    assert world.vehicle.drive.standing
    world.take()
    world.command("go", Resume())
    assert world.results("go") == ["received", "applied"]
    world.run(3)
    world.vehicle.on_command(data, False, world.now)
    world.drain()
    assert world.results("c") == ["received", "applied", "received", "applied"]
    world.run(1)
    assert world.state.mode == "REMOTE_ASSIST"
    assert not world.vehicle.drive.standing


def test_resume_while_driving_or_braking_is_refused_in_words() -> None:
    world = World()
    world.run(10)
    world.take()
    world.command("a", Resume())
    world.command("b", Stop())
    world.command("c", Resume())
    assert world.results("a") == world.results("c") == ["received", "refused"]
    reasons = [m for m in world.said if isinstance(m, CommandResult) and m.state == "refused"]
    assert {m.reason for m in reasons} == {"not_possible_now"}
    assert [m.text for m in reasons] == ["it is driving already", "it is still braking"]


def test_the_obstacle_raises_one_request_repeated_until_it_is_acknowledged() -> None:
    world = World(obstacles=[60.0])
    world.run(30)
    requests = [e for e in world.events if e.kind == "takeover.requested"]
    assert len({e.event_id for e in requests}) == 1
    assert len(requests) > 3
    world.vehicle.on_event_ack(EventAck(requests[0].event_id))
    world.said.clear()
    world.run(3)
    assert world.events == []
    world.take()
    world.command("wrong", Resume("another"))
    assert world.results("wrong") == ["received", "refused"]
    world.command("go", Resume(requests[0].event_id))
    assert world.results("go") == ["received", "applied"]
    cleared = world.events[-1]
    assert (cleared.kind, cleared.subject_id) == ("takeover.cleared", requests[0].event_id)
    world.run(20)
    assert world.vehicle.drive.distance > 70


def test_a_hub_that_was_started_anew_is_asked_again_with_the_same_id() -> None:
    world = World(obstacles=[60.0])
    world.run(25)
    request = world.events[0]
    world.vehicle.on_event_ack(EventAck(request.event_id))
    world.said.clear()
    world.run(3)
    assert world.events == []
    world.hub_epoch = 6
    world.run(1)
    assert {event.event_id for event in world.events} == {request.event_id}
    world.vehicle.on_event_ack(EventAck(request.event_id))
    world.said.clear()
    world.run(3)
    assert world.events == []


def test_an_unanswered_request_ends_in_the_minimal_risk_manoeuvre() -> None:
    world = World(obstacles=[60.0])
    world.run(60)
    assert (world.state.mode, world.state.mrm) == ("STOP", "MRM_SUCCEEDED")
    assert world.state.behaviour == "COMFORTABLE_STOP"
    world.take()
    world.command("go", Resume())
    assert world.results("go") == ["received", "applied"]


def test_a_tractor_stops_when_the_link_is_lost_and_stays_when_it_is_back() -> None:
    world = World(Kind.TRACTOR)
    world.run(10)
    assert not world.vehicle.drive.standing
    world.hub_there = False
    world.run(4)
    assert world.state.mrm == "MRM_OPERATING"
    assert "link lost" in world.state.reason
    world.run(10)
    assert world.state.mrm == "MRM_SUCCEEDED"
    world.take()
    world.command("no", Resume())
    assert world.answers("no")[-1].text == "the link to the hub is lost"
    world.hub_there = True
    world.run(10)
    assert world.vehicle.drive.standing
    world.take()
    world.command("go", Resume())
    world.run(5)
    assert not world.vehicle.drive.standing


def test_a_tractor_does_not_move_before_it_heard_a_hub() -> None:
    world = World(Kind.TRACTOR)
    world.hub_there = False
    world.run(10)
    assert world.vehicle.drive.distance == 0
    assert world.state.reason == "waiting for the hub"
    world.hub_there = True
    world.run(10)
    assert world.vehicle.drive.distance > 1


def test_a_bus_continues_inside_its_odd_and_says_so() -> None:
    world = World()
    world.run(5)
    world.hub_there = False
    world.run(10)
    assert world.state.mode == "AUTONOMOUS"
    assert world.state.reason == "link lost: continuing inside the ODD"
    assert not world.vehicle.drive.standing
    world.hub_there = True
    world.run(2)
    assert world.state.reason == ""


def test_a_new_epoch_waits_for_the_disk_and_an_unwritable_disk_refuses() -> None:
    world = World()
    world.run(5)
    take = TakeControl("hanako", Purpose.ASSIST)
    data = world.command("take", take, epoch=6)
    assert world.results("take") == []
    assert [p.epoch for p in world.persist] == [6]
    world.vehicle.on_epoch_failed(data, world.now)
    world.drain()
    assert world.results("take") == ["refused"]
    assert not world.vehicle.control.is_held
    data = world.command("take-2", take, epoch=6)
    world.vehicle.on_epoch_durable(6, data, world.now)
    world.drain()
    assert world.results("take-2") == ["received", "applied"]
    assert world.vehicle.control.is_held


def test_numbers_are_valid_and_sequences_rise() -> None:
    world = World()
    last = None
    for _ in range(50):
        world.run(0.1)
        message = world.vehicle.telemetry(world.now)
        message.check()
        assert last is None or message.seq == last + 1
        last = message.seq
    states = [m.seq for m in world.said if isinstance(m, State)]
    assert states == list(range(1, len(states) + 1))


def test_what_it_wants_to_say_is_bounded_while_nobody_listens() -> None:
    world = World()
    for number in range(2_000):
        world.seq += 1
        world.vehicle.on_command(b"{}" + str(number).encode(), False, 0)
        raw = b'{"command_id":"%d"}' % number
        world.vehicle.on_command(raw, False, 0)
    assert len(world.vehicle.take_outputs()) <= 512


# ---------------------------------------------------------------------------- small


def test_the_epoch_survives_and_damage_is_not_taken_for_zero(tmp_path: Path) -> None:
    store = EpochStore(tmp_path / "state", "maebashi/bus-01")
    assert store.load() == 0
    store.store(7)
    assert EpochStore(tmp_path / "state", "maebashi/bus-01").load() == 7
    with pytest.raises(EpochError, match="belongs to"):
        EpochStore(tmp_path / "state", "maebashi/bus-02").load()
    (tmp_path / "state/epoch.json").write_text('{"highest')
    with pytest.raises(EpochError, match="damaged"):
        store.load()


def test_the_radio_changes_cells_along_the_way_and_stays_plausible() -> None:
    model = RadioModel("maebashi")
    cells = []
    for metre in range(0, 3_000, 5):
        radio = model.at(metre * 0.7, metre * 0.3)
        assert radio.rsrp_dbm is not None
        assert -130 < radio.rsrp_dbm < -40
        assert radio.up_kbps is not None
        assert radio.up_kbps > 0
        cells.append(radio.cell_id)
    handovers = sum(a != b for a, b in itertools.pairwise(cells))
    assert 2 <= handovers <= 15


def test_delays_grow_are_jittered_and_bounded() -> None:
    backoff = Backoff(random.Random(1))
    delays = [backoff.next_s() for _ in range(20)]
    assert 0.2 <= delays[0] <= 1.0
    assert max(delays) <= 5.0
    assert len(set(delays)) == 20
    backoff.reset()
    assert backoff.next_s() <= 1.0
