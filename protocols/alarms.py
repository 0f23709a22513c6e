"""Alarms, as consoles see them and what consoles say about them.

Every `*_ns` is the *hub's monotonic clock*; an alarm that is older than the hub's present
run has a time before its start, which may be negative.
"""

from __future__ import annotations

import enum

import msgspec


class AlarmState(enum.StrEnum):
    """ISA-18.2 states."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED_BY_DESIGN = "suppressed_by_design"
    OUT_OF_SERVICE = "out_of_service"


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm instance. `normal` means: remove it from the list.

    Attributes:
        id: `key` + `@` + vehicle id; one instance per key and vehicle.
        key: Row of the alarm catalogue; texts and runbook come from there.
        priority: 1 urgent, 2 high, 3 low.
    """

    id: str
    key: str
    vehicle: str
    priority: int
    state: AlarmState
    raised_ns: int
    changed_ns: int
    acknowledged_by: str = ""
    detail: str = ""


class AlarmText(msgspec.Struct, frozen=True):
    """Words of one alarm in one language."""

    title: str
    cause: str
    consequence: str
    action: str


class AlarmSpecView(msgspec.Struct, frozen=True, kw_only=True):
    """One catalogue row as the console needs it.

    Attributes:
        respond_within_s: Time to respond before the consequence sets in.
        latching: It stays until acknowledged, even when it is gone.
        shelvable: It may be put aside for a while.
    """

    key: str
    priority: int
    respond_within_s: float
    latching: bool
    shelvable: bool
    ja: AlarmText
    en: AlarmText
