"""The state folder: who may read it, what room there is, how fast its disk confirms."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from supervisor import clock
from supervisor.console.credentials import Credentials, CredentialsError
from supervisor.doctor.finding import Finding, Subject
from supervisor.telemetry.broker import ROOM_BYTES

OTHERS: Final = 0o077
WRITES: Final = 50
WRITE_BYTES: Final = 4_096
FOR_WRITES_NS: Final = 4_000_000_000
"""No further write is begun after this."""

PROBE: Final = ".enkan-doctor"
"""Begin of the name of the file that is written; one that a killed doctor left is removed."""

MOST_FILES: Final = 50_000
"""Files with secrets whose modes are looked at; a month of journal has 4,300."""

SOME: Final = 5
"""Names that are told of many."""

MIB: Final = 1 << 20


def state_of(subject: Subject) -> Path:
    """Return the state folder."""
    assert subject.config is not None
    return subject.config.state_dir(Path(subject.config_file).absolute())


def check_state(subject: Subject) -> list[Finding]:
    """Look at the folder, the secrets in it, and whether every vehicle has its own."""
    assert subject.config is not None
    state = state_of(subject)
    if not state.is_dir():
        return [Finding("state.missing" if not state.exists() else "state.no_folder", str(state))]
    status = state.stat()
    findings = [
        judge_folder(
            str(state),
            status.st_mode,
            writable=os.access(state, os.R_OK | os.W_OK | os.X_OK),
            foreign=status.st_uid != os.geteuid(),
        ),
        *judge_modes(modes_below(state)),
    ]
    wanted = {str(entry.vehicle_id) for entry in subject.config.vehicle}
    path = state / subject.config.hub.credentials
    try:
        credentials = Credentials.load(path)
    except CredentialsError as error:
        return [*findings, Finding("state.credentials", str(path), fill={"reason": str(error)})]
    missing = wanted - {str(name) for name in credentials.vehicles()}
    return [*findings, judge_secrets(missing, len(wanted), len(credentials.accounts()))]


def judge_folder(path: str, mode: int, *, writable: bool, foreign: bool) -> Finding:
    """Say whether the state folder is the hub's own.

    Args:
        path: Of the folder.
        mode: Of the folder.
        writable: By this user.
        foreign: It belongs to another user.
    """
    fill = {"mode": f"{stat.S_IMODE(mode):04o}"}
    if not writable:
        return Finding("state.read_only", path, fill["mode"], "", fill)
    if mode & OTHERS:
        return Finding("state.open", path, fill["mode"], "", fill)
    return Finding("state.foreign" if foreign else "state.own", path, fill["mode"], "", fill)


def modes_below(state: Path) -> dict[str, int]:
    """Return the modes of the files with secrets below the state folder, by name.

    Links are left out; at most `MOST_FILES` are looked at.
    """
    found: dict[str, int] = {}
    for folder, _, names in os.walk(state):
        for name in names:
            path = Path(folder) / name
            relative = str(path.relative_to(state))
            if not holds_secret(relative):
                continue
            if len(found) >= MOST_FILES:
                return found
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    found[relative] = status.st_mode
    return found


def holds_secret(name: str) -> bool:
    """Tell whether a file of the state folder holds secrets or a record of people."""
    path = Path(name)
    return (
        path.name.endswith(("credentials.json", ".token", ".key"))
        or path.name.startswith("audit.sqlite")
        or path.parts[0] == "journal"
        or name in ("broker/nats-server.conf", "media/token")
    )


def judge_modes(modes: dict[str, int]) -> list[Finding]:
    """Say which files with secrets others may read, and whether all were looked at."""
    bad = sorted(name for name in modes if modes[name] & OTHERS)
    told = [f"{name} ({stat.S_IMODE(modes[name]):04o})" for name in bad[:SOME]]
    findings = []
    if bad:
        findings.append(Finding("state.readable", ", ".join(told), len(bad)))
    if len(modes) >= MOST_FILES:
        findings.append(Finding("state.many", value=len(modes)))
    return findings or [Finding("state.closed", value=len(modes))]


def judge_secrets(missing: set[str], wanted: int, accounts: int) -> Finding:
    """Say whether each vehicle has its secrets and somebody can sign in.

    Args:
        missing: Vehicles without.
        wanted: Vehicles that are configured.
        accounts: Of people.
    """
    if missing:
        return Finding("state.no_secret", ", ".join(sorted(missing)[:SOME]), len(missing))
    if not accounts:
        return Finding("state.no_account", value=0)
    return Finding("state.secrets", value=wanted)


# ------------------------------------------------------------------------ room


def check_disk(subject: Subject) -> list[Finding]:
    """Compare free room with what the hub warns at and with what it may still write."""
    assert subject.config is not None
    config, state = subject.config, state_of(subject)
    low = config.core.storage_low_mib
    places = {
        str(state): config.telemetry.store_mib if config.telemetry.broker == "embedded" else 0
    }
    if config.journal.enabled:
        folder = state / config.journal.folder
        grows = max(0, config.journal.keep_mib - (written(folder) >> 20))
        if _device(folder) == _device(state):
            places[str(state)] += grows
        else:
            places[str(folder)] = grows
    return [
        judge_room(place, shutil.disk_usage(_existing(Path(place))).free, low, grows)
        for place, grows in places.items()
    ]


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there: the same disk."""
    while not path.exists():
        path = path.parent
    return path


