"""Control of a vehicle, and being driven: in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.drive import DriveFrame, StopFrame, drive_key, seal, stop_key
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from protocols.vehicle import (
    EmergencyStop,
    HubHeartbeat,
    Kind,
    LimitSpeed,
    MinimalRisk,
    MrmBehaviour,
    Resume,
    Stop,
)
from support.vehicle_world import BUS, KEY, MS, STEP_NS, World

OTHER = VehicleId("maebashi", "bus-02")
WITHIN_NS = 500 * MS
"""Driving ends so soon after the last valid frame, whatever happens."""


def standing(**made: Any) -> World:
    """A vehicle that a person stopped, and that has heard the hub."""
    world = World(**made)
    world.run(1)
    world.command("halt", Stop())
    world.run(3)
    assert world.vehicle.drive.standing
    return world


def driven(speed_mps: float = 3.0, **made: Any) -> World:
    """A vehicle that is driven at that speed."""
    world = standing(**made)
    world.drive_at(speed_mps, 8.0)
    assert world.state.mode == "REMOTE_DRIVE"
    assert world.speed == pytest.approx(speed_mps, abs=0.01)
    return world


# -------------------------------------------------------------------------- control


def test_control_is_said_by_whoever_has_it_and_what_for() -> None:
    world = World()
    world.run(1)
    assert (world.state.holder, world.state.control_epoch) == ("", 0)
    assert world.take() == ["received", "applied"]
    assert (world.state.holder, world.state.purpose) == ("hanako", "assist")
    assert world.state.control_epoch == 6
    assert world.state.mode == "REMOTE_ASSIST"
    assert world.release() == ["received", "applied"]
    assert (world.state.holder, world.state.purpose) == ("", "monitor")
    assert world.state.mode == "AUTONOMOUS"


def test_watching_needs_no_control() -> None:
    world = World()
    assert world.take(Purpose.MONITOR) == ["received", "refused"]
    assert world.vehicle.control.held.holder == ""


def test_control_lapses_without_the_hubs_lease_and_is_not_taken_up_again() -> None:
    world = World()
    world.take(silence_ms=1_500)
    world.run(5)
    assert world.vehicle.control.is_held
    world.leased = False
    world.run(1.4)
    assert world.vehicle.control.is_held
    world.run(0.6)
    assert not world.vehicle.control.is_held
    assert world.vehicle.counts["control_lapsed_silent"] == 1
    world.leased = True
    world.run(5)
    assert not world.vehicle.control.is_held
    world.command("go", Resume())
    assert world.answers("go")[0].reason == "not_holder"


def test_a_higher_epoch_in_a_heartbeat_ends_control() -> None:
    world = World()
    world.take()
    world.vehicle.on_hub_heartbeat(HubHeartbeat("h", 9, 9, epoch=7, leased=True), world.now)
    assert not world.vehicle.control.is_held
    assert world.vehicle.counts["control_lapsed_fenced"] == 1


def test_a_higher_epoch_in_a_command_ends_control() -> None:
    world = World()
    world.take()
    world.command("limit", LimitSpeed(3.0, 2_000), epoch=7, operator="hub")
    world.keep_epochs()
    assert not world.vehicle.control.is_held


def test_a_lease_of_another_epoch_does_not_keep_control() -> None:
    world = World()
    world.take(silence_ms=1_000)
    world.hub_there = False
    for _ in range(30):
        world.tick()
        world.vehicle.on_hub_heartbeat(HubHeartbeat("h", 9, 9, epoch=5, leased=True), world.now)
    assert not world.vehicle.control.is_held


def test_control_changes_hands_only_with_a_new_epoch() -> None:
    world = World()
    world.take(holder="hanako")
    assert world.take(holder="jiro") == ["received", "applied"]
    assert world.state.holder == "jiro"
    world.command("go", Resume(), operator="hanako")
    assert world.answers("go")[0].reason == "not_holder"


def test_after_a_restart_nobody_has_control() -> None:
    world = World()
    world.take()
    again = World(made={"durable_epoch": 6, "session_id": "s-2"})
    again.hub_epoch = 6
    again.leased = True
    again.run(2)
    assert not again.vehicle.control.is_held
    for session in ("s-1", "s-2"):
        again.command(session, Resume(), session_id=session)
    assert [again.answers(s)[0].reason for s in ("s-1", "s-2")] == ["wrong_session", "not_holder"]


# --------------------------------------------------------------------- being driven


def test_it_is_taken_for_driving_only_while_it_stands() -> None:
    world = World()
    world.run(10)
    assert world.take(Purpose.DRIVE) == ["received", "refused"]
    assert world.answers("take-6-drive")[-1].text == "it has to stand to be driven"
    world.command("halt", Stop())
    world.run(5)
    assert world.take(Purpose.DRIVE) == ["received", "applied"]
    assert world.state.mode == "REMOTE_DRIVE"


def test_it_follows_the_drivers_speed_and_curvature_and_says_how_far_frames_have_come() -> None:
    world = driven(3.0)
    assert abs(world.vehicle.drive.sideways.offset) < 0.01
    world.wish = {"speed_mps": 2.0, "curvature": 0.05}
    world.run(1)
    assert world.speed == pytest.approx(2.0, abs=0.01)
    assert world.vehicle.drive.sideways.offset > 0.05
    echo = world.vehicle.heartbeat(world.now, 0).drive
    assert echo is not None
    assert (echo.epoch, echo.seq, echo.driving) == (6, world.frame_seq, True)
    assert world.now - echo.at_ns <= STEP_NS


def test_sideways_it_goes_no_further_than_its_bound() -> None:
    world = driven(3.0)
    world.wish = {"speed_mps": 3.0, "curvature": 0.1}
    world.run(30)
    assert world.vehicle.drive.sideways.offset == 6.0


def test_the_hubs_limit_and_its_own_stay_while_it_is_driven() -> None:
    world = driven(3.0)
    world.command("limit", LimitSpeed(1.0, 60_000), operator="hub")
    world.run(3)
    assert world.speed == pytest.approx(1.0, abs=0.01)


def test_driven_too_it_stands_before_an_obstacle_that_is_in_its_way() -> None:
    world = standing(obstacles=[60.0])
    world.drive_at(4.0, 40.0)
    assert world.vehicle.drive.standing
    assert world.vehicle.drive.distance < 59
    world.wish = {"speed_mps": 1.0}
    assert world.vehicle.control.for_driving


@pytest.mark.parametrize("end", ["killed", "hub_gone"])
def test_driving_ends_within_half_a_second_of_the_last_frame(end: str) -> None:
    world = driven()
    last_ns, speed = world.now, world.speed
    world.frames_lost = True
    world.hub_there = end != "hub_gone"
    while world.speed >= speed:
        world.tick()
        assert world.now - last_ns <= WITHIN_NS
    assert world.state.mrm == "MRM_OPERATING"
    assert world.state.holder == ""
    world.frames_lost = False
    world.run(10)
    assert world.state.mrm == "MRM_SUCCEEDED"
    assert world.vehicle.drive.standing
    assert world.vehicle.frames.refused_in_all["not_holder"] > 100


def test_a_shell_that_stood_still_does_not_prolong_it() -> None:
    world = driven()
    world.now += 2_000 * MS  # no on_time meanwhile; then a frame comes first
    world.frame(speed_mps=3.0)
    assert not world.vehicle.control.is_held
    assert world.vehicle.frames.refused == {"not_holder": 1}
    assert world.state.mrm == "MRM_OPERATING" or world.vehicle.conduct.braking


def test_a_command_or_a_heartbeat_that_comes_first_finds_it_over_too() -> None:
    for first in ("command", "heartbeat"):
        world = driven()
        world.now += 2_000 * MS
        if first == "command":
            world.command("limit", LimitSpeed(9.0, 9_000), operator="hub")
        else:
            world.vehicle.on_hub_heartbeat(HubHeartbeat("h", 9, 9, None, 6, True), world.now)
        assert not world.vehicle.control.is_held


def test_let_go_brakes_at_once_and_keeps_control_and_a_new_press_begins_centred() -> None:
    world = driven()
    world.wish = {"deadman": False, "speed_mps": 3.0}
    speed = world.speed
    world.tick()
    assert world.speed < speed
    world.wish = {"speed_mps": 0.0}  # pressed again while it still rolls
    world.run(0.3)
    assert world.vehicle.frames.refused["not_standing"] > 0
    world.run(5)
    world.wish = {"deadman": False}
    world.run(5)
    assert world.vehicle.drive.standing
    assert world.state.holder == "hanako"
    assert world.state.mode == "REMOTE_DRIVE"
    world.wish = {"speed_mps": 3.0}
    world.run(1)
    assert world.vehicle.drive.standing
    assert world.vehicle.frames.refused["not_centred"] > 0
    world.wish = {}
    world.run(0.1)
    world.wish = {"speed_mps": 3.0}
    world.run(2)
    assert world.speed > 1.0


def test_a_press_that_begins_on_the_stick_moves_nothing() -> None:
    world = standing()
    world.take(Purpose.DRIVE)
    world.wish = {"curvature": 0.1}
    world.run(1)
    world.wish = {"speed_mps": 1.0}
    world.run(1)
    assert world.vehicle.drive.standing
    assert world.vehicle.frames.refused == {"not_centred": 40}


@pytest.mark.parametrize("lost", ["lease", "link"])
@pytest.mark.parametrize("kind", [Kind.BUS, Kind.TRACTOR])
def test_link_loss_while_driven_is_the_manoeuvre_of_least_risk(kind: Kind, lost: str) -> None:
    world = driven(kind=kind)
    world.leased = lost == "link"
    world.hub_there = lost == "lease"
    world.run(4)
    assert world.state.mrm in ("MRM_OPERATING", "MRM_SUCCEEDED")
    assert world.state.behaviour == "COMFORTABLE_STOP"
    assert not world.vehicle.control.is_held


@pytest.mark.parametrize("stop", [Stop(), EmergencyStop()], ids=["stop", "emergency_stop"])
def test_a_stop_while_driven_ends_the_driving_and_frames_move_nothing_any_more(stop: Any) -> None:
    world = driven()
    world.command("halt-2", stop, operator="jiro")
    world.run(5)
    assert world.vehicle.drive.standing
    assert world.state.mode == "STOP"
    assert world.state.holder == "hanako"
    assert world.vehicle.frames.refused["not_driven"] >= 99
    assert world.take(Purpose.DRIVE) == ["received", "applied"]
    world.drive_at(2.0, 3)
    assert world.speed > 1.0


def test_released_while_driven_it_stands_before_it_says_applied() -> None:
    world = driven()
    assert world.release() == ["received"]
    assert world.state.holder == ""
    at = world.frame_seq
    while world.results("release-6-1") == ["received"]:
        assert world.speed > 0
        world.tick()
    assert world.results("release-6-1") == ["received", "applied"]
    assert world.vehicle.drive.standing
    assert world.vehicle.frames.refused_in_all["not_holder"] >= world.frame_seq - at
    world.run(5)
    assert world.state.mode == "STOP"


def test_released_at_a_standstill_or_with_nobody_in_control_it_is_applied_at_once() -> None:
    world = standing()
    assert world.release() == ["received", "applied"]
    world.take(Purpose.DRIVE)
    assert world.release() == ["received", "applied"]
    assert world.state.mode == "STOP"


def test_from_being_driven_it_goes_on_by_itself_only_when_it_stands_and_is_told() -> None:
    world = driven()
    world.command("go", Resume())
    assert world.answers("go")[-1].text == "it is still braking"
    world.wish = {"deadman": False}
    world.run(5)
    world.command("go-2", Resume())
    assert world.results("go-2") == ["received", "applied"]
    world.wish = {"speed_mps": 0.0}
    world.run(5)
    assert world.state.mode == "AUTONOMOUS"
    assert world.speed > 1
    assert world.vehicle.frames.refused["not_driven"] > 0


def test_the_hub_may_ask_for_the_manoeuvre_while_it_is_driven() -> None:
    world = driven()
    world.command("mrm", MinimalRisk("objective"), operator="hub")
    world.run(5)
    assert world.state.mrm == "MRM_SUCCEEDED"
    world.run(1)
    assert world.vehicle.drive.standing


# ------------------------------------------------------------------- emergency stop


def test_an_emergency_stop_brakes_harder_than_a_stop_and_is_not_made_weaker_by_one() -> None:
    distances = []
    for body in (Stop(), EmergencyStop()):
        world = World()
        world.run(10)
        start = world.vehicle.drive.travelled
        world.command("a", body)
        world.tick()
        world.command("b", Stop())
        world.run(5)
        assert world.vehicle.drive.standing
        distances.append(world.vehicle.drive.travelled - start)
    assert distances[1] < 0.6 * distances[0]


def test_a_stop_frame_of_any_account_stops_and_has_one_effect_with_the_command() -> None:
    world = World()
    world.run(10)
    world.stop_frame("e-1", "jiro")
    assert world.results("e-1") == ["received", "applied"]
    assert world.state.reason == "emergency stop by jiro"
    world.stop_frame("e-1", "jiro")
    assert world.results("e-1") == ["received", "applied"]
    world.command("e-1", EmergencyStop(), operator="jiro")
    assert world.results("e-1") == ["received", "applied"] * 2
    assert world.vehicle.counts["accepted_stopframe"] == 1
    assert "accepted_emergencystop" not in world.vehicle.counts
    world.run(4)
    world.take()
    world.command("go", Resume())
    world.run(4)
    world.stop_frame("e-1", "jiro")
    assert world.speed > 1


def test_a_stop_frame_with_another_accounts_key_is_refused() -> None:
    world = World()
    world.run(10)
    for vehicle, key, account in ((BUS, KEY, "saburo"), (OTHER, KEY, "jiro"), (BUS, b"x", "jiro")):
        data = seal(StopFrame("e-1", "jiro"), stop_key(key, vehicle, account))
        world.vehicle.on_frame(data, world.now)
    assert world.vehicle.frames.refused == {"bad_tag": 3}
    assert not world.vehicle.conduct.braking


# ------------------------------------------------------------------- frames refused


def frame_of(world: World, key_epoch: int = 6, holder: str = "hanako", **changes: Any) -> bytes:
    given: dict[str, Any] = {
        "session_id": "s-1",
        "epoch": 6,
        "seq": 10_000,
        "issued_ns": world.now,
        "deadman": True,
    }
    vehicle = changes.pop("vehicle", BUS)
    return seal(DriveFrame(**given | changes), drive_key(KEY, vehicle, key_epoch, holder))


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("bad_tag", {"holder": "jiro"}),
        ("bad_tag", {"vehicle": OTHER}),
        ("bad_tag", {"key_epoch": 5}),
        ("old_epoch", {"key_epoch": 5, "epoch": 5}),
        ("old_epoch", {"key_epoch": 7, "epoch": 7}),
        ("wrong_session", {"session_id": "s-0"}),
        ("old_seq", {"seq": 1}),
        ("expired", {"issued_ns": -300 * MS - 1}),
        ("from_the_future", {"issued_ns": 100 * MS + 1}),
        ("outside_envelope", {"speed_mps": 5.6}),
        ("outside_envelope", {"curvature": 0.201}),
        ("outside_envelope", {"curvature": -0.201}),
    ],
    ids=str,
)
def test_a_frame_is_refused_by_its_cause_and_does_not_prolong_the_driving(
    reason: str, changes: dict[str, Any]
) -> None:
    world = driven()
    if "issued_ns" in changes:
        changes = changes | {"issued_ns": world.now + changes["issued_ns"]}
    until_ns = world.vehicle.deadman.until_ns
    world.vehicle.on_frame(frame_of(world, **changes), world.now)
    assert world.vehicle.frames.refused == {reason: 1}
    assert world.vehicle.deadman.until_ns == until_ns


@pytest.mark.parametrize(
    "changes",
    [
        {"issued_ns": -300 * MS},
        {"issued_ns": 100 * MS},
        {"speed_mps": 5.56},
        {"curvature": 0.2},
        {"curvature": -0.2},
        {"deadman": False, "speed_mps": 20.0, "curvature": 0.5},
    ],
    ids=str,
)
def test_a_frame_that_is_just_inside_is_obeyed(changes: dict[str, Any]) -> None:
    world = driven()
    if "issued_ns" in changes:
        changes = changes | {"issued_ns": world.now + changes["issued_ns"]}
    world.vehicle.on_frame(frame_of(world, **changes), world.now)
    assert world.vehicle.frames.refused == {}
    assert world.vehicle.frames.seq == 10_000


def test_a_frame_from_the_future_holds_no_longer_for_it() -> None:
    world = driven()
    world.vehicle.on_frame(frame_of(world, issued_ns=world.now + 100 * MS), world.now)
    assert world.vehicle.deadman.until_ns == world.now + 400 * MS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"x" * 32, "malformed"),
        (b"x" * 33, "malformed"),
        (b"x" * 1_025, "oversize"),
        ("text", "malformed"),
        (bytes(32) + b'{"type":"fly"}', "malformed"),
    ],
    ids=str,
)
def test_what_is_no_frame_is_refused(data: bytes | str, reason: str) -> None:
    world = standing()
    world.vehicle.on_frame(data, world.now)
    assert world.vehicle.frames.refused == {reason: 1}


def test_a_stored_frame_is_of_some_other_day() -> None:
    world = driven()
    world.vehicle.on_frame(frame_of(world), world.now, by_hub=True, retained=True)
    assert world.vehicle.frames.refused == {"retained": 1}


def test_frames_come_by_both_ways_and_each_is_obeyed_once() -> None:
    world = driven()
    data = world.make_frame(speed_mps=2.0)
    world.vehicle.on_frame(data, world.now, by_hub=True)
    echo = world.vehicle.drive_echo()
    assert echo is not None
    assert echo.by_hub
    world.vehicle.on_frame(data, world.now)
    assert world.vehicle.frames.refused == {"old_seq": 1}


def test_frames_need_control_for_driving_not_for_assisting() -> None:
    world = standing()
    world.take(Purpose.ASSIST)
    world.frame()
    assert world.vehicle.frames.refused == {"not_holder": 1}
    assert world.vehicle.drive_echo() is None


def test_a_brake_wins_over_any_speed() -> None:
    world = driven()
    world.wish = {"speed_mps": 3.0, "brake": 0.2}
    world.run(3)
    assert world.vehicle.drive.standing
    assert world.vehicle.deadman.driving


@pytest.mark.parametrize("fallback", [MrmBehaviour.COMFORTABLE_STOP, MrmBehaviour.EMERGENCY_STOP])
def test_the_manoeuvre_is_the_one_that_was_promised(fallback: MrmBehaviour) -> None:
    world = driven(made={"fallback": fallback})
    world.frames_lost = True
    world.run(1)
    assert world.state.behaviour == fallback
