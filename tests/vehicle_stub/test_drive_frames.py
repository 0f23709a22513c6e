"""Frames, dead-man and control, each alone: every guard, every edge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.drive import DriveFrame, StopFrame, drive_key, seal, stop_key
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from vehicle_stub.checker import NOBODY, Held
from vehicle_stub.control import Control, Lapsed, Why
from vehicle_stub.deadman import DeadMan, Step, Wish, is_centred
from vehicle_stub.drive_frames import (
    GUARDS,
    LABEL,
    DriveFrames,
    Ignored,
    Limits,
    Obeyed,
    StopNow,
    guard_age,
    guard_envelope,
    guard_future,
    guard_order,
    guard_session,
)

BUS = VehicleId("maebashi", "bus-01")
OTHER = VehicleId("maebashi", "bus-02")
KEY = bytes(range(32))
HELD = Held("hanako", 6)
MS = 1_000_000
NOW = 10_000 * MS
GOOD: dict[str, Any] = {
    "session_id": "s-1",
    "epoch": 6,
    "seq": 10,
    "issued_ns": NOW - 50 * MS,
    "deadman": True,
    "speed_mps": 2.0,
    "curvature": 0.1,
}


def frames(guards: Any = GUARDS) -> DriveFrames:
    made = DriveFrames(BUS, KEY, "s-1", Limits(5.0, 0.2), guards)
    made.begin(HELD)
    made.seq = 9
    return made


def sealed(
    vehicle: VehicleId = BUS, holder: str = "hanako", key_epoch: int = 6, **changes: Any
) -> bytes:
    return seal(DriveFrame(**GOOD | changes), drive_key(KEY, vehicle, key_epoch, holder))


# --------------------------------------------------------------------------- frames

ROWS = [
    (guard_session, {"session_id": "s-0"}, "wrong_session"),
    (guard_order, {"seq": 9}, "old_seq"),
    (guard_order, {"seq": 0}, "old_seq"),
    (guard_age, {"issued_ns": NOW - 300 * MS - 1}, "expired"),
    (guard_future, {"issued_ns": NOW + 100 * MS + 1}, "from_the_future"),
    (guard_envelope, {"speed_mps": 5.02}, "outside_envelope"),
    (guard_envelope, {"curvature": 0.201}, "outside_envelope"),
    (guard_envelope, {"curvature": -0.201}, "outside_envelope"),
]
EACH = pytest.mark.parametrize(("guard", "changes", "reason"), ROWS)


@EACH
def test_each_guard_refuses_by_itself(guard: Any, changes: Any, reason: str) -> None:
    for made in (frames((guard,)), frames()):
        assert made.check(sealed(**changes), NOW) == Ignored(reason)
        assert made.refused == made.refused_in_all == {reason: 1}
        assert made.seq == 9


@EACH
def test_no_other_guard_stands_in_for_a_missing_one(guard: Any, changes: Any, reason: str) -> None:
    others = [other for other in GUARDS if other is not guard]
    assert isinstance(frames(others).check(sealed(**changes), NOW), Obeyed)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seq": 2**53 - 1},
        {"issued_ns": NOW - 300 * MS},
        {"issued_ns": NOW + 100 * MS},
        {"speed_mps": 5.01},
        {"curvature": 0.2},
        {"curvature": -0.2},
        {"deadman": False, "speed_mps": 20.0, "curvature": -0.5},
    ],
    ids=str,
)
def test_what_is_just_inside_is_obeyed(changes: Any) -> None:
    made = frames()
    verdict = made.check(sealed(**changes), NOW, by_hub=True)
    frame = DriveFrame(**GOOD | changes)
    assert verdict == Obeyed(frame, min(NOW, frame.issued_ns), True)
    assert made.seq == frame.seq
    assert made.refused == {}


def test_by_default_a_frame_came_by_the_data_channel() -> None:
    verdict = frames().check(sealed(), NOW)
    assert isinstance(verdict, Obeyed)
    assert verdict.by_hub is False


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"holder": "jiro"}, "bad_tag"),
        ({"vehicle": OTHER}, "bad_tag"),
        ({"key_epoch": 5}, "bad_tag"),
        ({"key_epoch": 5, "epoch": 5}, "old_epoch"),
        ({"key_epoch": 7, "epoch": 7}, "old_epoch"),
    ],
    ids=str,
)
def test_only_the_holders_key_of_this_epoch_fits(changes: Any, reason: str) -> None:
    assert frames().check(sealed(**changes), NOW) == Ignored(reason)


def test_without_control_and_after_it_no_frame_is_obeyed() -> None:
    made = DriveFrames(BUS, KEY, "s-1", Limits(5.0, 0.2))
    assert made.check(sealed(), NOW) == Ignored("not_holder")
    made.begin(HELD)
    made.end()
    assert made.check(sealed(), NOW) == Ignored("not_holder")
    assert made.refused_in_all == {"not_holder": 2}
    assert made.frames == 2


def test_no_epoch_is_nobodys_even_with_its_key() -> None:
    made = DriveFrames(BUS, KEY, "s-1", Limits(5.0, 0.2))
    assert made.seq == -1
    data = sealed(epoch=0, key_epoch=0, holder="")
    assert made.check(data, NOW) == Ignored("not_holder")


def test_control_taken_anew_counts_anew_and_keeps_the_total() -> None:
    made = frames()
    made.check(sealed(seq=1), NOW)
    made.begin(Held("jiro", 7))
    assert (made.refused, made.refused_in_all, made.seq) == ({}, {"old_seq": 1}, -1)
    assert made.check(sealed(), NOW) == Ignored("old_epoch")
    first = sealed(epoch=7, key_epoch=7, holder="jiro", seq=0)
    assert isinstance(made.check(first, NOW), Obeyed)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (sealed().decode("latin-1"), "malformed"),
        (b"", "malformed"),
        (bytes(1_025), "oversize"),
        (bytes(32) + b"{}", "malformed"),
    ],
    ids=["text", "nothing", "long", "not a frame"],
)
def test_what_is_no_frame_is_ignored(data: bytes | str, reason: str) -> None:
    made = frames()
    assert made.check(data, NOW) == Ignored(reason)
    assert made.refused == {reason: 1}


@pytest.mark.parametrize("text", [True, False])
def test_a_stored_frame_is_ignored_a_stop_too(text: bool) -> None:
    made = frames()
    data = sealed() if text else stop()
    assert made.check(data, NOW, retained=True) == Ignored("retained")


def stop(vehicle: VehicleId = BUS, key: bytes = KEY, account: str = "jiro") -> bytes:
    return seal(StopFrame("e-1", "jiro"), stop_key(key, vehicle, account))


def test_a_stop_needs_the_key_of_its_account_and_nothing_else() -> None:
    made = DriveFrames(BUS, KEY, "s-1", Limits(5.0, 0.2))
    assert made.check(stop(), 0) == StopNow("e-1", "jiro")
    assert made.check(stop(), 0) == StopNow("e-1", "jiro")
    for forged in (stop(OTHER), stop(key=bytes(32)), stop(account="hanako")):
        assert made.check(forged, 0) == Ignored("bad_tag")


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_is_never_obeyed(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([sealed(), stop()])))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert isinstance(frames().check(bytes(raw), NOW), Ignored)


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=40))
def test_whatever_the_order_no_seq_is_obeyed_twice_or_backwards(seqs: list[int]) -> None:
    made = DriveFrames(BUS, KEY, "s-1", Limits(5.0, 0.2))
    made.begin(HELD)
    obeyed = []
    for seq in seqs:
        verdict = made.check(sealed(seq=seq), NOW)
        if isinstance(verdict, Obeyed):
            obeyed.append(verdict.frame.seq)
    assert obeyed == sorted(set(obeyed))


# -------------------------------------------------------------------------- dead-man


def press(**changes: Any) -> DriveFrame:
    return DriveFrame(**GOOD | {"speed_mps": 0.0, "curvature": 0.0} | changes)


def test_it_drives_until_400_ms_after_the_newest_press_was_made() -> None:
    hand = DeadMan()
    assert not hand.expired(0)
    assert hand.on_frame(press(), NOW, standing=True) is Step.PRESSED
    assert hand.driving
    assert hand.until_ns == NOW + 400 * MS
    assert not hand.expired(NOW + 400 * MS - 1)
    assert hand.expired(NOW + 400 * MS)
    assert hand.on_frame(press(), NOW + 50 * MS, standing=False) is Step.PRESSED
    assert not hand.expired(NOW + 400 * MS)
    hand.end()
    assert not hand.driving
    assert not hand.expired(NOW + 10_000 * MS)


def test_nobody_drives_before_the_first_press() -> None:
    hand = DeadMan()
    assert (hand.driving, hand.wish, hand.until_ns) == (False, (0.0, 0.0, 0.0), 0)


def test_what_a_frame_means_is_said_in_the_words_it_is_counted_by() -> None:
    assert [step.value for step in Step] == ["pressed", "let_go", "not_centred", "not_standing"]
    assert LABEL == "command"


def test_the_wish_is_the_newest_frames() -> None:
    hand = DeadMan()
    hand.on_frame(press(), NOW, standing=True)
    hand.on_frame(press(speed_mps=3.0, curvature=0.1, brake=0.1), NOW, standing=False)
    assert hand.wish == Wish(3.0, 0.1, 0.1)
    hand.on_frame(press(speed_mps=3.0, curvature=0.1, brake=0.11), NOW, standing=False)
    assert hand.wish == Wish(0.0, 0.1, 0.11)
    hand.on_frame(press(deadman=False, speed_mps=3.0), NOW, standing=False)
    assert hand.wish == Wish()
    assert not hand.driving


@pytest.mark.parametrize(
    ("changes", "centred"),
    [
        ({}, True),
        ({"curvature": 0.02}, True),
        ({"curvature": -0.02}, True),
        ({"brake": 1.0}, True),
        ({"curvature": 0.021}, False),
        ({"curvature": -0.021}, False),
        ({"speed_mps": 0.001}, False),
        ({"speed_mps": 0.001, "curvature": 0.021}, False),
    ],
    ids=str,
)
def test_a_press_begins_centred(changes: Any, centred: bool) -> None:
    hand = DeadMan()
    frame = press(**changes)
    assert is_centred(frame) is centred
    step = hand.on_frame(frame, NOW, standing=True)
    assert step is (Step.PRESSED if centred else Step.NOT_CENTRED)
    assert hand.driving is centred


def test_a_press_begins_at_a_standstill() -> None:
    hand = DeadMan()
    assert hand.on_frame(press(), NOW, standing=False) is Step.NOT_STANDING
    assert not hand.driving
    hand.on_frame(press(), NOW, standing=True)
    assert hand.on_frame(press(deadman=False), NOW, standing=False) is Step.LET_GO
    assert hand.on_frame(press(), NOW, standing=False) is Step.NOT_STANDING


# --------------------------------------------------------------------------- control


def taken(purpose: Purpose = Purpose.DRIVE) -> Control:
    control = Control()
    control.take("hanako", purpose, 6, 1_500, NOW)
    return control


def test_nobody_has_control_at_first() -> None:
    control = Control()
    assert (control.held, control.purpose, control.until_ns) == (NOBODY, Purpose.MONITOR, 0)
    assert not control.is_held
    assert not control.for_driving
    assert control.on_time(NOW) is None
    assert control.on_epoch(7) is None
    assert control.lapse(Why.NOT_DRIVEN) is None
    control.on_lease(0, True, 5)
    assert control.until_ns == 5
    control.take("hanako", Purpose.ASSIST, 1, 1_500, NOW)
    assert control.is_held


@pytest.mark.parametrize(("purpose", "driving"), [(Purpose.DRIVE, True), (Purpose.ASSIST, False)])
def test_taken_it_is_held_until_silence(purpose: Purpose, driving: bool) -> None:
    control = taken(purpose)
    assert (control.held, control.purpose, control.for_driving) == (HELD, purpose, driving)
    assert control.is_held
    assert control.on_time(NOW + 1_500 * MS - 1) is None
    assert control.on_time(NOW + 1_500 * MS) == Lapsed("hanako", driving, Why.SILENT)
    assert (control.held, control.purpose) == (NOBODY, Purpose.MONITOR)
    assert control.on_time(NOW + 1_500 * MS) is None


@pytest.mark.parametrize(
    ("epoch", "leased", "kept"), [(6, True, True), (6, False, False), (5, True, False)], ids=str
)
def test_only_the_lease_of_this_epoch_keeps_it(epoch: int, leased: bool, kept: bool) -> None:
    control = taken()
    control.on_lease(epoch, leased, NOW + 1_000 * MS)
    assert (control.on_time(NOW + 2_499 * MS) is None) is kept
    assert control.on_time(NOW + 2_500 * MS) is not None or not kept


def test_a_higher_epoch_ends_it_and_its_own_does_not() -> None:
    control = taken()
    assert control.on_epoch(5) is None
    assert control.on_epoch(6) is None
    assert control.on_epoch(7) == Lapsed("hanako", True, Why.FENCED)
    assert not control.is_held


def test_released_it_does_not_lapse_and_is_not_kept_by_a_lease() -> None:
    control = taken()
    control.release()
    control.on_lease(6, True, NOW)
    assert not control.is_held
    assert control.on_time(NOW + 9_000 * MS) is None
    control.take("jiro", Purpose.ASSIST, 7, 200, NOW)
    assert control.lapse(Why.NOT_DRIVEN) == Lapsed("jiro", False, Why.NOT_DRIVEN)
