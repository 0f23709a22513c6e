"""The dead-man: how long a driver's wish is obeyed. Pure.

    IDLE ──a pressed frame, centred, while it stands──▶ DRIVING
      ▲                                                  │ │
      ├──the dead-man let go: brake at once, control stays┘ │
      └──400 ms since the newest pressed frame was made:────┘
         the manoeuvre of least risk, and control for driving is over

What is obeyed is always the newest frame, complete in itself; nothing is carried over
from one press to the next. A press begins with the stick centred (no speed, no
curvature), so that a stick held over, or stuck, moves nothing.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from protocols.drive import DEADMAN_MS, DriveFrame

DEADMAN_NS: Final = DEADMAN_MS * 1_000_000
CENTRED_CURVATURE: Final = 0.02
"""1/m: a radius of 50 m; a stick at rest, with its play."""

BRAKE_FROM: Final = 0.1
"""Above it the brake wins over any speed."""


class Wish(NamedTuple):
    """What the driver wants, as the drive takes it."""

    speed_mps: float = 0.0
    curvature: float = 0.0
    brake: float = 0.0


class Step(enum.Enum):
    """What a frame means for the vehicle's conduct."""

    PRESSED = "pressed"
    LET_GO = "let_go"
    NOT_CENTRED = "not_centred"
    NOT_STANDING = "not_standing"


class DeadMan:
    """The driver's hand on one vehicle.

    Attributes:
        driving: The newest frame has it pressed, and is obeyed.
        wish: What that frame wants; nothing while not driving.
        until_ns: When driving ends without another frame; vehicle monotonic clock.
    """

    def __init__(self) -> None:
        self.driving = False
        self.wish = Wish()
        self.until_ns = 0

    def on_frame(self, frame: DriveFrame, issued_ns: int, standing: bool) -> Step:
        """Take a frame that passed its checks.

        Args:
            frame: The newest one.
            issued_ns: When it was made, not later than now, vehicle monotonic clock.
            standing: The vehicle stands.
        """
        if not frame.deadman:
            self.end()
            return Step.LET_GO
        if not self.driving:
            if not is_centred(frame):
                return Step.NOT_CENTRED
            if not standing:
                return Step.NOT_STANDING
        self.driving = True
        self.until_ns = issued_ns + DEADMAN_NS
        braked = frame.brake > BRAKE_FROM
        self.wish = Wish(0.0 if braked else frame.speed_mps, frame.curvature, frame.brake)
        return Step.PRESSED

    def expired(self, now_ns: int) -> bool:
        """Return whether the frames have stopped while driving; safe early, late or twice."""
        return self.driving and now_ns >= self.until_ns

    def end(self) -> None:
        """Nobody drives; the next press begins anew."""
        self.driving = False
        self.wish = Wish()


def is_centred(frame: DriveFrame) -> bool:
    """Return whether the stick is at rest."""
    return frame.speed_mps == 0.0 and abs(frame.curvature) <= CENTRED_CURVATURE
