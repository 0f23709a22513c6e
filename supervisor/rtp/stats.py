"""What one received stream looks like: loss, jitter, frames, keyframes.

Sequence numbers are unwrapped here. Jitter follows RFC 3550 §6.4.1 with one
difference: only the first packet of each RTP timestamp is measured, because the
packets of one picture share a timestamp and are sent one after the other; counting
them would report the sender's pacing as the network's jitter.
"""

from __future__ import annotations

from supervisor.rtp.rtcp import ReceptionReport
from supervisor.rtp.sequence import unwrap16


class StreamStats:
    """Totals of one SSRC since its first packet.

    Attributes:
        packets: Different packets that came in the stream itself.
        bytes: Of those and of what was sent again.
        lost: Packets that were missing when a later one arrived and did not come
            by themselves before they were asked again: loss before repair.
        repaired: Those of them that came when they were sent again.
        duplicates: Packets that were here already.
        highest: Extended highest sequence number; -1 before the first packet.
        frame_timestamp: RTP timestamp of the packet that came last in sequence.
        longest_gap_ns: Longest time between two complete frames since `take_gap_ns`.
        arrived: RTP timestamp of the newest frame that came whole and in order, and when
            its last packet came; None before the first.
    """

    __slots__ = (
        "_expected_before",
        "_received_before",
        "_transit",
        "arrived",
        "bytes",
        "clock_rate",
        "duplicates",
        "first",
        "frame_timestamp",
        "frames",
        "highest",
        "jitter",
        "keyframes",
        "last_frame_ns",
        "last_packet_ns",
        "longest_gap_ns",
        "lost",
        "packets",
        "repaired",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.first = -1
        self.highest = -1
        self.packets = 0
        self.bytes = 0
        self.lost = 0
        self.repaired = 0
        self.duplicates = 0
        self.longest_gap_ns = 0
        self.frames = 0
        self.keyframes = 0
        self.jitter = 0.0
        self.last_frame_ns: int | None = None
        self.arrived: tuple[int, int] | None = None
        self.last_packet_ns: int | None = None
        self.frame_timestamp = -1
        self._transit: int | None = None
        self._expected_before = 0
        self._received_before = 0

    def on_packet(self, sequence: int, timestamp: int, marker: bool, size: int, now_ns: int) -> int:
        """Count one packet and return its unwrapped sequence number.

        One that is not newer than all before is not counted yet: say by `on_late`,
        `on_repaired` or `on_duplicate` what it was.
        """
        self.last_packet_ns = now_ns
        if self.highest < 0:
            extended = self.first = self.highest = sequence
        else:
            extended = unwrap16(sequence, self.highest)
            if extended <= self.highest:
                return extended
            self.lost += extended - self.highest - 1
            self.highest = extended
        self.packets += 1
        self.bytes += size
        if timestamp != self.frame_timestamp:
            self.on_first_of_frame(timestamp, now_ns)
        if marker:
            self.on_frame(now_ns)
            self.arrived = (timestamp, now_ns)
        return extended

    def on_late(self, marker: bool, size: int, now_ns: int, *, overtaken: bool) -> None:
        """A packet counted as lost came; `overtaken`: by itself, so it was no loss."""
        self.packets += 1
        self.bytes += size
        if overtaken:
            self.lost -= 1
        if marker:
            self.on_frame(now_ns)

    def on_repaired(self, marker: bool, size: int, now_ns: int, *, apart: bool) -> None:
        """A lost packet came again, in this stream or `apart` in one of its own (RTX)."""
        self.repaired += 1
        self.bytes += size
        if not apart:
            self.packets += 1
        if marker:
            self.on_frame(now_ns)

    def on_duplicate(self) -> None:
        """A packet came that was here already."""
        self.duplicates += 1

    def on_frame(self, now_ns: int) -> None:
        """Count a frame: its last packet came. Every Opus packet is one (RFC 7587 §4.2)."""
        self.frames += 1
        if self.last_frame_ns is not None and now_ns - self.last_frame_ns > self.longest_gap_ns:
            self.longest_gap_ns = now_ns - self.last_frame_ns
        self.last_frame_ns = now_ns

    def take_gap_ns(self) -> int:
        """Return the longest time between two complete frames since the last call."""
        gap_ns = self.longest_gap_ns
        self.longest_gap_ns = 0
        return gap_ns

    def on_first_of_frame(self, timestamp: int, now_ns: int) -> None:
        """Measure jitter: the first packet of another RTP timestamp came."""
        arrival = now_ns * self.clock_rate // 1_000_000_000
        transit = (arrival - timestamp) & 0xFFFF_FFFF
        if self._transit is not None:
            difference = (transit - self._transit) & 0xFFFF_FFFF
            if difference & 0x8000_0000:
                difference = 0x1_0000_0000 - difference
            self.jitter += (difference - self.jitter) / 16
        self._transit = transit
        self.frame_timestamp = timestamp

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in milliseconds."""
        return self.jitter * 1000 / self.clock_rate

    def report(self, ssrc: int, lsr: int, dlsr: int) -> ReceptionReport:
        """Return the reception report since the last call (RFC 3550 A.3)."""
        expected = self.highest - self.first + 1 if self.highest >= 0 else 0
        lost = expected - self.packets
        expected_now = expected - self._expected_before
        received_now = self.packets - self._received_before
        self._expected_before = expected
        self._received_before = self.packets
        lost_now = expected_now - received_now
        fraction = lost_now * 256 // expected_now if expected_now > 0 and lost_now > 0 else 0
        return ReceptionReport(
            ssrc, min(fraction, 255), lost, max(self.highest, 0), int(self.jitter), lsr, dlsr
        )
