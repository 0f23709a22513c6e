"""Child processes of the bench: started in a session of their own, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from loadtests.errors import BenchError

ROOT: Final = Path(__file__).resolve().parent.parent
"""Where `python -m` finds this project."""

STOP_GRACE_S: Final = 10.0
POLL_S: Final = 0.05

T = TypeVar("T")

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def spawn(
    *command: str,
    stdin: int,
    stdout: int,
    stderr: int,
    environment: Mapping[str, str] | None = None,
    limit: int = 65_536,
) -> asyncio.subprocess.Process:
    """Start a child that ends when the bench does, even if the bench is killed.

    Args:
        command: Program and arguments; it runs in this project's folder.
        stdin, stdout, stderr: File descriptors or `asyncio.subprocess` constants.
        environment: Its whole environment; ours if None.
        limit: Longest line that can be read from it.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        limit=limit,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )


async def stop(process: asyncio.subprocess.Process, *, terminate: bool = False) -> None:
    """Wait for a child to end, or make it end; return once it is reaped."""
    if process.returncode is None:
        if terminate:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_GRACE_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    await process.wait()


async def until(condition: Callable[[], T | None], what: str, within_s: float) -> T:
    """Return the first result of `condition` that is not None.

    Raises:
        BenchError: Nothing within `within_s`; names `what`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while (result := condition()) is None:
        if loop.time() > deadline:
            raise BenchError(f"{what} was not there within {within_s:.0f} s")
        await asyncio.sleep(POLL_S)
    return result
