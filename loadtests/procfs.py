"""Processor time and memory of processes, and the machine, from /proc (proc(5))."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

import msgspec

from loadtests.errors import BenchError

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Machine(msgspec.Struct, frozen=True):
    """Where figures were made."""

    processor: str
    cores: int
    kernel: str
    python: str


def machine() -> Machine:
    """Describe this machine."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            model = value.strip()
            break
    return Machine(
        processor=model,
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        python=platform.python_version(),
    )


def load_average() -> float:
    """Return how many tasks ran on average during the last minute."""
    return os.getloadavg()[0]


def cpu_s(pid: int) -> float:
    """Return the processor time a process has used, user and system, all threads.

    The kernel counts in ticks of 10 ms: measure for seconds.

    Raises:
        BenchError: The process has ended.
    """
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def waited_s(pid: int) -> float | None:
    """Return how long the main thread was ready to run and other work had the processors.

    None where the kernel does not count it.
    """
    try:
        fields = Path(f"/proc/{pid}/schedstat").read_text(encoding="utf-8").split()
    except OSError:
        return None
    return int(fields[1]) / 1e9


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process.

    Raises:
        BenchError: The process has ended.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError as error:
        raise BenchError(f"process {pid} has ended while it was measured") from error
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"process {pid} has ended while it was measured")


def command_line(pid: int) -> str:
    """Return the command line of a process, empty if it has ended."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def name(pid: int) -> str:
    """Return the name of a process as ps and top show it, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`, sorted."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
            except BenchError:  # ended between listing and reading
                continue
    found: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return sorted(found)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the command name, beginning with state."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BenchError(f"process {pid} has ended while it was measured") from error
    return text.rpartition(")")[2].split()
