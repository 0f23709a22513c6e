"""Who has control of a vehicle: every way to it, every way it ends, and what must not be."""

from __future__ import annotations

import pytest
from helpers_core import (
    BUS,
    MS,
    OPERATOR,
    SECOND,
    SECOND_OPERATOR,
    SUPERVISOR,
    VIEWER,
    World,
    of,
)

from protocols import operator, vehicle
from protocols.authority import ControlState
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core.control import TABLE, Input
from supervisor.core.effects import (
    AnyEffect,
    Count,
    Lease,
    Record,
    Refuse,
    SendCommand,
    SetGrant,
    ShowControl,
)

OTHER = VehicleId("maebashi", "bus-02")
STOP, RESUME = vehicle.Stop(), vehicle.Resume()


def online(*, second_bus: bool = False) -> World:
    world = World()
    world.online()
    if second_bus:
        world.do(e.VehicleConfigured(OTHER, vehicle.Kind.BUS, "Bus 2", 7))
        world.do(e.FactsheetReceived(OTHER, world.bus.factsheet))
        beat = vehicle.Heartbeat("o-1", 0, world.vehicle_ns, world.vehicle_ns)
        world.do(e.HeartbeatReceived(OTHER, beat))
    return world


def refused(effects: list[AnyEffect]) -> str:
    (found,) = of(effects, Refuse)
    return found.refusal.reason


def bodies(effects: list[AnyEffect]) -> list[object]:
    return [sent.command.body for sent in of(effects, SendCommand)]


def granted(effects: list[AnyEffect]) -> Record:
    (record,) = [r for r in of(effects, Record) if r.kind == "control.granted"]
    return record


def offered(world: World, who: e.Operator = OPERATOR, **changes: object) -> list[AnyEffect]:
    world.seat(who)
    return world.ask_control(who, **changes)


# --------------------------------------------------------------------- the machine


def test_the_table_is_total_and_is_the_drawing() -> None:
    assert set(TABLE) == {(state, happened) for state in ControlState for happened in Input}
    ways = {(before, after) for (before, _), after in TABLE.items() if before is not after}
    free, offer, confirming, held, releasing = ControlState
    assert ways == {
        (free, offer),
        (offer, confirming),
        (offer, free),
        (confirming, held),
        (confirming, free),
        (confirming, releasing),
        (held, releasing),
        (releasing, free),
    }
    assert {after for (before, _), after in TABLE.items() if before is held} == {held, releasing}


# ------------------------------------------------------------------------ asking


def test_control_is_offered_for_ten_seconds_and_then_free_again() -> None:
    world = online()
    offered(world, request_id="e1")
    assert (world.control.state, world.control.holder) == (ControlState.OFFERED, "hanako")
    assert (world.control.seat, world.control.request_id) == ("seat-1", "e1")
    assert world.control.until_ns == world.now_ns + 10 * SECOND
    world.sitting.append(OPERATOR)
    world.run(9.9, beats=True)
    assert world.control.state is ControlState.OFFERED
    world.run(0.2, beats=True)
    assert (world.control.state, world.control.ended) == (ControlState.FREE, "declined")
    assert world.control.holder == ""
    assert refused(world.accept()) == "not_offered"


@pytest.mark.parametrize("role", list(operator.Role))
def test_only_operators_and_supervisors_may_have_control(role: operator.Role) -> None:
    world = online()
    who = e.Operator("s9", "x", role, "seat-9")
    effects = offered(world, who)
    may = role in (operator.Role.OPERATOR, operator.Role.SUPERVISOR)
    assert (world.control.state is ControlState.OFFERED) is may
    if not may:
        assert refused(effects) == "role"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"visible": False}, "hidden"),
        ({"focused": False}, "hidden"),
        ({"sound": False}, "silent"),
        ({"ready": False}, "unchecked"),
    ],
)
def test_a_seat_that_is_not_armed_gets_no_control_and_is_told_why(
    said: dict[str, bool], why: str
) -> None:
    world = online()
    world.seat(OPERATOR, **said)
    effects = world.ask_control()
    assert refused(effects) == "seat"
    assert why in of(effects, Refuse)[0].refusal.detail
    world.seat(OPERATOR)
    world.ask_control()
    assert world.control.state is ControlState.OFFERED


