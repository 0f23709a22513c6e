"""UDP sockets that move many datagrams in one call, and say when each arrived.

send     generic segmentation offload: one buffer cut by the kernel (UDP_SEGMENT)
receive  generic receive offload: several equal datagrams in one buffer (UDP_GRO)
arrival  the kernel's own time of arrival (SO_TIMESTAMPNS), so that a busy watcher
         does not make the forwarder look slow
drops    what the kernel dropped because this socket was full (SO_RXQ_OVFL), so
         that a slow watcher does not make the forwarder look lossy
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final

_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_SO_TIMESTAMPNS: Final = 35
_SO_RXQ_OVFL: Final = 40
_SO_RCVBUFFORCE: Final = 33

MAX_RUN_BYTES: Final = 65_000
MAX_RUN: Final = 64
"""Datagrams of one segmented send; the kernel's limit (UDP_MAX_SEGMENTS)."""

BUFFER_BYTES: Final = 8 << 20

_TIMESPEC: Final = struct.Struct("=qq")
_U16: Final = struct.Struct("=H")
_U32: Final = struct.Struct("=I")
_INT: Final = struct.Struct("=i")


class Batch:
    """What one receive call brought.

    Attributes:
        size: Bytes of each datagram but the last, which may be shorter.
        total: Bytes in the buffer.
        arrived_utc_ns: Kernel's time of arrival, nanoseconds since 1970; 0 if unknown.
    """

    __slots__ = ("arrived_utc_ns", "size", "total")

    def __init__(self) -> None:
        self.size = 0
        self.total = 0
        self.arrived_utc_ns = 0


class UdpSocket:
    """A non-blocking socket for one peer.

    It is bound to any address, because some forwarders leave loopback out of their
    candidates: the peer dials whatever it is told, and the kernel carries packets to an
    address of this machine over the loopback interface in any case.

    Args:
        view: Where received datagrams are put; may be shared by the sockets of a thread.

    Attributes:
        segments: The kernel cuts runs on send.
        dropped: Datagrams that did not fit into this socket's buffer.
    """

    def __init__(self, view: memoryview) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("0.0.0.0", 0))
        self._view = view
        self.dropped = 0
        self.segments = self._can(_SOL_UDP, _UDP_SEGMENT, 0)
        self._can(_SOL_UDP, _UDP_GRO, 1)
        self._can(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._can(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        if not self._can(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER_BYTES):
            self._can(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)

    def _can(self, level: int, option: int, value: int) -> bool:
        with contextlib.suppress(OSError):
            self.socket.setsockopt(level, option, value)
            return True
        return False

    @property
    def port(self) -> int:
        """Local port."""
        return int(self.socket.getsockname()[1])

    def connect(self, address: tuple[str, int]) -> None:
        """Send to and receive from this address only."""
        self.socket.connect(address)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def send(self, datagram: bytes) -> None:
        """Send one datagram.

        Raises:
            BlockingIOError: The kernel has no room; nothing was sent.
            ConnectionRefusedError: Nobody listens at the other side.
        """
        self.socket.send(datagram)

    def send_run(self, run: bytes, size: int) -> None:
        """Send datagrams of `size` bytes in one call; the last may be shorter.

        Raises:
            BlockingIOError: The kernel has no room; nothing of the run was sent.
            ConnectionRefusedError: Nobody listens at the other side.
        """
        if len(run) <= size:
            self.socket.send(run)
        else:
            self.socket.sendmsg([run], [(_SOL_UDP, _UDP_SEGMENT, _U16.pack(size))])

    def receive(self, batch: Batch) -> memoryview | None:
        """Fill `batch`; return the bytes, valid until the next call, or None.

        Raises:
            ConnectionRefusedError: An earlier datagram reached nobody.
        """
        try:
            total, ancillary, _, _ = self.socket.recvmsg_into([self._view], 160)
        except BlockingIOError:
            return None
        batch.total = batch.size = total
        batch.arrived_utc_ns = 0
        for level, kind, data in ancillary:
            if level == _SOL_UDP and kind == _UDP_GRO:
                batch.size = _INT.unpack_from(data)[0]
            elif level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                batch.arrived_utc_ns = seconds * 1_000_000_000 + nanoseconds
            elif level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                self.dropped = _U32.unpack_from(data)[0]
        return self._view[:total]
