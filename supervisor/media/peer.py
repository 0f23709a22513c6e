"""One session of the media worker: a publisher or a watcher, and what it may do."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from protocols.codec import ProtocolError
from supervisor.core.events import StreamSample
from supervisor.media import ipc
from supervisor.media.dtls import Channel, Dtls
from supervisor.media.exchanges import Exchanges
from supervisor.media.reports import LayeredReport
from supervisor.media.srtp import SrtpError, SrtpSession
from supervisor.media.udp import Address, UdpPort
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.layers import LayerSet
from supervisor.rtp.packet import RtpHeader, find_extension, parse_rtp
from supervisor.rtp.transport_cc import Arrivals
from supervisor.rtp.uplink import Uplink
from supervisor.rtp.view import Shown, View

HALF_OPEN_NS: Final = 10_000_000_000
"""A session without finished DTLS ends after this."""

SILENT_NS: Final = 15_000_000_000
"""A bound peer that sends neither STUN nor genuine SRTP ends after this."""

MAX_ADDRESSES: Final = 4
"""Validated addresses kept for one session; the oldest is forgotten first."""

MAX_TRANSACTIONS: Final = 64
"""STUN transactions remembered for one session, so that none is used twice."""

RIGHT_NS: Final = 10_000_000_000
"""How long a session may go on without the hub renewing its right."""

NO_MEDIA_NS: Final = 15_000_000_000
"""A publisher that answers for its address but sends no media ends after this."""

EXTRA_SSRCS: Final = 8
"""Unannounced SSRCs a publisher may use beyond one for each m-line."""


class Peer:
    """What publisher and watcher have in common: addresses and encryption.

    Attributes:
        address: Where to send; None until a check bound one.
        addresses: All validated ones, oldest first.
        renewed: (ufrag, password) given by an ICE restart and not used yet.
        connected_ns: When DTLS was done; 0 before.
        heard_ns: When something genuine last came.
        media_ns: When genuine SRTP or SRTCP last came.
        expires_ns: When its right ends unless the hub renews it.
        memo: The hub's note on it.
    """

    def __init__(
        self, session: str, vehicle: str, transport: ipc.Transport, port: UdpPort, now_ns: int
    ) -> None:
        self.session = session
        self.vehicle = vehicle
        self.transport = transport
        self.opened_ns = now_ns
        self.expires_ns = now_ns + RIGHT_NS
        self.heard_ns = now_ns
        self.media_ns = 0
        self.connected = False
        self.connected_ns = 0
        self.renewed: tuple[str, str] | None = None
        self.memo = b""
        self.address: Address | None = None
        self.addresses: list[Address] = []
        self.dtls: Dtls | None = None
        self.rx: SrtpSession | None = None
        self.tx: SrtpSession | None = None
        self.channel: Channel | None = None
        self.task: asyncio.Task[None] | None = None
        self._port = port
        self._transactions: deque[tuple[bytes, Address]] = deque(maxlen=MAX_TRANSACTIONS)

    def fresh(self, transaction: bytes, address: Address) -> bool:
        """Tell whether this check is not a copy of one seen from elsewhere.

        Somebody on the path can repeat a genuine check from his own address; the
        peer's own retransmissions come from the same one.
        """
        for known, origin in self._transactions:
            if known == transaction:
                return origin == address
        self._transactions.append((transaction, address))
        return True

    def send(self, data: bytes) -> None:
        """Send one datagram to the bound address, if there is one."""
        if self.address is not None:
            self._port.send(data, len(data), self.address)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound RTCP packet; nothing before DTLS is done."""
        if self.tx is not None:
            try:
                self.send(self.tx.protect_rtcp(packet))
            except SrtpError:
                self._port.counters.add("media_dropped", "srtp_protect")

    def uses(self) -> list[LayerSet]:
        """Return the cameras (and sound) this session sends or takes."""
        return []

    def expired(self, now_ns: int) -> str | None:
        """Return why this session has to end by now, None if it has not."""
        if now_ns > self.expires_ns:
            return "right_expired"
        if not self.connected and now_ns - self.opened_ns > HALF_OPEN_NS:
            return "half_open"
        if now_ns - self.heard_ns > SILENT_NS:
            return "silent"
        return None


