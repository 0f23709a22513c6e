from __future__ import annotations

import pytest
from helpers_core import BUS, MS, OPERATOR, SECOND, VIEWER, World, of

from protocols import operator, vehicle
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.effects import Count, Record, Refuse, SendCommand, ShowCommand

STOP, RESUME = vehicle.Stop(), vehicle.Resume()


def state_of(world: World, command_id: str = "c1") -> str:
    return str(world.bus.commands[command_id].view.state)


def test_a_stop_is_recorded_first_and_sent_in_the_same_step() -> None:
    world = World()
    world.online()
    effects = world.ask(STOP)
    kinds = [type(effect) for effect in effects]
    assert kinds.index(Record) == 0
    assert kinds.index(SendCommand) == 1
    (sent,) = of(effects, SendCommand)
    assert sent.command.session_id == "run-1"
    assert (sent.command.epoch, sent.command.seq, sent.command.ttl_ms) == (7, 1, 5_000)
    assert sent.command.issued_ns == world.vehicle_ns
    assert state_of(world) == "recording"


def test_progress_is_shown_step_by_step_as_it_becomes_known() -> None:
    world = World()
    world.online()
    world.ask(STOP)
    world.do(e.CommandSent(BUS, "c1", True))
    assert state_of(world) == "sent"
    world.result("received")
    assert state_of(world) == "received"
    world.now_ns += 40 * MS
    effects = world.result("applied")
    assert state_of(world) == "applied"
    view = of(effects, ShowCommand)[0].command
    assert view.applied_ns == world.now_ns
    assert view.received_ns == view.sent_ns == view.asked_ns


def test_a_stop_goes_out_before_anything_was_heard_with_the_link_lost_and_after_a_failed_record():
    world = World()
    (first,) = of(world.ask(STOP, "c1"), SendCommand)
    assert (first.command.session_id, first.command.issued_ns) == ("", 0)
    world.online()
    world.run(4)
    assert world.bus.link.state == operator.LinkState.LOST
    effects = world.ask(STOP, "c2")
    (second,) = of(effects, SendCommand)
    assert second.command.issued_ns == world.vehicle_ns
    world.written(of(effects, Record)[0].record_id, ok=False)
    assert of(world.ask(STOP, "c3"), SendCommand)


def test_a_resume_is_sent_only_after_its_record_is_durable() -> None:
    world = World()
    world.online()
    world.take()
    effects = world.ask(RESUME)
    assert not of(effects, SendCommand)
    (record,) = of(effects, Record)
    assert record.kind == "command.asked"
    assert not of(world.written("r999999"), SendCommand)
    (sent,) = of(world.written(record.record_id), SendCommand)
    assert sent.command.ttl_ms == 2_000
    assert not of(world.written(record.record_id), SendCommand), "a second answer sends nothing"


def test_a_resume_whose_record_fails_is_refused_and_never_sent() -> None:
    world = World()
    world.online()
    world.take()
    (record,) = of(world.ask(RESUME), Record)
    effects = world.written(record.record_id, ok=False)
    assert not of(effects, SendCommand)
    assert state_of(world) == "refused"
    assert world.bus.commands["c1"].view.reason == "audit"
    assert world.alarm("audit.failed", "") == "unacknowledged"


def test_a_stop_withdraws_a_resume_that_still_waits_for_its_record() -> None:
    world = World()
    world.online()
    world.take()
    (record,) = of(world.ask(RESUME, "go"), Record)
    world.ask(STOP, "halt")
    assert not of(world.written(record.record_id), SendCommand)
    assert world.bus.commands["go"].view.reason == "superseded"


def test_a_resume_whose_record_comes_too_late_is_refused() -> None:
    world = World()
    world.online()
    world.take()
    (record,) = of(world.ask(RESUME), Record)
    world.run(1.5, beats=True, telemetry=True)
    assert not of(world.written(record.record_id), SendCommand)
    assert world.bus.commands["c1"].view.reason == "audit"


