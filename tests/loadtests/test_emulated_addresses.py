"""Readdressed packets keep valid checksums; RTP is counted from its clear headers."""

from __future__ import annotations

import struct

import pytest

from loadtests.emulator import ipv4
from loadtests.emulator.meter import RtpMeter

HERE, THERE, NEW = (ipv4.address_bytes(text) for text in ("10.0.0.1", "10.0.0.2", "192.168.7.9"))


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(protocol: int, body: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0) + HERE + THERE
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def pseudo(packet: bytes) -> bytes:
    return packet[12:20] + struct.pack("!BBH", 0, packet[9], len(packet) - 20)


def udp(payload: bytes) -> bytes:
    body = struct.pack("!HHHH", 1000, 2000, 8 + len(payload), 0) + payload
    bare = ip(17, body)
    total = checksum(pseudo(bare) + body) or 0xFFFF
    return bare[:26] + struct.pack("!H", total) + bare[28:]


def tcp(payload: bytes) -> bytes:
    body = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 2, 0x50, 0x18, 100, 0, 0) + payload
    bare = ip(6, body)
    return bare[:36] + struct.pack("!H", checksum(pseudo(bare) + body)) + bare[38:]


@pytest.mark.parametrize("packet", [udp(b"abc"), udp(bytes(999)), tcp(b"hello"), tcp(b"")])
@pytest.mark.parametrize("field", [ipv4.SOURCE, ipv4.DESTINATION])
def test_a_new_address_leaves_every_checksum_right(packet: bytes, field: int) -> None:
    changed = ipv4.readdressed(packet, field, NEW)
    assert changed[field : field + 4] == NEW
    assert checksum(changed[:20]) == 0
    assert checksum(pseudo(changed) + changed[20:]) == 0
    assert ipv4.readdressed(changed, field, packet[field : field + 4]) == packet


def test_a_datagram_without_checksum_stays_without() -> None:
    packet = ip(17, struct.pack("!HHHH", 1, 2, 8, 0))
    assert ipv4.readdressed(packet, ipv4.SOURCE, NEW)[26:28] == b"\0\0"


@pytest.mark.parametrize(
    "data", [b"", b"\x45", bytes(40), b"\x60" + bytes(39), b"\x4f" + bytes(30)]
)
def test_what_is_no_whole_header_is_not_taken(data: bytes) -> None:
    assert not ipv4.is_ipv4(data)


def rtp(ssrc: int, sequence: int, size: int = 100) -> bytes:
    return udp(struct.pack("!BBHII", 0x80, 96, sequence, 0, ssrc) + bytes(size))


def test_repeated_packets_are_told_from_new_ones_by_stream() -> None:
    meter = RtpMeter()
    for packet in (
        rtp(1, 1),
        rtp(1, 2),
        rtp(2, 1),
        rtp(1, 1),
        udp(b"\x80\xc8" + bytes(20)),
        udp(b"x"),
    ):
        meter.see(packet)
    figures = meter.take()
    assert (figures[1].packets, figures[1].repeated, figures[1].repeated_octets) == (3, 1, 112)
    assert figures[2].repeated == 0
    meter.see(rtp(2, 1))
    assert meter.take()[2].repeated == 1  # what passed before is remembered
