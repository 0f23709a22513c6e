"""What `enkan bench fleet` measured, beside its targets."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.procfs import Machine

DELAY_P99_MS: Final = 200.0
LAG_P99_MS: Final = 20.0
SCRAPE_MS: Final = 100.0
ACHIEVED: Final = 0.98
"""Below this share of the telemetry due, the generator was too slow to judge by."""


class FleetResult(msgspec.Struct, frozen=True):
    """One run. Rates, CPU, delays and the loop lag hold for the window of `seconds`; what
    is lost or out of order holds for the whole run.

    Attributes:
        achieved: Share of the telemetry due that the generator sent.
        telemetry: Messages sent in the window.
        gaps: Telemetry the hub missed, as the consoles are told (`telemetry_gaps`).
        behind: Telemetry sent at the end that a decoding console was never shown.
        faults: What the hub counted as wrong, by metric and reason.
        missing, disordered: What the consoles saw; see `fleet_control.ConsolesDone`.
        superseded: Share of the telemetry that no console was shown, because newer
            telemetry of that vehicle came within the same tick of a tenth of a second.
        lag_p99_at_most_ms: Upper bound of the histogram's bucket in which the loop lag's
            p99 lies; infinite beyond the last one.
        lag_samples, lag_above: Looks at the loop, and those above the target.
        scrape_ms: How long the hub took for `/metrics`; it counts in the loop lag.
        lost: Connections that broke, one line each.
        *_cpu: Share of one core.
        hub_waited: Share of the time for which the hub was ready to run and other work had
            the processors; None where the kernel does not count it.
    """

    vehicles: int
    consoles: int
    decoding: int
    seconds: float
    telemetry: int
    achieved: float
    gaps: int
    behind: int
    missing: int
    disordered: int
    superseded: float
    faults: dict[str, int]
    lost: list[str]
    delays: int
    delay_p50_ms: float | None
    delay_p99_ms: float | None
    delay_max_ms: float | None
    lag_p99_at_most_ms: float | None
    lag_samples: int
    lag_above: int
    scrape_ms: float
    hub_cpu: float
    broker_cpu: float
    vehicles_cpu: float
    consoles_cpu: float
    generator_late_p99_ms: float
    console_bytes_per_s: float
    console_messages_per_s: float
    hub_waited: float | None
    hub_memory_mb: float
    load_before: float
    load_after: float

    @property
    def messages_lost(self) -> int:
        """Telemetry and messages to consoles that were sent and never arrived."""
        return self.gaps + self.behind + self.missing


class Report(msgspec.Struct, frozen=True):
    """One command's result."""

    command: str
    date_utc: str
    commit: str
    machine: Machine
    result: FleetResult

    def missed(self) -> list[str]:
        """Return the targets that were missed, in sentences."""
        return missed(self.result)


class Row(NamedTuple):
    """One line of the table. `ok` is None where there is no target."""

    what: str
    value: str
    target: str = ""
    ok: bool | None = None


def missed(result: FleetResult) -> list[str]:
    """Return the targets that were missed, in sentences."""
    found = [
        f"{row.what}: {row.value}, target {row.target}" for row in rows(result) if row.ok is False
    ]
    return found + [f"a connection broke: {why}" for why in result.lost[:5]]


def doubts(result: FleetResult) -> list[str]:
    """Return why the figures may say more of the machine than of the hub."""
    if result.achieved >= ACHIEVED:
        return []
    return [
        f"the generator sent only {result.achieved:.1%} of the telemetry due: this machine is "
        "too small or too busy, and the figures hold for the rate achieved"
    ]


def rows(result: FleetResult) -> list[Row]:
    """Return the lines of the table."""
    delay, lag = result.delay_p99_ms, result.lag_p99_at_most_ms
    faults = ", ".join(f"{name} {count}" for name, count in result.faults.items()) or "none"
    return [
        Row("messages lost", f"{result.messages_lost}", "0", not result.messages_lost),
        Row("  telemetry the hub missed", f"{result.gaps}"),
        Row("  telemetry never shown at the end", f"{result.behind}"),
        Row("  messages consoles missed", f"{result.missing}"),
        Row("out of order", f"{result.disordered}", "0", not result.disordered),
        Row("faults the hub counted", faults, "none", not result.faults),
        Row("connections that broke", f"{len(result.lost)}", "0", not result.lost),
        Row("vehicle → console p50", _ms(result.delay_p50_ms)),
        Row(
            f"vehicle → console p99 ({result.delays:,} showings)",
            _ms(delay),
            f"≤ {DELAY_P99_MS:.0f} ms",
            delay is not None and delay <= DELAY_P99_MS,
        ),
        Row("vehicle → console, longest", _ms(result.delay_max_ms)),
        Row(
            "loop lag p99",
            "unknown" if lag is None else f"≤ {lag:.0f} ms",
            f"≤ {LAG_P99_MS:.0f} ms",
            lag is not None and lag <= LAG_P99_MS,
        ),
        Row(f"  looks above {LAG_P99_MS:.0f} ms", f"{result.lag_above} of {result.lag_samples}"),
        Row("hub CPU", _share(result.hub_cpu)),
        Row(
            "  waiting for a processor",
            "unknown" if result.hub_waited is None else f"{result.hub_waited:.0%} of the time",
        ),
        Row("broker CPU", _share(result.broker_cpu)),
        Row(
            "generator CPU: vehicles, consoles",
            f"{_share(result.vehicles_cpu)}, {_share(result.consoles_cpu)}",
        ),
        Row("to each console", f"{result.console_bytes_per_s / 1e6:.2f} MB/s"),
        Row("  messages", f"{result.console_messages_per_s:.1f} /s"),
        Row("telemetry sent", f"{result.telemetry:,} in {result.seconds:.1f} s"),
        Row("  of what was due", f"{result.achieved:.1%}"),
        Row("  late by the generator, p99", _ms(result.generator_late_p99_ms)),
        Row("  superseded within one tick", f"{result.superseded:.1%}"),
        Row(
            "one scrape of /metrics",
            _ms(result.scrape_ms),
            f"≤ {SCRAPE_MS:.0f} ms",
            result.scrape_ms <= SCRAPE_MS,
        ),
        Row("hub memory", f"{result.hub_memory_mb:.0f} MB"),
        Row("load average before, after", f"{result.load_before:.2f}, {result.load_after:.2f}"),
    ]


def show(report: Report, terminal: Console) -> None:
    """Print the table and what was missed."""
    result = report.result
    table = Table("", "", "target", "", title="Fleet")
    table.add_row("vehicles × 10 Hz, consoles", f"{result.vehicles}, {result.consoles}", "", "")
    for row in rows(result):
        verdict = {True: "ok", False: "MISSED", None: ""}[row.ok]
        table.add_row(row.what, row.value, row.target, verdict)
    terminal.print(table)
    machine = report.machine
    terminal.print(
        f"machine: {machine.processor}, {machine.cores} cores, Linux {machine.kernel}, "
        f"Python {machine.python}",
        markup=False,
        soft_wrap=True,
    )
    terminal.print(f"command: {report.command}", markup=False, soft_wrap=True)
    for text in report.missed():
        terminal.print(f"MISSED: {text}", style="red", markup=False, soft_wrap=True)
    for text in doubts(result):
        terminal.print(text, style="yellow", markup=False, soft_wrap=True)


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} ms"


def _share(value: float) -> str:
    return f"{value:.0%} of a core"
