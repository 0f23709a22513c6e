"""Console messages: decoded, checked against the role, turned into events."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import vehicle
from protocols.authority import SeatReport
from protocols.codec import ProtocolError
from protocols.operator import Refusal, Role
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor.console.access import MESSAGES, allowed
from supervisor.console.incoming import parse, reference, to_event
from supervisor.core import events
from supervisor.core.events import Operator

BUS = VehicleId("maebashi", "bus-01")
AOKI = Operator("s.1", "aoki", Role.OPERATOR)

STOP = '{"type":"ask_stop","command_id":"c1","vehicle":"maebashi/bus-01"}'
RESUME = (
    '{"type":"ask_resume","command_id":"c2","vehicle":"maebashi/bus-01",'
    '"request_id":"r1","picture_age_ms":180.5}'
)
EMERGENCY = STOP.replace('"command_id"', '"emergency":true,"command_id"')
WAIT = (
    '{"type":"ask_command","command_id":"c3","vehicle":"maebashi/bus-01",'
    '"body":{"type":"wait","request_id":"r1","more_s":30},"picture_age_ms":80}'
)
LIMIT = '{"type":"ask_limit","vehicle":"maebashi/bus-01","kmh":12.5}'
CONTROL = '{"type":"ask_control","vehicle":"maebashi/bus-01","purpose":"drive","request_id":"r1"}'
PREEMPT = CONTROL.replace('"request_id":"r1"', '"preempt":"he does not answer"')
ACCEPT = '{"type":"accept_control","vehicle":"maebashi/bus-01"}'
GIVE_BACK = '{"type":"give_back_control","vehicle":"maebashi/bus-01","cause":"parked_car"}'
RELAY = '{"type":"drive_relay","vehicle":"maebashi/bus-01","frame":"AAAA"}'
SEAT = '{"type":"seat","visible":true,"focused":true,"sound":true,"ready":true}'
ACKNOWLEDGE = '{"type":"acknowledge_alarm","alarm_id":"link.lost@maebashi/bus-01"}'
PING = '{"type":"clock_ping","t1_ms":12.5}'
PRESENTED = (
    '{"type":"presentation","visible":true,"tiles":[{"vehicle":"maebashi/bus-01",'
    '"camera":"front","frames":30,"still_ms":20.0,"age_ms":180.0,"uncertainty_ms":5.0}]}'
)


def test_messages_become_events() -> None:
    assert to_event(parse(STOP), AOKI) == events.CommandAsked(AOKI, "c1", BUS, vehicle.Stop())
    assert to_event(parse(RESUME), AOKI) == events.CommandAsked(
        AOKI, "c2", BUS, vehicle.Resume("r1"), 180.5
    )
    assert to_event(parse(ACKNOWLEDGE), AOKI) == events.AlarmAcknowledged(
        AOKI, "link.lost@maebashi/bus-01"
    )
    assert to_event(parse(EMERGENCY), AOKI) == events.CommandAsked(
        AOKI, "c1", BUS, vehicle.EmergencyStop()
    )
    assert to_event(parse(WAIT), AOKI) == events.CommandAsked(
        AOKI, "c3", BUS, vehicle.Wait("r1", 30.0), 80.0
    )
    assert to_event(parse(LIMIT), AOKI) == events.LimitAsked(AOKI, BUS, 12.5)
    assert to_event(parse(CONTROL), AOKI) == events.ControlAsked(AOKI, BUS, Purpose.DRIVE, "r1")
    assert to_event(parse(ACCEPT), AOKI) == events.ControlAccepted(AOKI, BUS)
    assert to_event(parse(GIVE_BACK), AOKI) == events.ControlGivenBack(AOKI, BUS, "parked_car")
    assert to_event(parse(SEAT), AOKI) == events.SeatReported(
        AOKI, SeatReport(visible=True, focused=True, sound=True, ready=True)
    )
    assert to_event(parse(RELAY), AOKI) is None  # never an event: it waits for nothing
    report = parse(PRESENTED)
    event = to_event(report, AOKI)
    assert isinstance(event, events.PresentationReported) and event.report is report
    assert to_event(parse(PING), AOKI) is None


EVERY = [STOP, RESUME, ACKNOWLEDGE, PING, PRESENTED, EMERGENCY, WAIT, LIMIT]
EVERY += [CONTROL, ACCEPT, GIVE_BACK, RELAY, SEAT]


def test_taking_control_from_somebody_needs_the_right_to() -> None:
    refused = to_event(parse(PREEMPT), AOKI)
    assert isinstance(refused, Refusal)
    assert (refused.ref, refused.reason) == ("maebashi/bus-01", "not_allowed")
    chief = Operator("s.2", "mori", Role.SUPERVISOR)
    asked = to_event(parse(PREEMPT), chief)
    assert isinstance(asked, events.ControlAsked) and asked.preempt == "he does not answer"


@pytest.mark.parametrize("text", EVERY)
@pytest.mark.parametrize("role", Role)
def test_every_message_is_checked_against_the_table(text: str, role: Role) -> None:
    message = parse(text)
    result = to_event(message, Operator("s.1", "x", role))
    if allowed(role, MESSAGES[type(message)]):
        assert not isinstance(result, Refusal)
    else:
        assert isinstance(result, Refusal)
        assert (result.ref, result.reason) == (reference(message), "not_allowed")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed"),
        ("[]", "malformed"),
        ("{}", "malformed"),
        ('{"type":"welcome"}', "malformed"),
        ('{"type":"ask_stop"}', "malformed"),
        (STOP.replace('"c1"', '""'), "malformed"),
        (STOP.replace('"c1"', '"c1","surplus":1'), "malformed"),
        (STOP.replace("c1", "c" * 65), "malformed"),
        ("[" * 50_000, "malformed"),
        (PING.replace("12.5", "1e999"), "malformed"),
        (PING.replace("12.5", "1e300"), "out_of_range"),
        (RESUME.replace("180.5", "1e300"), "out_of_range"),
        (WAIT.replace(":80}", ":1e300}"), "out_of_range"),
        (WAIT.replace('"wait"', '"take_control"'), "malformed"),
        (WAIT.replace(":30", ":601"), "malformed"),
        (LIMIT.replace("12.5", "201"), "malformed"),
        (PRESENTED.replace("20.0", "-1"), "out_of_range"),
        (PRESENTED.replace("180.0", "-1e300"), "out_of_range"),
        (PRESENTED.replace('"uncertainty_ms":5.0', '"uncertainty_ms":-5.0'), "out_of_range"),
        (STOP + " " * 65_536, "oversize"),
    ],
)
def test_bad_messages_raise_the_declared_error(text: str, reason: str) -> None:
    with pytest.raises(ProtocolError) as error:
        parse(text)
    assert error.value.reason == reason


def test_a_bad_vehicle_name_is_refused_by_reference() -> None:
    result = to_event(parse(STOP.replace("maebashi/bus-01", "a/+/#")), AOKI)
    assert isinstance(result, Refusal) and (result.ref, result.reason) == ("c1", "bad_name")


@given(st.text(max_size=200))
def test_arbitrary_text_raises_only_the_declared_error(text: str) -> None:
    with contextlib.suppress(ProtocolError):
        parse(text.encode("utf-8", "replace").decode())


@given(st.data())
def test_mutated_messages_raise_only_the_declared_error(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([STOP, RESUME, ACKNOWLEDGE, PING, PRESENTED]))
    at = data.draw(st.integers(0, len(text) - 1))
    mutated = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 4)) :]
    with contextlib.suppress(ProtocolError):
        to_event(parse(mutated.encode("utf-8", "replace").decode()), AOKI)
