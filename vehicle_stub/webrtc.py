"""One peer connection to the hub: cameras, sound both ways, command channel, on one path.

aiortc encodes by itself, stamps sender reports with the time of sending, picks stream
ids at random and notices a dead path after half a minute. Ours takes the cameras' own
encodings (`video_sender`), reports capture times (`rtp_hooks`), names its streams in
the offer and looks after its path (`ice_path`, `liveness`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Callable
from typing import Any, Final

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.codecs.h264 import H264Encoder as _AiortcH264
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtpsender import RTCEncodedFrame

from protocols.link import LINK_LABEL
from vehicle_stub import clock
from vehicle_stub.drive_frames import LABEL
from vehicle_stub.encoding import Encoding
from vehicle_stub.handshake import Handshake
from vehicle_stub.ice_path import IcePath
from vehicle_stub.link_frames import LinkFrames
from vehicle_stub.liveness import (
    LONGEST_HESITATION_NS,
    SHORTEST_HESITATION_NS,
    Liveness,
)
from vehicle_stub.rate import share
from vehicle_stub.rtp_hooks import Captured, SenderReports, hook
from vehicle_stub.sound import SoundTrack
from vehicle_stub.speaker import Speaker
from vehicle_stub.video_sender import VideoSender

log = logging.getLogger("enkan.vehicle.media")

_PEER: Final = "_RTCPeerConnection"

HANDSHAKE_ROUND_TRIPS: Final = 4
"""Of ICE (a check, a nomination) and DTLS (two flights each way)."""

STOP_LABEL: Final = "stop"
"""Emergency stops come here, so that no command can hold one up; else like the other."""

LONGEST_ROUND_TRIP_NS: Final = 1_500_000_000

SOUND_KBPS: Final = 64
"""Left to the sound when an estimate is shared between the cameras."""


FrameSink = Callable[[bytes | str, int], object]
"""Takes what came over the command channel, and when (vehicle monotonic clock)."""

MAX_CHANNELS: Final = 4
"""Ours and what the hub opened; beyond it the newest takes the place of the one before."""

MAX_WAITING_BYTES: Final = 4_096
"""Of what we say on the command channel; what comes then is newer, and this is dropped."""


class AnswerError(Exception):
    """The hub's answer cannot be used."""


def packetize(data: bytes) -> list[bytes]:
    """Return the RTP payloads (RFC 6184, packetization-mode 1) of one access unit."""
    return _AiortcH264._packetize(_AiortcH264._split_bitstream(data))


class _Inert(MediaStreamTrack):
    """aiortc wants a track before it sends; ours is never read."""

    kind = "video"

    async def recv(self) -> Any:
        """Never called: the sending loop is ours."""
        raise AssertionError("the pictures come from the camera's thread")


