"""Sizes of one camera, in virtual time."""

from __future__ import annotations

import itertools

import pytest

from supervisor.rtp import switch
from supervisor.rtp.codec import Codec
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.layers import MAX_LAYERS, QUIET_NS, LayerSet
from supervisor.rtp.packet import HEADER
from supervisor.rtp.path import Path
from supervisor.rtp.rtcp import SenderReport
from supervisor.rtp.squeeze import Squeeze
from supervisor.rtp.view import Shown, View

MS = 1_000_000
S = 1_000 * MS
VP8 = Codec(96, "VP8", 90_000, nack=True)
KEY, DELTA = b"\x10\x00key", b"\x10\x01delta"
NTP_S = 1 << 32


def rtp(sequence, timestamp, payload=DELTA, *, marker=True):
    second = 96 | (0x80 if marker else 0)
    return HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 1) + payload


class Watching:
    """A camera of two sizes, a watcher, and what he gets; every frame is two packets."""

    def __init__(self, choice="high"):
        self.camera = LayerSet("front", "video")
        self.high = Inbound(self.camera.feed("high"), 1, [VP8])
        self.low = Inbound(self.camera.feed("low"), 2, [VP8])
        self.track = DownTrack(self.camera.best(0), 7, [VP8], first_sequence=100)
        self.view = View([Shown(self.track, self.camera, choice)])
        self.got = []
        self.waiting = []

    def deliver(self, batch):
        track = self.track
        if not batch:
            return
        if track.started_at is None:
            track.start(batch[0].sequence)
        if track.squeeze is not None:
            batch = track.squeezed(batch)
        for packet in batch:
            if packet.sequence >= track.started_at:
                self.got.append(
                    (
                        (packet.sequence + track.sequence_offset) & 0xFFFF,
                        packet.timestamp,
                        packet.payloads[0],
                    )
                )
                track.octets += len(packet.payloads[0])

    def packet(self, source, sequence, timestamp, payload, now_ns, *, marker=True):
        source.receive(rtp(sequence, timestamp, payload, marker=marker), now_ns)
        feed = source.feed
        batch = feed.take()
        if self.track in feed.tracks:
            self.deliver(batch)
        if self.waiting:
            self.deliver(switch.complete(self.track, now_ns))
            if self.track.target is None:
                self.waiting = []

    def frame(self, source, number, now_ns, *, key=False, origin=0, size=20):
        """Frame `number` of 30 a second: sequence 2n, 2n+1; two packets."""
        begin = (KEY if key else DELTA) + bytes(size)
        timestamp = origin + 3_000 * number
        self.packet(source, 2 * number, timestamp, begin, now_ns, marker=False)
        self.packet(source, 2 * number + 1, timestamp, b"\x00\x00end" + bytes(size), now_ns)

    def tick(self, now_ns):
        self.waiting = self.view.on_time(now_ns)


def at(number):
    return number * 1_000_000_000 // 30


@pytest.fixture
def seen():
    watching = Watching()
    watching.view.join(0)
    return watching


def test_one_size_is_no_group_and_costs_nothing():
    camera = LayerSet("front", "video")
    assert camera.feed("").group is None
    assert not camera.layered
    assert camera.feed("") is camera.feed("")


def test_low_is_the_smallest_that_flows_and_high_the_largest():
    seen = Watching()
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 0, key=True)
    choose = seen.camera.choose
    assert choose("low", 0, 1) is seen.low.feed
    assert choose("high", 0, 1) is choose("auto", 0, 1) is seen.high.feed
    assert choose("high", 1, 1) is choose("high", 5, 1) is seen.low.feed
    seen.frame(seen.low, 30, QUIET_NS)
    assert choose("high", 0, QUIET_NS) is seen.low.feed, "the large one is switched off"


def test_a_watcher_changes_on_a_keyframe_with_numbers_and_time_going_on(seen):
    for number in range(3):
        seen.frame(seen.high, number, at(number), key=number == 0, size=200)
        seen.frame(seen.low, number, at(number), key=number == 0, origin=7_000_000)
    low = seen.low.feed
    low.keyframe_ns = -S
    seen.view.ask("front", "low")
    seen.tick(at(3))
    assert low.keyframes.wanted
    seen.frame(seen.high, 3, at(3))
    seen.frame(seen.low, 3, at(3), origin=7_000_000)
    assert seen.track.feed is seen.high.feed, "no keyframe yet"
    seen.frame(seen.high, 4, at(4))
    seen.frame(seen.low, 4, at(4), key=True, origin=7_000_000)
    seen.frame(seen.high, 5, at(5))
    seen.frame(seen.low, 5, at(5), origin=7_000_000)
    assert seen.track.feed is low
    assert [sequence for sequence, _, _ in seen.got] == list(range(100, 114))
    times = [timestamp for _, timestamp, _ in seen.got][::2]
    assert times == [0, 3_000, 6_000, 9_000, 12_000, 12_001, 15_000]
    assert seen.track.switches == 1


