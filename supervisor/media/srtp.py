"""SRTP in place: libsrtp's C functions on the memory that sockets read and write.

The one place that touches pylibsrtp's private parts, held by tests/media/test_srtp.py
against a changed release: `Session._srtp` and the C functions behind `protect` and
`unprotect`. They are called on the packet where it lies: no copy into and out of a
session's own buffer, no allocation for each length, and no limit of 1,356 bytes to a
packet.
"""

from __future__ import annotations

from typing import Any, Final

from pylibsrtp._binding import ffi, lib

TRAILER: Final = 148
"""Bytes libsrtp may add to a packet."""


class SrtpError(Exception):
    """libsrtp refused a packet of our own."""


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
            SrtpError: libsrtp refused it.
        """
        buffer = ffi.new("char[]", len(packet) + TRAILER)
        ffi.memmove(buffer, packet, len(packet))
        _length[0] = len(packet)
        if lib.srtp_protect_rtcp(self._srtp, buffer, _length):
            raise SrtpError("SRTCP protect failed")
        return bytes(ffi.buffer(buffer, _length[0]))

    def unprotect_rtcp(self, buffer: Buffer, start: int, length: int) -> int:
        """Decrypt the RTCP packet at `start`; return its length, 0 if not genuine."""
        _length[0] = length
        if lib.srtp_unprotect_rtcp(self._srtp, buffer.address + start, _length):
            return 0
        return int(_length[0])
