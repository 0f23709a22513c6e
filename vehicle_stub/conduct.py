"""Who may move the vehicle now: a total table, and the words of the field for it. Pure.

                 stop      resume    blocked   unanswered  link lost** standing
    DRIVING      BRAKING   refused   WAITING   -           MRM_BRAKING -
    WAITING      STOPPED*  DRIVING   -         MRM_BRAKING MRM_BRAKING -
    BRAKING      -         refused   -         -           -           STOPPED
    STOPPED      -         DRIVING   -         -           -           -
    MRM_BRAKING  BRAKING   refused   -         -           -           MRM_STOPPED
    MRM_STOPPED  STOPPED*  DRIVING   -         -           -           -

(*) by way of BRAKING, which ends at once when it stands already. (**) and likewise when
the hub asks for the minimal-risk manoeuvre. Nothing but a person's `resume` leads back
to DRIVING: when the hub is heard again after a manoeuvre, the vehicle stays where it is.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from protocols.vehicle import MrmBehaviour, MrmState, OperationMode
from vehicle_stub.drive import Demand


class Phase(enum.Enum):
    """The machine's states."""

    DRIVING = "driving"
    WAITING = "waiting"
    BRAKING = "braking"
    STOPPED = "stopped"
    MRM_BRAKING = "mrm_braking"
    MRM_STOPPED = "mrm_stopped"


class Input(enum.Enum):
    """What can happen to it."""

    STOP = "stop"
    RESUME = "resume"
    BLOCKED = "blocked"
    UNANSWERED = "unanswered"
    LINK_LOST = "link_lost"
    MINIMAL_RISK = "minimal_risk"
    STANDING = "standing"


_P, _I = Phase, Input

TABLE: Final[dict[tuple[Phase, Input], Phase | None]] = {
    (_P.DRIVING, _I.STOP): _P.BRAKING,
    (_P.DRIVING, _I.RESUME): None,
    (_P.DRIVING, _I.BLOCKED): _P.WAITING,
    (_P.DRIVING, _I.UNANSWERED): _P.DRIVING,
    (_P.DRIVING, _I.LINK_LOST): _P.MRM_BRAKING,
    (_P.DRIVING, _I.MINIMAL_RISK): _P.MRM_BRAKING,
    (_P.DRIVING, _I.STANDING): _P.DRIVING,
    (_P.WAITING, _I.STOP): _P.BRAKING,
    (_P.WAITING, _I.RESUME): _P.DRIVING,
    (_P.WAITING, _I.BLOCKED): _P.WAITING,
    (_P.WAITING, _I.UNANSWERED): _P.MRM_BRAKING,
    (_P.WAITING, _I.LINK_LOST): _P.MRM_BRAKING,
    (_P.WAITING, _I.MINIMAL_RISK): _P.MRM_BRAKING,
    (_P.WAITING, _I.STANDING): _P.WAITING,
    (_P.BRAKING, _I.STOP): _P.BRAKING,
    (_P.BRAKING, _I.RESUME): None,
    (_P.BRAKING, _I.BLOCKED): _P.BRAKING,
    (_P.BRAKING, _I.UNANSWERED): _P.BRAKING,
    (_P.BRAKING, _I.LINK_LOST): _P.BRAKING,
    (_P.BRAKING, _I.MINIMAL_RISK): _P.BRAKING,
    (_P.BRAKING, _I.STANDING): _P.STOPPED,
    (_P.STOPPED, _I.STOP): _P.STOPPED,
    (_P.STOPPED, _I.RESUME): _P.DRIVING,
    (_P.STOPPED, _I.BLOCKED): _P.STOPPED,
    (_P.STOPPED, _I.UNANSWERED): _P.STOPPED,
    (_P.STOPPED, _I.LINK_LOST): _P.STOPPED,
    (_P.STOPPED, _I.MINIMAL_RISK): _P.STOPPED,
    (_P.STOPPED, _I.STANDING): _P.STOPPED,
    (_P.MRM_BRAKING, _I.STOP): _P.BRAKING,
    (_P.MRM_BRAKING, _I.RESUME): None,
    (_P.MRM_BRAKING, _I.BLOCKED): _P.MRM_BRAKING,
    (_P.MRM_BRAKING, _I.UNANSWERED): _P.MRM_BRAKING,
    (_P.MRM_BRAKING, _I.LINK_LOST): _P.MRM_BRAKING,
    (_P.MRM_BRAKING, _I.MINIMAL_RISK): _P.MRM_BRAKING,
    (_P.MRM_BRAKING, _I.STANDING): _P.MRM_STOPPED,
    (_P.MRM_STOPPED, _I.STOP): _P.BRAKING,
    (_P.MRM_STOPPED, _I.RESUME): _P.DRIVING,
    (_P.MRM_STOPPED, _I.BLOCKED): _P.MRM_STOPPED,
    (_P.MRM_STOPPED, _I.UNANSWERED): _P.MRM_STOPPED,
    (_P.MRM_STOPPED, _I.LINK_LOST): _P.MRM_STOPPED,
    (_P.MRM_STOPPED, _I.MINIMAL_RISK): _P.MRM_STOPPED,
    (_P.MRM_STOPPED, _I.STANDING): _P.MRM_STOPPED,
}
"""Next state; None: refused, because the vehicle is not standing for a person."""


class Words(NamedTuple):
    """What a state message says."""

    mode: OperationMode
    mrm: MrmState
    behaviour: MrmBehaviour


class Conduct:
    """The machine, with the reason it gives.

    Attributes:
        phase: Where it is.
        reason: Why, in a few machine-readable words; empty while driving.
    """

    def __init__(self, fallback: MrmBehaviour) -> None:
        self.phase = Phase.DRIVING
        self.reason = ""
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
    def demand(self) -> Demand:
        """What the drive must do."""
        match self.phase:
            case Phase.DRIVING:
                return Demand.GO
            case Phase.BRAKING | Phase.STOPPED:
                return Demand.HARD
            case Phase.MRM_BRAKING | Phase.MRM_STOPPED:
                hard = self._fallback is MrmBehaviour.EMERGENCY_STOP
                return Demand.HARD if hard else Demand.COMFORTABLE
            case Phase.WAITING:
                return Demand.COMFORTABLE

    @property
    def words(self) -> Words:
        """The phase in the words of a state message."""
        match self.phase:
            case Phase.DRIVING | Phase.WAITING:
                return Words(OperationMode.AUTONOMOUS, MrmState.NORMAL, MrmBehaviour.NONE)
            case Phase.BRAKING | Phase.STOPPED:
                return Words(OperationMode.STOP, MrmState.NORMAL, MrmBehaviour.NONE)
            case Phase.MRM_BRAKING:
                return Words(OperationMode.AUTONOMOUS, MrmState.MRM_OPERATING, self._fallback)
            case Phase.MRM_STOPPED:
                return Words(OperationMode.STOP, MrmState.MRM_SUCCEEDED, self._fallback)
