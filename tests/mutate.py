"""Changes the vehicle's guards one place at a time; their tests must notice: `./enkan mutate`.

    ./enkan mutate                       every change of every guarded module
    ./enkan mutate checker --list        what would be changed in one of them
    ./enkan mutate --sample 20 --seed 3  some of them

First each module is run with its decisions watched: every `if`, `and`, `or`, `not` and
conditional expression has to come out both ways (branch coverage). Then each change is
made in a process of its own, which runs the module's tests: a comparison that moves by one
or turns round, a constant by one, a guard left out of the row, a condition that always or
never holds, a statement left out, another reason, `min` for `max`. Ends with 1 if a module's
score is below 95 %, or a decision never came out one way.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from rich.console import Console  # noqa: E402 - the path is set above
from rich.table import Table  # noqa: E402

from support import mutants  # noqa: E402

LEAST = 95.0
terminal = Console(stderr=True, highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="enkan mutate", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(mutants.GUARDED))
    parser.add_argument("--sample", type=int, help="only so many changes of each, at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--list", action="store_true", help="print the changes and end")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    wanted = parser.parse_args()
    names = wanted.modules or list(mutants.GUARDED)
    unknown = sorted(set(names) - set(mutants.GUARDED))
    if unknown:
        parser.error(f"no such module: {', '.join(unknown)}")
    found = {name: mutants.changes(name) for name in names}
    if wanted.list:
        for name, changes in found.items():
            for change in changes:
                print(f"{name}:{change.line}: {change.what}")
        return 0
    results = []
    for name in names:
        chosen = mutants.some(found[name], wanted.sample, wanted.seed)
        result = mutants.run(name, chosen, wanted.jobs)
        results.append(result)
        for survivor in result.survived:
            terminal.print(f"{name}:{survivor.line}: not noticed: {survivor.what}", style="red")
        for decision in result.one_sided:
            terminal.print(f"{name}: {decision}", style="red")
    Console(highlight=False).print(_table(results))
    if wanted.json is not None:
        wanted.json.write_text(json.dumps([result.figures() for result in results], indent=1))
    good = all(result.score >= LEAST and not result.one_sided for result in results)
    return 0 if good else 1


def _table(results: list[mutants.Result]) -> Table:
    shown = Table("module", "decisions", "both ways", "changes", "noticed", "score", "took")
    for result in results:
        both = result.decisions - len(result.one_sided)
        shown.add_row(
            result.module,
            str(result.decisions),
            f"{100 * both / max(1, result.decisions):.1f} %",
            str(result.changes),
            str(result.changes - len(result.survived)),
            f"{result.score:.1f} %",
            f"{result.took_s:.0f} s",
        )
    return shown


if __name__ == "__main__":
    raise SystemExit(main())
