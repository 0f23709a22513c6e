"""Loss, order and repair of one stream, in virtual time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from protocols.codec import ProtocolError
from supervisor.rtp.codec import Codec
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.nack import (
    ASK_BURST,
    BEFORE_KEYFRAME_NS,
    ECHO_NS,
    GIVE_UP_NS,
    MAX_PATIENCE_NS,
    RESTLESS_NS,
    RETRY_NS,
    RETRY_SLACK_NS,
    TAIL_NS,
    LossTracker,
)
from supervisor.rtp.packet import HEADER
from supervisor.rtp.picture_size import picture_size
from supervisor.rtp.rtx import unwrap

MS = 1_000_000
CODEC = Codec(96, "H264", 90_000, fmtp={"packetization-mode": "1"}, rtx=97, nack=True)
PLAIN = Codec(96, "H264", 90_000, fmtp={"packetization-mode": "1"}, nack=True)
DELTA = b"\x41delta"


def rtp(sequence, payload=DELTA, payload_type=96, ssrc=1, marker=True, timestamp=None):
    second = payload_type | (0x80 if marker else 0)
    timestamp = sequence * 3_000 if timestamp is None else timestamp
    return HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc) + payload


def rtx(own, original):
    packet = rtp(original, payload_type=97, ssrc=2)
    return packet[:2] + own.to_bytes(2, "big") + packet[4:12] + packet[2:4] + packet[12:]


@pytest.fixture
def feed():
    return Feed("front", "video")


def forwarded(feed):
    return [packet.sequence for packet in feed.take()]


def test_an_rtx_packet_fills_the_gap_it_was_asked_for(feed):
    source = Inbound(feed, 1, [CODEC])
    for sequence in (10, 12):
        source.receive(rtp(sequence), 0)
    assert source.losses.due(0) == [11]
    source.receive_rtx(rtx(7, 11), 97, 50 * MS)
    assert forwarded(feed) == [10, 12, 11]
    assert feed.cache.get(11).payloads == [DELTA]
    assert (source.stats.lost, source.stats.repaired, source.stats.duplicates) == (1, 1, 0)
    assert source.stats.frames == 3
    assert source.losses.round_trip_ns == 50 * MS
    assert source.reception_report(0).lost == 1, "the sender is told the loss before repair"


def test_probes_and_late_answers_on_the_rtx_stream_are_no_second_copy(feed):
    source = Inbound(feed, 1, [CODEC])
    for sequence in (10, 12):
        source.receive(rtp(sequence), 0)
    source.receive_rtx(rtx(7, 10), 97, 0)
    source.receive_rtx(rtx(8, 11), 97, 0)
    source.receive_rtx(rtx(9, 11), 97, 0)
    padding = HEADER.pack(0xA0, 97, 10, 0, 2) + bytes(19) + b"\x14"
    source.receive_rtx(padding, 97, 0)
    assert sorted(forwarded(feed)) == [10, 11, 12]
    assert source.stats.duplicates == 2


def test_an_rtx_packet_keeps_its_payload_without_padding():
    packet = HEADER.pack(0xA0, 0x80 | 97, 5, 900, 7) + b"\x01\x02" + b"payload" + b"\x00\x02"
    assert unwrap(packet, 96, 3) == HEADER.pack(0x80, 0x80 | 96, 0x102, 900, 3) + b"payload"
    with pytest.raises(ProtocolError):
        unwrap(packet[:11], 96, 3)
    assert unwrap(HEADER.pack(0x80, 97, 5, 900, 7) + b"\x01", 96, 3) is None


@pytest.mark.parametrize("codec", [CODEC, PLAIN])
def test_reordering_and_duplication_forward_every_packet_exactly_once(feed, codec):
    """Fault F-11: 5 % reordered by up to 8 packets, 2 % doubled."""
    choose = random.Random(5)
    source = Inbound(feed, 1, [codec])
    line = []
    for sequence in range(5_000):
        late = choose.randrange(1, 9) if sequence and choose.random() < 0.05 else 0
        line.append((sequence + late + 0.5 * bool(late), sequence))
        if choose.random() < 0.02:
            line.append((sequence + choose.randrange(1, 30), sequence))
    doubled = len(line) - 5_000
    seen = []
    for at, (_, sequence) in enumerate(sorted(line)):
        source.receive(rtp(sequence), at * MS)
        seen += forwarded(feed)
    assert sorted(seen) == list(range(5_000))
    assert source.stats.duplicates == doubled
    assert source.stats.packets == source.stats.frames == 5_000
    assert source.stats.lost == 0
    assert source.losses.given_up == 0


def test_a_link_that_reorders_teaches_patience_and_is_asked_in_vain_no_more():
    losses = LossTracker()
    in_vain = 0
    for turn in range(50):
        now = turn * 100 * MS
        losses.on_gap(turn, turn, now)
        in_vain += len(losses.due(now))
        in_vain += len(losses.due(now + 4 * MS))
        assert losses.on_late(turn, now + 5 * MS, repaired_apart=True) is False
    assert in_vain == 1
    assert 5 * MS <= losses.patience_ns <= MAX_PATIENCE_NS
    for turn in range(100, 200):
        losses.on_gap(turn, turn, 0)
        losses.on_repair(turn, 0)
    assert losses.patience_ns < MS, "it is forgotten when the link keeps order"


def test_a_packet_is_asked_again_after_the_round_trip_that_was_measured():
    losses = LossTracker()
    losses.on_gap(1, 1, 0)
    losses.due(0)
    losses.on_repair(1, 80 * MS)
    losses.on_gap(2, 2, 1_000 * MS)
    asked = [at for at in range(260) if losses.due(1_000 * MS + at * MS)]
    # What the first asking did not bring is repeated for two thirds of a round trip.
    again = [0, 10, 20, 30, 40, 50]
    assert asked == [0, 10, *(88 + at for at in again), *(176 + at for at in again)]
    assert asked[2] * MS == 80 * MS + 5 * MS + RETRY_SLACK_NS


def test_later_repetitions_take_nothing_from_what_may_be_asked():
    losses = LossTracker()
    losses.on_gap(1, 1, 0)
    losses.due(0)
    losses.on_repair(1, 80 * MS)
    losses.on_gap(2, 41, 1_000 * MS)
    asked = sum(len(losses.due(1_000 * MS + at * MS)) for at in range(160))
    # 127 are left: 40 twice, 40 a second time, 7 of them repeated; the 7 four times more.
    assert asked == 127 + 7 * 4


def test_a_round_trip_that_has_become_longer_is_learned_from_answers_that_come_too_soon():
    losses = LossTracker()
    trip = 40 * MS
    for turn in range(200):
        now = turn * 1_000 * MS
        trip = 40 * MS if turn < 20 else 70 * MS
        losses.on_gap(turn, turn, now)
        for at in range(0, trip, 5 * MS):
            losses.due(now + at, turn * 50)
        losses.on_repair(turn, now + trip)
    assert losses.round_trip_ns is not None
    assert 60 * MS <= losses.round_trip_ns <= 90 * MS


def test_a_picture_that_stays_without_its_end_is_asked_for_it_while_the_link_loses(feed):
    source = Inbound(feed, 1, [CODEC])
    for sequence in (1, 3):
        source.receive(rtp(sequence), 0)
    source.losses.due(0)
    source.receive_rtx(rtx(1, 2), 97, 30 * MS)
    source.receive(rtp(4, marker=False), 40 * MS)
    source.look_for_tail(40 * MS + TAIL_NS - 1)
    assert not source.losses
    source.look_for_tail(40 * MS + TAIL_NS)
    source.look_for_tail(40 * MS + 2 * TAIL_NS)
    assert source.losses.due(40 * MS + 2 * TAIL_NS) == [5]
    source.receive_rtx(rtx(2, 5), 97, 90 * MS)
    source.receive(rtp(6), 91 * MS)
    assert (source.stats.lost, source.stats.repaired) == (2, 2)
    assert sorted(forwarded(feed)) == [1, 2, 3, 4, 5, 6]
    assert not source.losses


def test_an_end_that_was_only_late_is_no_loss_and_the_next_is_waited_for_longer(feed):
    source = Inbound(feed, 1, [CODEC])
    source.receive(rtp(1, marker=False), 0)
    source.look_for_tail(TAIL_NS)
    source.receive(rtp(2), TAIL_NS + MS)
    assert forwarded(feed) == [1, 2]
    assert (source.stats.lost, source.stats.packets, len(source.losses)) == (0, 2, 0)
    assert source.losses.tail_ns == 2 * TAIL_NS
    assert source.losses.patience_ns == 0
    assert not source.losses.restless(TAIL_NS + 2 * MS), "a guess does not keep looking"


def test_a_link_that_lost_is_looked_at_for_a_while():
    losses = LossTracker()
    assert not losses.restless(0)
    losses.on_gap(1, 1, 0)
    losses.on_repair(1, 50 * MS)
    assert losses.restless(RESTLESS_NS - 1)
    assert not losses.restless(RESTLESS_NS)


def test_a_publisher_that_answers_every_repetition_hears_no_more_of_them():
    losses = LossTracker()
    asked = []
    for turn in range(40):
        now = turn * 100 * MS
        losses.on_gap(turn, turn, now)
        asked.append(sum(bool(losses.due(now + at * MS)) for at in range(30)))
        losses.on_repair(turn, now + 30 * MS)
        if asked[-1] == 2:
            assert losses.on_repair(turn, now + 31 * MS) is None
    assert asked[:3] == [2] * 3
    assert sum(asked[-20:]) <= 26


def test_repetitions_go_on_where_twice_asked_packets_come_once():
    losses = LossTracker()
    for turn in range(100):
        now = turn * 100 * MS
        losses.on_gap(turn, turn, now)
        assert losses.due(now, 20 * turn) == losses.due(now + ECHO_NS, 20 * turn + 1) == [turn]
        losses.on_repair(turn, now + 50 * MS)
        if turn % 10 == 0:  # what was asked in vain comes twice
            losses.on_repair(turn, now + 55 * MS)


def test_only_a_loss_since_the_newest_keyframe_needs_another_one():
    losses = LossTracker()
    losses.on_gap(10, 10, 0)
    losses.on_keyframe(20)
    losses.due(BEFORE_KEYFRAME_NS + 1)
    assert (losses.given_up, losses.broken) == (1, False)
    losses.on_gap(30, 30, 0)
    losses.due(GIVE_UP_NS + 1)
    assert (losses.given_up, losses.broken) == (2, True)


def test_what_lies_before_the_newest_keyframe_is_given_up_early():
    losses = LossTracker()
    losses.on_gap(10, 10, 0)
    losses.on_gap(30, 30, 0)
    losses.on_keyframe(20)
    losses.due(BEFORE_KEYFRAME_NS + 1)
    assert (len(losses), losses.given_up) == (1, 1)
    losses.due(GIVE_UP_NS + 1)
    assert (len(losses), losses.given_up) == (0, 2)


def test_no_more_is_asked_again_than_arrives():
    losses = LossTracker()
    losses.on_gap(0, 255, 0)
    assert len(losses.due(0)) == ASK_BURST
    assert len(losses.due(MS)) == 0
    assert len(losses.due(2 * MS, received=10)) == 10
    assert len(losses.due(RETRY_NS + 3 * MS, received=30)) == 20


def test_a_packet_given_up_that_comes_at_last_is_forwarded_and_no_loss(feed):
    source = Inbound(feed, 1, [PLAIN])
    for sequence in (1, 3):
        source.receive(rtp(sequence), 0)
    source.losses.due(GIVE_UP_NS + 1)
    assert source.losses.given_up == 1
    source.receive(rtp(2), GIVE_UP_NS + 2)
    assert forwarded(feed) == [1, 3, 2]
    assert (source.losses.given_up, source.stats.lost) == (0, 0)


def test_a_packet_from_before_the_beginning_or_too_old_to_judge_is_dropped(feed):
    source = Inbound(feed, 1, [PLAIN])
    for sequence in range(5_000, 7_000):
        source.receive(rtp(sequence), 0)
    forwarded(feed)
    for sequence in (4_999, 5_500):
        source.receive(rtp(sequence), 0)
    assert forwarded(feed) == []
    assert source.dropped_late == 2
    assert (source.stats.packets, source.stats.lost) == (2_000, 0)


def test_the_longest_gap_between_frames_is_told_once(feed):
    source = Inbound(feed, 1, [PLAIN])
    for index, at in enumerate((0, 33, 66, 400, 433)):
        source.receive(rtp(index), at * MS)
    assert source.stats.take_gap_ns() == 334 * MS
    assert source.stats.take_gap_ns() == 0


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_the_size_of_a_keyframe_is_read_where_the_codec_says_it(codec, feed):
    name = f"rtp-{codec.lower()}-keyframe.bin"
    data = (Path(__file__).parents[1] / "packets" / name).read_bytes()
    payload_type = data[1] & 0x7F
    source = Inbound(feed, 1, [Codec(payload_type, codec, 90_000)])
    source.receive(data, 0)
    assert source.size == (640, 480)


@pytest.mark.parametrize(
    ("sps", "expected"),
    [
        ("6742c01fda014016e840000003004000000f23c60ca8", (1280, 720)),
        ("67640028acb200f0044fcb08000003000800000301e478c19240", (1920, 1080)),
        ("6742", None),
        ("67640028ffff", None),
        ("670000000000000000000000000000000000000000", None),
    ],
)
def test_a_parameter_set_says_its_size_or_nothing(sps, expected):
    assert picture_size("H264", bytes.fromhex(sps), 0) == expected
