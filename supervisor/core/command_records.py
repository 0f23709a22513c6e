"""What is written down about commands, and what the asker is told when one is refused."""

from __future__ import annotations

from protocols.operator import Refusal
from protocols.vehicle import CommandResult
from supervisor.core.effects import AnyEffect, Count, Refuse
from supervisor.core.events import CommandAsked, Operator
from supervisor.core.fleet import CommandRecord, Fleet, VehicleRecord
from supervisor.core.ledger import Purpose, Waiting


def kind_of(asked: CommandAsked) -> str:
    """Return the wire name of what is asked."""
    return str(asked.body.__struct_config__.tag)


def request_of(body: object) -> str:
    """Return the take-over request that a command answers; empty: none."""
    return str(getattr(body, "request_id", ""))


def asked_record(
    fleet: Fleet, record: VehicleRecord, asked: CommandAsked, now_ns: int, *, waits: bool
) -> AnyEffect:
    """Return the record of a command; `waits`: it is sent once that is durable."""
    return fleet.ledger.record(
        "command.asked",
        asked.operator.account,
        record.name_text,
        {
            "command_id": asked.command_id,
            "type": kind_of(asked),
            "role": str(asked.operator.role),
            "request_id": request_of(asked.body),
            "picture_age_ms": asked.picture_age_ms,
            "link": str(record.link.state),
            "session_id": record.session_id,
            "epoch": record.epoch,
            "at_ns": now_ns,
        },
        Waiting(Purpose.SEND_COMMAND, record.vehicle_id, asked.command_id) if waits else None,
    )


def ended_record(
    fleet: Fleet, record: VehicleRecord, command: CommandRecord, now_ns: int
) -> AnyEffect:
    """Return the hub's own word on how a command ended."""
    view = command.view
    return fleet.ledger.record(
        "command.ended",
        "hub",
        record.name_text,
        {
            "command_id": view.id,
            "state": str(view.state),
            "reason": view.reason,
            "at_ns": now_ns,
        },
    )


def result_record(
    fleet: Fleet,
    record: VehicleRecord,
    command: CommandRecord,
    result: CommandResult,
    now_ns: int,
) -> AnyEffect:
    """Return the vehicle's word on a command."""
    return fleet.ledger.record(
        "command.result",
        record.name_text,
        record.name_text,
        {
            "command_id": command.view.id,
            "state": str(result.state),
            "reason": str(result.reason),
            "text": result.text,
            "vehicle_at_ns": result.at_ns,
            "at_ns": now_ns,
        },
    )


def refuse_asked(fleet: Fleet, asked: CommandAsked, reason: str, detail: str) -> list[AnyEffect]:
    """Record and count that a command was refused, and tell the asker."""
    return [
        fleet.ledger.record(
            "command.refused",
            asked.operator.account,
            str(asked.vehicle_id),
            {
                "command_id": asked.command_id,
                "type": kind_of(asked),
                "role": str(asked.operator.role),
                "reason": reason,
            },
        ),
        refuse(asked.operator, asked.command_id, reason, detail),
        Count("command_refused", reason),
    ]


def refuse(who: Operator, ref: str, reason: str, detail: str) -> AnyEffect:
    """Return the answer to an operator whose wish was not carried out."""
    return Refuse(who.session, Refusal(ref, reason, detail))
