"""The vehicle's loudspeaker: what an operator says, recorded or played.

    receive   a session's sound track, decoded by aiortc, into a queue of one second
    write     from there to a WAV file or an ALSA device, in a thread

The queue drops its oldest and counts it: a late word is worth less than the next one.
A device that fails is opened again with growing delays; the vehicle drives on.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import wave
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

from vehicle_stub.backoff import Backoff

log = logging.getLogger("enkan.vehicle.speaker")

RATE: Final = 48_000
MAX_WAITING: Final = 50
"""Frames of 20 ms."""

MAX_FILE_BYTES: Final = 50_000_000
"""About nine minutes; then the file becomes `NAME.1.wav`, and an older one goes."""

ALSA_CONFIGURATION: Final = Path("/usr/share/alsa/alsa.conf")
QUIET_DBFS: Final = -60.0
TALK_ENDS_FRAMES: Final = 50

Samples = NDArray[np.int16]


class SpeakerError(Exception):
    """The sound cannot be put out; the text says why."""


class Output(Protocol):
    """Where the sound goes. Blocking; used by one thread at a time."""

    def write(self, samples: Samples) -> None:
        """Put out mono samples of 48 kHz.

        Raises:
            SpeakerError: It is gone.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class WavOutput:
    """A WAV file, readable at any time, rotated at `max_bytes`."""

    def __init__(self, path: Path, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._written = 0
        self._file = self._open()

    def write(self, samples: Samples) -> None:
        """Append."""
        data = samples.tobytes()
        try:
            if self._written + len(data) > self._max_bytes:
                self.close()
                self._path.replace(self._path.with_suffix(f".1{self._path.suffix}"))
                self._file = self._open()
            self._file.writeframes(data)
        except OSError as error:
            raise SpeakerError(f"speaker.output: {self._path}: {error.strerror}") from error
        self._written += len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def _open(self) -> wave.Wave_write:
        self._written = 0
        try:
            self._raw = self._path.open("wb")
        except OSError as error:
            raise SpeakerError(f"speaker.output: {self._path}: {error.strerror}") from error
        file = wave.open(self._raw, "wb")  # noqa: SIM115 -- closed by `close`
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        return file


class AlsaOutput:
    """An ALSA device; writing takes as long as the sound does."""

    def __init__(self, device: str) -> None:
        self._device = device
        if ALSA_CONFIGURATION.exists():  # PyAV's own libasound looks where it was built
            os.environ.setdefault("ALSA_CONFIG_PATH", str(ALSA_CONFIGURATION))
        try:
            self._container = av.open(device, "w", format="alsa")
            self._stream: Any = self._container.add_stream("pcm_s16le", rate=RATE)
            self._stream.layout = "mono"
            self._container.start_encoding()  # opens the device
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SpeakerError(f"speaker.output: alsa:{device}: {error}") from error

    def write(self, samples: Samples) -> None:
        """Play."""
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise SpeakerError(f"speaker.output: alsa:{self._device}: {error}") from error

    def close(self) -> None:
        """Let go of the device."""
        self._container.close()


class Speaker:
    """One vehicle's loudspeaker, over all its media sessions.

    Attributes:
        frames, dropped: 20 ms pieces heard, and thrown away because the output is slow.
        level_dbfs: Of the newest piece, 0 is full scale.
        talking: Something louder than silence came within the last second.
    """

    def __init__(self, make_output: Callable[[], Output], source: random.Random) -> None:
        self.frames = 0
        self.dropped = 0
        self.level_dbfs = -math.inf
        self.talking = False
        self._make_output = make_output
        self._backoff = Backoff(source)
        self._waiting: deque[Samples] = deque()
        self._filled = asyncio.Event()
        self._quiet_frames = 0
        self._listening: set[asyncio.Task[None]] = set()

    def listen(self, track: MediaStreamTrack) -> None:
        """Take a session's sound until it ends; ours to cancel when `run` ends."""
        task = asyncio.get_running_loop().create_task(self._take(track), name="speaker-listen")
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)

    async def run(self) -> None:
        """Put out what is heard until cancelled."""
        try:
            while True:
                await self._filled.wait()
                try:
                    output = await asyncio.to_thread(self._make_output)
                except SpeakerError as error:
                    await self._complain(error)
                    continue
                try:
                    await self._play(output)
                except SpeakerError as error:
                    await self._complain(error)
                finally:
                    await asyncio.to_thread(output.close)
        finally:
            listening = set(self._listening)
            for task in listening:
                task.cancel()
            if listening:
                await asyncio.wait(listening)

    # ---------------------------------------------------------------------- inside

    async def _take(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return  # the session ended
            if isinstance(frame, AudioFrame):
                self._put(_mono(frame))

    def _put(self, samples: Samples) -> None:
        self.frames += 1
        self._measure(samples)
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(samples)
        self._filled.set()

    def _measure(self, samples: Samples) -> None:
        power = float(np.mean(samples.astype(np.float32) ** 2)) if len(samples) else 0.0
        self.level_dbfs = 10 * math.log10(power / 32768.0**2) if power > 0 else -math.inf
        if self.level_dbfs > QUIET_DBFS:
            self._quiet_frames = 0
            if not self.talking:
                self.talking = True
                log.info("speaker: an operator talks, %.0f dBFS", self.level_dbfs)
            return
        self._quiet_frames += 1
        if self.talking and self._quiet_frames >= TALK_ENDS_FRAMES:
            self.talking = False
            log.info("speaker: quiet again; %d pieces dropped so far", self.dropped)

    async def _play(self, output: Output) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                pieces = list(self._waiting)
                self._waiting.clear()
                await asyncio.to_thread(output.write, np.concatenate(pieces))
                self._backoff.reset()

    async def _complain(self, error: SpeakerError) -> None:
        delay = self._backoff.next_s()
        log.warning("%s; next try in %.1f s", error, delay)
        await asyncio.sleep(delay)


def _mono(frame: AudioFrame) -> Samples:
    """Return the samples of a 48 kHz s16 frame, its channels averaged."""
    data = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if data.shape[0] == 1 and channels > 1:
        data = data.reshape(-1, channels).T
    mono: Samples = data.astype(np.int32).mean(axis=0).astype(np.int16)
    return mono
