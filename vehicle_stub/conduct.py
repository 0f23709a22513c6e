"""Who may move the vehicle now: a total table, and the words of the field for it. Pure.

`TABLE` below is the whole machine. What it comes to:

* Nothing but a person's `resume` leads back to DRIVING after a stop, a manoeuvre of least
  risk or a pull-over; that the hub is heard again, or that control is given back, does not.
* While it waits for an answer, an answer sets it moving: `resume`, a path, pull over.
* It can be driven (REMOTE, REMOTE_DRIVING) once control for driving was taken while it
  stood. REMOTE brakes, and stands. It can be handed back to its own driving from there,
  and from nowhere in motion.
* Driving that lapses, by silence or a higher epoch, is the manoeuvre of least risk; that
  was given back, an ordinary stop.
* A stop is refused nowhere, and an emergency stop is never made weaker by a stop.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from protocols.vehicle import MrmBehaviour, MrmState, OperationMode
from vehicle_stub.drive import Demand


class Phase(enum.Enum):
    """The machine's states."""

    __hash__ = object.__hash__  # members are themselves alone; Enum's own is a call

    DRIVING = "driving"
    FOLLOWING = "following"
    WAITING = "waiting"
    BRAKING = "braking"
    EMERGENCY = "emergency"
    STOPPED = "stopped"
    MRM_BRAKING = "mrm_braking"
    MRM_STOPPED = "mrm_stopped"
    PULLING_OVER = "pulling_over"
    PULLED_OVER = "pulled_over"
    REMOTE = "remote"
    REMOTE_DRIVING = "remote_driving"


class Input(enum.Enum):
    """What can happen to it.

    BLOCKED: It stands before something it cannot judge. UNANSWERED: nobody answered.
    ARRIVED: The path ends, or the side is reached. DRIVE_TAKEN: control for driving was
    taken while it stands. PRESSED, LET_GO: by the dead-man. LAPSED, RELEASED: how control
    for driving ended.
    """

    __hash__ = object.__hash__

    STOP = "stop"
    EMERGENCY_STOP = "emergency_stop"
    RESUME = "resume"
    FOLLOW = "follow"
    PULL_OVER = "pull_over"
    BLOCKED = "blocked"
    UNANSWERED = "unanswered"
    LINK_LOST = "link_lost"
    MINIMAL_RISK = "minimal_risk"
    STANDING = "standing"
    ARRIVED = "arrived"
    DRIVE_TAKEN = "drive_taken"
    PRESSED = "pressed"
    LET_GO = "let_go"
    LAPSED = "lapsed"
    RELEASED = "released"


_D, _F, _W, _B, _E, _S = (
    Phase.DRIVING, Phase.FOLLOWING, Phase.WAITING, Phase.BRAKING, Phase.EMERGENCY, Phase.STOPPED,
)  # fmt: skip
_M, _N, _O, _P, _R, _V = (
    Phase.MRM_BRAKING, Phase.MRM_STOPPED, Phase.PULLING_OVER, Phase.PULLED_OVER, Phase.REMOTE,
    Phase.REMOTE_DRIVING,
)  # fmt: skip
_x: Final = None

_ROWS: Final[dict[Phase, tuple[Phase | None, ...]]] = {
    #    stop emer  resu foll pull  bloc unan  link mini  stan arri  take pres letg  laps rele
    _D: (_B, _E,   _x,  _F,  _O,   _W,  _D,   _M,  _M,   _D,  _D,   _R,  _x,  _D,   _D,  _D),
    _F: (_B, _E,   _x,  _F,  _O,   _W,  _F,   _M,  _M,   _F,  _D,   _R,  _x,  _F,   _F,  _F),
    _W: (_B, _E,   _D,  _F,  _O,   _W,  _M,   _M,  _M,   _W,  _W,   _R,  _x,  _W,   _W,  _W),
    _B: (_B, _E,   _x,  _x,  _x,   _B,  _B,   _B,  _B,   _S,  _B,   _x,  _x,  _B,   _B,  _B),
    _E: (_E, _E,   _x,  _x,  _x,   _E,  _E,   _E,  _E,   _S,  _E,   _x,  _x,  _E,   _E,  _E),
    _S: (_S, _E,   _D,  _x,  _x,   _S,  _S,   _S,  _S,   _S,  _S,   _R,  _x,  _S,   _S,  _S),
    _M: (_B, _E,   _x,  _x,  _x,   _M,  _M,   _M,  _M,   _N,  _M,   _x,  _x,  _M,   _M,  _M),
    _N: (_B, _E,   _D,  _x,  _x,   _N,  _N,   _N,  _N,   _N,  _N,   _R,  _x,  _N,   _N,  _N),
    _O: (_B, _E,   _x,  _x,  _O,   _O,  _O,   _M,  _M,   _O,  _P,   _x,  _x,  _O,   _O,  _O),
    _P: (_B, _E,   _D,  _x,  _P,   _P,  _P,   _P,  _P,   _P,  _P,   _R,  _x,  _P,   _P,  _P),
    _R: (_B, _E,   _D,  _F,  _O,   _R,  _R,   _M,  _M,   _R,  _R,   _R,  _V,  _R,   _M,  _B),
    _V: (_B, _E,   _x,  _x,  _x,   _V,  _V,   _M,  _M,   _V,  _V,   _x,  _V,  _R,   _M,  _B),
}  # fmt: skip

