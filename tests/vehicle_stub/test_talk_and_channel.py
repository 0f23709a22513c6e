"""An operator's voice reaches the file, the command channel is heard, small pictures come."""

from __future__ import annotations

import asyncio
import random
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import CameraSection
from vehicle_stub.picture import Picture
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.sound import EngineSound
from vehicle_stub.speaker import RATE, AlsaOutput, Speaker, SpeakerError, WavOutput
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.webrtc import packetize
from vehicle_stub.whip import WhipClient

TONE_HZ = 1_000


class Tone(MediaStreamTrack):
    """What the operator says."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pts = 0

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(0.02)
        t = (np.arange(960) + self._pts) / RATE
        samples = (np.sin(2 * np.pi * TONE_HZ * t) * 12_000).astype(np.int16)
        frame = AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._pts, Fraction(1, RATE)
        self._pts += 960
        return frame


class Gradient:
    """A picture wide enough to have a small one beside it."""

    live = False
    draws_strip = True

    def __init__(self) -> None:
        self.picture = Picture(1280, 720)
        self.picture.luma[:] = np.linspace(30, 220, 1280).astype(np.uint8)
        self.picture.cb[:] = self.picture.cr[:] = 128

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> Any:
        return self.picture.frame

    def close(self) -> None:
        pass


def look() -> Snapshot:
    return Snapshot(0, 100.0, 100.0, 5.0, None, doors_open=False, braking=False)


@asynccontextmanager
async def publishing(
    receiver: Any, *, low: bool = False, speaker: Speaker | None = None, channel: bool = False
) -> AsyncIterator[tuple[MediaPublisher, list[bytes | str]]]:
    section = CameraSection(name="front", fps=10, bitrate_kbps=600, low=low)
    camera = CameraWorker(section, Gradient, packetize, random.Random(1))
    camera.start()
    whip = WhipClient(receiver.url, receiver.token, verify=False)
    frames: list[bytes | str] = []
    publisher = MediaPublisher(
        whip,
        [camera],
        lambda: EngineSound(look),
        random.Random(3),
        speaker,
        (lambda data, now_ns: frames.append(data)) if channel else None,
    )
    tasks = [asyncio.create_task(publisher.run(), name="publisher")]
    if speaker is not None:
        tasks.append(asyncio.create_task(speaker.run(), name="speaker"))
    try:
        yield publisher, frames
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await whip.close()
        await asyncio.to_thread(camera.stop)


@pytest.mark.integration
async def test_an_operators_tone_is_in_the_file(whip_receiver: Any, tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    whip_receiver.voice = Tone
    speaker = Speaker(lambda: WavOutput(path), random.Random(1))
    async with publishing(whip_receiver, speaker=speaker), asyncio.timeout(60):
        while speaker.frames < 100:  # noqa: ASYNC110 -- a counter has no event
            await asyncio.sleep(0.05)
        assert speaker.talking
        assert -20 < speaker.level_dbfs < -5
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(samples) >= 90 * 960
    spectrum = np.abs(np.fft.rfft(samples[RATE // 2 : RATE // 2 + RATE]))
    assert abs(int(np.argmax(spectrum)) - TONE_HZ) <= 5
    assert "a=sendrecv" in whip_receiver.offers[0]


@pytest.mark.integration
async def test_the_command_channel_is_heard_and_answered(whip_receiver: Any) -> None:
    async with publishing(whip_receiver, channel=True) as (publisher, frames):
        async with asyncio.timeout(60):
            channels = [await whip_receiver.channels.get() for _ in range(2)]
            assert sorted(channel.label for channel in channels) == ["command", "stop"]
            assert {(c.ordered, c.maxRetransmits) for c in channels} == {(False, 0)}
            ours = whip_receiver.peers[0].createDataChannel(
                "command", ordered=False, maxRetransmits=0
            )
            while ours.readyState != "open":  # noqa: ASYNC110 -- from another library
                await asyncio.sleep(0.01)
            while len(frames) < 3:
                for channel in channels:
                    channel.send(b"\x00nonsense")
                ours.send("more nonsense")
                await asyncio.sleep(0.05)
            heard = asyncio.get_running_loop().create_future()
            command = next(channel for channel in channels if channel.label == "command")
            command.on("message", lambda data: heard.done() or heard.set_result(data))
            while not heard.done():
                publisher.say(b"an echo")
                await asyncio.sleep(0.05)
        assert heard.result() == b"an echo"
        assert {b"\x00nonsense", "more nonsense"} >= set(frames)
        assert publisher.sessions == 1


@pytest.mark.integration
@pytest.mark.parametrize("takes", [True, False])
async def test_pictures_come_whether_or_not_the_server_takes_a_channel(
    whip_receiver: Any, takes: bool
) -> None:
    whip_receiver.takes_channels = takes
    async with publishing(whip_receiver, channel=True), asyncio.timeout(60):
        seen = 0
        while seen < 3:
            track = await whip_receiver.tracks.get()
            if track.kind == "video":
                for _ in range(3):
                    await track.recv()
                    seen += 1
    assert len(whip_receiver.offers) == 1


@pytest.mark.integration
async def test_a_small_picture_goes_beside_the_full_one(whip_receiver: Any) -> None:
    async with publishing(whip_receiver, low=True), asyncio.timeout(60):
        tracks = [await whip_receiver.tracks.get() for _ in range(3)]
        sizes = []
        for track in tracks:
            if track.kind == "video":
                frame = await track.recv()
                sizes.append((frame.width, frame.height))
                columns = frame.to_ndarray(format="gray").mean(axis=0)
                assert abs(columns[0] - 30) < 25
                assert abs(columns[-1] - 220) < 25
    assert sizes == [(1280, 720), (640, 360)]
    offer = whip_receiver.offers[0]
    names = [line.split()[0][7:] for line in offer.splitlines() if line.startswith("a=msid:")]
    assert names == ["front", "front--low", "audio"]


def test_the_file_is_bounded_and_the_one_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    output = WavOutput(path, max_bytes=10_000)
    for value in range(12):
        output.write(np.full(960, value, np.int16))
    output.close()
    older = tmp_path / "voice.1.wav"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["voice.1.wav", "voice.wav"]
    for file in (path, older):
        assert file.stat().st_size <= 10_000 + 100
        with wave.open(str(file)) as opened:
            assert opened.getnframes() > 0


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpeakerError, match=r"speaker\.output"):
        WavOutput(tmp_path / "gone" / "x.wav")
    with pytest.raises(SpeakerError, match="alsa:no-such-device"):
        AlsaOutput("no-such-device")


async def test_a_slow_output_loses_the_oldest_words() -> None:
    speaker = Speaker(lambda: WavOutput(Path("unused.wav")), random.Random(1))
    for _ in range(70):
        speaker._put(np.zeros(960, np.int16))
    assert (speaker.frames, speaker.dropped) == (70, 20)
    assert not speaker.talking
