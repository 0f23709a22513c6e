"""H.264 by libx264, set for one live camera on a small machine.

Constrained baseline, ultrafast, zero latency, one thread, one slice: every picture
leaves as soon as it is in. Keyframes come at the configured interval and when asked;
each carries its parameter sets, so a viewer can begin at any of them. The VBV holds
half a second at the target rate. Small changes of the rate need no keyframe.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

FLOOR_KBPS: Final = 150
"""The rate never follows an estimate below this; a picture of use costs that much."""

VBV_S: Final = 0.5

_REOPEN_BELOW: Final = 0.6
_REOPEN_ABOVE: Final = 1.25

# (level, macroblocks a second, macroblocks a frame): ITU-T H.264 table A-1.
_LEVELS: Final = (
    ("3.0", 40_500, 1_620),
    ("3.1", 108_000, 3_600),
    ("3.2", 216_000, 5_120),
    ("4.0", 245_760, 8_192),
    ("4.2", 522_240, 8_704),
    ("5.1", 983_040, 36_864),
    ("5.2", 2_073_600, 36_864),
)


class Encoded(NamedTuple):
    """One access unit, Annex B."""

    data: bytes
    keyframe: bool


def level_for(width: int, height: int, fps: int) -> str:
    """Return the lowest level that holds this picture.

    >>> level_for(1280, 720, 30)
    '3.1'
    """
    blocks = -(-width // 16) * -(-height // 16)
    for level, per_second, per_frame in _LEVELS:
        if blocks <= per_frame and blocks * fps <= per_second:
            return level
    return _LEVELS[-1][0]


class H264Encoder:
    """One camera's encoder. Used by one thread; blocking, without the GIL."""

    def __init__(
        self, width: int, height: int, fps: int, bitrate_kbps: int, keyframe_interval_s: float
    ) -> None:
        self._size = (width, height, fps)
        self._interval = max(1, round(fps * keyframe_interval_s))
        self._ceiling = bitrate_kbps
        self.bitrate_kbps = bitrate_kbps
        self._number = 0
        self._opened_kbps = bitrate_kbps
        self._codec = self._open()

    def set_bitrate(self, kbps: int) -> None:
        """Follow an estimate, between the floor and the configured rate.

        A small change is taken as is. The VBV of an open encoder cannot be changed, so a
        large one opens a new encoder, which begins with a keyframe.
        """
        kbps = max(min(FLOOR_KBPS, self._ceiling), min(kbps, self._ceiling))
        if kbps == self.bitrate_kbps:
            return
        self.bitrate_kbps = kbps
        if _REOPEN_BELOW < kbps / self._opened_kbps < _REOPEN_ABOVE:
            self._codec.bit_rate = kbps * 1000
        else:
            self._opened_kbps = kbps
            self._codec = self._open()

    def _open(self) -> VideoCodecContext:
        width, height, fps = self._size
        rate = self.bitrate_kbps * 1000
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width = width
        codec.height = height
        codec.pix_fmt = "yuv420p"
        codec.framerate = Fraction(fps, 1)
        codec.time_base = Fraction(1, fps)
        codec.bit_rate = rate
        codec.gop_size = self._interval
        codec.thread_count = 1
        codec.profile = "Baseline"
        codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "level": level_for(width, height, fps),
            "forced-idr": "1",
            "maxrate": str(rate),
            "bufsize": str(round(rate * VBV_S)),
            "x264-params": "scenecut=0:sliced-threads=0:threads=1:slices=1:sync-lookahead=0",
        }
        codec.open()
        return codec

    def encode(self, frame: av.VideoFrame, *, keyframe: bool) -> Encoded | None:
        """Return the access unit of one picture; None if the encoder kept it."""
        frame.pts = self._number
        frame.time_base = self._codec.time_base
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._number += 1
        packets = self._codec.encode(frame)
        if not packets:
            return None
        return Encoded(
            b"".join(bytes(packet) for packet in packets),
            any(packet.is_keyframe for packet in packets),
        )
