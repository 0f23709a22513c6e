"""The demo as a child: `enkan demo` in a folder of its own, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from loadtests.children import spawn, stop
from loadtests.errors import BenchError

ACCOUNT: Final = "demo"
PASSWORD: Final = "enkan-demo"
WITHIN_S: Final = 60.0
POLL_S: Final = 0.01

T = TypeVar("T")


class Demo(NamedTuple):
    """A running demo: the address of its console, and the process at its root."""

    console: str
    pid: int


@contextlib.asynccontextmanager
async def running_demo(folder: Path) -> AsyncIterator[Demo]:
    """Start the demo with its state in `folder`; end it behind the block.

    Raises:
        BenchError: Its console did not come up within a minute.
    """
    process = await spawn(
        *(sys.executable, "-m", "supervisor", "demo", "--state", str(folder), "--port", "0"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Demo(await when(lambda: _console_of(folder), "the console's address"), process.pid)
    finally:
        await stop(process, terminate=True)


def _console_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / "hub.json").read_text(encoding="utf-8"))["console"])
    except FileNotFoundError:
        return ""


async def when(condition: Callable[[], T], what: str) -> T:
    """Return what a condition gives once it is true.

    Raises:
        BenchError: Not within a minute; names `what`.
    """
    deadline = time.monotonic() + WITHIN_S
    while not (result := condition()):
        in_time(deadline, what)
        await asyncio.sleep(POLL_S)
    return result


def in_time(deadline: float, what: str) -> None:
    """Raise BenchError if the deadline (monotonic, s) has passed."""
    if time.monotonic() > deadline:
        raise BenchError(f"not within {WITHIN_S:.0f} s: {what}")
