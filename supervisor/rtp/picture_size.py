"""How large a keyframe is, from its first packet.

H.264: the sequence parameter set, alone or first in a STAP-A (ITU-T H.264 §7.3.2.1.1;
RFC 6184 §5.7.1). VP8: the key frame header (RFC 6386 §9.1 behind RFC 7741 §4.2).
Other codecs, and what cannot be read: None. Never raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Size = tuple[int, int]

MAX_SIDE: Final = 16_384
_HIGH_PROFILES: Final = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))


class _EndError(Exception):
    """The bits end, or say what no encoder says."""


class _Bits:
    """Bits of a raw byte sequence payload, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise _EndError
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def unsigned(self) -> int:
        """Return ue(v) (§9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise _EndError
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """Return se(v) (§9.1.1)."""
        value = self.unsigned()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _parse_sps(data: bytes) -> Size:
    """Return width and height of one sequence parameter set without its NAL header."""
    bits = _Bits(data.replace(b"\x00\x00\x03", b"\x00\x00")[:128])
    profile = bits.take(8)
    bits.take(16)
    bits.unsigned()
    chroma = 1
    if profile in _HIGH_PROFILES:
        chroma = bits.unsigned()
        if chroma == 3:
            bits.take(1)
        bits.unsigned()
        bits.unsigned()
        bits.take(1)
        if bits.take(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.unsigned()
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()
    bits.unsigned()
    bits.take(1)
    width = 16 * (bits.unsigned() + 1)
    map_units = bits.unsigned() + 1
    frames_only = bits.take(1)
    height = 16 * (2 - frames_only) * map_units
    if not frames_only:
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        across, down = (1 if chroma in (0, 3) else 2), (2 if chroma == 1 else 1)
        width -= across * (left + right)
        height -= down * (2 - frames_only) * (top + bottom)
    return width, height


def _h264(data: bytes, start: int) -> Size | None:
    kind = data[start] & 0x1F if start < len(data) else 0
    if kind == 7:
        unit = data[start + 1 :]
    elif kind == 24 and start + 3 < len(data) and data[start + 3] & 0x1F == 7:
        size = data[start + 1] << 8 | data[start + 2]
        unit = data[start + 4 : start + 3 + size]
    else:
        return None
    try:
        return _parse_sps(unit)
    except _EndError:
        return None


def _vp8(data: bytes, start: int) -> Size | None:
    found = data.find(b"\x9d\x01\x2a", start, start + 12)
    if found < 0 or found + 7 > len(data):
        return None
    width = data[found + 3] | data[found + 4] << 8
    height = data[found + 5] | data[found + 6] << 8
    return width & 0x3FFF, height & 0x3FFF


_READERS: Final[dict[str, Callable[[bytes, int], Size | None]]] = {"H264": _h264, "VP8": _vp8}


def picture_size(codec: str, data: bytes, start: int) -> Size | None:
    """Return (width, height) in pixels if this first packet of a keyframe says so.

    Args:
        codec: Encoding name as in SDP.
        start: Where the payload begins in `data`.
    """
    reader = _READERS.get(codec)
    size = reader(data, start) if reader is not None else None
    if size is None or not (0 < size[0] <= MAX_SIDE and 0 < size[1] <= MAX_SIDE):
        return None
    return size
