"""Two attempts to connect at a time: the faster is used, the other one ends."""

from __future__ import annotations

import asyncio
import inspect
import random
from typing import Any

import aioice
import pytest

from vehicle_stub import handshake, publisher
from vehicle_stub.publisher import MediaPublisher
from vehicle_stub.whip import WhipClient, WhipError


@pytest.fixture
def dialling(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(publisher, "BESIDE_S", 0.01)
    ours = MediaPublisher(WhipClient("http://127.0.0.1:9/", "", False), [], None, random.Random(1))
    ended: list[int] = []

    def script(*outcomes: Exception | float | None) -> list[int]:
        """Each attempt in turn: an error, seconds until it stands, or None: never."""
        waiting = list(enumerate(outcomes))

        async def connect(answered: asyncio.Event) -> None:
            number, outcome = waiting.pop(0)
            answered.set()
            try:
                if isinstance(outcome, Exception):
                    await asyncio.sleep(0.05)
                    raise outcome
                await (asyncio.Event().wait() if outcome is None else asyncio.sleep(outcome))
            except asyncio.CancelledError:
                ended.append(number)
                raise

        monkeypatch.setattr(ours, "_connect", connect)
        return ended

    return ours, script


async def test_a_slow_attempt_gets_another_beside_it_and_the_first_to_stand_is_used(
    dialling: Any,
) -> None:
    ours, script = dialling
    ended = script(None, 0.0)
    await asyncio.wait_for(ours._dial(), 20)
    assert ended == [0]


async def test_a_long_way_is_no_reason_to_begin_another(
    dialling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = dialling
    begun = []

    async def connect(answered: asyncio.Event) -> None:
        begun.append(1)
        await asyncio.sleep(0.3)
        answered.set()
        await asyncio.sleep(0.3)

    monkeypatch.setattr(publisher, "BESIDE_POSTS", 1_000)
    monkeypatch.setattr(ours, "_connect", connect)
    await asyncio.wait_for(ours._dial(), 20)
    assert begun == [1]


async def test_the_first_may_still_win_and_ends_the_second(dialling: Any) -> None:
    ours, script = dialling
    ended = script(0.1, None)
    await asyncio.wait_for(ours._dial(), 20)
    assert ended == [1]


async def test_one_failure_waits_for_the_other_and_of_two_the_first_is_told(dialling: Any) -> None:
    ours, script = dialling
    script(WhipError("refused"), 0.2)
    await asyncio.wait_for(ours._dial(), 20)
    script(WhipError("one"), WhipError("two"))
    with pytest.raises(WhipError, match="one"):
        await asyncio.wait_for(ours._dial(), 20)


async def test_giving_up_ends_both(dialling: Any) -> None:
    ours, script = dialling
    ended = script(None, None)
    task = asyncio.create_task(ours._dial())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert sorted(ended) in ([0], [0, 1])


def test_what_the_handshake_touches_of_the_libraries_exists() -> None:
    ice = inspect.getsource(aioice.ice)
    assert "self.transactions[request.transaction_id] = transaction" in ice
    assert "del self.transactions[request.transaction_id]" in ice
    assert "self.__protocol.send_stun(self.__request, self.__addr)" in inspect.getsource(
        aioice.stun.Transaction
    )
    transport = inspect.getsource(__import__("aiortc").RTCIceTransport)
    assert "self._recv = self._connection.recv" in transport
    assert "self._send = self._connection.send" in transport
    assert handshake.MAX_CHECKS > handshake.QUICK_CHECKS
