"""The last word on an alarm of a former run of the hub, as its record says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from protocols.alarms import LONGEST_SHELF_S, AlarmState

LONGEST_SHELF_NS: Final = LONGEST_SHELF_S * 1_000_000_000
OLDEST_NS: Final = 10 * 365 * 86_400 * 1_000_000_000


class StandingAlarm(msgspec.Struct, frozen=True):
    """The last word on one alarm of a former run, with its times as ages.

    Attributes:
        age_ns: Since it was raised.
        changed_age_ns: Since its state changed.
        left_ns: What is left of the shelf; None: not shelved.
        origin: Session of the vehicle that raised it.
    """

    key: str
    vehicle: str
    state: AlarmState
    active: bool
    age_ns: int
    changed_age_ns: int
    detail: str = ""
    acknowledged_by: str = ""
    owed: bool = False
    by: str = ""
    why: str = ""
    left_ns: int | None = None
    origin: str = ""


class _Said(msgspec.Struct):
    alarm: str
    state: AlarmState
    at_ns: int
    raised_ns: int
    changed_ns: int
    active: bool
    detail: str = ""
    acknowledged_by: str = ""
    owed: bool = False
    by: str = ""
    why: str = ""
    until_ns: int | None = None
    origin: str = ""


def from_record(data: Mapping[str, object], since_ns: int) -> StandingAlarm | None:
    """Return what a record of kind `alarm` says; None: not written by this kind of hub.

    Args:
        data: The facts of the record.
        since_ns: Wall-clock time since it was written. Before a clock was set back this can
            be negative, and counts as nothing.
    """
    try:
        said = msgspec.convert(data, _Said)
    except msgspec.ValidationError:
        return None
    key, _, vehicle = said.alarm.partition("@")
    passed_ns = min(max(0, since_ns), OLDEST_NS)
    left_ns = None
    if said.state is AlarmState.SHELVED:
        end_ns = said.at_ns if said.until_ns is None else said.until_ns
        left_ns = min(max(0, end_ns - said.at_ns - passed_ns), LONGEST_SHELF_NS)
    return StandingAlarm(
        key=key,
        vehicle="" if vehicle == "hub" else vehicle,
        state=said.state,
        active=said.active,
        age_ns=passed_ns + max(0, said.at_ns - said.raised_ns),
        changed_age_ns=passed_ns + max(0, said.at_ns - said.changed_ns),
        detail=said.detail,
        acknowledged_by=said.acknowledged_by,
        owed=said.owed,
        by=said.by,
        why=said.why,
        left_ns=left_ns,
        origin=said.origin,
    )
