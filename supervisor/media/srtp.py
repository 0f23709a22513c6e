"""SRTP in place: libsrtp's C functions on the memory that sockets read and write.

The one place that touches pylibsrtp's private parts, held by tests/media/test_srtp.py
against a changed release: `Session._srtp` and the C functions behind `protect` and
`unprotect`. They are called on the packet where it lies: no copy into and out of a
session's own buffer, no allocation for each length, and no limit of 1,356 bytes to a
packet.
"""

from __future__ import annotations

from array import array
from itertools import repeat
from typing import Any, Final

from pylibsrtp._binding import ffi, lib

TRAILER: Final = 148
"""Bytes libsrtp may add to a packet."""


class SrtpError(Exception):
    """libsrtp refused a packet of our own."""


class Buffer:
    """Memory that both Python's sockets and libsrtp can use in place."""

    __slots__ = ("_memory", "_places", "_size", "address", "view")

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = ffi.new("char[]", size)
        self._places: dict[int, list[Any]] = {}
        self.address: Any = self._memory
        self.view = memoryview(ffi.buffer(self._memory)).cast("B")

    def places(self, segment: int) -> list[Any]:
        """Return pointers to every `segment` bytes, `MAX_RUN` at most."""
        found = self._places.get(segment)
        if found is None:
            if len(self._places) >= MAX_SIZES:
                self._places.clear()
            count = min(MAX_RUN, self._size // segment)
            found = [self.address + number * segment for number in range(count)]
            self._places[segment] = found
        return found


REPLAYED: Final = -9
"""Of `unprotect`: this packet came before (`srtp_err_status_replay_fail`)."""

MAX_RUN: Final = 64
"""Packets handled in one call."""

MAX_SIZES: Final = 256
"""Sizes of packets for which a buffer keeps its pointers."""

_length = ffi.new("int *")
_lengths = ffi.new("int[]", MAX_RUN)
_lengths_view = memoryview(ffi.buffer(_lengths)).cast("B").cast("i")
_length_places: Final = [_lengths + number for number in range(MAX_RUN)]
_protect = lib.srtp_protect
_unprotect = lib.srtp_unprotect

GCM_TAG: Final = 16
SHA1_80_TAG: Final = 10


class SrtpSession:
    """One direction of SRTP and SRTCP, working in a `Buffer`.

    Attributes:
        tag: Bytes by which an RTP packet grows.
    """

    __slots__ = ("_keep", "_srtp", "tag")

    def __init__(self, session: Any, tag: int = GCM_TAG) -> None:
        self.tag = tag
        self._keep = session
        self._srtp = session._srtp[0]

    def protect(self, buffer: Buffer, start: int, length: int) -> int:
        """Encrypt the RTP packet at `start`; return its new length, or 0 on failure."""
        _length[0] = length
        if _protect(self._srtp, buffer.address + start, _length):
            return 0
        size: int = _length[0]
        return size

    def protect_run(
        self, buffer: Buffer, segment: int, begin: int, count: int, length: int
    ) -> bool:
        """Encrypt packets of `length` bytes that stand at multiples of `segment`.

        Args:
            begin: The number of the first, in segments from the buffer's beginning.
            count: How many, `MAX_RUN` at most.

        Returns:
            False if libsrtp refused one.
        """
        _lengths_view[:count] = array("i", (length,)) * count
        places = buffer.places(segment)[begin : begin + count]
        return not any(map(_protect, repeat(self._srtp), places, _length_places))

    def unprotect_run(self, buffer: Buffer, segment: int, count: int) -> list[int]:
        """Decrypt `count` RTP packets of `segment` bytes each that `buffer` begins with.

        Returns:
            The length of each: see `unprotect`.
        """
        _lengths_view[:count] = array("i", (segment,)) * count
        places = buffer.places(segment)[:count]
        refused = list(map(_unprotect, repeat(self._srtp), places, _length_places))
        lengths: list[int] = _lengths_view[:count].tolist()
        if not any(refused):
            return lengths
        return [-why if why else size for why, size in zip(refused, lengths, strict=True)]

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
