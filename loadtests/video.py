"""What publishers send: a loop of pictures, cut into RTP payloads (RFC 6184).

    shaped   right sizes and headers, random content: no decoder needed, any rate
    encoded  really encoded by libx264, for forwarders that decode

A loop begins with a keyframe with parameter sets in front, lasts two seconds at 30
pictures a second, and is repeated; a keyframe that is asked for begins it anew.
"""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import Final, NamedTuple

import av
import numpy as np

from loadtests import wire
from loadtests.udp import MAX_RUN, MAX_RUN_BYTES

FRAMES_PER_S: Final = 30
LOOP_FRAMES: Final = 60
KEYFRAME_WEIGHT: Final = 6
"""A keyframe is this many times as large as another picture."""

PAYLOAD_BYTES: Final = 1150
"""Payload of a full packet, its trailer included."""

_FU_A: Final = 28
_STAP_A: Final = 24
_FU_HEADER: Final = 2
_SRTP_OVERHEAD: Final = 80

# Parameter sets of constrained baseline, level 3.1, 1280x720.
_SPS: Final = bytes.fromhex("6742c01fda014016e840000003004000000f03c60ca8")
_PPS: Final = bytes.fromhex("68ce3c80")


class Packet(NamedTuple):
    """One RTP payload without its trailer."""

    payload: bytes
    marker: bool


class Loop(NamedTuple):
    """Pictures in order, the first a keyframe.

    Attributes:
        padded: The trailer goes into RTP padding, so that the payload stays decodable.
    """

    frames: list[list[Packet]]
    padded: bool

    def packets(self) -> int:
        """Return the packets of the whole loop."""
        return sum(len(frame) for frame in self.frames)

    def bits_per_s(self) -> float:
        """Return the rate of the payloads, trailers included."""
        tail = wire.TRAILER.size + (len(wire.PADDING) if self.padded else 0)
        total = sum(len(packet.payload) + tail for frame in self.frames for packet in frame)
        return total * 8 * FRAMES_PER_S / len(self.frames)


class Run(NamedTuple):
    """Payloads of one size that one segmented send can carry; the last packet's marker."""

    payloads: list[bytes]
    marker: bool


class CutLoop(NamedTuple):
    """A loop cut into runs: pictures of runs."""

    pictures: list[list[Run]]
    padded: bool


def cut(loop: Loop, longest: int) -> CutLoop:
    """Cut each picture into runs of at most `longest` packets (64 at most)."""
    longest = min(longest, MAX_RUN)
    return CutLoop([_runs(frame, longest) for frame in loop.frames], loop.padded)


def shaped(mbps: float, seed: int = 1) -> Loop:
    """Return a loop of random content at `mbps` million bits of payload a second."""
    noise = random.Random(seed)
    total = mbps * 1e6 / 8 * LOOP_FRAMES / FRAMES_PER_S / PAYLOAD_BYTES
    unit = total / (LOOP_FRAMES - 1 + KEYFRAME_WEIGHT)
    frames: list[list[Packet]] = []
    owed = 0.0
    for index in range(LOOP_FRAMES):
        keyframe = index == 0
        owed += unit * KEYFRAME_WEIGHT if keyframe else unit
        count = max(1, round(owed))
        owed -= count
        frame = [Packet(_parameter_sets(), False)] if keyframe else []
        frame.extend(_fragments(noise, count, keyframe))
        frames.append(frame)
    return Loop(frames, padded=False)


def _fragments(noise: random.Random, count: int, keyframe: bool) -> list[Packet]:
    indicator, kind = (0x7C, 5) if keyframe else (0x5C, 1)
    body = PAYLOAD_BYTES - _FU_HEADER - wire.TRAILER.size
    packets = []
    for number in range(count):
        start = 0x80 if number == 0 else 0
        last = number == count - 1
        header = bytes([indicator, start | (0x40 if last and number else 0) | kind])
        packets.append(Packet(header + noise.randbytes(body), last))
    return packets


def _parameter_sets(sps: bytes = _SPS, pps: bytes = _PPS) -> bytes:
    aggregated = b"".join(len(nal).to_bytes(2, "big") + nal for nal in (sps, pps))
    return bytes([0x60 | _STAP_A]) + aggregated


def encoded(mbps: float, width: int = 1280, height: int = 720) -> Loop:
    """Return a loop of a moving, noisy picture encoded at about `mbps` Mbit/s."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, FRAMES_PER_S)
    encoder.framerate = Fraction(FRAMES_PER_S)
    encoder.bit_rate = int(mbps * 1e6)
    encoder.options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "profile": "baseline",
        "x264-params": f"keyint={LOOP_FRAMES}:min-keyint={LOOP_FRAMES}:scenecut=0:bframes=0"
        f":vbv-maxrate={int(mbps * 1000)}:vbv-bufsize={int(mbps * 500)}:sliced-threads=0",
    }
    frames: list[list[Packet]] = []
    noise = np.random.default_rng(1)
    for index in range(LOOP_FRAMES):
        frame = av.VideoFrame.from_ndarray(_picture(noise, index, width, height), "yuv420p")
        frame.pts = index
        frames.extend(_packetise(bytes(packet)) for packet in encoder.encode(frame))
    frames.extend(_packetise(bytes(packet)) for packet in encoder.encode(None))
    return Loop(frames, padded=True)


def _picture(
    noise: np.random.Generator, index: int, width: int, height: int
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return a yuv420p picture: a drifting pattern with grain that costs bits."""
    x = np.arange(width) + 4 * index
    y = np.arange(height)[:, None] + 2 * index
    luma = 128 + 50 * np.sin(x / 37) + 40 * np.sin(y / 23)
    grain = noise.integers(-12, 13, (height, width))
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    picture[:height] = np.clip(luma + grain, 16, 235).astype(np.uint8)
    return picture


def _packetise(access_unit: bytes) -> list[Packet]:
    """Cut one Annex B access unit into single NAL units and FU-A (RFC 6184 §5.6, §5.8)."""
    limit = PAYLOAD_BYTES - wire.TRAILER.size - len(wire.PADDING)
    payloads: list[bytes] = []
    for nal in _nal_units(access_unit):
        if len(nal) <= limit:
            payloads.append(nal)
            continue
        body = nal[1:]
        pieces = -(-len(body) // (limit - _FU_HEADER))
        size = -(-len(body) // pieces)
        for number in range(pieces):
            edge = (0x80 if number == 0 else 0) | (0x40 if number == pieces - 1 else 0)
            header = bytes([nal[0] & 0xE0 | _FU_A, edge | nal[0] & 0x1F])
            payloads.append(header + body[number * size : (number + 1) * size])
    return [Packet(payload, i == len(payloads) - 1) for i, payload in enumerate(payloads)]


def _nal_units(data: bytes) -> list[bytes]:
    units = []
    for part in data.split(b"\0\0\1")[1:]:
        nal = part.rstrip(b"\0")
        if nal and nal[0] & 0x1F not in (6, 9):  # neither SEI nor access unit delimiter
            units.append(nal)
    return units


def _runs(frame: list[Packet], longest: int) -> list[Run]:
    """Cut a picture into runs of packets of one size; only a picture's last has the marker."""
    runs: list[Run] = []
    for length, alike in itertools.groupby(frame, key=lambda packet: len(packet.payload)):
        most = max(1, min(longest, MAX_RUN_BYTES // (length + _SRTP_OVERHEAD)))
        packets = list(alike)
        for start in range(0, len(packets), most):
            part = packets[start : start + most]
            runs.append(Run([packet.payload for packet in part], part[-1].marker))
    return runs
