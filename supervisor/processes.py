"""Child processes that end with their parent and come back when they die.

Children run in a session of their own, so that Ctrl-C reaches only the parent,
which then ends them in order; the kernel ends them if the parent is killed
(`PR_SET_PDEATHSIG`, Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

log = logging.getLogger("enkan.processes")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

STOP_GRACE_S = 5.0
"""How long a child may take to end after SIGTERM before SIGKILL."""


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
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
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )


async def stop(process: asyncio.subprocess.Process, grace_s: float = STOP_GRACE_S) -> None:
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
    start: Callable[[], Awaitable[asyncio.subprocess.Process]],
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
