"""The life of every alarm, after ISA-18.2: conditions, delays, suppression, people.

A *condition* is what the plant says (link lost: yes or no). It becomes an *active*
alarm when it has lasted `on_delay_ms`, and returns to normal when it has been absent
for `off_delay_ms`: a condition that only flickers raises nothing. What an operator
sees is the *state*, moved by the tables of `alarm_states`.

A latching alarm that went away unseen stays as RETURNED_UNACKNOWLEDGED until
somebody acknowledges it; one that does not latch goes back to NORMAL by itself.

An alarm is *suppressed by design* while one of the rows named in `suppressed_by` is
active for the same vehicle or for the whole hub: one lost link is one alarm, not
five. Suppression is shown and recorded, and ends with its cause.

What people put aside (shelved, out of service) keeps its place whatever the plant says; a
shelf always ends. An alarm that comes three times within a minute *chatters*: it is shown
once, with a count, until its condition has been gone for a minute. One that nobody
acknowledges in its time to respond is *overdue*, one that has not changed for hours is
*stale*. Alarms that begin together are gathered by `alarm_groups`; `alarm_load` counts what
they ask of people.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocols.alarms import AlarmGroupView, AlarmState, AlarmView
from supervisor.core.alarm import CHATTER_NS, HUB, Alarm
from supervisor.core.alarm_groups import AlarmGroups
from supervisor.core.alarm_load import AlarmLoad
from supervisor.core.alarm_states import ASIDE, COUNTED, LATCHING, NOT_LATCHING, UNSEEN, Input
from supervisor.core.catalogue import AlarmSpec, Priority
from supervisor.core.effects import AnyEffect, Count, Observe, ShowAlarm, ShowAlarmGroup
from supervisor.core.ledger import Ledger

LOOK_NS: Final = 1_000_000_000
"""Shelves, response times and what has stood for long are looked at this often."""
STALE_NS: Final = 8 * 3_600 * 1_000_000_000
"""An alarm that is there for so long without a change is stale: nobody acts on it."""
RESTATE_NS: Final = 60_000_000_000
"""After a failure of the audit, what changed up to so long before it is recorded again."""


class AlarmBoard:
    """All alarms of the hub.

    Attributes:
        load: What alarms asked of each operator.
    """

    def __init__(self, specs: Iterable[AlarmSpec], ledger: Ledger) -> None:
        self.specs = {spec.key: spec for spec in specs}
        self.load = AlarmLoad(ledger)
        self._ledger = ledger
        self._alarms: dict[tuple[str, str], Alarm] = {}
        self._by_id: dict[str, Alarm] = {}
        self._pending: dict[tuple[str, str], Alarm] = {}
        self._open: dict[tuple[str, str], Alarm] = {}
        self._chattering: dict[tuple[str, str], int] = {}  # place → count as last shown
        self._groups = AlarmGroups()
        self._look_ns = 0
        self._failing_ns: int | None = None
        self._suppresses: dict[str, list[str]] = {}
        for spec in self.specs.values():
            for key in spec.suppressed_by:
                self._suppresses.setdefault(key, []).append(spec.key)

    # --------------------------------------------------------------- reading

    def open(self) -> list[AlarmView]:
        """Return every alarm that is not normal, urgent first, then oldest."""
        found = list(self._open.values())
        found.sort(key=lambda alarm: (alarm.spec.priority, alarm.raised_ns, alarm.alarm_id))
        return [alarm.view() for alarm in found]

    def open_groups(self) -> list[AlarmGroupView]:
        """Return every group that has members."""
        return self._groups.views()

    def standing(self) -> Iterable[Alarm]:
        """Return every alarm that is not normal."""
        return self._open.values()

    def get(self, key: str, vehicle: str = "") -> Alarm | None:
        """Return one instance, None if its condition was never true."""
        return self._alarms.get((key, vehicle))

    def is_active(self, key: str, vehicle: str = "") -> bool:
        """Return whether the alarm is there now, delays applied."""
        alarm = self._alarms.get((key, vehicle))
        return alarm is not None and alarm.active

    # ------------------------------------------------------------- the plant

    def set(
        self, key: str, vehicle: str, present: bool, now_ns: int, detail: str = ""
    ) -> list[AnyEffect]:
        """Say what the plant says; cheap when nothing changed."""
        alarm = self._alarms.get((key, vehicle))
        if alarm is None:
            if not present:
                return []
            alarm = self._make(key, vehicle)
        if present == alarm.condition:
            return []
        alarm.condition = present
        alarm.condition_ns = now_ns
        if present:
            alarm.detail = detail
            if alarm.chattering:
                alarm.edge_ns = now_ns
                alarm.raises += 1
        if present == alarm.active:
            self._pending.pop((key, vehicle), None)
            return []
        if alarm.due_ns() <= now_ns:
            return self._mature(alarm, now_ns)
        self._pending[(key, vehicle)] = alarm
        return []

    def hold(self, key: str, vehicle: str) -> None:
        """Nobody can tell now: a running delay is dropped, an active alarm stays."""
        alarm = self._pending.pop((key, vehicle), None)
        if alarm is not None:
            alarm.condition = alarm.active

    def raise_again(self, key: str, vehicle: str, now_ns: int, detail: str) -> list[AnyEffect]:
        """The same alarm for a new reason: it needs a person's eye again."""
        alarm = self._alarms.get((key, vehicle))
        if alarm is None or not alarm.active:
            return self.set(key, vehicle, True, now_ns, detail)
        if not alarm.condition:  # it was on its way out
            self._pending.pop((key, vehicle), None)
            alarm.condition = True
            alarm.condition_ns = now_ns
        alarm.detail = detail
        return self.move(alarm, Input.RAISED_AGAIN, now_ns, always=True)

    def note_cell(self, vehicle: str, cell: str) -> None:
        """Say in which radio cell a vehicle is: it may tell what a group has in common."""
        self._groups.cells[vehicle] = cell

    # ---------------------------------------------------------------- people

    def find(self, alarm_id: str) -> Alarm | None:
        """Return the instance of an id, None if it was never there."""
        return self._by_id.get(alarm_id)

    def make(self, key: str, vehicle: str) -> Alarm:
        """Return the instance of a row, made if it was never there.

        Raises:
            KeyError: There is no such row.
        """
        return self._alarms.get((key, vehicle)) or self._make(key, vehicle)

    def acknowledge(self, alarm_id: str, account: str, now_ns: int) -> list[AnyEffect] | None:
        """An operator has seen it, or all members of a group. None: nothing is open there."""
        members = self._groups.members(alarm_id)
        if members is None:
            alarm = self._by_id.get(alarm_id)
            if alarm is None or alarm.state is AlarmState.NORMAL:
                return None
            members = [alarm]
        effects: list[AnyEffect] = []
        for alarm in members:
            if alarm.state in UNSEEN:
                seconds = (now_ns - alarm.changed_ns) / 1e9
                if alarm.state is AlarmState.UNACKNOWLEDGED:
                    self.load.acknowledged(account, seconds)
                effects.append(
                    Observe("alarm_acknowledged", seconds, (str(int(alarm.spec.priority)),))
                )
                alarm.acknowledged_by = account
            effects += self.move(alarm, Input.ACKNOWLEDGED, now_ns, account)
        return effects + self._show_groups(now_ns)

    # ------------------------------------------------------------------ time

    def on_time(self, now_ns: int) -> list[AnyEffect]:
        """Let the delays that have run out take effect. Safe early, late or twice."""
        effects: list[AnyEffect] = []
        if self._pending:
            due = [place for place, alarm in self._pending.items() if alarm.due_ns() <= now_ns]
            for place in due:
                alarm = self._pending.pop(place, None)
                if alarm is not None:
                    effects += self._mature(alarm, now_ns)
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            effects += self._look(now_ns)
        if self._groups.changed:
            effects += self._show_groups(now_ns)
        return effects

    def next_deadline_ns(self) -> int | None:
        """When `on_time` has something to do next."""
        due = min((alarm.due_ns() for alarm in self._pending.values()), default=None)
        if not self._open and not self._chattering:
            return due
        return self._look_ns if due is None else min(due, self._look_ns)

    def _look(self, now_ns: int) -> list[AnyEffect]:
        effects: list[AnyEffect] = []
        for alarm in list(self._open.values()):
            state = alarm.state
            if state is AlarmState.SHELVED:
                if alarm.until_ns is not None and now_ns >= alarm.until_ns:
                    effects += self.put_back(alarm, now_ns, HUB)
                continue
            since_ns = now_ns - alarm.changed_ns
            if (
                state is AlarmState.UNACKNOWLEDGED
                and not alarm.overdue
                and since_ns >= alarm.spec.respond_within_s * 1e9
            ):
                alarm.overdue = True
                effects += self._tell(alarm, state, "overdue", now_ns, HUB, "overdue")
            if alarm.active and not alarm.stale and since_ns >= STALE_NS:
                alarm.stale = True
                effects += self._tell(alarm, state, "stale", now_ns, HUB, "stale")
        for place, shown in list(self._chattering.items()):
            alarm = self._alarms[place]
            if now_ns - alarm.edge_ns >= CHATTER_NS and alarm.condition == alarm.active:
                del self._chattering[place]
                alarm.calm()
                effects += self._tell(alarm, alarm.state, "calm", now_ns, HUB, "calm")
            elif alarm.raises != shown:
                self._chattering[place] = alarm.raises
                effects.append(ShowAlarm(alarm.view()))
        for alarm in self._groups.on_time(now_ns):
            alarm.detail = "did not return with the others"
            effects += self.move(alarm, Input.RAISED_AGAIN, now_ns, always=True)
        return effects + self.load.on_time(self._open.values(), now_ns)

    # --------------------------------------------------------------- keeping

    def on_recorded(self, ok: bool, now_ns: int) -> list[AnyEffect]:
        """A record was written or not: what was not is recorded again afterwards, so that
        what is kept for the next start of the hub is true."""
        if not ok:
            if self._failing_ns is None:
                self._failing_ns = now_ns
            return []
        if self._failing_ns is None:
            return []
        since_ns, self._failing_ns = self._failing_ns - RESTATE_NS, None
        effects: list[AnyEffect] = []
        for alarm in self._alarms.values():
            if alarm.changed_ns >= since_ns:
                effects += self._tell(alarm, alarm.state, "recorded again", now_ns, HUB, "restated")
        return effects

    def adopt(self, alarm: Alarm) -> None:
        """Take an alarm over that a former run of the hub left behind."""
        self._open[alarm.place] = alarm

    def resolve(self, now_ns: int) -> list[AnyEffect]:
        """Release what nothing suppresses (any more)."""
        effects: list[AnyEffect] = []
        for key, vehicle in [alarm.place for alarm in self._open.values()]:
            effects += self._weigh_suppression(key, vehicle, now_ns)
        return effects

    # ---------------------------------------------------------------- inside

    def _make(self, key: str, vehicle: str) -> Alarm:
        alarm = Alarm(self.specs[key], vehicle)
        self._alarms[(key, vehicle)] = self._by_id[alarm.alarm_id] = alarm
        return alarm

    def _mature(self, alarm: Alarm, now_ns: int) -> list[AnyEffect]:
        """The condition has outlived its delay."""
        self._pending.pop(alarm.place, None)
        alarm.active = alarm.condition
        aside = alarm.state in ASIDE
        hidden = aside or alarm.state is AlarmState.SUPPRESSED_BY_DESIGN
        cause = self._suppressor(alarm) if alarm.active and not aside else None
        if alarm.active:
            alarm.raised_ns = now_ns
        if not alarm.active:
            effects = self.move(alarm, Input.RETURNED, now_ns, always=hidden)
        elif aside:
            alarm.owed = True
            effects = self.move(alarm, Input.RAISED, now_ns, always=True)
        elif cause is not None:
            if alarm.state is not AlarmState.SUPPRESSED_BY_DESIGN:
                alarm.owed = alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED
            alarm.cause = cause.alarm_id
            effects = self.move(alarm, Input.SUPPRESSED, now_ns, always=True)
        else:
            alarm.acknowledged_by = ""
            effects = []
            if alarm.came(now_ns):
                self._chattering[alarm.place] = alarm.raises
                effects.append(Count("alarm", "chatter"))
            effects += self.move(alarm, Input.RAISED, now_ns)
        return effects + self._weigh_suppressed(alarm, now_ns)

    def _weigh_suppressed(self, alarm: Alarm, now_ns: int) -> list[AnyEffect]:
        """What this alarm makes redundant, or did."""
        effects: list[AnyEffect] = []
        for key in self._suppresses.get(alarm.spec.key, ()):
            effects += self._weigh_suppression(key, alarm.vehicle, now_ns)
        return effects

    def _suppressor(self, alarm: Alarm) -> Alarm | None:
        """Return what makes an alarm redundant now. What is out of service explains nothing."""
        for key in alarm.spec.suppressed_by:
            for vehicle in (alarm.vehicle, "") if alarm.vehicle else ("",):
                found = self._alarms.get((key, vehicle))
                if (
                    found is not None
                    and found.active
                    and found.state is not AlarmState.OUT_OF_SERVICE
                ):
                    return found
        return None

    def _weigh_suppression(self, key: str, vehicle: str, now_ns: int) -> list[AnyEffect]:
        """A suppressor of `key` came or went, for one vehicle or (empty) for all."""
        effects: list[AnyEffect] = []
        if vehicle:
            one = self._alarms.get((key, vehicle))
            concerned = [] if one is None else [one]
        else:
            concerned = [a for a in self._alarms.values() if a.spec.key == key]
        for alarm in concerned:
            cause = self._suppressor(alarm)
            if cause is not None:
                if not alarm.active or alarm.state in ASIDE:
                    continue
                alarm.cause = cause.alarm_id
                if alarm.state is not AlarmState.SUPPRESSED_BY_DESIGN:
                    alarm.owed = alarm.state is not AlarmState.ACKNOWLEDGED
                    effects += self.move(alarm, Input.SUPPRESSED, now_ns)
            elif alarm.state is AlarmState.SUPPRESSED_BY_DESIGN:
                if alarm.active:
                    alarm.acknowledged_by = ""
                    how = Input.RELEASED_ACTIVE
                else:
                    how = Input.RELEASED_OWED if alarm.owed else Input.RELEASED_NORMAL
                effects += self.move(alarm, how, now_ns)
        return effects

    def put_back(self, alarm: Alarm, now_ns: int, actor: str) -> list[AnyEffect]:
        """Bring an alarm that was put aside to where its condition says it belongs."""
        alarm.by = alarm.why = ""
        alarm.until_ns = None
        alarm.acknowledged_by = ""
        shelved = alarm.state is AlarmState.SHELVED
        cause = self._suppressor(alarm) if alarm.active else None
        if cause is not None:
            alarm.cause = cause.alarm_id
            alarm.owed = True
            how = Input.UNSHELVED_SUPPRESSED if shelved else Input.BACK_SUPPRESSED
        elif alarm.active:
            how = Input.UNSHELVED_ACTIVE if shelved else Input.BACK_ACTIVE
        elif shelved and alarm.owed:
            how = Input.UNSHELVED_OWED
        else:
            how = Input.UNSHELVED_NORMAL if shelved else Input.BACK_NORMAL
        effects = self.move(alarm, how, now_ns, actor)
        return effects if shelved else effects + self._weigh_suppressed(alarm, now_ns)

    def take_out(self, alarm: Alarm, now_ns: int, actor: str, why: str) -> list[AnyEffect]:
        """Take an alarm out of service until somebody takes it back."""
        alarm.by, alarm.why, alarm.until_ns = actor, why, None
        effects = self.move(alarm, Input.TAKEN_OUT, now_ns, actor)
        return effects + self._weigh_suppressed(alarm, now_ns)

    def shelve(
        self, alarm: Alarm, now_ns: int, actor: str, why: str, until_ns: int
    ) -> list[AnyEffect]:
        """Put an alarm aside for a while, or longer than it already is."""
        alarm.by, alarm.why, alarm.until_ns = actor, why, until_ns
        if alarm.state is not AlarmState.SHELVED:
            alarm.owed = False  # he has seen it; what comes while it is shelved, he has not
        return self.move(alarm, Input.SHELVED, now_ns, actor, always=True)

    def move(
        self,
        alarm: Alarm,
        how: Input,
        now_ns: int,
        actor: str = HUB,
        *,
        always: bool = False,
    ) -> list[AnyEffect]:
        """Apply the table; record and show what changed."""
        table = LATCHING if alarm.spec.latching else NOT_LATCHING
        before, after = alarm.state, table[how][alarm.state]
        if after is before and not always:
            return []
        alarm.state = after
        alarm.changed_ns = now_ns
        alarm.overdue = alarm.stale = False
        if after is AlarmState.NORMAL:
            self._open.pop(alarm.place, None)
        else:
            self._open[alarm.place] = alarm
        if after is not AlarmState.SUPPRESSED_BY_DESIGN:
            alarm.cause = ""
            if after not in ASIDE:
                alarm.owed = False
        effects: list[AnyEffect] = []
        if after is AlarmState.UNACKNOWLEDGED:
            alarm.acknowledged_by = ""
            if not self._groups.on_raised(alarm, now_ns):
                effects = self.load.announced(alarm.alarm_id, alarm.spec.priority, now_ns)
        else:
            self._groups.on_moved(alarm, now_ns)
        return self._tell(alarm, before, how.value, now_ns, actor, COUNTED[how]) + effects

    def _tell(
        self, alarm: Alarm, before: AlarmState, how: str, now_ns: int, actor: str, counted: str
    ) -> list[AnyEffect]:
        view = alarm.view()
        record = self._ledger.record(
            "alarm",
            actor,
            alarm.vehicle or HUB,
            {
                "alarm": view.id,
                "priority": view.priority,
                "before": str(before),
                "state": str(view.state),
                "how": how,
                "raised_ns": view.raised_ns,
                "changed_ns": view.changed_ns,
                "at_ns": now_ns,
                "detail": view.detail,
                "active": view.active,
                "acknowledged_by": view.acknowledged_by,
                "owed": alarm.owed,
                "by": view.by,
                "why": view.why,
                "until_ns": view.until_ns,
                "origin": alarm.origin,
                "escalation": str(alarm.spec.escalation) if alarm.overdue else "",
                "stands": alarm.stands,
            },
        )
        return [record, ShowAlarm(view), Count("alarm", counted)]

    def _show_groups(self, now_ns: int) -> list[AnyEffect]:
        effects: list[AnyEffect] = []
        for group in self._groups.take_changed():
            effects.append(ShowAlarmGroup(group))
        for alarm in self._groups.take_regrouped():
            if alarm.state is not AlarmState.NORMAL:
                effects.append(ShowAlarm(alarm.view()))
        return effects


def is_urgent(alarm: Alarm) -> bool:
    """Return whether it is of the kind that nobody may put aside for a while."""
    return alarm.spec.priority is Priority.URGENT
