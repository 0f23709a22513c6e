"""From one encoding to the network: RTP, pacing, repair, rate.

aiortc's own sending loop sends a keyframe as one burst and keeps 128 packets for
repair: at 8 Mbit/s that is 150 ms, less than one round trip of a bad day. So its
loop is replaced by ours. A picture of a few packets leaves at once, a larger one evenly:
on a wide link within a part of the picture interval, on a narrow one as fast as that
carries it, so that a keyframe makes no queue there; what is asked for again goes out as
RTX (RFC 4588) where the other end takes it (`repair` says what and how often).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCRtpSender
from aiortc.clock import current_ntp_time
from aiortc.rtp import (
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpSenderInfo,
    RtpPacket,
    unpack_remb_fci,
    wrap_rtx,
)

from vehicle_stub import clock
from vehicle_stub.encoding import EncodedPicture, Encoding
from vehicle_stub.rate import RateFollower
from vehicle_stub.repair import COPY_AFTER_S, Repairs
from vehicle_stub.rtp_hooks import Captured, SenderReports, hook

MAX_WAITING: Final = 6
"""Encoded pictures waiting to be sent; beyond it all go, and a keyframe is asked."""

BURST: Final = 10
"""Packets of a picture that leave at once, where the link carries them in `BURST_S`."""

BURST_S: Final = 0.02
LEAST_BURST: Final = 2
STEP_S: Final = 0.002
SPREAD: Final = 0.8
"""At most this share of the picture interval is used to send a picture."""

PACE: Final = 4.0
"""Packets leave at most this many times faster than the rate,"""

NARROW_PACE: Final = 1.2
"""and this many times faster than what the hub says the link carries,"""

LONGEST_PACE_S: Final = 0.3
"""but a picture never takes longer than this."""

MAX_COPIES: Final = 64
"""Second copies waiting; more are left out."""


class VideoSender(SenderReports):
    """One stream of a session.

    Args:
        share: Returns this stream's part of an estimate, from (kbit/s, SSRCs it names).
        round_trip_ns: Returns the path's, None if unknown.

    Attributes:
        sent, dropped: Pictures handed to the network, and thrown away before it.
        repairs: What was sent again.
    """

    def __init__(
        self,
        sender: RTCRtpSender,
        encoding: Encoding,
        heard: Callable[[], None],
        share: Callable[[float, list[int], int], float],
        source: random.Random,
        round_trip_ns: Callable[[], int | None],
    ) -> None:
        super().__init__(sender, heard)
        self.encoding = encoding
        self.sent = 0
        self.dropped = 0
        self.repairs: Repairs[RtpPacket] = Repairs()
        shape = encoding.shape
        self.follower = RateFollower(shape.bitrate_kbps, shape.width, shape.height, shape.fps)
        self._share = share
        self._round_trip_ns = round_trip_ns
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[EncodedPicture] = deque()
        self._filled = asyncio.Event()
        self._need_keyframe = True
        self._closed = False
        self._origin = source.getrandbits(32)
        self._offset = self._origin
        # In the lower half, so that SRTP's rollover counter cannot be guessed wrongly.
        self._sequence = source.getrandbits(15)
        self._rtx_sequence = source.getrandbits(15)
        self._rtx_type: int | None = None
        self._copies: deque[RtpPacket] = deque()
        self._copies_wait = asyncio.Event()
        self._packets = 0
        self._octets = 0
        hook(sender, "_run_rtp", self._run_rtp)
        hook(sender, "_send_keyframe", encoding.ask_keyframe)

    # ------------------------------------------------------------------ the session

    def open(self) -> None:
        """The connection stands: take the encoding's pictures, from a keyframe on."""
        if not self._closed:
            self.encoding.attach(self._deliver)

    def close(self) -> None:
        """Take no more."""
        self._closed = True
        self.encoding.detach(self._deliver)

    def restart(self) -> None:
        """The path was dead and lives again: what waits is old, begin with a keyframe."""
        self._drop_waiting()
        self._need_keyframe = True
        self.encoding.ask_keyframe()

    # --------------------------------------------------------------------- pictures

    def _deliver(self, picture: EncodedPicture) -> None:
        """Called in the camera's thread."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, picture)

    def _put(self, picture: EncodedPicture) -> None:
        self.encoding.set_rate(self.follower.at(clock.monotonic_ns()))
        if self._need_keyframe and not picture.keyframe:
            self.dropped += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            self._drop_waiting()
            if not picture.keyframe:
                self.dropped += 1
                self._need_keyframe = True
                self.encoding.ask_keyframe()
                return
        self._need_keyframe = False
        self._waiting.append(picture)
        self._filled.set()

    def _drop_waiting(self) -> None:
        self.dropped += len(self._waiting)
        self._waiting.clear()

    async def _next(self) -> EncodedPicture:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()

    # -------------------------------------------------------------------------- RTP

    async def _run_rtp(self, codec: Any) -> None:
        """In place of aiortc's loop; its `stop` waits for the two events set here."""
        sender = self.sender
        _private(sender, "rtp_started").set()
        self._rtx_type = None
        try:
            self._learn_rtx_type()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_pictures(codec.payloadType), name="media-pictures")
                tasks.create_task(self._send_copies(), name="media-copies")
        except* (asyncio.CancelledError, ConnectionError):
            pass  # stopped, or the transport is gone: the session notices by itself
        finally:
            if sender.track is not None:
                sender.track.stop()
            _private(sender, "rtp_exited").set()

    def _learn_rtx_type(self) -> None:
        found = _private(self.sender, "rtx_payload_type")
        self._rtx_type = None if found is None else int(found)

    async def _send_pictures(self, payload_type: int) -> None:
        while True:
            await self._send_picture(await self._next(), payload_type)

    async def _send_picture(self, picture: EncodedPicture, payload_type: int) -> None:
        extensions: HeaderExtensionsMap = _private(self.sender, "rtp_header_extensions_map")
        mid = _private(self.sender, "mid")
        timestamp = picture.rtp_ts + self._origin & 0xFFFFFFFF
        payloads = picture.payloads
        burst, pace = self._pace(payloads)
        began = self._loop.time()
        self.handed(Captured(picture.rtp_ts, picture.captured_utc_ns))
        for number, payload in enumerate(payloads):
            if number >= burst:
                due = began + (number - burst + 1) * pace
                if due - self._loop.time() > STEP_S:
                    await asyncio.sleep(due - self._loop.time())
            packet = RtpPacket(
                payload_type=payload_type,
                marker=int(number == len(payloads) - 1),
                sequence_number=self._sequence,
                timestamp=timestamp,
                ssrc=self.sender._ssrc,
                payload=payload,
            )
            packet.extensions.mid = mid
            packet.extensions.abs_send_time = current_ntp_time() >> 14 & 0x00FFFFFF
            self.repairs.keep(self._sequence, packet, len(payload))
            self._sequence = self._sequence + 1 & 0xFFFF
            self._packets += 1
            self._octets += len(payload)
            await self.sender.transport._send_rtp(packet.serialize(extensions))
        self.sent += 1
        self.encoding.on_sent((clock.monotonic_ns() - picture.captured_ns) / 1e6)

    def _pace(self, payloads: list[bytes]) -> tuple[int, float]:
        """Return how many packets leave at once, and seconds between those beyond."""
        rate = self.follower.at(clock.monotonic_ns())
        bits = sum(map(len, payloads)) * 8
        spread_s = SPREAD * rate.divisor / self.encoding.shape.fps
        paced_s = min(spread_s, bits / (PACE * rate.kbps * 1000))
        burst = BURST
        estimate_kbps = self.follower.estimate_kbps
        if estimate_kbps is not None:
            carried_bps = NARROW_PACE * 1000 * max(estimate_kbps, rate.kbps)
            paced_s = max(paced_s, min(bits / carried_bps, LONGEST_PACE_S))
            carried = carried_bps * BURST_S * len(payloads) / max(1, bits)
            burst = max(LEAST_BURST, min(BURST, int(carried)))
        rest = len(payloads) - burst
        return (burst, 0.0) if rest <= 0 else (burst, paced_s / len(payloads))

    # --------------------------------------------------------------------- feedback

    def sent_so_far(self, info: RtcpSenderInfo) -> tuple[int, int]:
        """Return packets and octets sent; the loop is ours, so is the count."""
        return self._packets, self._octets

    async def on_nack(self, lost: list[int]) -> None:
        """Send again what is still there, within the budget."""
        now_ns = clock.monotonic_ns()
        kbps = self.follower.at(now_ns).kbps
        try:
            for again in self.repairs.asked(lost, kbps, self._round_trip_ns(), now_ns):
                await self._send_again(again.packet)
                if again.twice and len(self._copies) < MAX_COPIES:
                    self._copies.append(again.packet)
                    self._copies_wait.set()
        except ConnectionError:
            return  # the session ends; nothing to repair on it

    async def _send_copies(self) -> None:
        while True:
            await self._copies_wait.wait()
            await asyncio.sleep(COPY_AFTER_S)
            self._copies_wait.clear()
            while self._copies:
                await self._send_again(self._copies.popleft())

    async def _send_again(self, packet: RtpPacket) -> None:
        extensions: HeaderExtensionsMap = _private(self.sender, "rtp_header_extensions_map")
        if self._rtx_type is not None:
            packet = wrap_rtx(packet, self._rtx_type, self._rtx_sequence, self.sender._rtx_ssrc)
            self._rtx_sequence = self._rtx_sequence + 1 & 0xFFFF
        await self.sender.transport._send_rtp(packet.serialize(extensions))

    def on_estimate(self, packet: RtcpPsfbPacket) -> None:
        """REMB (draft-alvestrand-rmcat-remb): the receiver's estimate, bit/s."""
        try:
            bitrate, ssrcs = unpack_remb_fci(packet.fci)
        except ValueError:
            return
        if self.sender._ssrc in ssrcs:
            mine = self._share(bitrate / 1000, ssrcs, self.sender._ssrc)
            now_ns = clock.monotonic_ns()
            self.follower.on_estimate(mine, now_ns)
            self.encoding.set_rate(self.follower.at(now_ns))

    def on_loss(self, fraction: float) -> None:
        """A receiver report about this stream."""
        self.follower.on_loss(fraction, clock.monotonic_ns())


def _private(sender: RTCRtpSender, name: str) -> Any:
    return getattr(sender, f"_RTCRtpSender__{name}")