def test_a_seat_must_have_reported_within_a_second_and_a_half() -> None:
    world = online()
    world.seat(OPERATOR)
    world.now_ns += 1_500 * MS
    world.beat()
    assert refused(world.ask_control()) == "seat"
    world.do(e.OperatorConnected(SECOND_OPERATOR))
    assert refused(world.ask_control(SECOND_OPERATOR)) == "seat"  # it never reported


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda w: w.ask_control(purpose=Purpose.MONITOR), "purpose"),
        (lambda w: w.ask_control(vehicle_id=VehicleId("nowhere", "bus")), "unknown_vehicle"),
        (lambda w: (w.connection("OFFLINE"), w.ask_control())[1], "link"),
        (lambda w: w.ask_control(purpose=Purpose.DRIVE), "drive"),
    ],
)
def test_what_speaks_against_control_is_named(spoil, reason: str) -> None:
    world = online()
    world.seat(OPERATOR)
    effects = spoil(world)
    assert refused(effects) == reason
    assert Count("control_refused", reason) in effects
    assert of(effects, Record)[0].kind == "control.refused"
    assert world.control.state is ControlState.FREE


def test_driving_is_refused_with_every_reason_against_it() -> None:
    world = online()
    offered(world)
    effects = offered(world, SECOND_OPERATOR, purpose=Purpose.DRIVE)
    detail = of(effects, Refuse)[0].refusal.detail
    assert "closed_loop" in detail


def test_a_vehicle_that_does_not_know_control_is_not_offered() -> None:
    world = World()
    world.online()
    sheet = vehicle.Factsheet(vehicle.Kind.BUS, "Bus", [], True, ["stop", "resume"], 5.5)
    world.do(e.FactsheetReceived(BUS, sheet))
    assert refused(offered(world)) == "not_supported"


def test_one_person_has_one_vehicle_whatever_console_he_sits_at() -> None:
    world = online(second_bus=True)
    world.take()
    assert refused(world.ask_control(vehicle_id=OTHER)) == "other_vehicle"
    window = e.Operator("s1b", "hanako", operator.Role.OPERATOR, "seat-1b")
    effects = offered(world, window, vehicle_id=OTHER)
    assert refused(effects) == "other_vehicle"
    assert "maebashi/bus-01" in of(effects, Refuse)[0].refusal.detail
    world.do(e.ControlGivenBack(OPERATOR, BUS))
    assert refused(world.ask_control(vehicle_id=OTHER)) == "other_vehicle", "not confirmed yet"
    world.result("applied", world.bus.control.release_ids[-1])
    world.ask_control(vehicle_id=OTHER)
    assert world.fleet.vehicles[OTHER].control.state is ControlState.OFFERED


def test_who_is_held_off_is_told_by_whom() -> None:
    world = online()
    world.take()
    effects = offered(world, SECOND_OPERATOR)
    assert refused(effects) == "held"
    assert of(effects, Refuse)[0].refusal.detail == "hanako has it"


# ---------------------------------------------------------------------- taking


def test_nothing_reaches_the_vehicle_before_the_grant_is_durable() -> None:
    world = online()
    offered(world)
    accepted = world.accept()
    record = granted(accepted)
    assert record.data["epoch"] == 8 and record.actor == "hanako"
    assert world.control.state is ControlState.CONFIRMING
    for kind in (SendCommand, SetGrant, Lease):
        assert not of(accepted, kind), kind
    effects = world.written(record.record_id)
    (sent,) = of(effects, SendCommand)
    body = sent.command.body
    assert isinstance(body, vehicle.TakeControl)
    assert (body.holder, body.purpose, body.silence_ms) == ("hanako", Purpose.ASSIST, 1_500)
    assert (sent.command.epoch, sent.command.seq) == (8, 1), "the first of a new epoch"
    assert of(effects, Lease) == [Lease(BUS, 8, leased=True)]
    assert not of(effects, SetGrant), "the vehicle has not said yes"


