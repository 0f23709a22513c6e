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

from collections.abc import Callable, Iterator
from typing import Final

from protocols.codec import ProtocolError
from supervisor import clock
from supervisor.counters import Counters
from supervisor.media import ice, ipc
from supervisor.media.egress import Egress
from supervisor.media.ended import Ended
from supervisor.media.feedback import Feedback
from supervisor.media.forwarding import Forwarding
from supervisor.media.peer import MAX_ADDRESSES, Peer, Publisher, Watcher
from supervisor.media.srtp import SrtpSession
from supervisor.media.talk import Floor
from supervisor.media.udp import Address, UdpPort
from supervisor.rtp import rtcp
from supervisor.rtp.layers import Choice, LayerSet

MAX_READS: Final = 64
"""Runs taken from the socket before the loop gets its turn again."""

SHED_AFTER_NS: Final = 1_000_000_000
"""The socket has to be busy for so long before media is shed: a worker that was only
kept from running for a while catches up without losing anything."""

MAX_SHED: Final = 1024
"""Runs taken from it in one turn while media is shed."""

BATCH: Final = 32
"""Packets gathered over several runs before they are forwarded."""


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
        self.ended = Ended()
        self.granted: Callable[[str], str | None] = lambda vehicle: None
        self._by_ufrag: dict[str, Peer] = {}
        self._by_address: dict[Address, Peer] = {}
        egress = Egress(port, counters)
        self._feedback = Feedback(egress, counters)
        self._forwarding = Forwarding(port, egress, self._feedback, counters)
        self._busy_since_ns: int | None = None

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
            vehicle.floor = vehicle.floor or Floor(lambda: self.granted(peer.vehicle))
            vehicle.floor.listen(peer)
        if isinstance(peer, Watcher):
            self._forwarding.join(peer, clock.monotonic_ns())
        elif isinstance(peer, Publisher):
            self._feedback.join(peer)

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
        self.ended.add(peer.transport.ufrag, peer.transport.password)
        self._by_ufrag.pop(peer.transport.ufrag, None)
        if peer.renewed is not None:
            self._by_ufrag.pop(peer.renewed[0], None)
        for address in peer.addresses:
            if self._by_address.get(address) is peer:
                del self._by_address[address]
        if isinstance(peer, Watcher):
            self._forwarding.leave(peer)
        self._feedback.leave(peer)
        floor = self.vehicles[peer.vehicle].floor
        if floor is not None and isinstance(peer, Publisher | Watcher):
            floor.leave(peer)
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
            self._forwarding.on_watcher_time(peer, clock.monotonic_ns())

    def take_held_ms(self) -> float | None:
        """Return how long packets were in this worker on average since the last call."""
        return self._forwarding.take_held_ms()

    # -------------------------------------------------------------- receive

    def on_readable(self) -> None:
        """Drain the socket, forward, and ask for what is missing."""
        receive = self.port.receive
        forwarding = self._forwarding
        now_ns = clock.monotonic_ns()
        for _ in range(MAX_READS):
            run = receive()
            if run is None:
                self._busy_since_ns = None
                break
            self._on_run(*run, now_ns)
            if forwarding.gathered >= BATCH:
                forwarding.flush(now_ns)
                now_ns = clock.monotonic_ns()
        else:
            self._on_busy(now_ns)
        if forwarding.gathered:
            forwarding.flush(now_ns)
        if self._feedback.lossy:
            self._feedback.ask_again(now_ns)

    def _on_busy(self, now_ns: int) -> None:
        """More was waiting than one turn takes."""
        if self._busy_since_ns is None:
            self._busy_since_ns = now_ns
        elif now_ns - self._busy_since_ns > SHED_AFTER_NS and self.port.crowded:
            self._busy_since_ns = None
            self._shed(now_ns)

    def _shed(self, now_ns: int) -> None:
        """Empty the socket of media that comes faster than it can be forwarded.

        Checks, handshakes and reports are taken: in the kernel's queue they would be
        lost like everything else, and no peer could connect to a busy worker. A live
        picture that had to wait behind all the others would be late anyway.
        """
        view = self.port.buffer.view
        self._feedback.calm(now_ns)
        for _ in range(MAX_SHED):
            run = self.port.receive()
            if run is None:
                return
            length, segment, address = run
            if length >= 2 and 127 < view[0] < 192 and not 191 < view[1] < 224:
                self.counters.add("media_dropped", "overload", -(-length // segment))
            else:
                self._on_run(length, segment, address, now_ns)

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
            start = self._forwarding.on_rtp_run(publisher, peer.rx, length, segment, now_ns)
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
                    floor = self.vehicles[peer.vehicle].floor
                    self._forwarding.on_talk(peer, floor, rx, start, size, now_ns)
                else:
                    self._forwarding.on_rtp(publisher, rx, start, size, now_ns)
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
            self._on_ended(request, address)
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

    def _on_ended(self, request: ice.BindingRequest, address: Address) -> None:
        """Tell the peer of an ended session so; anybody else gets silence."""
        password = self.ended.password(request.ufrag)
        if password is None or not request.authentic(password):
            self.counters.add("media_dropped", "stun_unknown_user")
            return
        self.counters.add("media_dropped", "stun_ended")
        response = ice.build_refusal(request, password)
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
            if isinstance(peer, Publisher):
                peer.uplink.restart()
        peer.address = address

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
        for packet in packets:
            if isinstance(peer, Watcher):
                self._feedback.on_watcher_packet(peer, packet, now_ns)
            elif isinstance(peer, Publisher) and isinstance(packet, rtcp.SenderReport):
                self._forwarding.on_sender_report(peer, packet, now_ns)

    # ----------------------------------------------------------------- time

    @property
    def lossy(self) -> bool:
        """Tell whether anything is missing or was a moment ago."""
        return bool(self._feedback.lossy)

    def ask_again(self, now_ns: int) -> None:
        """Ask for what is still missing; often while `lossy`."""
        self._feedback.ask_again(now_ns)

    def on_repair_time(self, now_ns: int) -> None:
        """Do all `repair_turns` at once."""
        self._feedback.on_repair_time(now_ns)

    def repair_turns(self, now_ns: int) -> Iterator[None]:
        """Ask again for what is missing, steer the publishers' rates; see `Feedback`."""
        return self._feedback.repair_turns(now_ns)

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
                    self._forwarding.on_watcher_time(peer, now_ns)
            elif isinstance(peer, Publisher) and peer.connected:
                self._feedback.on_publisher_time(peer, now_ns)
        for vehicle in self.vehicles.values():
            for camera in vehicle.cameras.values():
                if camera.layered:
                    camera.on_time(now_ns)
        return expired
