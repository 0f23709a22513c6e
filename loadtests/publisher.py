"""A vehicle's camera as a forwarder sees it: paced H.264 packets, reports, repairs.

Pictures leave every 1/30 s, each in runs of equal packets spread over half of that
time, as a pacing sender would. A keyframe begins the loop anew when a PLI or FIR asks
for one, at most twice a second; a NACK is answered from the last packets sent.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from typing import Final

from aiortc.rtcdtlstransport import RTCCertificate

from loadtests import sdp, wire
from loadtests.peer import Peer
from loadtests.video import FRAMES_PER_S, CutLoop, Packet

FRAME_NS: Final = 1_000_000_000 // FRAMES_PER_S
RTP_PER_FRAME: Final = 90_000 // FRAMES_PER_S
SPREAD_NS: Final = FRAME_NS // 2
KEYFRAME_NOT_BEFORE_NS: Final = 500_000_000
TOO_LATE_NS: Final = 250_000_000
"""A picture this late is left out: a sender that fell behind must not pile up."""

REPORT_EVERY_NS: Final = 1_000_000_000
CACHE: Final = 1024


class Feedback:
    """What the forwarder asked of a publisher, counted."""

    __slots__ = ("keyframes", "nacks", "others", "receiver_reports", "remb", "transport_cc")

    def __init__(self) -> None:
        self.keyframes = 0
        self.nacks = 0
        self.receiver_reports = 0
        self.remb = 0
        self.transport_cc = 0
        self.others = 0


class Publisher(Peer):
    """One stream.

    Args:
        stream: Its number, carried in each packet.
        loop: What to send, cut into runs.

    Attributes:
        sent, octets: Packets and payload bytes sent; `sent` is the next packet's index.
        frames: Pictures sent.
        resent: Packets sent again for a NACK.
        skipped: Pictures left out because the generator was too slow.
        refused: Runs the kernel had no room for; they are tried again.
    """

    def __init__(self, certificate: RTCCertificate, stream: int, loop: CutLoop) -> None:
        super().__init__(certificate)
        self.stream = stream
        self.ssrc = secrets.randbelow(0xFFFF_FFFE) + 1
        self.feedback = Feedback()
        self.sent = 0
        self.frames = 0
        self.octets = 0
        self.resent = 0
        self.skipped = 0
        self.refused = 0
        self._pictures = loop.pictures
        self._padded = loop.padded
        self._frame = 0
        self._frame_due_ns = 0
        self._rtp_ts = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._pending: list[list[Packet]] = []
        self._protected: list[bytes] | None = None
        self._cache: list[bytes] = [b""] * CACHE
        self._keyframe_wanted = False
        self._keyframe_ns = 0
        self._report_due_ns = 0
        self._payload_type = sdp.PAYLOAD_TYPE
        self._extension: Callable[[int], bytes] | None = None
        self._transport_sequence = 0

    def offer(self) -> str:
        """Return the offer to publish."""
        return sdp.publish_offer(self.local, self.ssrc)

    def on_connected(self, answer: sdp.Answer) -> None:
        """Learn what the answer accepted."""
        self._payload_type = answer.payload_type
        self._extension = self._extension_writer(answer.extensions)

    # ---------------------------------------------------------------------- pacing

    def begin(self, at_ns: int) -> None:
        """Send the first picture at `at_ns` (CLOCK_MONOTONIC)."""
        self._frame_due_ns = at_ns
        self._report_due_ns = at_ns

    def send_due(self, now_ns: int) -> int:
        """Send what is due; return when to call again."""
        if now_ns >= self._report_due_ns:
            self._report_due_ns = now_ns + REPORT_EVERY_NS
            self._send_report()
        if not self._pending and self._protected is None:
            if now_ns < self._frame_due_ns:
                return self._frame_due_ns
            self._next_frame(now_ns)
        if not self._send_run(now_ns):
            return now_ns + 1_000_000
        if self._pending:
            return now_ns + self._gap_ns
        return self._frame_due_ns

    def _next_frame(self, now_ns: int) -> None:
        late = (now_ns - self._frame_due_ns) // FRAME_NS
        if late * FRAME_NS >= TOO_LATE_NS:
            self.skipped += late
            self._frame_due_ns += late * FRAME_NS
            self._rtp_ts += late * RTP_PER_FRAME
        pictures = self._pictures
        self.frames += 1
        if self._keyframe_wanted and now_ns - self._keyframe_ns >= KEYFRAME_NOT_BEFORE_NS:
            self._frame = 0
        if self._frame == 0:
            self._keyframe_wanted = False
            self._keyframe_ns = now_ns
        self._pending = list(pictures[self._frame])
        self._gap_ns = SPREAD_NS // len(self._pending)
        self._frame = (self._frame + 1) % len(pictures)
        self._frame_due_ns += FRAME_NS
        self._rtp_ts = (self._rtp_ts + RTP_PER_FRAME) & 0xFFFF_FFFF

    def _send_run(self, now_ns: int) -> bool:
        """Protect and send the next run; False if the kernel had no room."""
        if self._protected is None:
            self._protected = self._protect_run(self._pending.pop(0))
        try:
            if self.udp.segments:
                self.udp.send_run(self._protected)
            else:
                while self._protected:
                    self.udp.send(self._protected[0])
                    self._protected.pop(0)
        except BlockingIOError:
            self.refused += 1
            return False
        except ConnectionRefusedError:
            self.refused += 1  # the forwarder has gone; its watchers will say so
        self._protected = None
        return True

    def _protect_run(self, run: list[Packet]) -> list[bytes]:
        protect = self._protect
        pack_header = wire.RTP_HEADER.pack
        pack_trailer = wire.TRAILER.pack
        cache = self._cache
        padded = self._padded
        first = 0x80 | (wire.PADDING_BIT if padded else 0)
        write_extension = self._extension
        if write_extension is not None:
            first |= wire.EXTENSION_BIT
        extension = b""
        sequence = self._sequence
        index = self.sent
        sent_ns = time.monotonic_ns()
        datagrams = []
        for payload, marker in run:
            second = self._payload_type | 0x80 if marker else self._payload_type
            if write_extension is not None:
                extension = write_extension(sent_ns)
            data = (
                pack_header(first, second, sequence, self._rtp_ts, self.ssrc)
                + extension
                + payload
                + pack_trailer(sent_ns, index, self.stream, wire.TRAILER_MAGIC)
            )
            datagram = protect(data + wire.PADDING if padded else data)
            cache[sequence % CACHE] = datagram
            datagrams.append(datagram)
            self.octets += len(data) - 12 - len(extension)
            index += 1
            sequence = (sequence + 1) & 0xFFFF
        self.sent = index
        self._sequence = sequence
        return datagrams

    def _extension_writer(self, accepted: dict[str, int]) -> Callable[[int], bytes] | None:
        """Return what makes the header extension block (RFC 8285 §4.2), if any is wanted."""
        mid = accepted.get(sdp.MID_URI, 0)
        send_time = accepted.get(sdp.ABS_SEND_TIME_URI, 0)
        transport = accepted.get(sdp.TRANSPORT_CC_URI, 0)
        if not (mid or send_time or transport):
            return None
        head = bytes([mid << 4]) + b"0" if mid else b""
        length = len(head) + (4 if send_time else 0) + (3 if transport else 0)
        padding = bytes(-length % 4)
        start = struct.pack("!HH", 0xBEDE, (length + len(padding)) // 4) + head
        send_time_head = bytes([send_time << 4 | 2])
        transport_head = bytes([transport << 4 | 1])

        def write(now_ns: int) -> bytes:
            block = start
            if send_time:  # 6.18 fixed point seconds, 24 bits
                value = (now_ns << 18) // 1_000_000_000 & 0xFF_FFFF
                block += send_time_head + value.to_bytes(3, "big")
            if transport:
                self._transport_sequence = (self._transport_sequence + 1) & 0xFFFF
                block += transport_head + self._transport_sequence.to_bytes(2, "big")
            return block + padding

        return write

    # ------------------------------------------------------------------------ RTCP

    def _send_report(self) -> None:
        self.send_rtcp(
            wire.sender_report(
                self.ssrc, wire.ntp(time.time_ns()), self._rtp_ts, self.sent, self.octets
            )
        )

    def on_rtcp(self, packet: wire.Rtcp) -> None:
        """Count and obey feedback."""
        feedback = self.feedback
        match (packet.packet_type, packet.code):
            case (wire.PSFB, wire.PLI_FORMAT | wire.FIR_FORMAT):
                feedback.keyframes += 1
                self._keyframe_wanted = True
            case (wire.PSFB, wire.REMB_FORMAT):
                feedback.remb += 1
            case (wire.RTPFB, wire.NACK_FORMAT):
                feedback.nacks += 1
                self._repair(wire.nacked(packet.body))
            case (wire.RTPFB, wire.TRANSPORT_CC_FORMAT):
                feedback.transport_cc += 1
            case (wire.RR, _):
                feedback.receiver_reports += 1
            case _:
                feedback.others += 1

    def _repair(self, sequences: list[int]) -> None:
        for sequence in sequences:
            behind = (self._sequence - sequence) & 0xFFFF
            datagram = self._cache[sequence % CACHE]
            if 0 < behind <= CACHE and datagram:
                self._send_quietly(datagram)
                self.resent += 1
