"""The drawn pictures: they move with the vehicle, and the strip survives a low bitrate."""

from __future__ import annotations

import functools
import itertools
import random
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import strip
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.config import CameraSection, Facing
from vehicle_stub.course import Course, field_course, route_course
from vehicle_stub.encoder import H264Encoder, level_for
from vehicle_stub.encoding import EncodedPicture
from vehicle_stub.picture import Picture
from vehicle_stub.rate import FLOOR_KBPS, Rate
from vehicle_stub.sources import FileSource, LiveSource, SourceError
from vehicle_stub.synthetic import SyntheticSource
from vehicle_stub.vehicle import Snapshot
from vehicle_stub.webrtc import packetize

ROOT = Path(__file__).parents[2]
UTC = 1_790_000_000_123_000_000


@functools.cache
def course(kind: str) -> Course:
    if kind == "street":
        return route_course((ROOT / "scenarios/maebashi/route.geojson").read_bytes(), 5.5)
    return field_course((ROOT / "scenarios/field/field.geojson").read_bytes(), 2.2, 4.0)


class Look:
    def __init__(self) -> None:
        self.distance = 120.0
        self.obstacle: float | None = None
        self.offset = self.angle = 0.0

    def __call__(self) -> Snapshot:
        at = self.distance
        beside = self.offset, self.angle
        return Snapshot(0, at, at, 0.0, self.obstacle, False, False, *beside)


def camera_of(kind: str, look: Look, width: int = 640, height: int = 360) -> SyntheticSource:
    camera = CameraSection(name="front", width=width, height=height)
    return SyntheticSource(camera, "BUS-01", course(kind), look)


def luma(frame: Any) -> Any:
    plane = frame.planes[0]
    pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return pixels[: frame.height, : frame.width].astype(int)


