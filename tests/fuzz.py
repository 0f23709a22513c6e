"""Every parser of foreign bytes against damaged inputs: `./enkan fuzz`.

    ./enkan fuzz                        10^6 inputs for each parser, orders, a live session
    ./enkan fuzz rtp sdp --count 20000  only these, fewer
    ./enkan fuzz orders                 only hostile commands and control frames
    ./enkan fuzz live                   only the live session

Each parser runs in a process of its own. Orders are commands and control frames, sealed
and replayed, reordered, stale, misaddressed, corrupted and more, to a vehicle that is being
driven: none may be obeyed, each is counted by its cause. The live session is a real media
worker with a vehicle and an operator, whose picture has to go on under 10^6 hostile
datagrams, from strangers and from a peer that was let in. Ends with 1 if an error is not
declared, an input takes more than 10 ms again and again, memory goes on growing, an order
is obeyed, or the picture stops. Inputs that break something are kept in tests/packets/.
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import json
import multiprocessing
import os
import sys
from dataclasses import asdict
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from rich.console import Console  # noqa: E402 - the path is set above
from rich.table import Table  # noqa: E402

from support import fuzzing, hostile, hostile_orders  # noqa: E402
from support.parsers import TARGETS  # noqa: E402

LIVE = "live"
ORDERS = "orders"
terminal = Console(stderr=True, highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="enkan fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "targets", nargs="*", metavar="PARSER", help=", ".join([*TARGETS, ORDERS, LIVE])
    )
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs for each")
    parser.add_argument("--seed", type=int, default=1, help="another one damages differently")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="write the figures here too")
    wanted = parser.parse_args()
    names = wanted.targets or [*TARGETS, ORDERS, LIVE]
    unknown = sorted(set(names) - {*TARGETS, ORDERS, LIVE})
    if unknown:
        parser.error(f"no such parser: {', '.join(unknown)}")
    results = damaged([name for name in names if name in TARGETS], wanted)
    if results:
        Console(highlight=False).print(table(results))
    failed = [result for result in results if result.findings]
    for result in failed:
        for finding in result.findings:
            terminal.print(f"{result.target}: {finding}", style="red", markup=False)
    lived = True
    if ORDERS in names:
        outcome = hostile_orders.attack(wanted.count, wanted.seed, say=terminal.print)
        lived = outcome.held
        print(outcome)
    if LIVE in names:
        report = asyncio.run(hostile.attack(wanted.count, wanted.seed, terminal.print))
        lived = lived and report.survived
        print(report)
    if wanted.json is not None:
        wanted.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return 0 if lived and not failed else 1


def damaged(names: list[str], wanted: argparse.Namespace) -> list[fuzzing.Outcome]:
    """Run each parser in a fresh process, several at a time; return them in order."""
    results: dict[str, fuzzing.Outcome] = {}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        max(1, wanted.jobs), mp_context=context, max_tasks_per_child=1
    ) as pool:
        jobs = [pool.submit(one, name, wanted.count, wanted.seed) for name in names]
        for job in concurrent.futures.as_completed(jobs):
            result = job.result()
            results[result.target] = result
            terminal.print(
                f"{result.target}: {result.inputs:,} inputs in {result.took_s:.0f} s, "
                f"slowest {result.slowest_s * 1000:.2f} ms, {len(result.findings)} findings "
                f"{result.outcomes}",
                markup=False,
                soft_wrap=True,
            )
    return [results[name] for name in names]


def one(name: str, count: int, seed: int) -> fuzzing.Outcome:
    """Run one parser (in its own process) and say how far it is."""

    def progress(done: int) -> None:
        terminal.print(f"{name}: {done:,} of {count:,}")

    return fuzzing.run(name, count, seed, progress=progress, every=max(50_000, count // 5))


def table(results: list[fuzzing.Outcome]) -> Table:
    """Return the figures as a table."""
    shown = Table(
        "parser", "inputs", "accepted", "refused, by reason", "undeclared", "slowest", "memory",
        title="Damaged inputs",
    )  # fmt: skip
    for result in results:
        reasons = sorted(
            ((n, reason) for reason, n in result.outcomes.items() if reason != "accepted"),
            reverse=True,
        )
        shown.add_row(
            result.target,
            f"{result.inputs:,}",
            f"{result.accepted:,}",
            ", ".join(f"{reason} {n:,}" for n, reason in reasons[:6] if reason != "undeclared"),
            f"{result.outcomes.get('undeclared', 0):,}",
            f"{result.slowest_s * 1000:.2f} ms",
            f"{result.growth / (1 << 20):+.1f} MiB",
        )
    return shown


if __name__ == "__main__":
    raise SystemExit(main())
