"""What alarms outlive the hub, and how they come back.

A condition that the hub watches is found again by watching. What cannot be found again is
what people have not seen yet, what they have put aside, and what a vehicle has said once and
been thanked for. Every record of an alarm says whether it `stands` in this sense; the audit
keeps which record is the last word on each that does, in the same transaction as the record
itself, and hands those words over at the next start. So an alarm whose record was durable is
never lost, and the newest word on it is in the chain of the audit like every other.

An alarm that comes back keeps its state and its time. Its condition is taken to be as it was
until somebody knows better: silence is not *gone*.
"""

from __future__ import annotations

from protocols.alarms import AlarmState
from supervisor.core.alarm import HUB
from supervisor.core.alarm_standing import StandingAlarm
from supervisor.core.alarms import AlarmBoard
from supervisor.core.effects import AnyEffect, Count, ShowAlarm
from supervisor.core.ledger import Facts, Ledger


def restore(
    board: AlarmBoard,
    ledger: Ledger,
    kept: list[StandingAlarm],
    vehicles: set[str],
    now_ns: int,
) -> list[AnyEffect]:
    """Put back what a former run left. An alarm of a row or a vehicle that is not there any
    more is dropped, counted, and its record closed."""
    effects: list[AnyEffect] = []
    for said in kept:
        spec = board.specs.get(said.key)
        if spec is None or spec.waits_for or (said.vehicle and said.vehicle not in vehicles):
            facts: Facts = {
                "alarm": f"{said.key}@{said.vehicle or HUB}",
                "state": str(AlarmState.NORMAL),
                "how": "dropped: no such row or vehicle any more",
                "at_ns": now_ns,
                "stands": False,
            }
            effects.append(ledger.record("alarm", HUB, said.vehicle or HUB, facts))
            effects.append(Count("alarm", "dropped"))
            continue
        alarm = board.make(said.key, said.vehicle)
        alarm.state = said.state
        alarm.condition = alarm.active = said.active
        alarm.condition_ns = now_ns
        alarm.raised_ns = now_ns - said.age_ns
        alarm.changed_ns = now_ns - said.changed_age_ns
        alarm.detail = said.detail
        alarm.acknowledged_by = said.acknowledged_by
        alarm.owed = said.owed
        alarm.by, alarm.why = said.by, said.why
        alarm.until_ns = None if said.left_ns is None else now_ns + said.left_ns
        alarm.origin = said.origin
        board.adopt(alarm)
        effects += [ShowAlarm(alarm.view()), Count("alarm", "restored")]
    return effects + board.resolve(now_ns)