def read_strip(frame: Any) -> strip.StripReading | None:
    pixels = luma(frame)
    rows = pixels[2 : strip.strip_height(frame.height) - 2]
    centres = [(2 * cell + 1) * frame.width // (2 * strip.CELLS) for cell in range(strip.CELLS)]
    return strip.decode_cells([float(np.mean(rows[:, c - 1 : c + 2])) for c in centres])


@pytest.mark.parametrize("kind", ["street", "field"])
def test_the_picture_stands_with_the_vehicle_and_moves_with_it(kind: str) -> None:
    look = Look()
    source = camera_of(kind, look)
    first = luma(source.read(0, UTC, 0))[60:330].copy()
    same = luma(source.read(0, UTC, 0))[60:330].copy()
    assert np.array_equal(first, same)
    look.distance += 2.0
    moved = luma(source.read(0, UTC, 2))[60:330]
    assert np.abs(moved - first).mean() > 3


@pytest.mark.parametrize("kind", ["street", "field"])
def test_what_is_driven_to_the_left_sees_the_obstacle_further_right(kind: str) -> None:
    look = Look()
    look.distance = 30.0
    source = camera_of(kind, look)

    def column(offset: float, angle: float) -> float:
        look.offset, look.angle, look.obstacle = offset, angle, None
        for number in range(2):  # houses are drawn anew in every second picture
            empty = luma(source.read(0, UTC, number))[60:330].copy()
        look.obstacle = 15.0
        for number in range(2):
            full = luma(source.read(0, UTC, number))[60:330].copy()
        return float(np.nonzero(np.abs(full - empty).sum(axis=0) > 200)[0].mean())

    middle = column(0.0, 0.0)
    assert column(2.0, 0.0) > middle + 20
    assert column(-2.0, 0.0) < middle - 20
    assert column(0.0, 0.2) > middle + 20
    for look.offset, look.angle in ((6.0, 0.6), (-6.0, -0.6), (6.0, -0.6)):
        for number in range(2):
            assert luma(source.read(0, UTC, number)).std() > 5


def test_the_whole_route_can_be_drawn() -> None:
    look = Look()
    source = camera_of("street", look)
    for look.distance in np.arange(0.0, course("street").line.length, 23.0):
        frame = source.read(0, UTC, 4)
        assert luma(frame).std() > 20


def test_the_whole_field_can_be_drawn() -> None:
    look = Look()
    source = camera_of("field", look)
    for look.distance in np.arange(0.0, course("field").line.length, 31.0):
        assert luma(source.read(0, UTC, 4)).std() > 15


@pytest.mark.parametrize("kind", ["street", "field"])
def test_the_obstacle_grows_as_it_nears(kind: str) -> None:
    look = Look()
    look.distance = 30.0
    source = camera_of(kind, look)
    without = luma(source.read(0, UTC, 0))[60:330].copy()
    sizes = []
    for look.obstacle in (50.0, 25.0, 12.0, 8.0):
        seen = luma(source.read(0, UTC, 0))[60:330]
        sizes.append(int((np.abs(seen - without) > 20).sum()))
    assert sizes == sorted(sizes)
    assert sizes[-1] > 8 * sizes[0]


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1280, 720), (1920, 1080), (320, 180)])
def test_every_size_is_drawn_with_a_readable_strip(width: int, height: int) -> None:
    frame = camera_of("street", Look(), width, height).read(0, UTC, 77)
    assert read_strip(frame) == (77, UTC // 1_000_000 % strip.TIME_MODULO)


@settings(max_examples=5, deadline=None)
@given(number=st.integers(0, 2**24 - 1), milliseconds=st.integers(0, 2**40 - 1))
def test_the_strip_survives_300_kbit_s(number: int, milliseconds: int) -> None:
    look = Look()
    source = camera_of("street", look, 1280, 720)
    encoder = H264Encoder(1280, 720, 30, 300, 2.0)
    decoder: Any = av.CodecContext.create("h264", "r")
    read = 0
    for turn in range(12):
        look.distance += 0.18
        captured_ns = (milliseconds + 33 * turn) * 1_000_000
        encoded = encoder.encode(source.read(0, captured_ns, number + turn), keyframe=False)
        assert encoded is not None
        assert encoded.keyframe == (turn == 0)
        for frame in decoder.decode(av.Packet(encoded.data)):
            expected = (
                (number + read) % strip.FRAME_MODULO,
                (milliseconds + 33 * read) % strip.TIME_MODULO,
            )
            assert read_strip(frame) == expected
            read += 1
    assert read >= 11


def test_the_encoder_follows_the_estimate_between_floor_and_ceiling() -> None:
    look = Look()
    source = camera_of("street", look, 1280, 720)
    encoder = H264Encoder(1280, 720, 30, 2_500, 2.0)
    sizes = {}
    for kbps in (2_500, 600):
        encoder.set_rate(Rate(kbps, 1))
        total = 0
        for number in range(60):
            look.distance += 0.18
            encoded = encoder.encode(source.read(0, UTC, number), keyframe=False)
            assert encoded is not None
            total += len(encoded.data)
        sizes[kbps] = total * 8 / 2 / 1000
    assert sizes[600] < 1_000
    assert 1_200 < sizes[2_500] < 3_200
    encoder.set_rate(Rate(1, 1))
    assert encoder.rate.kbps == FLOOR_KBPS
    encoder.set_rate(Rate(10**9, 1))
    assert encoder.rate.kbps == 2_500


def test_a_keyframe_comes_when_asked_with_its_parameter_sets() -> None:
    source = camera_of("street", Look())
    encoder = H264Encoder(640, 360, 30, 800, 10.0)
    kinds = []
    for number in range(10):
        encoded = encoder.encode(source.read(0, UTC, number), keyframe=number == 5)
        assert encoded is not None
        kinds.append(encoded.keyframe)
        nals = [piece[0] & 0x1F for piece in encoded.data.split(b"\x00\x00\x01")[1:]]
        assert (7 in nals and 8 in nals) == encoded.keyframe
    assert [number for number, key in enumerate(kinds) if key] == [0, 5]


@pytest.mark.parametrize(
    ("size", "level"),
    [((640, 360, 30), "3.0"), ((1280, 720, 30), "3.1"), ((1280, 720, 60), "3.2"),
     ((1920, 1080, 30), "4.0"), ((1920, 1080, 60), "4.2"), ((3840, 2160, 30), "5.1")],
)  # fmt: skip
def test_the_level_fits_the_size(size: tuple[int, int, int], level: str) -> None:
    assert level_for(*size) == level


# --------------------------------------------------------------------- files, thread


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        stream.time_base = Fraction(1, 10)
        for number in range(10):
            picture = Picture(320, 192)
            picture.luma[:] = 20 + number * 20
            picture.cb[:] = picture.cr[:] = 128
            picture.frame.pts = number
            container.mux(stream.encode(picture.frame))
        container.mux(stream.encode(None))
    return path


def test_a_file_plays_in_real_time_and_begins_again(clip: Path) -> None:
    source = FileSource(clip, 640, 360)
    seen = []
    for tick in range(90):  # 3 s at 30 a second
        frame = source.read(1_000_000_000 + tick * 33_333_333, 0, tick)
        assert (frame.width, frame.height, frame.format.name) == (640, 360, "yuv420p")
        seen.append(round((luma(frame).mean() - 20) / 20))
    source.close()
    assert seen[:3] == [0, 0, 0] or seen[:3] == [0, 0, 1]
    changes = sum(a != b for a, b in itertools.pairwise(seen))
    assert 26 <= changes <= 30
    assert sum(a > b for a, b in itertools.pairwise(seen)) >= 2


@pytest.mark.parametrize("burn", [True, None])
def test_the_strip_is_burnt_into_a_file_only_where_asked(clip: Path, burn: bool | None) -> None:
    camera = CameraSection(
        name="a", source=f"file:{clip}", width=640, height=360, fps=20, burn_strip=burn
    )
    worker = CameraWorker(camera, lambda: FileSource(clip, 640, 360), packetize, random.Random(1))
    decoder: Any = av.CodecContext.create("h264", "r")
    got: list[tuple[EncodedPicture, strip.StripReading | None]] = []
    enough = threading.Event()
    encode = worker.main._packetize

    def decode(data: bytes) -> list[bytes]:
        frames = decoder.decode(av.Packet(data))
        read.append(read_strip(frames[0]) if frames else None)
        return encode(data)

    read: list[strip.StripReading | None] = []
    worker.main._packetize = decode

    def deliver(picture: EncodedPicture) -> None:
        got.append((picture, read[-1]))
        if len(got) >= 6:
            enough.set()

    worker.start()
    worker.main.attach(deliver)
    assert enough.wait(60)
    worker.stop()
    readings = [(picture, reading) for picture, reading in got if reading is not None]
    assert bool(readings) == bool(burn)
    for picture, reading in readings:
        assert (
            abs(reading.captured_ms - picture.captured_utc_ns // 1_000_000 % strip.TIME_MODULO)
            < 1_000
        )
    # Repeated pictures of the file are marked each for itself.
    assert len({reading.frame_number for _, reading in readings}) == len(readings)


def test_what_cannot_be_opened_is_a_source_error_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no film")
    for source in (
        lambda: FileSource(broken, 640, 360),
        lambda: FileSource(tmp_path / "gone.mp4", 640, 360),
        lambda: LiveSource(CameraSection(name="a", source="v4l2:/dev/video-none")),
        lambda: LiveSource(CameraSection(name="a", source="rtsp://me:pw@127.0.0.1:1/x")),
    ):
        with pytest.raises(SourceError) as caught:
            source()
        assert "\n" not in str(caught.value)
        assert "pw" not in str(caught.value)


class Slow:
    """A source that needs three times as long as there is."""

    live = False
    draws_strip = True

    def __init__(self) -> None:
        self.picture = Picture(320, 192)
        self.picture.luma[:] = 90
        self.wait = threading.Event()

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> Any:
        self.wait.wait(0.1)
        return self.picture.frame

    def close(self) -> None:
        pass


def test_a_slow_camera_skips_before_encoding_and_counts() -> None:
    camera = CameraSection(name="a", width=320, height=192, fps=30)
    worker = CameraWorker(camera, Slow, packetize, random.Random(1))
    got: list[EncodedPicture] = []
    enough = threading.Event()

    def deliver(picture: EncodedPicture) -> None:
        got.append(picture)
        if len(got) >= 8:
            enough.set()

    worker.start()
    worker.main.attach(deliver)
    assert enough.wait(60)
    worker.stop()
    assert worker.skipped >= 8
    assert got[0].keyframe
    assert not any(picture.keyframe for picture in got[1:8])
    times = [picture.captured_ns for picture in got]
    assert times == sorted(times)
    for picture in got:
        assert picture.rtp_ts == picture.captured_ns * 9 // 100_000 % 2**32


def test_a_broken_source_is_opened_again() -> None:
    camera = CameraSection(name="a", width=320, height=192, fps=30)
    tries: list[int] = []
    delivered = threading.Event()

    def flaky() -> Any:
        tries.append(1)
        if len(tries) < 2:
            raise SourceError("unplugged")
        return Slow()

    worker = CameraWorker(camera, flaky, packetize, random.Random(1))
    worker.start()
    worker.main.attach(lambda picture: delivered.set())
    assert delivered.wait(60)
    worker.stop()
    assert worker.reopened == 1


@pytest.mark.parametrize("facing", [Facing.LEFT, Facing.RIGHT])
def test_a_side_camera_sees_the_street_go_by(facing: Facing) -> None:
    look = Look()
    camera = CameraSection(name="side", facing=facing, width=640, height=360)
    source = SyntheticSource(camera, "BUS-01", course("street"), look)
    before = luma(source.read(0, UTC, 0)).copy()
    look.distance += 0.5
    after = luma(source.read(0, UTC, 1)).copy()
    # Half a metre is this many pixels of the houses; ahead is to the right when looking left.
    shift = round(0.5 * source._scene._per_m)  # type: ignore[attr-defined]
    band = slice(180, 260)
    if facing is Facing.LEFT:
        moved, still = after[band, :-shift], before[band, shift:]
    else:
        moved, still = after[band, shift:], before[band, :-shift]
    assert np.mean(np.abs(moved.astype(int) - still) < 3) > 0.9
    assert np.mean(before[band] != after[band]) > 0.01


def test_the_side_pictures_differ_from_each_other_and_from_the_front() -> None:
    pictures = []
    for facing in Facing:
        camera = CameraSection(name="x", facing=facing, width=640, height=360)
        source = SyntheticSource(camera, "BUS-01", course("street"), Look())
        pictures.append(luma(source.read(0, UTC, 0)).copy())
    for one, other in itertools.combinations(pictures, 2):
        assert np.mean(one[40:300] != other[40:300]) > 0.3
