"""Streams in virtual time: nothing here waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.codec import ProtocolError
from supervisor.rtp.asker import MIN_INTERVAL_NS
from supervisor.rtp.codec import Codec, match
from supervisor.rtp.downtrack import (
    AGAIN_NS,
    LEAST_PER_INTERVAL,
    MAX_RESENT,
    NOT_BEFORE_NS,
    RETRANSMISSIONS_PER_INTERVAL,
    DownTrack,
)
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.nack import (
    ECHO_NS,
    GIVE_UP_NS,
    MAX_GAP,
    MAX_MISSING,
    MAX_TRIES,
    RETRY_NS,
    LossTracker,
)
from supervisor.rtp.packet import HEADER
from supervisor.rtp.rtcp import SenderReport
from supervisor.rtp.stats import StreamStats

MS = 1_000_000
FRAME_NS = 33_333_333
H264 = Codec(96, "H264", 90_000, fmtp={"packetization-mode": "1"}, nack=True)
KEY, DELTA = b"\x65key", b"\x41delta"


def rtp(sequence, timestamp, payload=DELTA, ssrc=1, payload_type=96, marker=True):
    second = payload_type | (0x80 if marker else 0)
    return HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc) + payload


def numbers(feed):
    return [(packet.sequence, packet.timestamp) for packet in feed.take()]


@pytest.fixture
def feed():
    return Feed("front", "video")


def test_the_first_publisher_keeps_its_own_numbers(feed):
    source = Inbound(feed, 1, [H264])
    for index in range(3):
        source.receive(rtp(500 + index, 9_000 + 3_000 * index), index * FRAME_NS)
    assert numbers(feed) == [(500, 9_000), (501, 12_000), (502, 15_000)]


def test_a_later_publisher_goes_on_where_the_first_one_ended(feed):
    Inbound(feed, 1, [H264]).receive(rtp(500, 9_000), 0)
    second = Inbound(feed, 2, [H264])
    second.receive(rtp(40_000, 4_000_000_000, ssrc=2), 2_000 * MS)
    second.receive(rtp(40_001, 4_000_003_000, ssrc=2), 2_033 * MS)
    assert numbers(feed) == [(500, 9_000), (501, 189_000), (502, 192_000)]


def test_time_never_stands_still_between_publishers(feed):
    Inbound(feed, 1, [H264]).receive(rtp(1, 100), 0)
    Inbound(feed, 2, [H264]).receive(rtp(7, 5, ssrc=2), 0)
    assert numbers(feed) == [(1, 100), (2, 101)]


def test_the_replaced_publisher_is_heard_no_more(feed):
    first, second = Inbound(feed, 1, [H264]), Inbound(feed, 2, [H264])
    first.receive(rtp(1, 100), 0)
    second.receive(rtp(70, 5, ssrc=2), 0)
    first.receive(rtp(2, 3_100), 1)
    assert [sequence for sequence, _ in numbers(feed)] == [1, 2]
    assert first.dropped_late == 1


def test_numbers_go_on_over_the_wrap(feed):
    source = Inbound(feed, 1, [H264])
    for index in range(4):
        source.receive(rtp(65_534 + index, 2**32 - 3_000 + 3_000 * index), index)
    assert [sequence for sequence, _ in numbers(feed)] == [65_534, 65_535, 65_536, 65_537]
    assert source.stats.lost == 0


def test_sender_reports_stay_true_in_the_watchers_timeline(feed):
    Inbound(feed, 1, [H264]).receive(rtp(1, 9_000), 0)
    second = Inbound(feed, 2, [H264])
    assert second.on_sender_report(SenderReport(2, 77 << 32, 600, 0, 0), 0) is None
    second.receive(rtp(1, 600, ssrc=2), 1_000 * MS)
    moved = second.on_sender_report(SenderReport(2, 77 << 32, 600, 3, 4), 1_000 * MS)
    assert moved is not None
    assert (moved.ntp, moved.rtp) == (77 << 32, 99_000)
    assert feed.sender_report == moved
    track = DownTrack(feed, 42, [H264])
    assert track.sender_report(moved).ssrc == 42


def test_a_sender_that_has_sent_nothing_says_nothing(feed):
    source = Inbound(feed, 1, [H264])
    source.receive(rtp(1, 1), 0)
    assert source.on_sender_report(SenderReport(1, 0, 0, 0, 0), 0) is None


def test_an_unknown_payload_type_is_dropped_and_counted(feed):
    source = Inbound(feed, 1, [H264])
    source.receive(rtp(1, 1, payload_type=97), 0)
    assert feed.take() == []
    assert source.dropped_unknown == 1
    with pytest.raises(ProtocolError):
        source.receive(b"\x80", 0)


# ------------------------------------------------------------------- keyframes


def test_many_watchers_cause_one_request_and_no_more_than_two_a_second(feed):
    source = Inbound(feed, 1, [H264])
    source.receive(rtp(1, 1), 0)
    for number in range(20):
        feed.join(DownTrack(feed, number, [H264]))
    sent = [at for at in range(0, 2_000 * MS, 10 * MS) if feed.keyframes.due(at)]
    assert sent == [0, 500 * MS, 1_000 * MS, 1_500 * MS]
    assert feed.keyframes.next_deadline_ns() == 1_500 * MS + MIN_INTERVAL_NS


def test_a_keyframe_ends_the_asking_and_a_new_watcher_begins_it_again(feed):
    source = Inbound(feed, 1, [H264])
    feed.join(DownTrack(feed, 1, [H264]))
    assert feed.keyframes.due(0)
    source.receive(rtp(1, 1, KEY), 1)
    source.receive(rtp(2, 1, KEY), 1)
    assert source.stats.keyframes == 1
    assert not feed.keyframes.due(600 * MS)
    assert feed.keyframes.next_deadline_ns() is None
    feed.join(DownTrack(feed, 2, [H264]))
    assert feed.keyframes.due(700 * MS)


def test_sound_needs_no_keyframe():
    sound = Feed("audio", "audio")
    sound.join(DownTrack(sound, 1, []))
    assert not sound.keyframes.due(0)


# -------------------------------------------------------------------- watchers


def test_a_watcher_begins_in_the_lower_half_of_the_numbers(feed):
    source = Inbound(feed, 1, [H264])
    source.receive(rtp(65_530, 1), 0)
    track = DownTrack(feed, 5, [H264], first_sequence=40_000)
    track.start(feed.highest)
    assert (feed.highest + track.sequence_offset) & 0xFFFF == 40_000 & 0x7FFF


@pytest.mark.parametrize(
    ("publisher", "watcher", "expected"),
    [
        (H264, [Codec(100, "VP8", 90_000)], None),
        (H264, [Codec(100, "H264", 90_000)], None),
        (
            Codec(
                96, "H264", 90_000, fmtp={"packetization-mode": "1", "profile-level-id": "640c1f"}
            ),
            [
                Codec(101, "H264", 90_000, fmtp={"packetization-mode": "1"}),
                Codec(
                    102,
                    "H264",
                    90_000,
                    fmtp={"packetization-mode": "1", "profile-level-id": "64001f"},
                ),
            ],
            102,
        ),
        (
            Codec(
                96, "H264", 90_000, fmtp={"packetization-mode": "1", "profile-level-id": "42e01f"}
            ),
            [
                Codec(
                    103,
                    "H264",
                    90_000,
                    fmtp={"packetization-mode": "1", "profile-level-id": "42001f"},
                ),
                Codec(
                    104,
                    "H264",
                    90_000,
                    fmtp={"packetization-mode": "1", "profile-level-id": "42e01f"},
                ),
            ],
            104,
        ),
        (
            Codec(
                96, "H264", 90_000, fmtp={"packetization-mode": "1", "profile-level-id": "640c1f"}
            ),
            [Codec(101, "H264", 90_000, fmtp={"packetization-mode": "1"})],
            101,
        ),
        (
            Codec(98, "VP9", 90_000, fmtp={"profile-id": "2"}),
            [Codec(99, "VP9", 90_000), Codec(100, "VP9", 90_000, fmtp={"profile-id": "2"})],
            100,
        ),
    ],
)
def test_the_watchers_payload_type_fits_the_publishers_codec(publisher, watcher, expected):
    found = match(publisher, watcher)
    assert (found.payload_type if found else None) == expected


def test_payload_types_are_looked_up_again_after_a_redial(feed):
    track = DownTrack(feed, 5, [H264, Codec(100, "VP8", 90_000, rtx=101)])
    feed.join(track)
    Inbound(feed, 1, [H264]).receive(rtp(1, 1), 0)
    assert track.payload_type(96) == (96, None)
    Inbound(feed, 2, [Codec(96, "VP8", 90_000)]).receive(rtp(1, 1, ssrc=2), 1)
    assert track.payload_type(96) == (100, 101)
    assert track.payload_type(99) is None


def test_a_lost_packet_is_given_again_within_bounds(feed):
    source = Inbound(feed, 1, [H264])
    track = DownTrack(feed, 5, [H264], first_sequence=10)
    for sequence in range(300, 2_000):
        source.receive(rtp(sequence, sequence), 0)
    track.start(301)
    latest = 10 + 1_999 - 301
    assert [packet.sequence for packet in track.repair(latest, 0)] == [1_999]
    assert not track.repair(latest, NOT_BEFORE_NS - 1)
    assert len(track.repair(latest, NOT_BEFORE_NS)) == 2, "what was sent again is lost too"
    assert not track.repair(9, NOT_BEFORE_NS), "older than his first packet"
    assert not track.repair(10, NOT_BEFORE_NS), "no longer in the cache"
    assert not track.repair(latest + 1, NOT_BEFORE_NS), "not sent yet"
    granted = sum(len(track.repair(latest - 1 - index, 0)) for index in range(400))
    assert granted == RETRANSMISSIONS_PER_INTERVAL - 3
    track.on_interval()
    assert len(track.repair(latest, 2 * AGAIN_NS)) == 1, "long ago is another loss"


def test_no_more_is_sent_again_than_a_share_of_what_is_sent(feed):
    source = Inbound(feed, 1, [H264])
    track = DownTrack(feed, 5, [H264], first_sequence=0)
    for sequence in range(1_000):
        source.receive(rtp(sequence, sequence), 0)
    track.start(0)

    def asked_in_vain_until_it_ends(now_ns):
        return sum(len(track.repair(sequence, now_ns)) for sequence in range(1_000))

    assert asked_in_vain_until_it_ends(0) == RETRANSMISSIONS_PER_INTERVAL
    track.packets += 100
    track.on_interval()
    assert asked_in_vain_until_it_ends(100 * MS) == 30
    track.on_interval()
    assert asked_in_vain_until_it_ends(200 * MS) == LEAST_PER_INTERVAL


def test_what_was_sent_again_is_remembered_within_bounds(feed):
    source = Inbound(feed, 1, [H264])
    track = DownTrack(feed, 5, [H264], first_sequence=10)
    source.receive(rtp(0, 0), 0)
    track.start(0)
    for turn in range(100):
        for sequence in range(1 + turn * 50, 51 + turn * 50):
            source.receive(rtp(sequence, sequence), 0)
            track.repair(10 + sequence & 0xFFFF, turn * MS)
        track.packets += 1_000
        track.on_interval()
    assert track.retransmitted == 5_000
    assert len(track._resent_ns) == MAX_RESENT


# ---------------------------------------------------------------------- losses


def test_a_gap_is_asked_at_once_again_after_a_round_trip_and_then_given_up():
    losses = LossTracker()
    assert losses.on_gap(65_535, 65_536, 0)
    asked = [at for at in range(0, GIVE_UP_NS + 2 * MS, MS) if losses.due(at) == [65_535, 0]]
    turns = [RETRY_NS * turn for turn in range(MAX_TRIES) if RETRY_NS * turn <= GIVE_UP_NS]
    assert asked == sorted([*turns, *(at + ECHO_NS for at in turns if at < GIVE_UP_NS)])
    assert not losses
    assert losses.given_up == 2
    assert losses.broken


def test_what_arrives_is_asked_no_more():
    losses = LossTracker()
    losses.on_gap(10, 11, 0)
    assert losses.on_late(10, 0) is False
    assert losses.due(0) == [11]
    assert losses.on_late(11, 0) is True
    assert losses.on_late(11, 0) is None
    assert losses.due(RETRY_NS) == []


def test_a_long_gap_asks_for_a_keyframe_instead(feed):
    source = Inbound(feed, 1, [H264])
    source.receive(rtp(1, 1), 0)
    source.receive(rtp(3 + MAX_GAP, 2), 0)
    assert source.losses is not None
    assert not source.losses
    assert feed.keyframes.wanted


def test_no_more_than_the_bound_are_remembered():
    losses = LossTracker()
    for start in range(0, 4_000, 200):
        losses.on_gap(start, start + 199, 0)
    assert len(losses) == MAX_MISSING


def test_reordered_packets_are_no_loss_and_repaired_ones_stay_a_loss(feed):
    source = Inbound(feed, 1, [H264])
    for sequence in (1, 3, 2):
        source.receive(rtp(sequence, sequence), 0)
    assert source.stats.lost == 0
    source.receive(rtp(5, 5), 0)
    assert source.losses is not None
    assert source.losses.due(0) == [4]
    source.receive(rtp(4, 4), 1)
    assert source.stats.lost == 1
    assert source.reception_report(0).lost == 0
    assert [packet.sequence for packet in feed.take()] == [1, 3, 2, 5, 4]


@given(st.permutations(range(8)), st.integers(0, 65_535))
def test_any_order_within_a_short_window_gives_every_packet_once(order, start):
    feed = Feed("front", "video")
    source = Inbound(feed, 1, [H264])
    source.receive(rtp(start, 0), 0)
    for index in order:
        source.receive(rtp(start + 1 + index, index), 0)
    got = sorted(packet.sequence - start for packet in feed.take())
    assert got == list(range(9))
    assert source.stats.lost == 0


# ------------------------------------------------------------------ statistics


def test_steady_pictures_have_no_jitter_and_every_marker_ends_a_frame():
    stats = StreamStats(90_000)
    for index in range(300):
        stats.on_packet(index, index // 3 * 3_000, index % 3 == 2, 1_000, index // 3 * FRAME_NS)
    assert stats.frames == 100
    assert stats.jitter_ms < 0.1
    assert (stats.packets, stats.bytes, stats.lost) == (300, 300_000, 0)
    assert stats.last_frame_ns == 99 * FRAME_NS


def test_jitter_follows_the_sixteenth_of_rfc_3550():
    stats = StreamStats(90_000)
    stats.on_packet(1, 0, True, 10, 0)
    stats.on_packet(2, 3_000, True, 10, FRAME_NS + 16 * MS)
    assert stats.jitter_ms == pytest.approx(1.0, abs=0.01)


def test_reception_reports_count_from_one_to_the_next():
    stats = StreamStats(90_000)
    for sequence in (10, 11, 13, 14):
        stats.on_packet(sequence, 0, True, 10, 0)
    first = stats.report(1, 0, 0)
    assert (first.fraction_lost, first.lost, first.highest) == (256 // 5, 1, 14)
    stats.on_packet(15, 0, True, 10, 0)
    assert stats.report(1, 0, 0).fraction_lost == 0
