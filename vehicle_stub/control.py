"""Who has control of this vehicle, by its own knowledge. Pure.

    FREE ──take──▶ HELD ──release────────────────────▶ FREE
                    │ └──lapse: a higher epoch was heard,
                    │           the hub's lease was not heard for `silence_ms`,
                    │           what was driven is not driven any more
                    └──take of a higher epoch──▶ HELD by another

Only `take_control`, accepted by `checker`, leads to HELD. Nothing is taken up again by
itself: not after a lapse, not when the hub is heard again, not after a restart, because
control is never written down.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from protocols.supervision import Purpose
from vehicle_stub.checker import NOBODY, Held


class Why(enum.StrEnum):
    """Why control ended without being given back."""

    FENCED = "a hub has said a higher epoch"
    SILENT = "the hub's lease is not heard any more"
    NOT_DRIVEN = "the control frames have stopped"


class Lapsed(NamedTuple):
    """Control ended by itself."""

    holder: str
    for_driving: bool
    why: Why


class Control:
    """Control of one vehicle.

    Attributes:
        held: Who has it, in which epoch; `NOBODY` when it is free.
        purpose: What for; MONITOR when it is free.
        until_ns: When it lapses unless the hub's lease is heard; vehicle monotonic clock.
    """

    def __init__(self) -> None:
        self.held = NOBODY
        self.purpose = Purpose.MONITOR
        self.until_ns = 0
        self._silence_ns = 0

    @property
    def is_held(self) -> bool:
        """Somebody has it."""
        return self.held.epoch > 0

    @property
    def for_driving(self) -> bool:
        """Somebody has it, to drive."""
        return self.purpose is Purpose.DRIVE

    def take(self, holder: str, purpose: Purpose, epoch: int, silence_ms: int, now_ns: int) -> None:
        """Give it to `holder`; whoever had it has it no more."""
        self.held = Held(holder, epoch)
        self.purpose = purpose
        self._silence_ns = silence_ms * 1_000_000
        self.until_ns = now_ns + self._silence_ns

    def release(self) -> None:
        """Nobody has it."""
        self.held = NOBODY
        self.purpose = Purpose.MONITOR

    def on_lease(self, epoch: int, leased: bool, now_ns: int) -> None:
        """A hub heartbeat says that control of this epoch goes on, or does not say so."""
        if leased and epoch == self.held.epoch:
            self.until_ns = now_ns + self._silence_ns

    def on_epoch(self, epoch: int) -> Lapsed | None:
        """An epoch was said in a heartbeat or came with a command."""
        return self.lapse(Why.FENCED) if epoch > self.held.epoch else None

    def on_time(self, now_ns: int) -> Lapsed | None:
        """Let it lapse when the hub is silent; safe early, late or twice."""
        return self.lapse(Why.SILENT) if now_ns >= self.until_ns else None

    def lapse(self, why: Why) -> Lapsed | None:
        """End it; None if nobody had it."""
        if not self.is_held:
            return None
        ended = Lapsed(self.held.holder, self.for_driving, why)
        self.release()
        return ended
