"""The synthetic camera's geometry and its back layer: sky, hills, walls, trees.

A pinhole looks level from `height_m` above the ground; the horizon lies at 44 % of
the picture. The back layer has half the picture's resolution, which is that of the
chroma planes, and is drawn first; the ground below the horizon has full resolution.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vehicle_stub.picture import Picture, Plane

Floats = NDArray[np.float32]

FIELD_OF_VIEW_RAD: Final = math.radians(70.0)
HORIZON_SHARE: Final = 0.44
BACK_BELOW_SHARE: Final = 0.29
"""How far below the horizon the back layer reaches, as a share of the height."""

MAX_SIZES: Final = 400
_SIZE_STEP: Final = 0.04
_LEAST_STEP: Final = 28


class Colour(NamedTuple):
    """Luma and the two chroma values, 8 bit, limited range."""

    y: int
    cb: int
    cr: int


class View:
    """Sizes and the projection.

    Attributes:
        focal: Pixels; `focal * metres / distance` is a length in the picture.
        horizon: Row of the horizon, even.
        back_rows: Rows of the back layer (half resolution).
    """

    def __init__(self, width: int, height: int, height_m: float) -> None:
        self.width = width
        self.height = height
        self.height_m = height_m
        self.focal = width / 2 / math.tan(FIELD_OF_VIEW_RAD / 2)
        self.horizon = round(height * HORIZON_SHARE) // 2 * 2
        below = round(height * BACK_BELOW_SHARE) // 2 * 2
        self.back_rows = (self.horizon + below) // 2
        rows = np.arange(self.horizon, height, dtype=np.float32)
        self.row_distance: Floats = (self.focal * height_m / (rows - self.horizon + 0.5)).astype(
            np.float32
        )


class BackLayer:
    """Sky and everything that stands, at half resolution.

    Attributes:
        y, cb, cr: Pixels.
        solid: Where something stands; below the horizon it hides the ground.
    """

    def __init__(self, view: View) -> None:
        shape = (view.back_rows, view.width // 2)
        self.view = view
        self.y: Plane = np.zeros(shape, np.uint8)
        self.cb: Plane = np.zeros(shape, np.uint8)
        self.cr: Plane = np.zeros(shape, np.uint8)
        self.solid: NDArray[np.bool_] = np.zeros(shape, np.bool_)
        self._sky = view.horizon // 2
        self._sizes: dict[tuple[int, int], Sprite] = {}

    def begin(self, panorama: Panorama, heading: float) -> None:
        """Clear, and show the sky in this direction."""
        panorama.show(self, heading, self._sky)
        self.solid[:] = False

    def stamp(self, sprite: Sprite, right: float, ahead: float) -> None:
        """Draw a sprite standing on the ground `right` and `ahead` metres from the camera."""
        view = self.view
        scale = view.focal / 2 / ahead
        # Sizes in steps of 4 %: a step is not seen, and scaling is done once a size.
        step = round(math.log(max(sprite.height_m * scale, 1.0)) / _SIZE_STEP)
        if step < _LEAST_STEP:
            return
        scaled = self._scaled(sprite, step)
        rows, columns = scaled.y.shape
        base = round(view.horizon / 2 + view.height_m * scale)
        left = round(view.width / 4 + right * scale - columns / 2)
        top = base - rows
        r0, r1 = max(top, 0), min(base, self.y.shape[0])
        c0, c1 = max(left, 0), min(left + columns, self.y.shape[1])
        if r0 >= r1 or c0 >= c1:
            return
        place = (slice(r0, r1), slice(c0, c1))
        part = (slice(r0 - top, r1 - top), slice(c0 - left, c1 - left))
        where = scaled.solid[part]
        np.copyto(self.y[place], scaled.y[part], where=where)
        np.copyto(self.cb[place], scaled.cb[part], where=where)
        np.copyto(self.cr[place], scaled.cr[part], where=where)
        self.solid[place] |= where

    def _scaled(self, sprite: Sprite, step: int) -> Sprite:
        key = (id(sprite), step)
        found = self._sizes.get(key)
        if found is None:
            if len(self._sizes) >= MAX_SIZES:
                self._sizes.clear()
            rows = round(math.exp(step * _SIZE_STEP))
            columns = max(2, round(rows * sprite.width_m / sprite.height_m))
            v = (np.arange(rows) * sprite.y.shape[0] // rows)[:, None]
            u = np.arange(columns) * sprite.y.shape[1] // columns
            found = Sprite(
                sprite.width_m,
                sprite.height_m,
                sprite.y[v, u],
                sprite.cb[v, u],
                sprite.cr[v, u],
                sprite.solid[v, u],
            )
            self._sizes[key] = found
        return found

    def put_sky(self, picture: Picture) -> None:
        """Write everything above the horizon into the picture."""
        rows = self._sky
        top = self.y[:rows]
        for dy in (0, 1):
            for dx in (0, 1):
                picture.luma[dy : 2 * rows : 2, dx::2] = top
        picture.cb[:rows] = self.cb[:rows]
        picture.cr[:rows] = self.cr[:rows]

    def put_standing(self, picture: Picture) -> None:
        """Write what stands before the ground, below the horizon."""
        first, last = self._sky, self.y.shape[0]
        solid = self.solid[first:last]
        columns = np.flatnonzero(solid.any(axis=0))
        if not len(columns):
            return
        below, where = self.y[first:last], solid
        for dy in (0, 1):
            for dx in (0, 1):
                target = picture.luma[2 * first + dy : 2 * last : 2, dx::2]
                np.copyto(target, below, where=where)
        np.copyto(picture.cb[first:last], self.cb[first:last], where=where)
        np.copyto(picture.cr[first:last], self.cr[first:last], where=where)


class Panorama:
    """All the way around: sky, clouds and a line of hills, one turn wide."""

    def __init__(self, view: View, *, hills: float, near: Colour, seed: int) -> None:
        self._per_radian = view.focal / 2
        turn = round(2 * math.pi * self._per_radian)
        rows = view.horizon // 2
        random = np.random.default_rng(seed)
        angle = np.linspace(0, 2 * math.pi, turn, endpoint=False)
        share = np.linspace(0, 1, rows)[:, None]
        y = 148 + 72 * share**1.5 + np.zeros((rows, turn))
        cb = 148 - 16 * share + np.zeros((rows, turn))
        cr = 108 + 14 * share + np.zeros((rows, turn))
        cloud = np.zeros((rows, turn))
        for _ in range(28):
            wave, tall = random.integers(2, 24), random.uniform(1.5, 9)
            phase, drift = random.uniform(0, 2 * math.pi, 2)
            cloud += np.sin(wave * angle + phase + tall * share * 3) * np.cos(
                tall * share * 4 + drift
            )
        cloud = np.clip((cloud - 2.2) / 5, 0, 1) * (1 - share) ** 0.4
        y += (225 - y) * cloud * 0.8
        cb += (128 - cb) * cloud * 0.9
        cr += (128 - cr) * cloud * 0.9
        self._hills(y, cb, cr, angle, share, hills, random)
        tree = (
            0.014
            + 0.006
            * sum(
                np.sin(int(n) * angle + p)
                for n, p in zip(random.integers(30, 160, 6), random.uniform(0, 6, 6), strict=True)
            )
            / 3
        )
        fringe = (1 - share) * rows / self._per_radian < tree
        y[fringe], cb[fringe], cr[fringe] = near
        self._planes = [
            np.ascontiguousarray(
                np.concatenate((plane, plane[:, : view.width // 2]), axis=1).astype(np.uint8)
            )
            for plane in (y, cb, cr)
        ]
        self._turn = turn

    def show(self, back: BackLayer, heading: float, rows: int) -> None:
        """Copy the part seen in this direction into the back layer."""
        width = back.y.shape[1]
        left = round(heading * self._per_radian - width / 2) % self._turn
        for target, plane in zip((back.y, back.cb, back.cr), self._planes, strict=True):
            target[:rows] = plane[:, left : left + width]

    def _hills(
        self,
        y: NDArray[np.float64],
        cb: NDArray[np.float64],
        cr: NDArray[np.float64],
        angle: NDArray[np.float64],
        share: NDArray[np.float64],
        height: float,
        random: np.random.Generator,
    ) -> None:
        rows = y.shape[0]
        above = (1 - share) * rows / self._per_radian
        for layer, (luma, blue) in enumerate(((176, 140), (150, 134))):
            profile = (
                height
                * (0.75 - 0.35 * layer)
                * np.exp(-(((angle + 0.3 * layer + math.pi) % (2 * math.pi) - math.pi) ** 2) / 0.5)
            )
            for wave in (3, 5, 9, 14, 23, 41):
                profile = profile + height * 0.3 / wave**0.7 * np.sin(
                    wave * angle + random.uniform(0, 2 * math.pi)
                )
            hill = above < np.maximum(profile, 0.004)
            y[hill], cb[hill], cr[hill] = luma, blue, 120


class Sprite(NamedTuple):
    """A flat picture that stands on the ground, facing the camera."""

    width_m: float
    height_m: float
    y: Plane
    cb: Plane
    cr: Plane
    solid: NDArray[np.bool_]


def tree_sprite(width_m: float, height_m: float, seed: int, leaves: Colour) -> Sprite:
    """Return a broad tree: trunk, and a crown of lit and shaded leaves."""
    rows, columns = 220, max(80, round(220 * width_m / height_m))
    random = np.random.default_rng(seed)
    v, u = np.mgrid[0:rows, 0:columns]
    x, z = (u / columns - 0.5) * 2, v / rows
    solid = (np.abs(x) < 0.055 + 0.05 * np.clip(z - 0.9, 0, 1)) & (z > 0.5)
    y = np.full((rows, columns), 62.0)
    crown = np.zeros((rows, columns), np.bool_)
    light = np.zeros((rows, columns))
    for _ in range(46):
        bx, bz = random.normal(0, 0.42), random.uniform(0.1, 0.6)
        radius = random.uniform(0.1, 0.24)
        blob = ((x - bx) / radius) ** 2 + ((z - bz) / radius / 0.62) ** 2 < 1
        crown |= blob
        light[blob] = random.uniform(-16, 18) - 26 * (bz - 0.3)
    y[crown] = leaves.y + light[crown] + random.normal(0, 9, int(crown.sum()))
    cb, cr = np.full((rows, columns), 122), np.full((rows, columns), 134)
    cb[crown], cr[crown] = leaves.cb, leaves.cr
    return Sprite(
        width_m,
        height_m,
        np.clip(y, 20, 220).astype(np.uint8),
        cb.astype(np.uint8),
        cr.astype(np.uint8),
        solid | crown,
    )


def fill(picture: Picture, left: float, top: float, right: float, bottom: float, c: Colour) -> None:
    """Fill a rectangle of pixels, clipped to the picture."""
    x0, x1 = max(0, round(left)), min(picture.width, round(right))
    y0, y1 = max(0, round(top)), min(picture.height, round(bottom))
    if x0 < x1 and y0 < y1:
        picture.luma[y0:y1, x0:x1] = c.y
        picture.cb[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2] = c.cb
        picture.cr[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2] = c.cr


def draw_obstacle(picture: Picture, view: View, right: float, ahead: float, *, lamps: bool) -> None:
    """A lorry seen from behind, standing in the way with a warning board."""
    scale = view.focal / max(2.0, ahead)
    middle = view.width / 2 + right * scale
    ground = view.horizon + view.height_m * scale

    def box(x0: float, z0: float, x1: float, z1: float, c: Colour) -> None:
        fill(
            picture,
            middle + x0 * scale,
            ground - z1 * scale,
            middle + x1 * scale,
            ground - z0 * scale,
            c,
        )

    box(-1.25, -0.12, 1.25, 0.05, Colour(38, 128, 128))
    for side in (-1, 1):
        box(side * 0.8 - 0.22, 0.0, side * 0.8 + 0.22, 0.6, Colour(24, 128, 128))
    box(-1.15, 0.45, 1.15, 2.9, Colour(196, 124, 130))
    box(-1.15, 2.8, 1.15, 2.9, Colour(120, 128, 128))
    box(-0.02, 0.7, 0.02, 2.8, Colour(140, 126, 130))
    box(-1.15, 0.45, 1.15, 0.7, Colour(58, 128, 128))
    for stripe in range(8):
        x = -1.0 + stripe * 0.25
        colour = Colour(92, 98, 208) if stripe % 2 else Colour(224, 128, 128)
        box(x, 1.0, x + 0.25, 1.35, colour)
    lit = Colour(214, 44, 176) if lamps else Colour(96, 100, 150)
    for side in (-1, 1):
        box(side * 0.95 - 0.14, 0.5, side * 0.95 + 0.14, 0.66, lit)
