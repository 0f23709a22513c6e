"""A process full of peers: `python -m loadtests.peer_main LOOP MBPS RUN`.

LOOP is `shaped` or `encoded`. Speaks `control` over standard input and output.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import sys
import time

import numpy as np
import uvloop

from loadtests import control, statistics, video
from loadtests.dtls import new_certificate
from loadtests.peer import Peer, PeerError
from loadtests.publisher import FRAME_NS, Publisher
from loadtests.watcher import Watcher

REPORT_EVERY_S = 1.0
TURN_S = 0.001
"""Runs due within this time leave together; the event loop's timers are no finer."""

PHASES = 16
"""Publishers begin spread over one picture's time, in this many steps."""


class Peers:
    """The peers of this process and what they have to do."""

    def __init__(self, group: asyncio.TaskGroup, loop_name: str, mbps: float, run: int) -> None:
        self._group = group
        self._certificate = new_certificate()
        self._loop_name = loop_name
        self._mbps = mbps
        self._run = run
        self._video: video.CutLoop | None = None
        self._peers: dict[int, Peer] = {}
        self._due: list[tuple[int, int]] = []
        self._wake = asyncio.Event()
        self._sending = True

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Obey until told to finish, or until standard input ends."""
        tasks = [
            self._group.create_task(self._pace(), name="pace"),
            self._group.create_task(self._report(), name="report"),
        ]
        try:
            while line := await reader.readline():
                message = control.to_process.decode(line)
                match message:
                    case control.Make():
                        _say(control.Offered(message.peer, self._make(message)))
                    case control.Answer():
                        await self._connect(message, tasks)
                    case control.Begin():
                        self._begin()
                        _say(control.Begun())
                    case control.Mark():
                        _say(self._mark())
                    case control.Settle():
                        self._sending = False
                        _say(control.Settled())
                    case control.Finish():
                        _say(self._finish(message))
                        break
        finally:
            for task in tasks:
                task.cancel()
            for peer in self._peers.values():
                await peer.close()

    def _make(self, message: control.Make) -> str:
        if message.watch:
            watcher = Watcher(self._certificate, message.stream)
            self._peers[message.peer] = watcher
            return watcher.offer()
        if self._video is None:
            encoded = self._loop_name == "encoded"
            loop = video.encoded(self._mbps) if encoded else video.shaped(self._mbps)
            self._video = video.cut(loop, self._run)
            gc.collect()
            gc.freeze()
        publisher = Publisher(self._certificate, message.stream, self._video)
        self._peers[message.peer] = publisher
        return publisher.offer()

    async def _connect(self, message: control.Answer, tasks: list[asyncio.Task[None]]) -> None:
        peer = self._peers[message.peer]
        try:
            await peer.connect(message.sdp)
        except PeerError as error:
            _say(control.Failed(message.peer, str(error)))
            return
        tasks.append(self._group.create_task(peer.keep_consent(), name="consent"))
        if isinstance(peer, Publisher):
            heapq.heappush(self._due, (time.monotonic_ns(), message.peer))
            self._wake.set()
        _say(control.Connected(message.peer, peer.profile))

    def _begin(self) -> None:
        """Let all publishers send pictures, spread over one picture's time."""
        start_ns = (time.monotonic_ns() // FRAME_NS + 1) * FRAME_NS
        self._due = []
        for number, peer in self._peers.items():
            if isinstance(peer, Publisher):
                at_ns = start_ns + (peer.stream % PHASES) * FRAME_NS // PHASES
                peer.begin(at_ns)
                heapq.heappush(self._due, (at_ns, number))

    # ----------------------------------------------------------------------- tasks

    async def _pace(self) -> None:
        while True:
            if not self._due or not self._sending:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._send_due()
            wait_ns = self._due[0][0] - time.monotonic_ns()
            await asyncio.sleep(max(TURN_S, wait_ns / 1e9))

    def _send_due(self) -> None:
        """Send everything due; leave to the sockets after 2 ms."""
        now_ns = start_ns = time.monotonic_ns()
        due = self._due
        while due[0][0] <= now_ns and now_ns - start_ns < 2_000_000:
            _, number = due[0]
            peer = self._peers[number]
            assert isinstance(peer, Publisher)
            heapq.heapreplace(due, (peer.send_due(now_ns), number))
            now_ns = time.monotonic_ns()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            for peer in self._peers.values():
                if isinstance(peer, Watcher):
                    peer.report()

    # --------------------------------------------------------------------- figures

    def _mark(self) -> control.Marked:
        marks = []
        for number, peer in self._peers.items():
            if isinstance(peer, Publisher):
                marks.append(
                    control.PeerMark(
                        number, peer.stream, peer.sent, peer.octets, peer.sent, peer.frames
                    )
                )
            elif isinstance(peer, Watcher):
                totals = peer.totals()
                marks.append(control.PeerMark(number, peer.stream, totals.packets, totals.octets))
        return control.Marked(time.monotonic_ns(), time.process_time_ns(), marks)

    def _finish(self, message: control.Finish) -> control.Finished:
        publishers = [peer for peer in self._peers.values() if isinstance(peer, Publisher)]
        watchers = [peer for peer in self._peers.values() if isinstance(peer, Watcher)]
        published = control.Published(
            skipped=sum(peer.skipped for peer in publishers),
            refused=sum(peer.refused for peer in publishers),
            resent=sum(peer.resent for peer in publishers),
            keyframes=sum(peer.feedback.keyframes for peer in publishers),
            nacks=sum(peer.feedback.nacks for peer in publishers),
            receiver_reports=sum(peer.feedback.receiver_reports for peer in publishers),
            remb=sum(peer.feedback.remb for peer in publishers),
            transport_cc=sum(peer.feedback.transport_cc for peer in publishers),
        )
        watched = watch_result(watchers, message.windows) if watchers else control.Watched()
        return control.Finished(published, watched)


def watch_result(watchers: list[Watcher], windows: list[control.Window]) -> control.Watched:
    """Account the windows of all watchers together."""
    by_stream = {window.stream: window for window in windows}
    by_sequence = all(not peer.totals().marked for peer in watchers)
    total = statistics.Account()
    delays = []
    for peer in watchers:
        window = by_stream[peer.stream]
        if by_sequence:
            total += peer.account_sequences()
        else:
            total += peer.account(window.first, window.end)
            delays.append(peer.delays(window.first, window.end))
    together = np.concatenate(delays) if delays else np.zeros(0, np.int64)
    return control.Watched(
        received=total.received,
        lost=total.lost,
        duplicates=total.duplicates,
        reordered=total.reordered,
        by_sequence=by_sequence,
        unreadable=sum(peer.unreadable for peer in watchers),
        dropped_here=sum(peer.udp.dropped for peer in watchers),
        delay_p50_ns=statistics.percentile(together, 0.50),
        delay_p99_ns=statistics.percentile(together, 0.99),
        delay_max_ns=statistics.percentile(together, 1.0),
    )


def _say(message: control.Message) -> None:
    sys.stdout.buffer.write(control.encode(message) + b"\n")
    sys.stdout.buffer.flush()


async def run(loop_name: str, mbps: float, run_length: int) -> None:
    """Serve the bench over standard input and output."""
    reader = asyncio.StreamReader(limit=control.MAX_LINE)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        async with asyncio.TaskGroup() as group:
            await Peers(group, loop_name, mbps, run_length).serve(reader)
    finally:
        transport.close()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
