"""One media worker process, seen from the hub: started, listened to, restarted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from supervisor import processes
from supervisor.counters import Counters
from supervisor.media import ipc

log = logging.getLogger("enkan.media")

CHECK_S: Final = 1.0
SILENT_CHECKS: Final = 4
"""A ready worker speaks every second; one not heard in so many checks is frozen and
killed. Counting checks, not seconds, so that a stall of the hub itself kills nobody."""

START_CHECKS: Final = 60
"""The same for a worker that has yet to say that it is ready."""

MAX_UNSENT: Final = 1 << 20
"""Bytes waiting for a busy worker; beyond it new sessions are refused."""

_ROOT: Final = str(Path(__file__).resolve().parents[2])


class WorkerLink:
    """The hub's end of one worker.

    Attributes:
        ready: What the worker said of itself; None while it is not there.
        stats: Its newest totals; None before the first.
        sessions: How many sessions the plane has placed on it.
    """

    def __init__(
        self,
        index: int,
        udp: socket.socket,
        counters: Counters,
        on_message: Callable[[WorkerLink, ipc.WorkerMessage], None],
        on_gone: Callable[[WorkerLink], None],
    ) -> None:
        self.index = index
        self.port: int = udp.getsockname()[1]
        self.ready: ipc.Ready | None = None
        self.stats: ipc.Stats | None = None
        self.pid: int | None = None
        self.sessions = 0
        self._udp = udp
        self._counters = counters
        self._on_message = on_message
        self._on_gone = on_gone
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._unheard = 0

    async def run(self) -> None:
        """Keep the worker running until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                await processes.keep_running(
                    f"media worker {self.index}", self._start, on_exit=self._on_exit
                )
            finally:
                self._hang_up()

    def send(self, message: ipc.HubMessage, *, always: bool = False) -> bool:
        """Tell the worker; False if it is not there or does not listen.

        Args:
            always: It must not be lost because the worker is busy: it waits behind
                what was said before (a worker that stays busy is killed as frozen).
        """
        writer = self._writer
        if writer is None or self.ready is None:
            return False
        if writer.transport.get_write_buffer_size() > MAX_UNSENT and not always:
            self._counters.add("media_dropped", "worker_busy")
            return False
        writer.write(ipc.frame(message))
        return True

    async def _start(self) -> asyncio.subprocess.Process:
        ours, theirs = socket.socketpair()
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (_ROOT, environment.get("PYTHONPATH", "")) if part
        )
        with theirs:
            process = await processes.spawn(
                [
                    sys.executable,
                    "-m",
                    "supervisor.media.worker",
                    "--fd",
                    str(theirs.fileno()),
                    "--udp-fd",
                    str(self._udp.fileno()),
                ],
                env=environment,
                pass_fds=(theirs.fileno(), self._udp.fileno()),
            )
        self.pid = process.pid
        ours.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        if self._tasks is not None:
            name = f"media worker {self.index}"
            watching = self._tasks.create_task(self._watch(process), name=f"{name} watchdog")
            self._tasks.create_task(
                self._listen(reader, process, watching), name=f"{name} messages"
            )
        return process

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        self._unheard = 0
        while self._unheard < (START_CHECKS if self.ready is None else SILENT_CHECKS):
            await asyncio.sleep(CHECK_S)
            self._unheard += 1
        self._kill(process, "silent")

    def _kill(self, process: asyncio.subprocess.Process, why: object) -> None:
        log.error("media worker %d is killed: %s", self.index, why)
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    async def _listen(
        self,
        reader: asyncio.StreamReader,
        process: asyncio.subprocess.Process,
        watching: asyncio.Task[None],
    ) -> None:
        try:
            while (message := await ipc.read_worker_message(reader)) is not None:
                self._unheard = 0
                if isinstance(message, ipc.Ready):
                    self.ready = message
                elif isinstance(message, ipc.Stats):
                    self.stats = message
                self._on_message(self, message)
        except ipc.IpcError as error:
            self._kill(process, error)
        finally:
            watching.cancel()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.ready = None
        self.pid = None

    def _on_exit(self, code: int) -> None:
        self._counters.add("media_worker_restarts")
        self._hang_up()
        self.sessions = 0
        self._on_gone(self)
