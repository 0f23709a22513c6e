"""Does this packet begin a picture that can be decoded alone?

H.264: RFC 6184 §5.2 (single NAL, STAP-A, FU-A); VP8: RFC 7741 §4.2, §4.3; VP9:
RFC 9628 §4.2 (best effort: P = 0 at the beginning of the lowest spatial layer);
AV1: the AV1 RTP payload §4.4 (best effort: the N bit). Never raises: a payload too
short to say is no keyframe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final


def _h264(data: bytes, start: int) -> bool:
    end = len(data)
    if start >= end:
        return False
    kind = data[start] & 0x1F
    if kind in (5, 7):
        return True
    if kind == 24:
        position = start + 1
        while position + 2 < end:
            if data[position + 2] & 0x1F in (5, 7):
                return True
            position += 2 + (data[position] << 8 | data[position + 1])
        return False
    if kind == 28 and start + 1 < end:
        return bool(data[start + 1] & 0x80) and data[start + 1] & 0x1F in (5, 7)
    return False


def _vp8(data: bytes, start: int) -> bool:
    end = len(data)
    if start >= end:
        return False
    first = data[start]
    if not first & 0x10 or first & 0x07:
        return False
    position = start + 1
    if first & 0x80:
        if position >= end:
            return False
        flags = data[position]
        position += 1
        if flags & 0x80:
            if position >= end:
                return False
            position += 2 if data[position] & 0x80 else 1
        if flags & 0x40:
            position += 1
        if flags & 0x30:
            position += 1
    return position < end and not data[position] & 0x01


def _vp9(data: bytes, start: int) -> bool:
    if start >= len(data):
        return False
    first = data[start]
    if first & 0x40 or not first & 0x08:
        return False
    if not first & 0x20:
        return True
    position = start + 1
    if first & 0x80 and position < len(data):
        position += 2 if data[position] & 0x80 else 1
    return position < len(data) and data[position] >> 1 & 0x07 == 0


def _av1(data: bytes, start: int) -> bool:
    return start < len(data) and bool(data[start] & 0x08)


def _never(data: bytes, start: int) -> bool:
    return False


_DETECTORS: Final[dict[str, Callable[[bytes, int], bool]]] = {
    "H264": _h264,
    "VP8": _vp8,
    "VP9": _vp9,
    "AV1": _av1,
}


def detector(codec: str) -> Callable[[bytes, int], bool]:
    """Return `starts_keyframe(packet, payload_offset)` for a codec name of the SDP."""
    return _DETECTORS.get(codec, _never)


def first_keyframe(
    starts_keyframe: Callable[[bytes, int], bool], payloads: Sequence[bytes]
) -> int | None:
    """Return which of some payloads is the first to begin a keyframe, if one does."""
    if starts_keyframe is _h264 and len(payloads[0]) > 1:
        for index, payload in enumerate(payloads):
            # The middle of a fragmented NAL unit says nothing, and is most of what comes.
            if payload[1] < 0x80 and payload[0] & 0x1F == 28:
                continue
            if _h264(payload, 0):
                return index
        return None
    return next((i for i, payload in enumerate(payloads) if starts_keyframe(payload, 0)), None)