def test_a_frame_that_is_being_sent_is_finished_before_the_switch(seen):
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 0, key=True)
    seen.low.feed.keyframe_ns = -S
    seen.view.ask("front", "low")
    seen.tick(at(1))
    seen.packet(seen.high, 2, 3_000, DELTA, at(1), marker=False)
    seen.frame(seen.low, 2, at(2), key=True)
    assert seen.track.feed is seen.high.feed, "his frame has no end yet"
    seen.packet(seen.high, 3, 3_000, b"\x00\x00end", at(2))
    assert seen.track.feed is seen.low.feed
    payloads = [payload[:3] for _, _, payload in seen.got]
    assert payloads[-2:] == [KEY[:3], b"\x00\x00e"], "the keyframe came out of the cache"
    assert [sequence for sequence, _, _ in seen.got] == list(range(100, 106))


def test_nobody_waits_for_the_end_of_a_frame_that_is_lost(seen):
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 0)
    seen.view.ask("front", "low")
    seen.tick(at(1))
    seen.packet(seen.high, 2, 3_000, DELTA, at(1), marker=False)
    seen.frame(seen.low, 3, at(1) + switch.FINISH_NS, key=True)
    assert seen.track.feed is seen.high.feed
    seen.frame(seen.low, 4, at(1) + switch.FINISH_NS + 1)
    assert seen.track.feed is seen.low.feed


def test_a_keyframe_that_has_just_come_is_used_at_once(seen):
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 0, key=True)
    seen.low.feed.keyframes.on_keyframe()
    seen.view.ask("front", "low")
    seen.tick(100 * MS)
    assert not seen.low.feed.keyframes.wanted
    seen.frame(seen.high, 3, 100 * MS)
    assert seen.track.feed is seen.low.feed


def test_a_size_that_is_switched_off_hands_its_watchers_over(seen):
    seen.frame(seen.high, 0, 0, key=True)
    for number in range(40):
        seen.frame(seen.low, number, at(number), key=number == 38)
        seen.tick(at(number))
    assert seen.track.feed is seen.low.feed


def test_repairs_after_a_switch_carry_the_timestamps_he_was_given(seen):
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 0, key=True)
    seen.view.ask("front", "low")
    seen.tick(MS)
    seen.frame(seen.low, 1, at(1))
    sequence, timestamp, _ = seen.got[2]
    assert (sequence, timestamp) == (102, 1)
    assert [found.timestamp for found in seen.track.repair(102, at(1))] == [1]
    assert not seen.track.repair(101, at(1)), "of the feed he left"


# -------------------------------------------------------------------- timeline


def report(ntp_s, rtp_ts):
    return SenderReport(1, int(ntp_s * NTP_S), rtp_ts, 0, 0)


def test_sender_reports_put_both_sizes_on_one_timeline(seen):
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 10 * MS, key=True, origin=500_000)
    assert seen.low.feed.last_timestamp == 900, "by arrival"
    assert seen.high.on_sender_report(report(10, 0), 0).rtp == 0
    moved = seen.low.on_sender_report(report(10.5, 545_000), 0)
    assert moved.rtp == 45_000, "10.5 s is 45 000 on the camera's timeline"
    seen.frame(seen.low, 1, at(1), origin=500_000)
    assert seen.low.feed.last_timestamp == 3_000


def test_a_wall_clock_that_jumps_moves_no_timeline(seen):
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 0, key=True)
    seen.high.on_sender_report(report(10, 0), 0)
    assert seen.low.on_sender_report(report(3_610, 0), 0).rtp == 0
    assert seen.low.on_sender_report(report(10.001, 0), 0).rtp == 90
    assert seen.low.on_sender_report(report(10.002, 0), 0).rtp == 90, "once aligned, no trembling"


def test_a_timeline_that_is_moved_back_holds_the_time_of_those_who_watch_it(seen):
    seen.frame(seen.high, 0, 0, key=True)
    seen.frame(seen.low, 0, 50 * MS, key=True)
    seen.view.ask("front", "low")
    seen.tick(51 * MS)
    seen.frame(seen.low, 1, 83 * MS)
    seen.high.on_sender_report(report(10, 0), 0)
    seen.low.on_sender_report(report(10, 0), 0)
    for number in (2, 3, 4):
        seen.frame(seen.low, number, 83 * MS + at(number))
    times = [timestamp for _, timestamp, _ in seen.got][::2]
    assert times == sorted(set(times))
    assert times[-1] == 12_000


def test_squeezed_time_rises_and_ends():
    squeeze = Squeeze(9_000)
    seen = Watching()
    for number in (2, 3, 4):
        seen.high.receive(rtp(number, 3_000 * number), 0)
    batch, over = squeeze.apply(seen.high.feed.take())
    assert [packet.timestamp for packet in batch] == [9_001, 9_002, 12_000]
    assert over


