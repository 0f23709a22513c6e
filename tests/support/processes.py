"""Real Enkan processes under test, and what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from support.waiting import until

ROOT = Path(__file__).resolve().parent.parent.parent


def descendants(pid: int) -> dict[int, str]:
    """Return pid → command line of every process below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found: dict[int, str] = {}
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - set(found)
        for child in frontier:
            with contextlib.suppress(OSError):
                raw = Path(f"/proc/{child}/cmdline").read_bytes()
                found[child] = raw.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Running:
    """One `python -m supervisor …` process and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process, state_dir: Path) -> None:
        self.process = process
        self.state_dir = state_dir
        self.lines: list[str] = []

    @property
    def endpoints(self) -> dict[str, Any]:
        """Where the hub listens."""
        result: dict[str, Any] = json.loads((self.state_dir / "hub.json").read_text())
        return result

    @property
    def console(self) -> str:
        """The console's URL."""
        return str(self.endpoints["console"])

    def find(self, words: str) -> list[int]:
        """Return the pids below this process whose command line has `words`."""
        return [pid for pid, line in descendants(self.process.pid).items() if words in line]

    def named(self, name: str) -> list[int]:
        """Return the pids below this process whose name, as ps shows it, is `name`."""
        found = []
        for pid in descendants(self.process.pid):
            with contextlib.suppress(OSError):
                if (Path("/proc") / str(pid) / "comm").read_text().strip() == name:
                    found.append(pid)
        return found

    async def read(self) -> None:
        """Collect standard output until it ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.lines.append(line.decode().rstrip())

    async def wait_for_line(self, words: str, within_s: float = 60.0) -> str:
        """Return the first line with `words`."""

        def found() -> str:
            if self.process.returncode is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.lines}")
            return next((line for line in self.lines if words in line), "")

        return await until(found, f"a line with {words!r} in {self.lines}", within_s=within_s)


@contextlib.asynccontextmanager
async def enkan(*arguments: str, state_dir: Path) -> AsyncIterator[Running]:
    """Run the command line; end it with Ctrl-C and check that nothing is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "supervisor",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    running = Running(process, state_dir)
    reader = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        left = descendants(process.pid)
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        finally:
            await reader
            survivors = {pid: line for pid, line in left.items() if alive(pid)}
            for pid in survivors:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert not survivors, f"processes left behind: {survivors}"


@contextlib.asynccontextmanager
async def demo(state_dir: Path, *arguments: str) -> AsyncIterator[Running]:
    """Run `enkan demo` on free ports until its parts are ready."""
    async with enkan(
        "demo", "--state", str(state_dir), "--port", "0", *arguments, state_dir=state_dir
    ) as running:
        await running.wait_for_line("ready")
        yield running
