"""The machine of control over one vehicle, and what is kept of it.

`TABLE` is the drawing of `protocols.authority`, total; `supervisor.core.authority` says
when an input happens and what follows. What is owed besides: from the moment a
`TakeControl` is handed over until the vehicle has said that nobody has control, the
vehicle may believe that somebody has. Then `owed` is true, nobody is told that the
vehicle agrees, and a `ReleaseControl` goes out again and again unless somebody is about
to take control anyway.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Any, Final

import msgspec

from protocols.authority import ControlState, ControlView
from protocols.supervision import Purpose
from supervisor.core.events import Operator

KEPT_RELEASES: Final = 8


class Input(enum.Enum):
    """What can happen to control.

    ASKED: Somebody who may is to be offered it. ACCEPTED: he takes the offer. APPLIED: the
    vehicle obeys him. FAILED: the vehicle refused, or the record was not written.
    GIVEN_BACK: he gives back, or declines. ENDED: whatever else ends it. EXPIRED: its time
    is over. RELEASED: the vehicle says that nobody has control, or is beyond reach.
    """

    ASKED = "asked"
    ACCEPTED = "accepted"
    APPLIED = "applied"
    FAILED = "failed"
    GIVEN_BACK = "given_back"
    ENDED = "ended"
    EXPIRED = "expired"
    RELEASED = "released"


_F, _O, _C, _H, _R = (
    ControlState.FREE, ControlState.OFFERED, ControlState.CONFIRMING, ControlState.HELD,
    ControlState.RELEASING,
)  # fmt: skip

_ROWS: Final = {
    #   asked accepted applied failed given_back ended expired released
    _F: (_O, _F, _F, _F, _F, _F, _F, _F),
    _O: (_O, _C, _O, _F, _F, _F, _F, _O),
    _C: (_C, _C, _H, _F, _R, _R, _F, _C),
    _H: (_H, _H, _H, _H, _R, _R, _R, _H),
    _R: (_R, _R, _R, _R, _R, _R, _F, _F),
}

TABLE: Final[dict[tuple[ControlState, Input], ControlState]] = {
    (state, happened): following
    for state, row in _ROWS.items()
    for happened, following in zip(Input, row, strict=True)
}


class Wish(msgspec.Struct, frozen=True):
    """Who asked for control, and has not been offered it yet."""

    operator: Operator
    purpose: Purpose
    request_id: str
    reason: str


class Control:
    """Control of one vehicle.

    Attributes:
        view: What everybody sees.
        session: Console of the holder, or of whom it is offered to; empty: nobody.
        vehicle_session: The vehicle session it was taken in.
        born_epoch: The epoch of this life of the hub; control of it is always higher.
        epoch_used: The highest epoch ever given out, durable or not: none is given twice.
        then: Who is offered it once it is free.
        take_id, handed_ns: The `TakeControl` under way and when it was handed over.
        owed: See above.
        agreed: The vehicle has said that it obeys the holder of this epoch.
        release_ids: The newest `ReleaseControl` commands.
        again_ns: When the next one goes out.
    """

    __slots__ = (
        "_releases",
        "again_ns",
        "agreed",
        "born_epoch",
        "epoch_used",
        "handed_ns",
        "owed",
        "release_ids",
        "session",
        "take_id",
        "then",
        "vehicle_session",
        "view",
    )

    def __init__(self, vehicle: str, epoch: int) -> None:
        self.view = ControlView(vehicle=vehicle, state=ControlState.FREE)
        self.session = ""
        self.vehicle_session = ""
        self.born_epoch = self.epoch_used = epoch
        self.then: Wish | None = None
        self.take_id = ""
        self.handed_ns = 0
        self.owed = False
        self.agreed = False
        self.release_ids: deque[str] = deque(maxlen=KEPT_RELEASES)
        self.again_ns = 0
        self._releases = 0

    @property
    def state(self) -> ControlState:
        """Where it stands."""
        return self.view.state

    def move(self, happened: Input, now_ns: int, **changes: Any) -> bool:
        """Take an input; return False if it means nothing in this state.

        Args:
            happened: What.
            now_ns: Hub clock.
            changes: Other fields of the view that change with it.
        """
        before, following = self.view.state, TABLE[self.view.state, happened]
        if following is before:
            return False
        self.view = msgspec.structs.replace(
            self.view, state=following, since_ns=now_ns, **{"until_ns": None, **changes}
        )
        if following is ControlState.FREE:
            self.session = self.take_id = ""
            self.view = msgspec.structs.replace(
                self.view, holder="", seat="", purpose=Purpose.MONITOR, request_id="", reason=""
            )
        return True

    def change(self, **changes: Any) -> bool:
        """Change what is seen, not the state; return whether anything did."""
        changed = msgspec.structs.replace(self.view, **changes)
        if changed == self.view:
            return False
        self.view = changed
        return True

    def next_release_id(self) -> str:
        """Return a fresh command id; its answer is known by it."""
        self._releases += 1
        command_id = f"release-{self.view.epoch}-{self._releases}"
        self.release_ids.append(command_id)
        return command_id

    def next_epoch(self, epoch: int) -> int:
        """Return an epoch above any that was ever given out."""
        self.epoch_used = max(self.epoch_used, epoch) + 1
        return self.epoch_used
