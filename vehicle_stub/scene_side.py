"""A street seen from a bus's side window: house fronts, pavement, lamp posts going by.

The camera looks square to the course, level. House fronts stand in one plane beside the
street, so they are one long picture that is drawn once and shifted; the pavement's joints
and the posts are nearer and pass faster. Bends are not drawn, only the sky turns.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vehicle_stub.course import Course
from vehicle_stub.drive import pose_at
from vehicle_stub.picture import Picture, Plane
from vehicle_stub.scene_road import (
    CAMERA_M,
    WALL_CELL_M,
    WALL_LEFT_M,
    WALL_PERIOD_M,
    WALL_RIGHT_M,
    facades,
)
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.view import BackLayer, Colour, Panorama, View, fill

POST_EVERY_M: Final = 23.0
POST_SHARE: Final = 0.55
"""Where the posts stand, as a share of the way to the houses."""

POST_TALL_M: Final = 7.0
JOINT_M: Final = 1.0
CELL_M: Final = 0.05
PERIOD_M: Final = 20.0


class SideScene:
    """Draws the street beside one course. `side`: -1 looks left, 1 right."""

    def __init__(self, width: int, height: int, course: Course, side: int) -> None:
        self._course = course
        self._side = side
        self._view = View(width, height, CAMERA_M)
        self._back = BackLayer(self._view)
        self._panorama = Panorama(self._view, hills=0.07, near=Colour(96, 122, 126), seed=3)
        self._wall_m = -WALL_LEFT_M if side < 0 else WALL_RIGHT_M
        self._per_m = self._view.focal / self._wall_m
        self._base = min(height, round(self._view.horizon + CAMERA_M * self._per_m) // 2 * 2)
        self._front = self._fronts()
        self._ground = self._pavement()

    def draw(self, picture: Picture, seen: Snapshot, now_ns: int) -> None:
        """Draw what this camera sees now."""
        distance = seen.distance + seen.speed * max(0, now_ns - seen.at_ns) / 1e9
        heading = pose_at(self._course, distance).heading + self._side * math.pi / 2
        self._back.begin(self._panorama, heading)
        self._back.put_sky(picture)
        self._draw_ground(picture, distance)
        self._draw_fronts(picture, distance)
        self._draw_posts(picture, distance)

    # ----------------------------------------------------------------------- houses

    def _fronts(self) -> tuple[Plane, Plane, Plane]:
        """One turn of house fronts, and a picture's width more, in picture pixels."""
        width = self._view.width
        turn = round(WALL_PERIOD_M * self._per_m) // 2 * 2
        columns = (np.arange(turn + width) % turn / self._per_m / WALL_CELL_M).astype(np.intp)
        up = (self._base - np.arange(self._base)) / self._per_m / WALL_CELL_M
        walls = facades()
        rows = np.clip(up, 0, walls[0].shape[0] - 1).astype(np.intp)
        rows[up >= walls[0].shape[0]] = 0
        full = [plane[np.ix_(rows, columns % plane.shape[1])] for plane in walls]
        # Seen to the left what lies ahead is to the right, seen to the right to the left.
        if self._side > 0:
            full = [plane[:, ::-1] for plane in full]
        self._turn = turn
        y, cb, cr = (np.ascontiguousarray(plane) for plane in full)
        return y, np.ascontiguousarray(cb[::2, ::2]), np.ascontiguousarray(cr[::2, ::2])

    def _draw_fronts(self, picture: Picture, distance: float) -> None:
        width, base = self._view.width, self._base
        moved = round(distance * self._per_m) // 2 * 2
        left = (moved if self._side < 0 else -moved) % self._turn
        y, cb, cr = self._front
        part = y[:, left : left + width]
        solid = part > 0
        np.copyto(picture.luma[:base], part, where=solid)
        half, narrow = left // 2, width // 2
        where = solid[::2, ::2]
        for target, plane in ((picture.cb, cb), (picture.cr, cr)):
            np.copyto(target[: base // 2], plane[:, half : half + narrow], where=where)

    # ----------------------------------------------------------------------- ground

    def _pavement(self) -> tuple[Plane, NDArray[np.int32]]:
        """Rows by distance, columns along; and where each pixel of the picture looks."""
        view = self._view
        rows = np.arange(self._base, view.height)
        away = view.focal * CAMERA_M / (rows - view.horizon + 0.5)
        along = np.arange(round(PERIOD_M / CELL_M)) * CELL_M
        random = np.random.default_rng(7 + self._side)
        y = np.full((len(rows), len(along)), 146.0) + random.normal(0, 6, (len(rows), len(along)))
        y[away < self._wall_m * 0.5] -= 52  # the road
        y[np.abs(away - self._wall_m * 0.5) < 0.16] = 184  # the kerb
        tiled = away > self._wall_m * 0.53
        y[np.ix_(tiled, along % JOINT_M < CELL_M)] -= 34
        reach = np.arange(view.width) - view.width / 2 + 0.5
        seen = -self._side * reach[None, :] * away[:, None] / view.focal / CELL_M
        return np.clip(y, 20, 230).astype(np.uint8), seen.astype(np.int32)

    def _draw_ground(self, picture: Picture, distance: float) -> None:
        base = self._base
        texture, seen = self._ground
        columns = (seen + round(distance / CELL_M)) % texture.shape[1]
        picture.luma[base:] = np.take_along_axis(texture, columns, axis=1)
        picture.luma[self._view.horizon : base] = 128
        picture.cb[self._view.horizon // 2 :] = 126
        picture.cr[self._view.horizon // 2 :] = 129

    def _draw_posts(self, picture: Picture, distance: float) -> None:
        view = self._view
        scale = view.focal / (self._wall_m * POST_SHARE)
        ground = view.horizon + CAMERA_M * scale
        reach = view.width / 2 / scale + 1.0
        first = math.ceil((distance - reach) / POST_EVERY_M)
        for number in range(first, math.floor((distance + reach) / POST_EVERY_M) + 1):
            ahead = number * POST_EVERY_M - distance
            middle = view.width / 2 - self._side * ahead * scale
            wide = 0.09 * scale
            top = ground - POST_TALL_M * scale
            fill(picture, middle - wide, top, middle + wide, ground, Colour(74, 128, 126))
