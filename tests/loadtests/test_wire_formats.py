"""What peers put on the wire is what the standards and stock aiortc read."""

from __future__ import annotations

import pytest
from aiortc import rtp

from loadtests import sdp, wire


def test_stock_aiortc_reads_our_reports_and_feedback() -> None:
    sent = (
        wire.sender_report(1, wire.ntp(10**18), 90_000, 5, 6)
        + wire.receiver_report(2, 1, 3, 70_000, 4, 5)
        + wire.picture_loss_indication(2, 1)
        + wire.negative_acknowledgement(2, 1, 65_535)
    )
    report, _, reception, _, pli, nack = rtp.RtcpPacket.parse(sent)
    assert isinstance(report, rtp.RtcpSrPacket)
    assert (report.ssrc, report.sender_info.packet_count) == (1, 5)
    assert isinstance(reception, rtp.RtcpRrPacket)
    assert reception.reports[0].highest_sequence == 70_000
    assert isinstance(pli, rtp.RtcpPsfbPacket)
    assert (pli.fmt, pli.media_ssrc) == (rtp.RTCP_PSFB_PLI, 1)
    assert isinstance(nack, rtp.RtcpRtpfbPacket)
    assert nack.lost == [65_535]


def test_the_unix_epoch_is_in_ntp_time() -> None:
    assert wire.ntp(0) == 2_208_988_800 << 32
    assert wire.ntp(500_000_000) & 0xFFFF_FFFF == 1 << 31


@pytest.mark.parametrize("lost", [[7], [10, 11, 19], [10, 26, 27, 300]])
def test_nacks_of_stock_aiortc_are_read(lost: list[int]) -> None:
    packet = rtp.RtcpRtpfbPacket(fmt=rtp.RTCP_RTPFB_NACK, ssrc=1, media_ssrc=2, lost=lost)
    (parsed,) = wire.parse_rtcp(bytes(packet))
    assert wire.nacked(parsed.body) == lost


def test_a_nack_goes_on_over_the_wrap() -> None:
    body = bytes(8) + (65_535).to_bytes(2, "big") + (0b10_0000_0001).to_bytes(2, "big")
    assert wire.nacked(body) == [65_535, 0, 9]


@pytest.mark.parametrize("data", [b"\x80", b"\x80\xc8\x00\x06", b"\x00\xc8\x00\x00"])
def test_broken_rtcp_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        list(wire.parse_rtcp(data))


ANSWER = (
    "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n"
    "a=fingerprint:sha-256 AA\r\na=setup:passive\r\n"
    f"a=extmap:4 {sdp.TRANSPORT_CC_URI}\r\n"
    "a=candidate:1 1 udp 1 2001:db8::1 5 typ host\r\n"
    "a=candidate:1 1 tcp 1 127.0.0.1 6 typ host\r\n"
    "a=candidate:1 1 UDP 1 127.0.0.1 7 typ host\r\n"
)


def test_an_answer_gives_what_a_peer_needs() -> None:
    answer = sdp.parse_answer(ANSWER)
    assert answer.candidates == [("127.0.0.1", 7)]
    assert (answer.ufrag, answer.password, answer.passive) == ("u", "p", True)
    assert answer.extensions == {sdp.TRANSPORT_CC_URI: 4}


@pytest.mark.parametrize(
    ("old", "new"),
    [("m=video 9", "m=video 0"), ("a=ice-pwd:p", "a=x"), ("7 typ host", "7 typ relay")],
)
def test_an_answer_without_the_necessary_is_refused(old: str, new: str) -> None:
    with pytest.raises(sdp.AnswerError):
        sdp.parse_answer(ANSWER.replace(old, new))