def test_control_is_held_when_the_vehicle_says_applied_and_not_before() -> None:
    world = online()
    offered(world)
    world.written(granted(world.accept()).record_id)
    world.do(e.CommandSent(BUS, "take-8", True))
    world.result("received", "take-8")
    assert world.control.state is ControlState.CONFIRMING
    effects = world.result("applied", "take-8")
    assert (world.control.state, world.control.epoch) == (ControlState.HELD, 8)
    grant = SetGrant(BUS, "s1", "hanako", 8, Purpose.ASSIST, "run-1")
    assert of(effects, SetGrant) == [grant]
    assert of(effects, ShowControl)[-1].control == world.control
    assert world.control.vehicle_confirms


def test_a_grant_that_cannot_be_recorded_is_refused_and_its_epoch_never_used_again() -> None:
    world = online()
    offered(world)
    effects = world.written(granted(world.accept()).record_id, ok=False)
    assert refused(effects) == "audit"
    assert not of(effects, SendCommand)
    assert (world.control.state, world.control.ended) == (ControlState.FREE, "refused")
    assert world.alarm("audit.failed", "") == "unacknowledged"
    world.ask_control()
    assert granted(world.accept()).data["epoch"] == 9


def test_a_record_that_takes_too_long_is_no_record() -> None:
    world = online()
    offered(world)
    record = granted(world.accept())
    world.sitting.append(OPERATOR)
    world.run(1.1, beats=True, telemetry=True)
    assert (world.control.state, world.control.ended) == (ControlState.FREE, "refused")
    assert not of(world.written(record.record_id), SendCommand)


@pytest.mark.parametrize("how", ["hidden", "link", "session", "gone"])
def test_what_has_changed_while_the_disk_wrote_counts(how: str) -> None:
    world = online()
    offered(world)
    record = granted(world.accept())
    if how == "hidden":
        world.seat(OPERATOR, visible=False)
    elif how == "link":
        world.connection("OFFLINE")
    elif how == "session":
        world.restart_vehicle("run-2")
        world.beat()
    else:
        world.do(e.OperatorDisconnected(OPERATOR))
    effects = world.written(record.record_id)
    assert not of(effects, SendCommand)
    assert not of(effects, SetGrant)
    world.tick()
    assert world.control.state is ControlState.FREE


def test_a_vehicle_that_refuses_leaves_control_free_with_its_reason() -> None:
    world = online()
    offered(world)
    world.written(granted(world.accept()).record_id)
    effects = world.result("refused", "take-8", reason="not_possible_now")
    assert refused(effects) == "refused"
    assert of(effects, Lease) == [Lease(BUS, 8, leased=False)]
    assert (world.control.state, world.control.ended) == (ControlState.FREE, "refused")
    assert world.control.vehicle_confirms, "it never obeyed anybody"


def test_a_vehicle_that_says_nothing_is_released_until_it_says_that_nobody_has_control() -> None:
    world = online()
    world.sitting.append(OPERATOR)
    offered(world)
    world.written(granted(world.accept()).record_id)
    effects = world.run(3.2, beats=True, telemetry=True)
    assert (world.control.state, world.control.ended) == (ControlState.FREE, "unconfirmed")
    assert not world.control.vehicle_confirms, "it may have heard it"
    assert vehicle.ReleaseControl("unconfirmed") in bodies(effects)
    assert of(effects, Lease)[-1] == Lease(BUS, 8, leased=False)
    late = world.result("applied", "take-8")
    assert late == [Count("command_result", "unknown_id")], "too late is not at all"
    assert world.control.state is ControlState.FREE
    world.result("applied", world.bus.control.release_ids[-1])
    assert world.control.vehicle_confirms
    assert vehicle.ReleaseControl("unconfirmed") not in bodies(world.run(5, beats=True))


