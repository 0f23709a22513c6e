"""Ways beside the line: those a vehicle offers, and those it is given. Pure.

A path is a list of (metres from here along the line, metres to its left). What is given
comes as places on earth, and has to lie in the vehicle's own envelope: from where it
stands, onwards along its line, never far from it, never sharper than it can steer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from protocols.fields import Position
from protocols.vehicle import PathOption
from vehicle_stub.drive import Drive
from vehicle_stub.geo import Line, Point
from vehicle_stub.sideways import MAX_OFFSET_M

Path = list[tuple[float, float]]

PASS_M: Final = 3.0
"""Sideways, to pass what stands on the line."""

PASS_MPS: Final = 2.0

START_M: Final = 5.0
"""The first point is at most so far from the vehicle."""

GAP_M: Final = 30.0
"""Between two points."""

LENGTH_M: Final = 400.0
STEEPEST: Final = 0.5
"""Sideways on along: what is sharper than that it cannot follow."""

MARGIN_M: Final = 0.5
SPEED_MARGIN_MPS: Final = 0.01


class PathError(ValueError):
    """The path is outside the vehicle's envelope; the text says how."""


def offered(drive: Drive, gap_m: float) -> tuple[list[PathOption], dict[str, Path]]:
    """Return the ways round what stands `gap_m` ahead, for the map and for the drive."""
    options, paths = [], {}
    for option_id, side, text in (
        ("pass-right", -PASS_M, "右側を通過 / Pass on the right"),
        ("pass-left", PASS_M, "左側を通過 / Pass on the left"),
    ):
        path = [
            (0.0, drive.sideways.offset),
            (max(1.0, gap_m - 2.0), side),
            (gap_m + 6.0, side),
            (gap_m + 20.0, 0.0),
        ]
        paths[option_id] = path
        options.append(PathOption(option_id, text, places(drive, path)))
    return options, paths


def places(drive: Drive, path: Path) -> list[Position]:
    """Return the path as places on earth, for the map."""
    shown = []
    for ahead, offset in path:
        place = _beside(drive.course.line, drive.distance + ahead, offset)
        longitude, latitude = drive.course.frame.to_degrees(*place)
        shown.append((round(longitude, 7), round(latitude, 7)))
    return shown


def given(drive: Drive, points: Sequence[Position], max_speed_mps: float) -> Path:
    """Return the path through these places.

    Raises:
        PathError: It is outside the envelope.
    """
    own_mps = drive.course.cruise_mps
    if max_speed_mps > own_mps + SPEED_MARGIN_MPS:
        raise PathError(f"{max_speed_mps:.2f} m/s, this vehicle drives at most {own_mps:.2f}")
    pose = drive.pose()
    path: Path = []
    along = drive.distance
    last = Point(pose.east, pose.north)
    for number, place in enumerate(points):
        point = drive.course.frame.to_metres(*place)
        step = math.hypot(point.east - last.east, point.north - last.north)
        if step > (GAP_M if number else START_M):
            raise PathError(f"point {number} is {step:.0f} m away from the one before it")
        along, offset = _nearest(drive.course.line, point, along, step)
        if abs(offset) > MAX_OFFSET_M:
            raise PathError(f"point {number} is {abs(offset):.1f} m beside the course")
        path.append((along - drive.distance, offset))
        last = point
    _check_steering([(0.0, drive.sideways.offset), *path])
    return path


def _check_steering(path: Path) -> None:
    for number, (before, after) in enumerate(pairwise(path)):
        aside = abs(after[1] - before[1]) - MARGIN_M
        if aside > STEEPEST * (after[0] - before[0]):
            raise PathError(f"point {number} cannot be reached: too sharp")
    if path[-1][0] < 1.0:
        raise PathError("the path does not lead on")
    if path[-1][0] > LENGTH_M:
        raise PathError(f"{path[-1][0]:.0f} m long, at most {LENGTH_M:.0f}")


def _nearest(line: Line, point: Point, along: float, reach: float) -> tuple[float, float]:
    """Return where the line passes closest, not before `along`, and the offset there."""
    steps = math.ceil(reach + 2.0 * MAX_OFFSET_M) * 2
    best, best_gap = along, math.inf
    for number in range(steps + 1):
        at = along + number / 2
        here = line.at(at)
        gap = math.hypot(point.east - here.east, point.north - here.north)
        if gap < best_gap:
            best, best_gap = at, gap
    here = line.at(best)
    heading = line.heading_at(best)
    left = (here.east - point.east) * math.cos(heading) + (point.north - here.north) * math.sin(
        heading
    )
    return best, math.copysign(best_gap, left)


def _beside(line: Line, along: float, offset: float) -> Point:
    here, heading = line.at(along), line.heading_at(along)
    return Point(here.east - math.cos(heading) * offset, here.north + math.sin(heading) * offset)
