"""What comes of an accepted command. Pure.

Every command that `checker` accepts ends in one answer: applied, applied later (when the
vehicle stands), or refused with a reason. `_perform` has no other way out, and mypy holds
that no type of command is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from protocols.supervision import Purpose
from protocols.vehicle import (
    AlternatePath,
    Announce,
    Command,
    Doors,
    EmergencyStop,
    FollowPath,
    Implement,
    LimitSpeed,
    MinimalRisk,
    PullOver,
    RefusalReason,
    ReleaseControl,
    ResultState,
    Resume,
    Stop,
    TakeControl,
    Wait,
)
from vehicle_stub.answers import Answer, Answers, Applied, Impossible, Later
from vehicle_stub.conduct import DRIVEN, Input, Phase
from vehicle_stub.equipment import OF_KIND
from vehicle_stub.outputs import Announcement
from vehicle_stub.paths import PASS_MPS, PathError, given

if TYPE_CHECKING:
    from vehicle_stub.vehicle import Vehicle

APPLIED: Final = Applied()
AT_ONCE: Final = (LimitSpeed, MinimalRisk)
"""Answered by `applied` alone."""

_WHY: Final = {
    Phase.DRIVING: "it is driving already",
    Phase.FOLLOWING: "it is driving already",
    Phase.BRAKING: "it is still braking",
    Phase.EMERGENCY: "it is still braking",
    Phase.MRM_BRAKING: "it is still braking",
    Phase.PULLING_OVER: "it is pulling over",
    Phase.REMOTE_DRIVING: "it is being driven",
}
ONLY_RESUME: Final = "only a resume or a driver sets it moving again"


class Orders:
    """Carries out the commands of one vehicle."""

    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle = vehicle

    def carry_out(self, command: Command, answers: Answers, now_ns: int) -> None:
        """Obey what was accepted, and answer it."""
        if not isinstance(command.body, AT_ONCE):
            answers.say(command.command_id, ResultState.RECEIVED, now_ns)
        answer = self._perform(command, now_ns)
        match answer:
            case Applied():
                answers.say(command.command_id, ResultState.APPLIED, now_ns)
            case Later():
                answers.say_later(command.command_id, now_ns)
            case Impossible(text, reason):
                self._vehicle.count(f"refused_{reason.value}")
                answers.say(command.command_id, ResultState.REFUSED, now_ns, reason, text)

    def _perform(self, command: Command, now_ns: int) -> Answer:
        vehicle, body = self._vehicle, command.body
        kind = str(body.__struct_config__.tag)
        if kind not in OF_KIND[vehicle.kind]:
            return Impossible(f"a {vehicle.kind} does not obey {kind}")
        who = command.operator or "the hub"
        match body:
            case Stop():
                vehicle.feed(Input.STOP, f"stop command by {who}")
                return APPLIED
            case EmergencyStop():
                vehicle.emergency_stop(command.operator)
                return APPLIED
            case Resume(request_id):
                return self._go_on(Input.RESUME, request_id, "", now_ns)
            case Wait():
                return self._wait(body, now_ns)
            case AlternatePath():
                return self._alternate(body, who, now_ns)
            case PullOver(request_id):
                return self._go_on(Input.PULL_OVER, request_id, f"pull over: {who}", now_ns)
            case FollowPath():
                return self._follow(body, who, now_ns)
            case LimitSpeed(mps, hold_ms, _):
                vehicle.limit.obey(mps, command.issued_ns, hold_ms, now_ns)
                return APPLIED
            case MinimalRisk(reason):
                vehicle.feed(Input.MINIMAL_RISK, f"asked by the hub: {reason}"[:200])
                return APPLIED
            case TakeControl():
                return self._take(body, command.epoch, now_ns)
            case ReleaseControl():
                return self._release(body)
            case Doors():
                return self._doors(body)
            case Announce(text, outside):
                vehicle.outputs.put(Announcement(text, outside))
                return APPLIED
            case Implement():
                why_not = vehicle.attachment.obey(body, vehicle.conditions.person_near)
                return Impossible(why_not) if why_not else APPLIED
            case _:
                assert_never(body)

    # ------------------------------------------------------------------- moving on

    def _go_on(self, how: Input, request_id: str, reason: str, now_ns: int) -> Answer:
        """Set it moving, by its own driving, and close what it asked."""
        vehicle = self._vehicle
        why_not = self._why_not_go(request_id)
        if why_not:
            return Impossible(why_not)
        if not vehicle.feed(how, reason):
            return Impossible(_WHY.get(vehicle.conduct.phase, ONLY_RESUME))
        if how is not Input.PULL_OVER and vehicle.asking.close(now_ns) and how is Input.RESUME:
            vehicle.drive.pass_obstacle()
        return APPLIED

    def _why_not_go(self, request_id: str) -> str:
        vehicle = self._vehicle
        if request_id and request_id != vehicle.asking.open_id:
            return "that request is not open any more"
        if vehicle.conduct.phase in DRIVEN and not vehicle.drive.standing:
            return "it is still braking"
        if vehicle.drive.doors_held:
            return "the doors are open"
        if vehicle.stops_on_link_loss and not vehicle.link_up:
            return "the link to the hub is lost"
        return ""

    def _wait(self, body: Wait, now_ns: int) -> Answer:
        vehicle = self._vehicle
        if not vehicle.asking.open or body.request_id != vehicle.asking.open_id:
            return Impossible("that request is not open any more")
        if vehicle.conduct.phase is not Phase.WAITING:
            return Impossible("it does not wait for an answer any more")
        vehicle.asking.wait(body.more_s, now_ns)
        return APPLIED

    def _alternate(self, body: AlternatePath, who: str, now_ns: int) -> Answer:
        vehicle = self._vehicle
        path = vehicle.asking.paths.get(body.option_id)
        if path is None or body.request_id != vehicle.asking.open_id:
            return Impossible("it does not offer that way")
        if vehicle.conduct.phase is not Phase.WAITING:
            return Impossible("it does not wait for an answer any more")
        reason = f"{body.option_id}: {who}"
        answer = self._go_on(Input.FOLLOW, body.request_id, reason, now_ns)
        if answer is APPLIED:
            vehicle.drive.follow(path, PASS_MPS)
        return answer

    def _follow(self, body: FollowPath, who: str, now_ns: int) -> Answer:
        drive = self._vehicle.drive
        try:
            path = given(drive, body.points, body.max_speed_mps)
        except PathError as error:
            return Impossible(str(error), RefusalReason.OUTSIDE_ENVELOPE)
        answer = self._go_on(Input.FOLLOW, body.request_id, f"path: {who}", now_ns)
        if answer is APPLIED:
            drive.follow(path, body.max_speed_mps)
        return answer

    # --------------------------------------------------------------------- control

    def _take(self, body: TakeControl, epoch: int, now_ns: int) -> Answer:
        vehicle = self._vehicle
        if body.purpose is Purpose.MONITOR:
            return Impossible("nobody needs control to watch")
        if body.purpose is Purpose.DRIVE:
            if not vehicle.drive.standing:
                return Impossible("it has to stand to be driven")
            vehicle.feed(Input.STANDING)
            if not vehicle.feed(Input.DRIVE_TAKEN, f"driven by {body.holder}"):
                return Impossible(_WHY.get(vehicle.conduct.phase, ONLY_RESUME))
        vehicle.begin_control(body, epoch, now_ns)
        return APPLIED

    def _release(self, body: ReleaseControl) -> Answer:
        vehicle = self._vehicle
        driven = vehicle.control.for_driving and vehicle.conduct.phase in DRIVEN
        vehicle.end_control()
        if not driven:
            return APPLIED
        vehicle.feed(Input.RELEASED, f"control given back: {body.reason}")
        if not vehicle.drive.standing:
            return Later()
        vehicle.feed(Input.STANDING)
        return APPLIED

    # ------------------------------------------------------------------- equipment

    def _doors(self, body: Doors) -> Answer:
        drive = self._vehicle.drive
        if not drive.standing:
            return Impossible("it moves")
        drive.open_doors(opened=body.open)
        return APPLIED
