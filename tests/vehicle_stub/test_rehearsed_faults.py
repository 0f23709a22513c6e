"""A camera that freezes or repeats, a vehicle that says so, media by a forwarded port."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from protocols.codec import ProtocolError
from vehicle_stub.camera_worker import CameraWorker, Filming
from vehicle_stub.config import CameraSection, ConfigError, parse_media_via
from vehicle_stub.encoding import EncodedPicture
from vehicle_stub.media_via import redirected
from vehicle_stub.picture import Picture
from vehicle_stub.rehearsal import obey
from vehicle_stub.sources import SourceError
from vehicle_stub.webrtc import packetize

ROOT = Path(__file__).parents[2]


class Noise:
    """Draws into two pictures by turns, each time something else."""

    live = False
    draws_strip = True

    def __init__(self) -> None:
        self.pictures = (Picture(320, 180), Picture(320, 180))
        self.random = random.Random(1)
        self.read_count = 0

    def read(self, captured_ns: int, captured_utc_ns: int, number: int) -> object:
        picture = self.pictures[number % 2]
        picture.luma[:] = [[self.random.randrange(256)] * picture.luma.shape[1] for _ in range(180)]
        self.read_count += 1
        return picture.frame

    def close(self) -> None:
        pass


def worker_of(source: object) -> CameraWorker:
    section = CameraSection(name="front", width=320, height=180, fps=30, low=False)
    return CameraWorker(section, lambda: source, packetize, random.Random(1))  # type: ignore[arg-type,return-value]


class Taken:
    """Pictures as they come out, and a way to wait for more of them."""

    def __init__(self) -> None:
        self.pictures: list[EncodedPicture] = []
        self.more = threading.Condition()

    def take(self, picture: EncodedPicture) -> None:
        with self.more:
            self.pictures.append(picture)
            self.more.notify_all()

    def wait_for(self, count: int, within_s: float = 30.0) -> bool:
        with self.more:
            wanted = len(self.pictures) + count
            return self.more.wait_for(lambda: len(self.pictures) >= wanted, within_s)


def size(picture: EncodedPicture) -> int:
    return sum(map(len, picture.payloads))


def test_a_camera_freezes_repeats_one_picture_and_films_again() -> None:
    source, taken = Noise(), Taken()
    worker = worker_of(source)
    worker.main.attach(taken.take)
    worker.start()
    try:
        assert taken.wait_for(5)
        worker.filming = Filming.FREEZE
        while taken.wait_for(1, within_s=0.5):
            pass
        drawn = source.read_count
        worker.filming = Filming.REPEAT
        assert taken.wait_for(12)
        assert source.read_count == drawn
        repeated = [one for one in taken.pictures[-8:] if not one.keyframe]
        filmed = [one for one in taken.pictures[:5] if not one.keyframe]
        assert max(map(size, repeated)) * 5 < min(map(size, filmed))
        times = [one.captured_ns for one in taken.pictures]
        assert times == sorted(set(times))  # each with its own, later time
        worker.filming = Filming.FILM
        assert taken.wait_for(5)
        assert source.read_count > drawn
    finally:
        worker.main.detach(taken.take)
        worker.stop()


def test_an_order_names_cameras_or_means_all_of_them() -> None:
    cameras = [worker_of(SourceError("never opened")) for _ in range(2)]
    assert obey(b'{"filming": "freeze"}', cameras) == 2
    assert obey(b'{"filming": "freeze", "camera": "front"}', cameras) == 0
    assert {camera.filming for camera in cameras} == {Filming.FREEZE}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "malformed"),
        (b'{"filming": "burn"}', "malformed"),
        (b'{"filming": "film", "camera": "rear"}', "unknown_camera"),
        (b'{"filming": "film", "x": 1}', "malformed"),
        (b'{"filming": "film", "camera": "' + b"x" * 2_000 + b'"}', "oversize"),
    ],
)
def test_what_is_no_order_changes_nothing(line: bytes, reason: str) -> None:
    camera = worker_of(SourceError("never opened"))
    with pytest.raises(ProtocolError) as refused:
        obey(line, [camera])
    assert refused.value.reason == reason and camera.filming is Filming.FILM


def test_media_goes_where_the_vehicle_is_told() -> None:
    answer = (
        "v=0\r\nm=video 9 X 96\r\na=mid:0\r\na=candidate:1 1 udp 9 10.0.0.1 4000 typ host\r\n"
        "a=candidate:2 1 udp 8 10.0.0.2 4000 typ host\r\na=end-of-candidates\r\n"
        "m=audio 9 X 111\r\na=candidate:1 1 udp 9 10.0.0.1 4000 typ host\r\n"
    )
    found = redirected(answer, ("127.0.0.1", 5_000))
    assert found.count("a=candidate:") == 2 and "10.0.0" not in found
    assert found.count(" 127.0.0.1 5000 typ host\r\n") == 2
    assert redirected(answer, None) == answer


def test_a_forwarded_port_is_named_as_host_and_port() -> None:
    assert parse_media_via("") is None
    assert parse_media_via("relay.example:4000") == ("relay.example", 4_000)
    assert parse_media_via("[::1]:4000") == ("::1", 4_000)
    for wrong in ("relay", "relay:", ":4000", "relay:x", "relay:70000", "a@b:1", "h:1/x"):
        with pytest.raises(ConfigError, match=r"hub\.media_via"):
            parse_media_via(wrong)
