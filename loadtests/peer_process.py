"""Starts and talks to a process full of peers (`peer_main`)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from loadtests import control
from loadtests.children import spawn, stop
from loadtests.errors import BenchError

REPLY_WITHIN_S: Final = 60.0

M = TypeVar("M", bound=control.Message)


class PeerProcess:
    """One child. Use as an async context manager.

    Args:
        name: For error texts.
        loop: `shaped` or `encoded`.
        mbps: Rate of each stream.
        run: Packets handed to the kernel in one call.
        log: File for what it writes to standard error.
    """

    def __init__(self, name: str, loop: str, mbps: float, run: int, log: Path) -> None:
        self.name = name
        self._arguments = [loop, str(mbps), str(run)]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> PeerProcess:
        """Start the child."""
        with self._log.open("ab") as log:
            self._process = await spawn(
                sys.executable,
                "-m",
                "loadtests.peer_main",
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log.fileno(),
                limit=control.MAX_LINE,
            )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End the child."""
        process = self._process
        assert process is not None and process.stdin is not None
        process.stdin.close()  # it ends by itself then, after its goodbyes
        await stop(process)

    async def offer(self, peer: int, stream: int, *, watch: bool) -> str:
        """Make a peer and return its offer."""
        return (await self._ask(control.Make(peer, stream, watch), control.Offered)).sdp

    async def answer(self, peer: int, sdp: str) -> str:
        """Connect a peer; return its SRTP profile.

        Raises:
            BenchError: It could not connect.
        """
        return (await self._ask(control.Answer(peer, sdp), control.Connected)).profile

    async def begin(self) -> None:
        """Let publishers send pictures."""
        await self._ask(control.Begin(), control.Begun)

    async def mark(self) -> control.Marked:
        """Return how much was sent or received until now."""
        return await self._ask(control.Mark(), control.Marked)

    async def settle(self) -> None:
        """Stop sending."""
        await self._ask(control.Settle(), control.Settled)

    async def finish(self, windows: list[control.Window]) -> control.Finished:
        """Return the result; the process ends."""
        return await self._ask(control.Finish(windows), control.Finished)

    async def _ask(self, message: control.Message, kind: type[M]) -> M:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                process.stdin.write(control.encode(message) + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        except (TimeoutError, ConnectionError) as error:
            raise BenchError(f"the {self.name} does not answer; {self._last_words()}") from error
        if not line:
            raise BenchError(f"the {self.name} has ended by itself; {self._last_words()}")
        try:
            reply = control.from_process.decode(line)
        except msgspec.DecodeError as error:
            raise BenchError(f"the {self.name} said something unknown: {error}") from error
        if isinstance(reply, control.Failed):
            raise BenchError(f"a peer of the {self.name} could not connect: {reply.why}")
        if not isinstance(reply, kind):
            raise BenchError(f"the {self.name} answered {type(reply).__name__}")
        return reply

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"its last words: {lines[-1] if lines else 'none'}"
