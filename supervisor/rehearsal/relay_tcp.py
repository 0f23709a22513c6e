"""Connections of one vehicle to the hub (MQTT, WHIP), through a `Line`.

A cut line carries nothing and tells nobody: bytes wait, and so do the ends of connections.
A connection whose one side has given up meanwhile is dead when the line is mended; what
waited in it is never delivered.
"""

from __future__ import annotations

import asyncio
from typing import Final

from supervisor import clock
from supervisor.rehearsal.line import Line

MAX_CONNECTIONS: Final = 64
"""Of one vehicle to one port; further ones are closed at once."""

CHUNK: Final = 16_384
CHUNKS: Final = 64
"""On the way in one direction; then reading waits: 1 MiB."""

Chunks = asyncio.Queue[tuple[int, bytes]]
"""(when it comes out, bytes); without bytes: the end."""


class TcpRelay:
    """Listens from `open` to `close`.

    Args:
        target: Host and port of the hub.
        line: What the path does.
        passable: Set while the line is not cut.

    Attributes:
        port: Where vehicles connect to; valid after `open`.
        connections: Served now.
        refused: Connections beyond `MAX_CONNECTIONS`, and those the hub did not take.
    """

    def __init__(self, target: tuple[str, int], line: Line, passable: asyncio.Event) -> None:
        self.port = 0
        self.refused = 0
        self._target = target
        self._line = line
        self._passable = passable
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many are served now."""
        return len(self._serving)

    async def open(self) -> None:
        """Begin to listen.

        Raises:
            OSError: There is no port.
        """
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self.connections >= MAX_CONNECTIONS:
            self.refused += 1
            writer.transport.abort()
            return
        self._serving.add(task)
        connection = _Connection(self._line, self._passable)
        try:
            await connection.carry(reader, writer, self._target)
        except* ConnectionError:  # broken off by one side: the other side sees the same
            self.refused += not connection.stood
        finally:
            self._serving.discard(task)
            writer.transport.abort()


class _Connection:
    """One connection: for each direction a reader, a queue and a writer.

    Attributes:
        stood: The hub has taken it.
    """

    def __init__(self, line: Line, passable: asyncio.Event) -> None:
        self.stood = False
        self._line = line
        self._passable = passable
        self._dead = False

    async def carry(
        self,
        near: asyncio.StreamReader,
        near_out: asyncio.StreamWriter,
        target: tuple[str, int],
    ) -> None:
        """Carry bytes until both sides have ended.

        Raises:
            ExceptionGroup: Of `ConnectionError`: one side broke off.
        """
        up: Chunks = asyncio.Queue(CHUNKS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(near, up), name="relay-read-near")
            await self._until_passable()
            far, far_out = await asyncio.open_connection(*target, limit=CHUNK)
            self.stood = True
            try:
                down: Chunks = asyncio.Queue(CHUNKS)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._read(far, down), name="relay-read-far")
                    both.create_task(self._write(up, far_out), name="relay-write-far")
                    both.create_task(self._write(down, near_out), name="relay-write-near")
            finally:
                far_out.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, into: Chunks) -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = await reader.read(CHUNK)
            except ConnectionError:  # a reset; the other side sees an end
                chunk = b""
            if not chunk and self._line.cut:
                self._dead = True
            await into.put((clock.monotonic_ns() + self._line.delay_ns, chunk))

    async def _write(self, out_of: Chunks, writer: asyncio.StreamWriter) -> None:
        chunk = b"-"
        while chunk:
            due_ns, chunk = await out_of.get()
            late_s = (due_ns - clock.monotonic_ns()) / 1e9
            if late_s > 0:
                await asyncio.sleep(late_s)
            await self._until_passable()
            if chunk:
                writer.write(chunk)
                await writer.drain()
        writer.write_eof()

    async def _until_passable(self) -> None:
        await self._passable.wait()
        if self._dead:
            raise ConnectionAbortedError("given up while the line was cut")
