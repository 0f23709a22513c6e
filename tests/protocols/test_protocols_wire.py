from __future__ import annotations

import typing

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols import authority, drive, operator, strip, tags, vehicle
from protocols.codec import MAX_MQTT_PAYLOAD, ProtocolError, decode, encode, finite
from protocols.ids import check_name
from protocols.topics import (
    RULES,
    Stream,
    Topic,
    VehicleId,
    hub_subscriptions,
    parse_topic,
    topic_for,
)

BUS = VehicleId("maebashi", "bus-01")
KEY = bytes(range(32))
NAMES = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")
FROM_VEHICLE = [
    vehicle.Connection,
    vehicle.Factsheet,
    vehicle.State,
    vehicle.Telemetry,
    vehicle.Heartbeat,
    vehicle.VehicleEvent,
    vehicle.CommandResult,
]
TO_VEHICLE = [vehicle.HubHeartbeat, vehicle.EventAck, vehicle.Command]
ANY_KIND = [*FROM_VEHICLE, *TO_VEHICLE, operator.FromConsole, operator.ToConsole]
EXAMPLES = [
    vehicle.Connection(vehicle.ConnectionState.ONLINE, "run-1"),
    vehicle.Factsheet(
        vehicle.Kind.BUS, "Bus", [vehicle.CameraInfo("front", 1280, 720, 30.0, 3000)],
        True, ["stop"], 5.0, [(139.0, 36.0)],
    ),
    vehicle.State(
        "run-1", 1, vehicle.OperationMode.STOP, vehicle.MrmState.NORMAL,
        vehicle.MrmBehaviour.NONE, vehicle.Odd.INSIDE, vehicle.MrmBehaviour.PULL_OVER, "x",
    ),
    vehicle.Telemetry(
        "run-1", 1, 2, 139.0, 36.0, 1.0, -1.0, vehicle.OperationMode.LOCAL,
        radio=vehicle.Radio("c", -80.0),
    ),
    vehicle.Heartbeat("run-1", 1, 2, 3, vehicle.Echo(4, 5)),
    vehicle.VehicleEvent("run-1", "e", vehicle.EventKind.ALARM, 1),
    vehicle.CommandResult("run-1", "c", vehicle.ResultState.APPLIED, 1),
    vehicle.HubHeartbeat("hub", 1, 2),
    vehicle.EventAck("e"),
    drive.DriveFrame("run-1", 1, 2, 3, True, 1.5, -0.1, 0.0),
    drive.StopFrame("c", "hanako"),
    authority.AskControl("maebashi/bus-01", authority.Purpose.DRIVE, "e1", "no answer"),
    authority.SeatReport(True, True, True, True),
    *(
        vehicle.Command("c", "run-1", 1, 2, 3, 4, body, "hanako", "tag")
        for body in (
            vehicle.Stop(), vehicle.EmergencyStop(), vehicle.Wait("e1", 30.0),
            vehicle.AlternatePath("e1", "left"), vehicle.PullOver("e1"),
            vehicle.FollowPath([(139.0, 36.0), (139.1, 36.0)], 2.0),
            vehicle.LimitSpeed(2.5, 1_000), vehicle.MinimalRisk("x"),
            vehicle.TakeControl("hanako", authority.Purpose.ASSIST),
            vehicle.ReleaseControl("handed_back"), vehicle.Doors(True),
            vehicle.Announce("発車します"), vehicle.Implement(True, None),
            vehicle.Resume("e1"),
        )
    ),
]  # fmt: skip


def named(message: msgspec.Struct) -> str:
    body = getattr(message, "body", None)
    return type(message).__name__ + ("" if body is None else f"-{type(body).__name__}")


@pytest.mark.parametrize("message", EXAMPLES, ids=named)
def test_every_message_survives_its_journey(message: msgspec.Struct) -> None:
    assert decode(encode(message), type(message)) == message


@pytest.mark.parametrize("message", EXAMPLES[:7], ids=named)
def test_a_newer_vehicle_may_say_more(message: msgspec.Struct) -> None:
    longer = encode(message)[:-1] + b',"new_in_version_2":[1,2]}'
    assert decode(longer, type(message)) == message


def test_a_command_with_an_unknown_field_or_type_is_refused() -> None:
    command = encode(EXAMPLES[-1])
    for changed in (
        command[:-1] + b',"extra":1}',
        command.replace(b'"type":"resume"', b'"type":"fly"'),
        command.replace(b'"request_id"', b'"other_id"'),
    ):
        assert changed != command
        with pytest.raises(ProtocolError, match="malformed"):
            decode(changed, vehicle.Command)


