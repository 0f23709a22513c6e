"""From a publisher's packets to each watcher's: decrypt, lay on a feed, send.

What came in one turn of the socket is gathered in the feeds and forwarded together,
so that each watcher gets it in few, long runs.
"""

from __future__ import annotations

from typing import Final

from protocols.codec import ProtocolError
from supervisor import clock
from supervisor.counters import Counters
from supervisor.media.egress import Egress
from supervisor.media.feedback import Feedback
from supervisor.media.peer import Peer, Publisher, Watcher
from supervisor.media.srtp import GCM_TAG, MAX_RUN, REPLAYED, SrtpSession
from supervisor.media.talk import Floor
from supervisor.media.udp import UdpPort
from supervisor.rtp import rtcp, switch
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.run import Layout

MIN_SEGMENT: Final = 12 + GCM_TAG
"""Bytes; a shorter datagram is no SRTP packet worth reading as one of a run."""

_RTP_FIRST: Final = bytes(range(128, 192))
_RTCP_SECOND: Final = bytes(range(192, 224))


def _all_rtp(view: memoryview, length: int, segment: int) -> bool:
    """Tell whether all datagrams of a run are RTP by their first bytes (RFC 5761 §4, RFC 7983)."""
    firsts = bytes(view[0:length:segment])
    seconds = bytes(view[1:length:segment])
    return not firsts.translate(None, _RTP_FIRST) and seconds == seconds.translate(
        None, _RTCP_SECOND
    )


