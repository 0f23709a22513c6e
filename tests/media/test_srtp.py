"""SRTP in place, and the contract with the private parts of pylibsrtp."""

from __future__ import annotations

import pylibsrtp
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


def test_a_run_is_decrypted_at_once_where_it_lies():
    sender, receiver = srtp_pair()
    packets = [plain(number) for number in range(1, 6)]
    datagrams = [sender.protect(packet) for packet in packets]
    segment = len(datagrams[0])
    buffer, _ = laid(datagrams)
    assert receiver.unprotect_run(buffer, segment, 4) == [len(packets[0])] * 4
    for index, packet in enumerate(packets):
        start = index * segment
        found = bytes(buffer.view[start : start + segment])
        if index < 4:
            assert found[: len(packet)] == packet
        else:
            assert found == datagrams[4], "not asked for, not touched"


def test_what_is_not_genuine_in_a_run_is_told_apart_and_spoils_nothing_else():
    sender, receiver = srtp_pair()
    datagrams = [sender.protect(plain(number)) for number in range(1, 5)]
    damaged = datagrams[1][:-1] + bytes([datagrams[1][-1] ^ 1])
    buffer, _ = laid([datagrams[0], damaged, datagrams[2], datagrams[0], datagrams[3]])
    sizes = receiver.unprotect_run(buffer, len(damaged), 5)
    good = len(plain(1))
    assert [size if size > 0 else size == srtp.REPLAYED for size in sizes] == [
        good,
        False,
        good,
        True,
        good,
    ]


def test_a_run_is_encrypted_at_once_in_the_middle_of_a_buffer():
    receiver, _ = srtp_pair()
    sender = srtp.SrtpSession(receiver)
    _, opener = srtp_pair()
    packets = [plain(number) for number in range(1, 4)]
    segment = len(packets[0]) + sender.tag
    buffer = srtp.Buffer(4_096)
    for number, packet in enumerate(packets, 2):
        buffer.view[number * segment : number * segment + len(packet)] = packet
    assert sender.protect_run(buffer, segment, 2, 3, len(packets[0]))
    received, _ = laid([bytes(buffer.view[2 * segment : 5 * segment])])
    assert opener.unprotect_run(received, segment, 3) == [len(packets[0])] * 3


def test_pointers_are_kept_for_a_bounded_number_of_sizes():
    buffer = srtp.Buffer(65_536)
    for segment in range(100, 100 + 2 * srtp.MAX_SIZES):
        places = buffer.places(segment)
        assert len(places) == min(srtp.MAX_RUN, 65_536 // segment)
    assert len(buffer._places) <= srtp.MAX_SIZES
