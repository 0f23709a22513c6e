"""Where the hub hands wishes in: one line each way on loopback, with a token.

Whoever cannot read the state folder (0700) cannot break anything; the token is made anew
for each demo.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from protocols.codec import ProtocolError, decode, encode
from supervisor import clock
from supervisor.console.rehearsal import CHANNEL_FILE, MAX_ORDER, ChannelFile, Order, Standing

log = logging.getLogger("enkan.rehearsal")

ORDER_WITHIN_S: Final = 2.0
MAX_OPEN: Final = 16
"""Wishes at a time; further ones are closed at once."""


class ChannelServer:
    """Listens from `open` to `close`.

    Attributes:
        carry_out: Does what is wished, and returns how things stand; None: nothing can be
            done (yet, or any more).
        refused: Lines that were not obeyed, by cause.
    """

    def __init__(self) -> None:
        self.carry_out: Callable[[Order], Awaitable[Standing]] | None = None
        self.refused: dict[str, int] = {}
        self._token = secrets.token_urlsafe(32)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self, state_dir: Path) -> None:
        """Listen, and leave address and token in the state folder, for the hub alone.

        Raises:
            OSError: There is no port, or the folder cannot be written.
        """
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_ORDER)
        port = self._server.sockets[0].getsockname()[1]
        path = state_dir / CHANNEL_FILE
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode(ChannelFile(port, self._token)))

    async def close(self) -> None:
        """End all that is under way."""
        if self._server is not None:
            self._server.close()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._serving) >= MAX_OPEN:
            self._count("full")
            writer.transport.abort()
            return
        self._serving.add(task)
        try:
            answer = await self._answer(reader)
            if answer is not None:
                writer.write(encode(answer) + b"\n")
                await writer.drain()
                writer.close()
        except ConnectionError:  # who asked is gone
            self._count("gone")
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> Standing | None:
        """Return the answer to one line; None: it deserves none."""
        try:
            async with asyncio.timeout(ORDER_WITHIN_S):
                line = await reader.readuntil(b"\n")
            order: Order = decode(line, Order, limit=MAX_ORDER)
        except TimeoutError:
            self._count("slow")
            return None
        except asyncio.LimitOverrunError:
            self._count("oversize")
            return None
        except asyncio.IncompleteReadError:
            self._count("cut_short")
            return None
        except ProtocolError as error:
            self._count(error.reason)
            return Standing(clock.monotonic_ns(), error.reason, error.detail)
        if not hmac.compare_digest(order.token.encode(), self._token.encode()):
            self._count("token")
            return None
        if self.carry_out is None:
            return Standing(clock.monotonic_ns(), "not_ready", "the demo is starting or ending")
        return await self.carry_out(order)

    def _count(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1
        log.warning("rehearsal: a wish was refused: %s", why)
