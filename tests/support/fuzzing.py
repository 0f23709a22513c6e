"""Feeds damaged inputs to one parser and says what came of them.

A finding is an exception that is not declared, an input that takes longer than
`SLOWEST_S` again and again, or memory that goes on growing. Its input is kept in
tests/packets/, where the tests take it up.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from support.mutation import mutate
from support.parsers import PACKETS, TARGETS, Target

SLOWEST_S = 0.01
"""Processor time one input may take."""

RETRIES = 7
"""A pause of the machine strikes once, a slow parser every time."""

WATCHED_AT = (0.2, 0.6, 1.0)
"""Shares of the inputs at which memory is looked at. What leaks grows between all of
them; an allocator's fragments settle."""

MAX_GROWTH = 3 << 20
"""Bytes of resident memory between two of them."""

MAX_KEPT = 10
"""Findings of one run whose inputs are kept."""


@dataclass
class Outcome:
    """What became of the inputs of one target."""

    target: str
    inputs: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    growth: int = 0
    took_s: float = 0.0

    @property
    def accepted(self) -> int:
        return self.outcomes.get("accepted", 0)


def attempt(target: Target, data: bytes) -> tuple[str, float]:
    """Parse once; return the reason of the refusal, or "accepted", and the CPU time in s.

    Raises whatever undeclared error the parser lets out.
    """
    began = time.thread_time()
    try:
        target.parse(data)
        reason = "accepted"
    except target.declared as error:
        reason = str(getattr(error, "reason", "refused"))
    return reason, time.thread_time() - began


def run(
    name: str,
    count: int,
    seed: int = 1,
    *,
    keep: Path | None = PACKETS,
    progress: Callable[[int], None] = lambda done: None,
    every: int = 50_000,
) -> Outcome:
    """Feed `count` damaged inputs to one parser.

    Args:
        keep: Where inputs of findings are written; None: nowhere.
        progress: Called with the number of inputs done, every `every` of them.
    """
    target = TARGETS[name]
    seeds = target.seeds()
    choose = random.Random(f"{name} {seed}")
    result = Outcome(name)
    began = time.monotonic()
    watched = {max(1, int(count * share)) for share in WATCHED_AT}
    memory: list[int] = []
    for number in range(1, count + 1):
        data = mutate(choose.choice(seeds), choose)
        try:
            reason, took = attempt(target, data)
            if took > SLOWEST_S:
                took = min(attempt(target, data)[1] for _ in range(RETRIES))
                if took > SLOWEST_S:
                    _find(result, data, f"{took * 1000:.1f} ms", keep)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            reason, took = "undeclared", 0.0
            _find(result, data, f"{type(error).__name__}: {str(error)[:100]}", keep)
        result.slowest_s = max(result.slowest_s, took)
        result.outcomes[reason] = result.outcomes.get(reason, 0) + 1
        result.inputs = number
        if number in watched:
            gc.collect()
            memory.append(resident_bytes())
        if number % every == 0:
            progress(number)
    grown = [after - before for before, after in pairwise(memory)]
    result.growth = sum(grown)
    if count >= every and min(grown) > MAX_GROWTH:
        result.findings.append(f"memory grew by {result.growth >> 20} MiB")
    result.took_s = time.monotonic() - began
    return result


def _find(result: Outcome, data: bytes, what: str, keep: Path | None) -> None:
    if len(result.findings) < MAX_KEPT:
        if keep is not None:
            digest = hashlib.sha256(data).hexdigest()[:12]
            path = keep / f"crash-{result.target}-{digest}.bin"
            path.write_bytes(data)
            what += f" ({path.name})"
        result.findings.append(what)


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
