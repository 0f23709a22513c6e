"""Console messages: decoded, checked against the role, turned into events."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import vehicle
from protocols.codec import ProtocolError
from protocols.operator import Refusal, Role
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
    report = parse(PRESENTED)
    event = to_event(report, AOKI)
    assert isinstance(event, events.PresentationReported) and event.report is report
    assert to_event(parse(PING), AOKI) is None


@pytest.mark.parametrize("text", [STOP, RESUME, ACKNOWLEDGE, PING, PRESENTED])
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
