"""Only a hub that a demo started can be asked to break something, and only by who may."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocols.operator import Role
from supervisor.console.access import REHEARSAL_ROUTES, allowed
from supervisor.console.rehearsal import (
    CHANNEL_FILE,
    Channel,
    ChannelFile,
    Do,
    Fault,
    Order,
    Standing,
    find_channel,
)
from supervisor.counters import Counters

pytestmark = pytest.mark.integration

TOKEN = "a token that nobody guesses"
WISH = {"fault": "freeze", "vehicle": "maebashi/bus-01"}


class Demo:
    """The other end of the channel, with one answer for everything."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.answer = msgspec.json.encode(Standing(7)) + b"\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.orders.append(msgspec.json.decode(await reader.readline(), type=Order))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def demo_and_hub(make_hub: Any) -> AsyncIterator[tuple[Demo, Any]]:
    demo = Demo()
    server = await asyncio.start_server(demo.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        channel = Channel(ChannelFile(port, TOKEN), Counters())
        async with make_hub(demo=True, rehearsal=channel) as hub:
            yield demo, hub
    finally:
        server.close()


async def test_a_hub_without_a_demo_has_no_such_routes(hub: Any, make_hub: Any) -> None:
    async with hub.sign_in() as client:
        for method, path in REHEARSAL_ROUTES:
            assert (await client.request(method, path, json=WISH)).status_code == 404, path
    async with make_hub(demo=True) as other, other.sign_in() as client:
        assert (await client.post("/api/rehearsal/break", json=WISH)).status_code == 404


async def test_a_wish_is_passed_on_with_the_token_and_its_answer_returned(make_hub: Any) -> None:
    async with demo_and_hub(make_hub) as (demo, hub), hub.sign_in() as client:
        answer = await client.post("/api/rehearsal/break", json=WISH)
        assert (answer.status_code, answer.json()["at_ns"]) == (200, 7)
        assert demo.orders == [Order(TOKEN, Do.BREAK, Fault.FREEZE, "maebashi/bus-01")]
        demo.answer = msgspec.json.encode(Standing(8, "broken_already", "it is")) + b"\n"
        refused = await client.post("/api/rehearsal/mend", json=WISH)
        assert (refused.status_code, refused.json()["reason"]) == (409, "broken_already")
        assert (await client.get("/api/rehearsal")).status_code == 409


async def test_only_who_may_rehearse_can(make_hub: Any) -> None:
    async with demo_and_hub(make_hub) as (_, hub):
        async with hub.client() as stranger:
            assert (await stranger.post("/api/rehearsal/break", json=WISH)).status_code == 401
        for role in Role:
            name = "aoki" if role is Role.OPERATOR else role.value
            async with hub.sign_in(name) as client:
                for (method, path), rule in REHEARSAL_ROUTES.items():
                    answer = await client.request(method, path, json=WISH)
                    expected = 200 if allowed(role, rule) else 403
                    assert answer.status_code == expected, (role, path)


@pytest.mark.parametrize(
    "wish",
    [b"", b"[]", b'{"fault":"fire"}', b'{"fault":"cut","x":1}', b'{"fault":"cut","vehicle":1}'],
)
async def test_what_is_no_wish_never_reaches_the_demo(make_hub: Any, wish: bytes) -> None:
    async with demo_and_hub(make_hub) as (demo, hub), hub.sign_in() as client:
        assert (await client.post("/api/rehearsal/break", content=wish)).status_code == 400
        assert demo.orders == []


@pytest.mark.parametrize("answer", [b"", b"no json\n", b'{"at_ns":1', b"x" * 70_000 + b"\n"])
async def test_a_demo_that_answers_nonsense_is_gone(make_hub: Any, answer: bytes) -> None:
    async with demo_and_hub(make_hub) as (demo, hub), hub.sign_in() as client:
        demo.answer = answer
        gone = await client.get("/api/rehearsal")
        assert (gone.status_code, gone.json()["reason"]) == (503, "demo_gone")


def test_the_way_to_the_demo_is_known_only_by_its_file(tmp_path: Path) -> None:
    assert find_channel(tmp_path, Counters()) is None
    (tmp_path / CHANNEL_FILE).write_bytes(msgspec.json.encode(ChannelFile(4_000, TOKEN)))
    assert find_channel(tmp_path, Counters()) is not None
