"""Where a vehicle is beside its line, and which way it points there. Pure.

A bicycle on a curve, in the curve's own coordinates: `offset` metres to the left of the
line, `angle` radians to the left of its direction.

    d angle  / ds = curvature driven - curvature of the line
    d offset / ds = sin(angle)

A vehicle that is driven may leave its line by `MAX_OFFSET_M` and no more: there it stays
parallel, as if a kerb held it. One that drives by itself heads for a wanted offset.
"""

from __future__ import annotations

import math
from typing import Final

MAX_OFFSET_M: Final = 6.0
MAX_ANGLE: Final = 0.6
SLOPE: Final = 0.6
"""Steepest way to another offset when driving by itself."""

LOOK_AHEAD_M: Final = 3.0
LOOK_AHEAD_S: Final = 1.5
TURN_PER_M: Final = 0.2
"""How fast it turns then at most: a radius of 5 m."""

LATERAL_MPS2: Final = 1.0
"""And at speed: sideways acceleration, m/s²."""


class Sideways:
    """Offset and angle of one vehicle, both positive to the left."""

    def __init__(self) -> None:
        self.offset = 0.0
        self.angle = 0.0

    def steer(self, moved: float, curvature: float, line_curvature: float) -> None:
        """Move on, driven: `moved` metres with `curvature` (1/m) where the line has its own."""
        self._turn((curvature - line_curvature) * moved)
        self._go(moved)

    def head_for(self, moved: float, wanted: float, speed: float) -> None:
        """Move on, by itself at `speed` (m/s), towards the offset `wanted` ahead of it."""
        slope = min(SLOPE, max(-SLOPE, (wanted - self.offset) / look_ahead(speed)))
        most = moved * min(TURN_PER_M, LATERAL_MPS2 / max(speed, 1.0) ** 2)
        self._turn(min(most, max(-most, math.atan(slope) - self.angle)))
        self._go(moved)

    def along(self, moved: float) -> float:
        """Return how far along the line `moved` metres lead."""
        return moved * math.cos(self.angle)

    def _turn(self, angle: float) -> None:
        self.angle = min(MAX_ANGLE, max(-MAX_ANGLE, self.angle + angle))

    def _go(self, moved: float) -> None:
        offset = self.offset + moved * math.sin(self.angle)
        self.offset = min(MAX_OFFSET_M, max(-MAX_OFFSET_M, offset))
        if self.offset != offset:
            self.angle = 0.0


def look_ahead(speed: float) -> float:
    """Return how far ahead it aims when driving by itself, metres."""
    return max(LOOK_AHEAD_M, LOOK_AHEAD_S * speed)
