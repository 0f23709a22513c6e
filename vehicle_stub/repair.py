"""What was sent and may be asked for again (RFC 4585 §6.2.1). Pure.

    asked the first time            once
    asked within a round trip       nothing: the answer is on its way, or the asking was
                                    repeated in case it is lost
    asked after a round trip        the answer was lost as well: twice, `COPY_AFTER_S` apart,
                                    since a picture can wait for two round trips, hardly
                                    for three

5 % loss each way, 50 ms: one repair in 20 needs a second asking, one in 4,000 a third
(one in 10 and one in 100 with one copy and askings that are not repeated).
"""

from __future__ import annotations

from typing import Final, Generic, NamedTuple, TypeVar

HISTORY: Final = 2_048
"""Packets kept: 2.5 s at 8 Mbit/s. A power of two."""

REPAIR_SHARE: Final = 0.5
"""Of the rate may go into sending again; second copies may use half of that."""

WINDOW_NS: Final = 500_000_000
SHORTEST_NS: Final = 15_000_000
LONGEST_NS: Final = 150_000_000
COPY_AFTER_S: Final = 0.008
"""Between the two copies: a hole of the radio that takes one spares the other."""

Packet = TypeVar("Packet")


class Again(NamedTuple, Generic[Packet]):
    """A packet to send again; `twice`: and once more a little later."""

    packet: Packet
    twice: bool


class _Kept(Generic[Packet]):
    __slots__ = ("octets", "packet", "resent_ns", "sequence")

    def __init__(self, sequence: int, packet: Packet, octets: int) -> None:
        self.sequence = sequence
        self.packet = packet
        self.octets = octets
        self.resent_ns: int | None = None


class Repairs(Generic[Packet]):
    """Of one stream.

    Attributes:
        repaired, unrepaired: Packets to be sent again (each copy), and asked for in vain.
    """

    def __init__(self) -> None:
        self.repaired = 0
        self.unrepaired = 0
        self._kept: dict[int, _Kept[Packet]] = {}
        self._window_ns = 0
        self._octets = 0

    def keep(self, sequence: int, packet: Packet, octets: int) -> None:
        """A packet is being sent the first time."""
        self._kept[sequence % HISTORY] = _Kept(sequence, packet, octets)

    def asked(
        self, lost: list[int], kbps: int, round_trip_ns: int | None, now_ns: int
    ) -> list[Again[Packet]]:
        """Return what to send now.

        Args:
            lost: Sequence numbers.
            kbps: The stream's rate; the budget is a share of it.
            round_trip_ns: Of the path; None if unknown.
        """
        if now_ns - self._window_ns >= WINDOW_NS:
            self._window_ns = now_ns
            self._octets = 0
        budget = kbps * 125 * REPAIR_SHARE * WINDOW_NS / 1e9
        pause_ns = SHORTEST_NS
        if round_trip_ns is not None:
            pause_ns = min(max(round_trip_ns * 3 // 4, SHORTEST_NS), LONGEST_NS)
        found: list[Again[Packet]] = []
        for sequence in lost:
            kept = self._kept.get(sequence % HISTORY)
            if kept is None or kept.sequence != sequence or self._octets > budget:
                self.unrepaired += 1
                continue
            if kept.resent_ns is not None and now_ns - kept.resent_ns < pause_ns:
                continue
            twice = kept.resent_ns is not None and self._octets < budget / 2
            kept.resent_ns = now_ns
            self._octets += kept.octets * (1 + twice)
            self.repaired += 1 + twice
            found.append(Again(kept.packet, twice))
        return found
