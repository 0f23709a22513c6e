"""RTP streams as they pass, told from their clear headers. Pure.

SRTP leaves the RTP header readable (RFC 3711 §3.1), so what a sender repeats can be
counted from outside: the same sequence number on the same SSRC again, or a stream of
its own (RFC 4588), which is an SSRC that was not there before.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

REMEMBERED: Final = 4_096
MAX_STREAMS: Final = 64
_UDP: Final = 17


class RtpFigures(msgspec.Struct):
    """One SSRC. Octets are those of the UDP payload.

    Attributes:
        repeated, repeated_octets: Packets whose sequence number had passed before.
    """

    packets: int = 0
    octets: int = 0
    repeated: int = 0
    repeated_octets: int = 0


class RtpMeter:
    """Counts since `take`."""

    def __init__(self) -> None:
        self._figures: dict[int, RtpFigures] = {}
        self._seen: dict[int, OrderedDict[int, None]] = {}

    def see(self, packet: bytes) -> None:
        """Look at one IPv4 packet."""
        start = (packet[0] & 15) * 4 + 8
        if packet[9] != _UDP or len(packet) < start + 12:
            return
        if packet[start] >> 6 != 2 or 192 <= packet[start + 1] <= 223:  # RFC 5761 §4
            return
        ssrc = int.from_bytes(packet[start + 8 : start + 12], "big")
        sequence = packet[start + 2] << 8 | packet[start + 3]
        seen = self._seen.get(ssrc)
        if seen is None:
            if len(self._seen) >= MAX_STREAMS:
                return
            seen = self._seen[ssrc] = OrderedDict()
        figures = self._figures.get(ssrc)
        if figures is None:
            figures = self._figures[ssrc] = RtpFigures()
        octets = len(packet) - start
        figures.packets += 1
        figures.octets += octets
        if sequence in seen:
            figures.repeated += 1
            figures.repeated_octets += octets
            return
        seen[sequence] = None
        if len(seen) > REMEMBERED:
            seen.popitem(last=False)

    def take(self) -> dict[int, RtpFigures]:
        """Return the figures by SSRC and begin anew; what passed is remembered."""
        figures, self._figures = self._figures, {}
        return figures
