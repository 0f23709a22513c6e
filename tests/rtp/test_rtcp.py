from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.codec import ProtocolError
from supervisor.rtp import rtcp

PACKETS = Path(__file__).parents[1] / "packets"

u32 = st.integers(0, 2**32 - 1)
reports = st.builds(
    rtcp.ReceptionReport,
    ssrc=u32,
    fraction_lost=st.integers(0, 255),
    lost=st.integers(-(2**23), 2**23 - 1),
    highest=u32,
    jitter=u32,
    lsr=u32,
    dlsr=u32,
)


@given(
    st.builds(
        rtcp.SenderReport,
        ssrc=u32,
        ntp=st.integers(0, 2**64 - 1),
        rtp=u32,
        packets=u32,
        octets=u32,
        reports=st.lists(reports, max_size=31).map(tuple),
    )
)
def test_sender_reports_come_back_as_they_were_built(report):
    assert rtcp.parse(rtcp.build_sender_report(report)) == [report]


@given(u32, st.lists(reports, max_size=31))
def test_receiver_reports_come_back_as_they_were_built(ssrc, blocks):
    built = rtcp.build_receiver_report(ssrc, blocks)
    assert rtcp.parse(built) == [rtcp.ReceiverReport(ssrc, tuple(blocks))]


@given(u32, u32, st.integers(0, 65_535), st.sets(st.integers(0, 400), min_size=1, max_size=60))
def test_nacks_come_back_as_they_were_built_even_across_the_wrap(sender, media, start, distances):
    sequences = [(start + distance) & 0xFFFF for distance in sorted(distances)]
    (nack,) = rtcp.parse(rtcp.build_nack(sender, media, sequences))
    assert isinstance(nack, rtcp.Nack)
    assert list(nack.sequences) == sequences


@given(st.integers(0, 2**45), st.lists(u32, max_size=8))
def test_remb_keeps_the_rate_to_18_bits(rate, ssrcs):
    (remb,) = rtcp.parse(rtcp.build_remb(1, rate, ssrcs))
    assert isinstance(remb, rtcp.BitrateEstimated)
    assert remb.ssrcs == tuple(ssrcs)
    assert rate * (1 - 2**-17) <= remb.bits_per_second <= rate


def test_a_compound_keeps_its_order_and_skips_what_it_does_not_know():
    data = (
        rtcp.build_receiver_report(1, ())
        + rtcp.build_sdes(1, "name")
        + b"\x80\xcc\x00\x01abcd"
        + rtcp.build_pli(1, 2)
        + rtcp.build_goodbye([7, 8])
    )
    assert rtcp.parse(data) == [
        rtcp.ReceiverReport(1),
        rtcp.KeyframeAsked(1, 2),
        rtcp.Goodbye((7, 8)),
    ]


def test_fir_asks_for_each_of_its_streams():
    body = bytes.fromhex("000000010000000000000002050000000000000306000000")
    data = bytes((0x84, rtcp.PSFB, 0, len(body) // 4)) + body
    assert rtcp.parse(data) == [rtcp.KeyframeAsked(1, 2), rtcp.KeyframeAsked(1, 3)]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "80c80000",
        "40c90001" + "00000001",
        "81c90001" + "00000001",
        "80c90002" + "00000001",
        "a0c90001" + "00000005",
        "82cb0001" + "00000001",
        "81cd0001" + "00000001",
        "8fce0004" + "0000000100000000" + "52454d42" + "02000000",
        "80c90001" + "00000001" + "80",
    ],
)
def test_packets_that_lie_about_their_length_are_refused(data):
    with pytest.raises(ProtocolError):
        rtcp.parse(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("rtcp-sender-report", [rtcp.SenderReport]),
        ("rtcp-sender-report-aiortc", [rtcp.SenderReport]),
        ("rtcp-receiver-report", [rtcp.ReceiverReport]),
        ("rtcp-remb", [rtcp.ReceiverReport, rtcp.BitrateEstimated]),
        ("rtcp-goodbye", [rtcp.Goodbye]),
    ],
)
def test_captured_packets_are_read(name, kinds):
    packets = rtcp.parse((PACKETS / f"{name}.bin").read_bytes())
    assert [type(packet) for packet in packets] == kinds
