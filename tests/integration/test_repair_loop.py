"""Vehicle, lossy link, hub and seat repair a stream together: no machine, only their rules.

Virtual time, so neither load nor clocks of the testing machine are in the figures; what
they add to them shows `./enkan bench faults`.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from loadtests.emulator.link import Direction, Impairment
from loadtests.faults import judge, said
from loadtests.faults.receiver import Packet, Receiver
from supervisor.rtp.codec import Codec
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.packet import HEADER
from vehicle_stub.repair import COPY_AFTER_S, Repairs

MS = 1_000_000
TICK_NS = 5 * MS
FRAME_NS = 33_333_333
KBPS = 2_000
DELTA_PACKETS = 7
KEY_PACKETS = 20
KEY_EVERY = 60
OTHER_NS = 40 * MS
"""Between other packets on the way down: MQTT, reports, checks."""

SEAT_NS = 5 * MS
RTX = Codec(96, "H264", 90_000, rtx=97, nack=True)
ROUND_TRIP_NS = 50 * MS


class World:
    """Everything, with the time in it."""

    def __init__(self, how: Impairment, seed: int) -> None:
        self.now_ns = 0
        self.up, self.down = Direction(seed), Direction(seed + 1)
        self.up.change(how, 0)
        self.down.change(how, 0)
        self.repairs: Repairs[bytes] = Repairs()
        self.feed = Feed("front", "video")
        self.inbound = Inbound(self.feed, 1, [RTX])
        self.receiver = Receiver()
        self.shown: list[said.Shown] = []
        self.nacks = self.octets = self.octets_again = 0
        self._sequence = 60_000
        self._rtx = 0
        self._frame = 0
        self._force_keyframe = True
        self._order = itertools.count()
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._jitter = random.Random(seed)

    def at(self, at_ns: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at_ns, next(self._order), what))

    def every(self, period_ns: int, what: Callable[[], None]) -> None:
        def again() -> None:
            what()
            self.at(self.now_ns + period_ns, again)

        self.at(self._jitter.randrange(period_ns), again)

    def run(self, seconds: float) -> None:
        self.every(FRAME_NS, self.film)
        self.every(TICK_NS, self.ask)
        self.every(SEAT_NS, self.look)
        self.every(OTHER_NS, lambda: self.down.offer(b"other", self.now_ns))
        while self.now_ns < seconds * 1e9:
            self.now_ns = self._due[0][0]
            for direction in (self.up, self.down):
                deadline_ns = direction.next_deadline_ns()
                if deadline_ns is not None:
                    self.now_ns = min(self.now_ns, deadline_ns)
            for data in self.up.due(self.now_ns):
                self.hear(data)
            for data in self.down.due(self.now_ns):
                self.vehicle_hears(data)
            while self._due and self._due[0][0] <= self.now_ns:
                heapq.heappop(self._due)[2]()

    # ------------------------------------------------------------------------ vehicle

    def film(self) -> None:
        key = self._force_keyframe or self._frame % KEY_EVERY == 0
        self._force_keyframe = False
        count = KEY_PACKETS if key else DELTA_PACKETS
        for number in range(count):
            marker = 0x80 if number == count - 1 else 0
            payload = (b"\x65" if key else b"\x41") + bytes(1_100)
            head = HEADER.pack(
                0x80, 96 | marker, self._sequence, self._frame * 3_000 & 0xFFFFFFFF, 1
            )
            self.repairs.keep(self._sequence, head + payload, len(payload))
            self.send(head + payload)
            self._sequence = self._sequence + 1 & 0xFFFF
        self._frame += 1

    def send(self, data: bytes) -> None:
        self.octets += len(data)
        self.up.offer(data, self.now_ns)

    def vehicle_hears(self, data: bytes) -> None:
        if data == b"other":
            return
        if data == b"keyframe":
            self._force_keyframe = True
            return
        lost = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        for again in self.repairs.asked(lost, KBPS, ROUND_TRIP_NS, self.now_ns):
            self.send_again(again.packet)
            if again.twice:
                packet = again.packet
                self.at(
                    self.now_ns + round(COPY_AFTER_S * 1e9), lambda p=packet: self.send_again(p)
                )

    def send_again(self, packet: bytes) -> None:
        self._rtx = self._rtx + 1 & 0xFFFF
        marker = packet[1] & 0x80
        head = bytes((0x80, 97 | marker)) + self._rtx.to_bytes(2, "big") + packet[4:8]
        data = head + (2).to_bytes(4, "big") + packet[2:4] + packet[12:]
        self.octets_again += len(data)
        self.send(data)

    # ---------------------------------------------------------------------------- hub

    def hear(self, data: bytes) -> None:
        if data[1] & 0x7F == 97:
            self.inbound.receive_rtx(data, 97, self.now_ns)
        else:
            self.inbound.receive(data, self.now_ns)
        for run in self.feed.take():
            for index, payload in enumerate(run.payloads):
                last = index == len(run.payloads) - 1
                self.receiver.insert(
                    run.sequence + index & 0xFFFF,
                    Packet(run.timestamp, last and run.marker != 0, payload),
                    self.now_ns,
                )
        self.ask()

    def ask(self) -> None:
        losses = self.inbound.losses
        assert losses is not None
        if losses.restless(self.now_ns):
            self.inbound.look_for_tail(self.now_ns)
        asked = losses.due(self.now_ns, self.inbound.stats.packets)
        if losses.broken:
            losses.broken = False
            self.feed.keyframes.ask()
        if asked:
            self.nacks += 1
            self.down.offer(b"".join(n.to_bytes(2, "big") for n in asked), self.now_ns)
        if self.feed.keyframes.due(self.now_ns):
            self.down.offer(b"keyframe", self.now_ns)

    # --------------------------------------------------------------------------- seat

    def look(self) -> None:
        for picture in self.receiver.take(self.now_ns):
            self.shown.append(
                said.Shown(
                    at_ns=self.now_ns,
                    frame=picture.rtp_ts // 3_000,
                    captured_ms=0,
                    age_ms=0.0,
                    rtp_ts=picture.rtp_ts,
                    keyframe=picture.keyframe,
                    lost=picture.lost,
                    skipped=picture.skipped,
                )
            )
        if self.receiver.wants_keyframe(self.now_ns):
            self.feed.keyframes.ask()


def seen(world: World, seconds: float) -> judge.Viewing:
    world.run(seconds)
    return judge.view(world.shown, 1_000 * MS, int(seconds * 1e9))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_5_percent_loss_both_ways_freezes_nothing_for_long_and_loses_no_picture(seed: int) -> None:
    world = World(Impairment(delay_ms=25, loss=0.05), seed)
    viewing = seen(world, 60)
    share = world.octets_again / world.octets
    print(
        f"\nfrozen {viewing.frozen_share:.2%}, longest {viewing.longest_ms:.0f}, again {share:.1%}"
    )
    assert viewing.lost == 0
    assert viewing.frozen_share <= 0.01
    assert viewing.longest_ms <= 300
    assert share <= 0.08


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_10_percent_in_bursts_is_repaired_within_the_budget(seed: int) -> None:
    world = World(Impairment(delay_ms=25, loss=0.10, burst=4), seed)
    viewing = seen(world, 60)
    share = world.octets_again / world.octets
    lost = world.receiver.lost
    of = world.up.figures.offered
    print(
        f"\nfrozen {viewing.frozen_share:.2%}, longest {viewing.longest_ms:.0f}, "
        f"again {share:.1%}, lost {lost} of {of}, nacks {world.nacks}, pictures lost {viewing.lost}"
    )
    assert 1 - lost / of >= 0.999
    assert viewing.longest_ms <= 500
    assert share <= 0.20
