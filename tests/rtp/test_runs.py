"""A run of packets taken at once leaves everything as one packet after the other does."""

from __future__ import annotations

from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.codec import ProtocolError
from supervisor.rtp.codec import Codec
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound

SSRC = 7
H264 = Codec(96, "H264", 90_000, nack=True)
VP8 = Codec(97, "VP8", 90_000)
KEYFRAME, DELTA = b"\x65\x88\x80", b"\x41\x9a\x00"
EXTENSION = bytes.fromhex("bede000110 300000".replace(" ", ""))


def rtp(
    sequence: int,
    *,
    timestamp: int = 0,
    marker: bool = False,
    payload_type: int = 96,
    ssrc: int = SSRC,
    first: int = 0x80,
    payload: bytes = DELTA,
) -> bytes:
    second = payload_type | (0x80 if marker else 0)
    header = pack(">BBHII", first, second, sequence & 0xFFFF, timestamp, ssrc)
    return header + (EXTENSION if first & 0x10 else b"") + payload


def one_by_one(inbound: Inbound, packets: list[bytes]) -> None:
    for packet in packets:
        try:
            inbound.receive(packet, 1_000)
        except ProtocolError:
            continue


def in_runs(inbound: Inbound, packets: list[bytes]) -> int:
    """Return how many packets the quick way took."""
    index = quick = 0
    while index < len(packets):
        taken = inbound.receive_run(packets, index, 1_000)
        quick += taken - index
        if taken == index:
            one_by_one(inbound, packets[index : index + 1])
            taken += 1
        index = taken
    return quick


def seen(feed: Feed, inbound: Inbound) -> tuple[object, ...]:
    """Return everything that forwarding and reports depend on."""
    stats = inbound.stats
    return (
        [tuple(packet) for packet in feed.batch],
        [packet and tuple(packet) for packet in feed.cache.ring],
        (feed.highest, feed.last_timestamp, feed.last_ns, feed.keyframes.wanted),
        (stats.packets, stats.bytes, stats.lost, stats.highest, stats.frames, stats.keyframes),
        (stats.repaired, stats.duplicates, stats.jitter, stats.last_frame_ns, stats.last_packet_ns),
        (inbound.newest, inbound.dropped_late, inbound.dropped_unknown, inbound.payload_type),
        sorted(inbound.losses._missing) if inbound.losses else None,
    )


def pair() -> tuple[tuple[Feed, Inbound], tuple[Feed, Inbound]]:
    def one() -> tuple[Feed, Inbound]:
        feed = Feed("front", "video")
        return feed, Inbound(feed, SSRC, [H264, VP8])

    return one(), one()


def test_an_ordinary_run_is_taken_in_one_turn() -> None:
    (feed, inbound), (feed_run, inbound_run) = pair()
    packets = [rtp(65_530, payload=KEYFRAME)]
    packets += [
        rtp(65_531 + n, timestamp=3_000 * (n // 4), marker=n % 4 == 3, first=0x90)
        for n in range(12)
    ]
    one_by_one(inbound, packets)
    assert in_runs(inbound_run, packets) == 12  # all but the first, over the wrap
    assert seen(feed_run, inbound_run) == seen(feed, inbound)
    assert [packet.offset for packet in feed_run.batch[1:]] == [20] * 12


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.builds(
            rtp,
            st.integers(0, 14),
            timestamp=st.sampled_from([0, 3_000, 6_000]),
            marker=st.booleans(),
            payload_type=st.sampled_from([96, 96, 96, 97, 98]),
            first=st.sampled_from([0x80, 0x90, 0x81, 0xA0, 0xB0]),
            payload=st.sampled_from([DELTA, KEYFRAME, b"", b"\x00"]),
        )
        | st.integers(0, 14).map(lambda n: rtp(n)[: 12 + n % 3]),
        max_size=20,
    )
)
def test_any_run_leaves_the_same_state(packets: list[bytes]) -> None:
    (feed, inbound), (feed_run, inbound_run) = pair()
    one_by_one(inbound, packets)
    in_runs(inbound_run, packets)
    assert seen(feed_run, inbound_run) == seen(feed, inbound)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 65_535), st.lists(st.integers(1, 40), max_size=6))
def test_gaps_anywhere_in_a_run_are_found(start: int, gaps: list[int]) -> None:
    (feed, inbound), (feed_run, inbound_run) = pair()
    packets, sequence = [], start
    for gap in gaps:
        packets += [rtp(sequence + n, timestamp=sequence * 10) for n in range(5)]
        sequence += 5 + gap
    one_by_one(inbound, packets)
    in_runs(inbound_run, packets)
    assert inbound_run.stats.lost == sum(gaps[:-1])
    assert seen(feed_run, inbound_run) == seen(feed, inbound)


def test_another_stream_in_the_run_is_left_alone() -> None:
    _, (_, inbound) = pair()
    inbound.receive(rtp(1), 0)
    run = [rtp(2), rtp(3), rtp(9, ssrc=8), rtp(4)]
    assert inbound.receive_run(run, 0, 0) == 2
    assert inbound.receive_run(run, 2, 0) == 2
