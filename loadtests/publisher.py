"""A vehicle's camera as a forwarder sees it: paced H.264 packets, reports, repairs.

Pictures leave every 1/30 s, each in runs of equal packets spread over half of that
time, as a pacing sender would. A keyframe begins the loop anew when a PLI or FIR asks
for one, at most twice a second; a NACK is answered from the last packets sent.
"""

from __future__ import annotations

import functools
import secrets
import struct
import time
from collections import deque
from collections.abc import Callable
from itertools import repeat
from typing import Final, NamedTuple

from aiortc.rtcdtlstransport import RTCCertificate
from pylibsrtp import Error as SrtpError

from loadtests import sdp, wire
from loadtests.dtls import Memory
from loadtests.peer import Peer
from loadtests.video import FRAMES_PER_S, CutLoop, Run

FRAME_NS: Final = 1_000_000_000 // FRAMES_PER_S
RTP_PER_FRAME: Final = 90_000 // FRAMES_PER_S
SPREAD_NS: Final = FRAME_NS // 2
KEYFRAME_NOT_BEFORE_NS: Final = 500_000_000
TOO_LATE_NS: Final = 250_000_000
"""A picture this late is left out: a sender that fell behind must not pile up."""

TRICKLE_NS: Final = 250_000_000
"""Between two runs of a publisher that has not been told to begin."""

REPORT_EVERY_NS: Final = 1_000_000_000
CACHED_RUNS: Final = 128
TAG_ROOM: Final = 16
"""Left behind each packet for SRTP's tag, which is this long with AES-GCM."""

_memory: Final = Memory()
"""Where the publishers of this process write packets, one run after the other."""


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


class _Sent(NamedTuple):
    """Protected packets of `size` bytes each, ready to be sent; `sequence` of the first."""

    data: bytes
    size: int
    packets: int
    sequence: int

    def packet(self, index: int) -> bytes:
        """Return one of them."""
        return self.data[index * self.size : (index + 1) * self.size]


@functools.cache
def _writer(extension: int, payload: int, padded: bool) -> struct.Struct:
    """Return what writes a packet: header, extension, payload, trailer, padding count."""
    padding = len(wire.PADDING) if padded else 0
    return struct.Struct(f"!BBHII{extension}s{payload}sQIHH{padding}s")


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
        self._live = False
        self._frame = 0
        self._frame_due_ns = 0
        self._rtp_ts = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._pending: list[Run] = []
        self._protected: _Sent | None = None
        self._cache: deque[_Sent] = deque(maxlen=CACHED_RUNS)
        self._protect_run: Callable[[Memory, int, int, int], int] | None = None
        self._keyframe_wanted = False
        self._keyframe_ns = 0
        self._report_due_ns = 0
        self._payload_type = sdp.PAYLOAD_TYPE
        self._extensions: Callable[[int, int], list[bytes]] | None = None
        self._transport_sequence = 0

    def offer(self) -> str:
        """Return the offer to publish."""
        return sdp.publish_offer(self.local, self.ssrc)

    def on_connected(self, answer: sdp.Answer) -> None:
        """Learn what the answer accepted."""
        self._payload_type = answer.payload_type
        self._extensions = self._extension_writer(answer.extensions)
        if self._keys is not None:
            self._protect_run = self._keys.run_protector()

    # ---------------------------------------------------------------------- pacing

    def begin(self, at_ns: int) -> None:
        """Send the first picture at `at_ns` (CLOCK_MONOTONIC); before, only a trickle."""
        self._live = True
        self._frame = 0
        self._frame_due_ns = at_ns
        self._report_due_ns = at_ns

    def send_due(self, now_ns: int) -> int:
        """Send what is due; return when to call again."""
        if now_ns >= self._report_due_ns:
            self._report_due_ns = now_ns + REPORT_EVERY_NS
            self._send_report()
        if not self._live:
            self._protected = None
            self._pending = [self._pictures[0][0]]
            self._send_run(now_ns)
            return now_ns + TRICKLE_NS
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
            self._protected = self._make_run(self._pending.pop(0))
            self._cache.append(self._protected)
        run = self._protected
        try:
            if self.udp.segments:
                self.udp.send_run(run.data, run.size)
            else:
                for index in range(run.packets):
                    self.udp.send(run.packet(index))
        except BlockingIOError:
            self.refused += 1
            return False
        except ConnectionRefusedError:
            self.refused += 1  # the forwarder has gone; its watchers will say so
        self._protected = None
        return True

    def _make_run(self, run: Run) -> _Sent:
        """Write headers and trailers, protect, and return what goes to the kernel."""
        assert self._protect_run is not None
        payloads = run.payloads
        count = len(payloads)
        first = 0x80 | (wire.PADDING_BIT if self._padded else 0)
        sent_ns = time.monotonic_ns()
        extensions = [b""] * count
        if self._extensions is not None:
            first |= wire.EXTENSION_BIT
            extensions = self._extensions(sent_ns, count)
        seconds = [self._payload_type] * count
        if run.marker:
            seconds[-1] |= 0x80
        body = len(payloads[0])
        writer = _writer(len(extensions[0]), body, self._padded)
        length = writer.size
        segment = length + TAG_ROOM
        begin = self._sequence
        deque(
            map(
                writer.pack_into,
                repeat(_memory.view),
                range(0, count * segment, segment),
                repeat(first),
                seconds,
                [number & 0xFFFF for number in range(begin, begin + count)],
                repeat(self._rtp_ts),
                repeat(self.ssrc),
                extensions,
                payloads,
                repeat(sent_ns),
                range(self.sent, self.sent + count),
                repeat(self.stream),
                repeat(wire.TRAILER_MAGIC),
                repeat(wire.PADDING if self._padded else b""),
            ),
            maxlen=0,
        )
        size = self._protect_run(_memory, segment, count, length)
        if not size:
            raise SrtpError("libsrtp refused a packet")
        view = _memory.view
        if size == segment:
            data = bytes(view[: count * segment])
        else:
            starts = range(0, count * segment, segment)
            data = b"".join([view[start : start + size] for start in starts])
        self.sent += count
        self._sequence = (begin + count) & 0xFFFF
        self.octets += count * (length - 12 - len(extensions[0]) - (1 if self._padded else 0))
        return _Sent(data, size, count, begin)

    def _extension_writer(
        self, accepted: dict[str, int]
    ) -> Callable[[int, int], list[bytes]] | None:
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

        def write(now_ns: int, count: int) -> list[bytes]:
            block = start
            if send_time:  # 6.18 fixed point seconds, 24 bits
                value = (now_ns << 18) // 1_000_000_000 & 0xFF_FFFF
                block += send_time_head + value.to_bytes(3, "big")
            if not transport:
                return [block + padding] * count
            block += transport_head
            begin = self._transport_sequence + 1
            self._transport_sequence = (begin + count - 1) & 0xFFFF
            return [
                block + (number & 0xFFFF).to_bytes(2, "big") + padding
                for number in range(begin, begin + count)
            ]

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
            for run in reversed(self._cache):
                index = (sequence - run.sequence) & 0xFFFF
                if index < run.packets:
                    self._send_quietly(run.packet(index))
                    self.resent += 1
                    break
