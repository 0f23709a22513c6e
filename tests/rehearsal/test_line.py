"""What a path does to packets, on a clock of numbers."""

from __future__ import annotations

from supervisor.rehearsal.line import MAX_WAITING, Lane, Line

MS = 1_000_000


def lane_of(line: Line) -> Lane[int]:
    return Lane(line)


def test_a_clear_line_passes_everything_at_once_and_keeps_nothing() -> None:
    lane = lane_of(Line(lambda: 0.0))
    assert all(lane.offer(number, 5) for number in range(100))
    assert lane.next_deadline_ns() is None and lane.lost == 0


def test_a_cut_line_loses_what_comes_and_lets_arrive_what_is_on_the_way() -> None:
    line = Line(lambda: 1.0)
    lane = lane_of(line)
    line.delay_ns = 300 * MS
    assert not lane.offer(1, 0)
    line.cut = True
    assert not lane.offer(2, 10 * MS)
    assert lane.due(300 * MS) == [1] and lane.next_deadline_ns() is None
    assert lane.lost == 1


def test_one_packet_of_twenty_is_lost() -> None:
    draws = iter([0.01, 0.06, 0.049, 0.05])
    line = Line(lambda: next(draws))
    line.loss = 0.05
    lane = lane_of(line)
    assert [lane.offer(n, 0) for n in range(4)] == [False, True, False, True]
    assert lane.lost == 2


def test_packets_keep_their_order_when_the_delay_ends() -> None:
    line = Line(lambda: 1.0)
    lane = lane_of(line)
    line.delay_ns = 300 * MS
    assert not lane.offer(1, 0)
    line.delay_ns = 0
    assert not lane.offer(2, 100 * MS)
    assert lane.due(299 * MS) == []
    assert lane.due(300 * MS) == [1, 2]
    assert lane.offer(3, 301 * MS)


def test_what_is_on_the_way_is_bounded() -> None:
    line = Line(lambda: 1.0)
    line.delay_ns = MS
    lane = lane_of(line)
    for number in range(MAX_WAITING + 5):
        lane.offer(number, 0)
    assert lane.lost == 5 and len(lane.due(MS)) == MAX_WAITING
