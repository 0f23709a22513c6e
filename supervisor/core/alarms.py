"""The life of an alarm, after ISA-18.2: a total table and two delays.

A *condition* is what the plant says (link lost: yes or no). It becomes an *active*
alarm when it has lasted `on_delay_ms`, and returns to normal when it has been absent
for `off_delay_ms`: a condition that only flickers raises nothing. What an operator
sees is the *state*, moved by the table below.

A latching alarm that went away unseen stays as RETURNED_UNACKNOWLEDGED until
somebody acknowledges it; one that does not latch goes back to NORMAL by itself.

An alarm is *suppressed by design* while one of the rows named in `suppressed_by` is
active for the same vehicle or for the whole hub: one lost link is one alarm, not
five. Suppression is shown and recorded, and ends with its cause.

SHELVED and OUT_OF_SERVICE have their rows: once an alarm is there, only the input
that leads out changes it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final

from protocols.alarms import AlarmState, AlarmView
from supervisor.core.catalogue import AlarmSpec
from supervisor.core.effects import AnyEffect, Count, ShowAlarm
from supervisor.core.ledger import Ledger

HUB: Final = "hub"
"""Stands for the vehicle in the id of an alarm that concerns the whole hub."""


class Input(enum.Enum):
    """What can happen to an alarm."""

    RAISED = "raised"
    RETURNED = "returned"
    RAISED_AGAIN = "raised again"
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"
    RELEASED_ACTIVE = "released, still there"
    RELEASED_OWED = "released, gone, never acknowledged"
    RELEASED_NORMAL = "released, gone"


_N = AlarmState.NORMAL
_U = AlarmState.UNACKNOWLEDGED
_A = AlarmState.ACKNOWLEDGED
_R = AlarmState.RETURNED_UNACKNOWLEDGED
_S = AlarmState.SUPPRESSED_BY_DESIGN
_H = AlarmState.SHELVED
_O = AlarmState.OUT_OF_SERVICE

LATCHING: Final[Mapping[Input, Mapping[AlarmState, AlarmState]]] = {
    Input.RAISED: {_N: _U, _U: _U, _A: _A, _R: _U, _S: _S, _H: _H, _O: _O},
    Input.RETURNED: {_N: _N, _U: _R, _A: _N, _R: _R, _S: _S, _H: _H, _O: _O},
    Input.RAISED_AGAIN: {_N: _U, _U: _U, _A: _U, _R: _U, _S: _S, _H: _H, _O: _O},
    Input.ACKNOWLEDGED: {_N: _N, _U: _A, _A: _A, _R: _N, _S: _S, _H: _H, _O: _O},
    Input.SUPPRESSED: {_N: _S, _U: _S, _A: _S, _R: _S, _S: _S, _H: _H, _O: _O},
    Input.RELEASED_ACTIVE: {_N: _N, _U: _U, _A: _A, _R: _R, _S: _U, _H: _H, _O: _O},
    Input.RELEASED_OWED: {_N: _N, _U: _U, _A: _A, _R: _R, _S: _R, _H: _H, _O: _O},
    Input.RELEASED_NORMAL: {_N: _N, _U: _U, _A: _A, _R: _R, _S: _N, _H: _H, _O: _O},
}

NOT_LATCHING: Final[Mapping[Input, Mapping[AlarmState, AlarmState]]] = {
    **LATCHING,
    Input.RETURNED: {**LATCHING[Input.RETURNED], _U: _N, _R: _N},
    Input.RELEASED_OWED: {**LATCHING[Input.RELEASED_OWED], _S: _N},
}


class Alarm:
    """One alarm instance: one row of the catalogue for one vehicle.

    Attributes:
        condition: What the plant says now.
        condition_ns: Since when.
        active: The condition with its delays applied.
        owed: It was unacknowledged when it was suppressed.
    """

    __slots__ = (
        "acknowledged_by",
        "active",
        "changed_ns",
        "condition",
        "condition_ns",
        "detail",
        "owed",
        "raised_ns",
        "spec",
        "state",
        "vehicle",
    )

    def __init__(self, spec: AlarmSpec, vehicle: str) -> None:
        self.spec = spec
        self.vehicle = vehicle
        self.condition = False
        self.condition_ns = 0
        self.active = False
        self.state = AlarmState.NORMAL
        self.raised_ns = 0
        self.changed_ns = 0
        self.acknowledged_by = ""
        self.detail = ""
        self.owed = False

    @property
    def alarm_id(self) -> str:
        """`key@site/vehicle`, or `key@hub`."""
        return f"{self.spec.key}@{self.vehicle or HUB}"

    def due_ns(self) -> int:
        """When the running delay ends."""
        delay = self.spec.on_delay_ms if self.condition else self.spec.off_delay_ms
        return self.condition_ns + delay * 1_000_000

    def view(self) -> AlarmView:
        """Return what a console shows."""
        return AlarmView(
            id=self.alarm_id,
            key=self.spec.key,
            vehicle=self.vehicle,
            priority=int(self.spec.priority),
            state=self.state,
            raised_ns=self.raised_ns,
            changed_ns=self.changed_ns,
            acknowledged_by=self.acknowledged_by,
            detail=self.detail,
        )


class AlarmBoard:
    """All alarms of the hub."""

    def __init__(self, specs: Iterable[AlarmSpec], ledger: Ledger) -> None:
        self._specs = {spec.key: spec for spec in specs}
        self._ledger = ledger
        self._alarms: dict[tuple[str, str], Alarm] = {}
        self._by_id: dict[str, Alarm] = {}
        self._pending: dict[tuple[str, str], Alarm] = {}
        self._suppresses: dict[str, list[str]] = {}
        for spec in self._specs.values():
            for key in spec.suppressed_by:
                self._suppresses.setdefault(key, []).append(spec.key)

    def open(self) -> list[AlarmView]:
        """Return every alarm that is not normal, urgent first, then oldest."""
        found = [alarm for alarm in self._alarms.values() if alarm.state is not AlarmState.NORMAL]
        found.sort(key=lambda alarm: (alarm.spec.priority, alarm.raised_ns, alarm.alarm_id))
        return [alarm.view() for alarm in found]

    def get(self, key: str, vehicle: str = "") -> Alarm | None:
        """Return one instance, None if its condition was never true."""
        return self._alarms.get((key, vehicle))

    def is_active(self, key: str, vehicle: str = "") -> bool:
        """Return whether the alarm is there now, delays applied."""
        alarm = self._alarms.get((key, vehicle))
        return alarm is not None and alarm.active

    def set(
        self, key: str, vehicle: str, present: bool, now_ns: int, detail: str = ""
    ) -> list[AnyEffect]:
        """Say what the plant says; cheap when nothing changed."""
        alarm = self._alarms.get((key, vehicle))
        if alarm is None:
            if not present:
                return []
            alarm = Alarm(self._specs[key], vehicle)
            self._alarms[(key, vehicle)] = self._by_id[alarm.alarm_id] = alarm
        if present == alarm.condition:
            return []
        alarm.condition = present
        alarm.condition_ns = now_ns
        if present:
            alarm.detail = detail
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
        alarm.detail = detail
        return self._move(alarm, Input.RAISED_AGAIN, now_ns, "hub", always=True)

    def acknowledge(self, alarm_id: str, account: str, now_ns: int) -> list[AnyEffect] | None:
        """An operator has seen it. None: there is no such alarm."""
        alarm = self._by_id.get(alarm_id)
        if alarm is None or alarm.state is AlarmState.NORMAL:
            return None
        if alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED):
            alarm.acknowledged_by = account
        return self._move(alarm, Input.ACKNOWLEDGED, now_ns, account)

    def on_time(self, now_ns: int) -> list[AnyEffect]:
        """Let the delays that have run out take effect."""
        if not self._pending:
            return []
        effects: list[AnyEffect] = []
        for place in [place for place, alarm in self._pending.items() if alarm.due_ns() <= now_ns]:
            alarm = self._pending.pop(place, None)
            if alarm is not None:
                effects += self._mature(alarm, now_ns)
        return effects

    def next_deadline_ns(self) -> int | None:
        """When `on_time` has something to do next."""
        return min((alarm.due_ns() for alarm in self._pending.values()), default=None)

    def _mature(self, alarm: Alarm, now_ns: int) -> list[AnyEffect]:
        """The condition has outlived its delay."""
        self._pending.pop((alarm.spec.key, alarm.vehicle), None)
        alarm.active = alarm.condition
        if not alarm.active:
            effects = self._move(alarm, Input.RETURNED, now_ns, "hub")
        elif self._is_suppressed(alarm):
            alarm.raised_ns = now_ns
            if alarm.state is not AlarmState.SUPPRESSED_BY_DESIGN:
                alarm.owed = alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED
            effects = self._move(alarm, Input.SUPPRESSED, now_ns, "hub")
        else:
            alarm.raised_ns = now_ns
            alarm.acknowledged_by = ""
            effects = self._move(alarm, Input.RAISED, now_ns, "hub")
        for key in self._suppresses.get(alarm.spec.key, ()):
            effects += self._weigh_suppression(key, alarm.vehicle, now_ns)
        return effects

    def _is_suppressed(self, alarm: Alarm) -> bool:
        return any(
            self.is_active(key, alarm.vehicle) or self.is_active(key)
            for key in alarm.spec.suppressed_by
        )

    def _weigh_suppression(self, key: str, vehicle: str, now_ns: int) -> list[AnyEffect]:
        """A suppressor of `key` came or went, for one vehicle or (empty) for all."""
        effects: list[AnyEffect] = []
        if vehicle:
            one = self._alarms.get((key, vehicle))
            concerned = [] if one is None else [one]
        else:
            concerned = [a for a in self._alarms.values() if a.spec.key == key]
        for alarm in concerned:
            if self._is_suppressed(alarm):
                if alarm.active and alarm.state is not AlarmState.SUPPRESSED_BY_DESIGN:
                    alarm.owed = alarm.state is not AlarmState.ACKNOWLEDGED
                    effects += self._move(alarm, Input.SUPPRESSED, now_ns, "hub")
            elif alarm.state is AlarmState.SUPPRESSED_BY_DESIGN:
                if alarm.active:
                    alarm.acknowledged_by = ""
                    how = Input.RELEASED_ACTIVE
                else:
                    how = Input.RELEASED_OWED if alarm.owed else Input.RELEASED_NORMAL
                effects += self._move(alarm, how, now_ns, "hub")
        return effects

    def _move(
        self, alarm: Alarm, how: Input, now_ns: int, actor: str, *, always: bool = False
    ) -> list[AnyEffect]:
        table = LATCHING if alarm.spec.latching else NOT_LATCHING
        before, after = alarm.state, table[how][alarm.state]
        if after is before and not always:
            return []
        alarm.state = after
        alarm.changed_ns = now_ns
        if after is AlarmState.UNACKNOWLEDGED:
            alarm.acknowledged_by = ""
        view = alarm.view()
        record = self._ledger.record(
            "alarm",
            actor,
            alarm.vehicle or HUB,
            {
                "alarm": view.id,
                "priority": view.priority,
                "before": str(before),
                "state": str(after),
                "how": how.value,
                "raised_ns": view.raised_ns,
                "at_ns": now_ns,
                "detail": view.detail,
            },
        )
        return [record, ShowAlarm(view), Count("alarm", _COUNTED[how])]


_COUNTED: Final[Mapping[Input, str]] = {
    Input.RAISED: "raised",
    Input.RETURNED: "returned",
    Input.RAISED_AGAIN: "raised",
    Input.ACKNOWLEDGED: "acknowledged",
    Input.SUPPRESSED: "suppressed",
    Input.RELEASED_ACTIVE: "raised",
    Input.RELEASED_OWED: "returned",
    Input.RELEASED_NORMAL: "returned",
}
