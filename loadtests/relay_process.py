"""aiortc's relay as a forwarder under test (see `aiortc_relay`)."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import httpx

from loadtests.children import spawn, stop
from loadtests.errors import BenchError

READY_WITHIN_S: Final = 60.0


class RelayProcess:
    """A relay in a child process; see `under_test.ForwarderUnderTest`.

    Args:
        folder: For its log.
        mbps: Rate its encoder may use.
    """

    def __init__(self, folder: Path, mbps: float) -> None:
        self.name = f"aiortc {version('aiortc')} relay"
        self._folder = folder
        self._mbps = mbps
        self._process: asyncio.subprocess.Process | None = None
        self._client: httpx.AsyncClient | None = None

    async def start(self, streams: int) -> None:
        """Start the child."""
        with (self._folder / "relay.log").open("wb") as log:
            self._process = await spawn(
                *(sys.executable, "-m", "loadtests.aiortc_relay", str(self._mbps)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log.fileno(),
            )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_WITHIN_S)
        except TimeoutError as error:
            raise BenchError("aiortc's relay did not start") from error
        if not line:
            raise BenchError(f"aiortc's relay did not start; see {self._folder / 'relay.log'}")
        self._client = httpx.AsyncClient(base_url=line.decode().strip(), timeout=30.0)

    async def publish(self, stream: int, offer: str) -> str:
        """Hand a publisher's offer over."""
        return await self._post(f"/whip/{stream}", offer)

    async def watch(self, stream: int, offer: str) -> str:
        """Hand a watcher's offer over."""
        return await self._post(f"/whep/{stream}", offer)

    def pids(self) -> list[int]:
        """Return the child."""
        assert self._process is not None
        return [self._process.pid]

    async def stop(self) -> None:
        """End the child."""
        if self._client is not None:
            await self._client.aclose()
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await stop(self._process)

    async def _post(self, path: str, offer: str) -> str:
        assert self._client is not None
        try:
            reply = await self._client.post(path, content=offer)
        except httpx.HTTPError as error:
            raise BenchError(f"aiortc's relay does not answer ({error})") from error
        if reply.status_code != 201:
            raise BenchError(f"aiortc's relay answered {reply.status_code}: {reply.text[:200]}")
        return reply.text
