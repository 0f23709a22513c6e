"""Child processes that end with their parent and come back when they die.

A media worker frees itself of that rule (`supervisor.media.worker_process`): it ends when
the rights of its sessions do, unless the next hub takes it over as a `Stray`.

Children run in a session of their own, so that Ctrl-C reaches only the parent,
which then ends them in order; the kernel ends them if the parent is killed
(`PR_SET_PDEATHSIG`, Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

log = logging.getLogger("enkan.processes")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

STOP_GRACE_S = 5.0
"""How long a child may take to end after SIGTERM before SIGKILL."""


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child(Protocol):
    """What `stop` and `keep_running` need of a process."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""

    async def wait(self) -> int:
        """Return the code once it has ended."""


class Stray:
    """A process that somebody else started, by its pidfd (pidfd_open(2)).

    The descriptor means this one process for ever, whatever its number is used for
    later. Its exit code is its parent's to know: here it is -1.
    """

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._code: int | None = None

    @property
    def returncode(self) -> int | None:
        """None while it runs, as far as `wait` was called."""
        return self._code

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._code is None:
            signal.pidfd_send_signal(self._pidfd, number)

    async def wait(self) -> int:
        """Return once it has ended."""
        if self._code is None:
            loop = asyncio.get_running_loop()
            ended = asyncio.Event()
            watched = os.dup(self._pidfd)  # several may wait, each on its own descriptor
            loop.add_reader(watched, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(watched)
                os.close(watched)
            if self._code is None:
                self._code = -1
                os.close(self._pidfd)
        return self._code


async def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int | None = None,
    stderr: int | None = None,
) -> asyncio.subprocess.Process:
    """Start a child that ends when this process ends.

    Raises:
        OSError: The program is missing or cannot be started.
    """
    return await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        pass_fds=pass_fds,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )


async def stop(process: Child, grace_s: float = STOP_GRACE_S) -> None:
    """End a child: SIGTERM, wait `grace_s`, then SIGKILL; return once it is reaped."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            log.warning("process %s ignored SIGTERM, killing it", process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    await process.wait()


async def keep_running(
    name: str,
    start: Callable[[], Awaitable[Child]],
    *,
    on_exit: Callable[[int], None] | None = None,
    first_delay_s: float = 0.05,
    longest_delay_s: float = 5.0,
    healthy_after_s: float = 2.0,
) -> None:
    """Start a child and start it again whenever it ends, until cancelled.

    One that ran for `healthy_after_s` is started again at once, and so is the first
    that did not. If that one dies young too, the restarts wait: `first_delay_s`, doubled
    for each further one, up to `longest_delay_s`.

    Args:
        name: For log lines.
        start: Starts the child and returns it once it is useful or at least alive.
        on_exit: Called with the return code each time it ended unasked.
    """
    loop = asyncio.get_running_loop()
    died_young = 0
    while True:
        started_at = loop.time()
        process = await start()
        try:
            code = await process.wait()
        finally:
            await stop(process)
        if on_exit is not None:
            on_exit(code)
        lived = loop.time() - started_at
        died_young = 0 if lived >= healthy_after_s else min(died_young + 1, 32)
        delay = 0.0
        if died_young > 1:
            delay = min(first_delay_s * 2 ** (died_young - 2), longest_delay_s)
        log.warning(
            "%s ended with code %s after %.1f s; restart in %.2f s", name, code, lived, delay
        )
        await asyncio.sleep(delay)
