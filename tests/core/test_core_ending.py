"""A hub that was asked to end: control is given back on record, none is given, stops pass."""

from __future__ import annotations

from helpers_core import OPERATOR, SECOND_OPERATOR, SUPERVISOR, World, of

from protocols import vehicle
from protocols.authority import ControlState
from supervisor.core import events as e
from supervisor.core.effects import Record, Refuse, SendCommand, SetGrant
from supervisor.core.itself import unsettled


def online() -> World:
    world = World()
    world.online()
    return world


def test_ending_is_on_record_before_the_release_and_settled_by_the_vehicles_word() -> None:
    world = online()
    world.take()
    effects = world.do(e.HubEnding("sigterm"))
    kinds = [record.kind for record in of(effects, Record)]
    assert kinds[:2] == ["hub.ending", "control.ended"]
    assert of(effects, Record)[0].data == {"why": "sigterm", "control": "maebashi/bus-01 hanako"}
    assert of(effects, SetGrant)[0].session is None
    assert effects.index(of(effects, Record)[0]) < effects.index(of(effects, SendCommand)[0])
    (release,) = of(effects, SendCommand)
    assert isinstance(release.command.body, vehicle.ReleaseControl)
    assert (world.control.state, world.control.ended) == (ControlState.RELEASING, "hub_ending")
    assert unsettled(world.fleet) == ["maebashi/bus-01"]
    world.result("applied", release.command.command_id)
    assert world.control.state is ControlState.FREE and unsettled(world.fleet) == []
    assert world.do(e.HubEnding("sigterm")) == [], "asked once is enough"


def test_nobody_is_given_control_any_more_and_an_offer_ends() -> None:
    world = online()
    world.seat(OPERATOR)
    world.ask_control(OPERATOR)
    world.do(e.HubEnding("sigint"))
    assert (world.control.state, world.control.ended) == (ControlState.FREE, "hub_ending")
    world.seat(SECOND_OPERATOR)
    (refused,) = of(world.ask_control(SECOND_OPERATOR), Refuse)
    assert refused.refusal.reason == "hub_ending"
    world.accept(OPERATOR)
    assert world.control.state is ControlState.FREE


def test_who_waits_for_another_to_give_back_is_told_and_not_offered_it() -> None:
    world = online()
    world.take()
    world.seat(SUPERVISOR)
    world.ask_control(SUPERVISOR, preempt="people near")
    assert world.bus.control.then is not None
    told = of(world.do(e.HubEnding("sigterm")), Refuse)
    assert [(t.session, t.refusal.reason) for t in told] == [(SUPERVISOR.session, "hub_ending")]
    world.result("applied", world.bus.control.release_ids[-1])
    assert world.control.state is ControlState.FREE


def test_a_stop_is_carried_out_until_the_very_end() -> None:
    world = online()
    world.do(e.HubEnding("sigterm"))
    world.do(e.OperatorConnected(OPERATOR))
    effects = world.ask(vehicle.Stop())
    effects += world.written(of(effects, Record)[0].record_id)
    assert [type(sent.command.body) for sent in of(effects, SendCommand)] == [vehicle.Stop]
