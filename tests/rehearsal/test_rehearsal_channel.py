"""Who may break things: whoever has the token, one whole line at a time."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from supervisor.console.rehearsal import (
    CHANNEL_FILE,
    MAX_ORDER,
    Channel,
    ChannelFile,
    Do,
    Fault,
    Order,
    Standing,
    Wish,
    find_channel,
)
from supervisor.counters import Counters
from supervisor.rehearsal import channel as channel_room
from supervisor.rehearsal.actor import Actor
from supervisor.rehearsal.channel import MAX_OPEN, ChannelServer
from supervisor.rehearsal.second import SecondOperator
from supervisor.rehearsal.stage import Stage, children, process_name
from support.waiting import until

pytestmark = pytest.mark.integration

BUS = "maebashi/bus-01"


def stage_of(*actors: Actor) -> Stage:
    nobody = SecondOperator("http://127.0.0.1:9", "no password")
    return Stage({actor.name: actor for actor in actors}, os.getpid(), nobody)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ChannelServer]:
    started = ChannelServer()
    await started.open(tmp_path)
    yield started
    await started.close()


def where(folder: Path) -> ChannelFile:
    return msgspec.json.decode((folder / CHANNEL_FILE).read_bytes(), type=ChannelFile)


async def say(folder: Path, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", where(folder).port)
    writer.write(data)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(-1), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_the_token_is_for_the_owner_of_the_state_folder_alone(
    server: ChannelServer, tmp_path: Path
) -> None:
    assert stat.S_IMODE((tmp_path / CHANNEL_FILE).stat().st_mode) == 0o600
    assert len(where(tmp_path).token) >= 32


async def test_the_hub_and_the_demo_understand_each_other(
    server: ChannelServer, tmp_path: Path
) -> None:
    channel = find_channel(tmp_path, Counters())
    assert channel is not None
    assert (await channel.ask(Do.LOOK)).reason == "not_ready"
    server.carry_out = stage_of(Actor(BUS)).carry_out
    cut = await channel.ask(Do.BREAK, Wish(Fault.CUT, BUS))
    assert [(one.fault, one.vehicle) for one in cut.broken] == [(Fault.CUT, BUS)]
    assert (await channel.ask(Do.BREAK, Wish(Fault.CUT, BUS))).reason == "broken_already"
    assert (await channel.ask(Do.MEND, Wish(Fault.CUT, BUS))).broken == []
    assert (await channel.ask(Do.MEND, Wish(Fault.CUT, BUS))).reason == "not_broken"
    assert (await channel.ask(Do.BREAK, Wish(Fault.CUT, "x/y"))).reason == "unknown_vehicle"
    assert (await channel.ask(Do.BREAK, Wish(Fault.FREEZE, BUS))).reason == "no_process"
    assert (await channel.ask(Do.BREAK, Wish(Fault.BROKER))).reason == "no_broker"
    assert (await channel.ask(Do.MEND, Wish(Fault.BROKER))).reason == "mends_itself"
    assert (await channel.ask(Do.BREAK, Wish(Fault.GRAB, BUS))).reason == "second_lost"
    assert (await channel.ask(Do.BREAK)).reason == "malformed"


async def test_a_wrong_token_gets_no_word(server: ChannelServer, tmp_path: Path) -> None:
    order = msgspec.json.encode(Order("x" * 43, Do.LOOK)) + b"\n"
    assert await say(tmp_path, order) == b""
    assert server.refused == {"token": 1}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "cut_short", id="nothing"),
        pytest.param(b'{"do": "look"', "cut_short", id="half a line"),
        pytest.param(b"x" * (4 * MAX_ORDER), "oversize", id="too long"),
        pytest.param(b"GET / HTTP/1.1\r\n", "malformed", id="no json"),
        pytest.param(b'{"token":"t","do":"look"}\n', "malformed", id="a short token"),
        pytest.param(b'{"token":"0123456789abcdef","do":"burn"}\n', "malformed", id="unknown"),
    ],
)
async def test_bad_lines_are_counted_by_cause(
    server: ChannelServer, tmp_path: Path, data: bytes, why: str
) -> None:
    answer = await say(tmp_path, data)
    assert server.refused == {why: 1}
    if answer:
        assert msgspec.json.decode(answer, type=Standing).reason == why


async def test_who_says_nothing_is_not_waited_for(
    server: ChannelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_room, "ORDER_WITHIN_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", where(tmp_path).port)
    assert await asyncio.wait_for(reader.read(-1), 20) == b""
    assert server.refused == {"slow": 1}
    writer.close()


async def test_wishes_at_a_time_are_bounded(server: ChannelServer, tmp_path: Path) -> None:
    port = where(tmp_path).port
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_OPEN + 1)]
    await until(lambda: server.refused.get("full"), "one too many is closed")
    for _, writer in opened:
        writer.close()


async def test_a_demo_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    channel = Channel(ChannelFile(9, "0123456789abcdef"), Counters())
    with pytest.raises(OSError):
        await channel.ask(Do.LOOK)


async def test_a_process_knows_its_children_by_name() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        assert process.pid in children(os.getpid())
        await until(lambda: process_name(process.pid) == "sleep", "it runs")
    finally:
        process.kill()
        await process.wait()
    assert process_name(process.pid) == "" and children(2**22 + 1) == []
