"""The vehicle publishes to a stock aiortc peer: real ICE, DTLS, SRTP, H.264, Opus."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioice
import numpy as np
import pytest
from aiortc import RTCRtpSender
from aiortc.rtp import RtcpSrPacket
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from protocols import strip
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import CameraSection
from vehicle_stub.course import route_course
from vehicle_stub.encoding import EncodedPicture
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.rate import RateFollower
from vehicle_stub.rtp_hooks import ntp_timestamp
from vehicle_stub.sound import EngineSound, SoundTrack
from vehicle_stub.synthetic import SyntheticSource
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.video_sender import VideoSender
from vehicle_stub.webrtc import AnswerError, MediaSession, packetize
from vehicle_stub.whip import WhipClient, WhipError

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def look() -> Snapshot:
    return Snapshot(0, 100.0, 100.0, 5.0, 30.0, doors_open=False, braking=False)


def make_camera(name: str = "front", **changes: Any) -> CameraWorker:
    settings = {"width": 640, "height": 360, "fps": 15, "bitrate_kbps": 800} | changes
    camera = CameraSection(name=name, **settings)
    course = route_course((ROOT / "scenarios/maebashi/route.geojson").read_bytes(), 5.5)
    return CameraWorker(
        camera,
        lambda: SyntheticSource(camera, "bus-01", course, look),
        packetize,
        random.Random(1),
    )


def read_strip(frame: Any) -> strip.StripReading | None:
    luma = frame.to_ndarray(format="gray")
    rows = luma[2 : strip.strip_height(frame.height) - 2]
    centres = [(2 * cell + 1) * frame.width // (2 * strip.CELLS) for cell in range(strip.CELLS)]
    return strip.decode_cells([float(np.mean(rows[:, c - 1 : c + 2])) for c in centres])


@asynccontextmanager
async def publishing(
    whip_receiver: Any, cameras: list[CameraWorker], *, token: str = "", sound: bool = True
) -> AsyncIterator[MediaPublisher]:
    for camera in cameras:
        camera.start()
    whip = WhipClient(whip_receiver.url, token or whip_receiver.token, verify=False)
    make_sound = (lambda: EngineSound(look)) if sound else None
    publisher = MediaPublisher(whip, cameras, make_sound, random.Random(2))
    task = asyncio.create_task(publisher.run(), name="publisher")
    try:
        yield publisher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await whip.close()
        for camera in cameras:
            await asyncio.to_thread(camera.stop)


async def tracks_of(receiver: Any, count: int) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"video": [], "audio": []}
    for _ in range(count):
        track = await receiver.tracks.get()
        found[track.kind].append(track)
    return found


async def test_pictures_decode_and_reports_name_the_capture_instant(whip_receiver: Any) -> None:
    async with publishing(whip_receiver, [make_camera()]), asyncio.timeout(60):
        tracks = await tracks_of(whip_receiver, 2)
        receivers = {r.track.kind: r for r in whip_receiver.peers[0].getReceivers()}
        reports: dict[str, Any] = {}
        for kind, receiver in receivers.items():
            listen(receiver, kind, reports)
        readings: list[tuple[int, strip.StripReading]] = []
        while len(readings) < 20 or len(reports) < 2:
            frame = await tracks["video"][0].recv()
            reading = read_strip(frame)
            assert reading is not None
            readings.append((frame.pts, reading))
            await tracks["audio"][0].recv()
        numbers = [reading.frame_number for _, reading in readings]
        assert numbers == sorted(set(numbers))
        report = reports["video"]
        report_ms = ((report.ntp_timestamp >> 32) - 2_208_988_800) * 1000 + (
            (report.ntp_timestamp & 0xFFFFFFFF) * 1000 >> 32
        )
        # aiortc counts from the first timestamp it saw.
        origin = receivers["video"]._RTCRtpReceiver__timestamp_mapper._origin
        for pts, reading in readings:
            ahead = (pts + origin - report.rtp_timestamp + 2**31) % 2**32 - 2**31
            mapped_ms = (report_ms + ahead / 90) % strip.TIME_MODULO
            assert abs(mapped_ms - reading.captured_ms) <= 5
        assert reports["audio"].rtp_timestamp > 0
    assert "a=msid:front " in whip_receiver.offers[0]
    assert "a=msid:audio " in whip_receiver.offers[0]
    assert "42e01f" in whip_receiver.offers[0]
    assert whip_receiver.deleted == 1


def listen(receiver: Any, kind: str, reports: dict[str, Any]) -> None:
    handle = receiver._handle_rtcp_packet

    async def hear(packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket):
            reports[kind] = packet.sender_info
        await handle(packet)

    receiver._handle_rtcp_packet = hear


async def test_two_cameras_keep_their_names_and_a_picture_loss_gets_a_keyframe(
    whip_receiver: Any,
) -> None:
    cameras = [make_camera("front", keyframe_interval_s=60.0), make_camera("left")]
    keyframes: list[bool] = []
    async with publishing(whip_receiver, cameras, sound=False), asyncio.timeout(60):
        tracks = await tracks_of(whip_receiver, 2)
        await tracks["video"][0].recv()
        await tracks["video"][1].recv()
        deliver = cameras[0].main._deliver
        assert deliver is not None

        def watch(picture: EncodedPicture) -> None:
            keyframes.append(picture.keyframe)
            deliver(picture)

        cameras[0].main._deliver = watch
        receiver = whip_receiver.peers[0].getReceivers()[0]
        while len(keyframes) < 5:
            await tracks["video"][0].recv()
        before = sum(keyframes)
        await receiver._send_rtcp_pli(next(iter(receiver._RTCRtpReceiver__remote_streams)))
        while sum(keyframes) == before:
            await tracks["video"][0].recv()
    offer = whip_receiver.offers[0]
    assert [line.split()[0] for line in offer.splitlines() if line.startswith("a=msid:")] == [
        "a=msid:front",
        "a=msid:left",
    ]


async def test_what_is_lost_is_sent_again_and_a_large_picture_is_spread(
    whip_receiver: Any,
) -> None:
    camera = make_camera(bitrate_kbps=6_000, keyframe_interval_s=1.0)
    async with publishing(whip_receiver, [camera], sound=False) as publisher:
        async with asyncio.timeout(60):
            track = (await tracks_of(whip_receiver, 1))["video"][0]
            await track.recv()
            assert publisher.session is not None
            outlet = publisher.session.outlets[0]
            assert outlet._rtx_type is not None
            send = outlet.sender.transport._send_rtp
            left = 0
            times: list[float] = []

            async def lossy(data: bytes) -> None:
                nonlocal left
                if data[1] & 0x7F not in (72, 73, 74, 75, 76, 77, 78):  # not RTCP
                    times.append(asyncio.get_running_loop().time())
                    left += 1
                    if left % 9 == 0 and data[1] & 0x7F != outlet._rtx_type:
                        return
                await send(data)

            outlet.sender.transport._send_rtp = lossy
            while outlet.repairs.repaired < 20:
                await track.recv()
    assert outlet.repairs.repaired >= 20


def test_a_keyframe_takes_a_part_of_the_picture_interval_and_a_small_picture_nothing() -> None:
    outlet = object.__new__(VideoSender)
    outlet.encoding = make_camera().main
    outlet.follower = RateFollower(8_000, 1920, 1080, 15)
    small, middling, keyframe = ([b"x" * 1_200] * count for count in (10, 60, 210))
    assert outlet._pace(small) == (10, 0.0)
    # 2 Mbit: 63 ms at four times the rate
    assert outlet._pace(keyframe) == (10, pytest.approx(0.8 / 15 / 210))
    assert outlet._pace(middling) == (10, pytest.approx(9_600 / 32e6))
    outlet.follower.on_estimate(20_000, 0)
    assert outlet._pace(small) == (10, 0.0)
    assert outlet._pace(keyframe) == (10, pytest.approx(210 * 9_600 / 24e6 / 210))


def test_on_a_narrow_link_a_keyframe_leaves_as_fast_as_it_is_carried() -> None:
    outlet = object.__new__(VideoSender)
    outlet.encoding = make_camera().main
    outlet.follower = RateFollower(8_000, 1920, 1080, 15)
    outlet.follower.on_estimate(1_000, 0)
    keyframe = [b"x" * 1_200] * 20
    assert outlet._pace(keyframe) == (2, pytest.approx(9_600 / 1.2e6))
    huge = [b"x" * 1_200] * 200
    assert outlet._pace(huge) == (2, pytest.approx(0.3 / 200)), "never longer than that"


async def test_a_silent_or_dead_hub_is_dialled_again(whip_receiver: Any) -> None:
    async with publishing(whip_receiver, [make_camera()]), asyncio.timeout(60):
        first = (await tracks_of(whip_receiver, 2))["video"][0]
        await first.recv()
        await whip_receiver.peers[0].close()
        second = (await tracks_of(whip_receiver, 2))["video"][0]
        assert read_strip(await second.recv()) is not None
    assert len(whip_receiver.offers) == 2


async def test_a_wrong_token_is_tried_again_slowly(
    whip_receiver: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with publishing(whip_receiver, [make_camera()], token="wrong"), asyncio.timeout(30):
        while "refuses the token" not in caplog.text:  # noqa: ASYNC110 -- a log has no event
            await asyncio.sleep(0.05)
    assert whip_receiver.refused == 1
    assert "wrong" not in caplog.text.replace("wrong_token", "")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response("v=0", status_code=201), "without a Location"),
        (Response("x" * 70_000, status_code=201, headers={"Location": "/a"}), "larger than"),
        (Response("full", status_code=503), "503 full"),
        (Response("", status_code=201, headers={"Location": "http://evil/"}), "another host"),
    ],
)
async def test_a_strange_answer_is_a_whip_error(
    whip_receiver: Any, answer: Response, said: str
) -> None:
    async def publish(request: Any) -> Response:
        return answer

    whip_receiver.publish_as = publish
    whip = WhipClient(whip_receiver.url, whip_receiver.token, verify=False)
    with pytest.raises(WhipError, match=said):
        await whip.publish("v=0")
    await whip.close()


async def test_an_answer_that_is_no_answer_is_an_answer_error() -> None:
    for answer in ("", "v=0", "nonsense", "m=video x y z", "v=0\r\nm=audio 9 UDP/TLS 0\r\n"):
        session = MediaSession(make_camera().encodings, None, random.Random(1))
        await session.offer()
        with pytest.raises(AnswerError):
            await session.accept(answer)
        await session.close()


def test_the_hooks_into_aiortc_exist() -> None:
    """The contract: if a new aiortc renames one of these, this fails first."""
    for name in (
        "_next_encoded_frame",
        "_run_rtp",
        "_send_keyframe",
        "_send_rtcp",
        "_handle_rtcp_packet",
    ):
        assert callable(getattr(RTCRtpSender, name)), name
    source = inspect.getsource(RTCRtpSender)
    assert "self.__rtp_timestamp = packet.timestamp" in source
    assert "uint32_add(timestamp_origin, enc_frame.timestamp)" in source
    assert "await self._next_encoded_frame(codec)" in source
    assert "ensure_future(self._run_rtp(parameters.codecs[0]))" in source
    for private in (
        "rtp_started = asyncio.Event()",
        "rtp_exited = asyncio.Event()",
        "rtx_payload_type: Optional",
        "rtp_header_extensions_map = rtp",
        "mid: Optional",
    ):
        assert f"self.__{private}" in source, private
    ice = inspect.getsource(aioice.ice)
    assert "active_pair = self._nominated.get(component)" in ice
    assert "transaction.response_received(message, addr)" in ice
    assert "for protocol in self._protocols:\n            await protocol.close()" in ice
    assert packetize(b"\0\0\0\1\x67abc\0\0\0\1\x68de") == [b"\x78\x00\x04\x67abc\x00\x03\x68de"]


@given(st.integers(0, 2**62))
def test_ntp_timestamps_are_exact_to_the_nanosecond(utc_ns: int) -> None:
    ntp = ntp_timestamp(utc_ns)
    back = ((ntp >> 32) - 2_208_988_800) * 1_000_000_000 + ((ntp & 0xFFFFFFFF) * 10**9 >> 32)
    assert 0 <= utc_ns - back <= 1


async def test_the_sound_is_paced_and_its_pitch_follows_the_speed() -> None:
    speeds = iter([0.0, 5.0])
    spectra = []
    for speed in speeds:
        seen = Snapshot(0, 0.0, 0.0, speed, None, doors_open=False, braking=False)
        engine = EngineSound(lambda seen=seen: seen)  # type: ignore[misc]
        samples = np.concatenate([engine.next() for _ in range(100)])[48_000:]
        spectrum = np.abs(np.fft.rfft(samples))
        spectra.append(int(np.argmax(spectrum[20:600])) + 20)
    assert spectra[1] > spectra[0] + 50
    track = SoundTrack(EngineSound(look))
    started = asyncio.get_running_loop().time()
    frames = [await track.recv() for _ in range(10)]
    assert [frame.pts for frame in frames] == [960 * n for n in range(10)]
    assert asyncio.get_running_loop().time() - started >= 0.19
    track.stop()
