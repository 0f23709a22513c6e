"""H.264 by libx264, set for one live camera on a small machine.

Constrained baseline, ultrafast, zero latency, one thread, one slice: every picture
leaves as soon as it is in. Keyframes come at the configured interval and when asked;
each carries its parameter sets, so a viewer can begin at any of them. The VBV holds
half a second at the target rate. PyAV cannot change the VBV of an open encoder, so
the rate moves freely below the VBV's limit and a new encoder, which begins with a
keyframe, is opened where it leaves that room. A rising rate gets room above it, so
that 1 to 8 Mbit/s costs three keyframes; a falling one gets none.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from vehicle_stub.rate import FLOOR_KBPS, Rate

VBV_S: Final = 0.5
REPEATED_QP: Final = 30

_REOPEN_BELOW: Final = 0.6
_REOPEN_ABOVE: Final = 1.25
_ROOM_TO_RISE: Final = 1.6

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
    """One camera's encoder. Used by one thread; blocking, without the GIL.

    Args:
        repeating: It shows one picture again and again, for rehearsals: at a constant
            quantiser, where nothing is left to refine and pictures weigh next to nothing,
            as those of an encoder that hangs.

    Attributes:
        rate: What it aims at now.
        opened: How often an encoder was opened; each begins with a keyframe.
    """

    def __init__(
        self,
        width: int,
        height: int,
        fps: int,
        bitrate_kbps: int,
        keyframe_interval_s: float,
        *,
        repeating: bool = False,
    ) -> None:
        self._size = (width, height, fps)
        self._interval_s = keyframe_interval_s
        self._ceiling = bitrate_kbps
        self._repeating = repeating
        self.rate = Rate(bitrate_kbps, 1)
        self.opened = 0
        self._number = 0
        self._limit_kbps = bitrate_kbps
        self._codec = self._open()

    def set_rate(self, rate: Rate) -> None:
        """Follow an estimate, between the floor and the configured rate."""
        kbps = max(min(FLOOR_KBPS, self._ceiling), min(rate.kbps, self._ceiling))
        rate = Rate(kbps, rate.divisor)
        if rate == self.rate or self._repeating:
            return
        before, self.rate = self.rate, rate
        room = kbps / self._limit_kbps
        if rate.divisor == before.divisor and _REOPEN_BELOW <= room <= _REOPEN_ABOVE:
            self._codec.bit_rate = kbps * 1000
            return
        rising = kbps > before.kbps
        self._limit_kbps = min(self._ceiling, round(kbps * _ROOM_TO_RISE)) if rising else kbps
        self._codec = self._open()

    def _open(self) -> VideoCodecContext:
        width, height, full_fps = self._size
        fps = Fraction(full_fps, self.rate.divisor)
        limit = self._limit_kbps * 1000
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width = width
        codec.height = height
        codec.pix_fmt = "yuv420p"
        codec.framerate = fps
        codec.time_base = 1 / fps
        codec.bit_rate = 0 if self._repeating else self.rate.kbps * 1000
        codec.gop_size = max(1, round(fps * Fraction(self._interval_s)))
        codec.thread_count = 1
        codec.profile = "Baseline"
        codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "level": level_for(width, height, full_fps),
            "forced-idr": "1",
            **(
                {"qp": str(REPEATED_QP)}
                if self._repeating
                else {
                    "maxrate": str(limit),
                    "bufsize": str(round(self.rate.kbps * 1000 * VBV_S)),
                }
            ),
            "x264-params": "scenecut=0:sliced-threads=0:threads=1:slices=1:sync-lookahead=0",
        }
        codec.open()
        self.opened += 1
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
