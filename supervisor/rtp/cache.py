"""What a feed forwards, and the last of it for watchers who lost some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

SIZE: Final = 1024
"""Packets kept: 1.2 s of an 8 Mbit/s stream. A power of two."""

_PLACE: Final = SIZE - 1


class Outgoing(NamedTuple):
    """Packets of one picture in a row, in the feed's timeline, before they are a watcher's own.

    Often one; a run that arrived together stays together, because handling it as one
    thing is what makes forwarding cheap.

    Attributes:
        sequence: Of the first packet; unwrapped, in the feed's timeline.
        timestamp: In the feed's timeline, modulo 2^32.
        marker: 0x80 or 0, of the last packet; those before have none.
        payload_type: The publisher's.
        payloads: One for each packet, all of equal length.
        first: First header byte for watchers: version 2, the padding bit, no
            extension and no CSRC.
    """

    sequence: int
    timestamp: int
    marker: int
    payload_type: int
    payloads: Sequence[bytes]
    first: int

    def only(self, sequence: int) -> Outgoing | None:
        """Return the one packet with this unwrapped sequence number, None if it is not here."""
        index = sequence - self.sequence
        count = len(self.payloads)
        if not 0 <= index < count:
            return None
        if count == 1:
            return self
        marker = self.marker if index == count - 1 else 0
        return self._replace(
            sequence=sequence, marker=marker, payloads=self.payloads[index : index + 1]
        )

    def since(self, sequence: int) -> Outgoing | None:
        """Return the packets from this sequence number on, None if all are before."""
        skipped = sequence - self.sequence
        if skipped <= 0:
            return self
        if skipped >= len(self.payloads):
            return None
        return self._replace(sequence=sequence, payloads=self.payloads[skipped:])


class PacketCache:
    """A ring of the newest `SIZE` packets: each stands at its sequence number modulo `SIZE`."""

    __slots__ = ("_ring",)

    def __init__(self) -> None:
        self._ring: list[Outgoing | None] = [None] * SIZE

    def add(self, packets: Outgoing) -> None:
        """Keep packets; they take the place of those `SIZE` before."""
        start = packets.sequence & _PLACE
        count = len(packets.payloads)
        if start + count <= SIZE:
            self._ring[start : start + count] = [packets] * count
        else:
            for place in range(start, start + count):
                self._ring[place & _PLACE] = packets

    def get(self, sequence: int) -> Outgoing | None:
        """Return the packet with this unwrapped sequence number if it is still there."""
        found = self._ring[sequence & _PLACE]
        return None if found is None else found.only(sequence)
