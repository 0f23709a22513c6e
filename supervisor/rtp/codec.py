"""Codecs as negotiated, and which of a watcher's codecs can take a publisher's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

FORWARDED: Final[dict[str, tuple[str, str, int]]] = {
    "h264": ("video", "H264", 90_000),
    "vp8": ("video", "VP8", 90_000),
    "vp9": ("video", "VP9", 90_000),
    "av1": ("video", "AV1", 90_000),
    "opus": ("audio", "opus", 48_000),
}
"""Encoding name in lower case: media kind, canonical name, clock rate in Hz."""


class Codec(msgspec.Struct, frozen=True):
    """One payload type of one m-line.

    Attributes:
        name: Canonical encoding name, a value of `FORWARDED`.
        fmtp: Format parameters, keys in lower case.
        rtx: Payload type of its retransmission format (RFC 4588), if negotiated.
        nack: Generic NACK is negotiated.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: dict[str, str] = {}
    rtx: int | None = None
    nack: bool = False

    def identity(self) -> tuple[str, str, str]:
        """Return what must agree between publisher and watcher."""
        return _IDENTITY.get(self.name, _by_name)(self)


def _by_name(codec: Codec) -> tuple[str, str, str]:
    return (codec.name, "", "")


def _h264(codec: Codec) -> tuple[str, str, str]:
    profile = codec.fmtp.get("profile-level-id", "42e01f").lower()
    return (codec.name, codec.fmtp.get("packetization-mode", "0"), profile[:2])


def _vp9(codec: Codec) -> tuple[str, str, str]:
    return (codec.name, codec.fmtp.get("profile-id", "0"), "")


def _av1(codec: Codec) -> tuple[str, str, str]:
    return (codec.name, codec.fmtp.get("profile", "0"), "")


_IDENTITY: Final = {"H264": _h264, "VP9": _vp9, "AV1": _av1}


def match(publisher: Codec, watcher: Iterable[Codec]) -> Codec | None:
    """Return the watcher's codec that fits the publisher's packets best, if any.

    The same packetization mode is required for H.264 (RFC 6184 §8.1); the same
    profile is preferred, then constrained baseline or baseline for each other, then
    any: decoders in the field take every profile up to High whatever was written in
    the SDP, and a picture that may not decode is better than none.
    """
    wanted = publisher.identity()
    best: Codec | None = None
    best_score = 0
    for codec in watcher:
        found = codec.identity()
        if found[:2] != wanted[:2]:
            continue
        score = 1
        if found == wanted:
            score = 2
            if codec.fmtp.get("profile-level-id", "")[:4].lower() == (
                publisher.fmtp.get("profile-level-id", "")[:4].lower()
            ):
                score = 3
        if score > best_score:
            best, best_score = codec, score
    return best
