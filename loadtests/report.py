"""What was measured, as data and as a table."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.procfs import Machine


class Result(msgspec.Struct, frozen=True):
    """One forwarder, one run. Rates and CPU hold for the measuring window only.

    Attributes:
        mbps: Asked rate of each stream, Mbit/s of RTP payload.
        achieved: Share of the pictures due that the generator sent.
        packets_in, packets_out: Sent by publishers, received by watchers, per second.
        mbps_in, mbps_out: Payload in Mbit/s, all streams together.
        cpu_s: Processor time of the forwarder's packet-moving processes.
        cpu_us_per_forwarded, cpu_us_per_received: That time by packets sent to
            watchers and by packets received from publishers.
        lost: Packets that did not reach a watcher, of `expected`.
        dropped_here: Part of the loss that our own sockets caused.
        by_sequence: Loss was judged by RTP sequence numbers, since the forwarder makes
            new packets.
        delay_*_ms: Publisher to the watcher's socket; None if packets are made anew.
        memory_mb: Resident memory after the run; `memory_per_stream_mb`: growth by stream.
    """

    forwarder: str
    streams: int
    mbps: float
    watchers: int
    seconds: float
    video: str
    run: int
    profiles: list[str]
    achieved: float
    packets_in: float
    packets_out: float
    mbps_in: float
    mbps_out: float
    cpu_s: float
    cpu_share: float
    cpu_us_per_forwarded: float | None
    cpu_us_per_received: float | None
    expected: int
    received: int
    lost: int
    duplicates: int
    reordered: int
    dropped_here: int
    unreadable: int
    by_sequence: bool
    delay_p50_ms: float | None
    delay_p99_ms: float | None
    delay_max_ms: float | None
    keyframe_requests: int
    nacks: int
    memory_mb: float
    memory_per_stream_mb: float
    generator_cpu_share: float
    sinks_cpu_share: float
    load_before: float


class Report(msgspec.Struct, frozen=True):
    """One command's results. `ratio`: ours by the peer's CPU per forwarded packet."""

    command: str
    machine: Machine
    results: list[Result]
    ratio: float | None = None

    def problems(self) -> list[str]:
        """Return why this run fails or is doubtful; failures begin with `FAILED`.

        The first result is ours; what another forwarder loses is its own affair, as
        long as it forwards.
        """
        return [
            text
            for number, result in enumerate(self.results)
            for text in problems(result, ours=number == 0)
        ]

    def failed(self) -> bool:
        """Return whether packets were lost or nothing was forwarded."""
        return any(text.startswith("FAILED") for text in self.problems())


GENERATOR_SHARE_WANTED = 0.98


def problems(result: Result, *, ours: bool = True) -> list[str]:
    """Return what is wrong with one result, in sentences."""
    found = []
    verdict = "FAILED: " if ours else ""
    if not result.received:
        found.append(f"FAILED: {result.forwarder} forwarded nothing")
    elif result.lost:
        here = f" ({result.dropped_here} at our own sockets)" if result.dropped_here else ""
        found.append(
            f"{verdict}{result.forwarder} lost {result.lost} of {result.expected} packets{here}"
        )
    if result.unreadable:
        found.append(f"{verdict}{result.unreadable} packets did not authenticate")
    if result.achieved < GENERATOR_SHARE_WANTED:
        found.append(
            f"the generator sent only {result.achieved:.1%} of the pictures due: this machine is "
            f"too small or too busy for {result.streams} × {result.mbps:g} Mbit/s, and the "
            "figures hold for the rate achieved"
        )
    return found


def ratio(results: list[Result]) -> float | None:
    """Return the first result's CPU per forwarded packet by the second's, if both exist."""
    figures = [result.cpu_us_per_forwarded for result in results]
    if len(figures) != 2 or not figures[0] or not figures[1]:
        return None
    return figures[0] / figures[1]


def _optional(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)


ROWS: list[tuple[str, Callable[[Result], str]]] = [
    ("streams × Mbit/s", lambda r: f"{r.streams} × {r.mbps:g}"),
    ("watchers per stream", lambda r: f"{r.watchers}"),
    ("video, packets per send", lambda r: f"{r.video}, {r.run}"),
    ("SRTP profile", lambda r: ", ".join(r.profiles)),
    ("measured", lambda r: f"{r.seconds:.1f} s"),
    ("generator achieved", lambda r: f"{r.achieved:.1%}"),
    ("packets/s in", lambda r: f"{r.packets_in:,.0f}"),
    ("packets/s out", lambda r: f"{r.packets_out:,.0f}"),
    ("Mbit/s in, out", lambda r: f"{r.mbps_in:.1f}, {r.mbps_out:.1f}"),
    ("forwarder CPU", lambda r: f"{r.cpu_s:.2f} s ({r.cpu_share:.0%} of one core)"),
    ("CPU µs per forwarded packet", lambda r: _optional(r.cpu_us_per_forwarded, ".2f")),
    ("CPU µs per received packet", lambda r: _optional(r.cpu_us_per_received, ".2f")),
    (
        "lost",
        lambda r: f"{r.lost:,} of {r.expected:,}" + (" (by sequence)" if r.by_sequence else ""),
    ),
    ("reordered, duplicated", lambda r: f"{r.reordered:,}, {r.duplicates:,}"),
    ("added delay p50", lambda r: _optional(r.delay_p50_ms) + " ms"),
    ("added delay p99", lambda r: _optional(r.delay_p99_ms) + " ms"),
    ("added delay max", lambda r: _optional(r.delay_max_ms) + " ms"),
    ("asked: keyframes, NACKs", lambda r: f"{r.keyframe_requests:,}, {r.nacks:,}"),
    (
        "memory",
        lambda r: f"{r.memory_mb:.1f} MB ({r.memory_per_stream_mb:.2f} MB more per stream)",
    ),
    (
        "generator, sinks CPU",
        lambda r: f"{r.generator_cpu_share:.0%}, {r.sinks_cpu_share:.0%} of one core",
    ),
    ("load average before", lambda r: f"{r.load_before:.2f}"),
]


def show(report: Report, terminal: Console) -> None:
    """Print the table, the ratio, and what is wrong."""
    table = Table(title="Media forwarding")
    table.add_column("")
    for result in report.results:
        table.add_column(result.forwarder, justify="right")
    for name, render in ROWS:
        table.add_row(name, *(render(result) for result in report.results))
    terminal.print(table)
    if report.ratio is not None:
        terminal.print(
            f"{report.results[0].forwarder} / {report.results[1].forwarder}: "
            f"{report.ratio:.4f} of the CPU per forwarded packet",
            soft_wrap=True,
        )
    machine = report.machine
    terminal.print(
        f"machine: {machine.processor}, {machine.cores} cores, Linux {machine.kernel}, "
        f"Python {machine.python}",
        markup=False,
        soft_wrap=True,
    )
    terminal.print(f"command: {report.command}", markup=False, soft_wrap=True)
    for text in report.problems():
        terminal.print(
            text,
            style="red" if text.startswith("FAILED") else "yellow",
            markup=False,
            soft_wrap=True,
        )
