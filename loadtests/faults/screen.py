"""Decodes pictures and reads the strip in their pixels."""

from __future__ import annotations

import av
import numpy as np

from protocols.strip import CELLS, StripReading, decode_cells, strip_height


class Screen:
    """One H.264 decoder, without delay.

    Attributes:
        broken: Pictures the decoder refused.
    """

    def __init__(self) -> None:
        self.broken = 0
        self._codec = av.CodecContext.create("h264", "r")
        self._codec.thread_count = 1
        self._codec.options = {"flags": "low_delay"}

    def show(self, data: bytes) -> list[StripReading | None]:
        """Decode one access unit; return what each picture's strip says."""
        try:
            frames = self._codec.decode(av.Packet(data))
        except av.FFmpegError:
            self.broken += 1
            return []
        return [_read(frame) for frame in frames]


def _read(frame: av.VideoFrame) -> StripReading | None:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    row = rows[strip_height(frame.height) // 2, : frame.width]
    centres = ((np.arange(CELLS) + 0.5) * frame.width / CELLS).astype(int)
    return decode_cells(row[centres].tolist())