def test_sizes_whose_names_say_nothing_are_put_in_order_by_their_weight():
    camera = LayerSet("front", "video")
    first = Inbound(camera.feed("a", 0), 1, [VP8])
    second = Inbound(camera.feed("b", 1), 2, [VP8])
    for turn in range(6):
        for index in range(10):
            now = turn * S + index * 100 * MS
            first.receive(rtp(turn * 10 + index, now, DELTA + bytes(500)), now)
            second.receive(rtp(turn * 10 + index, now, DELTA), now)
        camera.on_time((turn + 1) * S)
    assert camera.active(6 * S) == [second.feed, first.feed]


def test_no_more_sizes_than_the_bound():
    camera = LayerSet("front", "video")
    for number in range(10):
        camera.feed(f"r{number}", number)
    assert len(camera.feeds) == MAX_LAYERS
    assert "r9" in camera.feeds


# ----------------------------------------------------------- what a path carries


def run_path(path, seconds, *, bps, most=2, begin=0, each=None):
    now = begin
    octets = begin * bps // 8 // S
    for _ in range(seconds * 10):
        now += 100 * MS
        octets += bps // 80
        if each is not None:
            each(now)
        path.on_time(octets, most, now)
    return now


def falls(path, bps, now):
    """An estimate that is lowered again and again, as an estimator in trouble does."""
    path.on_estimate(bps * 11 // 10, now)
    path.on_estimate(bps, now)


def test_an_estimate_that_only_lags_behind_a_lively_scene_changes_nothing():
    path = Path()
    run_path(path, 10, bps=1_000_000, each=lambda now: path.on_estimate(200_000 + now // MS, now))
    assert path.reduced == 0


def test_an_estimate_below_what_is_sent_takes_a_step_whose_effect_must_show_before_the_next():
    path = Path()
    now = run_path(path, 3, bps=1_000_000, each=lambda now: falls(path, 500_000, now))
    assert path.reduced == 1
    run_path(path, 2, bps=1_000_000, begin=now, each=lambda now: falls(path, 500_000, now))
    assert path.reduced == 2


def test_loss_alone_takes_the_smaller_size_but_never_the_picture():
    path = Path()
    run_path(path, 10, bps=1_000_000, each=lambda now: path.on_reception(80, 0, 0, now))
    assert path.reduced == 1
    only = Path()
    run_path(only, 10, bps=1_000_000, most=1, each=lambda now: only.on_reception(80, 0, 0, now))
    assert only.reduced == 0


def test_a_round_trip_that_grows_is_a_queue():
    path = Path()
    path.on_report_sent(1, 0)
    path.on_reception(0, 1, 0, 20 * MS)
    assert not path.narrow(20 * MS)
    for _ in range(2):
        path.on_reception(0, 1, 0, 400 * MS)
    assert path.narrow(400 * MS)


def test_a_step_up_that_fails_is_tried_less_often():
    path = Path()
    path.reduced = 1
    ups = []
    before = 1
    now = octets = 0
    for _ in range(600):
        now += 100 * MS
        octets += 25_000 if path.reduced == 0 else 2_500
        falls(path, 500_000, now)
        path.on_time(octets, 1, now)
        if before == 1 and path.reduced == 0:
            ups.append(now)
        before = path.reduced
    gaps = [b - a for a, b in itertools.pairwise(ups)]
    assert len(gaps) >= 2
    assert gaps == sorted(gaps)
    assert gaps[-1] > 1.5 * gaps[0]


def test_a_watcher_who_cannot_take_the_smallest_gets_whole_pictures_now_and_then():
    camera = LayerSet("front", "video")
    source = Inbound(camera.feed(""), 1, [VP8])
    seen, other = Watching(), Watching()
    for watching in (seen, other):
        watching.camera = camera
        watching.track = DownTrack(camera.best(0), 7, [VP8], first_sequence=100)
        watching.view = View([Shown(watching.track, camera, "high")])
        watching.view.join(0)
    for number in range(600):
        now = at(number)
        for index, payload in enumerate(((KEY if number % 30 == 0 else DELTA), b"\x00\x00end")):
            data = rtp(
                2 * number + index, 3_000 * number, payload + bytes(1_000), marker=index == 1
            )
            source.receive(data, now)
            batch = source.feed.take()
            for watching in (seen, other):
                if watching.track in source.feed.tracks:
                    watching.deliver(batch)
                if watching.waiting:
                    watching.deliver(switch.complete(watching.track, now))
                    if watching.track.target is None:
                        watching.waiting = []
        if number % 3 == 0:
            falls(seen.view.path, 200_000, now)
            for watching in (seen, other):
                watching.tick(now)
    assert len(other.got) == 1_200, "the others lose nothing"
    assert seen.view.thinned >= 3
    assert [sequence for sequence, _, _ in seen.got] == list(range(100, 100 + len(seen.got)))
    assert len(seen.got) % 2 == 0, "only whole frames"
    late = [entry for entry in seen.got if entry[1] > 3_000 * 300]
    assert 0.2 * 200_000 < sum(len(entry[2]) for entry in late) * 8 / 10 < 1.5 * 200_000
    previous = None
    for _, timestamp, payload in seen.got:
        if previous is not None and timestamp - previous > 3_000:
            assert payload.startswith(KEY[:2]), "after a hole comes a keyframe"
        previous = timestamp