TABLE: Final[dict[tuple[Phase, Input], Phase | None]] = {
    (phase, happened): following
    for phase, row in _ROWS.items()
    for happened, following in zip(Input, row, strict=True)
}
"""Next state; None: refused here."""

DRIVEN: Final = frozenset({Phase.REMOTE, Phase.REMOTE_DRIVING})
"""A person drives it."""

_SLOWING: Final = frozenset({Phase.BRAKING, Phase.EMERGENCY, Phase.MRM_BRAKING})


class Words(NamedTuple):
    """What a state message says."""

    mode: OperationMode
    mrm: MrmState
    behaviour: MrmBehaviour


_NORMAL: Final = MrmState.NORMAL, MrmBehaviour.NONE
_AUTONOMOUS: Final = Words(OperationMode.AUTONOMOUS, *_NORMAL)
_ASSISTED: Final = Words(OperationMode.REMOTE_ASSIST, *_NORMAL)
_STOP: Final = Words(OperationMode.STOP, *_NORMAL)
_DRIVEN: Final = Words(OperationMode.REMOTE_DRIVE, *_NORMAL)
_BY_ITSELF: Final = frozenset({_D, _F, _W, _O})
"""It says who assists it while it is in these."""
_MRM: Final = frozenset({_M, _N})
"""What it does here is its fallback."""

WORDS: Final[dict[Phase, Words]] = {
    _D: _AUTONOMOUS, _F: _AUTONOMOUS, _W: _AUTONOMOUS, _O: _AUTONOMOUS,
    _B: _STOP, _E: _STOP, _S: _STOP, _P: _STOP,
    _M: Words(OperationMode.AUTONOMOUS, MrmState.MRM_OPERATING, MrmBehaviour.NONE),
    _N: Words(OperationMode.STOP, MrmState.MRM_SUCCEEDED, MrmBehaviour.NONE),
    _R: _DRIVEN, _V: _DRIVEN,
}  # fmt: skip

DEMANDS: Final[dict[Phase, Demand]] = {
    _D: Demand.GO, _F: Demand.GO, _O: Demand.PULL_OVER,
    _B: Demand.HARD, _S: Demand.HARD, _R: Demand.HARD, _E: Demand.EMERGENCY,
    _M: Demand.COMFORTABLE, _N: Demand.COMFORTABLE,
    _W: Demand.COMFORTABLE, _P: Demand.COMFORTABLE, _V: Demand.DRIVEN,
}  # fmt: skip


class Conduct:
    """The machine, with the reason it gives.

    Attributes:
        phase: Where it is.
        reason: Why, in a few machine-readable words; empty while driving.
        assisted: Somebody has control, to assist.
    """

    def __init__(self, fallback: MrmBehaviour) -> None:
        self.phase = Phase.DRIVING
        self.reason = ""
        self.assisted = False
        self._fallback = fallback

    def feed(self, happened: Input, reason: str = "") -> bool:
        """Take one input; return False if it is refused here."""
        following = TABLE[self.phase, happened]
        if following is None:
            return False
        if following is Phase.DRIVING:
            self.reason = ""
        elif following is not self.phase and happened is not Input.STANDING:
            self.reason = reason
        self.phase = following
        return True

    @property
    def braking(self) -> bool:
        """It is being brought to a standstill."""
        return self.phase in _SLOWING

    @property
    def demand(self) -> Demand:
        """What the drive must do."""
        if self.phase in _MRM and self._fallback is MrmBehaviour.EMERGENCY_STOP:
            return Demand.EMERGENCY
        return DEMANDS[self.phase]

    @property
    def words(self) -> Words:
        """The phase in the words of a state message."""
        words = _ASSISTED if self.assisted and self.phase in _BY_ITSELF else WORDS[self.phase]
        return words._replace(behaviour=self._fallback) if self.phase in _MRM else words
