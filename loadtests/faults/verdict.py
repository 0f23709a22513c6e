"""What the faults did, as data, as a table and as a page."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.emulator.calibrate import Carried
from loadtests.emulator.control import Taken
from loadtests.emulator.link import Figures
from loadtests.procfs import Machine


class Check(msgspec.Struct, frozen=True):
    """One figure beside its target.

    Attributes:
        met: None if it is shown, but nothing is asked of it (yet).
    """

    what: str
    target: str
    measured: str
    met: bool | None


class FaultResult(msgspec.Struct, frozen=True):
    """One fault.

    Attributes:
        conditions: What the emulator measured that it did.
        error: Why it could not be measured, "" if it was.
        load: Load average of the machine when it began.
    """

    id: str
    title: str
    conditions: str
    checks: list[Check]
    seconds: float
    load: float
    error: str = ""
    notes: list[str] = []

    @property
    def verdict(self) -> str:
        """`pass`, `MISSED` or `not measured`."""
        if self.error:
            return "not measured"
        return "MISSED" if any(check.met is False for check in self.checks) else "pass"


class SuiteResult(msgspec.Struct, frozen=True):
    """One command's results."""

    command: str
    commit: str
    date_utc: str
    machine: Machine
    seed: int
    carried: Carried | None
    results: list[FaultResult]

    def missed(self) -> bool:
        """Return whether any target was missed."""
        return any(result.verdict == "MISSED" for result in self.results)

    def unmeasured(self) -> bool:
        """Return whether anything could not be measured."""
        return any(result.error for result in self.results)


def conditions(taken: Taken, *, both: bool = True) -> str:
    """Return what happened on a link, as its emulator counted it."""
    text = f"up: {direction(taken.up)}"
    return f"{text}; down: {direction(taken.down)}" if both else text


def direction(figures: Figures) -> str:
    """Return what happened on one way, as its emulator counted it."""
    parts = [f"{figures.offered:,} packets"]
    if figures.offered:
        if figures.lost:
            mean = figures.lost / max(1, figures.runs)
            parts.append(
                f"{figures.lost / figures.offered:.1%} lost "
                f"(in {figures.runs:,} runs of {mean:.1f}, longest {figures.longest_run})"
            )
        if figures.reordered:
            parts.append(f"{figures.reordered / figures.offered:.1%} reordered")
        if figures.duplicated:
            parts.append(f"{figures.duplicated / figures.offered:.1%} duplicated")
    if figures.cut:
        parts.append(f"{figures.cut:,} cut")
    if figures.stray:
        parts.append(f"{figures.stray:,} to a gone address")
    if figures.overflowed:
        parts.append(f"{figures.overflowed:,} overflowed")
    if figures.delivered:
        parts.append(
            f"{figures.delay_ns / figures.delivered / 1e6:.1f} ms "
            f"(max {figures.longest_delay_ns / 1e6:.0f})"
        )
    return ", ".join(parts)


def carried_text(carried: Carried) -> str:
    """Return in one sentence what the emulator can carry."""
    return (
        f"the emulator carried {carried.per_s:,.0f} packets/s each way, "
        f"{carried.sent - carried.received:,} of {carried.sent:,} lost "
        f"({carried.kernel_drops:,} before it read them), "
        f"with {carried.cpu_share:.0%} of one core"
    )


_MARKS = {True: "[green]met[/]", False: "[red]MISSED[/]", None: "–"}


def show(suite: SuiteResult, terminal: Console) -> None:
    """Print the table, then conditions and notes."""
    table = Table(title="Faults")
    for name in ("fault", "what", "target", "measured", ""):
        table.add_column(name, overflow="fold")
    for result in suite.results:
        heading = f"{result.id}\n{result.title}"
        if result.error:
            table.add_row(heading, result.error, "", "", "[yellow]not measured[/]")
        for number, check in enumerate(result.checks):
            table.add_row(
                "" if number else heading,
                check.what,
                check.target,
                check.measured,
                _MARKS[check.met],
            )
        table.add_section()
    terminal.print(table)
    for result in suite.results:
        terminal.print(
            f"{result.id}: {result.conditions or 'nothing injected'} "
            f"[{result.seconds:.0f} s, load {result.load:.1f}]",
            markup=False,
            soft_wrap=True,
        )
        for note in result.notes:
            terminal.print(f"  {note}", markup=False, soft_wrap=True)
    if suite.carried is not None:
        terminal.print(carried_text(suite.carried), markup=False, soft_wrap=True)
    machine = suite.machine
    terminal.print(
        f"machine: {machine.processor}, {machine.cores} cores, Linux {machine.kernel}, "
        f"Python {machine.python}; commit {suite.commit}, {suite.date_utc}, seed {suite.seed}",
        markup=False,
        soft_wrap=True,
    )
    terminal.print(f"command: {suite.command}", markup=False, soft_wrap=True)


def page(suite: SuiteResult) -> str:
    """Return docs/reliability.md."""
    machine = suite.machine
    lines = [
        "# Reliability",
        "",
        "What a bad network does to the pictures of a vehicle, beside the targets. This page is",
        f"written by `{suite.command}`; it needs root on Linux, since the network between hub,",
        "vehicle and operator is made of namespaces and a userspace emulator",
        "(`loadtests/emulator`). Hub and vehicle are the real ones; the operator's seat decodes",
        "the pictures and judges them by the frame numbers in their pixels. A *freeze* is a pause",
        "as W3C webrtc-stats defines `freezeCount`, 183 ms at 30 pictures a second. Every link",
        "has a round trip of 50 ms unless said.",
        "",
        f"{suite.date_utc}, commit {suite.commit}: {machine.processor}, {machine.cores} cores, "
        f"Linux {machine.kernel}, Python {machine.python}, seed {suite.seed}.",
    ]
    if suite.carried is not None:
        lines.append(f"Before the faults {carried_text(suite.carried)}.")
    lines += ["", "| fault | verdict | seconds | load |", "|---|---|---|---|"]
    lines += [
        f"| {result.id} {result.title} | {_bold(result.verdict)} | {result.seconds:.0f} "
        f"| {result.load:.1f} |"
        for result in suite.results
    ]
    for result in suite.results:
        lines += ["", f"## {result.id}: {result.title}", ""]
        if result.error:
            lines.append(f"Not measured: {result.error}.")
            continue
        lines += _table(result.checks)
        lines += ["", f"Injected, as the emulator counted it: {result.conditions}."]
        lines += [f"\n{note}" for note in result.notes]
    return "\n".join(lines) + "\n"


def _table(checks: Sequence[Check]) -> list[str]:
    words = {True: "met", False: "**missed**", None: "–"}
    return [
        "| what | target | measured | |",
        "|---|---|---|---|",
        *(
            f"| {check.what} | {check.target} | {check.measured} | {words[check.met]} |"
            for check in checks
        ),
    ]


def _bold(verdict: str) -> str:
    return verdict if verdict == "pass" else f"**{verdict}**"
