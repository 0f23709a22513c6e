"""Addresses in IPv4 packets, as a NAT changes them. Pure.

Checksums are corrected by the difference, not made anew (RFC 1624 §3: HC' = ~(~HC +
~m + m')), so a packet that was damaged stays damaged.
"""

from __future__ import annotations

import ipaddress
from typing import Final

SOURCE: Final = 12
DESTINATION: Final = 16

_TCP: Final = 6
_UDP: Final = 17


def address_bytes(text: str) -> bytes:
    """Return the four bytes of a dotted address.

    Raises:
        ValueError: It is none.
    """
    return ipaddress.IPv4Address(text).packed


def is_ipv4(packet: bytes) -> bool:
    """Return whether there is a whole IPv4 header."""
    return len(packet) >= 20 and packet[0] >> 4 == 4 and len(packet) >= (packet[0] & 15) * 4


def readdressed(packet: bytes, field: int, address: bytes) -> bytes:
    """Return the packet with another source or destination.

    Args:
        packet: A whole IPv4 packet.
        field: `SOURCE` or `DESTINATION`.
        address: Four bytes.
    """
    changed = bytearray(packet)
    old = packet[field : field + 4]
    changed[field : field + 4] = address
    _correct(changed, 10, old, address)
    header = (packet[0] & 15) * 4
    first_fragment = int.from_bytes(packet[6:8], "big") & 0x1FFF == 0
    if first_fragment:
        if packet[9] == _TCP and len(packet) >= header + 18:
            _correct(changed, header + 16, old, address)
        elif packet[9] == _UDP and len(packet) >= header + 8:
            at = header + 6
            if packet[at : at + 2] != b"\0\0":  # RFC 768: zero means no checksum
                _correct(changed, at, old, address)
                if changed[at : at + 2] == b"\0\0":
                    changed[at : at + 2] = b"\xff\xff"
    return bytes(changed)


def _correct(packet: bytearray, at: int, old: bytes, new: bytes) -> None:
    total = ~int.from_bytes(packet[at : at + 2], "big") & 0xFFFF
    for position in (0, 2):
        total += ~int.from_bytes(old[position : position + 2], "big") & 0xFFFF
        total += int.from_bytes(new[position : position + 2], "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    packet[at : at + 2] = (~total & 0xFFFF).to_bytes(2, "big")
