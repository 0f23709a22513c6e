"""Who holds a port or runs the hub, read from `/proc` (proc(5)) as far as this user may."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

PROC: Final = Path("/proc")
_TCP_LISTEN: Final = "0A"


class Process(msgspec.Struct, frozen=True):
    """A process and what it has open.

    Attributes:
        sockets: Inodes of its sockets.
        files: Its open files, `(device, inode)`.
    """

    pid: int
    parent: int
    name: str
    sockets: frozenset[int]
    files: frozenset[tuple[int, int]]


def processes(proc: Path = PROC) -> dict[int, Process]:
    """Return those processes whose open files this user may see, by number."""
    found = {}
    for folder in proc.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            found[int(folder.name)] = _read(folder)
        except (OSError, ValueError):
            continue  # it has ended, or is another user's: then it cannot be told who it is
    return found


def _read(folder: Path) -> Process:
    name, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
    sockets, files = set(), set()
    for entry in (folder / "fd").iterdir():
        try:
            target = str(entry.readlink())
            if target.startswith("socket:["):
                sockets.add(int(target[8:-1]))
            elif target.startswith("/"):
                status = entry.stat()
                files.add((status.st_dev, status.st_ino))
        except OSError:
            continue  # closed meanwhile
    return Process(
        int(folder.name),
        int(rest.split()[1]),
        name.partition("(")[2],
        frozenset(sockets),
        frozenset(files),
    )


def having_open(file: Path, known: dict[int, Process]) -> set[int]:
    """Return the processes that have `file` open."""
    try:
        status = file.stat()
    except OSError:
        return set()
    key = (status.st_dev, status.st_ino)
    return {pid for pid, process in known.items() if key in process.files}


def with_children(roots: set[int], known: dict[int, Process]) -> set[int]:
    """Return `roots` and all their descendants."""
    family = set(roots)
    while True:
        more = {pid for pid, one in known.items() if one.parent in family} - family
        if not more:
            return family
        family |= more


def socket_inodes(protocol: str, port: int, proc: Path = PROC) -> set[int]:
    """Return the sockets that are bound to a local port.

    Args:
        protocol: "tcp" (those that listen) or "udp".
        port: The port.
        proc: Where `/proc` is.
    """
    inodes = set()
    for table in (protocol, f"{protocol}6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) < 10 or int(fields[1].rpartition(":")[2], 16) != port:
                continue
            if protocol == "udp" or fields[3] == _TCP_LISTEN:
                inodes.add(int(fields[9]))
    return inodes - {0}
