"""Worker processes before they have work: started cold, or kept warm as a spare.

Interpreter and libraries take most of a second to load. One spare process of a hub has
them loaded, holds no port and no session, and takes a dead worker's place at once. The
next spare is started when the dust has settled and loads at the lowest priority, so
that it takes nothing from those who dial again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Final, NamedTuple

from supervisor import processes
from supervisor.media.worker_process import TAKE, WARM

log = logging.getLogger("enkan.media")

SETTLE_S: Final = 3.0
"""From the start of the workers, or the taking of a spare, to the start of the next."""

RETRY_S: Final = 30.0
"""A spare that died unused is replaced after this."""

_ROOT: Final = str(Path(__file__).resolve().parents[2])


class Prepared(NamedTuple):
    """A process without work, and the hub's end of its socket."""

    process: asyncio.subprocess.Process
    control: socket.socket

    def employ(self, udp: socket.socket) -> None:
        """Give it the UDP socket: it is a worker from now on.

        Raises:
            OSError: It is gone.
        """
        socket.send_fds(self.control, [TAKE], [udp.fileno()])


async def start(*, spare: bool) -> Prepared:
    """Start one process.

    Raises:
        OSError: The interpreter cannot be started.
    """
    ours, theirs = socket.socketpair()
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in (_ROOT, environment.get("PYTHONPATH", "")) if part
    )
    argv = [sys.executable, "-m", "supervisor.media.worker_process", "--fd", str(theirs.fileno())]
    with theirs:
        try:
            process = await processes.spawn(
                [*argv, "--spare"] if spare else argv,
                env=environment,
                pass_fds=(theirs.fileno(),),
                # It may outlive this process, whose reader waits for the end of its output.
                stdout=asyncio.subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
    ours.setblocking(False)
    return Prepared(process, ours)


class Supply:
    """Where workers come from.

    Attributes:
        warm: The spare's process id; None while there is none that could take over.
    """

    def __init__(self) -> None:
        self.warm: int | None = None
        self._spare: Prepared | None = None
        self._taken = asyncio.Event()

    async def run(self) -> None:
        """Keep one spare until cancelled."""
        while True:
            await asyncio.sleep(SETTLE_S)
            try:
                if await self._keep_one():
                    continue
                log.warning("the spare media worker ended; another in %.0f s", RETRY_S)
            except OSError as error:
                log.warning("no spare media worker: %s; trying in %.0f s", error, RETRY_S)
            await asyncio.sleep(RETRY_S)

    async def _keep_one(self) -> bool:
        """Have one spare until it is taken (True) or has ended by itself (False)."""
        spare = await start(spare=True)
        taken = self._taken = asyncio.Event()
        watch = [
            asyncio.create_task(taken.wait(), name="spare taken"),
            asyncio.create_task(spare.process.wait(), name="spare ended"),
        ]
        try:
            if await asyncio.get_running_loop().sock_recv(spare.control, 1) != WARM:
                return False
            self._spare, self.warm = spare, spare.process.pid
            log.info("a spare media worker is warm")
            await asyncio.wait(watch, return_when=asyncio.FIRST_COMPLETED)
            return taken.is_set()
        finally:
            for task in watch:
                task.cancel()
            if not taken.is_set():
                self._spare = self.warm = None
                await discard(spare)

    async def take(self) -> tuple[Prepared, bool]:
        """Return a process for a worker, and whether it is the warm one.

        Raises:
            OSError: The interpreter cannot be started.
        """
        spare = self._spare
        if spare is None:
            return await start(spare=False), False
        self._spare = self.warm = None
        self._taken.set()
        return spare, True


async def discard(prepared: Prepared) -> None:
    """End a process that has no work."""
    prepared.control.close()
    with contextlib.suppress(ProcessLookupError):
        prepared.process.kill()
    await prepared.process.wait()
