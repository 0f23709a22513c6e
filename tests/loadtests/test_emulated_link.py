"""One direction of the emulated link, in virtual time."""

from __future__ import annotations

import itertools

import pytest

from loadtests.emulator.link import Direction, Impairment

MS = 1_000_000
UDP_PACKET = bytes(9) + b"\x11" + bytes(990)
TCP_PACKET = bytes(9) + b"\x06" + bytes(990)


def numbered(number: int) -> bytes:
    return number.to_bytes(4, "big") + bytes(5) + b"\x11" + bytes(990)


def direction(seed: int = 1, **how: float) -> Direction:
    built = Direction(seed)
    built.change(Impairment(**how), 0)  # type: ignore[arg-type]
    return built


def everything(link: Direction) -> list[int]:
    """Let time jump from deadline to deadline until nothing is on the way."""
    out = []
    while (at_ns := link.next_deadline_ns()) is not None:
        out += [int.from_bytes(packet[:4], "big") for packet in link.due(at_ns)]
    return out


def test_a_packet_comes_out_exactly_after_the_delay() -> None:
    link = direction(delay_ms=25)
    link.offer(UDP_PACKET, 10 * MS)
    assert link.next_deadline_ns() == 35 * MS
    assert link.due(35 * MS - 1) == []
    assert link.due(35 * MS) == [UDP_PACKET]
    assert link.next_deadline_ns() is None


def test_jitter_delays_but_never_reorders() -> None:
    link = direction(delay_ms=10, jitter_ms=30)
    for number in range(500):
        link.offer(numbered(number), number * MS)
    assert everything(link) == list(range(500))
    figures = link.take_figures(10**12)
    assert 10 * MS <= figures.longest_delay_ns <= 40 * MS
    assert figures.delay_ns / figures.delivered > 15 * MS


def test_independent_loss_has_the_asked_share_and_short_runs() -> None:
    link = direction(loss=0.05)
    for number in range(20_000):
        link.offer(numbered(number), number)
    figures = link.take_figures(10**9)
    assert figures.lost / figures.offered == pytest.approx(0.05, abs=0.01)
    assert figures.lost / figures.runs == pytest.approx(1.05, abs=0.05)


def test_burst_loss_has_the_asked_share_and_length() -> None:
    link = direction(loss=0.10, burst=4)
    for number in range(100_000):
        link.offer(numbered(number), number)
    figures = link.take_figures(10**9)
    assert figures.lost / figures.offered == pytest.approx(0.10, abs=0.01)
    assert figures.lost / figures.runs == pytest.approx(4.0, abs=0.3)
    assert figures.longest_run > 10


def test_the_same_seed_gives_every_packet_the_same_fate() -> None:
    def fate(seed: int) -> list[int]:
        link = direction(seed, loss=0.2, duplicate=0.1, reorder=0.1, delay_ms=5)
        for number in range(200):
            link.offer(numbered(number), number * MS)
        return everything(link)

    assert fate(7) == fate(7) != fate(8)


def test_reordered_packets_are_overtaken_and_duplicated_ones_come_twice() -> None:
    link = direction(delay_ms=5, reorder=0.05, duplicate=0.02, reorder_ms=15)
    for number in range(5_000):
        link.offer(numbered(number), number * MS)
    came = everything(link)
    figures = link.take_figures(10**12)
    assert len(came) == 5_000 + figures.duplicated
    assert figures.duplicated == pytest.approx(100, abs=40)
    assert figures.reordered == pytest.approx(250, abs=60)
    assert sum(1 for a, b in itertools.pairwise(came) if b < a) > 100


def test_a_rate_serves_one_packet_after_the_other() -> None:
    link = direction(rate_kbps=8_000, delay_ms=10)
    for number in range(3):
        link.offer(numbered(number), 0)  # 1,000 bytes take 1 ms
    assert [len(link.due(at * MS)) for at in (10, 11, 12, 13)] == [0, 1, 1, 1]


def test_a_full_queue_drops_what_comes_last() -> None:
    link = direction(rate_kbps=8_000, queue_bytes=5_000)
    for number in range(20):
        link.offer(numbered(number), 0)
    assert everything(link) == [0, 1, 2, 3, 4]
    assert link.take_figures(10**9).overflowed == 15


def test_a_standing_queue_is_timed_from_the_change_of_rate() -> None:
    link = direction(rate_kbps=8_000, queue_bytes=400_000)
    for number in range(200):  # 200 ms of queue at 8 Mbit/s, 1.6 s at 1 Mbit/s
        link.offer(numbered(number), 0)
    link.change(Impairment(rate_kbps=1_000, queue_bytes=400_000), 0)
    everything(link)
    figures = link.take_figures(2_000 * MS)
    assert figures.queue_ns == 1_600 * MS
    assert figures.standing_ns == pytest.approx(1_100 * MS, abs=10 * MS)


def test_a_rate_that_is_lifted_lets_the_queue_go_at_once() -> None:
    link = direction(rate_kbps=100)
    for number in range(5):
        link.offer(numbered(number), 0)
    link.change(Impairment(), 1)
    assert len(link.due(1)) == 5


def test_a_cut_loses_what_is_offered_and_spares_what_is_on_the_way() -> None:
    link = direction(delay_ms=50)
    link.offer(numbered(1), 0)
    link.change(Impairment(delay_ms=50, cut=True), 10 * MS)
    link.offer(numbered(2), 20 * MS)
    link.change(Impairment(delay_ms=50), 30 * MS)
    link.offer(numbered(3), 40 * MS)
    assert everything(link) == [1, 3]
    assert link.take_figures(10**9).cut == 1


def test_only_datagrams_are_lost_if_so_asked() -> None:
    link = direction(loss=1.0, only_udp=True)
    link.offer(UDP_PACKET, 0)
    link.offer(TCP_PACKET, 0)
    assert link.due(0) == [TCP_PACKET]


def test_figures_begin_anew_when_they_are_taken() -> None:
    link = direction()
    link.offer(UDP_PACKET, 0)
    link.due(3 * MS)
    taken = link.take_figures(3 * MS)
    assert (taken.offered, taken.delivered, taken.latest_ns) == (1, 1, 3 * MS)
    assert link.take_figures(3 * MS).offered == 0
