"""Time that neither stands still nor goes back for a watcher who changes feeds.

All layers of a camera have one timeline (see `layers`), so timestamps need no change
at a switch, but for one case: the large layer's keyframe may be of a picture that the
watcher already has from the small layer, or of an earlier one. Those few frames are
squeezed in behind the last one, one tick apart, until the true timestamps are ahead:

    sent so far   ... 3000 6000 9000
    keyframe of            6000 9000 12000 15000
    he gets                9001 9002 12000 15000

A tick is 11 us, so the mapping of the camera's sender reports stays true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.rtp.cache import Outgoing


class Squeeze:
    """Timestamps of the frames after a switch that would not be later than the last.

    Attributes:
        given: True timestamp to the one the watcher got; kept for retransmissions.
    """

    __slots__ = ("_next", "_over", "given")

    def __init__(self, last: int) -> None:
        self._next = last
        self._over = False
        self.given: dict[int, int] = {}

    def apply(self, packets: list[Outgoing]) -> tuple[list[Outgoing], bool]:
        """Return the packets with timestamps that rise, and whether it is over."""
        result = []
        for packet in packets:
            timestamp = packet.timestamp
            known = self.given.get(timestamp)
            if known is None and not self._later(timestamp):
                self._next = known = (self._next + 1) & 0xFFFF_FFFF
                self.given[timestamp] = known
            elif known is None:
                self._over = True
            result.append(packet if known is None else packet._replace(timestamp=known))
        return result, self._over

    def _later(self, timestamp: int) -> bool:
        ahead = (timestamp - self._next) & 0xFFFF_FFFF
        return 0 < ahead < 0x8000_0000
