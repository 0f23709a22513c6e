"""The packet path of one worker: who a datagram is from, and where it goes.

    datagram ─▶ address bound? ─▶ no:  STUN check with our password? bind : silence
                               └▶ yes: STUN · DTLS · SRTCP · SRTP by its first byte
                                                               └▶ Inbound ─▶ Feed
    feed's batch ─▶ each watcher's DownTrack ─▶ Egress ─▶ UDP

Nothing that is not bound reaches DTLS or SRTP, so a stranger can neither win the
race to the handshake nor make us decrypt. Nothing here is logged per packet:
`counters` has totals by reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from protocols.codec import ProtocolError
from supervisor import clock
from supervisor.counters import Counters
from supervisor.media import ice, ipc
from supervisor.media.dtls import REPLAYED, SrtpSession
from supervisor.media.egress import Egress
from supervisor.media.peer import MAX_ADDRESSES, Peer, Publisher, Watcher
from supervisor.media.talk import Floor
from supervisor.media.udp import Address, UdpPort
from supervisor.rtp import rtcp, switch
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.feed import Feed, Inbound
from supervisor.rtp.layers import Choice, LayerSet

MAX_READS: Final = 64
"""Runs taken from the socket before the loop gets its turn again."""

BATCH: Final = 32
"""Packets gathered over several runs before they are forwarded."""

OUR_SSRC: Final = 1
"""Sender of our feedback; the number libwebrtc itself uses for a receiver."""

REPORT_NS: Final = 1_000_000_000


class Vehicle:
    """The cameras and the sound of one vehicle, while anybody publishes or watches."""

    def __init__(self) -> None:
        self.cameras: dict[tuple[str, str], LayerSet] = {}
        self.floor: Floor | None = None

    def camera(self, name: str, kind: str) -> LayerSet:
        """Return one camera, new if need be."""
        key = (name, kind)
        found = self.cameras.get(key)
        if found is None:
            found = self.cameras[key] = LayerSet(name, kind)
        return found


class Router:
    """All peers behind one UDP port."""

    def __init__(self, port: UdpPort, counters: Counters) -> None:
        self.port = port
        self.counters = counters
        self.peers: dict[str, Peer] = {}
        self.vehicles: dict[str, Vehicle] = {}
        self._egress = Egress(port, counters)
        self._by_ufrag: dict[str, Peer] = {}
        self._by_address: dict[Address, Peer] = {}
        self._watchers: dict[int, Watcher] = {}
        self._touched: dict[int, tuple[Feed, Publisher]] = {}
        self._lossy: dict[int, Publisher] = {}
        self._waiting: dict[int, DownTrack] = {}
        self._publishers: dict[int, Publisher] = {}
        self._gathered = 0
        self._publisher_rtcp: dict[type, Callable[[Publisher, Any, int], None]] = {
            rtcp.SenderReport: self._on_sender_report,
        }
        self._watcher_rtcp: dict[type, Callable[[Watcher, Any, int], None]] = {
            rtcp.KeyframeAsked: self._on_keyframe_asked,
            rtcp.Nack: self._on_nack,
            rtcp.BitrateEstimated: self._on_estimate,
            rtcp.ReceiverReport: self._on_reception,
            rtcp.SenderReport: self._on_reception,
        }

    # ------------------------------------------------------------- sessions

    def add(self, peer: Peer) -> None:
        """Let a session in; it is half-open until DTLS is done."""
        self.peers[peer.session] = peer
        self._by_ufrag[peer.transport.ufrag] = peer

    def vehicle(self, name: str) -> Vehicle:
        """Return a vehicle's feeds, new if need be."""
        found = self.vehicles.get(name)
        if found is None:
            found = self.vehicles[name] = Vehicle()
        return found

    def connected(self, peer: Peer) -> None:
        """DTLS is done: media may flow."""
        peer.connected = True
        peer.connected_ns = clock.monotonic_ns()
        if isinstance(peer, Publisher) and peer.spec.talk is not None:
            vehicle = self.vehicle(peer.vehicle)
            vehicle.floor = vehicle.floor or Floor()
            vehicle.floor.listen(peer)
        if isinstance(peer, Watcher):
            for track in peer.tracks.values():
                self._watchers[id(track)] = peer
            peer.view.join(clock.monotonic_ns())
        elif isinstance(peer, Publisher):
            self._publishers[id(peer)] = peer

    def renew(self, peer: Peer, ufrag: str, password: str) -> None:
        """Give a session new ICE credentials; an earlier unused pair is forgotten."""
        if peer.renewed is not None:
            self._by_ufrag.pop(peer.renewed[0], None)
        peer.renewed = (ufrag, password)
        self._by_ufrag[ufrag] = peer

    def remove(self, peer: Peer) -> None:
        """Forget a session and all its addresses."""
        if self.peers.pop(peer.session, None) is None:
            return
        self._by_ufrag.pop(peer.transport.ufrag, None)
        if peer.renewed is not None:
            self._by_ufrag.pop(peer.renewed[0], None)
        for address in peer.addresses:
            if self._by_address.get(address) is peer:
                del self._by_address[address]
        if isinstance(peer, Watcher):
            peer.view.leave()
            for track in peer.tracks.values():
                self._watchers.pop(id(track), None)
                self._waiting.pop(id(track), None)
        self._lossy.pop(id(peer), None)
        floor = self.vehicles[peer.vehicle].floor
        if floor is not None and isinstance(peer, Publisher | Watcher):
            floor.leave(peer)
        self._publishers.pop(id(peer), None)
        self._clean(peer.vehicle)

    def _clean(self, name: str) -> None:
        """Drop the cameras of a vehicle that no session uses any more, and the vehicle."""
        used = {
            id(camera)
            for peer in self.peers.values()
            if peer.vehicle == name
            for camera in peer.uses()
        }
        vehicle = self.vehicles[name]
        for key, camera in list(vehicle.cameras.items()):
            if id(camera) not in used:
                del vehicle.cameras[key]
        if not vehicle.cameras:
            del self.vehicles[name]

    def set_layers(self, peer: Watcher, wishes: dict[str, Choice]) -> None:
        """A watcher asks for other sizes."""
        for camera, choice in wishes.items():
            peer.view.ask(camera, choice)
        if peer.connected:
            self._on_watcher_time(peer, clock.monotonic_ns())

    # -------------------------------------------------------------- receive

    def on_readable(self) -> None:
        """Drain the socket, forward, and ask for what is missing."""
        receive = self.port.receive
        now_ns = clock.monotonic_ns()
        for _ in range(MAX_READS):
            run = receive()
            if run is None:
                break
            self._on_run(*run, now_ns)
            if self._gathered >= BATCH:
                self._forward(now_ns)
                now_ns = clock.monotonic_ns()
        if self._gathered:
            self._forward(now_ns)
        if self._lossy:
            self._ask_again(now_ns)

    def _on_run(self, length: int, segment: int, address: Address, now_ns: int) -> None:
        peer = self._by_address.get(address)
        if peer is None:
            self._on_stranger(length, segment, address, now_ns)
            return
        view = self.port.buffer.view
        publisher = peer if isinstance(peer, Publisher) else None
        elsewhere = peer.address != address
        if elsewhere:
            peer.media_ns = 0
        start = 0
        if publisher is not None and peer.rx is not None:
            start = self._on_rtp_run(publisher, peer.rx, length, segment, now_ns)
        while start < length:
            size = segment if start + segment <= length else length - start
            first = view[start]
            if 127 < first < 192:
                rx = peer.rx
                if rx is None or size < 12:
                    self.counters.add("media_dropped", "early" if size >= 12 else "malformed")
                elif 191 < view[start + 1] < 224:
                    self._on_rtcp(peer, rx, start, size, now_ns)
                elif publisher is None:
                    self._on_talk(peer, rx, start, size, now_ns)
                else:
                    self._on_rtp(publisher, rx, start, size, now_ns)
            elif 19 < first < 64:
                if peer.dtls is not None and not peer.dtls.feed(bytes(view[start : start + size])):
                    self.counters.add("media_dropped", "dtls_queue_full")
            elif first < 4:
                self._on_stun(bytes(view[start : start + size]), address, now_ns)
            else:
                self.counters.add("media_dropped", "unknown_protocol")
            start += size
        if elsewhere and peer.media_ns:
            self._switch(peer, address)

    def _on_stranger(self, length: int, segment: int, address: Address, now_ns: int) -> None:
        view = self.port.buffer.view
        for start in range(0, length, segment or 1):
            if view[start] < 2:
                data = bytes(view[start : min(start + segment, length)])
                self._on_stun(data, address, now_ns)
            else:
                self.counters.add("media_dropped", "unbound")

    def _on_stun(self, data: bytes, address: Address, now_ns: int) -> None:
        try:
            request = ice.parse_request(data)
        except ProtocolError as error:
            self.counters.add("media_dropped", f"stun_{error.reason}")
            return
        peer = self._by_ufrag.get(request.ufrag)
        if peer is None:
            self.counters.add("media_dropped", "stun_unknown_user")
            return
        password = peer.transport.password
        renewed = peer.renewed is not None and request.ufrag == peer.renewed[0]
        if renewed and peer.renewed is not None:
            password = peer.renewed[1]
        if not request.authentic(password):
            self.counters.add("media_dropped", "stun_integrity")
            return
        if not peer.fresh(request.transaction, address):
            self.counters.add("media_dropped", "stun_replayed")
            return
        if renewed:
            self._use_renewed(peer, request.ufrag, password)
        peer.heard_ns = now_ns
        self._bind(peer, address, request.nominated)
        response = ice.build_response(request, address[:2], password)
        self.port.send(response, len(response), address)

    def _use_renewed(self, peer: Peer, ufrag: str, password: str) -> None:
        """The peer uses its new credentials: the old ones end (RFC 8445 §9)."""
        self._by_ufrag.pop(peer.transport.ufrag, None)
        peer.transport = ipc.Transport(ufrag, password, peer.transport.fingerprints)
        peer.renewed = None

    def _bind(self, peer: Peer, address: Address, nominated: bool) -> None:
        """A new validated address takes over at once; of known ones, the nominated."""
        holder = self._by_address.get(address)
        if holder is not peer:
            if holder is not None:
                holder.addresses.remove(address)
                if holder.address == address:
                    holder.address = holder.addresses[-1] if holder.addresses else None
            self._by_address[address] = peer
            peer.addresses.append(address)
            if len(peer.addresses) > MAX_ADDRESSES:
                oldest = peer.addresses.pop(0)
                self._by_address.pop(oldest, None)
            self._switch(peer, address)
        elif nominated and peer.address != address:
            self._switch(peer, address)

    def _switch(self, peer: Peer, address: Address) -> None:
        if peer.address is not None:
            self.counters.add("media_rebound")
            if isinstance(peer, Publisher) and peer.uplink is not None:
                peer.uplink.restart()
        peer.address = address

    def _on_rtp_run(
        self, peer: Publisher, rx: SrtpSession, length: int, segment: int, now_ns: int
    ) -> int:
        """Take the media a run begins with; return where something else follows."""
        packets, stopped = rx.unprotect_run(self.port.buffer, length, segment)
        if peer.arrivals is not None:
            peer.arrivals.on_run(packets, now_ns)
        index = 0
        while index < len(packets):
            data = packets[index]
            inbound = peer.inbound.get(int.from_bytes(data[8:12], "big"))
            taken = index if inbound is None else inbound.receive_run(packets, index, now_ns)
            if inbound is None or taken == index:
                self._on_plain(peer, inbound, data, now_ns)
                index += 1
                continue
            self._touched[id(inbound.feed)] = (inbound.feed, peer)
            self._gathered += taken - index
            index = taken
        if packets:
            peer.heard_ns = peer.media_ns = now_ns
        return stopped

    def _on_rtp(self, peer: Publisher, rx: SrtpSession, start: int, size: int, now_ns: int) -> None:
        buffer = self.port.buffer
        plain = rx.unprotect(buffer, start, size)
        if plain <= 0:
            self._on_not_genuine(peer, plain, start)
            return
        peer.heard_ns = peer.media_ns = now_ns
        data = bytes(buffer.view[start : start + plain])
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
            self.counters.add("media_dropped", f"rtp_{error.reason}")
            return
        feed = inbound.feed
        if feed.batch:
            self._touched[id(feed)] = (feed, peer)
            self._gathered += 1
        if inbound.losses:
            self._lossy[id(peer)] = peer

    def _on_not_genuine(self, peer: Publisher, refused: int, start: int) -> None:
        """A packet that came twice is told from one that is not the peer's."""
        if refused != REPLAYED:
            self.counters.add("media_dropped", "srtp_unprotect")
            return
        self.counters.add("media_dropped", "duplicate")
        ssrc = int.from_bytes(self.port.buffer.view[start + 8 : start + 12], "big")
        inbound = peer.inbound.get(ssrc)
        if inbound is not None:
            inbound.stats.on_duplicate()

    def _on_talk(self, peer: Peer, rx: SrtpSession, start: int, size: int, now_ns: int) -> None:
        """An operator speaks; who may not is not even decrypted."""
        if not isinstance(peer, Watcher) or not peer.spec.talk:
            self.counters.add("media_dropped", "rtp_from_watcher")
            return
        buffer = self.port.buffer
        plain = rx.unprotect(buffer, start, size)
        if not plain:
            self.counters.add("media_dropped", "srtp_unprotect")
            return
        peer.heard_ns = peer.media_ns = now_ns
        floor = self.vehicles[peer.vehicle].floor
        if floor is None:
            self.counters.add("media_dropped", "talk_unheard")
            return
        try:
            batch = floor.hear(peer, bytes(buffer.view[start : start + plain]), now_ns)
        except ProtocolError as error:
            self.counters.add("media_dropped", f"talk_{error.reason}")
            return
        track, listener = floor.track, floor.listener
        if not batch or track is None or listener is None:
            return
        if listener.tx is not None and listener.address is not None:
            self._egress.forward(track, batch, listener.tx, listener.address)

    def _on_rtcp(self, peer: Peer, rx: SrtpSession, start: int, size: int, now_ns: int) -> None:
        buffer = self.port.buffer
        plain = rx.unprotect_rtcp(buffer, start, size)
        if plain <= 0:
            self.counters.add("media_dropped", "srtcp_unprotect")
            return
        peer.heard_ns = peer.media_ns = now_ns
        try:
            packets = rtcp.parse(bytes(buffer.view[start : start + plain]))
        except ProtocolError as error:
            self.counters.add("media_dropped", f"rtcp_{error.reason}")
            return
        handlers: dict[type, Callable[[Any, Any, int], None]] = (
            self._publisher_rtcp if isinstance(peer, Publisher) else self._watcher_rtcp
        )
        for packet in packets:
            handler = handlers.get(type(packet))
            if handler is not None:
                handler(peer, packet, now_ns)

    # -------------------------------------------------------------- forward

    def _forward(self, now_ns: int) -> None:
        watchers = self._watchers
        forward = self._egress.forward
        for feed, publisher in self._touched.values():
            batch = feed.take()
            for track in feed.tracks:
                watcher = watchers[id(track)]
                if watcher.tx is not None and watcher.address is not None:
                    forward(track, batch, watcher.tx, watcher.address)
            if feed.keyframes.wanted and feed.source is not None:
                self._ask_keyframe(publisher, feed.source, now_ns)
        self._touched.clear()
        self._gathered = 0
        if self._waiting:
            self._switch_layers(now_ns)

    def _switch_layers(self, now_ns: int) -> None:
        for key, track in list(self._waiting.items()):
            batch = switch.complete(track, now_ns)
            if track.target is None:
                del self._waiting[key]
            watcher = self._watchers[key]
            if batch and watcher.tx is not None and watcher.address is not None:
                self._egress.forward(track, batch, watcher.tx, watcher.address)

    # ------------------------------------------------------------- feedback

    def _on_sender_report(self, peer: Publisher, report: rtcp.SenderReport, now_ns: int) -> None:
        inbound = peer.inbound.get(report.ssrc)
        if inbound is None:
            self.counters.add("media_dropped", "rtcp_foreign_ssrc")
            return
        moved = inbound.on_sender_report(report, now_ns)
        if moved is None:
            return
        if self._gathered:
            self._forward(now_ns)
        for track in inbound.feed.tracks:
            watcher = self._watchers[id(track)]
            watcher.view.path.on_report_sent(moved.ntp >> 16 & 0xFFFF_FFFF, now_ns)
            watcher.send_rtcp(
                rtcp.build_sender_report(track.sender_report(moved))
                + rtcp.build_sdes(track.ssrc, watcher.cname)
            )

    def _on_keyframe_asked(self, peer: Watcher, packet: rtcp.KeyframeAsked, now_ns: int) -> None:
        track = peer.tracks.get(packet.media)
        if track is None:
            self.counters.add("media_dropped", "rtcp_foreign_ssrc")
            return
        if track.last_sequence is None:
            track.feed.keyframes.ask()

    def _on_nack(self, peer: Watcher, packet: rtcp.Nack, now_ns: int) -> None:
        track = peer.tracks.get(packet.media)
        if track is None or peer.tx is None or peer.address is None:
            self.counters.add("media_dropped", "rtcp_foreign_ssrc")
            return
        for sequence in packet.sequences:
            found = track.repair(sequence, now_ns)
            if found is not None:
                form = self._egress.repair(track, found, peer.tx, peer.address)
                if form is not None:
                    self.counters.add("media_repairs", form)

    def _on_estimate(self, peer: Watcher, packet: rtcp.BitrateEstimated, now_ns: int) -> None:
        peer.view.path.on_estimate(packet.bits_per_second, now_ns)

    def _on_reception(
        self, peer: Watcher, packet: rtcp.ReceiverReport | rtcp.SenderReport, now_ns: int
    ) -> None:
        for block in packet.reports:
            if block.ssrc in peer.tracks:
                peer.view.path.on_reception(block.fraction_lost, block.lsr, block.dlsr, now_ns)

    def _ask_keyframe(self, peer: Publisher, inbound: Inbound, now_ns: int) -> None:
        if peer.inbound.get(inbound.ssrc) is not inbound or inbound.feed.source is not inbound:
            return
        if inbound.feed.keyframes.due(now_ns):
            peer.send_rtcp(
                rtcp.build_receiver_report(OUR_SSRC, ()) + rtcp.build_pli(OUR_SSRC, inbound.ssrc)
            )

    def _ask_again(self, now_ns: int) -> None:
        for key, peer in list(self._lossy.items()):
            waiting = False
            for inbound in peer.inbound.values():
                losses = inbound.losses
                if not losses:
                    continue
                given_up = losses.given_up
                asked = losses.due(now_ns, inbound.stats.packets)
                if losses.given_up != given_up:
                    inbound.feed.keyframes.ask()
                    self._ask_keyframe(peer, inbound, now_ns)
                if asked:
                    peer.send_rtcp(
                        rtcp.build_receiver_report(OUR_SSRC, ())
                        + rtcp.build_nack(OUR_SSRC, inbound.ssrc, asked)
                    )
                waiting = waiting or bool(losses)
            if not waiting:
                del self._lossy[key]

    # ----------------------------------------------------------------- time

    def on_repair_time(self, now_ns: int) -> None:
        """Ask again for what is still missing, steer the publishers' rates; every 20 ms."""
        if self._lossy:
            self._ask_again(now_ns)
        for publisher in self._publishers.values():
            self._steer(publisher, now_ns)

    def _steer(self, peer: Publisher, now_ns: int) -> None:
        """Tell a publisher what arrived and when, or what its uplink carries."""
        if peer.arrivals is not None:
            if peer.arrivals.due(now_ns) and peer.inbound:
                media = next(iter(peer.inbound))
                for report in peer.arrivals.reports(OUR_SSRC, media, now_ns):
                    peer.send_rtcp(report)
        elif peer.uplink is not None:
            bps = peer.uplink.on_time(peer.current, now_ns)
            if bps is not None:
                self._tell_rate(peer, bps)

    def _tell_rate(self, peer: Publisher, bps: int) -> None:
        videos = [stream.ssrc for stream in peer.current if stream and not stream.is_audio]
        if videos:
            peer.send_rtcp(
                rtcp.build_receiver_report(OUR_SSRC, ()) + rtcp.build_remb(OUR_SSRC, bps, videos)
            )

    def on_time(self, now_ns: int) -> list[tuple[Peer, str]]:
        """Do what is due every 100 ms; return the sessions that have to end, and why."""
        expired: list[tuple[Peer, str]] = []
        for peer in self.peers.values():
            reason = peer.expired(now_ns)
            if reason is not None:
                expired.append((peer, reason))
            elif isinstance(peer, Watcher):
                for track in peer.tracks.values():
                    track.on_interval()
                if peer.connected:
                    self._on_watcher_time(peer, now_ns)
            elif isinstance(peer, Publisher) and peer.connected:
                self._on_publisher_time(peer, now_ns)
        for vehicle in self.vehicles.values():
            for camera in vehicle.cameras.values():
                if camera.layered:
                    camera.on_time(now_ns)
        return expired

    def _on_watcher_time(self, peer: Watcher, now_ns: int) -> None:
        for track in peer.view.on_time(now_ns):
            self._waiting[id(track)] = track

    def _on_publisher_time(self, peer: Publisher, now_ns: int) -> None:
        for inbound in peer.current:
            if inbound is not None:
                self._ask_keyframe(peer, inbound, now_ns)
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
            bps = peer.spec.max_kbps * 1000 if peer.uplink is None else peer.uplink.bps
            packet += rtcp.build_remb(OUR_SSRC, bps, videos)
        peer.send_rtcp(packet)
