"""Child processes of the bench: started in a session of their own, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from loadtests.errors import BenchError

ROOT: Final = Path(__file__).resolve().parent.parent
"""Where `python -m` finds this project."""

STOP_GRACE_S: Final = 10.0
POLL_S: Final = 0.05

T = TypeVar("T")


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
