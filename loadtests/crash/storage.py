"""P-03: a disk that is full, fails or stalls under a running hub. Stop has to pass, all
other control has to be refused in time and with an alarm, and nothing may block the loop.

    full     a tmpfs of its own, filled to the last byte (ENOSPC)
    failing  the kernel refuses every write that makes a file of the hub longer (EFBIG,
             by RLIMIT_FSIZE): SQLite reports an I/O error
    stalled  somebody else holds the store's write lock for two seconds
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import resource
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from loadtests.children import until
from loadtests.console import Console, followed
from loadtests.crash import account
from loadtests.crash.fleet import Ledger, keep_driving
from loadtests.crash.results import Figure
from loadtests.errors import BenchError
from loadtests.hub_process import ACCOUNT, SITE, HubProcess, vehicle_name
from protocols.authority import ControlState
from protocols.operator import AlarmState, AskResume, AskStop
from protocols.topics import VehicleId

DISK_MB: Final = 64
STORE: Final = "audit.sqlite"
STALL_S: Final = 2.0
TRIES: Final = 10
REFUSED_S: Final = 0.1
BLOCKED_S: Final = 0.1
STOPPED_S: Final = 0.1
WITHIN_S: Final = 20.0
RETRY_S: Final = 0.2

_CLONE_NEWNS: Final = 0x00020000


@contextlib.contextmanager
def own_disk(folder: Path) -> Iterator[None]:
    """Give this process and its children a small disk at `folder`; nobody else sees it.

    Raises:
        BenchError: Not root on Linux.
    """
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is None or libc.unshare(_CLONE_NEWNS) != 0:
        raise BenchError("a disk of its own needs root on Linux; run this part as root")
    for command in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "enkan-bench", str(folder)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"`{command[0]}` failed: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def measure(folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Starve a hub whose state is in `folder`, a disk of its own (`own_disk`).

    Raises:
        BenchError: Something could not start, or did not come back.
    """
    hub = HubProcess(folder)
    ledger = Ledger()
    figures: list[Figure] = []
    try:
        endpoints = await hub.launch(1)
        broker = urlsplit(endpoints["mqtt"])
        console = Console(endpoints["console"], ACCOUNT, hub.password)
        async with followed(console), asyncio.TaskGroup() as group:
            vehicle = VehicleId(SITE, vehicle_name(0))
            driving = group.create_task(
                keep_driving(
                    vehicle, 0.0, broker.hostname or "", broker.port or 0, hub.token(0), ledger
                ),
                name="vehicle",
            )
            pinging = group.create_task(console.keep_pinging(), name="pings")
            seat = group.create_task(console.keep_reporting(), name="seat")
            await until(lambda: ledger.acknowledged or None, "an acknowledged event", WITHIN_S)
            await _stops(console, vehicle)  # the way is warm
            await _recovered(console, vehicle)
            for name, fault in (
                ("full", functools.partial(_full, folder)),
                ("failing", functools.partial(_failing, hub.root_pid())),
                ("stalled", functools.partial(_stalled, folder / STORE)),
            ):
                tell(f"disk {name}")
                figures += await _under(name, fault, console, vehicle, ledger)
            driving.cancel()
            pinging.cancel()
            seat.cancel()
    finally:
        await hub.stop()
    chain = await account.verify(folder / STORE)
    lost = ledger.acknowledged - await asyncio.to_thread(account.recorded_events, folder / STORE)
    figures.append(
        Figure("P-03", "acknowledged events that are not on record", [float(len(lost))], "", 0)
    )
    figures.append(Figure("P-03", "times the chain was broken", [float(not chain.ok)], "", 0))
    return figures


