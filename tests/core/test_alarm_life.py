"""What happens to alarms between their coming and their going."""

from __future__ import annotations

import msgspec
import pytest
from helpers_core import BUS, FACTSHEET, MS, OPERATOR, SECOND, World, of

from protocols import alarms, operator, vehicle
from protocols.alarms import AlarmState
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.alarm_groups import BEHIND_NS
from supervisor.core.alarm_standing import StandingAlarm, from_record
from supervisor.core.alarms import STALE_NS
from supervisor.core.effects import Count, Record, Refuse, ShowAlarm, ShowAlarmGroup, ShowAlarmKpi
from supervisor.core.snapshot import capture, restore

SUPERVISOR = e.Operator("s3", "shunin", operator.Role.SUPERVISOR)
MAINTAINER = e.Operator("s4", "goro", operator.Role.MAINTAINER)
VIEWER = e.Operator("s5", "taro", operator.Role.VIEWER)
NAME = "maebashi/bus-01"
LOST = f"link.lost@{NAME}"
LOW = f"energy.low@{NAME}"


def view(world: World, alarm_id: str) -> alarms.AlarmView | None:
    return next((a for a in views.open_alarms(world.fleet) if a.id == alarm_id), None)


def seen(world: World, alarm_id: str) -> alarms.AlarmView:
    found = view(world, alarm_id)
    assert found is not None, f"{alarm_id} is normal"
    return found


def refused(effects: list) -> list[str]:
    return [effect.refusal.reason for effect in of(effects, Refuse)]


def tired(energy: float = 0.1) -> World:
    """A bus on the air with little energy left."""
    world = World()
    world.online()
    for _ in range(120):
        world.tick()
        if world.now_ns // (500 * MS) % 2:
            world.exchange(10.0)
        world.telemetry(energy=energy)
    return world


def shelve(world: World, alarm_id: str = LOW, who: e.Operator = OPERATOR, **changes) -> list:
    values = {"reason": "known, goes to the depot", "for_s": 600.0, **changes}
    return world.do(e.AlarmShelved(who, alarm_id, **values))


def keep_on(world: World, seconds: float, energy: float) -> None:
    for index in range(round(seconds * 2)):
        world.tick(500)
        if index % 1 == 0:
            world.exchange(10.0)
        world.telemetry(energy=energy)


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


# --------------------------------------------------------------------- groups


class Site:
    """Many buses of one site, whose links can be cut together."""

    def __init__(self, number: int) -> None:
        self.world = World()
        self.names = [VehicleId("maebashi", f"b{index:02d}") for index in range(number)]
        for name in self.names:
            self.world.do(e.VehicleConfigured(name, vehicle.Kind.BUS, str(name), 7))
        self.seq = 0

    def beat(self, names: list[VehicleId], cell: str = "") -> None:
        self.seq += 1
        for name in names:
            beat = vehicle.Heartbeat("run", self.seq, self.world.vehicle_ns, 1)
            self.world.do(e.HeartbeatReceived(name, beat))
            telemetry = vehicle.Telemetry(
                "run", self.seq, self.world.vehicle_ns, 139.0, 36.0, 0.0, 0.0,
                vehicle.OperationMode.STOP, radio=vehicle.Radio(cell_id=cell),
            )  # fmt: skip
            self.world.do(e.TelemetryReceived(name, telemetry))

    def run(self, seconds: float, alive: list[VehicleId], cell: str = "") -> list:
        log = len(self.world.log)
        for index in range(round(seconds * 10)):
            if index % 5 == 0:
                self.beat(alive, cell)
            self.world.tick()
        return self.world.log[log:]

    def lost(self) -> list[alarms.AlarmView]:
        return [a for a in views.open_alarms(self.world.fleet) if a.key == "link.lost"]


def sixty_lost() -> tuple[Site, alarms.AlarmGroupView]:
    site = Site(60)
    site.world.do(e.OperatorConnected(OPERATOR))
    site.run(2, site.names, cell="440-10-1")
    site.run(5, [])
    (group,) = views.alarm_groups(site.world.fleet)
    return site, group


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


# ------------------------------------------------------------- over a restart


def words_of(log: list) -> dict[str, dict]:
    """The last record of each alarm, as the audit keeps them."""
    words: dict[str, dict] = {}
    for record in of(log, Record):
        if record.kind == "alarm":
            words[str(record.data["alarm"])] = record.data
    return {name: data for name, data in words.items() if data["stands"]}


def reborn(world: World, gap_s: float = 10.0) -> World:
    """The next run of the hub, on a clock of its own."""
    again = World()
    kept = [from_record(data, int(gap_s * SECOND)) for data in words_of(world.log).values()]
    again.do(e.AlarmsRestored([said for said in kept if said is not None]))
    return again


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


# ------------------------------------------------------- the vehicle's own words


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
    world.event("takeover.requested", respond_within_s=5.0, text="cone")
    world.run(6, beats=True, telemetry=True)
    missed = seen(world, f"takeover.unanswered@{NAME}")
    assert (missed.state, missed.detail) == (AlarmState.UNACKNOWLEDGED, "cone")
    world.event("takeover.cleared", "e2", subject_id="e1")
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
