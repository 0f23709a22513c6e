"""The synthetic camera."""

from __future__ import annotations

from collections.abc import Callable

import av

from vehicle_stub.config import CameraSection
from vehicle_stub.course import Course
from vehicle_stub.picture import Picture
from vehicle_stub.strip_painter import StripPainter
from vehicle_stub.vehicle import Snapshot


class SyntheticSource:
    live = False
    draws_strip = True

    def __init__(
        self, camera: CameraSection, name: str, course: Course, look: Callable[[], Snapshot]
    ) -> None:
        self._p = Picture(camera.width, camera.height)
        self._s = StripPainter(camera.width, camera.height)
        self._p.luma[:] = 80
        self._p.cb[:] = 128
        self._p.cr[:] = 128

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> av.VideoFrame:
        self._s.paint(self._p, number, captured_utc_ns)
        return self._p.frame

    def close(self) -> None:
        pass