def test_a_resume_whose_record_is_never_answered_ends_as_refused() -> None:
    world = World()
    world.online()
    world.take()
    world.ask(RESUME)
    world.run(2.5, beats=True, telemetry=True)
    assert state_of(world) == "refused"


@pytest.mark.parametrize("age", [None, 1_001.0, -1.0, float("nan"), float("inf")])
def test_a_resume_on_an_old_or_unknown_picture_is_refused(age: float | None) -> None:
    world = World()
    world.online()
    world.take()
    effects = world.ask(RESUME, age_ms=age)
    assert of(effects, Refuse)[0].refusal.reason == "picture"
    assert "c1" not in world.bus.commands


def test_a_resume_needs_a_link_that_is_online_and_fresh_at_this_instant() -> None:
    world = World()
    world.online()
    world.take()
    world.now_ns += int(1.2 * SECOND)  # no tick has run: the state still says online
    assert of(world.ask(RESUME), Refuse)[0].refusal.reason == "link"


def test_a_link_that_dies_while_the_record_is_written_refuses_the_resume() -> None:
    world = World()
    world.online()
    world.take()
    (record,) = of(world.ask(RESUME), Record)
    world.now_ns += 50 * MS
    world.connection("OFFLINE")
    assert not of(world.written(record.record_id), SendCommand)
    assert world.bus.commands["c1"].view.reason == "link"


def test_a_record_that_is_not_durable_at_once_refuses_the_resume_within_a_tenth_of_a_second():
    world = World()
    world.online()
    world.take()
    (record,) = of(world.ask(RESUME), Record)
    asked_ns = world.now_ns
    refused: list[str] = []
    while not refused:
        shown = of(world.tick(20), ShowCommand)
        refused = [one.command.state for one in shown if one.command.id == "c1"]
    assert refused == ["refused"]
    assert world.now_ns - asked_ns <= 100 * MS
    assert world.bus.commands["c1"].view.reason == "audit"
    assert world.alarm("audit.failed", "") == "unacknowledged"
    assert not of(world.written(record.record_id), SendCommand), "it was withdrawn"


@pytest.mark.parametrize("role", list(operator.Role))
@pytest.mark.parametrize("body", [STOP, RESUME])
def test_viewers_and_auditors_give_no_commands(role: operator.Role, body: vehicle.Body) -> None:
    world = World()
    world.online()
    effects = world.ask(body, who=e.Operator("s", "x", role))
    refused = [effect.refusal.reason for effect in of(effects, Refuse)]
    may_not = role in (operator.Role.VIEWER, operator.Role.AUDITOR)
    without_control = ["not_holder"] if body is RESUME else []
    assert refused == (["role"] if may_not else without_control)
    if may_not:
        assert not of(effects, SendCommand)
        assert of(effects, Record)[0].kind == "command.refused"


def test_unknown_vehicles_and_unsupported_commands_are_refused_with_the_reason() -> None:
    world = World()
    effects = world.ask(STOP, vehicle_id=VehicleId("maebashi", "bus-99"))
    assert of(effects, Refuse)[0].refusal.reason == "unknown_vehicle"
    world.online()
    world.take()
    ways = vehicle.AlternatePath("e1", "left")
    assert of(world.ask(ways), Refuse)[0].refusal.reason == "not_supported"
    for own in (vehicle.MinimalRisk(), vehicle.TakeControl("hanako", Purpose.DRIVE)):
        assert of(world.ask(own), Refuse)[0].refusal.reason == "not_supported"


def test_the_same_command_id_has_one_effect() -> None:
    world = World()
    world.online()
    world.ask(STOP)
    effects = world.ask(STOP)
    assert not of(effects, SendCommand)
    assert not of(effects, Record)
    assert Count("command", "duplicate") in effects


def test_a_stop_under_an_id_that_meant_something_else_is_refused_aloud_not_swallowed() -> None:
    world = World()
    world.online()
    world.take()
    world.ask(RESUME)
    assert of(world.ask(STOP), Refuse)[0].refusal.reason == "duplicate_id"


