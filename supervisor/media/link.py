"""One media worker process, seen from the hub: started, listened to, restarted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from supervisor import processes
from supervisor.counters import Counters
from supervisor.media import ipc, spare
from supervisor.media.adoption import Adopted

log = logging.getLogger("enkan.media")

CHECK_S: Final = 0.1
SILENT_CHECKS: Final = 10
"""A worker speaks every tenth of a second; one not heard in so many checks is frozen and
killed. Counting checks, not seconds, so that a stall of the hub itself kills nobody."""

WARM_START_CHECKS: Final = 20
COLD_START_CHECKS: Final = 600
"""The same for a worker that has yet to say that it is ready."""

HUNG_UP_S: Final = 1.0
"""From the end of its words to the end of the process."""

YOUNG_NS: Final = 2_000_000_000
YOUNG_LOAD: Final = 0.05
"""A session younger than `YOUNG_NS` is not in the measured load yet: it counts as so
much of a core."""

MAX_YOUNG: Final = 64

MAX_UNSENT: Final = 1 << 20
"""Bytes waiting for a busy worker; beyond it new sessions are refused."""


class WorkerLink:
    """The hub's end of one worker.

    Args:
        door: Where it listens for the next hub and what that has to say; ("", ""): nowhere.
        adopted: A worker of an earlier hub to begin with.

    Attributes:
        ready: What the worker said of itself; None while it is not there.
        able: Set while it can take sessions.
        stats: Its newest totals; None before the first.
        sessions: How many sessions the plane has placed on it.
        ended: ICE credentials of the sessions that died with the last worker.
        adopted: The present worker was an earlier hub's, and has said no totals yet.
    """

    def __init__(
        self,
        index: int,
        udp: socket.socket,
        door: tuple[str, str],
        adopted: Adopted | None,
        supply: spare.Supply,
        counters: Counters,
        on_message: Callable[[WorkerLink, ipc.WorkerMessage], None],
        on_gone: Callable[[WorkerLink], None],
    ) -> None:
        self.index = index
        self.port: int = udp.getsockname()[1]
        self.ready: ipc.Ready | None = None
        self.able = asyncio.Event()
        self.stats: ipc.Stats | None = None
        self.pid: int | None = None
        self.sessions = 0
        self.ended: dict[str, str] = {}
        self.adopted = adopted is not None
        self._stray = adopted
        self._door = door
        self._udp = udp
        self._supply = supply
        self._counters = counters
        self._on_message = on_message
        self._on_gone = on_gone
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._unheard = 0
        self._process: processes.Child | None = None
        self._share = 0.0
        self._opened_ns: deque[int] = deque(maxlen=MAX_YOUNG)

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

    def opened(self, now_ns: int) -> None:
        """A session was placed here."""
        self.sessions += 1
        self._opened_ns.append(now_ns)

    def load(self, now_ns: int) -> float:
        """Return how much of a core this worker uses, sessions too young to show included."""
        young = sum(1 for at_ns in self._opened_ns if now_ns - at_ns < YOUNG_NS)
        return round(self._share, 1) + YOUNG_LOAD * young

    def _measure(self, stats: ipc.Stats) -> None:
        """Take the newest totals, which come once a second."""
        before = self.stats.cpu_s if self.stats is not None else 0.0
        self._share = max(0.0, stats.cpu_s - before)
        self.stats = stats

    async def _start(self) -> processes.Child:
        stray, self._stray = self._stray, None
        if stray is not None:
            return await self._converse(stray.process, stray.control, WARM_START_CHECKS)
        self.adopted = False
        worker, warm = await self._supply.take()
        try:
            worker.employ(self._udp)
        except OSError as error:
            log.warning("media worker %d: the spare was gone: %s", self.index, error)
            await spare.discard(worker)
            worker, warm = await spare.start(spare=False), False
            worker.employ(self._udp)
        patience = WARM_START_CHECKS if warm else COLD_START_CHECKS
        process = await self._converse(worker.process, worker.control, patience)
        if self._writer is not None:
            self._writer.write(ipc.frame(ipc.Begin(self.index, self.ended, *self._door)))
        return process

    async def _converse(
        self, process: processes.Child, control: socket.socket, patience: int
    ) -> processes.Child:
        """Listen to a worker from now on, and watch over it."""
        self._process = process
        self.pid = process.pid
        reader, self._writer = await asyncio.open_unix_connection(sock=control)
        if self._tasks is not None:
            name = f"media worker {self.index}"
            watching = self._tasks.create_task(
                self._watch(process, patience), name=f"{name} watchdog"
            )
            self._tasks.create_task(
                self._listen(reader, process, watching), name=f"{name} messages"
            )
        return process

    async def _watch(self, process: processes.Child, patience: int) -> None:
        self._unheard = 0
        while self._unheard < (patience if self.ready is None else SILENT_CHECKS):
            await asyncio.sleep(CHECK_S)
            self._unheard += 1
        self._kill(process, "silent")

    def _kill(self, process: processes.Child, why: object) -> None:
        log.error("media worker %d is killed: %s", self.index, why)
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    async def _listen(
        self,
        reader: asyncio.StreamReader,
        process: processes.Child,
        watching: asyncio.Task[None],
    ) -> None:
        try:
            while (message := await ipc.read_worker_message(reader)) is not None:
                if self._process is not process:
                    return  # last words of a worker that was replaced meanwhile
                self._unheard = 0
                if isinstance(message, ipc.Ready):
                    self.ready = message
                    self.able.set()
                elif isinstance(message, ipc.Stats):
                    self._measure(message)
                self._on_message(self, message)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), HUNG_UP_S)
                return
            self._kill(process, "it hung up")
        except ipc.IpcError as error:
            self._kill(process, error)
        finally:
            watching.cancel()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.able.clear()
        self.ready = self.stats = None
        self.pid = self._process = None
        self._share = 0.0

    def _on_exit(self, code: int) -> None:
        self._counters.add("media_worker_restarts")
        self._hang_up()
        self._on_gone(self)
