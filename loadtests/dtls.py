"""DTLS and SRTP keys from aiortc: every private hook of this package is in this file.

aiortc's `RTCDtlsTransport` runs over an object with `_recv`, `_send` and `role`. It is
given datagrams of DTLS only; the SRTP sessions that come out of the handshake are
taken from it and used directly, because its own receive path parses every packet.
"""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    SRTP_PROFILES,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from pylibsrtp import Error as SrtpError
from pylibsrtp._binding import ffi, lib

PROFILES: Final = [SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_SHA1_80]
"""Best first. AES-256-GCM is left out, so that all forwarders have the same work."""

HANDSHAKE_WITHIN_S: Final = 20.0
_QUEUE: Final = 64
"""Handshake datagrams waiting; more are dropped, DTLS sends them again."""

_TRAILER: Final = 16 + 128
"""Bytes that SRTP may add (SRTP_MAX_TRAILER_LEN)."""


MAX_RUN: Final = 64
"""Packets handled in one call."""

MEMORY_BYTES: Final = 1 << 16

_lengths = ffi.new("int[]", MAX_RUN)
_lengths_view = memoryview(ffi.buffer(_lengths)).cast("B").cast("i")
_length_places: Final = [_lengths + number for number in range(MAX_RUN)]


class DtlsError(Exception):
    """No keys came out of the handshake."""


class Keys(NamedTuple):
    """SRTP sessions of one peer.

    Attributes:
        outbound, inbound: `pylibsrtp.Session`.
        profile: Name of the SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
    """

    outbound: Any
    inbound: Any
    profile: str

    def protector(self) -> Callable[[bytes], bytes]:
        """Return what protects one RTP packet, with less ado than `Session.protect`."""
        return _processor(self.outbound, lib.srtp_protect)

    def unprotector(self) -> Callable[[bytes], bytes]:
        """Return what opens one SRTP packet; it raises `pylibsrtp.Error` as usual."""
        return _processor(self.inbound, lib.srtp_unprotect)

    def run_protector(self) -> Callable[[Memory, int, int, int], int]:
        """Return what protects many RTP packets of one size where they lie."""
        return _run_processor(self.outbound, lib.srtp_protect)

    def run_unprotector(self) -> Callable[[Memory, int, int, int], int]:
        """Return what opens many SRTP packets of one size where they lie."""
        return _run_processor(self.inbound, lib.srtp_unprotect)


class Memory:
    """Bytes that sockets and libsrtp use in place; one is enough for a process.

    Attributes:
        view: All of it.
    """

    def __init__(self, size: int = MEMORY_BYTES) -> None:
        self._data = ffi.new("char[]", size)
        self._size = size
        self._places: dict[int, list[Any]] = {}
        self.view = memoryview(ffi.buffer(self._data)).cast("B")

    def places(self, segment: int) -> list[Any]:
        """Return pointers to every `segment` bytes, `MAX_RUN` at most."""
        found = self._places.get(segment)
        if found is None:
            count = min(MAX_RUN, self._size // segment)
            found = [self._data + number * segment for number in range(count)]
            self._places[segment] = found
        return found


def _run_processor(session: Any, process: Any) -> Callable[[Memory, int, int, int], int]:
    """Call libsrtp on `count` packets of `length` bytes at multiples of `segment`.

    What is returned returns their new length, the same for all, or 0 if libsrtp
    refused one.
    """
    srtp = session._srtp[0]

    def run(memory: Memory, segment: int, count: int, length: int) -> int:
        _lengths_view[:count] = array("i", (length,)) * count
        places = memory.places(segment)[:count]
        if any(map(process, repeat(srtp), places, _length_places)):
            return 0
        return int(_lengths[0])

    return run


def _processor(session: Any, process: Any) -> Callable[[bytes], bytes]:
    """Call libsrtp in the session's own buffer; see `pylibsrtp.Session`."""
    data, buffer, srtp = session._cdata, session._buffer, session._srtp[0]
    room = len(data) - _TRAILER
    length = ffi.new("int *")

    def run(packet: bytes) -> bytes:
        size = len(packet)
        if size > room:
            raise SrtpError("packet is too long")
        length[0] = size
        buffer[0:size] = packet
        if process(srtp, data, length):
            raise SrtpError("libsrtp refused the packet")
        result: bytes = buffer[0 : length[0]]
        return result

    return run


class _Datagrams:
    """The ICE transport that aiortc believes to talk to."""

    role = "controlling"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_datagram = send
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE)

    async def _recv(self) -> bytes:
        return await self.queue.get()

    async def _send(self, data: bytes) -> None:
        self._send_datagram(data)


class Dtls:
    """One handshake and its keys. `send` takes the datagrams to put on the wire."""

    def __init__(self, certificate: RTCCertificate, send: Callable[[bytes], None]) -> None:
        self._datagrams = _Datagrams(send)
        self._transport = RTCDtlsTransport(self._datagrams, [certificate])  # type: ignore[arg-type]
        self._transport._srtp_profiles = [
            profile for profile in PROFILES if profile in SRTP_PROFILES
        ]

    def feed(self, datagram: bytes) -> None:
        """Take one DTLS datagram from the wire."""
        with contextlib.suppress(asyncio.QueueFull):
            self._datagrams.queue.put_nowait(datagram)

    async def handshake(self, *, client: bool, fingerprints: Sequence[tuple[str, str]]) -> Keys:
        """Run the handshake.

        Args:
            client: We speak first.
            fingerprints: (algorithm, value) of the other side's certificate.

        Raises:
            DtlsError: It failed or took longer than `HANDSHAKE_WITHIN_S`.
        """
        transport = self._transport
        transport._set_role("client" if client else "server")
        known = [(name, value) for name, value in fingerprints if name.startswith("sha-")]
        remote = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(algorithm=name, value=value) for name, value in known]
        )
        try:
            async with asyncio.timeout(HANDSHAKE_WITHIN_S):
                await transport.start(remote)
        except TimeoutError as error:
            raise DtlsError(f"no DTLS handshake within {HANDSHAKE_WITHIN_S:.0f} s") from error
        if transport.state != "connected":
            raise DtlsError("the DTLS handshake failed")
        assert transport._ssl is not None
        profile = transport._ssl.get_selected_srtp_profile().decode()
        return Keys(transport._tx_srtp, transport._rx_srtp, profile)

    async def close(self) -> None:
        """Say goodbye and end the transport's task."""
        task = self._transport._task
        await self._transport.stop()
        if task is not None:
            await asyncio.wait([task])


def new_certificate() -> RTCCertificate:
    """Make a self-signed certificate."""
    return RTCCertificate.generateCertificate()


def fingerprint(certificate: RTCCertificate) -> str:
    """Return its SHA-256 fingerprint as written in SDP."""
    return next(
        entry.value for entry in certificate.getFingerprints() if entry.algorithm == "sha-256"
    )
