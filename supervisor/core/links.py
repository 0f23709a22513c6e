"""The command link of one vehicle, judged by its heartbeats and by what they say.

    UNKNOWN ──beat──▶ ONLINE ──silence──▶ DEGRADED ──silence──▶ LOST
                        ▲ ╲                   │                   │
                        │  ╲──one way──▶ DEGRADED                 │
                        └────────beat─────────┴───────beat────────┘
    any ──said goodbye──▶ OFFLINE            any ──last will──▶ LOST

OFFLINE is only ever the vehicle's own word. The broker's last will says that the
vehicle went without a word: that is LOST, and no silence turns it into anything
better. A beat is evidence; the vehicle's claim to be online is not, so `connection`
ONLINE alone changes nothing but the end of OFFLINE.

A beat proves the way *to* the hub alone. The other way is cut when

    a beat was sent more than `degraded_ns` after the hub's last one came there; the next
    beat that echoes a newer one ends it, or
    the vehicle says so on its data channel, by its own watch over the path; the answer
    to anything asked after that ends it, or another media session.

What the vehicle says then is fresh, and is judged as ever; what the hub says does not
reach it, so the link is DEGRADED for as long as that lasts.
"""

from __future__ import annotations

from typing import Literal

from protocols.operator import LinkState


class Link:
    """A timed machine; all times on the hub's monotonic clock, nanoseconds.

    Attributes:
        state: What is known now; call `on_time` before reading it.
        last_beat_ns: When the last heartbeat arrived; None before the first.
        is_silent: Heartbeats have been missing for `degraded_ns`, as of the last look.
    """

    __slots__ = (
        "_beat_deaf",
        "_deaf_ns",
        "_degraded_ns",
        "_lost_ns",
        "is_silent",
        "last_beat_ns",
        "state",
    )

    def __init__(self, degraded_ns: int, lost_ns: int) -> None:
        self._degraded_ns = degraded_ns
        self._lost_ns = lost_ns
        self.state = LinkState.UNKNOWN
        self.last_beat_ns: int | None = None
        self.is_silent = False
        self._beat_deaf = False
        self._deaf_ns: int | None = None

    @property
    def one_way(self) -> bool:
        """What the hub says does not reach the vehicle, which itself is heard."""
        return self._beat_deaf or self._deaf_ns is not None

    @property
    def why(self) -> Literal["", "silent", "one_way"]:
        """Why the link is degraded; empty while it is not."""
        if self.state is not LinkState.DEGRADED:
            return ""
        return "silent" if self.is_silent else "one_way"

    def on_heartbeat(self, now_ns: int, unheard_ns: int | None = None) -> bool:
        """A heartbeat of the current session arrived; return whether the state changed.

        Args:
            now_ns: When.
            unheard_ns: How long before it was sent the hub was last heard there, by the
                vehicle's clock; None: it does not say.
        """
        self.last_beat_ns = now_ns
        self.is_silent = False
        self._beat_deaf = unheard_ns is not None and unheard_ns >= self._degraded_ns
        before = self.state
        self.state = LinkState.DEGRADED if self.one_way else LinkState.ONLINE
        return self.state is not before

    def on_unheard(self, at_ns: int, now_ns: int) -> bool:
        """The vehicle says that it hears nothing; return whether the state changed."""
        self._deaf_ns = at_ns
        return self.on_time(now_ns)

    def on_answered(self, asked_ns: int, now_ns: int) -> bool:
        """The vehicle answered what it was asked at `asked_ns`; whether the state changed."""
        if self._deaf_ns is None or asked_ns < self._deaf_ns:
            return False
        return self.on_other_path(now_ns)

    def on_other_path(self, now_ns: int) -> bool:
        """The path on which the vehicle heard nothing is gone or replaced."""
        self._deaf_ns = None
        return self.on_time(now_ns)

    def restart(self) -> None:
        """Another session of the vehicle: what the last one heard says nothing of it."""
        self._beat_deaf = False
        self._deaf_ns = None
        self.on_announced()

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
        self.is_silent = silence >= self._degraded_ns
        if silence >= self._lost_ns:
            self.state = LinkState.LOST
        elif self.is_silent or self._beat_deaf or self._deaf_ns is not None:
            self.state = LinkState.DEGRADED
        else:
            self.state = LinkState.ONLINE
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

    def is_heard(self, now_ns: int) -> bool:
        """Return whether the vehicle is heard now; whether it hears the hub or not."""
        return (
            self.state in (LinkState.ONLINE, LinkState.DEGRADED)
            and self.last_beat_ns is not None
            and now_ns - self.last_beat_ns < self._degraded_ns
        )

    def is_fresh(self, now_ns: int) -> bool:
        """Return whether the link is online now, whenever `on_time` last ran."""
        return (
            self.state is LinkState.ONLINE
            and self.last_beat_ns is not None
            and now_ns - self.last_beat_ns < self._degraded_ns
        )
