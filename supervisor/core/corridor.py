"""How far a vehicle is from its planned route.

The route is the factsheet's, up to some thousands of points. A vehicle moves along it, so
the leg it was nearest to last time is where the next search begins; the whole route is
searched only when it is far from everything near there, and not at every look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

METRES_PER_DEGREE: Final = 111_320.0
NEAR_LEGS: Final = 8


def distance_m(
    route: Sequence[tuple[float, float]], place: tuple[float, float], legs: range
) -> tuple[float, int]:
    """Return the distance to the nearest of some legs, metres, and which leg that is.

    The earth is taken as flat around the place: within a few kilometres that is right to a
    part in a thousand.

    Args:
        route: [longitude, latitude] in degrees.
        place: The same.
        legs: Leg n runs from point n to point n + 1.
    """
    east = METRES_PER_DEGREE * math.cos(math.radians(place[1]))
    best, where = math.inf, legs.start
    for leg in legs:
        ax, ay = _metres(route[leg], place, east)
        bx, by = _metres(route[leg + 1], place, east)
        dx, dy = bx - ax, by - ay
        square = dx * dx + dy * dy
        along = 0.0 if square == 0.0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
        found = math.hypot(ax + along * dx, ay + along * dy)
        if found < best:
            best, where = found, leg
    return best, where


def near(leg: int, legs: int) -> range:
    """Return the legs around one, of so many."""
    return range(max(0, min(leg, legs - 1) - NEAR_LEGS), min(legs, leg + NEAR_LEGS + 1))


def _metres(
    point: tuple[float, float], place: tuple[float, float], east: float
) -> tuple[float, float]:
    return (point[0] - place[0]) * east, (point[1] - place[1]) * METRES_PER_DEGREE
