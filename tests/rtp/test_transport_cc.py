"""Transport-wide feedback, read back by a decoder written from the draft."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.rtp.packet import HEADER
from supervisor.rtp.transport_cc import INTERVAL_NS, MAX_SEEN, MAX_STATUSES, Arrivals, _chunks

MS = 1_000_000


def packet(number, *, first=True):
    element = bytes((0x31,)) + struct.pack(">H", number & 0xFFFF)
    block = element + b"\0" if first else b"\x40x\0" + element + b"\0\0"
    head = HEADER.pack(0x90, 96, 1, 2, 3)
    return head + struct.pack(">HH", 0xBEDE, len(block) // 4) + block + b"payload"


def statuses_of(data, count):
    """Return the statuses and where the deltas begin."""
    found, at = [], 0
    while len(found) < count:
        (chunk,) = struct.unpack_from(">H", data, at)
        at += 2
        if not chunk & 0x8000:
            found += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            found += [chunk >> 2 * (6 - index) & 3 for index in range(7)]
        else:
            found += [chunk >> (13 - index) & 1 for index in range(14)]
    return found[:count], at


def read(report):
    """Return {sequence: arrival in 250 µs or None} of one report."""
    first, kind, words, sender, media, base, count = struct.unpack_from(">BBHIIHH", report)
    assert (first, kind, len(report)) == (0x80 | 15, 205, 4 * (words + 1))
    assert (sender, media) == (1, 3)
    clock = int.from_bytes(report[16:19], "big") * 256
    body = report[20:]
    statuses, at = statuses_of(body, count)
    result = {}
    for index, status in enumerate(statuses):
        if status == 1:
            clock += body[at]
        elif status == 2:
            clock += struct.unpack_from(">h", body, at)[0]
        at += status
        result[base + index & 0xFFFF] = clock if status else None
    return result


def report(arrivals, now_ns):
    result = {}
    for data in arrivals.reports(1, 3, now_ns):
        assert len(data) < 1_200
        result.update(read(data))
    return result


def test_each_arrival_is_reported_to_a_quarter_of_a_millisecond():
    arrivals = Arrivals(3)
    for index in range(10):
        if index != 4:
            arrivals.on_packet(packet(65_530 + index, first=index % 2 == 0), index * 7 * MS)
    found = report(arrivals, 80 * MS)
    assert found == {
        (65_530 + index) & 0xFFFF: None if index == 4 else index * 28 for index in range(10)
    }


def test_nothing_is_due_before_the_interval_or_without_packets():
    arrivals = Arrivals(3)
    assert not arrivals.due(10 * INTERVAL_NS)
    arrivals.on_packet(packet(1), 0)
    assert arrivals.due(INTERVAL_NS)
    assert report(arrivals, INTERVAL_NS) == {1: 0}
    arrivals.on_packet(packet(2), INTERVAL_NS)
    assert not arrivals.due(2 * INTERVAL_NS - 1)
    assert arrivals.due(2 * INTERVAL_NS)
    assert arrivals.reports(1, 3, 0) and arrivals.reports(1, 3, 0) == []


def test_a_packet_overtaken_by_a_report_is_reported_by_the_next_with_its_neighbours():
    arrivals = Arrivals(3)
    for number in (1, 3):
        arrivals.on_packet(packet(number), number * MS)
    assert report(arrivals, 40 * MS) == {1: 4, 2: None, 3: 12}
    arrivals.on_packet(packet(2), 50 * MS)
    arrivals.on_packet(packet(4), 51 * MS)
    assert report(arrivals, 80 * MS) == {2: 200, 3: 12, 4: 204}


def test_a_hole_at_the_edge_of_a_report_is_in_the_next():
    arrivals = Arrivals(3)
    arrivals.on_packet(packet(1), 0)
    report(arrivals, 0)
    arrivals.on_packet(packet(5), 64 * MS)
    assert report(arrivals, 64 * MS) == {2: None, 3: None, 4: None, 5: 256}


def test_a_leap_of_the_numbers_costs_no_more_than_a_few_reports():
    arrivals = Arrivals(3)
    arrivals.on_packet(packet(1), 0)
    report(arrivals, 0)
    arrivals.on_packet(packet(30_000), MS)
    found = arrivals.reports(1, 3, MS)
    assert len(found) == 1
    assert read(found[0])[30_000] == 4


def test_a_flood_is_not_remembered_without_bound():
    arrivals = Arrivals(3)
    for number in range(2 * MAX_SEEN):
        arrivals.on_packet(packet(number), 0)
    found = report(arrivals, 0)
    assert len(found) <= MAX_SEEN


def test_a_packet_without_the_number_says_nothing():
    arrivals = Arrivals(3)
    arrivals.on_packet(HEADER.pack(0x80, 96, 1, 2, 3) + bytes(20), 0)
    assert not arrivals.due(INTERVAL_NS)


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=MAX_STATUSES))
def test_any_statuses_come_back_from_their_chunks(statuses):
    found, _ = statuses_of(_chunks(statuses), len(statuses))
    assert found == statuses


@given(
    st.integers(0, 65_535),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20_000)), min_size=1, max_size=300),
)
def test_any_arrivals_come_back_from_their_reports(start, steps):
    arrivals = Arrivals(3)
    expected = {}
    now, number = 0, start
    for skip, late in steps:
        number += 1 + skip
        now += late * 25_000
        arrivals.on_packet(packet(number), now)
        expected[number & 0xFFFF] = now // 250_000 & 0xFFFFFFFF
    found = report(arrivals, now)
    received = {sequence: tick for sequence, tick in found.items() if tick is not None}
    newest = dict(list(expected.items())[-1:])
    assert newest.items() <= received.items()
    assert received.items() <= expected.items()


def test_the_draft_worked_out_by_hand():
    assert _chunks([0] * 30).hex() == "001e"
    assert _chunks([2, 0, 1]).hex() == "e100"
    with pytest.raises(struct.error):
        statuses_of(b"", 1)
