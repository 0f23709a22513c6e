"""From a batch of one feed to datagrams for one watcher, written and encrypted in place.

Each packet is laid into one buffer directly behind the one before: header for this
watcher, payload, then SRTP over both where they lie. Packets of equal size are then
already one run for the kernel; a shorter one ends its run (UDP GSO lets the last
segment be shorter), a longer one begins a new run where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from supervisor.counters import Counters
from supervisor.media.srtp import TRAILER, Buffer, SrtpSession
from supervisor.media.udp import MAX_RUN, MAX_SEGMENTS, Address, UdpPort
from supervisor.rtp.cache import Outgoing
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.packet import HEADER, MAX_PACKET

_ROOM: Final = MAX_RUN - MAX_PACKET - TRAILER
_pack_header = HEADER.pack_into
_OSN: Final = Struct(">H")

_packers: Final[dict[int, Callable[..., None]]] = {}
"""Writes header and payload of a packet of that length in one call."""


def _packer(length: int) -> Callable[..., None]:
    """Return and keep the writer of packets of `length` bytes (at most `MAX_PACKET`)."""
    pack = _packers[length] = Struct(f">BBHII{length - 12}s").pack_into
    return pack


class Egress:
    """The sending half of a worker's packet path."""

    def __init__(self, port: UdpPort, counters: Counters) -> None:
        self._port = port
        self._counters = counters
        self._buffer = Buffer(MAX_RUN + 536)

    def forward(
        self, track: DownTrack, batch: list[Outgoing], tx: SrtpSession, address: Address
    ) -> None:
        """Send a feed's new packets to one watcher."""
        send = self._port.send
        buffer = self._buffer
        view = buffer.view
        protect = tx.protect
        types: tuple[int, int | None] | None = None
        known = -1
        started_at = track.started_at
        if started_at is None:
            started_at = batch[0].sequence
            track.start(started_at)
        if track.squeeze is not None:
            batch = track.squeezed(batch)
        sequence_offset = track.sequence_offset
        ssrc = track.ssrc
        start = position = segment = count = 0
        packets = octets = 0
        for sequence, timestamp, marker, payload_type, data, offset, first in batch:
            if payload_type != known:
                types = track.payload_type(payload_type)
                known = payload_type
            if types is None or sequence < started_at:
                track.unmatched += 1
                continue
            payload = data[offset:]
            length = 12 + len(payload)
            if position > _ROOM:
                send(view[start:position], segment, address)
                start = position = segment = count = 0
            (_packers.get(length) or _packer(length))(
                view,
                position,
                first,
                marker | types[0],
                (sequence + sequence_offset) & 0xFFFF,
                timestamp,
                ssrc,
                payload,
            )
            size = protect(buffer, position, length)
            if not size:
                self._counters.add("media_dropped", "srtp_protect")
                continue
            packets += 1
            octets += length - 12
            if size == segment:
                position += size
                count += 1
                if count == MAX_SEGMENTS:
                    send(view[start:position], segment, address)
                    start = position = segment = count = 0
            elif size < segment:
                position += size
                send(view[start:position], segment, address)
                start = position = segment = count = 0
            else:
                if count:
                    send(view[start:position], segment, address)
                start = position
                position += size
                segment = size
                count = 1
        if count:
            send(view[start:position], segment, address)
        track.packets += packets
        track.octets += octets

    def repair(
        self, track: DownTrack, packet: Outgoing, tx: SrtpSession, address: Address
    ) -> str | None:
        """Send one packet again: as RTX (RFC 4588 §4) if negotiated, else as it was.

        Returns:
            "rtx" or "plain", None if it was not sent.
        """
        types = track.payload_type(packet.payload_type)
        if types is None:
            return None
        view = self._buffer.view
        sequence = (packet.sequence + track.sequence_offset) & 0xFFFF
        payload = packet.data[packet.offset :]
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
