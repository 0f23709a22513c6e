"""The one place that touches aiortc's private parts.

What is used, and held by tests/media/test_dtls.py against a changed release:
`RTCDtlsTransport` over any object with `_recv`, `_send` and `role`; its
`_set_role`, `_ssl`, `_srtp_profiles`, `_rx_srtp`, `_tx_srtp`, `_task`, `_send_data`,
`_register_data_receiver`; `RTCSctpTransport` over any object with those last two,
`state` and `_role`, its `_handle_data`, `_advertised_rwnd`, `_inbound_streams`,
`_sack_misordered`, `_data_channels` and `_data_channel_queue`. What libsrtp does with
the keys is in `supervisor.media.srtp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    SRTP_PROFILES,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcsctptransport import WEBRTC_DCEP, RTCSctpTransport
from OpenSSL import SSL

from protocols.codec import ProtocolError
from supervisor import clock
from supervisor.media.flights import Flights
from supervisor.media.sctp_guard import check_sctp
from supervisor.media.srtp import GCM_TAG, SHA1_80_TAG, SrtpSession

MAX_WAITING: Final = 64
"""DTLS datagrams waiting for OpenSSL; more are dropped (DTLS sends again)."""

_PROFILES: Final = sorted(SRTP_PROFILES, key=lambda profile: profile is not SRTP_AEAD_AES_128_GCM)


CHANNEL_LABEL: Final = "command"
"""The label of operators' frames; `protocols.link` names another."""

STOP_LABEL: Final = "stop"
"""Emergency stops, which need no grant (`supervisor.media.commands`)."""

MAX_FRAME: Final = 1_200
"""Bytes of one frame: about one SCTP packet."""

MAX_FRAMES_WAITING: Final = 8
"""Of one channel."""

SCTP_PORT: Final = 5_000
SCTP_WINDOW: Final = 65_536
"""Bytes of unfinished messages a peer may leave with us."""

SCTP_PER_S: Final = 500
"""SCTP packets taken from one peer in a second: frames, acknowledgements, heartbeats."""

MAX_SCTP_STREAMS: Final = 8
MAX_SCTP_MISORDERED: Final = 1_024


_APPLICATION_DATA: Final = 23


class DtlsError(Exception):
    """The handshake failed or the peer's certificate is not the announced one."""


def generate_certificate() -> RTCCertificate:
    """Return a fresh self-signed certificate (ECDSA P-256, 30 days)."""
    return RTCCertificate.generateCertificate()


def sha256_fingerprint(certificate: RTCCertificate) -> str:
    """Return its SHA-256 as the SDP writes it."""
    for fingerprint in certificate.getFingerprints():
        if fingerprint.algorithm == "sha-256":
            return fingerprint.value
    raise DtlsError("the certificate has no sha-256 fingerprint")


