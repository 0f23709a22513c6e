"""What a microphone in the vehicle hears, in frames of 20 ms at 48 kHz.

Synthetic: an electric drive whose pitch follows the speed, tyres and wind as noise,
and a chime of two notes when the doors open or the vehicle moves off. Or a file,
in real time, again and again. aiortc encodes Opus.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, Protocol

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

from vehicle_stub import clock
from vehicle_stub.vehicle import Snapshot

log = logging.getLogger("enkan.vehicle.sound")

RATE: Final = 48_000
SAMPLES: Final = 960
FRAME_NS: Final = 20_000_000
CHIME_S: Final = 0.9
CATCH_UP_NS: Final = 200_000_000

Samples = NDArray[np.int16]


class SoundError(Exception):
    """The sound stopped; the text says why."""


class Sound(Protocol):
    """Gives 960 samples at a time."""

    def next(self) -> Samples:
        """Return the next 20 ms, mono."""
        ...


class EngineSound:
    """The synthetic one. `look` returns what the vehicle does now."""

    def __init__(self, look: Callable[[], Snapshot]) -> None:
        self._look = look
        self._phase = 0.0
        noise = np.random.default_rng(1).normal(0.0, 1.0, RATE * 2)
        self._noise = np.convolve(noise, np.ones(24) / 24, "same")
        self._place = 0
        self._chime = _chime()
        self._chime_at = len(self._chime)
        self._speed = 0.0
        self._doors = False
        self._moving = False

    def next(self) -> Samples:
        """Return the next 20 ms."""
        seen = self._look()
        moving = seen.speed > 0.05
        if (seen.doors_open and not self._doors) or (moving and not self._moving):
            self._chime_at = 0
        self._doors, self._moving = seen.doors_open, moving
        before, self._speed = self._speed, seen.speed
        speeds = np.linspace(before, self._speed, SAMPLES, dtype=np.float32)
        phase = self._phase + np.cumsum((38.0 + 26.0 * speeds) * (2 * math.pi / RATE))
        self._phase = float(phase[-1] % (2 * math.pi))
        load = np.minimum(1.0, 0.25 + speeds / 8.0)
        wave = (np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.3 * np.sin(3 * phase)) * 0.10 * load
        noise = self._noise[self._place : self._place + SAMPLES]
        self._place = (self._place + SAMPLES) % (len(self._noise) - SAMPLES)
        wave = wave + noise * (0.05 + 0.05 * speeds)
        rest = self._chime[self._chime_at : self._chime_at + SAMPLES]
        wave[: len(rest)] += rest
        self._chime_at += len(rest)
        samples: Samples = (np.clip(wave, -1.0, 1.0) * 30_000).astype(np.int16)
        return samples


class FileSound:
    """A sound file, again and again. Blocking reads are small; a frame is 20 ms."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = np.zeros(0, np.int16)
        self._frames = self._decode()

    def next(self) -> Samples:
        """Return the next 20 ms.

        Raises:
            SoundError: The file cannot be read.
        """
        restarted = False
        while len(self._left) < SAMPLES:
            try:
                piece = next(self._frames, None)
            except (av.FFmpegError, OSError, IndexError) as error:
                raise SoundError(f"audio.source: {self._path}: {error}") from error
            if piece is None:
                if restarted:
                    raise SoundError(f"audio.source: {self._path}: no sound in it")
                restarted = True
                self._frames = self._decode()
                continue
            self._left = np.concatenate((self._left, piece))
        taken, self._left = self._left[:SAMPLES], self._left[SAMPLES:]
        return taken

    def _decode(self) -> Iterator[Samples]:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        with av.open(str(self._path)) as container:
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    yield part.to_ndarray().reshape(-1).astype(np.int16, copy=False)


class SoundTrack(MediaStreamTrack):
    """Paces a `Sound` for aiortc. One for each media session."""

    kind = "audio"

    def __init__(self, sound: Sound) -> None:
        super().__init__()
        self._sound = sound
        self._start_ns = 0
        self._utc_offset_ns = 0
        self._pts = 0

    async def recv(self) -> AudioFrame:
        """Return the next frame when its 20 ms are over."""
        if self.readyState != "live":
            raise MediaStreamError
        now_ns = clock.monotonic_ns()
        if self._start_ns == 0:
            self._start_ns = now_ns
        due_ns = self._start_ns + (self._pts + SAMPLES) * 1_000_000_000 // RATE
        if now_ns - due_ns > CATCH_UP_NS:  # the process was suspended: leave a gap
            skipped = (now_ns - due_ns) // FRAME_NS
            self._pts += skipped * SAMPLES
        elif due_ns > now_ns:
            await asyncio.sleep((due_ns - now_ns) / 1e9)
        self._utc_offset_ns = clock.utc_offset_ns()
        try:
            samples = self._sound.next()
        except SoundError as error:
            log.error("%s", error)
            raise MediaStreamError from error
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = self._pts
        self._pts += SAMPLES
        return frame

    def captured_utc_ns(self, rtp_ts: int) -> int:
        """Return the wall-clock instant of a sample, by its number."""
        return self._start_ns + rtp_ts * 1_000_000_000 // RATE + self._utc_offset_ns


def _chime() -> NDArray[np.float32]:
    t = np.arange(int(RATE * CHIME_S)) / RATE
    first = np.sin(2 * math.pi * 880 * t) * np.exp(-5 * t)
    later = np.maximum(t - 0.3, 0)
    second = np.sin(2 * math.pi * 660 * later) * np.exp(-5 * later) * (t >= 0.3)
    chime: NDArray[np.float32] = ((first + second) * 0.12).astype(np.float32)
    return chime
