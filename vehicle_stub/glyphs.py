"""Small white text on dark, drawn from our own 5 x 7 dot glyphs."""

from __future__ import annotations

from typing import Final

import numpy as np

from vehicle_stub.picture import Picture, Plane

# Seven rows of five dots, top to bottom; one hexadecimal pair a row.
_DOTS: Final = {
    " ": "00000000000000",
    "-": "0000001f000000",
    ".": "0000000000000c",
    ":": "000c0c000c0c00",
    "/": "01020204080810",
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
    "A": "0e11111f111111",
    "B": "1e11111e11111e",
    "C": "0e11101010110e",
    "D": "1c12111111121c",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "G": "0e11101711110f",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "J": "0702020202120c",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11111915131111",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "Q": "0e11111115120d",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "W": "11111115151b11",
    "X": "11110a040a1111",
    "Y": "1111110a040404",
    "Z": "1f01020408101f",
    "k": "10101214181412",
    "m": "00001a15151111",
    "h": "10101619111111",
}


class Text:
    """Draws lines of text at one scale."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self.height = 9 * scale
        self._glyphs = {letter: self._glyph(dots) for letter, dots in _DOTS.items()}

    def draw(self, picture: Picture, left: int, top: int, text: str) -> None:
        """Draw `text`; letters without a glyph leave a space."""
        blank = self._glyphs[" "]
        line = np.concatenate(
            [self._glyphs.get(x, self._glyphs.get(x.upper(), blank)) for x in text], axis=1
        )
        target = picture.luma[top : top + line.shape[0], left : left + line.shape[1]]
        target[:] = line[: target.shape[0], : target.shape[1]]
        chroma = np.s_[
            top // 2 : (top + line.shape[0]) // 2, left // 2 : (left + line.shape[1]) // 2
        ]
        picture.cb[chroma] = 128
        picture.cr[chroma] = 128

    def _glyph(self, dots: str) -> Plane:
        bits = np.full((9, 6), 28, np.uint8)
        for row in range(7):
            value = int(dots[2 * row : 2 * row + 2], 16)
            for column in range(5):
                if value >> (4 - column) & 1:
                    bits[row + 1, column] = 225
        return bits.repeat(self._scale, axis=0).repeat(self._scale, axis=1)