async def _under(
    name: str,
    fault: Callable[[], contextlib.AbstractAsyncContextManager[None]],
    console: Console,
    vehicle: VehicleId,
    ledger: Ledger,
) -> list[Figure]:
    console.round_trips.clear()
    alarm = "audit.failed@hub"
    async with fault():
        refused = await _controls(console, vehicle)
        stopped = await _stops(console, vehicle)
        alarmed = alarm in console.alarms and console.alarms[alarm].state is not AlarmState.NORMAL
    blocked = list(console.round_trips)
    before = len(ledger.acknowledged)
    await until(
        lambda: True if len(ledger.acknowledged) > before else None,
        "an acknowledged event after the disk has come back",
        WITHIN_S,
    )
    await _recovered(console, vehicle)
    figures = [
        Figure("P-03", f"disk {name}: control asked → refused", refused, "s", REFUSED_S),
        Figure("P-03", f"disk {name}: stop asked → at the vehicle", stopped, "s", STOPPED_S),
        Figure("P-03", f"disk {name}: hub answers a console", blocked, "s", BLOCKED_S),
    ]
    if name != "stalled":
        figures.append(
            Figure("P-03", f"disk {name}: without an alarm", [float(not alarmed)], "", 0)
        )
    return figures


async def _controls(console: Console, vehicle: VehicleId) -> list[float]:
    """Ask for what has to be recorded first; return how long each refusal took.

    Raises:
        BenchError: One was not refused, or for another reason.
    """
    taken: list[float] = []
    deadline = time.monotonic() + WITHIN_S
    while len(taken) < TRIES:
        command_id = str(uuid.uuid4())
        asked = time.monotonic()
        await console.say(AskResume(command_id, str(vehicle), picture_age_ms=50.0))
        ended = await until(
            functools.partial(_answered, console, command_id), "an answer to a resume", WITHIN_S
        )
        view = console.commands.get(command_id)
        why = view.reason if view is not None else console.refusals[command_id][1]
        if why == "link" and asked < deadline:  # this machine was too busy for the vehicle
            await asyncio.sleep(RETRY_S)
            continue
        if why != "audit":
            raise BenchError(f"a resume without a record ended otherwise: {why or view}")
        taken.append(ended - asked)
    return taken


def _answered(console: Console, command_id: str) -> float | None:
    if command_id in console.ended:
        return console.ended[command_id]
    refusal = console.refusals.get(command_id)
    return None if refusal is None else refusal[0]


async def _stops(console: Console, vehicle: VehicleId) -> list[float]:
    taken = []
    for _ in range(TRIES):
        command_id = str(uuid.uuid4())
        asked = time.monotonic()
        await console.say(AskStop(command_id, str(vehicle)))
        applied = await until(
            functools.partial(console.applied.get, command_id), "a stop applied", WITHIN_S
        )
        taken.append(applied - asked)
    return taken


async def _recovered(console: Console, vehicle: VehicleId) -> None:
    """Wait until control can be had and used.

    Raises:
        BenchError: It never could.
    """
    deadline = time.monotonic() + WITHIN_S
    while True:
        view = console.controls.get(str(vehicle))
        if view is None or view.state is ControlState.FREE:
            try:
                await console.take_control(str(vehicle))
            except BenchError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(RETRY_S)
                continue
        command_id = str(uuid.uuid4())
        await console.say(AskResume(command_id, str(vehicle), picture_age_ms=50.0))
        await until(
            functools.partial(_answered, console, command_id), "an answer to a resume", WITHIN_S
        )
        if command_id in console.applied:
            return
        if time.monotonic() > deadline:
            raise BenchError("control was still refused after the disk had come back")
        await asyncio.sleep(RETRY_S)


# ------------------------------------------------------------------------- the faults


@contextlib.asynccontextmanager
async def _full(folder: Path) -> AsyncIterator[None]:
    filler = folder / "filler"
    try:
        await asyncio.to_thread(_fill, filler)
        yield
    finally:
        filler.unlink(missing_ok=True)


def _fill(filler: Path) -> None:
    block = bytes(65_536)
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:  # ends with ENOSPC
            file.write(block)
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(b"\0")


@contextlib.asynccontextmanager
async def _failing(pid: int) -> AsyncIterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.asynccontextmanager
async def _stalled(store: Path) -> AsyncIterator[None]:
    """Hold the lock for as long as the block takes, but at least `STALL_S`."""
    began = time.monotonic()
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            await asyncio.sleep(max(0.0, STALL_S - (time.monotonic() - began)))
        finally:
            db.execute("ROLLBACK")
