"""Who is heard by a vehicle, packet by packet on a clock that jumps."""

from __future__ import annotations

import pytest

from protocols.codec import ProtocolError
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.peer import Publisher, Watcher
from supervisor.media.talk import SILENCE_NS, TELL_AGAIN_NS, Floor
from supervisor.rtp.codec import Codec
from supervisor.rtp.layers import LayerSet
from supervisor.rtp.packet import HEADER

OPUS = Codec(111, "opus", 48_000)
MS = 1_000_000


class Port:
    counters = Counters()


def vehicle():
    voice = ipc.OutboundSpec("talk", "audio", 9, None, 5, [OPUS])
    transport = ipc.Transport("v", "p", [])
    spec = ipc.OpenPublisher("v", "a/b", transport, [], 1_000, talk=voice)
    return Publisher(spec, [], Port(), 0)


class Seat:
    """One operator and his microphone."""

    def __init__(self, name, rank=1):
        spec = ipc.OpenWatcher(
            name, "a/b", ipc.Transport(name, "p", []),
            [ipc.OutboundSpec("front", "video", 77, None, 5, [Codec(96, "VP8", 90_000)])],
            "cname", holder=f"sign-in of {name}", talk=[OPUS], talk_rank=rank,
        )  # fmt: skip
        camera = LayerSet("front", "video")
        camera.feed("")
        self.watcher = Watcher(spec, [camera], Port(), 0)
        self.ssrc = 1_000 + sum(name.encode())
        self.sequence = 0

    def speaks(self, floor, now_ns, payload=b"a loud frame"):
        """Return how many packets reach the vehicle, or why none does."""
        self.sequence += 1
        data = HEADER.pack(0x80, 111, self.sequence, self.sequence * 960, self.ssrc) + payload
        try:
            return sum(len(run.payloads) for run in floor.hear(self.watcher, data, now_ns))
        except ProtocolError as error:
            return error.reason


@pytest.fixture
def floor():
    floor = Floor()
    floor.listen(vehicle())
    return floor


def test_who_speaks_first_is_heard_until_he_has_been_silent_for_a_second(floor):
    first, second = Seat("first"), Seat("second")
    assert first.speaks(floor, 0) == 1
    assert second.speaks(floor, 20 * MS) == "busy"
    assert first.speaks(floor, 500 * MS) == 1
    assert second.speaks(floor, 500 * MS + SILENCE_NS - 1) == "busy"
    assert second.speaks(floor, 500 * MS + SILENCE_NS) == 1
    assert first.speaks(floor, 520 * MS + SILENCE_NS) == "busy"


def test_frames_of_silence_neither_take_the_floor_nor_hold_it(floor):
    first, second = Seat("first"), Seat("second")
    assert first.speaks(floor, 0, b"\xf8\xff\xfe") == "silence"
    assert first.speaks(floor, 0) == 1
    for now_ms in range(20, 1_000, 20):
        assert first.speaks(floor, now_ms * MS, b"\xf8\xff\xfe") == 1
    assert second.speaks(floor, SILENCE_NS) == 1


def test_who_leaves_gives_the_floor_back(floor):
    first, second = Seat("first"), Seat("second")
    first.speaks(floor, 0)
    floor.leave(first.watcher)
    assert second.speaks(floor, 20 * MS) == 1


def test_who_is_refused_is_told_why_at_once_and_then_not_with_every_packet(floor):
    first, second = Seat("first"), Seat("second")
    for now_ms in range(0, 4_000, 20):
        first.speaks(floor, now_ms * MS)
        second.speaks(floor, now_ms * MS)
    told = floor.take_notices()
    assert told == [("second", "busy")] * (4_000 * MS // TELL_AGAIN_NS)
    assert floor.take_notices() == []


def test_a_supervisor_takes_the_floor_and_who_had_it_is_told(floor):
    operator, supervisor, another = Seat("operator"), Seat("supervisor", 3), Seat("another", 3)
    operator.speaks(floor, 0)
    assert supervisor.speaks(floor, 20 * MS) == 1
    assert operator.speaks(floor, 40 * MS) == "busy"
    assert another.speaks(floor, 60 * MS) == "busy", "only a higher rank takes it"
    assert floor.take_notices() == [("operator", "preempted"), ("another", "busy")]


def test_the_holder_of_the_grant_is_heard_before_other_operators_but_not_before_a_supervisor():
    grant = "sign-in of driver"
    floor = Floor(lambda: grant)
    floor.listen(vehicle())
    driver, other, supervisor = Seat("driver"), Seat("other"), Seat("supervisor", 3)
    other.speaks(floor, 0)
    assert driver.speaks(floor, 20 * MS) == 1
    assert other.speaks(floor, 40 * MS) == "busy"
    assert supervisor.speaks(floor, 60 * MS) == 1
    assert driver.speaks(floor, 80 * MS) == "busy"
    grant = None
    assert floor._rank(driver.watcher) == floor._rank(other.watcher)


def test_without_a_vehicle_that_listens_everybody_is_told_so():
    floor = Floor()
    seat = Seat("first")
    assert seat.speaks(floor, 0) == "unheard"
    assert floor.take_notices() == [("first", "unheard")]
