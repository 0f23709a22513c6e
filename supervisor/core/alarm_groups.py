"""Alarms that begin together are one piece of news: grouped by row and site.

A cell that fails takes the links of sixty vehicles within a heartbeat's time. Each of them
raises its own alarm, and each stays an alarm of its own; but a person is told once. When
`LEAST` alarms of one row at one site come within `WINDOW_NS`, they become a group, and
whatever of the same kind follows within `WINDOW_NS` of the last joins it unannounced.

A member leaves when it is normal, or put aside. When most of a group has returned and some
have not `BEHIND_NS` later, their cause is another one: those stand alone again, and are
announced. A group of one is none.

(What is a consequence of one alarm, rather than its companion, is not grouped but
suppressed by design; `AlarmView.cause` names the alarm it belongs to.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.alarms import AlarmGroupView, AlarmState
from supervisor.core.alarm import Alarm
from supervisor.core.alarm_states import ASIDE
from supervisor.core.catalogue import (
    AUDIO_LOST,
    CLOCK_UNTRUSTED,
    LINK_DEGRADED,
    LINK_LOST,
    TELEMETRY_STALE,
    VIDEO_FROZEN,
    VIDEO_LATE,
    VIDEO_POOR,
)

GROUPED: Final = frozenset(
    {
        LINK_LOST,
        LINK_DEGRADED,
        TELEMETRY_STALE,
        CLOCK_UNTRUSTED,
        VIDEO_FROZEN,
        VIDEO_LATE,
        VIDEO_POOR,
        AUDIO_LOST,
    }
)
"""Rows whose causes many vehicles share."""
LEAST: Final = 3
WINDOW_NS: Final = 3_000_000_000
BEHIND_NS: Final = 10_000_000_000

_PRESSING: Final = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.RETURNED_UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.SUPPRESSED_BY_DESIGN,
)


class Group:
    """Alarms of one row at one site that began together.

    Attributes:
        joined: How many have ever been in it.
        newest_ns: When the last one joined.
        returned_ns: When a member last returned; None: none has.
    """

    __slots__ = (
        "cells",
        "changed_ns",
        "group_id",
        "joined",
        "key",
        "members",
        "newest_ns",
        "priority",
        "raised_ns",
        "returned_ns",
        "site",
    )

    def __init__(self, group_id: str, first: Alarm, site: str) -> None:
        self.group_id = group_id
        self.key = first.spec.key
        self.priority = int(first.spec.priority)
        self.site = site
        self.members: dict[str, Alarm] = {}
        self.cells: dict[str, None] = {}
        self.joined = 0
        self.raised_ns = first.raised_ns
        self.newest_ns = self.changed_ns = 0
        self.returned_ns: int | None = None

    def add(self, alarm: Alarm, cell: str, now_ns: int) -> None:
        """Let an alarm in."""
        alarm.group = self.group_id
        self.members[alarm.alarm_id] = alarm
        self.cells[cell] = None
        self.joined += 1
        self.newest_ns = self.changed_ns = now_ns

    def view(self) -> AlarmGroupView:
        """Return what a console shows; without members it has ended."""
        states = {alarm.state for alarm in self.members.values()}
        state = next((s for s in _PRESSING if s in states), AlarmState.NORMAL)
        there = sum(alarm.active for alarm in self.members.values())
        cell = next(iter(self.cells)) if len(self.cells) == 1 else ""
        return AlarmGroupView(
            id=self.group_id,
            key=self.key,
            priority=self.priority,
            state=state,
            site=self.site,
            cell=cell,
            raised_ns=self.raised_ns,
            changed_ns=self.changed_ns,
            members=list(self.members),
            returned=self.joined - there,
        )


class AlarmGroups:
    """All groups of the board.

    Attributes:
        cells: Radio cell of each vehicle, as last known when it mattered.
        changed: `take_changed` or `take_regrouped` has something.
    """

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        self.changed = False
        self._groups: dict[str, Group] = {}
        self._newest: dict[tuple[str, str], Group] = {}
        self._recent: dict[tuple[str, str], list[tuple[int, Alarm]]] = {}
        self._number = 0
        self._dirty: dict[str, Group] = {}
        self._regrouped: dict[str, Alarm] = {}

    def views(self) -> list[AlarmGroupView]:
        """Return every group."""
        return [group.view() for group in self._groups.values()]

    def members(self, group_id: str) -> Sequence[Alarm] | None:
        """Return the members of a group; None: there is none of this name."""
        group = self._groups.get(group_id)
        return None if group is None else list(group.members.values())

    def on_raised(self, alarm: Alarm, now_ns: int) -> bool:
        """An alarm needs a person's eye; return whether a group says so already."""
        if alarm.spec.key not in GROUPED or not alarm.vehicle:
            return False
        if alarm.group:
            self._touch(self._groups[alarm.group], now_ns)
            return False  # again, and not with the others
        site = alarm.vehicle.partition("/")[0]
        where = (alarm.spec.key, site)
        cell = self.cells.get(alarm.vehicle, "")
        group = self._newest.get(where)
        if group is not None and group.members and now_ns - group.newest_ns <= WINDOW_NS:
            group.add(alarm, cell, now_ns)
            self._touch(group, now_ns)
            return True
        recent = [
            (at_ns, one)
            for at_ns, one in self._recent.get(where, ())
            if now_ns - at_ns <= WINDOW_NS and one is not alarm and self._may_join(one)
        ]
        recent.append((now_ns, alarm))
        self._recent[where] = recent
        if len(recent) >= LEAST:
            self._form(recent, site, now_ns)
            self._recent[where] = []
        return False

    def on_moved(self, alarm: Alarm, now_ns: int) -> None:
        """A member changed its state: it may leave."""
        group = self._groups.get(alarm.group) if alarm.group else None
        if group is None:
            return
        if not alarm.active:
            group.returned_ns = now_ns
        if alarm.state is AlarmState.NORMAL or alarm.state in ASIDE:
            self._leave(group, alarm)
            if len(group.members) == 1 and group.returned_ns is None:
                self._leave(group, next(iter(group.members.values())))
        self._touch(group, now_ns)

    def on_time(self, now_ns: int) -> list[Alarm]:
        """Return the alarms that stayed behind when the others returned; they stand alone."""
        behind: list[Alarm] = []
        for group in list(self._groups.values()):
            if group.returned_ns is None or now_ns - group.returned_ns < BEHIND_NS:
                continue
            there = [alarm for alarm in group.members.values() if alarm.active]
            if there and 2 * len(there) < group.joined:
                for alarm in there:
                    self._leave(group, alarm)
                behind += there
                self._touch(group, now_ns)
            if len(group.members) == 1:
                self._leave(group, next(iter(group.members.values())))
                self._touch(group, now_ns)
        return behind

    def take_changed(self) -> list[AlarmGroupView]:
        """Return the groups that have changed, once."""
        dirty, self._dirty = self._dirty, {}
        self.changed = bool(self._regrouped)
        return [group.view() for group in dirty.values()]

    def take_regrouped(self) -> list[Alarm]:
        """Return the alarms whose group has changed, once."""
        regrouped, self._regrouped = self._regrouped, {}
        self.changed = bool(self._dirty)
        return list(regrouped.values())

    @staticmethod
    def _may_join(alarm: Alarm) -> bool:
        return alarm.active and not alarm.group and alarm.state not in ASIDE

    def _form(self, recent: list[tuple[int, Alarm]], site: str, now_ns: int) -> None:
        self._number += 1
        first = recent[0][1]
        group = Group(f"{first.spec.key}@group-{self._number}", first, site)
        for _, alarm in recent:
            group.add(alarm, self.cells.get(alarm.vehicle, ""), now_ns)
            self._regrouped[alarm.alarm_id] = alarm
        self._groups[group.group_id] = group
        self._newest[(first.spec.key, site)] = group
        self._touch(group, now_ns)

    def _leave(self, group: Group, alarm: Alarm) -> None:
        group.members.pop(alarm.alarm_id, None)
        alarm.group = ""
        self._regrouped[alarm.alarm_id] = alarm

    def _touch(self, group: Group, now_ns: int) -> None:
        group.changed_ns = now_ns
        self._dirty[group.group_id] = group
        self.changed = True
        if not group.members:
            self._groups.pop(group.group_id, None)
            for where, newest in list(self._newest.items()):
                if newest is group:
                    del self._newest[where]
