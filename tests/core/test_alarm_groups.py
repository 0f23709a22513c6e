"""Alarms that begin together, and what alarms ask of people."""

from __future__ import annotations

import pytest
from helpers_alarms import (
    LOST,
    VIEWER,
    Site,
    sixty_lost,
)
from helpers_core import OPERATOR, SECOND, World, of

from protocols.alarms import AlarmState
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.alarm_groups import BEHIND_NS
from supervisor.core.effects import Record, ShowAlarm, ShowAlarmGroup, ShowAlarmKpi


def test_sixty_vehicles_on_one_lost_cell_are_one_group_and_three_announcements() -> None:
    site, group = sixty_lost()
    assert len(site.lost()) == 60
    assert (group.key, group.site, group.cell) == ("link.lost", "maebashi", "440-10-1")
    assert len(group.members) == 60
    assert all(alarm.group == group.id for alarm in site.lost())
    kpi = views.alarm_kpi(site.world.fleet, site.world.now_ns)
    assert kpi.operators[0].last_10_min == 3
    assert not kpi.operators[0].flood
    shown = {a.id: a.group for a in (s.alarm for s in of(site.world.log, ShowAlarm))}
    assert {shown[alarm.id] for alarm in site.lost()} == {group.id}


def test_acknowledging_the_group_acknowledges_its_members() -> None:
    site, group = sixty_lost()
    done = site.world.do(e.AlarmAcknowledged(OPERATOR, group.id))
    assert {alarm.state for alarm in site.lost()} == {AlarmState.ACKNOWLEDGED}
    assert of(done, ShowAlarmGroup)[-1].group.state is AlarmState.ACKNOWLEDGED
    assert len(of(done, Record)) == 60


def test_a_member_that_stays_behind_when_the_others_return_stands_alone_again() -> None:
    site, group = sixty_lost()
    site.world.do(e.AlarmAcknowledged(OPERATOR, group.id))
    behind, others = site.names[7], [name for name in site.names if name != site.names[7]]
    site.run(BEHIND_NS / SECOND + 4, others)
    (alone,) = site.lost()
    assert alone.vehicle == str(behind)
    assert (alone.state, alone.group) == (AlarmState.UNACKNOWLEDGED, "")
    assert alone.detail == "did not return with the others"
    assert group.id not in {one.id for one in views.alarm_groups(site.world.fleet)}
    ended = [s.group for s in of(site.world.log, ShowAlarmGroup) if s.group.id == group.id][-1]
    assert ended.members == []


def test_two_vehicles_or_three_that_come_one_by_one_are_no_group() -> None:
    site = Site(3)
    site.run(2, site.names)
    site.run(5, site.names[2:])
    assert views.alarm_groups(site.world.fleet) == []
    site.run(5, [])
    assert len(site.lost()) == 3
    assert views.alarm_groups(site.world.fleet) == []


def test_when_the_broker_is_down_every_lost_link_names_it_as_its_cause() -> None:
    site = Site(10)
    site.run(2, site.names)
    site.world.do(e.BrokerChanged(False))
    site.run(5, [])
    assert {alarm.cause for alarm in site.lost()} == {"broker.down@hub"}
    assert {alarm.state for alarm in site.lost()} == {AlarmState.SUPPRESSED_BY_DESIGN}


# ----------------------------------------------------------------- load, flood


def test_a_flood_begins_above_ten_in_ten_minutes_and_is_over_below_five() -> None:
    world = World()
    world.do(e.OperatorConnected(OPERATOR))
    world.do(e.OperatorConnected(VIEWER))
    board = world.fleet.alarms
    for index in range(11):
        world.now_ns += 30 * SECOND
        world.log += board.set("energy.low", f"s/v{index}", True, world.now_ns)
        world.now_ns += 10 * SECOND
        world.log += board.on_time(world.now_ns)
        (load,) = views.alarm_kpi(world.fleet, world.now_ns).operators
        assert load.flood is (index == 10)
    begun = [r for r in of(world.log, Record) if r.kind == "alarm.flood"]
    assert [(r.subject, r.data["what"]) for r in begun] == [("hanako", "begins")]
    for _ in range(1_200):
        world.tick(1_000)
    (load,) = views.alarm_kpi(world.fleet, world.now_ns).operators
    assert not load.flood
    assert 0.0 < load.flood_share < 1.0
    assert of(world.log, ShowAlarmKpi)


def test_what_is_asked_of_an_operator_is_counted_while_he_is_there_with_its_shares() -> None:
    world = World()
    world.online()
    world.run(4)  # lost before anybody came
    world.do(e.OperatorConnected(OPERATOR))
    world.do(e.BrokerChanged(False))
    world.run(3)
    world.run(7)
    world.do(e.AlarmAcknowledged(OPERATOR, "broker.down@hub"))
    world.do(e.OperatorDisconnected(OPERATOR))
    kpi = views.alarm_kpi(world.fleet, world.now_ns)
    (load,) = kpi.operators
    assert (load.account, load.on_duty, load.by_priority) == ("hanako", False, (1, 0, 0))
    assert load.acknowledge_s == pytest.approx(8.5, abs=0.2)
    assert load.per_10_min is None
    assert [(one.id, one.count) for one in kpi.frequent] == [("broker.down@hub", 1), (LOST, 1)]
    assert sum(kpi.history) == 2
