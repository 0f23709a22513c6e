"""The one place that touches aiortc's private parts (a contract test holds them).

aiortc encodes by itself, stamps sender reports with the time of *sending*, and picks
stream ids at random. A camera needs: its own encoder, reports that tell when a
picture was *captured* (RFC 3550 §6.4.1 lets the sender choose the instant that both
timestamps name), and its name in the offer. So the sender instances get four hooks:

    _next_encoded_frame    hands over what the camera's thread encoded
    _send_keyframe         asks that thread for a keyframe (PLI, FIR: RFC 4585, 5104)
    _send_rtcp             puts the capture instant into sender reports
    _handle_rtcp_packet    notes that the hub is alive, follows its estimate (REMB)
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.codecs.h264 import H264Encoder as _AiortcH264
from aiortc.exceptions import InvalidAccessError, InvalidStateError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)

from vehicle_stub import clock
from vehicle_stub.camera_worker import CameraWorker, EncodedPicture
from vehicle_stub.sound import SoundTrack

log = logging.getLogger("enkan.vehicle.media")

MAX_WAITING: Final = 6
"""Encoded pictures waiting to be sent; beyond it all go, and a keyframe is asked."""

_NTP_EPOCH_S: Final = 2_208_988_800
_LAST_RTP: Final = "_RTCRtpSender__rtp_timestamp"


class AnswerError(Exception):
    """The hub's answer cannot be used."""


class Captured(NamedTuple):
    """An RTP timestamp (without the sender's random offset) and its wall-clock instant."""

    rtp_ts: int
    utc_ns: int


def packetize(data: bytes) -> list[bytes]:
    """Return the RTP payloads (RFC 6184, packetization-mode 1) of one access unit."""
    return _AiortcH264._packetize(_AiortcH264._split_bitstream(data))


def ntp_timestamp(utc_ns: int) -> int:
    """Return the 64-bit NTP timestamp (RFC 3550 §4) of a wall-clock instant.

    >>> ntp_timestamp(0) >> 32
    2208988800
    """
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    return (seconds + _NTP_EPOCH_S) << 32 | (rest << 32) // 1_000_000_000


def _hook(sender: RTCRtpSender, name: str, function: Callable[..., Any]) -> None:
    """Replace one method of one sender; a changed aiortc must fail here, not in silence."""
    if not callable(getattr(sender, name, None)):
        raise TypeError(f"this aiortc has no RTCRtpSender.{name}")
    setattr(sender, name, function)


class _Inert(MediaStreamTrack):
    """aiortc wants a track before it sends; ours is never read."""

    kind = "video"

    async def recv(self) -> Any:
        """Never called: the sender's `_next_encoded_frame` is ours."""
        raise AssertionError("the encoded frames come from the camera's thread")


class MediaSession:
    """One peer connection to the hub: all cameras and the sound.

    Attributes:
        ended: Set when the connection failed or closed.
        last_rtcp_ns: When the hub's last RTCP packet came (vehicle monotonic), 0 before.
        sent, dropped: Pictures handed to the network, and thrown away before it.
    """

    def __init__(self, cameras: list[CameraWorker], sound: SoundTrack | None) -> None:
        self.ended = asyncio.Event()
        self.connected = asyncio.Event()
        self.last_rtcp_ns = 0
        self.sent = 0
        self.dropped = 0
        self._loop = asyncio.get_running_loop()
        self._peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._peer.on("connectionstatechange", self._on_state)
        self._outlets = [self._add_camera(camera) for camera in cameras]
        if sound is not None:
            self._add_sound(sound)

    async def offer(self) -> str:
        """Return the offer, with all candidates."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return str(self._peer.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Take the hub's answer.

        Raises:
            AnswerError: It is not an answer to our offer.
        """
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except (
            ValueError,
            KeyError,
            IndexError,
            AttributeError,
            TypeError,
            AssertionError,
            InvalidAccessError,
            InvalidStateError,
        ) as error:
            raise AnswerError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Stop the cameras and end the connection."""
        for outlet in self._outlets:
            outlet.close()
        await self._peer.close()
        self.ended.set()

    @property
    def state(self) -> str:
        """aiortc's connection state."""
        return str(self._peer.connectionState)

    # ----------------------------------------------------------------------- inside

    def _on_state(self) -> None:
        match self.state:
            case "connected":
                self.connected.set()
                for outlet in self._outlets:
                    outlet.open()
            case "failed" | "closed":
                self.ended.set()
            case _:
                pass

    def _heard(self) -> None:
        self.last_rtcp_ns = clock.monotonic_ns()

    def _add_camera(self, camera: CameraWorker) -> _Outlet:
        transceiver = self._peer.addTransceiver(_Inert(), direction="sendonly")
        codecs = [
            codec
            for codec in RTCRtpSender.getCapabilities("video").codecs
            if codec.mimeType.lower() in ("video/h264", "video/rtx")
        ]
        transceiver.setCodecPreferences(codecs)
        sender = transceiver.sender
        sender._stream_id = camera.camera.name
        return _Outlet(self, sender, camera, self._loop)

    def _add_sound(self, sound: SoundTrack) -> None:
        transceiver = self._peer.addTransceiver(sound, direction="sendonly")
        codecs = [
            codec
            for codec in RTCRtpSender.getCapabilities("audio").codecs
            if codec.mimeType.lower() == "audio/opus"
        ]
        transceiver.setCodecPreferences(codecs)
        sender = transceiver.sender
        sender._stream_id = "audio"
        report = _CaptureReport(sender, self._heard)
        encode = sender._next_encoded_frame

        async def next_encoded_frame(codec: Any) -> RTCEncodedFrame | None:
            report.learn_offset()
            frame = await encode(codec)
            if frame is not None:
                report.handed(Captured(frame.timestamp, sound.captured_utc_ns(frame.timestamp)))
            return frame

        _hook(sender, "_next_encoded_frame", next_encoded_frame)