class _Pipe:
    """What RTCDtlsTransport takes for an ICE transport; repeats what may be lost."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None], proved: Callable[[], bool]) -> None:
        self._out = send
        self._in: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)
        self._proved = proved
        self._flights = Flights()
        self._timer: asyncio.TimerHandle | None = None

    async def _recv(self) -> bytes:
        data = await self._in.get()
        if data is None:
            raise ConnectionError
        if data[0] == _APPLICATION_DATA:
            self.close()
        else:
            self._flights.on_received()
        return data

    async def _send(self, data: bytes) -> None:
        self._out(data)
        self._flights.on_sent(data, clock.monotonic_ns())
        self._arm()

    def close(self) -> None:
        """Repeat nothing any more."""
        self._flights.end()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_ns = self._flights.next_deadline_ns()
        if deadline_ns is not None:
            wait_s = max(0, deadline_ns - clock.monotonic_ns()) / 1e9
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._repeat)

    def _repeat(self) -> None:
        if self._proved():
            self._flights.end()
        for data in self._flights.on_time(clock.monotonic_ns()):
            self._out(data)
        self._arm()


Frame = bytes | str
"""One message of a data channel, kept in the kind it came in."""


class Lane(NamedTuple):
    """What is done with one data channel.

    Attributes:
        on_frame: Takes each message.
        on_open: Told True when the channel opens, False when it is gone.
    """

    on_frame: Callable[[Frame], None]
    on_open: Callable[[bool], None]


class Channel:
    """The data channels of a peer: unordered, never retransmitted, bounded, one a label.

    It is an SCTP association (RFC 8831) over a peer's DTLS. The peer opens the channels;
    another label, a second one of a label, or one that would be ordered or repeated, is
    refused. An association that breaks the protocol or a bound ends, the media go on.
    """

    _role = "server"

    def __init__(
        self,
        port: int,
        lanes: Mapping[str, Lane],
        count: Callable[[str], None],
    ) -> None:
        """Prepare the channels.

        Args:
            port: The peer's SCTP port.
            lanes: By label, those that the peer may open.
            count: Told why something was dropped.
        """
        self._port = port
        self._lanes = lanes
        self._count = count
        self._dtls: RTCDtlsTransport | None = None
        self._sctp: RTCSctpTransport | None = None
        self._channels: dict[str, RTCDataChannel] = {}
        self._left = SCTP_PER_S
        self._second = 0

    # What RTCSctpTransport takes for its DTLS transport

    @property
    def state(self) -> str:
        """Return the state of the DTLS transport underneath."""
        return "closed" if self._dtls is None else self._dtls.state

    def _register_data_receiver(self, receiver: Any) -> None:
        if self._dtls is not None:
            self._dtls._register_data_receiver(self)

    def _unregister_data_receiver(self, receiver: Any) -> None:
        if self._dtls is not None:
            self._dtls._unregister_data_receiver(self)

    async def _send_data(self, data: bytes) -> None:
        if self._dtls is None:
            return
        try:
            await self._dtls._send_data(data)
        except (ConnectionError, SSL.Error):
            self._count("sctp_closed")

    # Life

    async def start(self, dtls: RTCDtlsTransport) -> None:
        """Begin the association; the DTLS handshake is done."""
        self._dtls = dtls
        self._sctp = RTCSctpTransport(self)  # type: ignore[arg-type]
        self._sctp._advertised_rwnd = SCTP_WINDOW
        self._sctp.on("datachannel", self._opened)
        await self._sctp.start(None, self._port)

    async def stop(self) -> None:
        """End the association; a second call does nothing."""
        sctp, self._sctp = self._sctp, None
        if sctp is not None:
            await sctp.stop()
        for label in list(self._channels):
            self._gone(label)

    def _gone(self, label: str) -> None:
        if self._channels.pop(label, None) is not None:
            self._lanes[label].on_open(False)

    def _opened(self, channel: RTCDataChannel) -> None:
        label = channel.label
        lane = self._lanes.get(label)
        if (
            lane is None
            or channel.ordered
            or channel.maxRetransmits != 0
            or label in self._channels
        ):
            self._count("channel_refused")
            channel.close()
            return
        self._channels[label] = channel
        channel.on("message", lane.on_frame)
        channel.on("close", lambda: self._gone(label))
        lane.on_open(True)

    async def _handle_data(self, data: bytes) -> None:
        sctp = self._sctp
        if sctp is None:
            return
        second = clock.monotonic_ns() // 1_000_000_000
        if second != self._second:
            self._second, self._left = second, SCTP_PER_S
        self._left -= 1
        if self._left < 0:
            self._count("sctp_rate")
            return
        try:
            check_sctp(data)
            await sctp._handle_data(data)
            broken = self._over_bounds(sctp)
        except ProtocolError as error:
            self._count(f"sctp_{error.reason}")
            return
        except Exception as error:  # noqa: BLE001 - aiortc lets undeclared ones out
            broken = type(error).__name__
        if broken:
            self._count("sctp_broken")
            await self.stop()

    def _over_bounds(self, sctp: RTCSctpTransport) -> str:
        if sctp._advertised_rwnd < 0:
            return "more fragments than the window"
        if len(sctp._inbound_streams) > MAX_SCTP_STREAMS:
            return "too many streams"
        if len(sctp._data_channels) > MAX_SCTP_STREAMS:
            return "too many channels"
        if len(sctp._sack_misordered) > MAX_SCTP_MISORDERED:
            return "too many gaps"
        return ""

    def send(self, frame: Frame, label: str = CHANNEL_LABEL) -> bool:
        """Send one frame; False if that channel is not open.

        Of a channel's frames that wait because the path is slower than they come, the
        oldest are dropped: an old command is of no use. Stops wait on their own channel,
        so that no command drops one.
        """
        sctp, channel = self._sctp, self._channels.get(label)
        if sctp is None or channel is None or channel.readyState != "open":
            return False
        waiting = sctp._data_channel_queue
        mine = [entry for entry in waiting if entry[0] is channel and entry[1] != WEBRTC_DCEP]
        if len(mine) >= MAX_FRAMES_WAITING:
            waiting.remove(mine[0])
            channel._addBufferedAmount(-len(mine[0][2]))
            self._count("path_busy")
        channel.send(frame)
        return True


class Dtls:
    """The DTLS server side of one peer.

    Args:
        proved: Tells whether the peer has sent media, so that it needs no handshake any more.

    Attributes:
        rx, tx: SRTP of the two directions, once connected.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        send: Callable[[bytes], None],
        channel: Channel | None = None,
        proved: Callable[[], bool] = lambda: False,
    ) -> None:
        self._channel = channel
        self._pipe = _Pipe(send, proved)
        self._transport = RTCDtlsTransport(self._pipe, [certificate])  # type: ignore[arg-type]
        self._transport._srtp_profiles = _PROFILES
        self._transport._set_role("server")
        self.rx: SrtpSession | None = None
        self.tx: SrtpSession | None = None

    def feed(self, data: bytes) -> bool:
        """Give one DTLS datagram of the bound address; False if it had to be dropped."""
        try:
            self._pipe._in.put_nowait(data)
        except asyncio.QueueFull:
            return False
        return True

    async def run(self, fingerprints: list[tuple[str, str]], connected: Callable[[], None]) -> None:
        """Shake hands, call `connected`, and return when the peer says goodbye.

        Raises:
            DtlsError: No handshake, or not the announced certificate.
        """
        try:
            await self._run(fingerprints, connected)
        finally:
            self._pipe.close()

    async def _run(
        self, fingerprints: list[tuple[str, str]], connected: Callable[[], None]
    ) -> None:
        transport = self._transport
        parameters = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(algorithm, value) for algorithm, value in fingerprints]
        )
        try:
            await transport.start(parameters)
        except Exception as error:
            raise DtlsError(f"{type(error).__name__}") from error
        if transport.state != "connected":
            raise DtlsError(transport.state)
        profile = transport._ssl.get_selected_srtp_profile() if transport._ssl else b""
        tag = SHA1_80_TAG if profile == SRTP_AES128_CM_SHA1_80.openssl_profile else GCM_TAG
        self.rx = SrtpSession(transport._rx_srtp, tag)
        self.tx = SrtpSession(transport._tx_srtp, tag)
        connected()
        pump = transport._task
        if pump is None:
            raise DtlsError("aiortc started no task")
        try:
            if self._channel is not None:
                await self._channel.start(transport)
            await asyncio.wait([pump])
        finally:
            if self._channel is not None:
                await self._channel.stop()
            await self._end(pump)

    async def _end(self, pump: asyncio.Future[None]) -> None:
        await self._transport.stop()
        await asyncio.wait([pump])
        if not pump.cancelled() and pump.exception() is not None:
            raise DtlsError(f"{type(pump.exception()).__name__} after the handshake")
