"""The one place that touches aiortc's and pylibsrtp's private parts.

What is used, and held by tests/media/test_dtls.py against a changed release:
`RTCDtlsTransport` over any object with `_recv`, `_send` and `role`; its
`_set_role`, `_srtp_profiles`, `_rx_srtp`, `_tx_srtp`, `_task`; and of pylibsrtp
`Session._srtp` with the C functions behind `protect` and `unprotect`. The C functions
are called on the packet where it lies: no copy into and out of a session's own
buffer, no allocation for each length, and no limit of 1,356 bytes to a packet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_PROFILES,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from pylibsrtp._binding import ffi, lib

MAX_WAITING: Final = 64
"""DTLS datagrams waiting for OpenSSL; more are dropped (DTLS sends again)."""

TRAILER: Final = 148
"""Bytes libsrtp may add to a packet."""

_PROFILES: Final = sorted(SRTP_PROFILES, key=lambda profile: profile is not SRTP_AEAD_AES_128_GCM)


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


class Buffer:
    """Memory that both Python's sockets and libsrtp can use in place."""

    __slots__ = ("_memory", "address", "view")

    def __init__(self, size: int) -> None:
        self._memory = ffi.new("char[]", size)
        self.address: Any = self._memory
        self.view = memoryview(ffi.buffer(self._memory)).cast("B")


REPLAYED: Final = -9
"""Of `unprotect`: this packet came before (`srtp_err_status_replay_fail`)."""

_length = ffi.new("int *")
_protect = lib.srtp_protect
_unprotect = lib.srtp_unprotect
_unpack = ffi.unpack


class SrtpSession:
    """One direction of SRTP and SRTCP, working in a `Buffer`."""

    __slots__ = ("_keep", "_srtp")

    def __init__(self, session: Any) -> None:
        self._keep = session
        self._srtp = session._srtp[0]

    def protect(self, buffer: Buffer, start: int, length: int) -> int:
        """Encrypt the RTP packet at `start`; return its new length, or 0 on failure."""
        _length[0] = length
        if _protect(self._srtp, buffer.address + start, _length):
            return 0
        size: int = _length[0]
        return size

    def unprotect_run(self, buffer: Buffer, end: int, segment: int) -> tuple[list[bytes], int]:
        """Decrypt the RTP packets of `segment` bytes each that `buffer` begins with.

        The last may be shorter. Ends before the first datagram that is not RTP by its
        first bytes (RFC 5761 §4, RFC 7983) or is not genuine: that one is untouched.

        Args:
            end: Bytes in the buffer.
            segment: Bytes of each datagram.

        Returns:
            The packets, and where the first that is not among them begins.
        """
        packets: list[bytes] = []
        view = buffer.view
        session = self._srtp
        pointer = buffer.address
        start = 0
        while start < end:
            size = segment if start + segment <= end else end - start
            if size < 12 or not 127 < view[start] < 192 or 191 < view[start + 1] < 224:
                break
            _length[0] = size
            if _unprotect(session, pointer, _length):
                break
            packets.append(_unpack(pointer, _length[0]))
            start += size
            pointer += size
        return packets, start

    def unprotect(self, buffer: Buffer, start: int, length: int) -> int:
        """Decrypt the RTP packet at `start`; return its length.

        Negative: not genuine, or `REPLAYED`.
        """
        _length[0] = length
        refused = _unprotect(self._srtp, buffer.address + start, _length)
        if refused:
            return -int(refused)
        return int(_length[0])

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the SRTCP of a compound packet.

        Raises:
            DtlsError: libsrtp refused it.
        """
        buffer = ffi.new("char[]", len(packet) + TRAILER)
        ffi.memmove(buffer, packet, len(packet))
        _length[0] = len(packet)
        if lib.srtp_protect_rtcp(self._srtp, buffer, _length):
            raise DtlsError("SRTCP protect failed")
        return bytes(ffi.buffer(buffer, _length[0]))

    def unprotect_rtcp(self, buffer: Buffer, start: int, length: int) -> int:
        """Decrypt the RTCP packet at `start`; return its length, 0 if not genuine."""
        _length[0] = length
        if lib.srtp_unprotect_rtcp(self._srtp, buffer.address + start, _length):
            return 0
        return int(_length[0])


class _Pipe:
    """What RTCDtlsTransport takes for an ICE transport."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._out = send
        self._in: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)

    async def _recv(self) -> bytes:
        data = await self._in.get()
        if data is None:
            raise ConnectionError
        return data

    async def _send(self, data: bytes) -> None:
        self._out(data)


class Dtls:
    """The DTLS server side of one peer.

    Attributes:
        rx, tx: SRTP of the two directions, once connected.
    """

    def __init__(self, certificate: RTCCertificate, send: Callable[[bytes], None]) -> None:
        self._pipe = _Pipe(send)
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
        self.rx = SrtpSession(transport._rx_srtp)
        self.tx = SrtpSession(transport._tx_srtp)
        connected()
        pump = transport._task
        if pump is None:
            raise DtlsError("aiortc started no task")
        try:
            await asyncio.wait([pump])
        finally:
            await self._end(pump)

    async def _end(self, pump: asyncio.Future[None]) -> None:
        await self._transport.stop()
        await asyncio.wait([pump])
        if not pump.cancelled() and pump.exception() is not None:
            raise DtlsError(f"{type(pump.exception()).__name__} after the handshake")
