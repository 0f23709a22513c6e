"""A street seen from a bus: road surface, lane marks, houses, trees, what stands ahead.

The ground is an inverse mapping row by row: every picture row shows one distance,
so it is one row of the surface texture, sampled through a table that was computed
once. Per frame only the texture row (how far the bus is) and a sideways shift (where
the course bends to) change.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vehicle_stub.course import Course
from vehicle_stub.drive import pose_at
from vehicle_stub.picture import Picture, Plane
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.view import BackLayer, Colour, Panorama, View, draw_obstacle, tree_sprite

CAMERA_M: Final = 2.6
HALF_WIDTH_M: Final = 40.0
LATERAL_M: Final = 0.05
ALONG_M: Final = 0.125
PERIOD_M: Final = 40.0
LEVELS: Final = 6
FAR_M: Final = 220.0
WALL_LEFT_M: Final = -8.6
WALL_RIGHT_M: Final = 12.2
WALL_CELL_M: Final = 0.25
WALL_PERIOD_M: Final = 240.0
WALL_HEIGHT_M: Final = 26.0
TREE_EVERY_M: Final = 14.0
BACK_EVERY: Final = 2
"""Houses and trees are drawn anew in one picture of so many; the road in each."""

Indices = NDArray[np.intp]
Doubles = NDArray[np.float64]


class RoadScene:
    """Draws the street along one course."""

    def __init__(self, width: int, height: int, course: Course) -> None:
        self._course = course
        self._view = View(width, height, CAMERA_M)
        self._back = BackLayer(self._view)
        self._panorama = Panorama(self._view, hills=0.09, near=Colour(96, 122, 126), seed=3)
        self._surface = [_levels(plane) for plane in _street()]
        self._walls = facades()
        self._trees = [tree_sprite(7.5, 9.5, seed, Colour(86, 106, 118)) for seed in (11, 12, 13)]
        self._make_tables()
        self._ahead = np.concatenate((np.arange(0.0, 60.0, 1.5), np.geomspace(60.0, FAR_M, 30)))
        self._samples = _sampled(course)
        self._drawn = 0

    def draw(self, picture: Picture, seen: Snapshot, now_ns: int) -> None:
        """Draw what the front camera sees now."""
        distance = seen.distance + seen.speed * max(0, now_ns - seen.at_ns) / 1e9
        heading = pose_at(self._course, distance).heading - seen.angle
        arc, forward, right = _from_beside(*self._course_ahead(distance), seen.offset, seen.angle)
        self._drawn += 1
        if self._drawn % BACK_EVERY == 1:
            self._back.begin(self._panorama, heading)
            self._draw_walls(distance, arc, forward, right)
            self._draw_trees(distance, arc, forward, right)
        self._back.put_sky(picture)
        self._draw_ground(picture, distance, arc, forward, right)
        self._back.put_standing(picture)
        if seen.obstacle_m is not None:
            gap = max(3.0, seen.obstacle_m - (distance - seen.distance))
            where = float(np.interp(gap, arc, right))
            ahead = float(np.interp(gap, arc, forward))
            lamps = now_ns // 500_000_000 % 2 == 0
            draw_obstacle(picture, self._view, where, ahead, lamps=lamps)

    # ---------------------------------------------------------------------- ground

    def _make_tables(self) -> None:
        view = self._view
        z = view.row_distance.astype(np.float64)
        self._pad = view.width
        reach = np.arange(-self._pad, view.width + self._pad) - view.width / 2 + 0.5
        lateral = (reach[None, :] / view.focal * z[:, None] + HALF_WIDTH_M) / LATERAL_M
        columns = round(2 * HALF_WIDTH_M / LATERAL_M)
        self._table: Indices = np.clip(lateral, 0, columns - 1).astype(np.intp)
        self._half_table: Indices = np.ascontiguousarray(self._table[::2, ::2])
        footprint = z * z / (view.focal * view.height_m) / ALONG_M
        self._level = np.clip(np.log2(np.maximum(footprint, 1.0)), 0, LEVELS - 1).astype(int)

    def _draw_ground(
        self, picture: Picture, distance: float, arc: Doubles, forward: Doubles, right: Doubles
    ) -> None:
        view = self._view
        z = view.row_distance.astype(np.float64)
        sideways = np.interp(z, forward, right)
        shift = np.clip(np.round(view.focal * sideways / z), -self._pad, self._pad)
        starts = (self._pad - shift).astype(int).tolist()
        along = np.interp(z, forward, arc)
        rows = round(PERIOD_M / ALONG_M)
        texture_row = (((distance + along) / ALONG_M).astype(int) % rows).tolist()
        levels = self._level.tolist()
        width, half, top = view.width, view.width // 2, view.horizon
        luma, cb_levels, cr_levels = self._surface
        # Two picture rows share one row of the surface: half the gathers, and at this
        # slant hardly a difference. Bound methods: numpy's function of the same name
        # costs as much as the gather of a row.
        for row in range(0, len(starts), 2):
            level, line = levels[row], texture_row[row]
            start, target = starts[row], top + row
            index = self._table[row, start : start + width]
            luma[level][line].take(index, out=picture.luma[target], mode="clip")
            start, target = start // 2, target // 2
            index = self._half_table[row // 2, start : start + half]
            cb_levels[level][line].take(index, out=picture.cb[target], mode="clip")
            cr_levels[level][line].take(index, out=picture.cr[target], mode="clip")
        ground = picture.luma[top : top + len(starts)]
        ground[1::2] = ground[0 : len(starts) - 1 : 2]

    # ------------------------------------------------------------- what stands there

    def _draw_walls(self, distance: float, arc: Doubles, forward: Doubles, right: Doubles) -> None:
        view, back = self._view, self._back
        focal = view.focal / 2
        middle = view.width / 4
        near = forward > 2.5
        z, x, s = forward[near], right[near], arc[near]
        inverse = 1.0 / z
        columns = np.arange(back.y.shape[1])
        left = np.maximum.accumulate(middle + focal * (x + WALL_LEFT_M) * inverse)
        right_edge = np.maximum.accumulate(-(middle + focal * (x + WALL_RIGHT_M) * inverse))
        by_left = np.interp(columns, left, inverse, left=inverse[0], right=0.0)
        by_right = np.interp(-columns, right_edge, inverse, left=inverse[0], right=0.0)
        closeness = np.maximum(np.maximum(by_left, by_right), 1.0 / (FAR_M * 2))
        open_view = (by_left <= 0) & (by_right <= 0)
        z_column = 1.0 / closeness
        s_column = np.interp(z_column, z, s)
        side = np.where(by_left >= by_right, 0.0, WALL_PERIOD_M / 2)
        cells = round(WALL_PERIOD_M / WALL_CELL_M)
        texture_column = ((distance + s_column + side) / WALL_CELL_M).astype(np.intp) % cells
        rows = np.arange(back.y.shape[0], dtype=np.float32)[:, None]
        per_row = (z_column / focal / WALL_CELL_M).astype(np.float32)
        height = (view.horizon / 2 - rows) * per_row + np.float32(CAMERA_M / WALL_CELL_M + 1)
        top = round(WALL_HEIGHT_M / WALL_CELL_M)
        np.clip(height, 0, top, out=height)
        index = height.astype(np.intp)
        index *= cells
        index += texture_column
        y = np.take(self._walls[0], index)
        solid = y > 0
        solid[:, open_view] = False
        haze = ((1.0 - np.exp(-z_column / 160.0)) * 255).astype(np.uint16)
        hazy = (y * (256 - haze) + 196 * haze) >> 8
        np.copyto(back.y, hazy.astype(np.uint8), where=solid)
        np.copyto(back.cb, np.take(self._walls[1], index), where=solid)
        np.copyto(back.cr, np.take(self._walls[2], index), where=solid)
        back.solid |= solid

    def _draw_trees(self, distance: float, arc: Doubles, forward: Doubles, right: Doubles) -> None:
        first = math.ceil((distance + 7.0) / TREE_EVERY_M)
        for number in reversed(range(first, first + 8)):
            for lateral, offset in ((8.7, TREE_EVERY_M / 2), (-5.4, 0.0)):
                gap = number * TREE_EVERY_M + offset - distance
                ahead = float(np.interp(gap, arc, forward))
                if 6.5 < ahead < 110.0:
                    where = float(np.interp(gap, arc, right)) + lateral
                    sprite = self._trees[(number * 7 + int(lateral)) % len(self._trees)]
                    self._back.stamp(sprite, where, ahead)

    # ---------------------------------------------------------------------- course

    def _course_ahead(self, distance: float) -> tuple[Doubles, Doubles, Doubles]:
        """Return arc length, forward and rightward metres of the course ahead.

        Forward rises strictly: where the course turns away by more than a right
        angle, it is continued in its last visible direction.
        """
        pose = pose_at(self._course, distance)
        east, north = self._samples
        place = distance + self._ahead
        if self._course.line.closed:
            place = place % self._course.line.length
        index = np.minimum(place, len(east) - 2).astype(np.intp)
        share = np.clip(place - index, 0.0, 1.0)
        x = east[index] + (east[index + 1] - east[index]) * share - pose.east
        y = north[index] + (north[index + 1] - north[index]) * share - pose.north
        sine, cosine = math.sin(pose.heading), math.cos(pose.heading)
        forward, right = x * sine + y * cosine, x * cosine - y * sine
        steps = np.diff(forward)
        turning = np.flatnonzero(steps < 0.25 * np.diff(self._ahead))
        end = int(turning[0]) + 1 if len(turning) else len(forward)
        arc, forward, right = self._ahead[:end], forward[:end], right[:end]
        slope = 0.0
        if end > 1:
            slope = float((right[-1] - right[-2]) / max(0.1, forward[-1] - forward[-2]))
        reach = 4 * FAR_M
        return (
            np.append(arc, arc[-1] + reach),
            np.append(forward, forward[-1] + reach),
            np.append(right, right[-1] + reach * max(-4.0, min(4.0, slope))),
        )


def _sampled(course: Course) -> tuple[Doubles, Doubles]:
    count = math.ceil(course.line.length) + 2
    points = [course.line.at(float(metre)) for metre in range(count)]
    return np.array([p.east for p in points]), np.array([p.north for p in points])


def _street() -> tuple[Plane, Plane, Plane]:
    """The surface: rows along (`ALONG_M`), columns across (`LATERAL_M`). Left-hand traffic."""
    random = np.random.default_rng(5)
    rows, columns = round(PERIOD_M / ALONG_M), round(2 * HALF_WIDTH_M / LATERAL_M)
    x = (np.arange(columns) + 0.5) * LATERAL_M - HALF_WIDTH_M
    s = (np.arange(rows) + 0.5) * ALONG_M
    y = np.full((rows, columns), 86.0)
    cb = np.full((rows, columns), 130.0)
    cr = np.full((rows, columns), 127.0)
    y += random.normal(0, 5, (rows, columns)) + random.normal(0, 4, (rows, 1))

    def band(low: float, high: float, c: Colour, grain: float = 4.0) -> None:
        where = (x >= low) & (x < high)
        y[:, where] = c.y + random.normal(0, grain, (rows, int(where.sum())))
        cb[:, where], cr[:, where] = c.cb, c.cr

    band(-HALF_WIDTH_M, -2.55, Colour(150, 124, 131), 7)
    band(6.05, HALF_WIDTH_M, Colour(150, 124, 131), 7)
    band(-8.6, -6.4, Colour(120, 126, 129), 6)
    band(-6.1, -4.7, Colour(92, 112, 124), 14)
    band(8.0, 9.4, Colour(92, 112, 124), 14)
    band(-2.7, -2.4, Colour(178, 127, 128), 3)
    band(5.9, 6.2, Colour(178, 127, 128), 3)
    tiles = (s % 1.0 < ALONG_M)[:, None] & (((x < -2.7) & (x > -4.7)) | ((x > 6.2) & (x < 8.0)))
    y[tiles] -= 26
    wheels = np.exp(-(((np.abs(x) - 0.85) / 0.3) ** 2)) + np.exp(
        -(((np.abs(x - 3.35) - 0.85) / 0.3) ** 2)
    )
    y -= 7 * wheels
    white = Colour(214, 128, 128)
    for low, high, dashed in ((-1.85, -1.7, False), (1.6, 1.78, True), (5.05, 5.2, False)):
        on = (s % 10.0 < 5.0) if dashed else np.ones(rows, np.bool_)
        where = np.ix_(on, (x >= low) & (x < high))
        y[where] = white.y + random.normal(0, 8, y[where].shape)
        cb[where], cr[where] = white.cb, white.cr
    for at, lateral, length, wide, luma in (
        (7.0, 0.1, 0.7, 0.7, 58),
        (18.0, -0.7, 3.0, 1.3, 70),
        (25.0, 3.6, 0.7, 0.7, 58),
        (33.0, 2.6, 4.0, 1.6, 74),
    ):
        where = np.ix_((s >= at) & (s < at + length), (x >= lateral) & (x < lateral + wide))
        y[where] = luma + random.normal(0, 4, y[where].shape)
    return (
        np.clip(y, 20, 230).astype(np.uint8),
        cb.astype(np.uint8),
        cr.astype(np.uint8),
    )


def _from_beside(
    arc: Doubles, forward: Doubles, right: Doubles, offset: float, angle: float
) -> tuple[Doubles, Doubles, Doubles]:
    """Return the course as seen `offset` metres to its left, turned `angle` to the left."""
    if offset == 0.0 and angle == 0.0:
        return arc, forward, right
    sine, cosine = math.sin(angle), math.cos(angle)
    aside = right + offset
    ahead = forward * cosine - aside * sine
    # It still rises strictly, as everything that interpolates over it needs.
    ahead = np.maximum.accumulate(ahead + np.arange(len(ahead)) * 1e-6)
    return arc, ahead, forward * sine + aside * cosine


def _levels(plane: Plane) -> list[Plane]:
    """The plane and ever coarser means of it, so that the far road does not glitter."""
    levels = [plane]
    smooth = plane.astype(np.float64)
    for level in range(1, LEVELS):
        reach = 2 ** (level - 1)
        smooth = (np.roll(smooth, reach, axis=0) + np.roll(smooth, -reach, axis=0)) / 2
        across = max(1, 2 ** (level - 2))
        smooth = (smooth * 2 + np.roll(smooth, across, 1) + np.roll(smooth, -across, 1)) / 4
        levels.append(smooth.astype(np.uint8))
    return levels


def facades() -> tuple[Plane, Plane, Plane]:
    """Houses along the street: rows upwards from row 1, 0 in luma where there is none."""
    random = np.random.default_rng(9)
    rows = round(WALL_HEIGHT_M / WALL_CELL_M) + 1
    columns = round(WALL_PERIOD_M / WALL_CELL_M)
    y = np.zeros((rows, columns))
    cb, cr = np.full((rows, columns), 128.0), np.full((rows, columns), 128.0)
    column = 0
    while column < columns:
        wide = min(columns - column, int(random.integers(28, 90)))
        if random.random() < 0.12:
            column += wide // 2
            continue
        tall = int(random.choice((22, 30, 34, 46, 60, 78)) + random.integers(0, 6))
        wall = Colour(
            int(random.integers(118, 196)),
            int(random.integers(116, 132)),
            int(random.integers(124, 142)),
        )
        house = np.s_[1 : 1 + tall, column : column + wide]
        y[house], cb[house], cr[house] = wall
        y[1 + tall - 2 : 1 + tall, column : column + wide] -= 30
        for floor in range(1, tall // 12 + 1):
            bottom = 1 + floor * 12 + 3
            for window in range(column + 4, column + wide - 7, 11):
                if bottom + 6 < tall:
                    pane = np.s_[bottom : bottom + 6, window : window + 7]
                    y[pane] = int(random.integers(62, 104))
                    cb[pane], cr[pane] = 136, 122
        shop = np.s_[2:10, column + 3 : column + wide - 3]
        y[shop] = int(random.integers(58, 120))
        cb[shop], cr[shop] = int(random.integers(112, 142)), int(random.integers(116, 150))
        sign = np.s_[11:13, column + 3 : column + wide - 3]
        y[sign] = int(random.integers(120, 215))
        cb[sign], cr[sign] = int(random.integers(96, 160)), int(random.integers(96, 170))
        column += wide
    y[0] = 0
    return np.clip(y, 0, 230).astype(np.uint8), cb.astype(np.uint8), cr.astype(np.uint8)
