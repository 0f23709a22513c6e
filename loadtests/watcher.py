"""An operator's picture as a forwarder sees it: takes every packet and accounts it.

A watcher asks for nothing to be sent again: what the forwarder loses stays lost, so
that the figure is the forwarder's and not the repair's.
"""

from __future__ import annotations

import functools
import secrets
import struct
import time
from array import array
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from aiortc.rtcdtlstransport import RTCCertificate
from pylibsrtp import Error as SrtpError

from loadtests import sdp, statistics, wire
from loadtests.dtls import MAX_RUN, Memory
from loadtests.peer import Peer

_TRAILER_BYTES: Final = wire.TRAILER.size


_LEAST: Final = 12 + 16 + _TRAILER_BYTES
"""Bytes of a protected packet with nothing but a trailer in it."""


@functools.cache
def _reader(size: int, plain: int) -> struct.Struct:
    """Return what reads sequence number, SSRC and trailer of a packet without padding."""
    middle = plain - 12 - _TRAILER_BYTES
    return struct.Struct(f"!2xH4xI{middle}xQIHH{size - plain}x")


class Totals(NamedTuple):
    """How much a watcher has taken until now: the edges of a measuring window."""

    marked: int
    packets: int
    octets: int


class Watcher(Peer):
    """One watcher of one stream.

    Attributes:
        packets, octets: RTP packets received and their payload bytes.
        unreadable: SRTP packets that did not authenticate.
    """

    def __init__(self, certificate: RTCCertificate, stream: int) -> None:
        super().__init__(certificate)
        self.stream = stream
        self.packets = 0
        self.octets = 0
        self.unreadable = 0
        self.altered = 0
        self._indices = array("q")
        self._delays = array("q")
        self._sequences = array("H")
        self._payload_type = sdp.PAYLOAD_TYPE
        self._unprotect_run: Callable[[Memory, int, int, int], int] | None = None
        self._media_ssrc = 0
        self._ssrc = secrets.randbelow(0xFFFF_FFFE) + 1
        self._highest = 0
        self._wall_ns = 0
        self._sr_middle = 0
        self._sr_ns = 0
        self.set_clock()

    def offer(self) -> str:
        """Return the offer to watch."""
        return sdp.watch_offer(self.local)

    def on_connected(self, answer: sdp.Answer) -> None:
        """Learn what the answer accepted."""
        self._payload_type = answer.payload_type
        if self._keys is not None:
            self._unprotect_run = self._keys.run_unprotector()

    def set_clock(self) -> None:
        """Note the distance of wall clock and monotonic clock, for the kernel's times."""
        self._wall_ns = time.time_ns() - time.monotonic_ns()

    def on_rtp(self, packet: bytes, arrived_utc_ns: int) -> None:
        """Account one packet."""
        try:
            plain = self._unprotect(packet)
        except SrtpError:
            self.unreadable += 1
            return
        self._on_plain(plain, arrived_utc_ns)

    def on_run(self, memory: Memory, total: int, size: int, arrived_utc_ns: int) -> int:
        """Account packets of one size together, as far as all of them are as usual."""
        view = memory.view
        count = min(total // size, MAX_RUN)
        seconds = set(bytes(view[1 : count * size : size]))
        usual = {self._payload_type, self._payload_type | 0x80}
        if self._unprotect_run is None or size < _LEAST or not seconds <= usual:
            return 0
        if set(bytes(view[0 : count * size : size])) - {0x80, 0x90}:
            return 0
        plain = self._unprotect_run(memory, size, count, size)
        if not plain:
            self.unreadable += count
            return count * size
        rows = _reader(size, plain).iter_unpack(view[: count * size])
        sequences, ssrcs, sent, indices, streams, magics = zip(*rows, strict=True)
        first = sequences[0]
        ordered = sequences == tuple(range(first, first + count)) and self._media_ssrc == ssrcs[0]
        marked = magics.count(wire.TRAILER_MAGIC) == count and streams.count(self.stream) == count
        if not (ordered and marked and (first - self._highest) & 0xFFFF < 0x8000):
            for start in range(0, count * size, size):
                self._on_plain(bytes(view[start : start + plain]), arrived_utc_ns)
            return count * size
        self.packets += count
        self.octets += count * (plain - 12)
        self._sequences.extend(sequences)
        self._indices.extend(indices)
        arrived_ns = arrived_utc_ns - self._wall_ns
        self._delays.extend([arrived_ns - sent_ns for sent_ns in sent])
        self._highest += (sequences[-1] - self._highest) & 0xFFFF
        return count * size

    def _on_plain(self, plain: bytes, arrived_utc_ns: int) -> None:
        if plain[1] & 0x7F != self._payload_type:
            return
        length = len(plain)
        self.packets += 1
        self.octets += length - 12
        sequence = plain[2] << 8 | plain[3]
        self._sequences.append(sequence)
        end = length - 1 if plain[0] & wire.PADDING_BIT else length
        sent_ns, index, stream, magic = wire.TRAILER.unpack_from(plain, end - _TRAILER_BYTES)
        if magic == wire.TRAILER_MAGIC and stream == self.stream:
            self._indices.append(index)
            self._delays.append(arrived_utc_ns - self._wall_ns - sent_ns)
        else:
            self.altered += 1
        if self._media_ssrc == 0:
            self._media_ssrc = int.from_bytes(plain[8:12], "big")
            self._highest = sequence
        elif (sequence - self._highest) & 0xFFFF < 0x8000:
            self._highest += (sequence - self._highest) & 0xFFFF

    def on_rtcp(self, packet: wire.Rtcp) -> None:
        """Remember the newest sender report."""
        if packet.packet_type == wire.SR and len(packet.body) >= 12:
            self._sr_middle = int.from_bytes(packet.body[6:10], "big")
            self._sr_ns = time.monotonic_ns()

    def report(self) -> None:
        """Send a receiver report; call once a second."""
        self.set_clock()
        if self._media_ssrc == 0:
            return
        delay = 0
        if self._sr_middle:
            delay = min((time.monotonic_ns() - self._sr_ns) * 65_536 // 10**9, 0xFFFF_FFFF)
        self.send_rtcp(
            wire.receiver_report(
                self._ssrc, self._media_ssrc, 0, self._highest, self._sr_middle, delay
            )
        )

    def ask_keyframe(self) -> None:
        """Send a PLI."""
        if self._media_ssrc:
            self.send_rtcp(wire.picture_loss_indication(self._ssrc, self._media_ssrc))

    def totals(self) -> Totals:
        """Return how much has arrived until now."""
        return Totals(len(self._indices), self.packets, self.octets)

    # --------------------------------------------------------------------- figures

    def account(self, first: int, end: int) -> statistics.Account:
        """Account the packets `first` to `end` (excluded) by their index."""
        return statistics.account(np.asarray(self._indices, np.int64), first, end)

    def account_sequences(self) -> statistics.Account:
        """Account everything that came by RTP sequence number.

        For forwarders that make new packets, whose indices are gone.
        """
        return statistics.account_sequences(np.asarray(self._sequences, np.uint16))

    def delays(self, first: int, end: int) -> npt.NDArray[np.int64]:
        """Return the one-way delays in nanoseconds of the packets `first` to `end`."""
        indices = np.asarray(self._indices, np.int64)
        delays = np.asarray(self._delays, np.int64)
        return delays[(indices >= first) & (indices < end)]
