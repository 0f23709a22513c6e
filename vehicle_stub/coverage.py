"""A field polygon to a path that works all of it. Pure.

Boustrophedon lanes parallel to the longest edge cover the inside; U-turns stay in
the headland (枕地); rounds along the edge then work the headland itself, and lead
back to the first lane, so that the path is closed.

    worked number: 120 m x 80 m, implement 4 m: headland 8 m (2 rounds), inside
    104 m x 64 m in 16 lanes of 4.0 m
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from vehicle_stub.geo import Point, rounded

LEAST_HEADLAND_M: Final = 8.0
MAX_LANES: Final = 500


class CoverageError(ValueError):
    """This polygon cannot be covered."""


def coverage(corners: Sequence[Point], width_m: float) -> list[Point]:
    """Return a closed path covering a convex field.

    Args:
        corners: The polygon, any turning direction, last corner not repeated.
        width_m: Width worked in one lane.

    Raises:
        CoverageError: Not convex, or too small or too large for this implement.
    """
    ring = _counter_clockwise(corners)
    rounds = max(2, math.ceil(LEAST_HEADLAND_M / width_m))
    headland = rounds * width_m
    inside = inset(ring, headland)
    lanes = _lanes(ring, inside, width_m)
    path: list[Point] = []
    for index, (start, end) in enumerate(lanes):
        path += [start, end]
        if index + 1 < len(lanes):
            path += _u_turn(start, end, lanes[index + 1][0], headland)
    first = path[0]
    outer: list[Point] = []
    for index in reversed(range(rounds)):
        lap = inset(ring, (index + 0.5) * width_m)
        here = outer[-1] if outer else path[-1]
        outer += _walk_round(lap, here)
    innermost = inset(ring, (rounds - 0.5) * width_m)
    outer += _walk_to(innermost, outer[-1], first)
    turning = rounded([path[-1], *outer, first], 4.0)
    return [*path[:-1], *turning[:-1], first]


def inset(ring: Sequence[Point], metres: float) -> list[Point]:
    """Return a counter-clockwise convex ring moved inwards.

    Raises:
        CoverageError: Nothing is left.
    """
    count = len(ring)
    result = []
    for index in range(count):
        a, b, c = ring[index - 1], ring[index], ring[(index + 1) % count]
        n1, n2 = _inward(a, b), _inward(b, c)
        scale = metres / (1.0 + n1.east * n2.east + n1.north * n2.north)
        result.append(
            Point(b.east + (n1.east + n2.east) * scale, b.north + (n1.north + n2.north) * scale)
        )
    for index in range(count):
        a, b = ring[index], ring[(index + 1) % count]
        c, d = result[index], result[(index + 1) % count]
        if (b.east - a.east) * (d.east - c.east) + (b.north - a.north) * (d.north - c.north) <= 0:
            raise CoverageError(f"the field is too small for a headland of {metres:.0f} m")
    return result


def _counter_clockwise(corners: Sequence[Point]) -> list[Point]:
    ring = list(corners)
    if len(ring) < 3:
        raise CoverageError("a field needs at least three corners")
    if sum(_cross(ring[0], a, b) for a, b in pairwise(ring[1:])) < 0:
        ring.reverse()
    for index, corner in enumerate(ring):
        if _cross(ring[index - 1], corner, ring[(index + 1) % len(ring)]) <= 0:
            raise CoverageError(
                "the field must be convex (no corner pointing inwards); split it into several"
            )
    return ring


def _cross(a: Point, b: Point, c: Point) -> float:
    return (b.east - a.east) * (c.north - a.north) - (b.north - a.north) * (c.east - a.east)


def _inward(a: Point, b: Point) -> Point:
    length = math.dist(a, b)
    return Point(-(b.north - a.north) / length, (b.east - a.east) / length)


def _lanes(
    ring: Sequence[Point], inside: Sequence[Point], width_m: float
) -> list[tuple[Point, Point]]:
    a, b = max(
        zip(ring, [*ring[1:], ring[0]], strict=True), key=lambda edge: math.dist(edge[0], edge[1])
    )
    length = math.dist(a, b)
    along = Point((b.east - a.east) / length, (b.north - a.north) / length)
    across = Point(-along.north, along.east)
    turned = [
        (p.east * along.east + p.north * along.north, p.east * across.east + p.north * across.north)
        for p in inside
    ]
    low, high = min(v for _, v in turned), max(v for _, v in turned)
    count = max(2, math.ceil((high - low) / width_m - 1e-9))
    count += count % 2
    if count > MAX_LANES:
        raise CoverageError(f"{count} lanes, at most {MAX_LANES}: the implement is too narrow")
    spacing = (high - low) / count
    lanes: list[tuple[Point, Point]] = []
    for index in range(count):
        v = low + (index + 0.5) * spacing
        spans = [
            _span(turned, min(max(v + side * spacing, low + 1e-6), high - 1e-6))
            for side in (-0.5, 0.0, 0.5)
        ]
        left, right = min(s for s, _ in spans), max(e for _, e in spans)
        start, end = (
            Point(u * along.east + v * across.east, u * along.north + v * across.north)
            for u in (left, right)
        )
        lanes.append((end, start) if index % 2 else (start, end))
    return lanes


def _span(turned: Sequence[tuple[float, float]], v: float) -> tuple[float, float]:
    crossings = []
    for (u1, v1), (u2, v2) in zip(turned, [*turned[1:], turned[0]], strict=True):
        if (v1 - v) * (v2 - v) <= 0 and v1 != v2:
            crossings.append(u1 + (u2 - u1) * (v - v1) / (v2 - v1))
    return min(crossings), max(crossings)


def _u_turn(start: Point, end: Point, following: Point, headland: float) -> list[Point]:
    """A cubic curve that leaves the lane straight on and enters the next one."""
    length = math.dist(start, end)
    reach = headland * 1.1
    ahead = Point(
        (end.east - start.east) / length * reach, (end.north - start.north) / length * reach
    )
    points = []
    for step in range(1, 20):
        t = step / 20
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        points.append(
            Point(
                (a + b) * end.east + (c + d) * following.east + (b + c) * ahead.east,
                (a + b) * end.north + (c + d) * following.north + (b + c) * ahead.north,
            )
        )
    return points


def _walk_round(ring: Sequence[Point], near: Point) -> list[Point]:
    """Once around, beginning and ending at the corner nearest to `near`."""
    first = min(range(len(ring)), key=lambda index: math.dist(ring[index], near))
    return [*ring[first:], *ring[:first], ring[first]]


def _walk_to(ring: Sequence[Point], here: Point, there: Point) -> list[Point]:
    """From corner to corner until the one nearest to `there`."""
    first = min(range(len(ring)), key=lambda index: math.dist(ring[index], here))
    last = min(range(len(ring)), key=lambda index: math.dist(ring[index], there))
    if last < first:
        last += len(ring)
    return [ring[index % len(ring)] for index in range(first, last + 1)]
