"""One SSRC of one publisher session: unwrapped, judged, repaired, laid on a feed.

`receive` takes any packet; `receive_run` takes what nothing is special about, many at
a time, and leaves exactly the same behind.
"""

from __future__ import annotations

from supervisor.rtp.cache import SIZE as CACHE_SIZE
from supervisor.rtp.cache import Outgoing
from supervisor.rtp.codec import Codec
from supervisor.rtp.feed import Feed
from supervisor.rtp.keyframe import detector, first_keyframe
from supervisor.rtp.nack import LossTracker
from supervisor.rtp.packet import HEADER, payload_offset
from supervisor.rtp.picture_size import Size, picture_size
from supervisor.rtp.rtcp import ReceptionReport, SenderReport
from supervisor.rtp.rtx import unwrap
from supervisor.rtp.run import Columns, Layout
from supervisor.rtp.sequence import unwrap16
from supervisor.rtp.stats import StreamStats

_unpack = HEADER.unpack_from


class Inbound:
    """One SSRC of one publisher session, laid on a feed.

    Attributes:
        layout: How its packets looked last, for reading runs; None: not known.
        losses: What is missing, if NACK is negotiated.
        newest: Header and extensions of the newest packet in sequence.
        size: (width, height) of the newest keyframe, as far as it is known.
        dropped_unknown, dropped_late: Packets not forwarded: payload type not
            negotiated; older than the first packet of this source, or so old that it
            cannot be told whether they were here already.
    """

    __slots__ = (
        "_detect",
        "_detect_type",
        "_first_out",
        "_keyframe_timestamp",
        "_laid",
        "_report_middle",
        "_report_ns",
        "_sequence_offset",
        "_timestamp_offset",
        "clock_rate",
        "codecs",
        "dropped_late",
        "dropped_unknown",
        "feed",
        "is_audio",
        "layout",
        "losses",
        "newest",
        "originals",
        "payload_type",
        "size",
        "ssrc",
        "stats",
    )

    def __init__(self, feed: Feed, ssrc: int, codecs: list[Codec]) -> None:
        self.feed = feed
        self.ssrc = ssrc
        self.codecs = {codec.payload_type: codec for codec in codecs}
        self.clock_rate = codecs[0].clock_rate
        self.is_audio = feed.kind == "audio"
        self.stats = StreamStats(self.clock_rate)
        self.losses = LossTracker() if any(codec.nack for codec in codecs) else None
        self.originals = {codec.rtx: codec.payload_type for codec in codecs if codec.rtx}
        self.layout: Layout | None = None
        self.newest = b""
        self.size: Size | None = None
        self.payload_type = codecs[0].payload_type
        self.dropped_unknown = 0
        self.dropped_late = 0
        self._detect = detector("")
        self._detect_type = -1
        self._keyframe_timestamp = -1
        self._laid = False
        self._first_out = 0
        self._sequence_offset = 0
        self._timestamp_offset = 0
        self._report_middle = 0
        self._report_ns = 0

    @property
    def codec(self) -> Codec:
        """The codec of the newest packet."""
        return self.codecs[self.payload_type]

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take one RTP packet (after SRTP) and push it on the feed.

        Raises:
            ProtocolError: `malformed`.
        """
        first = data[0] if data else 0
        offset = 12 if first == 0x80 and len(data) >= 12 else payload_offset(data)
        _, second, sequence, timestamp, _ = _unpack(data)
        payload_type = second & 0x7F
        if payload_type != self._detect_type:
            codec = self.codecs.get(payload_type)
            if codec is None:
                self.dropped_unknown += 1
                return
            self._detect = detector(codec.name)
            self._detect_type = self.payload_type = payload_type
        marker = second & 0x80
        stats = self.stats
        highest = stats.highest
        extended = stats.on_packet(sequence, timestamp, marker != 0, len(data), now_ns)
        feed = self.feed
        if not self._laid:
            self._laid = True
            self._sequence_offset, self._timestamp_offset = feed.lay(
                self, extended, timestamp, now_ns
            )
            self._first_out = extended + self._sequence_offset
        elif extended != highest + 1 and not self._in_disorder(
            extended, highest, data, marker != 0, now_ns
        ):
            return
        if extended > highest:
            self.newest = data[:offset]
        if self.is_audio:
            if not marker:
                stats.on_frame(now_ns)
        elif self._detect(data, offset) and timestamp != self._keyframe_timestamp:
            self._on_keyframe(extended, timestamp, data, offset, now_ns)
        self._push(extended, timestamp, marker, payload_type, data, offset, now_ns)

    def receive_run(self, run: Columns, now_ns: int) -> int:
        """Take packets of a run as long as nothing about them is out of the ordinary.

        Does what `receive` does for each, by columns. Ordinary is: next in sequence, of
        this SSRC and the payload type of the one before.

        Returns:
            How many were taken; give the next one to `receive`.
        """
        stats = self.stats
        feed = self.feed
        if not self._laid or self.is_audio or feed.source is not self:
            return 0
        expected = stats.highest + 1
        out = expected + self._sequence_offset
        payload_type = self._detect_type
        if out <= feed.highest:
            return 0
        taken = self._ordinary(run, expected & 0xFFFF, payload_type)
        begin = 0
        while begin < taken:
            end = _picture_end(run, begin, taken, payload_type | 0x80)
            timestamp = run.timestamps[begin]
            marker = run.seconds[end - 1] & 0x80
            payloads = run.payloads if end - begin == len(run.payloads) else run.payloads[begin:end]
            if timestamp != stats.frame_timestamp:
                stats.on_first_of_frame(timestamp, now_ns)
            if marker:
                stats.on_frame(now_ns)
                stats.arrived = (timestamp, now_ns)
            if timestamp != self._keyframe_timestamp:
                index = first_keyframe(self._detect, payloads)
                if index is not None:
                    number = expected + begin + index
                    self._on_keyframe(number, timestamp, payloads[index], 0, now_ns)
            packets = Outgoing(
                out + begin,
                (timestamp + self._timestamp_offset) & 0xFFFF_FFFF,
                marker,
                payload_type,
                payloads,
                0x80,
            )
            feed.push(packets, now_ns)
            begin = end
        if taken:
            stats.last_packet_ns = now_ns
            stats.packets += taken
            stats.bytes += taken * run.size
            stats.highest = expected + taken - 1
            self.newest = run.header(taken - 1)
        return taken

    def _ordinary(self, run: Columns, sequence: int, payload_type: int) -> int:
        """Return how many packets a run begins with that are ordinary."""
        count = len(run.payloads)
        seconds = run.seconds
        ordinary = (
            run.sequences == tuple(range(sequence, sequence + count))
            and run.ssrcs.count(self.ssrc) == count
            and seconds.count(payload_type) + seconds.count(payload_type | 0x80) == count
        )
        if ordinary:
            return count
        for index in range(count):
            if (
                run.sequences[index] != (sequence + index) & 0xFFFF
                or run.ssrcs[index] != self.ssrc
                or seconds[index] & 0x7F != payload_type
            ):
                return index
        return count

    def receive_rtx(self, data: bytes, payload_type: int, now_ns: int) -> None:
        """Take one packet of the stream that repairs this one (RFC 4588).

        Args:
            payload_type: The RTX payload type; it tells the original's.

        Raises:
            ProtocolError: `malformed`.
        """
        original = self.originals.get(payload_type)
        if original is None or not self._laid:
            self.dropped_unknown += 1
            return
        packet = unwrap(data, original, self.ssrc)
        if packet is None:
            return
        stats = self.stats
        _, second, sequence, timestamp, _ = _unpack(packet)
        extended = unwrap16(sequence, stats.highest)
        if self.losses is None or not self.losses.on_repair(extended, now_ns):
            stats.on_duplicate()
            return
        stats.on_repaired(second & 0x80 != 0, len(data), now_ns, apart=True)
        if self._detect(packet, 12) and timestamp != self._keyframe_timestamp:
            self._on_keyframe(extended, timestamp, packet, 12, now_ns)
        self._push(extended, timestamp, second & 0x80, original, packet, 12, now_ns)

    def _push(
        self,
        extended: int,
        timestamp: int,
        marker: int,
        payload_type: int,
        data: bytes,
        offset: int,
        now_ns: int,
    ) -> None:
        out = extended + self._sequence_offset
        if out < self._first_out or self.feed.source is not self:
            self.dropped_late += 1
            return
        packet = Outgoing(
            out,
            (timestamp + self._timestamp_offset) & 0xFFFF_FFFF,
            marker,
            payload_type,
            [data[offset:]],
            0x80 | (data[0] & 0x20),
        )
        self.feed.push(packet, now_ns)

    def _on_keyframe(
        self, extended: int, timestamp: int, data: bytes, offset: int, now_ns: int
    ) -> None:
        self._keyframe_timestamp = timestamp
        self.stats.keyframes += 1
        self.size = picture_size(self.codec.name, data, offset) or self.size
        if self.losses is not None:
            self.losses.on_keyframe(extended)
        feed = self.feed
        feed.keyframes.on_keyframe()
        feed.keyframe_sequence = extended + self._sequence_offset
        feed.keyframe_ns = now_ns

    def _in_disorder(
        self, extended: int, highest: int, data: bytes, marker: bool, now_ns: int
    ) -> bool:
        """Note a gap, or a packet that is not the newest; False: not to be forwarded."""
        losses = self.losses
        if extended > highest:
            if losses is not None and not losses.on_gap(highest + 1, extended - 1, now_ns):
                self.feed.keyframes.ask()
            return True
        stats = self.stats
        asked = None
        if losses is not None:
            asked = losses.on_late(extended, now_ns, repaired_apart=bool(self.originals))
        if asked:
            stats.on_repaired(marker, len(data), now_ns, apart=False)
            return True
        if asked is None:
            if extended < stats.first or highest - extended >= CACHE_SIZE:
                self.dropped_late += 1
                return False
            if self.feed.cache.get(extended + self._sequence_offset) is not None:
                stats.on_duplicate()
                return False
            if losses is not None and losses.given_up > 0:
                losses.given_up -= 1
        stats.on_late(marker, len(data), now_ns, overtaken=True)
        return True

    def look_for_tail(self, now_ns: int) -> None:
        """Take the last packet of a picture for lost that has not come in its time."""
        losses, stats, newest = self.losses, self.stats, self.newest
        if losses is None or stats.last_packet_ns is None or newest[1] & 0x80 or self.is_audio:
            return
        if now_ns - stats.last_packet_ns < losses.tail_ns:
            return
        if newest[2] << 8 | newest[3] != stats.highest & 0xFFFF:
            return  # it has been looked for already
        stats.highest += 1
        stats.lost += 1
        losses.on_tail(stats.highest, now_ns)

    def arrived(self) -> tuple[int, int] | None:
        """Return the newest whole frame's RTP timestamp as watchers see it, and its arrival."""
        arrived = self.stats.arrived
        if arrived is None or not self._laid:
            return None
        return (arrived[0] + self._timestamp_offset) & 0xFFFF_FFFF, arrived[1]

    def on_sender_report(self, report: SenderReport, now_ns: int) -> SenderReport | None:
        """Note an SR and return it in the feed's timeline; None if it says nothing yet.

        A sender that has not sent a packet reports NTP time 0 (RFC 3550 §6.4.1).
        """
        self._report_middle = report.ntp >> 16 & 0xFFFF_FFFF
        self._report_ns = now_ns
        if not self._laid or report.ntp == 0 or self.feed.source is not self:
            return None
        moved = self._moved(report)
        group = self.feed.group
        if group is not None:
            ticks = group.correction(self.feed, moved, self.clock_rate)
            if ticks:
                self._timestamp_offset += ticks
                self.feed.on_timeline_moved(ticks)
                moved = self._moved(report)
        self.feed.sender_report = moved
        return moved

    def _moved(self, report: SenderReport) -> SenderReport:
        return SenderReport(
            report.ssrc,
            report.ntp,
            (report.rtp + self._timestamp_offset) & 0xFFFF_FFFF,
            report.packets,
            report.octets,
        )

    def reception_report(self, now_ns: int) -> ReceptionReport:
        """Return what the publisher should know about its stream."""
        delay = 0
        if self._report_middle:
            delay = min((now_ns - self._report_ns) * 65_536 // 1_000_000_000, 0xFFFF_FFFF)
        return self.stats.report(self.ssrc, self._report_middle, delay)


def _picture_end(run: Columns, begin: int, end: int, marked: int) -> int:
    """Return where the picture that begins at `begin` ends within the run, at most `end`.

    Args:
        marked: Second header byte of a packet that ends a picture.
    """
    if marked in run.seconds:
        last = next((n for n in range(begin, end) if run.seconds[n] == marked), end - 1)
        end = last + 1
    timestamp = run.timestamps[begin]
    stamps = run.timestamps[begin:end]
    if stamps.count(timestamp) == end - begin:
        return end
    return begin + next(index for index, other in enumerate(stamps) if other != timestamp)
