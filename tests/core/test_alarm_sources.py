"""What raises alarms: the vehicle's own words, its state, the hub's stores."""

from __future__ import annotations

import msgspec
import pytest
from helpers_alarms import (
    NAME,
    keep_on,
    reborn,
    seen,
    tired,
    view,
)
from helpers_core import BUS, FACTSHEET, MS, OPERATOR, World, of

from protocols import vehicle
from protocols.alarms import AlarmState
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.effects import Count, Record


def alarm_event(world: World, key: str, event_id: str, active: bool = True, **changes) -> list:
    return world.event("alarm", event_id, alarm=key, active=active, **changes)


def test_a_vehicle_raises_and_ends_its_own_alarms() -> None:
    world = World()
    world.online()
    pressed = f"passenger.stop_button@{NAME}"
    done = alarm_event(world, "passenger.stop_button", "a1", text="rear seat")
    assert seen(world, pressed).state is AlarmState.UNACKNOWLEDGED
    assert seen(world, pressed).detail == "rear seat"
    record = next(r for r in of(done, Record) if r.kind == "event")
    assert (record.data["alarm"], record.data["active"]) == ("passenger.stop_button", True)
    alarm_event(world, "passenger.stop_button", "a2", active=False)
    assert seen(world, pressed).state is AlarmState.RETURNED_UNACKNOWLEDGED


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("link.lost", "not_a_vehicles_alarm"),
        ("implement.fault", "alarm_of_another_kind"),
        ("no.such_row", "unknown_alarm"),
        ("gate.level_high", "not_a_vehicles_alarm"),
    ],
)
def test_a_vehicle_cannot_raise_what_is_not_its_own(key: str, reason: str) -> None:
    world = World()
    world.online()
    assert Count("vehicle_event", reason) in alarm_event(world, key, "a1")
    assert views.open_alarms(world.fleet) == []


def test_an_end_that_overtakes_its_beginning_stays_the_last_word() -> None:
    world = World()
    world.online()
    world.run(1, beats=True, telemetry=True)
    early_ns = world.vehicle_ns - 500 * MS
    alarm_event(world, "vehicle.collision", "a2", active=False)
    message = vehicle.VehicleEvent(
        world.session, "a1", vehicle.EventKind.ALARM, early_ns, alarm="vehicle.collision"
    )
    done = world.do(e.VehicleEventReceived(BUS, message))
    assert Count("vehicle_event", "late_alarm") in done
    assert views.open_alarms(world.fleet) == []


def test_what_an_older_session_of_a_vehicle_raised_ends_with_the_new_one() -> None:
    world = World()
    world.online()
    alarm_event(world, "door.fault", "a1")
    fault = f"door.fault@{NAME}"
    world.do(e.AlarmAcknowledged(OPERATOR, fault))
    again = reborn(world)
    assert seen(again, fault).state is AlarmState.ACKNOWLEDGED
    again.online()  # the same session: it is still so
    again.run(3, beats=True, telemetry=True)
    assert seen(again, fault).state is AlarmState.ACKNOWLEDGED
    again.restart_vehicle("run-2")
    again.online()
    again.run(3, beats=True, telemetry=True)
    assert view(again, fault) is None


def test_states_of_the_vehicle_become_alarms_and_silence_ends_none_of_them() -> None:
    world = World()
    world.online()

    def say(seq: int, **changes) -> None:
        values = {
            "session_id": world.session, "seq": seq, "mode": vehicle.OperationMode.AUTONOMOUS,
            "mrm": vehicle.MrmState.NORMAL, "behaviour": vehicle.MrmBehaviour.NONE,
            "odd": vehicle.Odd.INSIDE, "fallback": vehicle.MrmBehaviour.COMFORTABLE_STOP, **changes,
        }  # fmt: skip
        world.do(e.StateReceived(BUS, vehicle.State(**values)))

    say(1, odd=vehicle.Odd.OUTSIDE, mrm=vehicle.MrmState.MRM_OPERATING)
    assert world.alarm("odd.exit") == world.alarm("mrm.operating") == "unacknowledged"
    world.run(1, beats=True, telemetry=True)
    say(2, mrm=vehicle.MrmState.MRM_FAILED)
    assert seen(world, f"mrm.failed@{NAME}").priority == 1
    world.run(60)
    assert world.alarm("mrm.failed") == "unacknowledged"
    world.run(2, beats=True, telemetry=True)
    say(3)
    world.run(5, beats=True, telemetry=True)
    assert world.alarm("mrm.failed") == "returned_unacknowledged"


