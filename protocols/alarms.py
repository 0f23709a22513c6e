"""Alarms, as consoles see them and what consoles say about them.

Every `*_ns` is the *hub's monotonic clock*; an alarm that is older than the hub's present
run has a time before its start, which may be negative.

States follow ISA-18.2, rates EEMUA 191: at most one alarm in ten minutes for one operator on
average; above ten in ten minutes is a flood, which is over below five.
"""

from __future__ import annotations

import enum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

LONGEST_SHELF_S: Final = 8 * 3_600
"""No alarm is put aside for longer."""


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
        id: `key` + `@` + vehicle id, or `key@hub`; one instance per key and vehicle.
        key: Row of the alarm catalogue; texts and runbook come from there.
        priority: 1 urgent, 2 high, 3 low.
        active: The condition is there now, whatever the state.
        by, why, until_ns: Who shelved it or took it out of service, his reason, and when the
            shelf ends; None: not shelved.
        cause: Id of the alarm that suppresses this one by design; may be empty.
        group: Id of the group it is part of; may be empty.
        raises: How often it came while it chatters; 1 otherwise.
        chattering: It came three times within a minute, and is not calm yet.
        stale: It has been there for hours without a change.
        overdue: Nobody acknowledged it within its time to respond; it has been escalated.
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
    active: bool = True
    by: str = ""
    why: str = ""
    until_ns: int | None = None
    cause: str = ""
    group: str = ""
    raises: int = 1
    chattering: bool = False
    stale: bool = False
    overdue: bool = False


class AlarmGroupView(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms of one row that began together, shown as one.

    Attributes:
        id: `key` + `@group-` + number; acknowledging it acknowledges the members.
        site: Where all of it is.
        cell: The radio cell that all members had in common, if they had one; may be empty.
        state: The most pressing of its members'.
        members: Alarm ids, oldest first; empty: the group has ended, remove it.
        returned: How many have already returned to normal.
    """

    id: str
    key: str
    priority: int
    state: AlarmState
    site: str
    raised_ns: int
    changed_ns: int
    members: list[str]
    cell: str = ""
    returned: int = 0


class OperatorLoadView(msgspec.Struct, frozen=True, kw_only=True):
    """What alarms asked of one operator while he was at a console; at most the last 24 h.

    Attributes:
        on_duty_s: Time at a console that this is about.
        last_10_min: Alarms announced to him in the last ten minutes.
        by_priority: Alarms announced, urgent first.
        per_10_min: Average; None before the first ten minutes.
        acknowledge_s: Median time from an alarm to his acknowledgement; None: none yet.
        flood: More than ten in ten minutes, and not below five since.
        flood_since_ns: Of the present one.
        flood_share: Share of that time spent in floods, 0 to 1.
    """

    account: str
    on_duty: bool
    on_duty_s: float
    last_10_min: int
    by_priority: tuple[int, int, int]
    per_10_min: float | None
    acknowledge_s: float | None
    flood: bool
    flood_since_ns: int | None
    flood_share: float


class AlarmCount(msgspec.Struct, frozen=True):
    """One alarm and how often it was announced."""

    id: str
    count: int


class AlarmKpiView(msgspec.Struct, frozen=True, kw_only=True):
    """How well this hub's alarms behave; sent when it changed, at most once in some seconds.

    Attributes:
        since_ns: Start of the counting: the hub's, or 24 h ago.
        standing: Alarms that are there now and announced.
        stale, chattering, shelved, suppressed, out_of_service: How many of all.
        history: Alarms announced in each of the last 144 stretches of ten minutes, oldest
            first, the present one last.
        history_end_ns: End of the present stretch.
        frequent: The most frequent alarms of that time, most often first.
    """

    since_ns: int
    standing: int
    stale: int
    chattering: int
    shelved: int
    suppressed: int
    out_of_service: int
    history: list[int]
    history_end_ns: int
    frequent: list[AlarmCount]
    operators: list[OperatorLoadView]


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


# ---------------------------------------------------------------- console → hub

AlarmId = Annotated[str, Meta(max_length=160)]
Reason = Annotated[str, Meta(min_length=3, max_length=200)]
"""In words; recorded with who gave it."""


class AcknowledgeAlarm(
    msgspec.Struct, frozen=True, tag="acknowledge_alarm", forbid_unknown_fields=True
):
    """An operator has seen an alarm, or all members of a group."""

    alarm_id: AlarmId


class ShelveAlarm(msgspec.Struct, frozen=True, tag="shelve_alarm", forbid_unknown_fields=True):
    """Put an alarm aside for a while; it comes back by itself. Urgent ones cannot be."""

    alarm_id: AlarmId
    reason: Reason
    for_s: Annotated[float, Meta(ge=60, le=LONGEST_SHELF_S)]


class UnshelveAlarm(msgspec.Struct, frozen=True, tag="unshelve_alarm", forbid_unknown_fields=True):
    """Take an alarm from the shelf before its time."""

    alarm_id: AlarmId


class SetAlarmService(
    msgspec.Struct, frozen=True, tag="set_alarm_service", forbid_unknown_fields=True
):
    """Take an alarm out of service (its sensor is being repaired), or back into it.

    Attributes:
        in_service: False takes it out.
    """

    alarm_id: AlarmId
    in_service: bool
    reason: Reason