class MediaSession:
    """One peer connection.

    Attributes:
        connected: Set when the connection stands or can never stand.
        ended: Set when it failed or closed.
        last_rtcp_ns: When the hub's last RTCP packet came (vehicle monotonic), 0 before.
        outlets: One for each encoding.
        path, liveness: From `open` on.
        channel: The command channel we opened, if any.
        link: The channel for clocks that we opened, if any.
    """

    def __init__(
        self,
        encodings: list[Encoding],
        sound: SoundTrack | None,
        source: random.Random,
        speaker: Speaker | None = None,
        on_frame: FrameSink | None = None,
        link_frames: LinkFrames | None = None,
    ) -> None:
        self.ended = asyncio.Event()
        self.connected = asyncio.Event()
        self.last_rtcp_ns = 0
        self.path: IcePath | None = None
        self.liveness: Liveness | None = None
        self._random = source
        self._handshake: Handshake | None = None
        self._accepted_ns = 0
        self._peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._peer.on("connectionstatechange", self._on_state)
        self.outlets = [self._add_encoding(encoding) for encoding in encodings]
        self.channel: RTCDataChannel | None = None
        self._speaker = speaker
        self._on_command_frame = on_frame
        self._channels: list[RTCDataChannel] = []
        self.link: RTCDataChannel | None = None
        self._link_frames = link_frames
        if sound is not None:
            self._add_sound(sound)
        elif speaker is not None:
            self._peer.addTransceiver("audio", direction="recvonly")
        if speaker is not None:
            self._peer.on("track", self._on_track)
        if on_frame is not None:
            # We open them, and take those the hub opens: both ends may be the first.
            self.channel, _ = (self._open_channel(label) for label in (LABEL, STOP_LABEL))
            self._peer.on("datachannel", self._on_channel)
        if link_frames is not None:
            self.link = self._peer.createDataChannel(LINK_LABEL, ordered=False, maxRetransmits=0)
            self.link.on("message", self._on_link_frame)

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
            answer = self._without_refused_channel(answer)
            if self._handshake is None:
                self._accepted_ns = clock.monotonic_ns()
                self._handshake = Handshake(self._peer.getSenders()[0].transport.transport)
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
            OperationError,
        ) as error:
            raise AnswerError(f"{type(error).__name__}: {error}") from error

    def open(self) -> None:
        """The connection stands: begin filming, and look after the path."""
        now_ns = clock.monotonic_ns()
        hesitation_ns = self._random.randint(SHORTEST_HESITATION_NS, LONGEST_HESITATION_NS)
        round_trip_ns = (now_ns - self._accepted_ns) // HANDSHAKE_ROUND_TRIPS
        self.liveness = Liveness(now_ns, hesitation_ns, min(round_trip_ns, LONGEST_ROUND_TRIP_NS))
        connection = self._peer.getSenders()[0].transport.transport._connection
        self.path = IcePath(connection, self.liveness.on_answer, self.liveness.on_refused)
        for outlet in self.outlets:
            outlet.open()

    def restart_pictures(self) -> None:
        """The path lives again: begin with keyframes."""
        for outlet in self.outlets:
            outlet.restart()

    def say_unheard(self, now_ns: int) -> None:
        """Tell the hub, as long as it is so, that nothing of it comes any more."""
        if self._link_frames is not None:
            self._say(self._link_frames.unheard(now_ns))

    def say(self, data: bytes) -> bool:
        """Send one message on the command channel; False: it is not open, or full."""
        for channel in self._channels:
            if channel.readyState == "open" and channel.bufferedAmount <= MAX_WAITING_BYTES:
                channel.send(data)
                return True
        return False

    def stop_filming(self) -> None:
        """Take no more pictures; another session does."""
        for outlet in self.outlets:
            outlet.close()

    async def close(self) -> None:
        """End the connection."""
        self.stop_filming()
        self._end_handshake()
        if self.path is not None:
            self.path.give_up_others()
        await self._peer.close()
        self.ended.set()

    @property
    def state(self) -> str:
        """aiortc's connection state."""
        return str(self._peer.connectionState)

    @property
    def sent(self) -> int:
        """Pictures handed to the network."""
        return sum(outlet.sent for outlet in self.outlets)

    # ----------------------------------------------------------------------- inside

    def _on_state(self) -> None:
        match self.state:
            case "connected":
                self._end_handshake()
                self.connected.set()
            case "failed" | "closed":
                self._end_handshake()
                self.ended.set()
                self.connected.set()
            case _:
                pass

    def _end_handshake(self) -> None:
        if self._handshake is not None:
            self._handshake.end()

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._speaker is not None:
            self._speaker.listen(track)

    def _open_channel(self, label: str) -> RTCDataChannel:
        channel = self._peer.createDataChannel(label, ordered=False, maxRetransmits=0)
        self._on_channel(channel)
        return channel

    def _on_channel(self, channel: RTCDataChannel) -> None:
        known = channel.label in (LABEL, STOP_LABEL)
        if not known or channel.ordered or channel.maxRetransmits != 0:
            log.warning("media: a data channel other than %r and %r is refused", LABEL, STOP_LABEL)
            channel.close()
            return
        if channel.label == LABEL:
            if len(self._channels) >= MAX_CHANNELS:
                self._channels.pop().close()
            self._channels.append(channel)
        channel.on("message", self._on_frame)

    def _on_frame(self, data: bytes | str) -> None:
        now_ns = clock.monotonic_ns()
        if self.liveness is not None:
            self.liveness.on_heard(now_ns)
        if self._on_command_frame is not None:
            self._on_command_frame(data, now_ns)

    def _on_link_frame(self, data: bytes | str) -> None:
        now_ns = clock.monotonic_ns()
        if self.liveness is not None:
            self.liveness.on_heard(now_ns)
        if self._link_frames is not None:
            self._say(self._link_frames.on_frame(data, now_ns))

    def _say(self, frame: bytes | None) -> None:
        if frame is not None and self.link is not None and self.link.readyState == "open":
            self.link.send(frame)

    def _without_refused_channel(self, answer: str) -> str:
        """Return the answer without a refused data channel section.

        A server that takes no data channel answers with port 0 (RFC 8829 §5.3.1) and no
        transport facts. aiortc cannot read that: it would start a second, dead transport.
        So the section leaves both descriptions. Ours is always the last one.
        """
        found = re.search(r"^m=application 0 ", answer, re.MULTILINE)
        local = getattr(self._peer, f"{_PEER}__localDescription")()
        if found is None or local is None or local.media[-1].kind != "application":
            return answer
        mid = local.media.pop().rtp.muxId
        setattr(self._peer, f"{_PEER}__sctp", None)
        rest = answer[found.start() :]
        if "\nm=" in rest:
            raise ValueError("the data channel section is not the last one")
        kept = answer[: found.start()]
        return re.sub(
            r"^(a=group:BUNDLE .*?) ?$",
            lambda line: " ".join(word for word in line[1].split(" ") if word != mid),
            kept,
            flags=re.MULTILINE,
        )

    def _heard(self) -> None:
        self.last_rtcp_ns = clock.monotonic_ns()
        if self.liveness is not None:
            self.liveness.on_heard(self.last_rtcp_ns)

    def _round_trip_ns(self) -> int | None:
        return None if self.path is None else self.path.round_trip_ns

    def _share(self, kbps: float, ssrcs: list[int], mine: int) -> float:
        """One estimate covers all streams it names."""
        ceilings = {
            outlet.sender._ssrc: outlet.follower.ceiling_kbps
            for outlet in self.outlets
            if outlet.sender._ssrc in ssrcs
        }
        return share(max(0.0, kbps - SOUND_KBPS), ceilings, mine)

    def _add_encoding(self, encoding: Encoding) -> VideoSender:
        transceiver = self._peer.addTransceiver(_Inert(), direction="sendonly")
        codecs = [
            codec
            for codec in RTCRtpSender.getCapabilities("video").codecs
            if codec.mimeType.lower() in ("video/h264", "video/rtx")
        ]
        transceiver.setCodecPreferences(codecs)
        sender = transceiver.sender
        sender._stream_id = encoding.name
        return VideoSender(
            sender, encoding, self._heard, self._share, self._random, self._round_trip_ns
        )

    def _add_sound(self, sound: SoundTrack) -> None:
        direction = "sendonly" if self._speaker is None else "sendrecv"
        transceiver = self._peer.addTransceiver(sound, direction=direction)
        codecs = [
            codec
            for codec in RTCRtpSender.getCapabilities("audio").codecs
            if codec.mimeType.lower() == "audio/opus"
        ]
        transceiver.setCodecPreferences(codecs)
        sender = transceiver.sender
        sender._stream_id = "audio"
        report = SenderReports(sender, self._heard)
        encode = sender._next_encoded_frame

        async def next_encoded_frame(codec: Any) -> RTCEncodedFrame | None:
            report.learn_offset()
            frame = await encode(codec)
            if frame is not None:
                report.handed(Captured(frame.timestamp, sound.captured_utc_ns(frame.timestamp)))
            return frame

        hook(sender, "_next_encoded_frame", next_encoded_frame)
