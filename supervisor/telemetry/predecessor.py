"""The broker of a hub that was killed: it may still be ending when the next hub starts.

nats-server takes seconds to end in order, and keeps its port and its store until then.
Nobody needs its last words: what it acknowledged is in its files. So the next hub ends it
at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Final

from supervisor import processes

log = logging.getLogger("enkan.telemetry.broker")

PID_FILE: Final = "nats-server.pid"


def write_pid(folder: Path, pid: int) -> None:
    """Note which process is the broker of this folder."""
    (folder / PID_FILE).write_text(f"{pid}\n", encoding="utf-8")


async def end_predecessor(folder: Path, config_file: Path) -> None:
    """End the broker that runs with this very configuration file, if there is one."""
    found = await asyncio.to_thread(_find, folder, config_file)
    if found is not None:
        log.warning("the broker of an earlier hub was still there: ended")
        found.kill()
        await found.wait()


def _find(folder: Path, config_file: Path) -> processes.Stray | None:
    if sys.platform != "linux":
        return None
    try:
        pid = int((folder / PID_FILE).read_text(encoding="utf-8")[:16])
        pidfd = os.pidfd_open(pid)
    except (OSError, ValueError):
        return None  # none was noted, or it has ended
    try:
        # Read after the descriptor was opened: it cannot be about a process that came later.
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        arguments = []
    if os.fsencode(config_file) not in arguments:
        os.close(pidfd)
        return None
    return processes.Stray(pid, pidfd)
