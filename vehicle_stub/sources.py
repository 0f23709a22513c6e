"""Where pictures come from when they are not drawn: files, V4L2, RTSP, by PyAV.

Blocking; used by one camera's thread. Whatever goes wrong is a `SourceError` with
one line; the camera's thread opens the source again with growing, jittered delays.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import av

from vehicle_stub.config import CameraSection

OPEN_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 3.0


class SourceError(Exception):
    """The pictures stopped; the text says why."""


class Source(Protocol):
    """Something that gives pictures.

    Attributes:
        live: It sets the pace itself (a camera); else the thread asks when one is due.
        draws_strip: It draws the strip itself, if the camera wants one.
    """

    live: bool
    draws_strip: bool

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> av.VideoFrame:
        """Return a yuv420p picture; for live sources, wait for the next one.

        Raises:
            SourceError: There is none.
        """
        ...

    def close(self) -> None:
        """Let go of the file or device."""
        ...


class FileSource:
    """A video file, in real time, again and again."""

    live = False
    draws_strip = False

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._path = path
        self._size = (width, height)
        self._container = _open(str(path), None, {})
        self._frames = self._decode()
        self._started_ns = -1
        self._shown: av.VideoFrame | None = None
        self._ahead: tuple[av.VideoFrame, float] | None = None
        self._any = False
        self._offset: float | None = None

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> av.VideoFrame:
        """Return the picture that belongs to this instant."""
        if self._started_ns < 0:
            self._started_ns = captured_ns
        while True:
            position = (captured_ns - self._started_ns) / 1e9
            if self._ahead is None:
                self._ahead = self._next()
                if self._ahead is None:
                    self._restart(captured_ns)
                    continue
            frame, at = self._ahead
            if self._shown is not None and at > position:
                return self._shown
            self._shown = frame.reformat(*self._size, format="yuv420p")
            self._ahead = None
            if at >= position:
                return self._shown

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _next(self) -> tuple[av.VideoFrame, float] | None:
        try:
            frame = next(self._frames, None)
        except av.FFmpegError as error:
            raise SourceError(f"{self._path}: {error}") from error
        if frame is None:
            return None
        self._any = True
        return frame, max(0.0, float(frame.time or 0.0) - self._first_time(frame))

    def _first_time(self, frame: av.VideoFrame) -> float:
        if self._offset is None:
            self._offset = float(frame.time or 0.0)
        return self._offset

    def _decode(self) -> Iterator[av.VideoFrame]:
        return iter(self._container.decode(video=0))

    def _restart(self, now_ns: int) -> None:
        if not self._any:
            raise SourceError(f"{self._path}: no picture in this file")
        self._any = False
        self._started_ns = now_ns
        try:
            self._container.seek(0)
        except av.FFmpegError:  # not seekable: open it again
            self._container.close()
            self._container = _open(str(self._path), None, {})
        self._frames = self._decode()


class LiveSource:
    """A camera behind V4L2 or RTSP; pictures are stamped when they arrive."""

    live = True
    draws_strip = False

    def __init__(self, camera: CameraSection) -> None:
        scheme, _, rest = camera.source.partition(":")
        self._name = camera.name
        self._size = (camera.width, camera.height)
        if scheme == "v4l2":
            options = {
                "video_size": f"{camera.width}x{camera.height}",
                "framerate": str(camera.fps),
            }
            self._container = _open(rest, "v4l2", options)
        else:
            options = {"rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay"}
            self._container = _open(camera.source, None, options)
        self._frames = iter(self._container.decode(video=0))

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> av.VideoFrame:
        """Wait for the next picture."""
        try:
            frame = next(self._frames, None)
        except av.FFmpegError as error:
            raise SourceError(f"camera {self._name}: {error}") from error
        if frame is None:
            raise SourceError(f"camera {self._name}: the stream ended")
        picture: av.VideoFrame = frame.reformat(*self._size, format="yuv420p")
        return picture

    def close(self) -> None:
        """Let go of the device or connection."""
        self._container.close()


def _open(url: str, kind: str | None, options: dict[str, str]) -> Any:
    shown = url.rpartition("@")[2]  # an RTSP address may hold a password
    try:
        container = av.open(
            url, format=kind, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{shown}: {getattr(error, 'strerror', None) or error}") from error
    if not container.streams.video:
        container.close()
        raise SourceError(f"{shown}: no video in it")
    container.streams.video[0].thread_type = "AUTO"
    container.streams.video[0].codec_context.thread_count = 1
    return container