class _CaptureReport:
    """Makes a sender's reports name the capture instant of the newest frame.

    aiortc adds a random offset to our timestamps, in a local variable of its loop. It
    asks for the next frame only after it sent the last one, so at that moment the
    offset is: last sent timestamp minus last handed one.
    """

    def __init__(self, sender: RTCRtpSender, heard: Callable[[], None]) -> None:
        self._sender = sender
        self._heard = heard
        self._handed: Captured | None = None
        self._offset: int | None = None
        self._send = sender._send_rtcp
        self._handle = sender._handle_rtcp_packet
        _hook(sender, "_send_rtcp", self._send_rtcp)
        _hook(sender, "_handle_rtcp_packet", self._handle_rtcp_packet)

    def handed(self, captured: Captured) -> None:
        """This frame is being sent now."""
        self._handed = captured

    def learn_offset(self) -> None:
        """Call when aiortc asks for the next frame."""
        if self._handed is not None and self._offset is None:
            last_sent = int(getattr(self._sender, _LAST_RTP))
            self._offset = last_sent - self._handed.rtp_ts & 0xFFFFFFFF

    async def _send_rtcp(self, packets: list[AnyRtcpPacket]) -> None:
        ready = []
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                if self._handed is None or self._offset is None:
                    continue  # nothing captured yet: a report would map nothing
                packet.sender_info = RtcpSenderInfo(
                    ntp_timestamp=ntp_timestamp(self._handed.utc_ns),
                    rtp_timestamp=self._handed.rtp_ts + self._offset & 0xFFFFFFFF,
                    packet_count=packet.sender_info.packet_count,
                    octet_count=packet.sender_info.octet_count,
                )
            ready.append(packet)
        if ready and (isinstance(ready[0], RtcpSrPacket) or len(ready) == len(packets)):
            await self._send(ready)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self._heard()
        if isinstance(packet, RtcpRtpfbPacket):
            if packet.fmt == RTCP_RTPFB_NACK:
                await self._handle(packet)
        elif isinstance(packet, RtcpPsfbPacket):
            if packet.fmt == RTCP_PSFB_APP:
                self.on_estimate(packet)
            else:
                await self._handle(packet)

    def on_estimate(self, packet: RtcpPsfbPacket) -> None:
        """Sound keeps its rate."""


class _VideoReport(_CaptureReport):
    """The same, and the camera follows the estimate."""

    def __init__(
        self, sender: RTCRtpSender, heard: Callable[[], None], set_bitrate: Callable[[int], None]
    ) -> None:
        super().__init__(sender, heard)
        self._set_bitrate = set_bitrate

    def on_estimate(self, packet: RtcpPsfbPacket) -> None:
        """REMB (draft-alvestrand-rmcat-remb): the receiver's estimate, bit/s."""
        try:
            bitrate, ssrcs = unpack_remb_fci(packet.fci)
        except ValueError:
            return
        if self._sender._ssrc in ssrcs:
            # One estimate covers all streams it names.
            self._set_bitrate(bitrate // max(1, len(ssrcs)) // 1000)


class _Outlet:
    """From one camera's thread to one sender."""

    def __init__(
        self,
        session: MediaSession,
        sender: RTCRtpSender,
        camera: CameraWorker,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._session = session
        self._camera = camera
        self._loop = loop
        self._waiting: deque[EncodedPicture] = deque()
        self._filled = asyncio.Event()
        self._need_keyframe = True
        self._closed = False
        self._report = _VideoReport(sender, session._heard, camera.set_bitrate)
        _hook(sender, "_next_encoded_frame", self._next_encoded_frame)
        _hook(sender, "_send_keyframe", camera.ask_keyframe)

    def open(self) -> None:
        """The connection stands: begin filming."""
        if not self._closed:
            self._camera.attach(self._deliver)

    def close(self) -> None:
        """End filming."""
        self._closed = True
        self._camera.detach()

    def _deliver(self, picture: EncodedPicture) -> None:
        """Called in the camera's thread."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, picture)

    def _put(self, picture: EncodedPicture) -> None:
        if self._need_keyframe and not picture.keyframe:
            self._session.dropped += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            self._session.dropped += len(self._waiting)
            self._waiting.clear()
            if not picture.keyframe:
                self._session.dropped += 1
                self._need_keyframe = True
                self._camera.ask_keyframe()
                return
        self._need_keyframe = False
        self._waiting.append(picture)
        self._filled.set()

    async def _next_encoded_frame(self, codec: Any) -> RTCEncodedFrame | None:
        self._report.learn_offset()
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        picture = self._waiting.popleft()
        self._session.sent += 1
        self._report.handed(Captured(picture.rtp_ts, picture.captured_utc_ns))
        # aiortc itself gives None here for video; its annotation forgot it.
        return RTCEncodedFrame(picture.payloads, picture.rtp_ts, None)  # type: ignore[arg-type]
