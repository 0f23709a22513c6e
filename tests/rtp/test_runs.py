"""A run of packets taken at once leaves everything as one packet after the other does."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.codec import ProtocolError
from supervisor.rtp.cache import SIZE, Outgoing
from supervisor.rtp.codec import Codec
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.packet import find_extension, payload_offset
from supervisor.rtp.run import Layout

SSRC = 7
H264 = Codec(96, "H264", 90_000, nack=True)
VP8 = Codec(97, "VP8", 90_000)
KEYFRAME, DELTA = b"\x65\x88\x80", b"\x41\x9a\x00"
TAG = b"\xee" * 16
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
    """Take packets as a socket brings them, in runs of one size; return how many went quickly."""
    runs = [list(alike) for _, alike in itertools.groupby(packets, key=len)]
    return sum(one_run(inbound, run) for run in runs)


def one_run(inbound: Inbound, packets: list[bytes], transport_cc: int = 0) -> int:
    """Take packets of one size, each with a tag behind it; the quick way as far as it goes."""
    taken = 0
    size = len(packets[0])
    view = memoryview(b"".join(packet + TAG for packet in packets))
    layout = inbound.layout
    run = None
    if layout is not None:
        run = layout.read(view, len(packets), size + len(TAG), size)
        if run is not None:
            taken = inbound.receive_run(run, 1_000)
    if run is None:
        inbound.layout = Layout.of(packets[0], transport_cc)
    one_by_one(inbound, packets[taken:])
    return taken


def flat(batch: Iterable[Outgoing]) -> list[tuple[object, ...]]:
    """Return runs as single packets."""
    return [
        tuple(one._replace(payloads=list(one.payloads)))
        for packets in batch
        for number in range(len(packets.payloads))
        if (one := packets.only(packets.sequence + number)) is not None
    ]


def seen(feed: Feed, inbound: Inbound) -> tuple[object, ...]:
    """Return everything that forwarding and reports depend on."""
    stats = inbound.stats
    kept = (feed.cache.get(feed.highest - back) for back in range(SIZE))
    return (
        flat(feed.batch),
        flat(packet for packet in kept if packet is not None),
        (feed.highest, feed.last_timestamp, feed.last_ns, feed.keyframes.wanted),
        (feed.keyframe_sequence, feed.keyframe_ns),
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
    assert in_runs(inbound_run, packets[:3]) == 0, "it has to see a packet first"
    assert in_runs(inbound_run, packets[3:]) == 10, "over the wrap, in three pictures"
    assert seen(feed_run, inbound_run) == seen(feed, inbound)
    assert [len(packets.payloads) for packets in feed_run.batch] == [1, 1, 1, 2, 4, 4]


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
    inbound.layout = Layout.of(rtp(1), 0)
    assert one_run(inbound, [rtp(2), rtp(3), rtp(9, ssrc=8), rtp(4)]) == 2


ELEMENTS = st.lists(
    st.tuples(st.sampled_from([3, 5, 9, 15]), st.binary(min_size=1, max_size=3))
    | st.just((5, b"\x51\x51"))
    | st.just((0, b"")),
    max_size=5,
)
BLOCKS = st.tuples(st.sampled_from([0xBEDE, 0xBEDE, 0xBEDE, 0x1000]), ELEMENTS)
WORDS = 6


def extended(profile: int, elements: list[tuple[int, bytes]], missing: int) -> bytes:
    """Return a packet with these one-byte elements (id 0: padding) in a block of `WORDS`.

    Args:
        missing: Words that the block's length says less than there are.
    """
    block = b"".join(
        bytes([number << 4 | len(value) - 1]) + value if number else b"\0"
        for number, value in elements
    )
    block = block[: 4 * WORDS].ljust(4 * WORDS, b"\x31")
    head = pack(">BBHIIHH", 0x90, 96, 1, 2, SSRC, profile, WORDS - missing)
    return head + block + b"\x51payload"


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(BLOCKS, st.sampled_from([0, 0, 0, 1, WORDS])), min_size=1, max_size=3),
        min_size=1,
        max_size=8,
    )
)
def test_numbers_and_payloads_are_read_as_the_extensions_say_however_packets_differ(
    runs: list[list[tuple[tuple[int, list[tuple[int, bytes]]], int]]],
) -> None:
    layout = None
    for run in runs:
        packets = [extended(*block, missing) for block, missing in run]
        size = len(packets[0])
        view = memoryview(b"".join(packet + TAG for packet in packets))
        columns = None
        if layout is not None:
            columns = layout.read(view, len(packets), size + len(TAG), size)
        if columns is None:
            layout = Layout.of(packets[0], 3)
            continue
        found = [find_extension(packet, 3) for packet in packets]
        said = [int.from_bytes(value[:2], "big") for value in found if value and len(value) > 1]
        assert list(columns.numbers) == said
        assert list(columns.payloads) == [packet[payload_offset(packet) :] for packet in packets]
        assert [columns.header(index) for index in range(len(packets))] == [
            packet[: payload_offset(packet)] for packet in packets
        ]


def test_a_number_that_only_looks_like_the_learned_one_is_not_taken_for_it() -> None:
    plain = extended(0xBEDE, [(5, b"x"), (3, b"\x01\x02")], 0)
    inside = extended(0xBEDE, [(5, b"x\x31\x07\x07")], 0)
    layout = Layout.of(plain, 3)
    assert layout is not None
    size = len(plain)
    for other, ends in ((plain, True), (inside, False)):
        view = memoryview(plain + TAG + other + TAG)
        assert (layout.read(view, 2, size + len(TAG), size) is not None) == ends


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(rtp(1)[:11], id="cut"),
        pytest.param(rtp(1, first=0x90)[:15], id="extension head cut"),
        pytest.param(rtp(1, first=0x90)[:19], id="extension cut"),
        pytest.param(rtp(1, first=0xA0), id="padding"),
        pytest.param(rtp(1, first=0x81) + bytes(8), id="CSRC"),
        pytest.param(extended(0x1000, [], 0), id="two-byte heads"),
        pytest.param(extended(0xBEDE, [(0, b"")] * 24, 0), id="many elements"),
    ],
)
def test_what_is_no_ordinary_packet_has_no_layout(data: bytes) -> None:
    assert Layout.of(data, 3) is None
