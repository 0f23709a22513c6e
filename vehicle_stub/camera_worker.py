"""One thread a camera: take a picture when it is due, encode it, hand it over.

A camera has one encoding, or two: the full one and a small one of the same pictures
(`front--low`), for tiles and for watchers on thin links.

Pictures are due at `start + n / fps` on the monotonic clock, so the pace never
drifts. If drawing and encoding cannot keep up, pictures are skipped *before* they
are encoded, and counted; a skipped picture costs nothing downstream and no
reference is lost. The thread rests while nobody takes the pictures.
"""

from __future__ import annotations

import enum
import logging
import random
import threading
from collections.abc import Callable
from typing import Final

from av import VideoFrame

from vehicle_stub import clock
from vehicle_stub.backoff import Backoff
from vehicle_stub.config import LOW_SUFFIX, LOW_WIDTH, CameraSection
from vehicle_stub.encoding import Encoding, Shape
from vehicle_stub.picture import Picture, fit
from vehicle_stub.sources import Source, SourceError
from vehicle_stub.strip_painter import StripPainter

log = logging.getLogger("enkan.vehicle.camera")

JOIN_S: Final = 5.0


LOW_FPS: Final = 15
LOW_KBPS: Final = 300


class Filming(enum.StrEnum):
    """What a camera does; all but FILM are failures, for rehearsals.

    FILM: It films.
    FREEZE: No more pictures come out of it.
    REPEAT: Pictures come, each with its time, and all of them show the last one.
    """

    FILM = "film"
    FREEZE = "freeze"
    REPEAT = "repeat"


class CameraWorker:
    """The thread of one camera.

    Attributes:
        filming: What it does from the next picture on; set by anybody.
        encodings: The full one first.
        skipped, reopened: Totals since the start.
        working_ns: Time spent drawing and encoding.
    """

    def __init__(
        self,
        camera: CameraSection,
        open_source: Callable[[], Source],
        packetize: Callable[[bytes], list[bytes]],
        source: random.Random,
    ) -> None:
        self.camera = camera
        self.filming = Filming.FILM
        self.skipped = 0
        self.reopened = 0
        self.working_ns = 0
        self._open_source = open_source
        self._random = source
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._number = 0
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.name}", daemon=True)
        shapes = {camera.name: full_shape(camera)}
        if camera.sends_low:
            shapes[camera.name + LOW_SUFFIX] = low_shape(camera)
        self.encodings = [
            Encoding(name, shape, packetize, self._see_who_wants) for name, shape in shapes.items()
        ]

    @property
    def main(self) -> Encoding:
        """The full encoding."""
        return self.encodings[0]

    def start(self) -> None:
        """Begin; no picture is taken until someone wants them."""
        self._thread.start()

    def _see_who_wants(self) -> None:
        if any(encoding.wanted for encoding in self.encodings) or self._ending.is_set():
            self._wanted.set()
        else:
            self._wanted.clear()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ending.set()
        self._wanted.set()
        self._thread.join(JOIN_S)

    # ---------------------------------------------------------------- in the thread

    def _run(self) -> None:
        backoff = Backoff(self._random)
        while self._wait_wanted():
            try:
                source = self._open_source()
            except SourceError as error:
                self._complain(error, backoff)
                continue
            log.info("camera %s: open", self.camera.name)
            try:
                self._film(source, backoff)
            except SourceError as error:
                self._complain(error, backoff)
            finally:
                source.close()

    def _wait_wanted(self) -> bool:
        self._wanted.wait()
        return not self._ending.is_set()

    def _complain(self, error: SourceError, backoff: Backoff) -> None:
        self.reopened += 1
        delay = backoff.next_s()
        log.warning("camera %s: %s; next try in %.1f s", self.camera.name, error, delay)
        self._ending.wait(delay)

    def _film(self, source: Source, backoff: Backoff) -> None:
        camera = self.camera
        for encoding in self.encodings:
            encoding.begin()
        burn = camera.strip and not source.draws_strip
        painter = StripPainter(camera.width, camera.height) if burn else None
        copy = Picture(camera.width, camera.height) if burn else None
        period_ns = 1_000_000_000 // camera.fps
        due_ns = clock.monotonic_ns()
        last: VideoFrame | None = None
        while self._wanted.is_set() and not self._ending.is_set():
            frame = source.read(0, 0, self._number) if source.live else None
            if frame is None:
                due_ns = self._wait_due(due_ns, period_ns) + period_ns
            captured_ns = clock.monotonic_ns()
            captured_utc_ns = captured_ns + clock.utc_offset_ns()
            filming = self.filming
            if filming is Filming.FREEZE:
                self._number += 1
                continue
            repeated = last if filming is Filming.REPEAT else None
            if repeated is not None:
                frame = repeated
            elif frame is None:
                frame = source.read(captured_ns, captured_utc_ns, self._number)
            backoff.reset()
            if repeated is None and copy is not None and painter is not None:
                copy.copy_from(frame)
                painter.paint(copy, self._number, captured_utc_ns)
                frame = copy.frame
            last = frame
            for encoding in self.encodings:
                if encoding.takes(self._number):
                    shape = encoding.shape
                    fitting = fit(frame, shape.width, shape.height)
                    encoding.encode(
                        fitting,
                        captured_ns,
                        captured_utc_ns,
                        repeating=repeated is not None,
                    )
            self._number += 1
            self.working_ns += clock.monotonic_ns() - captured_ns

    def _wait_due(self, due_ns: int, period_ns: int) -> int:
        """Wait until a picture is due; skip those whose time has passed."""
        now_ns = clock.monotonic_ns()
        late = (now_ns - due_ns) // period_ns
        if late > 0:
            self.skipped += late
            self._number += late
            due_ns += late * period_ns
        if due_ns > now_ns:
            self._ending.wait((due_ns - now_ns) / 1e9)
        return due_ns


def full_shape(camera: CameraSection) -> Shape:
    """Return what the full encoding of a camera is."""
    return Shape(
        camera.width,
        camera.height,
        camera.fps,
        1,
        camera.bitrate_kbps,
        camera.keyframe_interval_s,
    )


def low_shape(camera: CameraSection) -> Shape:
    """Return what the small encoding of a camera is.

    >>> low_shape(CameraSection(name="front")).height
    360
    """
    height = round(camera.height * LOW_WIDTH / camera.width / 2) * 2
    every = max(1, round(camera.fps / LOW_FPS))
    return Shape(
        LOW_WIDTH, height, camera.fps // every, every, LOW_KBPS, camera.keyframe_interval_s
    )
