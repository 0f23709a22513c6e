"""A YUV 4:2:0 picture that numpy draws into and the encoder reads, without a copy."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


class Picture:
    """One frame buffer.

    Attributes:
        frame: What the encoder takes.
        luma, cb, cr: Views into it; chroma has half the width and height.
    """

    def __init__(self, width: int, height: int) -> None:
        self.frame = av.VideoFrame(width, height, "yuv420p")
        self.luma = _view(self.frame, 0, width, height)
        self.cb = _view(self.frame, 1, width // 2, height // 2)
        self.cr = _view(self.frame, 2, width // 2, height // 2)

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.frame.width)

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.frame.height)

    def copy_from(self, other: av.VideoFrame) -> None:
        """Take the pixels of a yuv420p frame of the same size."""
        for plane, index in ((self.luma, 0), (self.cb, 1), (self.cr, 2)):
            plane[:] = _view(other, index, plane.shape[1], plane.shape[0])


def _view(frame: av.VideoFrame, index: int, width: int, height: int) -> Plane:
    plane = frame.planes[index]
    raw: Plane = np.frombuffer(memoryview(plane), np.uint8)
    return raw.reshape(-1, plane.line_size)[:height, :width]


def fit(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Return a yuv420p frame in this size: the same one if it fits."""
    if (frame.width, frame.height) == (width, height):
        return frame
    return frame.reformat(width, height, interpolation=Interpolation.FAST_BILINEAR)
