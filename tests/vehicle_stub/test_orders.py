"""What comes of each order: answers, paths, equipment, what befalls a vehicle."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.supervision import Purpose
from protocols.vehicle import (
    AlternatePath,
    Announce,
    Body,
    Doors,
    EmergencyStop,
    FollowPath,
    Implement,
    Kind,
    PullOver,
    ReleaseControl,
    Resume,
    Stop,
    Wait,
)
from support.vehicle_world import World, straight
from vehicle_stub.course import Course, route_course
from vehicle_stub.drive import Drive
from vehicle_stub.equipment import EVERY_KIND, OF_KIND, Happening
from vehicle_stub.outputs import Announcement
from vehicle_stub.paths import PathError
from vehicle_stub.paths import given as given_path

ROUTE = Path(__file__).parents[2] / "scenarios/maebashi/route.geojson"


@functools.cache
def town() -> Course:
    return route_course(ROUTE.read_bytes(), 20 / 3.6)


def asking(**made: Any) -> World:
    """A vehicle that waits before an obstacle; somebody has control, to assist."""
    world = World(obstacles=[60.0], **made)
    world.run(22)
    world.take()
    assert world.vehicle.asking.open
    return world


# -------------------------------------------------------------------------- answers


def test_every_kind_of_vehicle_obeys_known_orders_and_says_so() -> None:
    known = {str(body.__struct_config__.tag) for body in get_args(Body)}
    said = {order for orders in OF_KIND.values() for order in orders}
    assert said == known
    assert set(OF_KIND) == set(Kind)


FIELDS: dict[str, Any] = {
    "request_id": "e",
    "more_s": 1.0,
    "option_id": "o",
    "points": [[139.0, 36.0], [139.0, 37.0]],
    "max_speed_mps": 1.0,
    "hold_ms": 1,
    "holder": "jiro",
    "purpose": "assist",
    "open": True,
    "text": "x",
}


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("body", get_args(Body), ids=lambda body: body.__struct_config__.tag)
def test_every_order_is_answered_once_and_for_all(kind: Kind, body: Any) -> None:
    world = World(kind)
    world.run(5)
    world.take()
    fields = {key: value for key, value in FIELDS.items() if key in body.__struct_fields__}
    order = msgspec.convert(fields, body)
    world.command("c", order, epoch=world.hub_epoch + (body.__name__ == "TakeControl"))
    world.keep_epochs()
    world.run(5)
    ends = [result for result in world.results("c") if result != "received"]
    assert len(ends) == 1
    if body.__struct_config__.tag not in OF_KIND[kind]:
        assert world.answers("c")[-1].text == (
            f"a {kind} does not obey {body.__struct_config__.tag}"
        )


def test_many_releases_are_each_answered() -> None:
    world = World()
    world.run(1)
    world.command("halt", Stop())
    world.run(2)
    world.drive_at(3.0, 5)
    names = [f"r-{number}" for number in range(40)]
    for name in names:
        world.command(name, ReleaseControl(), operator="hub")
    world.run(5)
    assert all(world.results(name) == ["received", "applied"] for name in names)


# ------------------------------------------------------------------ answers to a request


def test_wait_gives_more_time_and_then_the_requests_own_rule_holds_again() -> None:
    world = asking()
    world.command("w", Wait(world.vehicle.asking.open_id, 40.0))
    assert world.results("w") == ["received", "applied"]
    world.run(39)
    assert world.state.mode == "REMOTE_ASSIST"
    world.run(2)
    assert world.state.mrm == "MRM_SUCCEEDED"
    world.command("w-2", Wait(world.vehicle.asking.open_id, 40.0))
    assert world.answers("w-2")[-1].text == "it does not wait for an answer any more"


def test_wait_for_another_request_is_refused() -> None:
    world = asking()
    world.command("w", Wait("another", 40.0))
    assert world.results("w") == ["received", "refused"]


@pytest.mark.parametrize("side", ["pass-left", "pass-right"])
def test_it_offers_ways_round_the_obstacle_and_takes_the_chosen_one(side: str) -> None:
    world = asking()
    request = world.events[0]
    assert [option.option_id for option in request.options] == ["pass-right", "pass-left"]
    world.command("a", AlternatePath(request.event_id, side))
    assert world.results("a") == ["received", "applied"]
    furthest = 0.0
    while world.vehicle.drive.distance < 90:
        world.tick()
        if 58 < world.vehicle.drive.distance < 63:
            assert abs(world.vehicle.drive.sideways.offset) > 1.8
        offset = world.vehicle.drive.sideways.offset
        furthest = max(furthest, offset, -offset)
    assert (world.vehicle.drive.sideways.offset > 0.0) == (side == "pass-left") or furthest > 2
    world.run(10)
    assert abs(world.vehicle.drive.sideways.offset) < 0.1
    assert [e.kind for e in world.events].count("takeover.cleared") >= 1
    assert world.state.mode == "REMOTE_ASSIST"
    assert world.state.reason == ""


def test_a_way_it_does_not_offer_is_refused() -> None:
    world = asking()
    world.command("a", AlternatePath(world.vehicle.asking.open_id, "pass-over"))
    world.command("b", AlternatePath("another", "pass-left"))
    assert world.answers("a")[-1].text == "it does not offer that way"
    assert world.answers("b")[-1].text == "it does not offer that way"
    world.command("halt", Stop())
    world.run(1)
    world.command("c", AlternatePath(world.vehicle.asking.open_id, "pass-left"))
    assert world.answers("c")[-1].text == "it does not wait for an answer any more"


def test_driven_past_what_it_asked_about_it_asks_no_more() -> None:
    world = asking()
    world.drive_at(0.0, 0.2)
    world.wish = {"speed_mps": 1.5, "curvature": 0.2}
    while world.vehicle.drive.sideways.offset < 1.7:
        world.tick()
    world.wish = {"speed_mps": 1.5, "curvature": -0.1}
    while world.vehicle.drive.distance < 62:
        world.tick()
        assert world.now < 200_000_000_000
    world.tick()
    assert world.vehicle.asking.open is None
    assert world.events[-1].kind == "takeover.cleared"


# ------------------------------------------------------------------------ pull over


def test_it_pulls_over_to_the_side_and_only_a_resume_ends_it() -> None:
    world = World()
    world.run(10)
    world.take()
    world.command("p", PullOver())
    world.run(15)
    assert world.vehicle.drive.standing
    assert world.vehicle.drive.sideways.offset == pytest.approx(1.8, abs=0.3)
    assert world.state.mode == "STOP"
    assert world.state.reason == "pulled over: waiting for a person"
    world.command("p-2", PullOver())
    assert world.results("p-2") == ["received", "applied"]
    world.command("f", FollowPath([(139.07, 36.39), (139.07, 36.3901)], 2.0))
    assert world.results("f")[-1] == "refused"
    world.run(5)
    world.command("go", Resume())
    world.run(12)
    assert world.results("go") == ["received", "applied"]
    assert abs(world.vehicle.drive.sideways.offset) < 0.2


def test_where_it_cannot_reach_the_side_it_stands_where_it_is() -> None:
    world = asking()
    world.command("p", PullOver(world.vehicle.asking.open_id))
    world.run(25)
    assert world.vehicle.drive.standing
    assert world.state.mode == "STOP"


# ---------------------------------------------------------------------------- paths


def places(drive: Drive, *path: tuple[float, float]) -> list[tuple[float, float]]:
    """Degrees of (metres ahead, metres to the left) on a road that leads north."""
    frame = drive.course.frame
    return [frame.to_degrees(-left, drive.distance + ahead) for ahead, left in path]


def test_it_follows_a_path_as_fast_as_allowed_then_goes_on_as_planned() -> None:
    world = World()
    world.run(5)
    world.take()
    way = places(world.vehicle.drive, (3, 0), (15, 2), (30, 2), (45, 0))
    world.command("f", FollowPath(way, 2.0))
    assert world.results("f") == ["received", "applied"]
    start = world.vehicle.drive.distance
    world.run(10)
    assert world.speed == pytest.approx(2.0, abs=0.01)
    assert world.vehicle.drive.sideways.offset == pytest.approx(2.0, abs=0.4)
    while world.vehicle.drive.distance < start + 60:
        world.tick()
    assert abs(world.vehicle.drive.sideways.offset) < 0.3
    assert world.speed > 3
    assert world.state.reason == ""


@pytest.mark.parametrize(
    ("path", "speed", "why"),
    [
        ([(3, 0), (10, 0)], 6.0, "drives at most"),
        ([(6, 0), (10, 0)], 2.0, "point 0 is 6 m away"),
        ([(3, 0), (34, 0)], 2.0, "point 1 is 31 m away"),
        ([(3, 0), (20, 7)], 2.0, "7.0 m beside the course"),
        ([(3, 0), (5, 4)], 2.0, "cannot be reached"),
        ([(3, 0), (0, 0)], 2.0, "cannot be reached|does not lead on"),
        ([(0, 0), (0.5, 0)], 2.0, "does not lead on"),
        ([(3, 0), *((25.0 * n, 0) for n in range(1, 18))], 2.0, "425 m long"),
    ],
    ids=str,
)
def test_a_path_outside_its_envelope_is_refused(
    path: list[tuple[float, float]], speed: float, why: str
) -> None:
    world = World()
    world.run(5)
    world.take()
    world.command("f", FollowPath(places(world.vehicle.drive, *path), speed))
    answer = world.answers("f")[-1]
    assert answer.reason == "outside_envelope"
    import re

    assert re.search(why, answer.text)


@settings(max_examples=60, deadline=None)
@given(
    start=st.floats(0, 2_000),
    path=st.lists(st.tuples(st.floats(1, 25), st.floats(-5, 5)), min_size=2, max_size=8),
)
def test_a_path_along_a_bent_road_is_found_again_beside_it(
    start: float, path: list[tuple[float, float]]
) -> None:
    drive = Drive(town(), start_m=start, obstacles=[], dwell_s=1, loop=True, now_ns=0)
    from vehicle_stub.paths import places as on_earth

    ahead, way = 0.0, []
    for step, left in path:
        ahead += step
        way.append((ahead, left))
    if way[0][0] > 4:
        way = [(2.0, 0.0), *way]
    try:
        found = given_path(drive, on_earth(drive, way), 2.0)
    except PathError:
        return
    assert all(abs(left) <= 6.0 for _, left in found)
    assert [along for along, _ in found] == sorted(along for along, _ in found)


# ------------------------------------------------------------------------ equipment


def test_doors_open_only_while_it_stands_and_hold_it_until_they_are_closed() -> None:
    world = World()
    world.run(10)
    world.take()
    world.command("a", Doors(True))
    assert world.answers("a")[-1].text == "it moves"
    world.command("halt", Stop())
    world.run(4)
    world.command("b", Doors(True))
    assert world.results("b") == ["received", "applied"]
    assert world.state.doors_open is True
    world.command("go", Resume())
    assert world.answers("go")[-1].text == "the doors are open"
    world.drive_at(2.0, 2)
    assert world.vehicle.drive.standing
    world.wish = None
    world.command("c", Doors(False))
    assert world.state.doors_open is False


def test_an_announcement_is_handed_on() -> None:
    world = World()
    world.take()
    world.command("a", Announce("停車します", outside=True))
    assert world.results("a") == ["received", "applied"]
    assert world.announced == [Announcement("停車します", True)]


def test_power_take_off_is_refused_while_a_person_is_near_and_ends_when_one_comes() -> None:
    happenings = [
        Happening(at_s=5, alarm="person.near_machine", text="a person"),
        Happening(at_s=10, alarm="person.near_machine", active=False),
    ]
    world = World(Kind.TRACTOR, made={"happenings": happenings})
    world.run(1)
    world.take()
    world.command("a", Implement(lowered=True, pto=True))
    assert world.results("a") == ["received", "applied"]
    assert (world.state.implement.lowered, world.state.implement.pto) == (True, True)
    world.run(5)
    assert world.state.implement.pto is False
    world.command("b", Implement(pto=True))
    assert world.answers("b")[-1].text == "a person is near the machine"
    world.command("c", Implement(lowered=False))
    assert world.results("c") == ["received", "applied"]
    world.run(5)
    world.command("d", Implement(pto=True))
    assert world.results("d") == ["received", "applied"]
    alarms = [(e.alarm, e.active, e.text) for e in world.events if e.kind == "alarm"]
    assert set(alarms) == {
        ("person.near_machine", True, "a person"),
        ("person.near_machine", False, "person.near_machine"),
    }


def test_an_emergency_stop_switches_the_power_take_off_off() -> None:
    world = World(Kind.TRACTOR)
    world.run(1)
    world.take()
    world.command("a", Implement(lowered=True, pto=True))
    world.command("e", EmergencyStop())
    assert (world.state.implement.lowered, world.state.implement.pto) == (True, False)


def test_what_happens_to_its_domain_is_said_in_its_state() -> None:
    happenings = [
        Happening(at_s=4, alarm="odd.exit"),
        Happening(at_s=2, alarm="odd.near_exit"),
        Happening(at_s=6, alarm="odd.exit", active=False),
    ]
    world = World(made={"happenings": happenings})
    seen = []
    for _ in range(4):
        world.run(2)
        seen.append(str(world.state.odd))
    assert seen == ["NEAR_EXIT", "OUTSIDE", "NEAR_EXIT", "NEAR_EXIT"]


def test_what_is_taken_for_driving_in_a_field_stays_where_it_pulls_over() -> None:
    from vehicle_stub.course import field_course

    field = (ROUTE.parents[1] / "field/field.geojson").read_bytes()
    drive = Drive(
        field_course(field, 2.0, 4.0), start_m=20, obstacles=[], dwell_s=1, loop=True, now_ns=0
    )
    world = World(Kind.TRACTOR, made={"drive": drive})
    world.run(5)
    world.take()
    world.command("p", PullOver())
    world.run(5)
    assert world.vehicle.drive.standing
    assert abs(drive.sideways.offset) < 0.01
    assert world.take(Purpose.DRIVE) == ["received", "applied"]


def test_every_order_every_kind_has_is_named() -> None:
    assert len(EVERY_KIND) == len(set(EVERY_KIND))
    assert straight(10.0).standing
