"""One command's run: which faults, on which bed, and where the figures come from."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, NamedTuple

from loadtests import origin, procfs
from loadtests.children import ROOT
from loadtests.emulator.calibrate import Carried, calibrate
from loadtests.errors import BenchError
from loadtests.faults import suite
from loadtests.faults.bed import Bed
from loadtests.faults.verdict import FaultResult, SuiteResult

PAGE: Final = ROOT / "docs" / "reliability.md"
CARRY_PER_S: Final = 10_000
CARRY_S: Final = 3.0


class Plan(NamedTuple):
    """What to run. `calibrated`: measure the emulator itself first."""

    faults: list[suite.Fault]
    options: suite.Options
    calibrated: bool


def plan(only: str, *, short: bool, long: bool, tries: int | None) -> Plan:
    """Return what the command line asks for.

    Raises:
        BenchError: A fault of that name does not exist.
    """
    options = suite.SHORT_OPTIONS if short else suite.Options()
    if long:
        options = options._replace(tries=100, moves=20, cuts_s=(0.5, 3.0, 10.0, 60.0))
    if tries is not None:
        options = options._replace(tries=tries)
    wanted = [name.strip().upper() for name in only.split(",") if name.strip()]
    if short and not wanted:
        wanted = list(suite.SHORT)
    known = {fault.id: fault for fault in suite.FAULTS}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise BenchError(f"there is no fault {unknown[0]}: say one of {', '.join(known)}")
    chosen = [fault for fault in suite.FAULTS if not wanted or fault.id in wanted]
    return Plan(chosen, options, not short)


async def run(
    what: Plan, *, seed: int, command: str, keep: Path | None, tell: Callable[[str], None]
) -> SuiteResult:
    """Run the plan.

    Raises:
        BenchError: The bed cannot be made here; the text says why.
    """
    carried: Carried | None = None
    commit = origin.commit()
    results: list[FaultResult] = []
    async with _ended_by_sigterm(), _folder(keep) as folder, Bed(folder, seed) as bed:
        if what.calibrated:
            tell("the emulator itself")
            carried = await calibrate(bed.network, CARRY_PER_S, CARRY_S)
            await bed.take()
        for fault in what.faults:
            tell(f"{fault.id} {fault.title}")
            result = await suite.measure(fault, bed, what.options)
            tell(f"     {result.verdict} after {result.seconds:.0f} s")
            results.append(result)
    return SuiteResult(
        command=command,
        commit=commit,
        date_utc=origin.date_utc(),
        machine=procfs.machine(),
        seed=seed,
        carried=carried,
        results=results,
    )


@contextlib.asynccontextmanager
async def _folder(keep: Path | None) -> AsyncIterator[Path]:
    if keep is not None:
        yield await asyncio.to_thread(_made, keep)
        return
    with tempfile.TemporaryDirectory(prefix="enkan-faults-") as name:
        yield Path(name)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BenchError(f"{folder} is not empty: name another folder to keep the logs in")
    return folder.resolve()


@contextlib.asynccontextmanager
async def _ended_by_sigterm() -> AsyncIterator[None]:
    """End in order on SIGTERM as on Ctrl-C, so that no namespace is left."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
