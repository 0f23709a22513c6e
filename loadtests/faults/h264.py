"""H.264 out of RTP (RFC 6184, packetization-mode 1). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

START: Final = b"\0\0\0\1"
_IDR: Final = 5
_SPS: Final = 7
_STAP_A: Final = 24
_FU_A: Final = 28


def begins_keyframe(payload: bytes) -> bool:
    """Return whether a keyframe begins with this payload."""
    if len(payload) < 2:
        return False
    kind = payload[0] & 31
    if kind == _STAP_A:
        return any(unit[0] & 31 in (_SPS, _IDR) for unit in _aggregated(payload))
    if kind == _FU_A:
        return bool(payload[1] & 0x80) and payload[1] & 31 == _IDR
    return kind in (_SPS, _IDR)


def access_unit(payloads: Iterable[bytes]) -> bytes:
    """Return one picture in Annex B form; what is no H.264 is left out."""
    parts: list[bytes] = []
    for payload in payloads:
        if len(payload) < 2:
            continue
        kind = payload[0] & 31
        if kind == _STAP_A:
            for unit in _aggregated(payload):
                parts += (START, unit)
        elif kind == _FU_A:
            if payload[1] & 0x80:
                parts += (START, bytes([payload[0] & 0xE0 | payload[1] & 31]))
            parts.append(payload[2:])
        elif 0 < kind < _STAP_A:
            parts += (START, payload)
    return b"".join(parts)


def _aggregated(payload: bytes) -> list[bytes]:
    units = []
    position = 1
    while position + 2 < len(payload):
        size = int.from_bytes(payload[position : position + 2], "big")
        unit = payload[position + 2 : position + 2 + size]
        if not unit:
            break
        units.append(unit)
        position += 2 + size
    return units
