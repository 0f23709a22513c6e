"""Degrees to metres and back, and lines measured along themselves. Pure.

Local east-north metres around an origin, by the lengths of one degree on the
WGS 84 ellipsoid there. Within 10 km of the origin the error stays below 0.1 %,
which is enough for a drawing of a drive; nothing is controlled by it.

    one degree of latitude at 36.39 N: 110,969 m; of longitude: 89,737 m
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

_A: Final = 6_378_137.0
_E2: Final = 6.694_379_990_14e-3


class Point(NamedTuple):
    """Metres east and north of the origin."""

    east: float
    north: float


class Pose(NamedTuple):
    """A place and a direction. `heading`: radians clockwise from north."""

    east: float
    north: float
    heading: float


class LocalFrame:
    """East-north metres around one origin."""

    def __init__(self, longitude: float, latitude: float) -> None:
        self.longitude = longitude
        self.latitude = latitude
        sine = math.sin(math.radians(latitude))
        root = math.sqrt(1.0 - _E2 * sine * sine)
        self._metres_north = math.radians(_A * (1.0 - _E2) / root**3)
        self._metres_east = math.radians(_A / root * math.cos(math.radians(latitude)))

    def to_metres(self, longitude: float, latitude: float) -> Point:
        """Return the place in metres."""
        return Point(
            (longitude - self.longitude) * self._metres_east,
            (latitude - self.latitude) * self._metres_north,
        )

    def to_degrees(self, east: float, north: float) -> tuple[float, float]:
        """Return (longitude, latitude)."""
        return (
            self.longitude + east / self._metres_east,
            self.latitude + north / self._metres_north,
        )


class Line:
    """A polyline measured along itself.

    Attributes:
        points: Its corners; a closed line repeats the first at the end.
        length: Metres.
        closed: Whether it ends where it begins; then distances wrap around.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        kept = [points[0]] if points else []
        for point in points[1:]:
            if math.hypot(point.east - kept[-1].east, point.north - kept[-1].north) > 0.01:
                kept.append(point)
        if len(kept) < 2:
            raise ValueError("a line needs two different points")
        self.points = kept
        self._along = [0.0]
        self._headings: list[float] = []
        for a, b in pairwise(kept):
            self._along.append(self._along[-1] + math.hypot(b.east - a.east, b.north - a.north))
            self._headings.append(math.atan2(b.east - a.east, b.north - a.north))
        self.length = self._along[-1]
        first, last = kept[0], kept[-1]
        self.closed = (
            len(kept) > 3 and math.hypot(first.east - last.east, first.north - last.north) < 0.5
        )

    def wrap(self, distance: float) -> float:
        """Return the same place as a distance within the line."""
        if self.closed:
            return distance % self.length
        return min(max(distance, 0.0), self.length)

    def at(self, distance: float) -> Point:
        """Return the place `distance` metres along."""
        distance = self.wrap(distance)
        index = min(bisect_right(self._along, distance), len(self.points) - 1)
        a, b = self.points[index - 1], self.points[index]
        share = (distance - self._along[index - 1]) / (self._along[index] - self._along[index - 1])
        return Point(a.east + (b.east - a.east) * share, a.north + (b.north - a.north) * share)

    def heading_at(self, distance: float) -> float:
        """Return the direction of the segment at `distance`, radians."""
        index = min(bisect_right(self._along, self.wrap(distance)), len(self.points) - 1)
        return self._headings[index - 1]

    def nearest(self, place: Point, step: float = 1.0) -> float:
        """Return the distance along at which the line passes closest to `place`."""
        best, best_gap = 0.0, math.inf
        count = max(2, math.ceil(self.length / step))
        for index in range(count + 1):
            distance = self.length * index / count
            point = self.at(distance)
            gap = math.hypot(point.east - place.east, point.north - place.north)
            if gap < best_gap:
                best, best_gap = distance, gap
        return best


def rounded(points: Sequence[Point], radius: float, step: float = 1.0) -> list[Point]:
    """Return the corners of a polyline replaced by arcs (quadratic curves).

    Args:
        points: Corners. If the last equals the first, the joint is rounded too.
        radius: Metres from a corner at which the arc begins, at most 45 % of a side.
        step: Metres between the points of an arc.
    """
    closed = math.dist(points[0], points[-1]) < 0.5
    ring = list(points[:-1]) if closed else list(points)
    count = len(ring)
    result: list[Point] = [] if closed else [ring[0]]
    for index in range(0 if closed else 1, count if closed else count - 1):
        before, corner, after = ring[index - 1], ring[index], ring[(index + 1) % count]
        cut_in = min(radius, 0.45 * math.dist(before, corner))
        cut_out = min(radius, 0.45 * math.dist(corner, after))
        start, end = _towards(corner, before, cut_in), _towards(corner, after, cut_out)
        pieces = max(2, math.ceil((cut_in + cut_out) / step))
        for piece in range(pieces + 1):
            t = piece / pieces
            a, b, c = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
            result.append(
                Point(
                    a * start.east + b * corner.east + c * end.east,
                    a * start.north + b * corner.north + c * end.north,
                )
            )
    result.append(result[0] if closed else ring[-1])
    return result


def _towards(a: Point, b: Point, metres: float) -> Point:
    length = math.dist(a, b)
    share = metres / length if length else 0.0
    return Point(a.east + (b.east - a.east) * share, a.north + (b.north - a.north) * share)
