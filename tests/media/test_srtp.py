"""SRTP in place, and the contract with the private parts of pylibsrtp."""

from __future__ import annotations

import pylibsrtp
import pytest
from pylibsrtp._binding import lib

from supervisor.media import srtp
from supervisor.rtp.packet import HEADER


def test_pylibsrtp_still_has_the_parts_we_use():
    session = pylibsrtp.Session()
    assert session._srtp[0]
    for name in ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp"):
        assert callable(getattr(lib, name)), f"pylibsrtp changed: {name}"


def srtp_pair():
    def session(kind):
        return pylibsrtp.Session(
            pylibsrtp.Policy(
                key=bytes(range(28)),
                ssrc_type=kind,
                srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
            )
        )

    outbound = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    return outbound, srtp.SrtpSession(session(pylibsrtp.Policy.SSRC_ANY_INBOUND))


def plain(sequence, size=40):
    return HEADER.pack(0x80, 96, sequence, 1, 7) + bytes(size)


def laid(datagrams):
    buffer = srtp.Buffer(4_096)
    run = b"".join(datagrams)
    buffer.view[: len(run)] = run
    return buffer, len(run)


def test_a_run_is_decrypted_at_once_with_a_shorter_last_packet():
    sender, receiver = srtp_pair()
    packets = [plain(1), plain(2), plain(3, size=9)]
    datagrams = [sender.protect(packet) for packet in packets]
    buffer, end = laid(datagrams)
    assert receiver.unprotect_run(buffer, end, len(datagrams[0])) == (packets, end)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda good: good[:1] + b"\xc8" + good[2:], id="RTCP"),
        pytest.param(lambda good: b"\x16" + good[1:], id="DTLS"),
        pytest.param(lambda good: b"\x00" + good[1:], id="STUN"),
        pytest.param(lambda good: good[:-1] + bytes([good[-1] ^ 1]), id="not genuine"),
        pytest.param(lambda good: good[:11], id="cut"),
    ],
)
def test_a_run_ends_untouched_before_what_is_no_genuine_media(other):
    sender, receiver = srtp_pair()
    packets = [plain(1), plain(2)]
    datagrams = [sender.protect(packet) for packet in packets]
    foreign = other(sender.protect(plain(3)))
    buffer, end = laid([*datagrams, foreign])
    size = len(datagrams[0])
    assert receiver.unprotect_run(buffer, end, size) == (packets, 2 * size)
    assert bytes(buffer.view[2 * size : end])[:12] == foreign[:12]


def test_a_packet_that_came_before_ends_a_run():
    sender, receiver = srtp_pair()
    first, second = sender.protect(plain(1)), sender.protect(plain(2))
    buffer, end = laid([first, second, first])
    packets, stopped = receiver.unprotect_run(buffer, end, len(first))
    assert packets == [plain(1), plain(2)]
    assert receiver.unprotect(buffer, stopped, len(first)) == srtp.REPLAYED