def test_a_broker_that_takes_nothing_ends_it_at_once() -> None:
    world = online()
    offered(world)
    world.written(granted(world.accept()).record_id)
    assert refused(world.do(e.CommandSent(BUS, "take-8", False))) == "broker"
    assert world.control.state is ControlState.FREE


# ---------------------------------------------------------------------- ending


def end_of(world: World, effects: list[AnyEffect], why: str) -> None:
    """Grant and lease are taken back in this very step, and the record waits for nothing."""
    assert world.control.ended == why
    grant = of(effects, SetGrant)
    assert grant and grant[0].session is None
    assert of(effects, Lease)[0].leased is False
    (record,) = [r for r in of(effects, Record) if r.kind == "control.ended"]
    assert effects.index(grant[0]) < effects.index(record)


def test_given_back_is_free_only_when_the_vehicle_has_said_so() -> None:
    world = online()
    world.take()
    effects = world.do(e.ControlGivenBack(OPERATOR, BUS, "parked_car"))
    end_of(world, effects, "handed_back")
    assert bodies(effects) == [vehicle.ReleaseControl("handed_back")]
    assert world.control.state is ControlState.RELEASING
    assert (world.control.holder, world.control.vehicle_confirms) == ("hanako", False)
    ended = next(r for r in of(effects, Record) if r.kind == "control.ended")
    assert ended.data["cause"] == "parked_car"
    effects = world.result("applied", world.bus.control.release_ids[-1])
    assert (world.control.state, world.control.vehicle_confirms) == (ControlState.FREE, True)
    assert world.alarm("authority.lost") == "normal", "by its holder's wish"


def test_a_release_without_an_answer_is_repeated_and_then_the_vehicle_is_beyond_reach() -> None:
    world = online()
    world.take()
    world.do(e.ControlGivenBack(OPERATOR, BUS))
    effects = world.run(14, beats=True, telemetry=True)
    assert len(bodies(effects)) >= 5
    assert world.control.state is ControlState.RELEASING
    world.run(1.2, beats=True, telemetry=True)
    assert (world.control.state, world.control.vehicle_confirms) == (ControlState.FREE, False)
    world.says("hanako", 8)
    assert not world.control.vehicle_confirms
    world.result("applied", world.bus.control.release_ids[-1])
    world.says("")
    assert world.control.vehicle_confirms


def test_a_seat_that_says_nothing_for_a_second_and_a_half_loses_control() -> None:
    world = online()
    world.take()
    world.sitting.clear()
    world.run(1.4, beats=True, telemetry=True)
    assert world.control.state is ControlState.HELD
    effects = world.run(0.2, beats=True, telemetry=True)
    end_of(world, effects, "seat_lost")
    assert world.alarm("authority.lost") == "unacknowledged"


def test_a_report_that_comes_after_the_seat_was_lost_brings_nothing_back() -> None:
    world = online()
    world.take()
    world.now_ns += 1_500 * MS  # no tick has looked yet
    world.seat(OPERATOR)
    assert (world.control.state, world.control.ended) == (ControlState.RELEASING, "seat_lost")


def test_a_console_that_is_gone_has_no_control() -> None:
    world = online()
    world.take()
    effects = world.do(e.OperatorDisconnected(OPERATOR))
    end_of(world, effects, "seat_lost")


def test_a_link_that_is_lost_ends_control_without_the_vehicle() -> None:
    world = online()
    world.take()
    effects = world.run(3.2, telemetry=True)
    end_of(world, effects, "link_lost")
    world.run(0.3)
    assert (world.control.state, world.control.vehicle_confirms) == (ControlState.FREE, False)


def test_a_vehicle_that_starts_anew_has_forgotten_who_had_control() -> None:
    world = online()
    world.take()
    world.restart_vehicle("run-2")
    effects = world.beat()
    end_of(world, effects, "session_ended")
    assert (world.control.state, world.control.vehicle_confirms) == (ControlState.FREE, True)
    assert not bodies(effects)


