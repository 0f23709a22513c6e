"""What alarms outlive: the hub itself."""

from __future__ import annotations

import pytest
from helpers_alarms import (
    LOST,
    LOW,
    MAINTAINER,
    NAME,
    reborn,
    seen,
    shelve,
    sixty_lost,
    tired,
    view,
)
from helpers_core import OPERATOR, SECOND, World, of

from protocols.alarms import AlarmState
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.alarm_standing import StandingAlarm, from_record
from supervisor.core.effects import Count, Record
from supervisor.core.snapshot import capture, restore


def test_what_nobody_has_seen_comes_back_after_a_restart_with_its_age() -> None:
    world = World()
    world.online()
    world.run(5)
    world.run(3, beats=True, telemetry=True)
    before = seen(world, LOST)
    assert before.state is AlarmState.RETURNED_UNACKNOWLEDGED
    again = reborn(world)
    after = seen(again, LOST)
    assert after.state is AlarmState.RETURNED_UNACKNOWLEDGED
    changed_s = (world.now_ns - before.changed_ns) / SECOND
    assert (again.now_ns - after.changed_ns) / SECOND == pytest.approx(10, abs=changed_s)
    again.do(e.AlarmAcknowledged(OPERATOR, LOST))
    assert view(again, LOST) is None


def test_a_link_that_was_lost_is_lost_until_a_beat_proves_otherwise() -> None:
    world = World()
    world.online()
    world.run(5)
    again = reborn(world)
    again.run(30)
    assert seen(again, LOST).state is AlarmState.UNACKNOWLEDGED
    again.online()
    again.run(3, beats=True, telemetry=True)
    assert seen(again, LOST).state is AlarmState.RETURNED_UNACKNOWLEDGED


def test_a_shelf_goes_on_over_a_restart_and_ends_in_its_time() -> None:
    world = tired()
    shelve(world, for_s=120.0)
    again = reborn(world, gap_s=30.0)
    shelved = seen(again, LOW)
    assert (shelved.state, shelved.by) == (AlarmState.SHELVED, "hanako")
    assert shelved.until_ns == again.now_ns + 90 * SECOND
    again.run(92)
    assert seen(again, LOW).state is AlarmState.UNACKNOWLEDGED


def test_out_of_service_outlives_the_hub() -> None:
    world = tired()
    world.do(e.AlarmServiceSet(MAINTAINER, LOW, False, "gauge is replaced"))
    out = seen(reborn(world), LOW)
    assert (out.state, out.why) == (AlarmState.OUT_OF_SERVICE, "gauge is replaced")


def test_a_wall_clock_that_was_set_back_makes_no_shelf_longer() -> None:
    world = tired()
    shelve(world, for_s=120.0)
    again = reborn(world, gap_s=-86_400.0)
    assert seen(again, LOW).until_ns == again.now_ns + 120 * SECOND


def test_an_alarm_of_a_vehicle_or_a_row_that_is_gone_is_dropped_and_its_record_closed() -> None:
    world = World()
    gone = [
        StandingAlarm("link.lost", "no/body", AlarmState.UNACKNOWLEDGED, True, 5, 5),
        StandingAlarm("no.row", NAME, AlarmState.UNACKNOWLEDGED, True, 5, 5),
    ]
    done = world.do(e.AlarmsRestored(gone))
    assert of(done, Count) == [Count("alarm", "dropped")] * 2
    assert [record.data["stands"] for record in of(done, Record)] == [False, False]
    assert views.open_alarms(world.fleet) == []


def test_a_record_that_is_not_one_of_ours_is_no_alarm() -> None:
    assert from_record({"alarm": "x", "state": "strange"}, 0) is None


def test_what_could_not_be_recorded_is_recorded_when_the_audit_works_again() -> None:
    world = World()
    world.online()
    world.do(e.AuditWritten("r1", False))
    world.run(4)
    done = world.do(e.AuditWritten("r2", True))
    again = [r.data for r in of(done, Record) if r.data.get("how") == "recorded again"]
    assert LOST in {data["alarm"] for data in again}
    assert all("stands" in data for data in again)


def test_the_board_with_shelves_groups_and_loads_survives_a_snapshot() -> None:
    site, group = sixty_lost()
    world = site.world
    world.do(e.AlarmShelved(OPERATOR, site.lost()[0].id, "known", 600.0))
    copy = restore(capture(world.fleet))
    assert views.open_alarms(copy) == views.open_alarms(world.fleet)
    assert views.alarm_groups(copy) == views.alarm_groups(world.fleet)
    assert views.alarm_kpi(copy, world.now_ns) == views.alarm_kpi(world.fleet, world.now_ns)
    for fleet in (copy, world.fleet):
        fleet.alarms.on_time(world.now_ns + 700 * SECOND)
    assert views.open_alarms(copy) == views.open_alarms(world.fleet)
    assert group.id in {g.id for g in views.alarm_groups(copy)}
