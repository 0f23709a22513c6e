from __future__ import annotations

from helpers_core import BUS, SECOND, World, of

from protocols import vehicle
from supervisor.core import views
from supervisor.core.effects import (
    Count,
    Record,
    Refuse,
    SendCommand,
    SendEventAck,
    ShowAlarm,
    ShowRequest,
)

ASK = {"reason": "obstacle", "text": "Parked car", "respond_within_s": 30.0}


def ask(world: World, event_id: str = "e1", **changes):
    return world.event("takeover.requested", event_id, **{**ASK, **changes})


def request(world: World, event_id: str = "e1"):
    return world.bus.requests[event_id]


def test_a_request_is_recorded_first_shown_at_once_and_acknowledged_only_when_durable() -> None:
    world = World()
    world.online()
    effects = ask(world)
    assert isinstance(effects[0], Record)
    assert not of(effects, SendEventAck)
    shown = of(effects, ShowRequest)[0].request
    assert (str(shown.state), shown.deadline_ns) == ("open", world.now_ns + 30 * SECOND)
    assert of(effects, ShowAlarm)[0].alarm.detail == "Parked car"
    (ack,) = of(world.written(effects[0].record_id), SendEventAck)
    assert (ack.vehicle_id, ack.ack.event_id) == (BUS, "e1")


def test_a_repetition_is_the_same_event_and_is_acknowledged_again_once_recorded() -> None:
    world = World()
    world.online()
    record = of(ask(world), Record)[0]
    assert ask(world) == [Count("vehicle_event", "repeated")]
    world.written(record.record_id)
    effects = ask(world)
    assert of(effects, SendEventAck)
    assert not of(effects, Record)
    assert len(views.requests(world.fleet)) == 1


def test_an_event_whose_record_failed_is_recorded_anew_by_its_repetition() -> None:
    world = World()
    world.online()
    first = of(ask(world), Record)[0]
    assert not of(world.written(first.record_id, ok=False), SendEventAck)
    effects = ask(world)
    (again,) = of(effects, Record)
    assert not of(effects, ShowRequest)
    assert of(world.written(again.record_id), SendEventAck)


def test_a_request_is_answered_when_the_resume_for_it_is_applied_and_not_before() -> None:
    world = World()
    world.online()
    world.take()
    ask(world)
    effects = world.ask(vehicle.Resume("e1"))
    record = of(effects, Record)[0]
    (sent,) = of(world.written(record.record_id), SendCommand)
    assert sent.command.body == vehicle.Resume("e1")
    world.result("received")
    assert str(request(world).state) == "open"
    assert world.alarm("takeover.requested") == "unacknowledged"
    world.result("applied")
    answered = request(world)
    assert (str(answered.state), answered.answered_by, answered.command_id) == (
        "answered",
        "hanako",
        "c1",
    )
    assert world.alarm("takeover.requested") == "normal"


def test_a_request_that_the_vehicle_withdraws_because_it_is_answered_was_answered() -> None:
    world = World()
    world.online()
    world.take()
    ask(world)
    world.written(of(world.ask(vehicle.Resume("e1")), Record)[0].record_id)
    world.event("takeover.cleared", "e2", subject_id="e1")
    assert str(request(world).state) == "cleared"
    assert str(of(world.result("applied"), ShowRequest)[0].request.state) == "answered"
    assert (request(world).answered_by, request(world).command_id) == ("hanako", "c1")
    assert world.alarm("takeover.requested") == "normal"


def test_a_resume_without_the_request_does_not_answer_it() -> None:
    world = World()
    world.online()
    ask(world)
    world.written(of(world.ask(vehicle.Resume()), Record)[0].record_id)
    world.result("applied")
    assert str(request(world).state) == "open"


def test_the_vehicle_can_withdraw_its_request() -> None:
    world = World()
    world.online()
    world.take()
    ask(world)
    effects = world.event("takeover.cleared", "e2", subject_id="e1")
    assert str(request(world).state) == "cleared"
    assert of(world.written(of(effects, Record)[0].record_id), SendEventAck)
    assert world.alarm("takeover.requested") == "normal"
    reason = of(world.ask(vehicle.Resume("e1")), Refuse)[0].refusal
    assert (reason.reason, reason.detail) == ("unknown_request", "the request is cleared")


def test_a_request_that_nobody_answers_in_time_is_unanswered_and_can_still_be_answered() -> None:
    world = World()
    world.online()
    world.take()
    ask(world)
    world.run(30.1, beats=True, telemetry=True)
    assert str(request(world).state) == "unanswered"
    assert world.alarm("takeover.requested") == "unacknowledged"
    world.written(of(world.ask(vehicle.Resume("e1")), Record)[0].record_id)
    world.result("applied")
    assert str(request(world).state) == "answered"


def test_without_a_time_limit_there_is_no_deadline() -> None:
    world = World()
    world.online()
    ask(world, respond_within_s=0.0)
    assert request(world).deadline_ns is None
    world.run(60, beats=True, telemetry=True)
    assert str(request(world).state) == "open"


def test_a_second_request_calls_again_although_the_first_was_acknowledged() -> None:
    world = World()
    world.online()
    ask(world)
    world.fleet.alarms.acknowledge("takeover.requested@maebashi/bus-01", "hanako", world.now_ns)
    assert world.alarm("takeover.requested") == "acknowledged"
    ask(world, "e2", text="Second")
    assert world.alarm("takeover.requested") == "unacknowledged"
    world.event("takeover.cleared", "e3", subject_id="e1")
    assert world.alarm("takeover.requested") == "unacknowledged"
    world.event("takeover.cleared", "e4", subject_id="e2")
    assert world.alarm("takeover.requested") == "normal"


def test_requests_of_an_ended_session_are_cleared_with_the_reason() -> None:
    world = World()
    world.online()
    ask(world)
    world.restart_vehicle("run-2")
    effects = world.beat()
    assert str(request(world).state) == "cleared"
    assert next(r.data.get("why") for r in of(effects, Record)) == "session_ended"


def test_a_withdrawal_of_an_unknown_request_and_an_alarm_event_are_recorded_and_acknowledged():
    world = World()
    world.online()
    for kind in ("takeover.cleared", "alarm"):
        effects = world.event(kind, f"id-{kind}", subject_id="nothing")
        assert of(world.written(of(effects, Record)[0].record_id), SendEventAck)


def test_ended_requests_and_event_ids_are_bounded_and_leave_the_screen() -> None:
    world = World()
    world.online()
    for n in range(700):
        ask(world, f"e{n}")
        world.event("takeover.cleared", f"x{n}", subject_id=f"e{n}")
    world.tick()
    assert len(views.requests(world.fleet)) == 100
    assert len(world.bus.events) == 512
    world.now_ns += 600 * SECOND
    world.tick()
    assert views.requests(world.fleet) == []


def test_a_vehicle_that_opens_endless_requests_keeps_only_the_newest_open() -> None:
    world = World()
    world.online()
    for n in range(200):
        ask(world, f"e{n}")
    assert len(world.bus.open_requests) == 32