def test_low_energy_has_a_margin_before_it_is_over() -> None:
    world = tired(0.19)
    assert world.alarm("energy.low") == "unacknowledged"
    keep_on(world, 20, 0.24)
    assert world.alarm("energy.low") == "unacknowledged"
    keep_on(world, 20, 0.26)
    assert world.alarm("energy.low") == "normal"


def test_a_bus_that_leaves_its_route_is_told_and_one_that_follows_it_is_not() -> None:
    world = World()
    world.online()
    route = [(139.06 + 0.001 * n, 36.39) for n in range(40)]
    world.do(e.FactsheetReceived(BUS, msgspec.structs.replace(FACTSHEET, route=route)))
    for step in range(60):
        world.tick(500)
        world.exchange(10.0)
        world.telemetry(longitude=139.06 + 0.0005 * step, latitude=36.3902)
    assert world.alarm("geofence.left") == "normal"
    for _ in range(10):
        world.tick(500)
        world.exchange(10.0)
        world.telemetry(longitude=139.08, latitude=36.391)
    found = seen(world, f"geofence.left@{NAME}")
    assert found.detail == "111 m"


def test_a_bus_that_stands_for_a_minute_without_a_word_is_told() -> None:
    world = World()
    world.online()

    def stand(seconds: int, reason: str, seq: int) -> None:
        state = vehicle.State(
            world.session, seq, vehicle.OperationMode.AUTONOMOUS, vehicle.MrmState.NORMAL,
            vehicle.MrmBehaviour.NONE, vehicle.Odd.INSIDE, vehicle.MrmBehaviour.COMFORTABLE_STOP,
            reason,
        )  # fmt: skip
        world.do(e.StateReceived(BUS, state))
        for _ in range(seconds * 2):
            world.tick(500)
            world.exchange(10.0)
            world.telemetry(speed_mps=0.0)

    stand(90, "at stop", 1)
    assert world.alarm("vehicle.stopped_in_lane") == "normal"
    stand(55, "", 2)
    assert world.alarm("vehicle.stopped_in_lane") == "normal"
    stand(10, "", 3)
    assert world.alarm("vehicle.stopped_in_lane") == "unacknowledged"


def test_a_request_nobody_answered_is_an_alarm_that_stays_until_it_is_seen() -> None:
    world = World()
    world.online()
    world.event("takeover.requested", respond_within_s=5.0, reason="obstacle")
    world.run(6, beats=True, telemetry=True)
    missed = seen(world, f"takeover.unanswered@{NAME}")
    assert (missed.state, missed.detail) == (AlarmState.UNACKNOWLEDGED, "obstacle")
    world.event("takeover.cleared", "e2", subject_id="e1")
    world.run(0.2, beats=True, telemetry=True)
    assert world.alarm("takeover.unanswered") == "returned_unacknowledged"


def test_a_command_without_an_answer_and_a_refused_one_are_alarms_for_a_while() -> None:
    world = World()
    world.online()
    world.ask(vehicle.Stop(), "c1")
    world.do(e.CommandSent(BUS, "c1", True))
    world.run(8, beats=True, telemetry=True)
    assert seen(world, f"command.late@{NAME}").detail == "stop"
    world.ask(vehicle.Stop(), "c2")
    world.do(e.CommandSent(BUS, "c2", True))
    world.result("refused", "c2", reason="bad_tag")
    assert seen(world, f"command.refused@{NAME}").detail == "stop: bad_tag"
    world.run(60, beats=True, telemetry=True)
    assert views.open_alarms(world.fleet) == []


def test_a_full_disk_and_a_journal_with_gaps_are_told_before_the_audit_fails() -> None:
    world = World()
    for _ in range(12):
        world.do(e.StoresSampled(100 << 20, False))
        world.run(1)
    assert seen(world, "storage.low@hub").detail == "100 MiB"
    assert world.alarm("journal.failed", "") == "unacknowledged"
