"""Control for driving: harder to get than to assist, and ended by the first doubt."""

from __future__ import annotations

import msgspec
import pytest
from good_seat import ABLE, Seat
from helpers_core import BUS, OPERATOR, of

from protocols import vehicle
from protocols.authority import ControlState
from protocols.supervision import Purpose
from supervisor.core import events as e
from supervisor.core.effects import Record, Refuse, SetGrant

COMMANDS = [*ABLE.commands, "take_control", "release_control"]


class Driver(Seat):
    """A good seat at a bus that can be driven, and stands."""

    def __init__(self) -> None:
        super().__init__(factsheet=msgspec.structs.replace(ABLE, commands=COMMANDS))
        self.standing = True

    def telemetry(self, **changes: object):
        speed = {"speed_mps": 0.0} if self.standing else {}
        return super().telemetry(**{**speed, **changes})

    def begin(self) -> list:
        """Take control for driving; the vehicle obeys."""
        self.drive(16)
        assert self.view().drive.available, self.view().drive
        self.ask_control(purpose=Purpose.DRIVE)
        (record,) = [r for r in of(self.accept(), Record) if r.kind == "control.granted"]
        self.written(record.record_id)
        effects = self.result("applied", self.bus.control.take_id)
        assert self.control.state is ControlState.HELD, self.control
        self.mode = vehicle.OperationMode.REMOTE_DRIVE
        self.says("hanako", self.control.epoch, mode=self.mode)
        return effects


def test_driving_begins_while_the_vehicle_stands_and_goes_on_while_all_is_well() -> None:
    seat = Driver()
    effects = seat.begin()
    assert of(effects, SetGrant)[0].purpose is Purpose.DRIVE
    seat.drive(30, beats_each=1)
    assert seat.control.state is ControlState.HELD, seat.control
    assert seat.view().purpose is Purpose.DRIVE


def test_a_vehicle_that_moves_is_not_taken_for_driving() -> None:
    seat = Driver()
    seat.standing = False
    seat.drive(16)
    (refused,) = of(seat.ask_control(purpose=Purpose.DRIVE), Refuse)
    assert refused.refusal.reason == "moving"


@pytest.mark.parametrize("lost", ["blur", "hidden", "gamepad", "sleep"])
def test_whatever_the_driver_loses_ends_it_in_the_same_step(lost: str) -> None:
    seat = Driver()
    seat.begin()
    effects = seat.seat(OPERATOR, lost=lost)
    assert of(effects, SetGrant)[0].session is None
    assert (seat.control.state, seat.control.ended) == (ControlState.RELEASING, "seat_lost")


def test_driving_that_is_withdrawn_ends_with_its_reasons() -> None:
    seat = Driver()
    seat.begin()
    seat.drive(1)
    seat.g2g = 2_000.0
    effects = seat.drive(16, beats_each=1)
    ended = [r for r in of(effects, Record) if r.kind == "control.ended"]
    assert [r.data["why"] for r in ended] == ["drive_withdrawn"]
    assert "objective:drive-late" in str(ended[0].data["reason"])


def test_heartbeats_that_stay_rare_while_it_is_driven_end_it() -> None:
    seat = Driver()
    seat.begin()
    effects = seat.drive(12, beats_each=6)  # 600 ms, as if nobody drove it
    ended = [r for r in of(effects, Record) if r.kind == "control.ended"]
    assert ["objective:drive-heartbeat" in str(r.data["reason"]) for r in ended] == [True]


def test_a_dead_man_that_ran_out_on_the_vehicle_ends_control() -> None:
    seat = Driver()
    seat.begin()
    epoch = seat.control.epoch
    seat.says("", reason="hanako does not drive any more: the control frames have stopped")
    assert (seat.control.ended, seat.control.ended_by) == ("deadman", str(BUS))
    assert seat.control.epoch == epoch
    assert seat.alarm("deadman.released") == "unacknowledged"


def test_who_assists_can_go_on_to_drive_in_a_new_epoch() -> None:
    seat = Driver()
    seat.drive(16)
    seat.take()
    before = seat.control.epoch
    seat.ask_control(purpose=Purpose.DRIVE)
    assert (seat.control.state, seat.control.ended) == (ControlState.RELEASING, "handed_back")
    seat.result("applied", seat.bus.control.release_ids[-1])
    assert (seat.control.state, seat.control.purpose) == (ControlState.OFFERED, Purpose.DRIVE)
    seat.do(e.ControlAccepted(OPERATOR, BUS))
    assert seat.control.epoch == before + 1


def test_driving_needs_a_password_given_lately_and_assisting_does_not() -> None:
    seat = Driver()
    seat.drive(16)
    effects = seat.ask_control(purpose=Purpose.DRIVE, is_proved=False)
    assert [one.refusal.reason for one in of(effects, Refuse)] == ["step_up"]
    assert [one.kind for one in of(effects, Record)] == ["control.refused"]
    assert seat.control.state is ControlState.FREE
    assert not of(seat.ask_control(purpose=Purpose.ASSIST, is_proved=False), Refuse)
    assert seat.control.state is ControlState.OFFERED


def test_each_password_given_is_on_record_right_or_wrong() -> None:
    seat = Driver()
    (wrong,) = of(seat.do(e.PasswordGiven(OPERATOR, "wrong")), Record)
    (right,) = of(seat.do(e.PasswordGiven(OPERATOR, "")), Record)
    assert (wrong.kind, wrong.actor, wrong.data["reason"]) == (
        "password.refused",
        "hanako",
        "wrong",
    )
    assert (right.kind, right.actor) == ("password.given", "hanako")
