"""One publisher's uplink: what its streams tell the estimator, and when to tell the publisher.

When a packet was sent is read from the abs-send-time extension (24 bits, 1/2^18 s;
https://webrtc.org/experiments/rtp-hdrext/abs-send-time) where it is negotiated, else
from its RTP timestamp, which also holds what capture and encoding took. Only the
newest packet of each stream is looked at, so this costs nothing per packet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from supervisor.rtp.estimator import PathDelay, UplinkEstimator
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.packet import find_extension

_SEND_TIME_BITS: Final = 24
_SEND_TIME_RATE: Final = 1 << 18

DOWN_NS: Final = 40_000_000
"""At least this long between two messages that take rate away."""

UP_NS: Final = 200_000_000
DOWN_BELOW: Final = 0.97
UP_ABOVE: Final = 1.03


class Uplink:
    """Estimate of one publisher's uplink.

    Args:
        max_bps: Limit of the estimate, bit/s.
        send_time: Id of the abs-send-time header extension, 0 for none.
    """

    __slots__ = ("_delays", "_estimator", "_newest", "_send_time", "_told_bps", "_told_ns")

    def __init__(self, max_bps: int, send_time: int) -> None:
        self._estimator = UplinkEstimator(max_bps)
        self._send_time = send_time
        self._delays: dict[int, PathDelay] = {}
        self._newest: dict[int, bytes] = {}
        self._told_bps = max_bps
        self._told_ns = 0

    @property
    def bps(self) -> int:
        """The estimate, bit/s, for all streams together."""
        return self._estimator.bps

    def restart(self) -> None:
        """The publisher has another address: its old delays say nothing."""
        for delay in self._delays.values():
            delay.restart()

    def on_time(self, streams: Sequence[Inbound | None], now_ns: int) -> int | None:
        """Take in the streams' totals; return the rate to tell now, if any. Every 20 ms."""
        queue_ns: int | None = None
        newest = self._newest
        for stream in streams:
            if stream is None or stream.is_audio or newest.get(stream.ssrc) is stream.newest:
                continue
            found = self._queue_ns(stream)
            if queue_ns is None or found < queue_ns:
                queue_ns = found
        estimator = self._estimator
        if queue_ns is not None:
            self._take(streams, queue_ns, now_ns)
        bps = estimator.bps
        if bps == self._told_bps:
            return None
        since_ns = now_ns - self._told_ns
        down = bps < DOWN_BELOW * self._told_bps and since_ns >= DOWN_NS
        up = (bps > UP_ABOVE * self._told_bps or bps == estimator.max_bps != self._told_bps) and (
            since_ns >= UP_NS
        )
        if not (down or up):
            return None
        self._told_bps = bps
        self._told_ns = now_ns
        return bps

    def _take(self, streams: Sequence[Inbound | None], queue_ns: int, now_ns: int) -> None:
        received = packets = lost = 0
        for stream in streams:
            if stream is not None:
                stats = stream.stats
                received += stats.bytes
                packets += stats.packets
                lost += stats.lost
        estimator = self._estimator
        estimator.on_time(now_ns, queue_ns, received, packets, lost)
        if estimator.moved:
            estimator.moved = False
            self.restart()

    def _queue_ns(self, stream: Inbound) -> int:
        data = self._newest[stream.ssrc] = stream.newest
        value = find_extension(data, self._send_time) if self._send_time else None
        delay = self._delays.get(stream.ssrc)
        if delay is None:
            bits, rate = (32, stream.clock_rate) if value is None else (24, _SEND_TIME_RATE)
            delay = self._delays[stream.ssrc] = PathDelay(bits, rate)
        if delay.bits == _SEND_TIME_BITS:
            if value is None or len(value) != 3:
                return 0
            stamp = int.from_bytes(value, "big")
        else:
            stamp = int.from_bytes(data[4:8], "big")
        return delay.queue_ns(stamp, stream.stats.last_packet_ns or 0)
