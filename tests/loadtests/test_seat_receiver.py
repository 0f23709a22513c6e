"""A seat's receiver: whole pictures in order, losses asked again, keyframes after a loss."""

from __future__ import annotations

from loadtests.faults import h264
from loadtests.faults.receiver import (
    AGAIN_NS,
    FIRST_ASK_NS,
    KEYFRAME_EVERY_NS,
    PATIENCE_NS,
    Packet,
    Picture,
    Receiver,
)

KEY, DELTA = b"\x65key", b"\x41delta"


def feed(receiver: Receiver, *numbers: int, key: tuple[int, ...] = (0,), now_ns: int = 0) -> None:
    """Insert packets; two packets are one picture, odd numbers end it."""
    for number in numbers:
        payload = KEY if number // 2 in key else DELTA
        receiver.insert(number & 0xFFFF, Packet(number // 2, bool(number % 2), payload), now_ns)


def stamps(pictures: list[Picture]) -> list[int]:
    return [picture.rtp_ts for picture in pictures]


def test_pictures_come_whole_and_in_order_whatever_the_order_of_packets() -> None:
    receiver = Receiver()
    feed(receiver, 0, 1, 3, 2, 5, 4)
    assert stamps(receiver.take(0)) == [0, 1, 2]
    assert receiver.lost == 0


def test_a_gap_is_asked_again_and_again_until_it_is_filled() -> None:
    receiver = Receiver()
    feed(receiver, 0, 1, 2, 5, now_ns=0)
    assert stamps(receiver.take(0)) == [0]
    assert receiver.missing(FIRST_ASK_NS - 1) == []
    assert receiver.missing(FIRST_ASK_NS) == [3, 4]
    assert receiver.missing(FIRST_ASK_NS + AGAIN_NS - 1) == []
    assert receiver.missing(FIRST_ASK_NS + AGAIN_NS) == [3, 4]
    feed(receiver, 3, 4)
    assert stamps(receiver.take(0)) == [1, 2]
    assert receiver.repaired == 2
    assert receiver.missing(10**10) == []


def test_sequence_numbers_wrap() -> None:
    receiver = Receiver()
    feed(receiver, 65_534, 65_535, 65_536, 65_537, key=(32_767,))
    assert stamps(receiver.take(0)) == [32_767, 32_768]


def test_a_copy_counts_once() -> None:
    receiver = Receiver()
    feed(receiver, 0, 1, 1, 2, 3)
    assert stamps(receiver.take(0)) == [0, 1]
    feed(receiver, 2)
    assert receiver.duplicates == 2
    assert receiver.packets == 4


def test_a_loss_beyond_patience_is_given_up_for_a_keyframe_and_no_broken_picture_is_shown() -> None:
    receiver = Receiver()
    feed(receiver, 0, 1, 3, 4, 5, key=(0, 4))
    assert stamps(receiver.take(0)) == [0]
    assert not receiver.wants_keyframe(KEYFRAME_EVERY_NS // 4)
    assert receiver.wants_keyframe(PATIENCE_NS)
    assert not receiver.wants_keyframe(PATIENCE_NS + KEYFRAME_EVERY_NS - 1)
    feed(receiver, 6, 7, 8, 9, 10, 11, key=(0, 4), now_ns=PATIENCE_NS - 1)
    assert receiver.take(PATIENCE_NS - 1) == []
    shown = receiver.take(PATIENCE_NS)
    assert stamps(shown) == [4, 5]
    assert (shown[0].keyframe, shown[0].lost, shown[0].skipped) == (True, 1, 3)
    assert receiver.lost == 1
    assert not receiver.wants_keyframe(10**10)


def test_the_first_picture_must_be_a_keyframe() -> None:
    receiver = Receiver()
    feed(receiver, 0, 1, 2, 3, key=(1,))
    assert receiver.wants_keyframe(0)
    assert stamps(receiver.take(0)) == [1]


def test_a_hole_too_large_to_repair_waits_for_a_keyframe() -> None:
    receiver = Receiver()
    feed(receiver, 0, 1)
    receiver.take(0)
    feed(receiver, 5_000, 5_001, 5_002, 5_003, key=(2_501,))
    shown = receiver.take(0)
    assert stamps(shown) == [2_501]
    assert shown[0].lost == 4_998
    assert receiver.missing(10**10) == []


def test_access_units_are_put_together_from_all_three_kinds_of_payload() -> None:
    sps, pps, idr = b"\x67sps", b"\x68pps", b"\x65" + bytes(range(10))
    stap = b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in (sps, pps))
    fragments = [b"\x7c\x85" + idr[1:6], b"\x7c\x45" + idr[6:]]
    assert h264.access_unit([stap, *fragments]) == b"".join(
        h264.START + unit for unit in (sps, pps, idr)
    )
    assert h264.access_unit([sps, pps]) == h264.START + sps + h264.START + pps
    assert h264.begins_keyframe(stap) and h264.begins_keyframe(fragments[0])
    assert not h264.begins_keyframe(fragments[1]) and not h264.begins_keyframe(DELTA)


def test_damaged_payloads_are_left_out() -> None:
    for payload in (b"", b"\x78", b"\x78\xff\xff", b"\x78\x00\x00\x00", b"\x7c", b"\x1f"):
        h264.access_unit([payload])
        assert not h264.begins_keyframe(payload)
