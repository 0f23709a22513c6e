"""The last packets of a feed, for watchers who lost some."""

from __future__ import annotations

from typing import Final, NamedTuple

SIZE: Final = 1024
"""Packets kept: 1.2 s of an 8 Mbit/s stream. A power of two."""


class Outgoing(NamedTuple):
    """One packet in the feed's timeline, before it is made a watcher's own.

    Attributes:
        sequence: Unwrapped, in the feed's timeline.
        timestamp: In the feed's timeline, modulo 2^32.
        marker: 0x80 or 0.
        payload_type: The publisher's.
        data: The publisher's packet.
        offset: Where its payload begins.
        first: First header byte for watchers: version 2, the padding bit, no
            extension and no CSRC.
    """

    sequence: int
    timestamp: int
    marker: int
    payload_type: int
    data: bytes
    offset: int
    first: int


class PacketCache:
    """A ring of the newest `SIZE` packets.

    Attributes:
        ring: A packet stands at its sequence number modulo `SIZE`.
    """

    __slots__ = ("ring",)

    def __init__(self) -> None:
        self.ring: list[Outgoing | None] = [None] * SIZE

    def add(self, packet: Outgoing) -> None:
        """Keep one packet; it takes the place of the one `SIZE` before."""
        self.ring[packet.sequence & (SIZE - 1)] = packet

    def get(self, sequence: int) -> Outgoing | None:
        """Return the packet with this unwrapped sequence number if it is still there."""
        packet = self.ring[sequence & (SIZE - 1)]
        return packet if packet is not None and packet.sequence == sequence else None
