"""One direction of a link. Pure: no clock, no I/O; the same seed gives the same fate.

    offer ─▶ cut? ─▶ loss ─▶ duplicate ─▶ bounded queue at a rate ─▶ delay ─▶ due

loss        independent, or in bursts by the two-state chain of Gilbert (1960): every
            packet is lost in the bad state and none in the good one. With mean loss p
            and mean burst b packets, bad → good has probability 1/b, and good → bad
            p / (b (1 - p)). p = 0.10, b = 4: 0.25 and 0.0278.
queue       first in, first out, in bytes; what does not fit is dropped at its end
delay       constant plus uniform jitter; packets keep their order, as a radio link's do
reorder     a share of packets takes `reorder_ms` longer and is overtaken
cut         what is offered is lost; what is already on the way arrives
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from typing import Final

import msgspec

UDP: Final = 17
MAX_IN_FLIGHT: Final = 100_000
"""Packets on the way; beyond it new ones are dropped and counted as overflowed."""


class Impairment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a direction does to packets from now on.

    Attributes:
        delay_ms, jitter_ms: One way; jitter is uniform between 0 and `jitter_ms`.
        loss: Mean share of packets lost, 0 to 1.
        burst: Mean packets lost in a row; 0 loses each one independently.
        duplicate, reorder: Shares of packets.
        reorder_ms: How much later a reordered packet comes.
        rate_kbps: Bits of IP packets; 0 is unlimited.
        queue_bytes: Room in front of the rate.
        cut: Nothing passes.
        only_udp: Loss, duplication and reordering spare everything but UDP.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    burst: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_ms: float = 15.0
    rate_kbps: float = 0.0
    queue_bytes: int = 512_000
    cut: bool = False
    only_udp: bool = False


class Figures(msgspec.Struct):
    """What really happened since the figures were last taken.

    Attributes:
        lost, cut, overflowed: Packets that did not pass, by cause.
        runs, longest_run: Of lost packets in a row.
        delay_ns, longest_delay_ns: Sum and maximum over delivered packets.
        queue_ns: Longest time a packet would wait in the queue, seen at any arrival.
        standing_ns: Longest stretch during which that time was above `STANDING_NS`.
        late_ns, latest_ns: Sum and maximum of how much later than intended the process
            let packets go: its own fault.
        stray: Packets to an address that is gone.
    """

    offered: int = 0
    offered_bytes: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    lost: int = 0
    cut: int = 0
    overflowed: int = 0
    duplicated: int = 0
    reordered: int = 0
    stray: int = 0
    runs: int = 0
    longest_run: int = 0
    delay_ns: int = 0
    longest_delay_ns: int = 0
    queue_ns: int = 0
    standing_ns: int = 0
    late_ns: int = 0
    latest_ns: int = 0


STANDING_NS: Final = 500_000_000
"""A queue longer than this makes remote pictures useless."""


class Direction:
    """Packets from one end to the other.

    Attributes:
        figures: Counted since `take_figures`.
    """

    def __init__(self, seed: int) -> None:
        self.figures = Figures()
        self.impairment = Impairment()
        self._random = random.Random(seed)
        self._bad = False
        self._run = 0
        self._order = 0
        self._queue: deque[tuple[bytes, int, bool]] = deque()
        self._queued_bytes = 0
        self._free_ns = 0
        self._flying: list[tuple[int, int, int, bytes]] = []
        self._last_ns = 0
        self._standing_since_ns: int | None = None

    def change(self, impairment: Impairment, now_ns: int) -> None:
        """Do this from now on; what is on the way stays as it is."""
        self._serve(now_ns)
        if self.impairment.loss != impairment.loss or self.impairment.burst != impairment.burst:
            self._bad = False
            self._end_run()
        self.impairment = impairment
        if not impairment.rate_kbps:
            while self._queue:
                packet, offered_ns, late = self._queue.popleft()
                self._fly(packet, offered_ns, now_ns, late=late)
            self._queued_bytes = 0
        self._free_ns = max(self._free_ns, now_ns)
        self._watch_queue(now_ns)

    def take_figures(self, now_ns: int) -> Figures:
        """Return the figures and begin anew."""
        self._serve(now_ns)
        self._watch_queue(now_ns)
        self._end_run()
        figures, self.figures = self.figures, Figures()
        if self._standing_since_ns is not None:
            self._standing_since_ns = now_ns
        return figures

    def offer(self, packet: bytes, now_ns: int) -> None:
        """A packet comes in."""
        figures, how = self.figures, self.impairment
        figures.offered += 1
        figures.offered_bytes += len(packet)
        if how.cut:
            figures.cut += 1
            return
        spared = how.only_udp and packet[9] != UDP
        if how.loss and not spared and self._loses():
            return
        copies = 1
        late = False
        if not spared:
            if how.duplicate and self._random.random() < how.duplicate:
                figures.duplicated += 1
                copies = 2
            if how.reorder and self._random.random() < how.reorder:
                figures.reordered += 1
                late = True
        for _ in range(copies):
            if how.rate_kbps:
                self._enqueue(packet, now_ns, late=late)
            else:
                self._fly(packet, now_ns, now_ns, late=late)

    def due(self, now_ns: int) -> list[bytes]:
        """Return what comes out by now, in order."""
        if self._queue:
            self._serve(now_ns)
        flying, figures = self._flying, self.figures
        out = []
        while flying and flying[0][0] <= now_ns:
            at_ns, _, offered_ns, packet = heapq.heappop(flying)
            out.append(packet)
            figures.delivered += 1
            figures.delivered_bytes += len(packet)
            delay_ns, late_ns = now_ns - offered_ns, now_ns - at_ns
            figures.delay_ns += delay_ns
            figures.longest_delay_ns = max(figures.longest_delay_ns, delay_ns)
            figures.late_ns += late_ns
            figures.latest_ns = max(figures.latest_ns, late_ns)
        return out

    def next_deadline_ns(self) -> int | None:
        """When `due` has something next; None while nothing is on the way."""
        flying = self._flying[0][0] if self._flying else None
        if not self._queue:
            return flying
        served = self._finish_ns()
        return served if flying is None else min(served, flying)

    # ------------------------------------------------------------------------ inside

    def _loses(self) -> bool:
        how, draw = self.impairment, self._random.random
        if how.burst:
            if self._bad:
                self._bad = draw() >= 1 / how.burst
            else:
                self._bad = draw() < how.loss / (how.burst * (1 - how.loss))
            lost = self._bad
        else:
            lost = draw() < how.loss
        if lost:
            self.figures.lost += 1
            self._run += 1
        else:
            self._end_run()
        return lost

    def _end_run(self) -> None:
        if self._run:
            self.figures.runs += 1
            self.figures.longest_run = max(self.figures.longest_run, self._run)
            self._run = 0

    def _enqueue(self, packet: bytes, now_ns: int, *, late: bool) -> None:
        self._serve(now_ns)
        if self._queued_bytes + len(packet) > self.impairment.queue_bytes:
            self.figures.overflowed += 1
            return
        if not self._queue:
            self._free_ns = max(self._free_ns, now_ns)
        self._queue.append((packet, now_ns, late))
        self._queued_bytes += len(packet)
        self._watch_queue(now_ns)

    def _finish_ns(self) -> int:
        """When the head of the queue has left it."""
        bits = len(self._queue[0][0]) * 8
        return self._free_ns + round(bits * 1_000_000 / self.impairment.rate_kbps)

    def _serve(self, now_ns: int) -> None:
        while self._queue:
            finish_ns = self._finish_ns()
            if finish_ns > now_ns:
                break
            packet, offered_ns, late = self._queue.popleft()
            self._queued_bytes -= len(packet)
            self._free_ns = finish_ns
            self._watch_queue(finish_ns)
            self._fly(packet, offered_ns, finish_ns, late=late)

    def _watch_queue(self, now_ns: int) -> None:
        rate = self.impairment.rate_kbps
        waiting_ns = round(self._queued_bytes * 8 * 1_000_000 / rate) if rate else 0
        figures = self.figures
        figures.queue_ns = max(figures.queue_ns, waiting_ns)
        since_ns = self._standing_since_ns
        if since_ns is not None:
            figures.standing_ns = max(figures.standing_ns, now_ns - since_ns)
        if waiting_ns <= STANDING_NS:
            self._standing_since_ns = None
        elif since_ns is None:
            self._standing_since_ns = now_ns

    def _fly(self, packet: bytes, offered_ns: int, from_ns: int, *, late: bool) -> None:
        if len(self._flying) >= MAX_IN_FLIGHT:
            self.figures.overflowed += 1
            return
        how = self.impairment
        at_ns = from_ns + round(how.delay_ms * 1e6)
        if how.jitter_ms:
            at_ns += round(self._random.random() * how.jitter_ms * 1e6)
        if late:
            at_ns = max(at_ns, self._last_ns) + round(how.reorder_ms * 1e6)
        else:
            at_ns = self._last_ns = max(at_ns, self._last_ns)
        self._order += 1
        heapq.heappush(self._flying, (at_ns, self._order, offered_ns, packet))
