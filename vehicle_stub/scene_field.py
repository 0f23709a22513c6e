"""A field seen from a tractor: rows of the crop, headland, a windbreak, a barn.

The ground is an inverse mapping of the world: each picture row is a straight line
on the ground, so its texture coordinates are linear in the column. The texture
covers the field and its surroundings; beyond it there is even grass.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vehicle_stub.course import Course
from vehicle_stub.drive import beside, pose_at
from vehicle_stub.geo import Point, Pose
from vehicle_stub.picture import Picture, Plane
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.view import (
    BackLayer,
    Colour,
    Panorama,
    Sprite,
    View,
    draw_obstacle,
    fill,
    tree_sprite,
)

CAMERA_M: Final = 2.8
CELL_M: Final = 0.08
MARGIN_M: Final = 22.0
ROW_M: Final = 0.72
MAX_CELLS: Final = 6_000_000
GRASS: Final = Colour(112, 104, 122)


class FieldScene:
    """Draws the field of one course."""

    def __init__(self, width: int, height: int, course: Course) -> None:
        self._course = course
        self._view = View(width, height, CAMERA_M)
        self._back = BackLayer(self._view)
        self._panorama = Panorama(self._view, hills=0.05, near=Colour(70, 118, 122), seed=8)
        field = course.field
        self._east = min(p.east for p in field) - MARGIN_M
        self._north = min(p.north for p in field) - MARGIN_M
        wide = max(p.east for p in field) + MARGIN_M - self._east
        tall = max(p.north for p in field) + MARGIN_M - self._north
        self._cell = max(CELL_M, math.sqrt(wide * tall / MAX_CELLS))
        self._shape = (math.ceil(tall / self._cell), math.ceil(wide / self._cell))
        self._planes = _ground(course, self._east, self._north, self._cell, self._shape)
        columns = (np.arange(0, width, 2) + 1 - width / 2) / self._view.focal
        self._columns: NDArray[np.float32] = columns.astype(np.float32)
        self._standing = _standing(field)

    def draw(self, picture: Picture, seen: Snapshot, now_ns: int) -> None:
        """Draw what the front camera sees now."""
        distance = seen.distance + seen.speed * max(0, now_ns - seen.at_ns) / 1e9
        pose = beside(pose_at(self._course, distance), seen.offset, seen.angle)
        self._back.begin(self._panorama, pose.heading)
        self._draw_standing(pose)
        self._back.put_sky(picture)
        self._draw_ground(picture, pose)
        self._back.put_standing(picture)
        if seen.obstacle_m is not None:
            gap = max(3.0, seen.obstacle_m - (distance - seen.distance))
            right, ahead = _seen_from(pose, self._course.line.at(distance + gap))
            lamps = now_ns // 500_000_000 % 2 == 0
            if ahead > 2.0:
                draw_obstacle(picture, self._view, right, ahead, lamps=lamps)
        self._draw_bonnet(picture)

    def _draw_ground(self, picture: Picture, pose: Pose) -> None:
        view = self._view
        z = view.row_distance[:, None]
        sine, cosine = math.sin(pose.heading), math.cos(pose.heading)
        per_cell = np.float32(1.0 / self._cell)
        rows, columns = self._shape
        along = np.float32(sine) + np.float32(cosine) * self._columns
        x = z * (along * per_cell)
        x += np.float32((pose.east - self._east) / self._cell)
        np.clip(x, 0, columns - 1, out=x)
        along = np.float32(cosine) - np.float32(sine) * self._columns
        y = z * (along * per_cell)
        y += np.float32((pose.north - self._north) / self._cell)
        np.clip(y, 0, rows - 1, out=y)
        index = y.astype(np.intp)
        index *= columns
        index += x.astype(np.intp)
        luma = np.take(self._planes[0], index)
        picture.luma[view.horizon :, 0::2] = luma
        picture.luma[view.horizon :, 1::2] = luma
        half = index[::2]
        np.take(self._planes[1], half, out=picture.cb[view.horizon // 2 :], mode="clip")
        np.take(self._planes[2], half, out=picture.cr[view.horizon // 2 :], mode="clip")

    def _draw_standing(self, pose: Pose) -> None:
        seen = []
        for place, sprite in self._standing:
            right, ahead = _seen_from(pose, place)
            if 4.0 < ahead < 260.0 and abs(right) < ahead + 8.0:
                seen.append((ahead, right, sprite))
        for ahead, right, sprite in sorted(seen, key=lambda entry: -entry[0]):
            self._back.stamp(sprite, right, ahead)

    def _draw_bonnet(self, picture: Picture) -> None:
        width, height = picture.width, picture.height
        top = height * 0.80
        for step in range(10):
            share = step / 10
            half = width * (0.085 + 0.055 * share)
            y0, y1 = top + (height - top) * share, top + (height - top) * (share + 0.1)
            fill(picture, width / 2 - half, y0, width / 2 + half, y1, Colour(74, 112, 168))
            inner = half * 0.72
            shade = Colour(96 - step * 2, 110, 172)
            fill(picture, width / 2 - inner, y0, width / 2 + inner, y1, shade)
        fill(picture, width * 0.655, height * 0.62, width * 0.672, height, Colour(44, 128, 128))
        fill(
            picture,
            width * 0.650,
            height * 0.60,
            width * 0.677,
            height * 0.63,
            Colour(66, 128, 128),
        )


def _seen_from(pose: Pose, place: Point) -> tuple[float, float]:
    """Return metres to the right and ahead."""
    east, north = place.east - pose.east, place.north - pose.north
    sine, cosine = math.sin(pose.heading), math.cos(pose.heading)
    return east * cosine - north * sine, east * sine + north * cosine


def _ground(
    course: Course, east: float, north: float, cell: float, shape: tuple[int, int]
) -> tuple[Plane, Plane, Plane]:
    random = np.random.default_rng(4)
    rows, columns = shape
    e = (east + (np.arange(columns) + 0.5) * cell).astype(np.float32)[None, :]
    n = (north + (np.arange(rows) + 0.5) * cell).astype(np.float32)[:, None]
    edge = np.full(shape, np.inf, np.float32)
    field = course.field
    turn = sum(
        a.east * b.north - b.east * a.north
        for a, b in zip(field, [*field[1:], field[0]], strict=True)
    )
    longest, lane = 0.0, 0.0
    for a, b in zip(field, [*field[1:], field[0]], strict=True):
        length = math.dist(a, b)
        side = math.copysign(1.0, turn)
        inward = (-(b.north - a.north) / length * side, (b.east - a.east) / length * side)
        np.minimum(edge, (e - a.east) * inward[0] + (n - a.north) * inward[1], out=edge)
        if length > longest:
            longest, lane = length, math.atan2(b.north - a.north, b.east - a.east)
    across = e * np.float32(-math.sin(lane)) + n * np.float32(math.cos(lane))
    noise = random.normal(0, 1, shape).astype(np.float32)
    broad = np.repeat(
        np.repeat(random.normal(0, 1, (rows // 40 + 1, columns // 40 + 1)), 40, 0), 40, 1
    )
    broad = broad[:rows, :columns].astype(np.float32)
    y = np.full(shape, GRASS.y, np.float32) + noise * 9 + broad * 4
    cb = np.full(shape, GRASS.cb, np.uint8)
    cr = np.full(shape, GRASS.cr, np.uint8)
    track = (edge < -4.0) & (edge > -7.5)
    y[track] = 158 + noise[track] * 7
    cb[track], cr[track] = 118, 134
    inside = edge > 0
    crop = np.cos(across * np.float32(2 * math.pi / ROW_M)) > -0.1
    swath = np.floor(across / np.float32(course.lane_width_m)).astype(np.int32) % 2 == 0
    soil = inside & ~crop
    y[soil] = 84 + noise[soil] * 8 + broad[soil] * 3
    cb[soil], cr[soil] = 116, 142
    plants = inside & crop
    y[plants] = 124 + noise[plants] * 13 + broad[plants] * 5
    cb[plants], cr[plants] = 92, 116
    y[plants & swath] -= 14
    rim = np.abs(edge) < 0.35
    y[rim] = 98 + noise[rim] * 10
    cb[rim], cr[rim] = 112, 132
    border = 3
    for plane, value in ((y, GRASS.y), (cb, GRASS.cb), (cr, GRASS.cr)):
        plane[:border], plane[-border:] = value, value
        plane[:, :border], plane[:, -border:] = value, value
    return np.clip(y, 20, 225).astype(np.uint8), cb, cr


def _standing(field: list[Point]) -> list[tuple[Point, Sprite]]:
    """A windbreak on the north side, poles at the corners, a barn."""
    trees = [tree_sprite(5.0, 9.0, seed, Colour(74, 112, 118)) for seed in (21, 22, 23)]
    north = max(p.north for p in field) + 16.0
    west, east = min(p.east for p in field), max(p.east for p in field)
    count = max(2, round((east - west) / 7.0))
    standing = [
        (Point(west + (east - west) * i / count, north + 1.5 * (i % 3)), trees[i % 3])
        for i in range(count + 1)
    ]
    standing.append((Point(east + 34.0, north - 30.0), _barn()))
    standing += [(corner, _pole()) for corner in field]
    south = min(p.north for p in field) - 14.0
    standing += [(Point(west - 10.0 + 31.0 * i, south), trees[i % 3]) for i in range(4)]
    return standing


def _barn() -> Sprite:
    rows, columns = 120, 200
    v, u = np.mgrid[0:rows, 0:columns]
    roof = (v < 52) & (np.abs(u - 100) < 62 + v * 0.75)
    wall = (v >= 50) & (u > 8) & (u < 192)
    y = np.where(roof, 96 + (u // 8 % 2) * 8, 178 - (u // 10 % 2) * 6).astype(np.uint8)
    cb = np.where(roof, 118, 124).astype(np.uint8)
    cr = np.where(roof, 166, 130).astype(np.uint8)
    door = (v > 70) & (u > 74) & (u < 126)
    y[door], cb[door], cr[door] = 70, 128, 128
    return Sprite(22.0, 11.0, y, cb, cr, roof | wall)


def _pole() -> Sprite:
    y = np.where(np.arange(40) // 8 % 2 == 0, 70, 222).astype(np.uint8)[:, None].repeat(6, axis=1)
    cr = np.where(np.arange(40) // 8 % 2 == 0, 200, 128).astype(np.uint8)[:, None].repeat(6, axis=1)
    return Sprite(0.12, 1.6, y, np.full_like(y, 120), cr, np.ones(y.shape, np.bool_))