class Forwarding:
    """The media of all peers of a worker.

    Attributes:
        gathered: Packets that wait in feeds for `flush`.
        held_ns, turns: How long what was sent had been here, summed over so many turns.
    """

    def __init__(
        self, port: UdpPort, egress: Egress, feedback: Feedback, counters: Counters
    ) -> None:
        self.gathered = 0
        self.held_ns = 0
        self.turns = 0
        self._port = port
        self._egress = egress
        self._feedback = feedback
        self._counters = counters
        self._watchers: dict[int, Watcher] = {}
        self._touched: dict[int, tuple[Feed, Publisher]] = {}
        self._waiting: dict[int, DownTrack] = {}

    def join(self, watcher: Watcher, now_ns: int) -> None:
        """A watcher is connected: he gets his feeds from now on."""
        for track in watcher.tracks.values():
            self._watchers[id(track)] = watcher
        watcher.view.join(now_ns)

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        watcher.view.leave()
        for track in watcher.tracks.values():
            self._watchers.pop(id(track), None)
            self._waiting.pop(id(track), None)

    # -------------------------------------------------------------- receive

    def on_rtp_run(
        self, peer: Publisher, rx: SrtpSession, length: int, segment: int, now_ns: int
    ) -> int:
        """Take the packets of `segment` bytes that a run begins with, if it is all media.

        Returns:
            Where something else follows: the shorter last one, or all of it.
        """
        buffer = self._port.buffer
        if segment < MIN_SEGMENT or 2 * segment > length:
            return 0
        if not _all_rtp(buffer.view, length, segment):
            return 0
        count = min(length // segment, MAX_RUN)
        sizes = rx.unprotect_run(buffer, segment, count)
        size = sizes[0]
        taken = 0
        if size > 0 and sizes.count(size) == count:
            taken = self._take_columns(peer, count, segment, size, now_ns)
        for index in range(taken, count):
            self._on_decrypted(peer, index * segment, sizes[index], now_ns)
        if taken:
            peer.heard_ns = peer.media_ns = now_ns
        return count * segment

    def _take_columns(
        self, peer: Publisher, count: int, segment: int, size: int, now_ns: int
    ) -> int:
        """Take the ordinary packets a decrypted run begins with; return how many."""
        view = self._port.buffer.view
        inbound = peer.inbound.get(int.from_bytes(view[8:12], "big"))
        if inbound is None:
            return 0
        run = None if inbound.layout is None else inbound.layout.read(view, count, segment, size)
        if run is None:
            inbound.layout = Layout.of(bytes(view[:size]), peer.spec.transport_cc)
            return 0
        taken = inbound.receive_run(run, now_ns)
        if not taken:
            return 0
        if peer.arrivals is not None:
            peer.arrivals.on_numbers(run.numbers[:taken], now_ns)
        self._touched[id(inbound.feed)] = (inbound.feed, peer)
        self.gathered += taken
        return taken

    def on_rtp(self, peer: Publisher, rx: SrtpSession, start: int, size: int, now_ns: int) -> None:
        """Take the one datagram at `start`."""
        self._on_decrypted(peer, start, rx.unprotect(self._port.buffer, start, size), now_ns)

    def _on_decrypted(self, peer: Publisher, start: int, size: int, now_ns: int) -> None:
        """Take one packet as `SrtpSession.unprotect` left it."""
        if size <= 0:
            self._on_not_genuine(peer, size, start)
            return
        peer.heard_ns = peer.media_ns = now_ns
        data = bytes(self._port.buffer.view[start : start + size])
        if peer.arrivals is not None:
            peer.arrivals.on_packet(data, now_ns)
        inbound = peer.inbound.get(int.from_bytes(data[8:12], "big"))
        self._on_plain(peer, inbound, data, now_ns)

    def _on_plain(self, peer: Publisher, inbound: Inbound | None, data: bytes, now_ns: int) -> None:
        try:
            if inbound is None:
                inbound = peer.take(data, now_ns)
            else:
                inbound.receive(data, now_ns)
        except ProtocolError as error:
            self._counters.add("media_dropped", f"rtp_{error.reason}")
            return
        feed = inbound.feed
        if feed.batch:
            self._touched[id(feed)] = (feed, peer)
            self.gathered += 1
        if inbound.losses:
            self._feedback.lossy[id(peer)] = peer

    def _on_not_genuine(self, peer: Publisher, refused: int, start: int) -> None:
        """A packet that came twice is told from one that is not the peer's."""
        if refused != REPLAYED:
            self._counters.add("media_dropped", "srtp_unprotect")
            return
        self._counters.add("media_dropped", "duplicate")
        ssrc = int.from_bytes(self._port.buffer.view[start + 8 : start + 12], "big")
        inbound = peer.inbound.get(ssrc)
        if inbound is not None:
            inbound.stats.on_duplicate()

    def on_talk(
        self,
        peer: Peer,
        floor: Floor | None,
        rx: SrtpSession,
        start: int,
        size: int,
        now_ns: int,
    ) -> None:
        """An operator speaks; who may not is not even decrypted."""
        if not isinstance(peer, Watcher) or not peer.spec.talk:
            self._counters.add("media_dropped", "rtp_from_watcher")
            return
        buffer = self._port.buffer
        plain = rx.unprotect(buffer, start, size)
        if plain <= 0:
            self._counters.add("media_dropped", "srtp_unprotect")
            return
        peer.heard_ns = peer.media_ns = now_ns
        if floor is None:
            self._counters.add("media_dropped", "talk_unheard")
            return
        try:
            batch = floor.hear(peer, bytes(buffer.view[start : start + plain]), now_ns)
        except ProtocolError as error:
            self._counters.add("media_dropped", f"talk_{error.reason}")
            return
        track, listener = floor.track, floor.listener
        if not batch or track is None or listener is None:
            return
        if listener.tx is not None and listener.address is not None:
            self._egress.forward(track, batch, listener.tx, listener.address)

    # -------------------------------------------------------------- forward

    def flush(self, now_ns: int) -> None:
        """Send what is gathered to all watchers; it was read at `now_ns`."""
        watchers = self._watchers
        forward = self._egress.forward
        for feed, publisher in self._touched.values():
            batch = feed.take()
            for track in feed.tracks:
                watcher = watchers[id(track)]
                if watcher.tx is not None and watcher.address is not None:
                    forward(track, batch, watcher.tx, watcher.address)
            if feed.keyframes.wanted and feed.source is not None:
                self._feedback.ask_keyframe(publisher, feed.source, now_ns)
        self._touched.clear()
        self.gathered = 0
        self.held_ns += clock.monotonic_ns() - now_ns
        self.turns += 1
        if self._waiting:
            self._switch_layers(now_ns)

    def take_held_ms(self) -> float | None:
        """Return how long packets were here on average since the last call; None: none came.

        From reading them off the socket to handing them to it; what the kernel holds
        before that is not seen.
        """
        if not self.turns:
            return None
        held_ms = self.held_ns / self.turns / 1e6
        self.held_ns = self.turns = 0
        return held_ms

    def _switch_layers(self, now_ns: int) -> None:
        for key, track in list(self._waiting.items()):
            batch = switch.complete(track, now_ns)
            if track.target is None:
                del self._waiting[key]
            watcher = self._watchers[key]
            if batch and watcher.tx is not None and watcher.address is not None:
                self._egress.forward(track, batch, watcher.tx, watcher.address)

    def on_sender_report(self, peer: Publisher, report: rtcp.SenderReport, now_ns: int) -> None:
        """Pass a publisher's clock on to the watchers, on each one's own timeline."""
        inbound = peer.inbound.get(report.ssrc)
        if inbound is None:
            self._counters.add("media_dropped", "rtcp_foreign_ssrc")
            return
        moved = inbound.on_sender_report(report, now_ns)
        if moved is None:
            return
        if self.gathered:
            self.flush(now_ns)
        for track in inbound.feed.tracks:
            watcher = self._watchers[id(track)]
            watcher.view.path.on_report_sent(moved.ntp >> 16 & 0xFFFF_FFFF, now_ns)
            watcher.send_rtcp(
                rtcp.build_sender_report(track.sender_report(moved))
                + rtcp.build_sdes(track.ssrc, watcher.cname)
            )

    def on_watcher_time(self, peer: Watcher, now_ns: int) -> None:
        """Judge a watcher's path and choose his layers; every 100 ms."""
        for track in peer.view.on_time(now_ns):
            self._waiting[id(track)] = track
