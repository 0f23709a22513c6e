"""Datagrams in batches: UDP GRO on receive, GSO (`UDP_SEGMENT`) on send.

One system call moves up to 64 datagrams of equal size from or to one address
(the last may be shorter). `sendto` and `recv` cost about 4.4 µs a packet, runs of 16
about 0.5 µs. Where the kernel refuses, datagrams go one by one.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections import deque
from struct import Struct
from typing import Any, Final

from supervisor.counters import Counters
from supervisor.media.srtp import Buffer

_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_SO_MEMINFO: Final = 55
_FORCED: Final = {socket.SO_RCVBUF: 33, socket.SO_SNDBUF: 32}
"""SO_RCVBUFFORCE and SO_SNDBUFFORCE: beyond net.core.rmem_max, with CAP_NET_ADMIN."""

MAX_SEGMENTS: Final = 64
MAX_RUN: Final = 65_000
"""Bytes of one run; the kernel's limit is 65,535 with all headers."""

RECEIVE_BUFFER: Final = 65_536
SOCKET_BUFFER: Final = 8 << 20
"""Bytes asked of the kernel, which may grant less: 0.4 s of 20 streams of 8 Mbit/s."""

CROWDED: Final = 0.5
"""Share of the receive buffer in use from which on media is shed, not queued."""

BACKLOG: Final = 128
"""Runs kept while the socket is full; newer ones are dropped and counted."""

_INT: Final = Struct("i")
_U16: Final = Struct("H")
_MEMINFO: Final = Struct("II")
"""Bytes in use and allowed for receiving (sock_diag(7), SK_MEMINFO_*)."""

_CMSG: Final = socket.CMSG_SPACE(_INT.size)

Address = tuple[Any, ...]


def open_socket(host: str, port: int) -> socket.socket:
    """Return a bound, non-blocking UDP socket.

    Raises:
        OSError: The address is not ours or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


class UdpPort:
    """One socket for all peers of a worker.

    Attributes:
        gro, gso: Whether the kernel takes part.
        packets_in, packets_out, bytes_in, bytes_out: Totals in datagrams and bytes.
    """

    def __init__(self, sock: socket.socket, counters: Counters) -> None:
        self.sock = sock
        self.buffer = Buffer(RECEIVE_BUFFER)
        self.counters = counters
        self.packets_in = 0
        self.packets_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._backlog: deque[tuple[bytes, int, Address]] = deque()
        for option, forced in _FORCED.items():
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
                sock.setsockopt(socket.SOL_SOCKET, forced, SOCKET_BUFFER)
        self.gro = self._try_option(_UDP_GRO, 1)
        self.gso = self._try_option(_UDP_SEGMENT, 0)

    def _try_option(self, option: int, value: int) -> bool:
        try:
            self.sock.setsockopt(_SOL_UDP, option, value)
        except OSError:
            return False
        return True

    def receive(self) -> tuple[int, int, Address] | None:
        """Read one run into `buffer`; return (bytes, segment size, address) or None.

        None: nothing is waiting. An empty datagram has 0 bytes.
        """
        try:
            length, ancillary, _, address = self.sock.recvmsg_into([self.buffer.view], _CMSG)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            self.counters.add("media_receive_errors", errno.errorcode.get(error.errno or 0, "?"))
            return None
        segment = length
        for level, kind, data in ancillary:
            if level == _SOL_UDP and kind == _UDP_GRO:
                segment = _INT.unpack_from(data)[0]
        self.bytes_in += length
        self.packets_in += -(-length // segment) if segment else 1
        return length, segment, address

    @property
    def crowded(self) -> bool:
        """What waits to be read fills the socket's buffer so far that more will be lost."""
        try:
            used = self.sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        except OSError:
            return False
        if len(used) < _MEMINFO.size:
            return False
        in_use, allowed = _MEMINFO.unpack(used)
        return bool(in_use > CROWDED * allowed)

    def send(self, data: bytes | memoryview, segment: int, address: Address) -> None:
        """Send `data` as datagrams of `segment` bytes (the last may be shorter).

        A full socket keeps up to `BACKLOG` runs, the rest is dropped: for live
        pictures late is worse than lost.
        """
        if self._backlog:
            self._keep(data, segment, address)
            return
        if not self._try_send(data, segment, address):
            self._keep(data, segment, address)

    @property
    def waiting(self) -> bool:
        """Runs wait for the socket to become writable: call `flush` then."""
        return bool(self._backlog)

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self._backlog:
            data, segment, address = self._backlog[0]
            if not self._try_send(data, segment, address):
                return
            self._backlog.popleft()

    def _keep(self, data: bytes | memoryview, segment: int, address: Address) -> None:
        if len(self._backlog) >= BACKLOG:
            self.counters.add("media_dropped", "socket_full", -(-len(data) // segment))
            return
        self._backlog.append((bytes(data), segment, address))

    def _try_send(self, data: bytes | memoryview, segment: int, address: Address) -> bool:
        length = len(data)
        if length <= segment:
            return self._send_one(data, address)
        if not self.gso:
            return self._send_singly(data, segment, address)
        try:
            self.sock.sendmsg([data], [(_SOL_UDP, _UDP_SEGMENT, _U16.pack(segment))], 0, address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno in (errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP):
                self.gso = False
            elif error.errno not in (errno.EINVAL, errno.EMSGSIZE):
                self._lost(error, -(-length // segment))
                return True
            return self._send_singly(data, segment, address)
        self.packets_out += -(-length // segment)
        self.bytes_out += length
        return True

    def _send_one(self, data: bytes | memoryview, address: Address) -> bool:
        try:
            self.sock.sendto(data, address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._lost(error, 1)
            return True
        self.packets_out += 1
        self.bytes_out += len(data)
        return True

    def _send_singly(self, data: bytes | memoryview, segment: int, address: Address) -> bool:
        for start in range(0, len(data), segment):
            if not self._send_one(data[start : start + segment], address):
                self._keep(bytes(data[start:]), segment, address)
                break
        return True

    def _lost(self, error: OSError, packets: int) -> None:
        reason = errno.errorcode.get(error.errno or 0, "unknown").lower()
        self.counters.add("media_dropped", f"send_{reason}", packets)
