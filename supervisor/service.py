"""The hub as a service: told to its manager, drained by the first signal, ended by the second.

The manager is spoken to as sd_notify(3) describes it: datagrams of `NAME=value` lines to
the socket named by `NOTIFY_SOCKET`. Without that variable nothing is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

log = logging.getLogger("enkan.service")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Service(Protocol):
    """What is run here; `supervisor.app.Hub`."""

    async def run(self) -> None:
        """Serve until cancelled."""

    async def started(self) -> str:
        """Return once everything is served, with a line that says where."""

    async def drain(self, why: str) -> None:
        """End in order what can be ended while others still answer; within seconds."""

    def overdue(self) -> str:
        """Name what has not been done for too long; empty: alive."""


class Notifier:
    """Speaks to the service manager.

    Args:
        path: `NOTIFY_SOCKET`: absolute, or `@` and a name; empty: nobody listens.
        watchdog_s: How often the manager wants to hear that we live; None: it does not ask.
    """

    def __init__(self, path: str = "", watchdog_s: float | None = None) -> None:
        self._path = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog_s = watchdog_s
        self._heard = True

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Notifier:
        """Read sd_notify's and sd_watchdog_enabled's variables.

        A value that is no number counts as not asked: sd_watchdog_enabled(3) fails then.
        """
        path = environment.get("NOTIFY_SOCKET", "")
        if not path.startswith(("/", "@")):
            return cls()
        period = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(pid))
        asked = period.isascii() and period.isdigit() and int(period) > 0 and meant == str(pid)
        return cls(path, int(period) / 1e6 if asked else None)

    @classmethod
    def of_this_process(cls) -> Notifier:
        """Read them of this process, and keep them from its children."""
        found = cls.of(os.environ, os.getpid())
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            os.environ.pop(name, None)
        return found

    def tell(self, *lines: str) -> None:
        """Send lines in one datagram; a manager that is gone is logged, not fatal."""
        if not self._path:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.setblocking(False)
            try:
                to.sendto("\n".join(lines).encode(), self._path)
            except OSError as error:
                if self._heard:
                    log.warning("the service manager was not told %s: %s", lines[0], error)
                self._heard = False
            else:
                self._heard = True


async def run(service: Service, notifier: Notifier) -> None:
    """Run until it ends by itself or by a signal.

    The first signal drains, then ends; the second ends at once.

    Raises:
        BaseExceptionGroup: What ended it by itself.
    """
    asked: asyncio.Queue[signal.Signals] = asyncio.Queue()
    running = asyncio.create_task(service.run(), name="hub")
    others = [
        asyncio.create_task(_end(service, notifier, running, asked), name="service end"),
        asyncio.create_task(_tell(service, notifier), name="service notifications"),
    ]
    try:
        with _signals(asked.put_nowait):
            await _until_over(running, others)
    finally:
        for task in (running, *others):
            task.cancel()
        await asyncio.wait([running, *others])
    for task in (running, *others):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _until_over(running: asyncio.Task[None], others: list[asyncio.Task[None]]) -> None:
    """Wait until the service is over, or one of ours failed: nobody would hear a signal then."""
    waiting = {running, *others}
    while not running.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if any(not task.cancelled() and task.exception() for task in done):
            return


async def _end(
    service: Service,
    notifier: Notifier,
    running: asyncio.Task[None],
    asked: asyncio.Queue[signal.Signals],
) -> None:
    first = await asked.get()
    log.info("asked to end by %s: draining", first.name)
    notifier.tell("STOPPING=1", "STATUS=draining")
    second = asyncio.create_task(asked.get(), name="second signal")
    drained = asyncio.create_task(service.drain(first.name.lower()), name="drain")
    try:
        await asyncio.wait([second, drained], return_when=asyncio.FIRST_COMPLETED)
        if not drained.done():
            log.warning("asked again: ending at once")
            notifier.tell("STATUS=ending at once")
    finally:
        for task in (second, drained):
            task.cancel()
        await asyncio.wait([second, drained])
        running.cancel()
    if not drained.cancelled():
        drained.result()


async def _tell(service: Service, notifier: Notifier) -> None:
    """Say `READY=1` when it is so, and that we live while it is so."""
    where = await service.started()
    notifier.tell("READY=1", f"STATUS={where}")
    silent = False
    # sd_watchdog_enabled(3) advises half the period; without one there is nothing to do.
    while notifier.watchdog_s is not None:
        overdue = service.overdue()
        if not overdue:
            notifier.tell("WATCHDOG=1")
        elif not silent:
            log.error("no sign of life for the service manager: %s", overdue)
        silent = bool(overdue)
        await asyncio.sleep(notifier.watchdog_s / 2)


@contextlib.contextmanager
def _signals(take: Callable[[signal.Signals], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, take, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
