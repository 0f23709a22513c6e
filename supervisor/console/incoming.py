"""One console message to one core event, or a refusal. Pure."""

from __future__ import annotations

from typing import assert_never

from protocols import vehicle
from protocols.alarms import AcknowledgeAlarm, SetAlarmService, ShelveAlarm, UnshelveAlarm
from protocols.authority import (
    AcceptControl,
    AskControl,
    DriveRelay,
    GiveBackControl,
    SeatReport,
)
from protocols.codec import MAX_WEBSOCKET_MESSAGE, ProtocolError, decode, finite
from protocols.commands import OperatorBody
from protocols.duties import LONGEST_AGO_S, AbandonDuty, MarkDutyStep, StartDuty
from protocols.handover import (
    AcceptHandover,
    DeclineHandover,
    OfferHandover,
    RemoveNote,
    SeeHandoverItem,
    WithdrawHandover,
    WriteNote,
)
from protocols.operator import (
    AskCommand,
    AskLimit,
    AskResume,
    AskStop,
    ClockPing,
    FromConsole,
    PresentationReport,
    Refusal,
)
from protocols.topics import VehicleId
from supervisor.console.access import MESSAGES, Operation, allowed
from supervisor.core import events
from supervisor.core.events import Operator

LONGEST_MS = 1e12
"""Milliseconds; no browser has been open longer."""


def parse(text: str) -> FromConsole:
    """Return the message in `text`.

    Raises:
        ProtocolError: `oversize`, `malformed`, `not_finite`, `out_of_range`.
    """
    message: FromConsole = decode(text.encode(), FromConsole, limit=MAX_WEBSOCKET_MESSAGE)
    match message:
        case ClockPing():
            finite(message.t1_ms, -LONGEST_MS, LONGEST_MS, "t1_ms")
        case AskResume() | AskCommand():
            if message.picture_age_ms is not None:
                finite(message.picture_age_ms, -1e6, LONGEST_MS, "picture_age_ms")
            if isinstance(message, AskCommand):
                _check_body(message.body)
        case AskLimit():
            if message.kmh is not None:
                finite(message.kmh, 0.0, 200.0, "kmh")
        case PresentationReport():
            _check_presentation(message)
        case StartDuty():
            finite(message.ago_s, 0.0, LONGEST_AGO_S, "ago_s")
        case ShelveAlarm():
            finite(message.for_s, 60.0, 8 * 3_600.0, "for_s")
        case AskStop() | AcknowledgeAlarm() | UnshelveAlarm() | SetAlarmService():
            pass
        case MarkDutyStep() | AbandonDuty() | WriteNote() | RemoveNote() | OfferHandover():
            pass
        case WithdrawHandover() | DeclineHandover() | SeeHandoverItem() | AcceptHandover():
            pass
        case AskControl() | AcceptControl() | GiveBackControl() | DriveRelay() | SeatReport():
            pass
        case _:
            assert_never(message)
    return message


def _check_body(body: OperatorBody) -> None:
    match body:
        case vehicle.FollowPath():
            body.check()
            finite(body.max_speed_mps, 0.0, 20.0, "max_speed_mps")
        case vehicle.Wait():
            finite(body.more_s, 0.0, 600.0, "more_s")
        case (
            vehicle.Resume()
            | vehicle.AlternatePath()
            | vehicle.PullOver()
            | vehicle.Doors()
            | vehicle.Announce()
            | vehicle.Implement()
        ):
            pass
        case _:
            assert_never(body)


def _check_presentation(report: PresentationReport) -> None:
    if report.rtt_ms is not None:
        finite(report.rtt_ms, 0.0, LONGEST_MS, "rtt_ms")
    for tile in report.tiles:
        finite(tile.still_ms, 0.0, LONGEST_MS, "still_ms")
        for age_ms in tile.ages_ms if tile.age_ms is None else [tile.age_ms, *tile.ages_ms]:
            finite(age_ms, -LONGEST_MS, LONGEST_MS, "age_ms")
        if tile.uncertainty_ms is not None:
            finite(tile.uncertainty_ms, 0.0, LONGEST_MS, "uncertainty_ms")
        if tile.same_ms is not None:
            finite(tile.same_ms, 0.0, LONGEST_MS, "same_ms")
        for stage in tile.stages:
            finite(stage.ms, -LONGEST_MS, LONGEST_MS, stage.stage)
            finite(stage.uncertainty_ms, 0.0, LONGEST_MS, "uncertainty_ms")


