"""The machine-readable strip burnt into synthetic pictures.

A row of black and white cells along the top edge carries the frame number and the
capture time, so that a test can read from decoded *pixels* which frame is shown
and how old it is, whatever every layer below claims.

Layout: `CELLS` equal cells over the full picture width, `HEIGHT_SHARE` of its
height (at least 8 pixels). White is 1. Bits, first cell first, most significant
bit first:

    8   sync 10110100
    24  frame number, modulo 2^24
    40  capture time, milliseconds since 1970 (UTC) modulo 2^40
    8   CRC-8 (polynomial 0x07, initial 0) over the 8 bytes of number and time

Cells are wide (16 pixels at 1280) and the strip survives H.264 at 300 kbit/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

SYNC: Final = 0b10110100
CELLS: Final = 80
HEIGHT_SHARE: Final = 1 / 36
WHITE_LUMA: Final = 235
BLACK_LUMA: Final = 16
FRAME_MODULO: Final = 1 << 24
TIME_MODULO: Final = 1 << 40


class StripReading(NamedTuple):
    """What a strip says. `captured_ms`: ms since 1970 (UTC), modulo 2^40."""

    frame_number: int
    captured_ms: int


def strip_height(picture_height: int) -> int:
    """Return the strip's height in pixels, even (chroma is subsampled)."""
    return max(8, round(picture_height * HEIGHT_SHARE) // 2 * 2)


def encode_cells(frame_number: int, captured_ms: int) -> list[bool]:
    """Return the `CELLS` cells, True for white."""
    body = (frame_number % FRAME_MODULO) << 40 | captured_ms % TIME_MODULO
    word = SYNC << 72 | body << 8 | _crc8(body.to_bytes(8, "big"))
    return [bool(word >> (CELLS - 1 - index) & 1) for index in range(CELLS)]


def decode_cells(lumas: Sequence[float]) -> StripReading | None:
    """Return the reading of `CELLS` cell brightnesses (0 to 255), or None.

    None means: no strip here, or a cell was misread (sync or CRC does not fit).
    """
    if len(lumas) != CELLS:
        return None
    word = 0
    for luma in lumas:
        word = word << 1 | (luma > 128)
    body = word >> 8 & (1 << 64) - 1
    if word >> 72 != SYNC or word & 0xFF != _crc8(body.to_bytes(8, "big")):
        return None
    return StripReading(body >> 40, body % TIME_MODULO)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
