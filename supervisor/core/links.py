"""The command link of one vehicle, judged by its heartbeats.

    UNKNOWN ──beat──▶ ONLINE ──silence──▶ DEGRADED ──silence──▶ LOST
                        ▲                     │                   │
                        └────────beat─────────┴───────beat────────┘
    any ──said goodbye──▶ OFFLINE            any ──last will──▶ LOST

OFFLINE is only ever the vehicle's own word. The broker's last will says that the
vehicle went without a word: that is LOST, and no silence turns it into anything
better. A beat is evidence; the vehicle's claim to be online is not, so `connection`
ONLINE alone changes nothing but the end of OFFLINE.
"""

from __future__ import annotations

from protocols.operator import LinkState


class Link:
    """A timed machine; all times on the hub's monotonic clock, nanoseconds.

    Attributes:
        state: What is known now; call `on_time` before reading it.
        last_beat_ns: When the last heartbeat arrived; None before the first.
    """

    __slots__ = ("_degraded_ns", "_lost_ns", "last_beat_ns", "state")

    def __init__(self, degraded_ns: int, lost_ns: int) -> None:
        self._degraded_ns = degraded_ns
        self._lost_ns = lost_ns
        self.state = LinkState.UNKNOWN
        self.last_beat_ns: int | None = None

    def on_heartbeat(self, now_ns: int) -> bool:
        """A heartbeat of the current session arrived; return whether the state changed."""
        self.last_beat_ns = now_ns
        changed = self.state is not LinkState.ONLINE
        self.state = LinkState.ONLINE
        return changed

    def on_announced(self) -> bool:
        """The vehicle says it is online: unknown until its first beat, if it was offline."""
        if self.state is LinkState.OFFLINE:
            self.state = LinkState.UNKNOWN
            return True
        return False

    def on_goodbye(self) -> bool:
        """The vehicle said that it leaves; return whether the state changed."""
        changed = self.state is not LinkState.OFFLINE
        self.state = LinkState.OFFLINE
        return changed

    def on_broken(self) -> bool:
        """The broker published the last will; return whether the state changed."""
        if self.state is LinkState.OFFLINE:
            return False
        changed = self.state is not LinkState.LOST
        self.state = LinkState.LOST
        return changed

    def on_time(self, now_ns: int) -> bool:
        """Time passed; safe early, late or twice; return whether the state changed."""
        state = self.state
        beat = self.last_beat_ns
        if beat is None or (state is not LinkState.ONLINE and state is not LinkState.DEGRADED):
            return False
        silence = now_ns - beat
        if silence >= self._lost_ns:
            self.state = LinkState.LOST
        elif silence >= self._degraded_ns:
            self.state = LinkState.DEGRADED
        return self.state is not state

    def next_deadline_ns(self) -> int | None:
        """When `on_time` has something to do next; None while only a message can."""
        if self.last_beat_ns is None:
            return None
        if self.state is LinkState.ONLINE:
            return self.last_beat_ns + self._degraded_ns
        if self.state is LinkState.DEGRADED:
            return self.last_beat_ns + self._lost_ns
        return None

    def is_fresh(self, now_ns: int) -> bool:
        """Return whether the link is online now, whenever `on_time` last ran."""
        return (
            self.state is LinkState.ONLINE
            and self.last_beat_ns is not None
            and now_ns - self.last_beat_ns < self._degraded_ns
        )