@pytest.mark.parametrize("message", EXAMPLES, ids=named)
def test_a_message_cut_anywhere_is_malformed(message: msgspec.Struct) -> None:
    whole = encode(message)
    for end in range(len(whole)):
        with pytest.raises(ProtocolError) as caught:
            decode(whole[:end], type(message))
        assert caught.value.reason == "malformed"


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from(ANY_KIND))
@example(b"[" * 60_000, vehicle.Telemetry)
@example(b'{"a":' * 10_000, vehicle.Telemetry)
@example(b'"\\ud800"', vehicle.EventAck)
@example(b"\xff\xfe", vehicle.State)
def test_foreign_bytes_are_a_protocol_error_and_nothing_else(data: bytes, kind: object) -> None:
    try:
        decode(data, kind)
    except ProtocolError as error:
        assert error.reason in ("malformed", "oversize")


MUTATIONS = st.tuples(
    st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)))
)


@settings(max_examples=500)
@given(MUTATIONS)
def test_mutated_messages_are_accepted_as_their_type_or_refused(case) -> None:
    message, edits = case
    data = bytearray(encode(message))
    for place, value in edits:
        data[place % len(data)] = value
    try:
        got = decode(bytes(data), type(message))
        check = getattr(got, "check", None)
        if check is not None:
            check()
    except ProtocolError as error:
        assert error.reason in ("malformed", "not_finite", "out_of_range", "bad_name")


def test_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(b" " * (MAX_MQTT_PAYLOAD + 1), vehicle.State)
    assert caught.value.reason == "oversize"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("longitude", 180.1), ("latitude", -90.1), ("heading_deg", -0.1), ("heading_deg", 361.0),
        ("speed_mps", 101.0), ("speed_limit_mps", -1.0), ("progress", 1.1), ("energy", -0.1),
        ("longitude", float("nan")), ("speed_mps", float("inf")), ("energy", float("-inf")),
    ],
)  # fmt: skip
def test_numbers_no_vehicle_can_mean_are_refused(field: str, value: float) -> None:
    message = msgspec.structs.replace(EXAMPLES[3], **{field: value})
    with pytest.raises(ProtocolError) as caught:
        message.check()
    assert caught.value.reason in ("not_finite", "out_of_range")


@pytest.mark.parametrize("field", ["seq", "sent_ns"])
@pytest.mark.parametrize("value", [b"-1", b"9223372036854775808", b"1.5", b"true", b'"1"'])
def test_counters_and_clocks_are_whole_and_bounded(field: str, value: bytes) -> None:
    whole = encode(vehicle.HubHeartbeat("hub", 7, 7))
    with pytest.raises(ProtocolError):
        decode(whole.replace(f'"{field}":7'.encode(), f'"{field}":'.encode() + value),
               vehicle.HubHeartbeat)  # fmt: skip