class Publisher(Peer):
    """A vehicle that sends.

    Attributes:
        cameras: By m-line or simulcast stream, in the order of `spec.streams`.
        feeds: The same, each one layer.
        current: The newest SSRC of each m-line.
        inbound: All SSRCs taken so far, without those of retransmissions.
        arrivals: For the feedback of a publisher that estimates its uplink itself.
        uplink: Our estimate; for such a publisher a cap.
        exchanges: Of clocks, while its channel for them is open.
    """

    def __init__(
        self, spec: ipc.OpenPublisher, cameras: list[LayerSet], port: UdpPort, now_ns: int
    ) -> None:
        super().__init__(spec.session, spec.vehicle, spec.transport, port, now_ns)
        self.spec = spec
        self.cameras = cameras
        feeds = self.feeds = [
            layers.feed(stream.layer, stream.rank)
            for layers, stream in zip(cameras, spec.streams, strict=True)
        ]
        self._several = {
            layers.camera: LayeredReport(layers)
            for layers in cameras
            if sum(other is layers for other in cameras) > 1
        }
        self.inbound: dict[int, Inbound] = {}
        self.current: list[Inbound | None] = [None] * len(feeds)
        self.reported_ns = now_ns
        self.arrivals = Arrivals(spec.transport_cc) if spec.transport_cc else None
        max_bps = spec.max_kbps * 1000
        self.uplink = Uplink(max_bps, spec.send_time)
        self.exchanges: Exchanges | None = None
        self._by_ssrc = {
            ssrc: index for index, stream in enumerate(spec.streams) for ssrc in stream.ssrcs
        }
        self._by_mid = {
            stream.mid.encode(): index
            for index, stream in enumerate(spec.streams)
            if stream.mid and not stream.rid
        }
        self._by_rid = {
            (stream.mid.encode(), stream.rid.encode()): index
            for index, stream in enumerate(spec.streams)
            if stream.rid
        }
        self._limit = len(feeds) + len(self._by_ssrc) + EXTRA_SSRCS
        self._repairs = {
            rtx: ssrc for stream in spec.streams for rtx, ssrc in stream.repairs.items()
        }
        self._rtx_types: dict[int, list[int]] = {}
        for index, stream in enumerate(spec.streams):
            for codec in stream.codecs:
                if codec.rtx is not None:
                    self._rtx_types.setdefault(codec.rtx, []).append(index)
        self._repaired_mid: dict[int, int] = {}

    def take(self, data: bytes, now_ns: int) -> Inbound:
        """Take a packet of an SSRC that is no known primary one; return what it was for.

        Raises:
            ProtocolError: `malformed`, `unknown_ssrc`, `ssrc_cap`, `early_rtx`.
        """
        header = parse_rtp(data)
        if header.payload_type in self._rtx_types:
            inbound = self._repaired(data, header)
            inbound.receive_rtx(data, header.payload_type, now_ns)
        else:
            inbound = self._route(data, header)
            inbound.receive(data, now_ns)
        return inbound

    def _repaired(self, data: bytes, header: RtpHeader) -> Inbound:
        """Find what an RTX stream repairs: announced, else by its m-line (RFC 4588 §5.3)."""
        primary = self._repairs.get(header.ssrc)
        if primary is not None:
            found = self.inbound.get(primary)
        else:
            index = self._repaired_mid.get(header.ssrc)
            if index is None:
                index = self._mid_index(data, self.spec.repaired_rid_extension)
                if index is not None and len(self._repaired_mid) < self._limit:
                    self._repaired_mid[header.ssrc] = index
            fitting = self._rtx_types[header.payload_type]
            if index is None and len(fitting) == 1:
                index = fitting[0]
            found = self.current[index] if index is not None else None
        if found is None:
            raise ProtocolError("early_rtx", "a retransmission of nothing received yet")
        return found

    def _mid_index(self, data: bytes, rid_extension: int) -> int | None:
        """Find the stream by MID, and by RID where an m-line has several (RFC 8852)."""
        if not self.spec.mid_extension:
            return None
        mid = find_extension(data, self.spec.mid_extension)
        if mid is None:
            return None
        if self._by_rid and rid_extension:
            rid = find_extension(data, rid_extension)
            if rid is not None:
                return self._by_rid.get((mid, rid))
        return self._by_mid.get(mid)

    def _route(self, data: bytes, header: RtpHeader) -> Inbound:
        """Find the m-line of a new SSRC: announced, by MID, or by its payload type alone."""
        index = self._by_ssrc.get(header.ssrc)
        if index is None:
            index = self._mid_index(data, self.spec.rid_extension)
        if index is None:
            fitting = [
                number
                for number, stream in enumerate(self.spec.streams)
                if any(codec.payload_type == header.payload_type for codec in stream.codecs)
            ]
            if len(fitting) == 1:
                index = fitting[0]
        if index is None:
            raise ProtocolError("unknown_ssrc", "no m-line fits")
        if len(self.inbound) >= self._limit:
            raise ProtocolError("ssrc_cap", f"{len(self.inbound)} SSRCs already")
        inbound = Inbound(self.feeds[index], header.ssrc, self.spec.streams[index].codecs)
        self.inbound[header.ssrc] = inbound
        self.current[index] = inbound
        return inbound

    def uses(self) -> list[LayerSet]:
        """Return the cameras (and sound) it sends."""
        return self.cameras

    def report(self, forward_ms: float | None = None) -> list[StreamSample]:
        """Return the state of every m-line that has sent something.

        Args:
            forward_ms: How long packets are in this worker at present.
        """
        reports: list[StreamSample] = []
        for inbound in self.current:
            if inbound is None:
                continue
            stats = inbound.stats
            sent = inbound.feed.sender_report if inbound.feed.source is inbound else None
            losses = inbound.losses
            width, height = inbound.size or (None, None)
            arrived_rtp, arrived_ns = inbound.arrived() or (None, None)
            reports.append(
                StreamSample(
                    camera=inbound.feed.camera,
                    kind=inbound.feed.kind,
                    codec=inbound.codec.name,
                    clock_rate=inbound.clock_rate,
                    packets=stats.packets,
                    lost=stats.lost,
                    bytes=stats.bytes,
                    frames=stats.frames,
                    keyframes=stats.keyframes,
                    jitter_ms=round(stats.jitter_ms, 3),
                    last_frame_ns=stats.last_frame_ns,
                    sender_rtp=sent.rtp if sent is not None else None,
                    sender_ntp=sent.ntp if sent is not None else None,
                    repaired=stats.repaired,
                    lost_for_good=stats.lost if losses is None else losses.given_up,
                    duplicates=stats.duplicates,
                    longest_gap_ms=round(stats.take_gap_ns() / 1e6, 3),
                    last_packet_ns=stats.last_packet_ns,
                    estimate_kbps=self.uplink.bps // 1000,
                    width=width,
                    height=height,
                    arrived_rtp=arrived_rtp,
                    arrived_ns=arrived_ns,
                    forward_ms=forward_ms,
                )
            )
        return self._merged(reports) if self._several else reports

    def _merged(self, reports: list[StreamSample]) -> list[StreamSample]:
        """Make one report of each camera's layers."""
        current = [inbound for inbound in self.current if inbound is not None]
        by_camera: dict[str, list[tuple[Feed, StreamSample]]] = {}
        for inbound, report in zip(current, reports, strict=True):
            by_camera.setdefault(report.camera, []).append((inbound.feed, report))
        return [
            self._several[camera].merge(entries, self.newest_ns())
            if camera in self._several
            else entries[0][1]
            for camera, entries in by_camera.items()
        ]

    def expired(self, now_ns: int) -> str | None:
        """Return why this session has to end by now, None if it has not."""
        reason = super().expired(now_ns)
        if reason is None and self.connected:
            newest = [stream.stats.last_packet_ns or 0 for stream in self.inbound.values()]
            if now_ns - max(self.connected_ns, *newest, 0) > NO_MEDIA_NS:
                return "no_media"
        return reason

    def newest_ns(self) -> int:
        """Return when the newest packet of all came."""
        return max((feed.last_ns for feed in self.feeds), default=0)