def test_a_vehicle_that_says_that_nobody_has_control_is_believed() -> None:
    world = online()
    world.take()
    world.says("")  # said before it obeyed, and overtaken by its answer
    assert world.control.state is ControlState.HELD
    world.says("hanako", 8)
    effects = world.says("", reason="the hub's lease is not heard any more")
    end_of(world, effects, "link_lost")
    assert world.control.ended_by == "maebashi/bus-01"


def test_assisting_goes_on_while_the_operator_looks_elsewhere() -> None:
    world = online()
    world.take()
    world.seat(OPERATOR, focused=False, lost="blur")
    assert world.control.state is ControlState.HELD


# ------------------------------------------------------------------- preemption


def test_only_a_supervisor_takes_control_from_somebody_and_only_with_a_reason() -> None:
    world = online()
    world.take()
    assert refused(offered(world, SECOND_OPERATOR, preempt="mine")) == "role"
    assert refused(offered(world, SUPERVISOR)) == "held"
    assert refused(offered(world, SUPERVISOR, preempt="  ")) == "held"
    assert world.control.state is ControlState.HELD


def test_the_former_holder_is_out_at_once_and_the_new_one_in_when_the_vehicle_is_free() -> None:
    world = online()
    world.take()
    effects = offered(world, SUPERVISOR, preempt="he does not answer the radio")
    end_of(world, effects, "preempted")
    told = of(effects, Refuse)
    assert [(r.session, r.refusal.reason) for r in told] == [("s1", "preempted")]
    assert "he does not answer the radio" in told[0].refusal.detail
    assert refused(world.ask(RESUME)) == "not_holder"
    assert world.control.state is ControlState.RELEASING
    world.result("applied", world.bus.control.release_ids[-1])
    assert (world.control.state, world.control.holder) == (ControlState.OFFERED, "mori")
    world.take(SUPERVISOR)
    assert (world.control.epoch, world.control.holder) == (9, "mori")


def test_who_asks_while_control_is_given_back_is_offered_it_next() -> None:
    world = online()
    world.take()
    world.do(e.ControlGivenBack(OPERATOR, BUS))
    assert not of(offered(world, SECOND_OPERATOR), Refuse)
    third = e.Operator("s5", "saburo", operator.Role.OPERATOR, "seat-5")
    assert refused(offered(world, third)) == "held"
    world.result("applied", world.bus.control.release_ids[-1])
    assert (world.control.state, world.control.holder) == (ControlState.OFFERED, "jiro")


def test_who_waits_for_control_and_goes_is_not_offered_it() -> None:
    world = online()
    world.take()
    offered(world, SUPERVISOR, preempt="drill")
    world.do(e.OperatorDisconnected(SUPERVISOR))
    world.result("applied", world.bus.control.release_ids[-1])
    assert world.control.state is ControlState.FREE


def test_who_assists_and_wants_to_drive_gives_back_first() -> None:
    world = online()
    world.take()
    assert refused(world.ask_control(purpose=Purpose.DRIVE)) == "drive"
    assert world.control.state is ControlState.HELD, "nothing is given up for nothing"
    assert world.ask_control() == [ShowControl(world.control)], "the same wish once more"


# ---------------------------------------------------------------------- orders


def test_only_the_console_that_has_control_orders() -> None:
    world = online()
    assert refused(world.ask(RESUME, "c1")) == "not_holder"
    world.take()
    window = e.Operator("s1b", "hanako", operator.Role.OPERATOR, "seat-1b")
    world.do(e.OperatorConnected(window))
    effects = world.ask(RESUME, "c2", window)
    assert refused(effects) == "not_holder"
    assert of(effects, Refuse)[0].refusal.detail == "hanako has control"
    effects = world.ask(RESUME, "c3")
    assert not of(effects, Refuse)
    (sent,) = of(world.written(of(effects, Record)[0].record_id), SendCommand)
    assert (sent.command.epoch, sent.command.operator) == (8, "hanako")