def _device(path: Path) -> int:
    return _existing(path).stat().st_dev


def written(folder: Path) -> int:
    """Return how many bytes are in the files of a folder."""
    total = 0
    if folder.is_dir():
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
    return total


def judge_room(place: str, free: int, low_mib: int, grows_mib: int) -> Finding:
    """Say whether there is room.

    Args:
        place: Folder.
        free: Bytes.
        low_mib: Below this the hub raises an alarm.
        grows_mib: What journal and broker's store may still be given.
    """
    fill = {"low": str(low_mib), "grows": str(grows_mib)}
    free_mib = free // MIB
    if free < ROOM_BYTES:
        code = "disk.full"
    elif free_mib < low_mib:
        code = "disk.low"
    elif free_mib < grows_mib + low_mib:
        code = "disk.will_fill"
    else:
        code = "disk.room"
    return Finding(code, place, free_mib, "MiB", fill)


# ----------------------------------------------------------------------- fsync


def check_fsync(subject: Subject) -> list[Finding]:
    """Write `WRITES` blocks to the state folder's disk, each confirmed, and take the time."""
    assert subject.config is not None
    state = state_of(subject)
    if not state.is_dir():
        return [Finding("fsync.no_folder", str(state))]
    for left in state.glob(f"{PROBE}.*"):
        pid = left.suffix[1:]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            left.unlink(missing_ok=True)
    return judge_fsync(confirmed_writes(state), subject.config.core.decision_limit_s * 1_000)


def confirmed_writes(state: Path) -> list[float]:
    """Return how long each write took until the disk had confirmed it, milliseconds."""
    took = []
    with _probe(state) as descriptor:
        start_ns = clock.monotonic_ns()
        for _ in range(WRITES):
            before_ns = clock.monotonic_ns()
            if before_ns - start_ns > FOR_WRITES_NS:
                break
            os.write(descriptor, bytes(WRITE_BYTES))
            os.fsync(descriptor)
            took.append((clock.monotonic_ns() - before_ns) / 1e6)
    return took


@contextlib.contextmanager
def _probe(state: Path) -> Iterator[int]:
    # A named file: some file systems confirm one without a name without writing it.
    path = state / f"{PROBE}.{os.getpid()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def judge_fsync(took_ms: list[float], limit_ms: float) -> list[Finding]:
    """Compare the times with how long a decision waits for its record (`core.decision_limit_s`)."""
    middle, worst = statistics.median(took_ms), max(took_ms)
    fill = {"limit": f"{limit_ms:g}", "count": str(len(took_ms))}
    return [
        Finding(
            "fsync.too_slow" if middle > limit_ms else "fsync.quick",
            "p50",
            round(middle, 2),
            "ms",
            fill,
        ),
        Finding(
            "fsync.stalls" if worst > limit_ms else "fsync.steady",
            "max",
            round(worst, 2),
            "ms",
            fill,
        ),
    ]