class Watcher(Peer):
    """An operator's browser, or anyone else who may look.

    Attributes:
        tracks: By the SSRC he was given; he may send feedback for these alone.
        holder: The sign-in he belongs to.
        talking: His voice, by SSRC.
        view: Which layer of each camera he is shown.
    """

    def __init__(
        self, spec: ipc.OpenWatcher, cameras: list[LayerSet], port: UdpPort, now_ns: int
    ) -> None:
        super().__init__(spec.session, spec.vehicle, spec.transport, port, now_ns)
        self.spec = spec
        self.cname = spec.cname
        self.holder = spec.holder
        self.talking: dict[int, Inbound] = {}
        self.tracks: dict[int, DownTrack] = {
            stream.ssrc: DownTrack(
                layers.best(now_ns),
                stream.ssrc,
                stream.codecs,
                rtx_ssrc=stream.rtx_ssrc,
                first_sequence=stream.first_sequence,
            )
            for stream, layers in zip(spec.streams, cameras, strict=True)
        }
        self.cameras = cameras
        self.view = View(
            [
                Shown(self.tracks[stream.ssrc], layers, stream.layer)
                for stream, layers in zip(spec.streams, cameras, strict=True)
            ]
        )

    def uses(self) -> list[LayerSet]:
        """Return the cameras (and sound) he takes, connected or not."""
        return self.cameras