def test_an_order_that_waits_for_its_record_dies_with_the_control_it_was_given_under() -> None:
    world = online()
    world.take()
    (record,) = of(world.ask(RESUME), Record)
    world.do(e.ControlGivenBack(OPERATOR, BUS))
    world.result("applied", world.bus.control.release_ids[-1])
    world.take()  # the same person, another epoch
    effects = world.written(record.record_id)
    assert not of(effects, SendCommand)
    assert world.bus.commands["c1"].view.reason == "not_holder"


@pytest.mark.parametrize("body", [STOP, vehicle.EmergencyStop()])
def test_a_stop_needs_no_control_and_takes_none_away(body: vehicle.Body) -> None:
    world = online()
    world.take()
    world.do(e.OperatorConnected(SECOND_OPERATOR))
    effects = world.ask(body, "c1", SECOND_OPERATOR)
    assert bodies(effects) == [body]
    assert world.control.state is ControlState.HELD
    assert not of(world.ask(body, "c1", SECOND_OPERATOR), SendCommand), "one id, one effect"


def test_the_hubs_own_limit_waits_until_the_vehicle_has_taken_the_new_epoch() -> None:
    world = World()
    world.online()
    names = ["stop", "resume", "take_control", "release_control", "limit_speed"]
    sheet = vehicle.Factsheet(vehicle.Kind.BUS, "Bus", [], True, names, 5.5)
    world.do(e.FactsheetReceived(BUS, sheet))

    def run(seconds: float) -> list[AnyEffect]:
        """Let time pass, with a disk that writes the hub's orders at once."""
        effects: list[AnyEffect] = []
        for _ in range(round(seconds * 2)):
            passed = world.run(0.5, beats=True, telemetry=True)
            for record in [r for r in of(passed, Record) if r.kind == "limit.ordered"]:
                passed += world.written(record.record_id)
            effects += passed
        return effects

    run(4)
    world.seat(OPERATOR)
    world.ask_control()
    world.written(granted(world.accept()).record_id)
    world.sitting.append(OPERATOR)
    during = run(2.5)
    assert not [b for b in bodies(during) if isinstance(b, vehicle.LimitSpeed)]
    world.result("applied", "take-8")
    after = run(1)
    limits = [
        sent.command
        for sent in of(after, SendCommand)
        if isinstance(sent.command.body, vehicle.LimitSpeed)
    ]
    assert limits and limits[0].epoch == 8


# -------------------------------------------------------------------- another life


def test_a_restarted_hub_arms_nothing_and_releases_whom_the_vehicle_still_believes_in() -> None:
    world = online()  # epoch 7: the control of epoch 6 was another life's
    effects = world.says("hanako", 6)
    assert (world.control.state, world.control.ended) == (ControlState.FREE, "hub_restarted")
    assert not world.control.vehicle_confirms
    assert bodies(effects) == [vehicle.ReleaseControl("hub_restarted")]
    assert not of(effects, SetGrant)
    assert world.alarm("authority.lost") == "unacknowledged"
    world.result("applied", world.bus.control.release_ids[-1])
    world.says("")
    assert world.control.vehicle_confirms


def test_what_the_broker_stored_of_a_holder_is_old_news() -> None:
    world = online()
    state = vehicle.State(
        session_id=world.session, seq=9, mode=vehicle.OperationMode.STOP,
        mrm=vehicle.MrmState.NORMAL, behaviour=vehicle.MrmBehaviour.NONE, odd=vehicle.Odd.INSIDE,
        fallback=vehicle.MrmBehaviour.NONE, holder="hanako", control_epoch=6,
    )  # fmt: skip
    world.do(e.StateReceived(BUS, state, True))
    assert world.control.ended == ""


def test_a_viewer_has_no_seat() -> None:
    world = online()
    assert world.seat(VIEWER)[-1] == Count("seat", "no_seat")
