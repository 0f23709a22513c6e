"""Commands: each guard alone, then everything that must never be obeyed."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import tags
from protocols.codec import encode
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from protocols.vehicle import (
    Body,
    Command,
    EmergencyStop,
    FollowPath,
    MinimalRisk,
    PullOver,
    RefusalReason,
    Resume,
    Stop,
    TakeControl,
)
from vehicle_stub.checker import (
    GUARDS,
    NOBODY,
    Accepted,
    CommandChecker,
    Held,
    PersistEpoch,
    Refused,
    Repeated,
    guard_epoch,
    guard_expiry,
    guard_future,
    guard_holder,
    guard_place,
    guard_seq,
    guard_session,
    guard_take,
)

BUS = VehicleId("maebashi", "bus-01")
OTHER = VehicleId("maebashi", "bus-02")
KEY = bytes(range(32))
OTHER_KEY = bytes(32)
NOW = 10_000_000_000
GOOD: dict[str, Any] = {
    "command_id": "c-1",
    "session_id": "s-1",
    "epoch": 5,
    "seq": 10,
    "issued_ns": NOW - 50_000_000,
    "ttl_ms": 1_000,
    "body": MinimalRisk(),
    "operator": "hanako",
}


HELD = Held("hanako", 5)


def checker(guards: Any = GUARDS, durable: int = 5) -> CommandChecker:
    made = CommandChecker(BUS, KEY, "s-1", durable, guards)
    made.seq = 9
    return made


def signed(vehicle: VehicleId = BUS, key: bytes = KEY, **changes: Any) -> bytes:
    return encode(tags.sign(Command(**GOOD | changes), vehicle, key))


TO_181_EAST = FollowPath([(139.0, 36.0), (181.0, 36.0)], 2.0)
FROM_91_SOUTH = FollowPath([(139.0, -91.0), (139.0, 36.0)], 2.0)
ROWS = [
    (guard_session, {"session_id": "s-0"}, RefusalReason.WRONG_SESSION),
    (guard_session, {"session_id": ""}, RefusalReason.WRONG_SESSION),
    (guard_epoch, {"epoch": 4, "seq": 99}, RefusalReason.OLD_EPOCH),
    (guard_seq, {"seq": 9}, RefusalReason.OLD_SEQ),
    (guard_seq, {"seq": 0}, RefusalReason.OLD_SEQ),
    (guard_expiry, {"issued_ns": NOW - 1_000_000_001}, RefusalReason.EXPIRED),
    (guard_expiry, {"issued_ns": 0}, RefusalReason.EXPIRED),
    (guard_future, {"issued_ns": NOW + 1_000_000_001}, RefusalReason.FROM_THE_FUTURE),
    (guard_take, {"body": TakeControl("jiro", Purpose.DRIVE)}, RefusalReason.OLD_EPOCH),
    (guard_holder, {"body": Resume(), "operator": "jiro"}, RefusalReason.NOT_HOLDER),
    (guard_holder, {"body": Resume(), "operator": ""}, RefusalReason.NOT_HOLDER),
    (guard_holder, {"body": PullOver(), "operator": "jiro"}, RefusalReason.NOT_HOLDER),
    (
        guard_place,
        {"body": FollowPath([(139.0, 36.0), (181.0, 36.0)], 2.0)},
        RefusalReason.OUTSIDE_ENVELOPE,
    ),
    (
        guard_place,
        {"body": FollowPath([(139.0, -91.0), (139.0, 36.0)], 2.0)},
        RefusalReason.OUTSIDE_ENVELOPE,
    ),
]


@pytest.mark.parametrize(("guard", "changes", "reason"), ROWS)
def test_each_guard_refuses_by_itself(guard: Any, changes: Any, reason: RefusalReason) -> None:
    assert isinstance(checker((guard,)).check(signed(**changes), False, NOW, HELD), Refused)
    verdict = checker().check(signed(**changes), False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is reason
    assert verdict.command_id == "c-1"


@pytest.mark.parametrize(("guard", "changes", "reason"), ROWS)
def test_no_other_guard_stands_in_for_a_missing_one(
    guard: Any, changes: Any, reason: RefusalReason
) -> None:
    others = [other for other in GUARDS if other is not guard]
    assert isinstance(checker(others).check(signed(**changes), False, NOW, HELD), Accepted)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"issued_ns": NOW - 1_000_000_000},
        {"issued_ns": NOW + 1_000_000_000},
        {"seq": 2**53 - 1},
        {"body": Resume()},
        {"body": FollowPath([(139.0, 36.0), (180.0, 90.0)], 2.0)},
    ],
)
def test_what_is_just_inside_is_accepted(changes: Any) -> None:
    assert isinstance(checker().check(signed(**changes), False, NOW, HELD), Accepted)


def test_a_new_epoch_is_obeyed_only_once_it_is_on_disk() -> None:
    made = checker()
    data = signed(epoch=6, seq=0)
    assert made.check(data, False, NOW, HELD) == PersistEpoch(6)
    assert made.epoch == 5
    made.epoch_is_durable(6)
    assert isinstance(made.check(data, False, NOW, HELD), Accepted)
    assert (made.epoch, made.seq) == (6, 0)
    verdict = made.check(signed(command_id="c-2", epoch=5, seq=100), False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.OLD_EPOCH


def test_a_repeated_id_is_known_and_has_no_second_effect() -> None:
    made = checker()
    assert isinstance(made.check(signed(), False, NOW, HELD), Accepted)
    assert made.check(signed(), False, NOW, HELD) == Repeated("c-1")
    assert made.check(signed(seq=11), False, NOW, HELD) == Repeated("c-1")


def test_a_resume_issued_before_a_stop_and_arriving_after_it_is_refused() -> None:
    made = checker()
    assert isinstance(
        made.check(signed(command_id="s", seq=12, body=Stop()), False, NOW, HELD), Accepted
    )
    verdict = made.check(signed(command_id="r", seq=11, body=Resume()), False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.OLD_SEQ


def test_a_stop_while_the_new_epoch_is_being_written_wins() -> None:
    made = checker()
    resume = signed(command_id="r", epoch=6, seq=1)  # any order that brings an epoch
    assert isinstance(made.check(resume, False, NOW, HELD), PersistEpoch)
    stop = signed(command_id="s", epoch=6, seq=2, body=Stop())
    assert isinstance(made.check(stop, False, NOW, HELD), Accepted)
    made.epoch_is_durable(6)
    verdict = made.check(resume, False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.OLD_SEQ


@settings(deadline=None)
@given(
    session=st.sampled_from(["", "s-0", "s-1"]),
    epoch=st.integers(0, 2**53 - 1),
    seq=st.integers(0, 2**53 - 1),
    issued=st.integers(0, 2**62),
)
def test_a_signed_stop_is_always_accepted_once(
    session: str, epoch: int, seq: int, issued: int
) -> None:
    made = checker()
    data = signed(session_id=session, epoch=epoch, seq=seq, issued_ns=issued, body=Stop())
    assert isinstance(made.check(data, False, NOW, HELD), Accepted)
    assert made.check(data, False, NOW, HELD) == Repeated("c-1")


@pytest.mark.parametrize("body", [Stop(), Resume()])
@pytest.mark.parametrize(("vehicle", "key"), [(OTHER, KEY), (BUS, OTHER_KEY)])
def test_another_vehicles_command_or_another_key_is_refused(
    vehicle: VehicleId, key: bytes, body: Any
) -> None:
    verdict = checker().check(signed(vehicle, key, body=body), False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.BAD_TAG


@pytest.mark.parametrize("body", [Stop(), Resume()])
def test_a_stored_command_is_of_some_other_day(body: Any) -> None:
    verdict = checker().check(signed(body=body), True, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.RETAINED


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_is_never_obeyed(data: st.DataObject) -> None:
    raw = bytearray(signed())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    assert isinstance(checker().check(bytes(raw), False, NOW, HELD), Refused)


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=40))
def test_whatever_the_order_no_seq_is_obeyed_twice_or_backwards(seqs: list[int]) -> None:
    made = CommandChecker(BUS, KEY, "s-1", 5)
    obeyed = []
    for number, seq in enumerate(seqs):
        verdict = made.check(signed(command_id=f"c-{number}", seq=seq), False, NOW, HELD)
        if isinstance(verdict, Accepted):
            obeyed.append(verdict.command.seq)
    assert obeyed == sorted(set(obeyed))


@pytest.mark.parametrize(
    ("data", "reason", "command_id"),
    [
        (b"", RefusalReason.MALFORMED, None),
        (b"[]", RefusalReason.MALFORMED, None),
        (b"\xff\xfe", RefusalReason.MALFORMED, None),
        (b'{"command_id":"x"}', RefusalReason.MALFORMED, "x"),
        (b"[" * 100_000, RefusalReason.MALFORMED, None),
        (b'{"command_id":"x","body":{"type":"fly"}}', RefusalReason.UNKNOWN_TYPE, "x"),
        (b'{"command_id":"x","body":{"type":"stop","now":1}}', RefusalReason.MALFORMED, "x"),
        (b'{"command_id":"' + b"x" * 65 + b'"}', RefusalReason.MALFORMED, "x" * 64),
        (b'{"command_id":"x"' + b" " * 70_000 + b"}", RefusalReason.MALFORMED, None),
    ],
)
def test_what_cannot_be_read_is_refused(
    data: bytes, reason: RefusalReason, command_id: str | None
) -> None:
    verdict = checker().check(data, False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.command_id) == (reason, command_id)


def test_what_it_remembers_is_bounded_and_an_evicted_id_is_still_refused() -> None:
    made = CommandChecker(BUS, KEY, "s-1", 5)
    for number in range(1_100):
        data = signed(command_id=f"c-{number}", seq=number + 1)
        assert isinstance(made.check(data, False, NOW, HELD), Accepted)
    verdict = made.check(signed(command_id="c-0", seq=1), False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.OLD_SEQ


def test_an_epoch_that_a_hub_has_said_fences_off_older_ones_and_never_a_stop() -> None:
    made = checker()
    assert made.fence_off(6)
    assert not made.fence_off(6)
    assert not made.fence_off(5)
    refused = made.check(signed(), False, NOW, HELD)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.OLD_EPOCH
    assert isinstance(made.check(signed(command_id="c-2", body=Stop()), False, NOW, HELD), Accepted)
    newer = signed(command_id="c-3", epoch=6, seq=1)
    assert made.check(newer, False, NOW, HELD) == PersistEpoch(6)
    made.epoch_is_durable(6)
    assert isinstance(made.check(newer, False, NOW, HELD), Accepted)


# -------------------------------------------------------------------------- control

TAKE = TakeControl("jiro", Purpose.DRIVE)


def test_what_needs_control_is_refused_while_nobody_has_it() -> None:
    for number, kind in enumerate(get_args(Body)):
        if not kind.needs_control:
            continue
        body = BODIES[kind]
        verdict = checker().check(signed(command_id=f"c-{number}", body=body), False, NOW)
        assert isinstance(verdict, Refused)
        assert verdict.reason is RefusalReason.NOT_HOLDER
        assert verdict.text == "nobody has control of this vehicle"


_FIELDS: dict[str, Any] = {
    "request_id": "e",
    "more_s": 1,
    "option_id": "o",
    "points": [[139, 36], [139, 37]],
    "max_speed_mps": 1,
    "hold_ms": 1,
    "holder": "jiro",
    "purpose": "assist",
    "open": True,
    "text": "x",
}
BODIES: dict[type, Any] = {
    kind: msgspec.convert({k: v for k, v in _FIELDS.items() if k in kind.__struct_fields__}, kind)
    for kind in get_args(Body)
    if kind.needs_control
}


def test_the_holder_of_another_epoch_is_not_the_holder() -> None:
    made = checker()
    verdict = made.check(signed(body=Resume()), False, NOW, Held("hanako", 4))
    assert isinstance(verdict, Refused)
    assert verdict.text == "hanako has control of this vehicle"
    verdict = made.check(signed(command_id="c-2", epoch=6, body=Resume()), False, NOW, HELD)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.NOT_HOLDER
    assert made.epoch == 5


def test_control_is_taken_in_a_new_epoch_that_is_on_disk_first() -> None:
    made = checker()
    take = signed(command_id="t", epoch=6, seq=1, body=TAKE)
    assert made.check(take, False, NOW) == PersistEpoch(6)
    made.epoch_is_durable(6)
    assert isinstance(made.check(take, False, NOW), Accepted)
    again = made.check(signed(command_id="t-2", epoch=6, seq=2, body=TAKE), False, NOW)
    assert isinstance(again, Refused)
    assert (again.reason, again.text) == (RefusalReason.OLD_EPOCH, "control needs an epoch above 6")


def test_control_is_not_taken_in_an_epoch_that_was_used_before_a_restart() -> None:
    verdict = CommandChecker(BUS, KEY, "s-1", 7).check(signed(epoch=7, body=TAKE), False, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.OLD_EPOCH


def test_an_order_of_the_same_epoch_comes_after_control_was_taken_not_before() -> None:
    made = checker()
    made.epoch_is_durable(6)
    order = signed(command_id="o", epoch=6, seq=1)
    assert isinstance(made.check(order, False, NOW), Accepted)
    verdict = made.check(signed(command_id="t", epoch=6, seq=2, body=TAKE), False, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.OLD_EPOCH


@pytest.mark.parametrize("stop", [Stop(), EmergencyStop()], ids=["stop", "emergency_stop"])
def test_a_stop_of_the_new_epoch_does_not_use_it_up(stop: Any) -> None:
    made = checker()
    stopped = made.check(signed(command_id="s", epoch=6, seq=1, body=stop), False, NOW)
    assert isinstance(stopped, Accepted)
    take = signed(command_id="t", epoch=6, seq=2, body=TAKE)
    assert made.check(take, False, NOW) == PersistEpoch(6)
    made.epoch_is_durable(6)
    assert isinstance(made.check(take, False, NOW), Accepted)


@pytest.mark.parametrize("body", [Stop(), EmergencyStop()], ids=["stop", "emergency_stop"])
def test_what_never_waits_is_obeyed_without_control_in_any_epoch_at_any_age(body: Any) -> None:
    data = signed(session_id="", epoch=0, seq=0, issued_ns=0, operator="", body=body)
    assert isinstance(checker().check(data, False, NOW), Accepted)


def test_a_stop_is_not_swallowed_by_an_id_that_meant_something_else() -> None:
    made = checker()
    assert isinstance(made.check(signed(seq=11), False, NOW), Accepted)
    assert isinstance(made.check(signed(seq=12, body=Stop()), False, NOW), Accepted)
    assert isinstance(made.check(signed(seq=13, body=EmergencyStop()), False, NOW), Accepted)
    assert made.check(signed(seq=14, body=EmergencyStop()), False, NOW) == Repeated("c-1")
    assert made.check(signed(seq=15, body=Stop()), False, NOW) == Repeated("c-1")


def test_an_emergency_stop_by_frame_and_by_command_is_one() -> None:
    made = checker()
    assert made.stopped_by_frame("c-1")
    assert not made.stopped_by_frame("c-1")
    assert made.check(signed(body=EmergencyStop()), False, NOW) == Repeated("c-1")
    assert isinstance(made.check(signed(seq=11, body=Stop()), False, NOW), Accepted)
    assert isinstance(
        made.check(signed(command_id="c-2", seq=12, body=EmergencyStop()), False, NOW), Accepted
    )
    assert not made.stopped_by_frame("c-2")


# ----------------------------------------------------------------- what it remembers


def test_it_begins_with_nothing_but_the_durable_epoch() -> None:
    made = CommandChecker(BUS, KEY, "s-1", 5)
    assert (made.epoch, made.seq, made.fence) == (5, -1, 0)
    assert NOBODY == ("", 0)


def test_a_refused_id_is_known_too_whatever_it_means_the_next_time() -> None:
    made = checker()
    assert isinstance(made.check(signed(seq=1), False, NOW), Refused)
    assert made.check(signed(seq=1), False, NOW) == Repeated("c-1")
    assert made.check(signed(seq=99, body=Resume()), False, NOW, HELD) == Repeated("c-1")


@pytest.mark.parametrize("place", [(4, 99), (5, 3)], ids=str)
def test_a_stop_never_lowers_the_epoch_or_the_seq(place: tuple[int, int]) -> None:
    made = checker()
    stop = signed(epoch=place[0], seq=place[1], body=Stop())
    assert isinstance(made.check(stop, False, NOW), Accepted)
    assert (made.epoch, made.seq) == (5, 9)


def test_exactly_as_many_ids_are_remembered_as_it_says() -> None:
    made = checker()

    def stop(number: int) -> Any:
        return made.check(signed(command_id=f"s-{number}", body=Stop()), False, NOW)

    for number in range(1_024):
        assert isinstance(stop(number), Accepted)
    assert stop(0) == Repeated("s-0")
    assert isinstance(stop(1_024), Accepted)
    assert stop(1) == Repeated("s-1")
    assert isinstance(stop(0), Accepted)


def test_other_orders_do_not_make_it_forget_a_stop() -> None:
    made = checker()
    assert isinstance(made.check(signed(command_id="s", body=Stop()), False, NOW), Accepted)
    for number in range(1_100):
        order = signed(command_id=f"c-{number}", seq=number + 20)
        assert isinstance(made.check(order, False, NOW), Accepted)
    assert made.check(signed(command_id="s", body=Stop()), False, NOW) == Repeated("s")
