"""One run: start a forwarder, connect peers, warm up, measure, account.

start       the forwarder, the generator process, the sink process
connect     publishers, which send a trickle; then watchers; then pictures begin
warm up     until every watcher has packets, and a little longer
measure     two marks, `seconds` apart: packets and CPU time between them count
settle      publishers stop; wait until watchers have everything or nothing more comes
account     by the index of each packet sent between the marks
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from loadtests import control, procfs
from loadtests.errors import BenchError
from loadtests.peer_process import PeerProcess
from loadtests.report import Result
from loadtests.under_test import ForwarderUnderTest
from loadtests.video import FRAMES_PER_S

WARM_UP_S: Final = 2.0
FIRST_PACKETS_WITHIN_S: Final = 20.0
SETTLE_WITHIN_S: Final = 10.0
QUIET_S: Final = 1.0
"""Nothing new for this long after the publishers stopped: what is missing is lost."""

POLL_S: Final = 0.1


class Load(NamedTuple):
    """What to put on a forwarder.

    Attributes:
        mbps: Payload of each stream, Mbit/s.
        watchers: Watchers of each stream.
        video: `shaped` or `encoded`.
        run: Packets a publisher hands to the kernel in one call.
    """

    streams: int
    mbps: float
    watchers: int
    seconds: float
    video: str
    run: int


Progress = Callable[[str, float], None]
"""Told (what happens now, share of the whole run done)."""


async def measure(
    forwarder: ForwarderUnderTest, load: Load, folder: Path, progress: Progress
) -> Result:
    """Run one measurement.

    Args:
        forwarder: Not started yet; it is stopped when this returns.
        load: What to put on it.
        folder: For logs.
        progress: Called as the run goes on.

    Raises:
        BenchError: It could not be made.
    """
    load_before = procfs.load_average()
    arguments = (load.video, load.mbps, load.run, folder / "peers.log")
    try:
        progress(f"starting {forwarder.name}", 0.0)
        await forwarder.start(load.streams)
        async with (
            PeerProcess("generator", *arguments) as generator,
            PeerProcess("sinks", *arguments) as sinks,
        ):
            run = _Run(forwarder, load, generator, sinks, progress, load_before)
            return await run.measure()
    finally:
        await forwarder.stop()


class _Run:
    def __init__(
        self,
        forwarder: ForwarderUnderTest,
        load: Load,
        generator: PeerProcess,
        sinks: PeerProcess,
        progress: Progress,
        load_before: float,
    ) -> None:
        self._forwarder = forwarder
        self._load = load
        self._generator = generator
        self._sinks = sinks
        self._progress = progress
        self._load_before = load_before
        self._profiles: set[str] = set()
        self._empty_memory = 0

    async def measure(self) -> Result:
        await self._connect()
        await self._warm_up()
        pids = self._forwarder.pids()
        sent_from, seen_from = await self._generator.mark(), await self._sinks.mark()
        cpu_from = sum(map(procfs.cpu_s, pids))
        await self._wait_measuring()
        sent_to, seen_to = await self._generator.mark(), await self._sinks.mark()
        cpu_s = sum(map(procfs.cpu_s, pids)) - cpu_from
        memory = sum(map(procfs.memory_bytes, pids))
        if pids != self._forwarder.pids():
            raise BenchError(f"{self._forwarder.name} restarted its worker while it was measured")
        self._progress("settling", 0.95)
        await self._generator.settle()
        await self._until_quiet()
        windows = _windows(sent_from, sent_to)
        watched = (await self._sinks.finish(windows)).watched
        published = (await self._generator.finish([])).published
        self._progress("done", 1.0)
        return self._result(
            (sent_from, sent_to), (seen_from, seen_to), cpu_s, memory, watched, published
        )

    async def _connect(self) -> None:
        load = self._load
        total = load.streams * (1 + load.watchers)
        self._empty_memory = sum(map(procfs.memory_bytes, self._forwarder.pids()))
        for number in range(total):
            stream, watch = number % load.streams, number >= load.streams
            what = "watchers" if watch else "publishers"
            self._progress(f"connecting {what}", 0.05 + 0.25 * number / total)
            process = self._sinks if watch else self._generator
            offer = await process.offer(number, stream, watch=watch)
            forward = self._forwarder.watch if watch else self._forwarder.publish
            self._profiles.add(await process.answer(number, await forward(stream, offer)))
        await self._generator.begin()

    async def _warm_up(self) -> None:
        self._progress("warming up", 0.30)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FIRST_PACKETS_WITHIN_S
        while not all(peer.packets for peer in (await self._sinks.mark()).peers):
            if loop.time() > deadline:
                raise BenchError(
                    f"{self._forwarder.name} forwarded nothing to some watchers within "
                    f"{FIRST_PACKETS_WITHIN_S:.0f} s"
                )
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(WARM_UP_S)

    async def _wait_measuring(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        while (elapsed := loop.time() - start) < self._load.seconds:
            self._progress("measuring", 0.35 + 0.6 * elapsed / self._load.seconds)
            await asyncio.sleep(min(0.25, self._load.seconds - elapsed))

    async def _until_quiet(self) -> None:
        """Wait until nothing more comes: what is missing then is lost."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_WITHIN_S
        quiet_since, before = loop.time(), -1
        while loop.time() < deadline and loop.time() - quiet_since < QUIET_S:
            total = sum(peer.packets for peer in (await self._sinks.mark()).peers)
            if total != before:
                quiet_since, before = loop.time(), total
            await asyncio.sleep(POLL_S)

    def _result(
        self,
        sent: tuple[control.Marked, control.Marked],
        seen: tuple[control.Marked, control.Marked],
        cpu_s: float,
        memory: int,
        watched: control.Watched,
        published: control.Published,
    ) -> Result:
        load = self._load
        sent_s = (sent[1].at_ns - sent[0].at_ns) / 1e9
        seen_s = (seen[1].at_ns - seen[0].at_ns) / 1e9
        packets_in, octets_in = _difference(*sent)
        packets_out, octets_out = _difference(*seen)
        frames = sum(peer.frames for peer in sent[1].peers)
        frames -= sum(peer.frames for peer in sent[0].peers)
        return Result(
            forwarder=self._forwarder.name,
            streams=load.streams,
            mbps=load.mbps,
            watchers=load.watchers,
            seconds=sent_s,
            video=load.video,
            run=load.run,
            profiles=sorted(self._profiles),
            achieved=min(1.0, frames / (sent_s * FRAMES_PER_S * load.streams)),
            packets_in=packets_in / sent_s,
            packets_out=packets_out / seen_s,
            mbps_in=octets_in * 8 / sent_s / 1e6,
            mbps_out=octets_out * 8 / seen_s / 1e6,
            cpu_s=cpu_s,
            cpu_share=cpu_s / seen_s,
            cpu_us_per_forwarded=cpu_s / packets_out * 1e6 if packets_out else None,
            cpu_us_per_received=cpu_s / packets_in * 1e6 if packets_in else None,
            expected=watched.received + watched.lost,
            received=watched.received,
            lost=watched.lost,
            duplicates=watched.duplicates,
            reordered=watched.reordered,
            dropped_here=watched.dropped_here,
            unreadable=watched.unreadable,
            by_sequence=watched.by_sequence,
            delay_p50_ms=_milliseconds(watched.delay_p50_ns),
            delay_p99_ms=_milliseconds(watched.delay_p99_ns),
            delay_max_ms=_milliseconds(watched.delay_max_ns),
            keyframe_requests=published.keyframes,
            nacks=published.nacks,
            memory_mb=memory / 1e6,
            memory_per_stream_mb=(memory - self._empty_memory) / 1e6 / load.streams,
            generator_cpu_share=(sent[1].cpu_ns - sent[0].cpu_ns) / 1e9 / sent_s,
            sinks_cpu_share=(seen[1].cpu_ns - seen[0].cpu_ns) / 1e9 / seen_s,
            load_before=self._load_before,
        )


def _windows(start: control.Marked, end: control.Marked) -> list[control.Window]:
    first = {peer.stream: peer.index for peer in start.peers}
    return [control.Window(peer.stream, first[peer.stream], peer.index) for peer in end.peers]


def _difference(start: control.Marked, end: control.Marked) -> tuple[int, int]:
    packets = sum(peer.packets for peer in end.peers) - sum(peer.packets for peer in start.peers)
    octets = sum(peer.octets for peer in end.peers) - sum(peer.octets for peer in start.peers)
    return packets, octets


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
