from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.codec import ProtocolError
from supervisor.rtp.keyframe import detector
from supervisor.rtp.packet import HEADER, find_extension, is_rtcp, parse_rtp
from supervisor.rtp.sequence import unwrap16, unwrap32

PACKETS = Path(__file__).parents[1] / "packets"


def rtp(first=0x80, second=96, sequence=1, timestamp=2, ssrc=3, rest=b"payload"):
    return HEADER.pack(first, second, sequence, timestamp, ssrc) + rest


@pytest.mark.parametrize(
    ("data", "offset", "padding"),
    [
        (rtp(), 12, 0),
        (rtp(first=0x82, rest=bytes(8) + b"x"), 20, 0),
        (rtp(first=0x90, rest=bytes.fromhex("bede0001") + b"abcd" + b"x"), 20, 0),
        (rtp(first=0x91, rest=bytes(4) + bytes.fromhex("bede0000") + b"x"), 20, 0),
        (rtp(first=0xA0, rest=b"xx\x00\x02"), 12, 2),
        (rtp(rest=b""), 12, 0),
    ],
)
def test_the_payload_begins_after_csrcs_and_extensions(data, offset, padding):
    header = parse_rtp(data)
    assert (header.payload_offset, header.padding) == (offset, padding)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        rtp()[:11],
        rtp(first=0x40),
        rtp(first=0x8F),
        rtp(first=0x90, rest=b"\xbe\xde"),
        rtp(first=0x90, rest=bytes.fromhex("bede0002") + b"abcd"),
        rtp(first=0xA0, rest=b"\x00"),
        rtp(first=0xA0, rest=b"\x03"),
        rtp(first=0xA0, rest=b""),
    ],
)
def test_a_header_that_lies_about_its_length_is_refused(data):
    with pytest.raises(ProtocolError):
        parse_rtp(data)


@pytest.mark.parametrize(
    ("block", "wanted", "value"),
    [
        (bytes.fromhex("bede0002") + b"\x10a\x21bc\x00\x00\x00", 1, b"a"),
        (bytes.fromhex("bede0002") + b"\x10a\x21bc\x00\x00\x00", 2, b"bc"),
        (bytes.fromhex("bede0001") + b"\x10a\x00\x00", 3, None),
        (bytes.fromhex("bede0001") + b"\xf0\x10a\x00", 1, None),
        (bytes.fromhex("bede0001") + b"\x1fabc", 1, None),
        (bytes.fromhex("10000001") + b"\x01\x01a\x00", 1, b"a"),
        (bytes.fromhex("10000001") + b"\x01\x09a\x00", 1, None),
        (bytes.fromhex("abcd0001") + b"\x10a\x00\x00", 1, None),
    ],
)
def test_one_and_two_byte_extensions_are_found_and_damaged_ones_are_absent(block, wanted, value):
    assert find_extension(rtp(first=0x90, rest=block + b"payload"), wanted) == value


def test_rtcp_is_told_from_rtp_by_its_packet_type():
    assert is_rtcp(b"\x80\xc8\x00\x00")
    assert not is_rtcp(rtp(second=96 | 0x80))
    assert not is_rtcp(b"\x80")


@pytest.mark.parametrize("codec", ["H264", "VP8", "VP9", "AV1"])
def test_captured_keyframes_are_recognised_and_others_are_not(codec):
    starts = detector(codec)
    for path in PACKETS.glob(f"rtp-{codec.lower()}-*.bin"):
        data = path.read_bytes()
        offset = parse_rtp(data).payload_offset
        assert starts(data, offset) == ("keyframe" in path.name), path.name
        for length in range(offset, len(data)):
            starts(data[:length], offset)


@pytest.mark.parametrize(
    ("codec", "payload", "expected"),
    [
        ("H264", "65", True),
        ("H264", "67", True),
        ("H264", "41", False),
        ("H264", "7c85", True),
        ("H264", "7c05", False),
        ("H264", "7c45", False),
        ("H264", "18000167000168", True),
        ("H264", "1800014100", False),
        ("H264", "18ffff", False),
        ("VP8", "1000", True),
        ("VP8", "1001", False),
        ("VP8", "0000", False),
        ("VP8", "90e0810102200000", True),
        ("VP9", "88", True),
        ("VP9", "c8", False),
        ("AV1", "18", True),
        ("AV1", "10", False),
        ("nothing", "65", False),
    ],
)
def test_keyframes_by_their_first_bytes(codec, payload, expected):
    assert detector(codec)(bytes.fromhex(payload), 0) is expected


@given(st.integers(0, 2**40), st.integers(-32_768, 32_767))
def test_unwrapping_gives_back_any_number_within_half_a_cycle(near, distance):
    assert unwrap16((near + distance) & 0xFFFF, near) == near + distance
    assert unwrap32((near + distance) & 0xFFFF_FFFF, near) == near + distance