def test_a_factsheet_with_a_bad_camera_name_a_twin_or_a_wild_route_is_refused() -> None:
    sheet = EXAMPLES[1]
    camera = sheet.cameras[0]
    for changes in (
        {"cameras": [msgspec.structs.replace(camera, name="Front/1")]},
        {"cameras": [camera, camera]},
        {"route": [(181.0, 0.0)]},
        {"route": [(0.0, float("nan"))]},
    ):
        with pytest.raises(ProtocolError):
            msgspec.structs.replace(sheet, **changes).check()
    sheet.check()


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "a/b", "a+", "#", "-a", "a-", "a.b", "é", "a" * 33, "a\n", "a\0"]
)
def test_names_that_would_need_escaping_are_refused(name: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_name(name, "site")
    assert caught.value.reason == "bad_name"


@given(NAMES, NAMES, st.sampled_from(list(Stream)))
def test_topics_survive_their_journey(site: str, name: str, stream: Stream) -> None:
    topic = Topic(VehicleId(site, name), stream)
    assert parse_topic(str(topic)) == topic
    assert VehicleId.parse(str(topic.vehicle_id)) == topic.vehicle_id


@given(st.text(max_size=200))
@example("enkan/v1/a/b/cmd/result/more")
@example("enkan/v1/+/b/state")
@example("enkan/v2/a/b/state")
@example("enkan/v1/a/b")
@example("x" * 10_000)
def test_foreign_topics_are_a_protocol_error_and_nothing_else(text: str) -> None:
    try:
        parse_topic(text)
    except ProtocolError as error:
        assert error.reason in ("bad_topic", "bad_name")


def test_a_command_is_never_retained_and_everything_has_its_rule() -> None:
    assert set(RULES) == set(Stream)
    assert not RULES[Stream.CMD].retain
    assert not RULES[Stream.EVENT_ACK].retain
    filters = dict(hub_subscriptions())
    assert filters["enkan/v1/+/+/cmd/result"] == 1
    assert "enkan/v1/+/+/cmd" not in filters
    assert topic_for(BUS, Stream.CMD) == "enkan/v1/maebashi/bus-01/cmd"


def test_a_tag_binds_every_field_the_vehicle_and_the_key() -> None:
    command = tags.sign(EXAMPLES[-1], BUS, KEY)
    assert tags.verify(command, BUS, KEY)
    assert not tags.verify(command, VehicleId("maebashi", "bus-02"), KEY)
    assert not tags.verify(command, BUS, bytes(32))
    assert not tags.verify(command.with_tag(""), BUS, KEY)
    assert not tags.verify(command.with_tag("九"), BUS, KEY), "any text may stand there"
    other: dict[str, object] = {
        "command_id": "d", "session_id": "s", "epoch": 9, "seq": 9, "issued_ns": 9, "ttl_ms": 9,
        "body": vehicle.Stop(), "operator": "taro",
    }  # fmt: skip
    fields = {field.name for field in msgspec.structs.fields(vehicle.Command)} - {"tag"}
    assert set(other) == fields
    for field, value in other.items():
        assert not tags.verify(msgspec.structs.replace(command, **{field: value}), BUS, KEY), field
    with pytest.raises(ValueError, match="32 bytes"):
        tags.sign(command, BUS, b"short")


@settings(max_examples=15)
@given(st.integers(0, 2**24 - 1), st.integers(0, 2**40 - 1))
def test_a_strip_survives_its_journey_and_one_misread_cell_is_noticed(number: int, ms: int) -> None:
    cells = strip.encode_cells(number, ms)
    lumas = [strip.WHITE_LUMA if cell else strip.BLACK_LUMA for cell in cells]
    assert strip.decode_cells(lumas) == (number, ms)
    for place in range(strip.CELLS):
        broken = list(lumas)
        broken[place] = 255 - broken[place]
        assert strip.decode_cells(broken) is None
    assert strip.decode_cells(lumas[:-1]) is None


def test_finite_takes_its_bounds_and_nothing_beyond() -> None:
    assert finite(1.0, 1.0, 2.0, "x") == 1.0
    assert finite(2.0, 1.0, 2.0, "x") == 2.0
    for value, reason in ((2.1, "out_of_range"), (float("nan"), "not_finite")):
        with pytest.raises(ProtocolError) as caught:
            finite(value, 1.0, 2.0, "x")
        assert caught.value.reason == reason


def test_console_messages_are_tagged_and_closed() -> None:
    for kind in typing.get_args(operator.FromConsole):
        assert kind.__struct_config__.tag
        assert kind.__struct_config__.forbid_unknown_fields
    ask = operator.AskStop("c1", "maebashi/bus-01")
    assert decode(encode(ask), operator.FromConsole) == ask


def test_a_sealed_frame_is_bound_to_every_byte_and_to_its_key() -> None:
    key = drive.drive_key(KEY, BUS, 7, "hanako")
    frame = drive.DriveFrame("run-1", 7, 1, 5, True, 1.0)
    data = drive.seal(frame, key)
    assert drive.read(data) == frame
    assert drive.sealed_by(data, key)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        assert not drive.sealed_by(bytes(changed), key)
    others = [
        drive.drive_key(KEY, BUS, 8, "hanako"),
        drive.drive_key(KEY, BUS, 7, "taro"),
        drive.drive_key(KEY, VehicleId("maebashi", "bus-02"), 7, "hanako"),
        drive.drive_key(bytes(32), BUS, 7, "hanako"),
        drive.stop_key(KEY, BUS, "hanako"),
    ]
    assert not any(drive.sealed_by(data, other) for other in others)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (bytes(32), "malformed"),
        (bytes(32) + b"{}", "malformed"),
        (bytes(2_000), "oversize"),
        (bytes(32) + b'{"type":"drive","session_id":"s","epoch":1,"seq":1,"issued_ns":1,'
         b'"deadman":true,"speed_mps":99}', "malformed"),
    ],
    ids=["empty", "tag-only", "no-type", "long", "too-fast"],
)  # fmt: skip
def test_a_frame_that_is_none_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        drive.read(data)
    assert caught.value.reason == reason
