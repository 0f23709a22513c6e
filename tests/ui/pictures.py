"""Screenshots as numbers: how colourful, how different, and kept in few bytes."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Height × width × 3, RGB."""

SATURATED: Final = 0.35
"""From here on people call a pixel coloured: (max − min) / max of its channels."""
BRIGHT_ENOUGH: Final = 48
"""Darker than this a hue is not seen."""
COLOURS: Final = 96
STEP: Final = 8
UNLIKE: Final = 40
"""Further apart in one channel two pixels are not the same; the palette costs less."""


def decode(png: bytes) -> Picture:
    """Return the pixels of a PNG."""
    decoder = av.CodecContext.create("png", "r")
    frames = [*decoder.decode(av.Packet(png)), *decoder.decode(None)]
    return frames[0].to_ndarray(format="rgb24")


def encode(picture: Picture) -> bytes:
    """Return a PNG with a palette of the most frequent colours."""
    reduced = (picture.astype(np.uint32) + STEP // 2) // STEP
    codes = (reduced[..., 0] << 12) | (reduced[..., 1] << 6) | reduced[..., 2]
    often = np.bincount(codes.ravel(), minlength=1)
    values = np.flatnonzero(often)
    place = np.zeros(len(often), np.int64)
    place[values] = np.arange(len(values))
    kept = np.argsort(often[values])[::-1][:COLOURS]
    colours = np.stack(
        [
            np.bincount(codes.ravel(), picture[..., c].ravel())[values] / often[values]
            for c in range(3)
        ],
        axis=1,
    )
    distance = np.abs(colours[:, None, :] - colours[kept][None, :, :]).sum(axis=2)
    nearest = distance.argmin(axis=1).astype(np.uint8)
    indices = nearest[place[codes]]
    height, width = indices.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), indices], axis=1)
    palette = colours[kept].round().astype(np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", header),
            (b"PLTE", palette),
            (b"IDAT", zlib.compress(lines.tobytes(), 9)),
            (b"IEND", b""),
        )
    )


def saturated_share(picture: Picture, without: list[tuple[int, int, int, int]]) -> float:
    """Return which share of the pixels is coloured, outside of some boxes.

    Args:
        picture: A screenshot.
        without: Left, top, right, bottom of what does not count: pictures and maps.
    """
    counts = np.ones(picture.shape[:2], bool)
    for left, top, right, bottom in without:
        counts[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = False
    channels = picture.astype(np.int16)
    most, least = channels.max(axis=2), channels.min(axis=2)
    coloured = (most >= BRIGHT_ENOUGH) & (most - least > SATURATED * most)
    return float((coloured & counts).sum() / max(1, counts.sum()))


def different_share(one: Picture, other: Picture) -> float:
    """Return which share of the pixels is clearly another; 1 for another size.

    A pixel differs if none of its neighbours in the other picture is like it: letters
    whose edges are drawn a little otherwise are the same letters.
    """
    if one.shape != other.shape:
        return 1.0
    apart = (np.maximum(one, other) - np.minimum(one, other)).max(axis=2)
    rows, columns = np.nonzero(apart > UNLIKE)
    first, second = one.astype(np.int16), other.astype(np.int16)
    height, width = one.shape[:2]
    alike = np.zeros(len(rows), bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            near = second[(rows + down) % height, (columns + right) % width]
            alike |= np.abs(first[rows, columns] - near).max(axis=1) <= UNLIKE
    return float((~alike).sum() / (height * width))
