"""One thread a camera: take a picture when it is due, encode it, hand it over.

Pictures are due at `start + n / fps` on the monotonic clock, so the pace never
drifts. If drawing and encoding cannot keep up, pictures are skipped *before* they
are encoded, and counted; a skipped picture costs nothing downstream and no
reference is lost. The thread rests while nobody takes the pictures.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from av import VideoFrame

from vehicle_stub import clock
from vehicle_stub.backoff import Backoff
from vehicle_stub.config import CameraSection
from vehicle_stub.encoder import H264Encoder
from vehicle_stub.picture import Picture
from vehicle_stub.sources import Source, SourceError
from vehicle_stub.strip_painter import StripPainter

log = logging.getLogger("enkan.vehicle.camera")

JOIN_S: Final = 5.0


class EncodedPicture(NamedTuple):
    """One picture ready to send.

    Attributes:
        payloads: RTP payloads (RFC 6184).
        rtp_ts: 90 kHz, from the monotonic capture time.
        captured_utc_ns: The wall clock at that same instant.
    """

    payloads: list[bytes]
    rtp_ts: int
    captured_ns: int
    captured_utc_ns: int
    keyframe: bool


class CameraWorker:
    """The thread of one camera.

    Attributes:
        frames, skipped, reopened: Totals since the start.
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
        self.frames = 0
        self.skipped = 0
        self.reopened = 0
        self.working_ns = 0
        self._open_source = open_source
        self._packetize = packetize
        self._random = source
        self._deliver: Callable[[EncodedPicture], None] | None = None
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._keyframe = threading.Event()
        self._kbps = camera.bitrate_kbps
        self._number = 0
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.name}", daemon=True)

    def start(self) -> None:
        """Begin; no picture is taken until someone wants them."""
        self._thread.start()

    def attach(self, deliver: Callable[[EncodedPicture], None]) -> None:
        """Send pictures to `deliver`, called in the camera's thread, from a keyframe on."""
        self._deliver = deliver
        self._kbps = self.camera.bitrate_kbps
        self._keyframe.set()
        self._wanted.set()

    def detach(self) -> None:
        """Nobody takes the pictures any more."""
        self._wanted.clear()
        self._deliver = None

    def ask_keyframe(self) -> None:
        """The next picture must be a keyframe."""
        self._keyframe.set()

    def set_bitrate(self, kbps: int) -> None:
        """Follow the receiver's estimate from the next picture on."""
        self._kbps = kbps

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
        encoder = H264Encoder(
            camera.width, camera.height, camera.fps, camera.bitrate_kbps, camera.keyframe_interval_s
        )
        burn = camera.strip and not source.draws_strip
        painter = StripPainter(camera.width, camera.height) if burn else None
        copy = Picture(camera.width, camera.height) if burn else None
        period_ns = 1_000_000_000 // camera.fps
        due_ns = clock.monotonic_ns()
        while self._wanted.is_set() and not self._ending.is_set():
            if source.live:
                frame = source.read(0, 0, self._number)
                captured_ns = clock.monotonic_ns()
                captured_utc_ns = captured_ns + clock.utc_offset_ns()
            else:
                due_ns = self._wait_due(due_ns, period_ns)
                captured_ns = clock.monotonic_ns()
                captured_utc_ns = captured_ns + clock.utc_offset_ns()
                frame = source.read(captured_ns, captured_utc_ns, self._number)
                due_ns += period_ns
            backoff.reset()
            if copy is not None and painter is not None:
                copy.copy_from(frame)
                painter.paint(copy, self._number, captured_utc_ns)
                frame = copy.frame
            self._number += 1
            self._encode(encoder, frame, captured_ns, captured_utc_ns)
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

    def _encode(
        self, encoder: H264Encoder, frame: VideoFrame, captured_ns: int, captured_utc_ns: int
    ) -> None:
        keyframe = self._keyframe.is_set()
        if keyframe:
            self._keyframe.clear()
        encoder.set_bitrate(self._kbps)
        encoded = encoder.encode(frame, keyframe=keyframe)
        deliver = self._deliver
        if encoded is None or deliver is None:
            return
        self.frames += 1
        deliver(
            EncodedPicture(
                self._packetize(encoded.data),
                captured_ns * 9 // 100_000 & 0xFFFFFFFF,
                captured_ns,
                captured_utc_ns,
                encoded.keyframe,
            )
        )