def test_without_result_a_command_ends_unconfirmed_after_ttl_plus_grace_and_a_late_one_counts():
    world = World()
    world.online()
    world.ask(STOP)
    world.do(e.CommandSent(BUS, "c1", True))
    world.run(5.9, beats=True, telemetry=True)
    assert state_of(world) == "sent"
    world.run(0.2, beats=True, telemetry=True)
    assert state_of(world) == "unconfirmed"
    world.result("received")
    assert state_of(world) == "unconfirmed"
    world.result("applied")
    assert state_of(world) == "applied"


def test_a_broker_that_takes_nothing_refuses_and_a_result_that_comes_anyway_counts() -> None:
    world = World()
    world.online()
    world.ask(STOP)
    world.do(e.CommandSent(BUS, "c1", False))
    assert (state_of(world), world.bus.commands["c1"].view.reason) == ("refused", "broker")
    world.result("applied")
    assert (state_of(world), world.bus.commands["c1"].view.reason) == ("applied", "")


def test_what_the_vehicle_refused_stays_refused() -> None:
    world = World()
    world.online()
    world.ask(STOP)
    world.result("refused", reason="old_epoch")
    assert world.bus.commands["c1"].view.reason == "old_epoch"
    assert of(world.result("applied"), Count) == [Count("command_result", "after_end")]
    assert state_of(world) == "refused"


def test_results_of_unknown_commands_and_other_sessions_are_only_counted() -> None:
    world = World()
    world.online()
    world.ask(STOP)
    assert world.result("applied", "c9") == [Count("command_result", "unknown_id")]
    assert world.result("applied", session="other") == [Count("command_result", "wrong_session")]
    assert state_of(world) == "recording"


def test_a_result_for_a_command_that_was_never_sent_changes_nothing() -> None:
    world = World()
    world.online()
    world.take()
    world.ask(RESUME)
    assert world.result("applied") == [Count("command_result", "unknown_id")]
    assert state_of(world) == "recording"


def test_seq_rises_over_all_commands_and_a_higher_epoch_starts_anew() -> None:
    world = World()
    world.online()
    seqs = [of(world.ask(STOP, f"c{n}"), SendCommand)[0].command.seq for n in range(3)]
    assert seqs == [1, 2, 3]
    world.do(e.VehicleConfigured(BUS, vehicle.Kind.BUS, "Bus 1", 8))
    command = of(world.ask(STOP, "c9"), SendCommand)[0].command
    assert (command.epoch, command.seq) == (8, 1)


def test_finished_commands_are_bounded_and_leave_the_screen_after_ten_minutes() -> None:
    world = World()
    world.online()
    for n in range(150):
        world.ask(STOP, f"c{n}")
        world.result("applied", f"c{n}")
    world.tick()
    assert len(views.commands(world.fleet)) == 100
    world.now_ns += 600 * SECOND
    world.tick()
    assert views.commands(world.fleet) == []
    assert of(world.ask(STOP, "c3"), Refuse)[0].refusal.reason == "duplicate_id"


def test_stops_are_never_refused_for_their_number_and_memory_stays_bounded() -> None:
    world = World()
    world.online()
    for n in range(400):
        assert of(world.ask(STOP, f"c{n}"), SendCommand)
    assert len(world.bus.in_flight) <= 256


def test_too_many_resumes_under_way_are_refused_as_busy() -> None:
    world = World()
    world.online()
    world.take()
    reasons = [of(world.ask(RESUME, f"c{n}"), Refuse) for n in range(17)]
    assert [r[0].refusal.reason for r in reasons if r] == ["busy"]


def test_a_viewer_and_an_operator_cannot_acknowledge_what_is_not_there() -> None:
    world = World()
    for who, reason in ((VIEWER, "role"), (OPERATOR, "unknown_alarm")):
        effects = world.do(e.AlarmAcknowledged(who, "link.lost@maebashi/bus-01"))
        assert of(effects, Refuse)[0].refusal.reason == reason
