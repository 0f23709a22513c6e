"""Draws `protocols.strip` along the top edge of a picture."""

from __future__ import annotations

import numpy as np

from protocols import strip
from vehicle_stub.picture import Picture


class StripPainter:
    """Paints the strip for one picture size."""

    def __init__(self, width: int, height: int) -> None:
        edges = [width * cell // strip.CELLS for cell in range(strip.CELLS + 1)]
        self._widths = np.diff(np.array(edges))
        self._height = strip.strip_height(height)

    def paint(self, picture: Picture, frame_number: int, captured_utc_ns: int) -> None:
        """Write number and capture time (UTC, to the millisecond) into the picture."""
        cells = strip.encode_cells(frame_number, captured_utc_ns // 1_000_000)
        lumas = np.where(cells, strip.WHITE_LUMA, strip.BLACK_LUMA).astype(np.uint8)
        picture.luma[: self._height] = np.repeat(lumas, self._widths)
        picture.cb[: self._height // 2] = 128
        picture.cr[: self._height // 2] = 128
