"""From a batch of one feed to datagrams for one watcher, written and encrypted in place.

Each packet is laid into one buffer directly behind the one before: header for this
watcher, payload, then SRTP over both where they lie. Packets of equal size are then
already one run for the kernel; a shorter one ends its run (UDP GSO lets the last
segment be shorter), a longer one begins a new run. The loops over the packets of a run
are the interpreter's own (`map`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import repeat
from struct import Struct
from typing import Final

from supervisor.counters import Counters
from supervisor.media.srtp import Buffer, SrtpSession
from supervisor.media.udp import MAX_RUN, MAX_SEGMENTS, Address, UdpPort
from supervisor.rtp.cache import Outgoing
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.packet import HEADER

_pack_header = HEADER.pack_into
_OSN: Final = Struct(">H")

_packers: Final[dict[int, Callable[..., None]]] = {}
"""Writes header and payload of a packet of that length in one call."""


def _packer(length: int) -> Callable[..., None]:
    """Return and keep the writer of packets of `length` bytes (at most `MAX_PACKET`)."""
    pack = _packers[length] = Struct(f">BBHII{length - 12}s").pack_into
    return pack


class Egress:
    """The sending half of a worker's packet path.

    Between two sends the buffer holds one run: `_count` packets of `_segment` bytes.
    """

    def __init__(self, port: UdpPort, counters: Counters) -> None:
        self._port = port
        self._counters = counters
        self._buffer = Buffer(MAX_RUN + 536)
        self._segment = 0
        self._count = 0

    def forward(
        self, track: DownTrack, batch: list[Outgoing], tx: SrtpSession, address: Address
    ) -> None:
        """Send a feed's new packets to one watcher."""
        started_at = track.started_at
        if started_at is None:
            started_at = batch[0].sequence
            track.start(started_at)
        if track.squeeze is not None:
            batch = track.squeezed(batch)
        for packets in batch:
            types = track.payload_type(packets.payload_type)
            wanted = packets if packets.sequence >= started_at else packets.since(started_at)
            if types is None or wanted is None:
                track.unmatched += len(packets.payloads)
                continue
            while wanted is not None:
                wanted = self._lay(track, wanted, types[0], tx, address)
        self._send(address)

    def _lay(
        self,
        track: DownTrack,
        packets: Outgoing,
        payload_type: int,
        tx: SrtpSession,
        address: Address,
    ) -> Outgoing | None:
        """Lay packets into the buffer behind what is there; return what found no room."""
        payloads = packets.payloads
        length = 12 + len(payloads[0])
        size = length + tx.tag
        most = min(MAX_SEGMENTS, MAX_RUN // size)
        count = min(len(payloads), most)
        if self._count:
            ends_run = size < self._segment and count == 1
            fits = size == self._segment and self._count + count <= most
            if not (ends_run or fits):
                self._send(address)
        begin = self._count
        marker, rest = packets.marker, None
        if count < len(payloads):
            rest = packets.since(packets.sequence + count)
            payloads, marker = payloads[:count], 0
        sequence = (packets.sequence + track.sequence_offset) & 0xFFFF
        pack = _packers.get(length) or _packer(length)
        view = self._buffer.view
        if count == 1:
            position = begin * self._segment
            pack(
                *(view, position, packets.first, marker | payload_type, sequence),
                *(packets.timestamp, track.ssrc, payloads[0]),
            )
            sealed = self._sealed_one(tx, position, length, address)
        else:
            seconds = [payload_type] * count
            seconds[-1] |= marker
            sequences: Iterable[int] = range(sequence, sequence + count)
            if sequence + count > 0x1_0000:
                sequences = [number & 0xFFFF for number in sequences]
            deque(
                map(
                    pack,
                    repeat(view),
                    range(begin * size, (begin + count) * size, size),
                    repeat(packets.first),
                    seconds,
                    sequences,
                    repeat(packets.timestamp),
                    repeat(track.ssrc),
                    payloads,
                ),
                maxlen=0,
            )
            sealed = tx.protect_run(self._buffer, size, begin, count, length)
            if sealed:
                self._segment = size
                self._count += count
        if sealed:
            track.packets += count
            track.octets += count * (length - 12)
        else:
            self._counters.add("media_dropped", "srtp_protect", count)
        return rest

    def _sealed_one(self, tx: SrtpSession, position: int, length: int, address: Address) -> bool:
        """Encrypt the packet laid last; one shorter than the run's ends the run."""
        size = tx.protect(self._buffer, position, length)
        if not size:
            return False
        if position and size < self._segment:
            self._port.send(self._buffer.view[: position + size], self._segment, address)
            self._count = 0
            return True
        self._segment = size
        self._count += 1
        return True

    def _send(self, address: Address) -> None:
        if self._count:
            whole = self._segment * self._count
            self._port.send(self._buffer.view[:whole], self._segment, address)
            self._count = 0

    def repair(
        self, track: DownTrack, packet: Outgoing, tx: SrtpSession, address: Address
    ) -> str | None:
        """Send one packet again: as RTX (RFC 4588 §4) if negotiated, else as it was.

        Args:
            packet: One alone, as `PacketCache.get` returns it.

        Returns:
            "rtx" or "plain", None if it was not sent.
        """
        types = track.payload_type(packet.payload_type)
        if types is None:
            return None
        view = self._buffer.view
        sequence = (packet.sequence + track.sequence_offset) & 0xFFFF
        payload = packet.payloads[0]
        if types[1] is not None and track.rtx_ssrc is not None:
            track.rtx_sequence = (track.rtx_sequence + 1) & 0xFFFF
            payload = _OSN.pack(sequence) + payload
            head = (types[1], track.rtx_sequence, track.rtx_ssrc)
            form = "rtx"
        else:
            head = (types[0], sequence, track.ssrc)
            form = "plain"
        _pack_header(
            view, 0, packet.first, packet.marker | head[0], head[1], packet.timestamp, head[2]
        )
        view[12 : 12 + len(payload)] = payload
        size = tx.protect(self._buffer, 0, 12 + len(payload))
        if not size:
            self._counters.add("media_dropped", "srtp_protect")
            return None
        self._port.send(view[:size], size, address)
        return form
