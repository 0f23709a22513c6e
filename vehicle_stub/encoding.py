"""One encoded stream of a camera: the full one, or the small one beside it.

The camera's thread encodes into it, the media session takes from it. Both sides meet
in plain attributes and one event; the session's side never blocks.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from av import VideoFrame

from vehicle_stub.encoder import H264Encoder
from vehicle_stub.rate import Rate


class EncodedPicture(NamedTuple):
    """One picture ready to send.

    Attributes:
        payloads: RTP payloads (RFC 6184).
        rtp_ts: 90 kHz, from the monotonic capture time.
        captured_utc_ns: The wall clock at that same instant.
    """

    payloads: list[bytes]
    rtp_ts: int
    captured_ns: int
    captured_utc_ns: int
    keyframe: bool


class Shape(NamedTuple):
    """What an encoding is made of.

    Attributes:
        every: One picture of so many of the camera's.
        bitrate_kbps: Upper limit.
    """

    width: int
    height: int
    fps: int
    every: int
    bitrate_kbps: int
    keyframe_interval_s: float


class Encoding:
    """One stream.

    Attributes:
        name: What it is called towards the hub: `front`, or `front--low`.
        frames: Encoded since the start.
    """

    def __init__(
        self,
        name: str,
        shape: Shape,
        packetize: Callable[[bytes], list[bytes]],
        wanted: Callable[[], None],
    ) -> None:
        self.name = name
        self.shape = shape
        self.frames = 0
        self._wire_ms: deque[float] = deque(maxlen=shape.fps)
        self._packetize = packetize
        self._changed = wanted
        self._deliver: Callable[[EncodedPicture], None] | None = None
        self._keyframe = threading.Event()
        self._rate = Rate(shape.bitrate_kbps, 1)
        self._encoder: H264Encoder | None = None
        self._repeating = False

    # ------------------------------------------------------------ the session's side

    @property
    def wanted(self) -> bool:
        """Whether somebody takes its pictures."""
        return self._deliver is not None

    def attach(self, deliver: Callable[[EncodedPicture], None]) -> None:
        """Send pictures to `deliver`, called in the camera's thread, from a keyframe on.

        Whoever took them before does not get them any more.
        """
        self._deliver = deliver
        self._rate = Rate(self.shape.bitrate_kbps, 1)
        self._keyframe.set()
        self._changed()

    def detach(self, deliver: Callable[[EncodedPicture], None]) -> None:
        """`deliver` takes the pictures no more; nothing happens if it is another's turn."""
        if self._deliver == deliver:
            self._deliver = None
            self._wire_ms.clear()
            self._changed()

    def ask_keyframe(self) -> None:
        """The next picture must be a keyframe."""
        self._keyframe.set()

    def set_rate(self, rate: Rate) -> None:
        """Use this rate from the next picture on."""
        self._rate = rate

    def on_sent(self, taken_ms: float) -> None:
        """A picture's last packet is on the wire, so long after its capture."""
        self._wire_ms.append(taken_ms)

    @property
    def wire_ms(self) -> float | None:
        """Capture to the last packet on the wire: median of the last second's pictures."""
        return statistics.median(self._wire_ms) if self._wire_ms else None

    # ------------------------------------------------------------- in the thread

    def takes(self, number: int) -> bool:
        """Tell whether this picture of the camera is one of ours."""
        every = self.shape.every * self._rate.divisor
        return self.wanted and (number % every == 0 or self._keyframe.is_set())

    def encode(
        self,
        frame: VideoFrame,
        captured_ns: int,
        captured_utc_ns: int,
        *,
        repeating: bool = False,
    ) -> None:
        """Encode one picture of our size and deliver it."""
        shape = self.shape
        if repeating is not self._repeating:
            self._repeating, self._encoder = repeating, None
        if self._encoder is None:
            self._encoder = H264Encoder(
                shape.width,
                shape.height,
                shape.fps,
                shape.bitrate_kbps,
                shape.keyframe_interval_s,
                repeating=repeating,
            )
        keyframe = self._keyframe.is_set()
        if keyframe:
            self._keyframe.clear()
        self._encoder.set_rate(self._rate)
        encoded = self._encoder.encode(frame, keyframe=keyframe)
        deliver = self._deliver
        if encoded is None or deliver is None:
            return
        self.frames += 1
        deliver(
            EncodedPicture(
                self._packetize(encoded.data),
                captured_ns * 9 // 100_000 & 0xFFFFFFFF,
                captured_ns,
                captured_utc_ns,
                encoded.keyframe,
            )
        )

    def begin(self) -> None:
        """The camera was opened (again): start with a new encoder."""
        self._encoder = None
