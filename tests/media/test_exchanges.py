"""Clock exchanges with one vehicle, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.codec import ProtocolError, decode, encode
from protocols.link import MAX_LINK_FRAME, LinkAnswer, LinkAsk, LinkUnheard
from supervisor.media.exchanges import (
    BURST,
    MAX_OPEN,
    QUICK_ASKS,
    QUICK_NS,
    STEADY_NS,
    Exchanged,
    Exchanges,
    Unheard,
)

S = 1_000_000_000
MS = 1_000_000


def asked(exchanges: Exchanges, now_ns: int) -> int:
    frame = exchanges.due(now_ns)
    assert frame is not None
    return decode(frame, LinkAsk).number


def answer(number: int, session: str = "run-1", at_ns: int = 77) -> bytes:
    return encode(LinkAnswer(number, session, at_ns, at_ns + 1))


def test_it_asks_quickly_at_first_and_then_once_a_second() -> None:
    exchanges = Exchanges(0)
    times = [now for now in range(0, 10 * S, 100 * MS) if exchanges.due(now) is not None]
    quick = [QUICK_NS * number for number in range(QUICK_ASKS + 1)]
    assert times[: QUICK_ASKS + 1] == quick
    assert {later - one for one, later in pairwise(times[QUICK_ASKS:])} == {STEADY_NS}


def test_an_answer_gives_the_four_times_of_its_own_ask() -> None:
    exchanges = Exchanges(0)
    first = asked(exchanges, 0)
    second = asked(exchanges, QUICK_NS)
    late = exchanges.on_frame(answer(first), QUICK_NS + 5 * MS)
    assert late == Exchanged("run-1", 0, 77, 78, QUICK_NS + 5 * MS)
    soon = exchanges.on_frame(answer(second), QUICK_NS + 6 * MS)
    assert soon == Exchanged("run-1", QUICK_NS, 77, 78, QUICK_NS + 6 * MS)


def reason(exchanges: Exchanges, frame: bytes | str, now_ns: int = S) -> str:
    with pytest.raises(ProtocolError) as caught:
        exchanges.on_frame(frame, now_ns)
    return caught.value.reason


def test_what_was_not_asked_or_is_answered_twice_is_refused() -> None:
    exchanges = Exchanges(0)
    number = asked(exchanges, 0)
    assert reason(exchanges, answer(number + 1)) == "unasked"
    exchanges.on_frame(answer(number), MS)
    assert reason(exchanges, answer(number)) == "unasked"


def test_asks_that_nobody_answers_are_forgotten_oldest_first() -> None:
    exchanges = Exchanges(0)
    numbers = [asked(exchanges, second * S) for second in range(MAX_OPEN + 1)]
    assert reason(exchanges, answer(numbers[0]), 20 * S) == "unasked"
    exchanges.on_frame(answer(numbers[1]), 20 * S)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"", "malformed"),
        (b"{}", "malformed"),
        ("\ud800", "malformed"),
        (b'{"type":"ask","number":1}', "malformed"),
        (
            b'{"type":"answer","number":1,"session_id":"a","received_ns":-1,"sent_ns":1}',
            "malformed",
        ),
        (b'{"type":"unheard","session_id":""}', "malformed"),
        (b"x" * (MAX_LINK_FRAME + 1), "oversize"),
    ],
)
def test_what_is_no_message_is_refused_by_reason(frame: bytes | str, why: str) -> None:
    assert reason(Exchanges(0), frame) == why


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_any_frame_is_a_message_or_has_a_reason(frame: bytes | str) -> None:
    exchanges = Exchanges(0)
    exchanges.due(0)
    try:
        exchanges.on_frame(frame, 1)
    except ProtocolError as error:
        assert error.reason in {"oversize", "malformed", "unasked"}


def test_a_flood_is_refused_and_a_steady_vehicle_is_not() -> None:
    exchanges = Exchanges(0)
    unheard = encode(LinkUnheard("run-1"))
    for number in range(100):
        assert exchanges.on_frame(unheard, number * 200 * MS) == Unheard("run-1", number * 200 * MS)
    refused = 0
    for _ in range(1_000):
        try:
            exchanges.on_frame(unheard, 30 * S)
        except ProtocolError as error:
            refused += error.reason == "rate"
    assert refused == 1_000 - BURST


def test_a_vehicle_that_hears_nothing_is_asked_quickly_and_only_later_asks_count() -> None:
    exchanges = Exchanges(0)
    now_ns = 0
    for _ in range(QUICK_ASKS + 3):
        now_ns += STEADY_NS
        before = asked(exchanges, now_ns)
    exchanges.on_frame(encode(LinkUnheard("run-1")), now_ns + MS)
    assert exchanges.unheard
    assert reason(exchanges, answer(before), now_ns + 2 * MS) == "unasked"
    asked(exchanges, now_ns + 2 * MS)
    assert exchanges.due(now_ns + 2 * MS + QUICK_NS - 1) is None
    number = asked(exchanges, now_ns + 2 * MS + QUICK_NS)
    exchanges.on_frame(answer(number), now_ns + S)
    assert not exchanges.unheard
    asked(exchanges, now_ns + S)
    assert exchanges.due(now_ns + S + QUICK_NS) is None
