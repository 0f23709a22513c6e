"""The synthetic camera: a scene, the dashboard with a line of text, the strip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import av

from vehicle_stub.config import CameraSection, Facing
from vehicle_stub.course import Course
from vehicle_stub.glyphs import Text
from vehicle_stub.picture import Picture
from vehicle_stub.scene_field import FieldScene
from vehicle_stub.scene_road import RoadScene
from vehicle_stub.scene_side import SideScene
from vehicle_stub.strip_painter import StripPainter
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.view import Colour, fill

DASHBOARD_SHARE = 0.07


class Scene(Protocol):
    """Draws what one camera sees."""

    def draw(self, picture: Picture, seen: Snapshot, now_ns: int) -> None:
        """Draw everything but dashboard and strip."""
        ...


class SyntheticSource:
    """Draws a street for a route, a field for a field."""

    live = False
    draws_strip = True

    def __init__(
        self,
        camera: CameraSection,
        name: str,
        course: Course,
        look: Callable[[], Snapshot],
    ) -> None:
        width, height = camera.width, camera.height
        self._look = look
        self._name = name
        # Two, in turns: the encoder may still read the one before.
        self._pictures = [Picture(width, height) for _ in range(2)]
        self._scene = _scene(camera, course)
        self._painter = StripPainter(width, height) if camera.strip else None
        self._text = Text(max(1, width // 426))

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> av.VideoFrame:
        """Return the picture of this instant."""
        picture = self._pictures[number % 2]
        seen = self._look()
        self._scene.draw(picture, seen, captured_ns)
        self._dashboard(picture, seen, captured_utc_ns)
        if self._painter is not None:
            self._painter.paint(picture, number, captured_utc_ns)
        return picture.frame

    def close(self) -> None:
        """Nothing to let go of."""

    def _dashboard(self, picture: Picture, seen: Snapshot, captured_utc_ns: int) -> None:
        height = picture.height
        top = height - max(self._text.height + 4, round(height * DASHBOARD_SHARE)) // 2 * 2
        fill(picture, 0, top, picture.width, top + 2, Colour(52, 128, 128))
        fill(picture, 0, top + 2, picture.width, height, Colour(28, 128, 128))
        seconds, rest = divmod(captured_utc_ns, 1_000_000_000)
        clock = (
            f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
            f".{rest // 100_000_000} UTC"
        )
        line = f"{self._name}   {seen.speed * 3.6:4.1f} km/h   {clock}"
        self._text.draw(
            picture, picture.width // 40 // 2 * 2, (top + height - self._text.height) // 4 * 2, line
        )


def _scene(camera: CameraSection, course: Course) -> Scene:
    """Return what it looks at; a field is drawn straight ahead only."""
    width, height = camera.width, camera.height
    if course.field:
        return FieldScene(width, height, course)
    if camera.facing is Facing.AHEAD:
        return RoadScene(width, height, course)
    return SideScene(width, height, course, -1 if camera.facing is Facing.LEFT else 1)
