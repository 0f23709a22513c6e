"""RTCP between us and each peer: what he asks and reports, what we ask and report.

A watcher asks for packets again and for keyframes, and says what his path carries. A
publisher is asked for what is missing, for a keyframe once for all who want one, and
is told what arrived and when, or what its uplink carries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from supervisor.counters import Counters
from supervisor.media.egress import Egress
from supervisor.media.peer import Peer, Publisher, Watcher
from supervisor.rtp import rtcp
from supervisor.rtp.inbound import Inbound

OUR_SSRC: Final = 1
"""Sender of our feedback; the number libwebrtc itself uses for a receiver."""

STEERED_AT_ONCE: Final = 4
"""Publishers; each takes 0.05 to 0.1 ms."""

REPORT_NS: Final = 1_000_000_000
CALM_NS: Final = 500_000_000
"""Nothing is asked again for so long after media was shed; then it is too old to be."""


class Feedback:
    """The feedback of all peers of a worker.

    Attributes:
        lossy: Publishers from whom something is missing, or was a moment ago.
    """

    def __init__(self, egress: Egress, counters: Counters) -> None:
        self.lossy: dict[int, Publisher] = {}
        self._egress = egress
        self._counters = counters
        self._publishers: dict[int, Publisher] = {}
        self._calm_until_ns = 0
        self._watcher_rtcp: dict[type, Callable[[Watcher, Any, int], None]] = {
            rtcp.KeyframeAsked: self._on_keyframe_asked,
            rtcp.Nack: self._on_nack,
            rtcp.BitrateEstimated: self._on_estimate,
            rtcp.ReceiverReport: self._on_reception,
            rtcp.SenderReport: self._on_reception,
        }

    def join(self, publisher: Publisher) -> None:
        """A publisher is connected."""
        self._publishers[id(publisher)] = publisher

    def leave(self, peer: Peer) -> None:
        """Forget a session."""
        self._publishers.pop(id(peer), None)
        self.lossy.pop(id(peer), None)

    # --------------------------------------------------------- from watchers

    def on_watcher_packet(self, peer: Watcher, packet: Any, now_ns: int) -> None:
        """Take one RTCP packet of a watcher; kinds that say nothing to us are ignored."""
        handler = self._watcher_rtcp.get(type(packet))
        if handler is not None:
            handler(peer, packet, now_ns)

    def _on_keyframe_asked(self, peer: Watcher, packet: rtcp.KeyframeAsked, now_ns: int) -> None:
        track = peer.tracks.get(packet.media)
        if track is None:
            self._counters.add("media_dropped", "rtcp_foreign_ssrc")
            return
        if track.last_sequence is None:
            track.feed.keyframes.ask()

    def _on_nack(self, peer: Watcher, packet: rtcp.Nack, now_ns: int) -> None:
        track = peer.tracks.get(packet.media)
        if track is None or peer.tx is None or peer.address is None:
            self._counters.add("media_dropped", "rtcp_foreign_ssrc")
            return
        for sequence in packet.sequences:
            for found in track.repair(sequence, now_ns):
                form = self._egress.repair(track, found, peer.tx, peer.address)
                if form is not None:
                    self._counters.add("media_repairs", form)

    def _on_estimate(self, peer: Watcher, packet: rtcp.BitrateEstimated, now_ns: int) -> None:
        peer.view.path.on_estimate(packet.bits_per_second, now_ns)

    def _on_reception(
        self, peer: Watcher, packet: rtcp.ReceiverReport | rtcp.SenderReport, now_ns: int
    ) -> None:
        for block in packet.reports:
            if block.ssrc in peer.tracks:
                peer.view.path.on_reception(block.fraction_lost, block.lsr, block.dlsr, now_ns)

    # --------------------------------------------------------- to publishers

    def ask_keyframe(self, peer: Publisher, inbound: Inbound, now_ns: int) -> None:
        """Ask for the keyframe that somebody wants, if it may be asked for now."""
        if peer.inbound.get(inbound.ssrc) is not inbound or inbound.feed.source is not inbound:
            return
        if inbound.feed.keyframes.due(now_ns):
            peer.send_rtcp(
                rtcp.build_receiver_report(OUR_SSRC, ()) + rtcp.build_pli(OUR_SSRC, inbound.ssrc)
            )

    def calm(self, now_ns: int) -> None:
        """We threw media away for want of time: asking for it again would bring more."""
        self._calm_until_ns = now_ns + CALM_NS

    def ask_again(self, now_ns: int) -> None:
        """Ask the publishers for what is missing; often while any is `lossy`."""
        if now_ns < self._calm_until_ns:
            return
        for key, peer in list(self.lossy.items()):
            waiting = False
            for inbound in peer.inbound.values():
                losses = inbound.losses
                if losses is None or not losses.restless(now_ns):
                    continue
                waiting = True
                inbound.look_for_tail(now_ns)
                asked = losses.due(now_ns, inbound.stats.packets)
                if losses.broken:
                    losses.broken = False
                    inbound.feed.keyframes.ask()
                    self.ask_keyframe(peer, inbound, now_ns)
                if asked:
                    peer.send_rtcp(
                        rtcp.build_receiver_report(OUR_SSRC, ())
                        + rtcp.build_nack(OUR_SSRC, inbound.ssrc, asked)
                    )
            if not waiting:
                del self.lossy[key]

    def on_repair_time(self, now_ns: int) -> None:
        """Do all `repair_turns` at once."""
        for _ in self.repair_turns(now_ns):
            pass

    def repair_turns(self, now_ns: int) -> Iterator[None]:
        """Ask again for what is still missing, steer the publishers' rates; every 20 ms.

        Pauses after every few publishers: media that came meanwhile may go first.
        """
        if self.lossy:
            self.ask_again(now_ns)
        for number, publisher in enumerate(list(self._publishers.values()), 1):
            if id(publisher) in self._publishers:
                self._steer(publisher, now_ns)
            if number % STEERED_AT_ONCE == 0:
                yield

    def _steer(self, peer: Publisher, now_ns: int) -> None:
        """Tell a publisher what arrived and when, and what its uplink carries."""
        if peer.arrivals is not None and peer.arrivals.due(now_ns) and peer.inbound:
            media = next(iter(peer.inbound))
            for report in peer.arrivals.reports(OUR_SSRC, media, now_ns):
                peer.send_rtcp(report)
        bps = peer.uplink.on_time(peer.current, now_ns)
        if bps is not None:
            self._tell_rate(peer, bps)

    def _tell_rate(self, peer: Publisher, bps: int) -> None:
        videos = [stream.ssrc for stream in peer.current if stream and not stream.is_audio]
        if videos:
            peer.send_rtcp(
                rtcp.build_receiver_report(OUR_SSRC, ()) + rtcp.build_remb(OUR_SSRC, bps, videos)
            )

    def on_publisher_time(self, peer: Publisher, now_ns: int) -> None:
        """Ask for a keyframe somebody waits for, report once a second; every 100 ms."""
        for inbound in peer.current:
            if inbound is not None:
                self.ask_keyframe(peer, inbound, now_ns)
        if now_ns - peer.reported_ns < REPORT_NS:
            return
        peer.reported_ns = now_ns
        current = [inbound for inbound in peer.current if inbound is not None]
        if not current:
            return
        videos = [inbound.ssrc for inbound in current if not inbound.is_audio]
        packet = rtcp.build_receiver_report(
            OUR_SSRC, [inbound.reception_report(now_ns) for inbound in current]
        )
        if videos:
            packet += rtcp.build_remb(OUR_SSRC, peer.uplink.bps, videos)
        peer.send_rtcp(packet)
