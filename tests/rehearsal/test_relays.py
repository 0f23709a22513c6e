"""Real sockets through a path that is clear, late, lossy and cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from supervisor.rehearsal.line import Line
from supervisor.rehearsal.relay_tcp import MAX_CONNECTIONS, TcpRelay
from supervisor.rehearsal.relay_udp import MAX_ADDRESSES, UdpRelay
from support.waiting import until

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"


class Path:
    """A line as the stage moves it, and an echo server behind it."""

    def __init__(self) -> None:
        self.line = Line(lambda: 1.0)
        self.passable = asyncio.Event()
        self.passable.set()
        self.served = 0
        self.heard = b""

    def cut(self, cut: bool) -> None:
        self.line.cut = cut
        (self.passable.clear if cut else self.passable.set)()

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served += 1
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4_096):
                self.heard += data
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def tcp() -> AsyncIterator[tuple[Path, TcpRelay]]:
    path = Path()
    server = await asyncio.start_server(path.echo, HOST, 0)
    relay = TcpRelay((HOST, server.sockets[0].getsockname()[1]), path.line, path.passable)
    await relay.open()
    try:
        yield path, relay
    finally:
        await relay.close()
        server.close()


async def test_bytes_go_both_ways_and_the_end_too() -> None:
    async with tcp() as (_, relay):
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        writer.write(b"x" * 500_000)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(-1), 20) == b"x" * 500_000
        writer.close()
        await until(lambda: relay.connections == 0, "the connection has ended")
        assert relay.refused == 0


async def test_a_late_line_is_late_both_ways() -> None:
    async with tcp() as (path, relay):
        path.line.delay_ns = 100_000_000
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        began = time.monotonic()
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.read(5), 20) == b"hello"
        assert time.monotonic() - began >= 0.2
        writer.close()


async def test_a_cut_connection_lives_on_when_it_is_mended() -> None:
    async with tcp() as (path, relay):
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        writer.write(b"before ")
        assert await asyncio.wait_for(reader.read(7), 20) == b"before "
        path.cut(True)
        writer.write(b"after")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(5), 0.3)
        path.cut(False)
        assert await asyncio.wait_for(reader.read(5), 20) == b"after"
        writer.close()


async def test_who_gave_up_while_it_was_cut_is_never_heard_of() -> None:
    async with tcp() as (path, relay):
        path.cut(True)
        _, writer = await asyncio.open_connection(HOST, relay.port)
        writer.write(b"a will of long ago")
        writer.close()
        reader, later = await asyncio.open_connection(HOST, relay.port)
        later.write(b"now")
        await until(lambda: relay.connections == 2, "both wait")
        path.cut(False)
        assert await asyncio.wait_for(reader.read(3), 20) == b"now"
        await until(lambda: relay.connections == 1, "the dead one is gone")
        assert path.heard == b"now" and path.served == 1
        later.close()


async def test_connections_are_bounded() -> None:
    async with tcp() as (path, relay):
        path.cut(True)
        kept = [await asyncio.open_connection(HOST, relay.port) for _ in range(MAX_CONNECTIONS)]
        await until(lambda: relay.connections == MAX_CONNECTIONS, "all wait")
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(1), 20) == b""
        assert relay.refused == 1
        for one in (writer, *(writer for _, writer in kept)):
            one.close()


async def test_a_hub_that_is_not_there_ends_the_connection() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))  # bound, and nobody listens
        path = Path()
        relay = TcpRelay(taken.getsockname(), path.line, path.passable)
        await relay.open()
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(1), 20) == b""
        await until(lambda: relay.refused == 1, "it is counted")
        writer.close()
        await relay.close()


# ----------------------------------------------------------------------- datagrams


@contextlib.contextmanager
def udp_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((HOST, 0))
        one.setblocking(False)
        yield one


async def received(one: socket.socket, within_s: float = 20.0) -> tuple[bytes, tuple[str, int]]:
    loop = asyncio.get_running_loop()
    return await asyncio.wait_for(loop.sock_recvfrom(one, 2_048), within_s)


async def test_each_address_of_a_vehicle_is_another_one_for_the_hub() -> None:
    with udp_socket() as hub, udp_socket() as first, udp_socket() as second:
        relay = UdpRelay(hub.getsockname(), Line(lambda: 1.0))
        try:
            seen = {}
            for one, word in ((first, b"one"), (second, b"two"), (first, b"one again")):
                one.sendto(word, (HOST, relay.port))
                data, seen[word] = await received(hub)
                assert data == word
            assert seen[b"one"] == seen[b"one again"] != seen[b"two"]
            hub.sendto(b"for two", seen[b"two"])
            assert (await received(second))[0] == b"for two"
            assert relay.passed == 4
        finally:
            relay.close()


async def test_datagrams_are_late_and_lost_as_the_line_says() -> None:
    with udp_socket() as hub, udp_socket() as vehicle:
        line = Line(lambda: 0.0)
        relay = UdpRelay(hub.getsockname(), line)
        try:
            line.delay_ns = 100_000_000
            began = time.monotonic()
            for number in range(5):
                vehicle.sendto(bytes([number]), (HOST, relay.port))
            assert [(await received(hub))[0] for _ in range(5)] == [bytes([n]) for n in range(5)]
            assert time.monotonic() - began >= 0.1
            line.delay_ns, line.loss = 0, 0.05
            vehicle.sendto(b"lost", (HOST, relay.port))
            line.loss, line.cut = 0.0, True
            vehicle.sendto(b"cut", (HOST, relay.port))
            with pytest.raises(TimeoutError):
                await received(hub, within_s=0.2)
            line.cut = False
            vehicle.sendto(b"mended", (HOST, relay.port))
            assert (await received(hub))[0] == b"mended"
        finally:
            relay.close()


async def test_addresses_are_bounded_and_the_silent_one_gives_way() -> None:
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(udp_socket())
        relay = UdpRelay(hub.getsockname(), Line(lambda: 1.0))
        stack.callback(relay.close)
        vehicles = [stack.enter_context(udp_socket()) for _ in range(MAX_ADDRESSES + 1)]
        seen = []
        for one in vehicles:
            one.sendto(b"-", (HOST, relay.port))
            seen.append((await received(hub))[1])
        hub.sendto(b"to a closed one", seen[0])
        hub.sendto(b"to the newest", seen[-1])
        assert (await received(vehicles[-1]))[0] == b"to the newest"
        vehicles[0].sendto(b"anew", (HOST, relay.port))
        assert (await received(hub))[0] == b"anew"
