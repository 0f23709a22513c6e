"""The way a vehicle drives: a line, its stops, and how fast each metre may be. Pure.

Built from GeoJSON (RFC 7946): a route is one LineString with Points (property
`name`) as stops; a field is one Polygon, covered by `vehicle_stub.coverage`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from vehicle_stub.coverage import CoverageError, coverage
from vehicle_stub.geo import Line, LocalFrame, Point, rounded

MAX_GEOJSON_BYTES: Final = 4 << 20
MAX_POINTS: Final = 20_000
MAX_LENGTH_M: Final = 200_000.0
LATERAL_MPS2: Final = 0.9
"""Comfortable sideways acceleration of standing passengers, m/s²."""

SERVICE_MPS2: Final = 1.0
"""Ordinary acceleration and braking, m/s²."""


class CourseError(ValueError):
    """The GeoJSON cannot be driven."""


class Stop(NamedTuple):
    """A named place on the line."""

    at: float
    name: str


class Course:
    """A line with stops and a comfortable speed for each metre.

    Attributes:
        line: In metres of `frame`.
        frame: Degrees to metres.
        stops: In driving order.
        field: Corners of the field, empty for a route.
        cruise_mps: Speed on the straight.
    """

    def __init__(
        self,
        line: Line,
        frame: LocalFrame,
        cruise_mps: float,
        stops: Sequence[Stop] = (),
        field: Sequence[Point] = (),
        lane_width_m: float = 3.5,
    ) -> None:
        if line.length > MAX_LENGTH_M:
            raise CourseError(f"{line.length:.0f} m long, at most {MAX_LENGTH_M:.0f} m")
        self.line = line
        self.frame = frame
        self.cruise_mps = cruise_mps
        self.stops = sorted(stops)
        self.field = list(field)
        self.lane_width_m = lane_width_m
        self._comfortable = self._speeds()

    def comfortable_mps(self, distance: float) -> float:
        """Return the speed at `distance` from which every bend ahead is comfortable."""
        index = int(self.line.wrap(distance))
        return self._comfortable[min(index, len(self._comfortable) - 1)]

    def curvature(self, distance: float) -> float:
        """Return the line's curvature there, 1/m, positive to the left (ISO 8855)."""
        turn = self.line.heading_at(distance + 3.0) - self.line.heading_at(distance - 3.0)
        return -_angle(turn) / 6.0

    def degrees(self, most: int) -> list[tuple[float, float]]:
        """Return at most `most` places of the line as (longitude, latitude)."""
        points = self.line.points
        step = max(1, math.ceil((len(points) - 1) / max(1, most - 1)))
        kept = [*points[:-1:step], points[-1]]
        return [
            (round(longitude, 7), round(latitude, 7))
            for longitude, latitude in (self.frame.to_degrees(*point) for point in kept)
        ]

    def next_stop(self, distance: float) -> Stop | None:
        """Return the first stop at or after `distance`, wrapping on a closed line."""
        for stop in self.stops:
            if stop.at >= distance:
                return stop
        return self.stops[0] if self.stops and self.line.closed else None

    def _speeds(self) -> list[float]:
        """Curve speed sqrt(a·r), then backwards so that braking stays comfortable."""
        count = max(2, math.ceil(self.line.length))
        speeds = []
        for metre in range(count):
            turn = _angle(self.line.heading_at(metre + 3.0) - self.line.heading_at(metre - 3.0))
            bend = abs(turn) / 6.0
            curve = math.sqrt(LATERAL_MPS2 / bend) if bend > 1e-4 else self.cruise_mps
            speeds.append(min(self.cruise_mps, max(curve, 1.0)))
        for _ in range(2 if self.line.closed else 1):
            following = speeds[0] if self.line.closed else speeds[-1]
            for index in reversed(range(count)):
                following = min(speeds[index], math.sqrt(following**2 + 2 * SERVICE_MPS2 * 0.8))
                speeds[index] = following
        return speeds


def route_course(geojson: bytes, cruise_mps: float) -> Course:
    """Return the course of a route.

    Raises:
        CourseError: Not GeoJSON, no LineString, or a line that cannot be driven.
    """
    features = _features(geojson)
    lines = [g["coordinates"] for g, _ in features if g.get("type") == "LineString"]
    if len(lines) != 1:
        raise CourseError(f"expected one LineString, found {len(lines)}")
    corners = [_position(value) for value in _array(lines[0])]
    if len(corners) < 2:
        raise CourseError("a route needs at least two points")
    frame = _frame(corners)
    points = [frame.to_metres(*corner) for corner in corners]
    try:
        line = Line(rounded(points, 14.0) if len(points) > 2 else points)
    except ValueError as error:
        raise CourseError(str(error)) from error
    stops = []
    for geometry, properties in features:
        if geometry.get("type") == "Point":
            place = frame.to_metres(*_position(geometry["coordinates"]))
            name = str(properties.get("name", ""))[:64]
            stops.append(Stop(line.nearest(place), name))
    return Course(line, frame, cruise_mps, stops)


def field_course(geojson: bytes, cruise_mps: float, implement_width_m: float) -> Course:
    """Return the course that works a field.

    Raises:
        CourseError: Not GeoJSON, no Polygon, or a field that cannot be covered.
    """
    features = _features(geojson)
    rings = [g["coordinates"] for g, _ in features if g.get("type") == "Polygon"]
    if len(rings) != 1 or not _array(rings[0]):
        raise CourseError(f"expected one Polygon, found {len(rings)}")
    corners = [_position(value) for value in _array(rings[0][0])]
    if len(corners) < 4 or corners[0] != corners[-1]:
        raise CourseError("a Polygon's ring has at least four points and ends where it begins")
    frame = _frame(corners)
    field = [frame.to_metres(*corner) for corner in corners[:-1]]
    try:
        line = Line(coverage(field, implement_width_m))
    except CoverageError as error:
        raise CourseError(str(error)) from error
    return Course(line, frame, cruise_mps, (), field, implement_width_m)


def _features(geojson: bytes) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    if len(geojson) > MAX_GEOJSON_BYTES:
        raise CourseError(f"larger than {MAX_GEOJSON_BYTES} bytes")
    try:
        data = msgspec.json.decode(geojson)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CourseError(f"not JSON: {str(error)[:200]}") from error
    found = data.get("features") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise CourseError("not a GeoJSON FeatureCollection")
    features = []
    for feature in found[:MAX_POINTS]:
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if isinstance(geometry, dict) and "coordinates" in geometry:
            properties = feature.get("properties")
            features.append((geometry, properties if isinstance(properties, dict) else {}))
    return features


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_POINTS:
        raise CourseError(f"coordinates: expected an array of at most {MAX_POINTS} positions")
    return value


def _position(value: Any) -> tuple[float, float]:
    match value:
        case [int() | float() as longitude, int() | float() as latitude, *_]:
            if -180 <= longitude <= 180 and -85 <= latitude <= 85:
                return float(longitude), float(latitude)
    raise CourseError(f"coordinates: {str(value)[:60]} is not [longitude, latitude]")


def _frame(corners: Sequence[tuple[float, float]]) -> LocalFrame:
    count = len(corners)
    return LocalFrame(
        sum(longitude for longitude, _ in corners) / count,
        sum(latitude for _, latitude in corners) / count,
    )


def _angle(radians: float) -> float:
    return (radians + math.pi) % (2 * math.pi) - math.pi
