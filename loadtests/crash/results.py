"""Figures of `enkan bench crash` beside their targets."""

from __future__ import annotations

import statistics

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.procfs import Machine
from loadtests.statistics import nearest_rank


class Figure(msgspec.Struct, frozen=True):
    """One line of the table.

    Attributes:
        id: Of the fault, as P-01.
        what: In words.
        values: All that was measured, in `unit`; one value for a count.
        limit: None of them may be above it.
    """

    id: str
    what: str
    values: list[float]
    unit: str
    limit: float

    @property
    def ok(self) -> bool:
        """Whether something was measured, and nothing above the limit."""
        return bool(self.values) and max(self.values) <= self.limit


class CrashResult(msgspec.Struct, frozen=True):
    """One command's run."""

    command: str
    commit: str
    date_utc: str
    machine: Machine
    figures: list[Figure]

    def missed(self) -> list[Figure]:
        """Return what missed its target."""
        return [figure for figure in self.figures if not figure.ok]


def show(result: CrashResult, terminal: Console) -> None:
    """Print the table."""
    table = Table(title="Killed and starved")
    for name in ("", "", "n", "median", "p99", "worst", "≤", ""):
        table.add_column(name)
    for figure in result.figures:
        ordered = sorted(figure.values)
        if not ordered:
            cells = ["0", "-", "-", "-"]
        else:
            p99 = nearest_rank(ordered, 0.99)
            middle = statistics.median(ordered)
            cells = [str(len(ordered)), *(f"{value:.3g}" for value in (middle, p99, ordered[-1]))]
        verdict = "[green]ok[/]" if figure.ok else "[red]missed[/]"
        target = f"{figure.limit:g} {figure.unit}".strip()
        table.add_row(figure.id, figure.what, *cells, target, verdict)
    terminal.print(table)
    terminal.print(f"machine: {result.machine}", markup=False)
