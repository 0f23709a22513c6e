"""How fast the hub lets the vehicle drive, and what holds while it says nothing. Pure.

A limit holds from the moment it is obeyed until its own expiry, on the vehicle's clock.
The newest replaces the one before, higher or lower. When none holds, because it expired
or because there never was one, the vehicle drives at most its own `silent_mps`: more
speed needs somebody who watches and says so, again and again.
"""

from __future__ import annotations


class SpeedLimit:
    """The limit of one vehicle.

    Args:
        silent_mps: At most this fast while no limit of the hub holds.

    Attributes:
        until_ns: Until when the hub's limit holds (vehicle monotonic); 0: none came yet.
    """

    def __init__(self, silent_mps: float) -> None:
        self.until_ns = 0
        self._silent_mps = silent_mps
        self._mps = silent_mps

    def obey(self, mps: float, issued_ns: int, hold_ms: int, now_ns: int) -> None:
        """Take the hub's newest limit.

        Its expiry counts from when it was issued, and never from later than now: a
        command that claims to come from the future holds no longer for it.
        """
        self._mps = mps
        self.until_ns = min(issued_ns, now_ns) + hold_ms * 1_000_000

    def holds(self, now_ns: int) -> bool:
        """Return whether a limit of the hub holds now."""
        return now_ns < self.until_ns

    def mps(self, now_ns: int) -> float:
        """Return the most the vehicle may drive now, m/s."""
        return self._mps if self.holds(now_ns) else self._silent_mps