def reference(message: FromConsole) -> str:
    """Return what a refusal calls this message."""
    match message:
        case AskStop() | AskResume() | AskCommand():
            return message.command_id
        case AskLimit():
            return f"limit {message.vehicle}"
        case AskControl() | AcceptControl() | GiveBackControl() | DriveRelay():
            return message.vehicle
        case SeatReport():
            return "seat"
        case AcknowledgeAlarm() | ShelveAlarm() | UnshelveAlarm() | SetAlarmService():
            return message.alarm_id
        case StartDuty():
            return message.vehicle
        case MarkDutyStep() | AbandonDuty():
            return message.duty
        case WriteNote():
            return "note"
        case RemoveNote():
            return message.note
        case OfferHandover():
            return "handover"
        case WithdrawHandover() | DeclineHandover() | SeeHandoverItem() | AcceptHandover():
            return message.handover
        case ClockPing():
            return "clock_ping"
        case PresentationReport():
            return "presentation"
        case _:
            assert_never(message)


def to_event(
    message: FromConsole, operator: Operator, *, is_proved: bool = False
) -> events.AnyEvent | Refusal | None:
    """Return the event of a message, a refusal, or None for one without an event.

    `is_proved`: the password of this sign-in was given lately enough for driving.
    """
    needed = [MESSAGES[type(message)]]
    if isinstance(message, AskControl) and message.preempt:
        needed.append(Operation.PREEMPT)
    if not all(allowed(operator.role, operation) for operation in needed):
        return Refusal(
            reference(message), "not_allowed", f"the role {operator.role.value} may not do this"
        )
    try:
        match message:
            case ClockPing() | DriveRelay():
                return None
            case AskStop():
                body: vehicle.Body = vehicle.Stop()
                if message.emergency:
                    body = vehicle.EmergencyStop()
                return events.CommandAsked(
                    operator, message.command_id, VehicleId.parse(message.vehicle), body
                )
            case AskResume():
                return events.CommandAsked(
                    operator,
                    message.command_id,
                    VehicleId.parse(message.vehicle),
                    vehicle.Resume(message.request_id),
                    message.picture_age_ms,
                )
            case AskCommand():
                return events.CommandAsked(
                    operator,
                    message.command_id,
                    VehicleId.parse(message.vehicle),
                    message.body,
                    message.picture_age_ms,
                )
            case AskLimit():
                return events.LimitAsked(operator, VehicleId.parse(message.vehicle), message.kmh)
            case AskControl():
                return events.ControlAsked(
                    operator,
                    VehicleId.parse(message.vehicle),
                    message.purpose,
                    message.request_id,
                    message.preempt,
                    is_proved,
                )
            case AcceptControl():
                return events.ControlAccepted(operator, VehicleId.parse(message.vehicle))
            case GiveBackControl():
                vehicle_id = VehicleId.parse(message.vehicle)
                return events.ControlGivenBack(operator, vehicle_id, message.cause)
            case SeatReport():
                return events.SeatReported(operator, message)
            case AcknowledgeAlarm():
                return events.AlarmAcknowledged(operator, message.alarm_id)
            case ShelveAlarm():
                return events.AlarmShelved(
                    operator, message.alarm_id, message.reason, message.for_s
                )
            case UnshelveAlarm():
                return events.AlarmUnshelved(operator, message.alarm_id)
            case SetAlarmService():
                return events.AlarmServiceSet(
                    operator, message.alarm_id, message.in_service, message.reason
                )
            case PresentationReport():
                return events.PresentationReported(operator, message)
            case StartDuty():
                return events.DutyStartAsked(operator, message)
            case MarkDutyStep():
                return events.DutyStepMarked(operator, message)
            case AbandonDuty():
                return events.DutyAbandoned(operator, message)
            case (
                WriteNote()
                | RemoveNote()
                | OfferHandover()
                | WithdrawHandover()
                | DeclineHandover()
                | SeeHandoverItem()
                | AcceptHandover()
            ):
                return events.HandoverAsked(operator, message)
            case _:
                assert_never(message)
    except ProtocolError as error:
        return Refusal(reference(message), error.reason, error.detail)
