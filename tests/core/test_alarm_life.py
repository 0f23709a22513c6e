"""What people and time do with alarms: shelves, service, chatter, what stands for long."""

from __future__ import annotations

import pytest
from helpers_alarms import (
    LOST,
    LOW,
    MAINTAINER,
    NAME,
    SUPERVISOR,
    VIEWER,
    keep_on,
    refused,
    seen,
    shelve,
    tired,
    view,
)
from helpers_core import OPERATOR, SECOND, World, of

from protocols.alarms import AlarmState
from supervisor.core import events as e
from supervisor.core.alarms import STALE_NS
from supervisor.core.effects import Count, Record, ShowAlarm

# ------------------------------------------------------------------------ shelf


def test_a_shelved_alarm_says_who_why_and_until_when_and_comes_back_if_it_is_still_there() -> None:
    world = tired()
    assert seen(world, LOW).state is AlarmState.UNACKNOWLEDGED
    done = shelve(world)
    shelved = seen(world, LOW)
    assert shelved.state is AlarmState.SHELVED
    assert (shelved.by, shelved.why) == ("hanako", "known, goes to the depot")
    assert shelved.until_ns == world.now_ns + 600 * SECOND
    assert of(done, Record)[0].data["why"] == "known, goes to the depot"
    keep_on(world, 598, 0.1)
    assert seen(world, LOW).state is AlarmState.SHELVED
    keep_on(world, 4, 0.1)
    back = seen(world, LOW)
    assert back.state is AlarmState.UNACKNOWLEDGED
    assert (back.by, back.why, back.until_ns) == ("", "", None)


def test_a_shelved_alarm_that_is_gone_when_the_shelf_ends_is_normal() -> None:
    world = tired()
    shelve(world, for_s=120.0)
    keep_on(world, 60, 0.9)
    assert not seen(world, LOW).active
    keep_on(world, 62, 0.9)
    assert view(world, LOW) is None


def test_what_came_and_went_while_it_was_shelved_is_still_owed_if_it_latches() -> None:
    world = World()
    world.online()
    world.run(4)
    shelve(world, LOST, for_s=60.0)
    world.run(3, beats=True, telemetry=True)
    world.run(5)
    world.run(60, beats=True, telemetry=True)
    assert seen(world, LOST).state is AlarmState.RETURNED_UNACKNOWLEDGED


def test_it_can_be_taken_from_the_shelf_before_its_time() -> None:
    world = tired()
    shelve(world)
    world.do(e.AlarmUnshelved(OPERATOR, LOW))
    assert seen(world, LOW).state is AlarmState.UNACKNOWLEDGED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"who": VIEWER}, "role"),
        ({"who": MAINTAINER}, "role"),
        ({"alarm_id": "energy.low@nobody/there"}, "unknown_alarm"),
        ({"reason": "   "}, "no_reason"),
        ({"for_s": 8 * 3_600.0 + 1}, "no_reason"),
    ],
    ids=["viewer", "maintainer", "unknown", "no reason", "too long"],
)
def test_not_everything_can_be_shelved(change: dict, reason: str) -> None:
    world = tired()
    assert refused(shelve(world, **change)) == [reason]
    assert seen(world, LOW).state is AlarmState.UNACKNOWLEDGED


def test_an_urgent_alarm_is_never_shelved() -> None:
    world = World()
    world.do(e.BrokerChanged(False))
    world.run(2)
    assert seen(world, "broker.down@hub").priority == 1
    assert refused(shelve(world, "broker.down@hub", SUPERVISOR)) == ["not_shelvable"]
    assert seen(world, "broker.down@hub").state is AlarmState.UNACKNOWLEDGED


def test_out_of_service_is_the_maintainers_and_lasts_until_it_is_taken_back() -> None:
    world = tired()

    def ask(who: e.Operator, in_service: bool, reason: str = "gauge is replaced") -> list:
        return world.do(e.AlarmServiceSet(who, LOW, in_service, reason))

    assert refused(ask(OPERATOR, False)) == ["role"]
    assert refused(ask(MAINTAINER, False, "  ")) == ["no_reason"]
    ask(MAINTAINER, False)
    out = seen(world, LOW)
    assert (out.state, out.by, out.why) == (AlarmState.OUT_OF_SERVICE, "goro", "gauge is replaced")
    keep_on(world, 120, 0.9)
    keep_on(world, 20, 0.1)
    assert seen(world, LOW).state is AlarmState.OUT_OF_SERVICE
    assert refused(shelve(world)) == ["unknown_alarm"]
    ask(SUPERVISOR, True)
    assert seen(world, LOW).state is AlarmState.UNACKNOWLEDGED


def test_what_is_out_of_service_explains_no_other_alarm() -> None:
    world = World()
    world.online()
    world.run(5)
    stale = f"telemetry.stale@{NAME}"
    assert seen(world, stale).cause == LOST
    world.do(e.AlarmServiceSet(MAINTAINER, LOST, False, "radio is replaced"))
    assert seen(world, stale).state is AlarmState.UNACKNOWLEDGED


def test_an_alarm_that_never_came_can_be_taken_out_of_service_but_no_unknown_one() -> None:
    world = World()
    blocked = f"camera.blocked@{NAME}"
    world.do(e.AlarmServiceSet(MAINTAINER, blocked, False, "lens is cleaned"))
    assert seen(world, blocked).state is AlarmState.OUT_OF_SERVICE
    for unknown in ("camera.blocked@no/body", "no.such@hub", "gate.level_high@hub", "x"):
        done = world.do(e.AlarmServiceSet(MAINTAINER, unknown, False, "why not"))
        assert refused(done) == ["unknown_alarm"], unknown


# -------------------------------------------------------------- chatter, stale


def test_an_alarm_that_comes_three_times_in_a_minute_is_shown_once_until_it_is_calm() -> None:
    world = World()
    world.online()
    raised = []

    def flicker() -> None:
        raised.extend(a for a in of(world.run(4), ShowAlarm) if a.alarm.id == LOST)
        world.run(2, beats=True, telemetry=True)
        world.do(e.AlarmAcknowledged(OPERATOR, LOST))

    for _ in range(3):
        flicker()
    chattering = seen(world, LOST)
    assert (chattering.chattering, chattering.raises) == (True, 3)
    before = len([a for a in raised if a.alarm.state is AlarmState.UNACKNOWLEDGED])
    for _ in range(5):
        flicker()
    assert before == len([a for a in raised if a.alarm.state is AlarmState.UNACKNOWLEDGED])
    assert seen(world, LOST).raises == 8
    calm = world.run(70, beats=True, telemetry=True)
    assert Count("alarm", "calm") in calm
    assert view(world, LOST) is None


def test_an_alarm_nobody_acknowledges_in_its_time_is_overdue_and_escalated() -> None:
    world = World()
    world.online()
    world.run(62)
    assert not seen(world, LOST).overdue
    done = world.run(3)
    assert seen(world, LOST).overdue
    record = next(r for r in of(done, Record) if r.data.get("how") == "overdue")
    assert record.data["escalation"] == "supervisor"
    world.do(e.AlarmAcknowledged(OPERATOR, LOST))
    assert not seen(world, LOST).overdue


def test_an_alarm_that_stands_for_hours_without_a_change_is_stale() -> None:
    world = World()
    world.online()
    world.run(4)
    world.do(e.AlarmAcknowledged(OPERATOR, LOST))
    world.now_ns += STALE_NS - 2 * SECOND
    world.tick()
    assert not seen(world, LOST).stale
    world.now_ns += 4 * SECOND
    world.tick()
    assert seen(world, LOST).stale
