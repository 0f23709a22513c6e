"""Hooks into one RTP sender of aiortc (a contract test holds them).

aiortc stamps sender reports with the time of *sending*. Ours tell when a picture was
*captured*: RFC 3550 §6.4.1 lets the sender choose the instant that both timestamps
name. And the session hears from here that the other end is alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiortc import RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
)

_NTP_EPOCH_S: Final = 2_208_988_800
_LAST_RTP: Final = "_RTCRtpSender__rtp_timestamp"


class Captured(NamedTuple):
    """An RTP timestamp (without the sender's random offset) and its wall-clock instant."""

    rtp_ts: int
    utc_ns: int


def ntp_timestamp(utc_ns: int) -> int:
    """Return the 64-bit NTP timestamp (RFC 3550 §4) of a wall-clock instant.

    >>> ntp_timestamp(0) >> 32
    2208988800
    """
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    return (seconds + _NTP_EPOCH_S) << 32 | (rest << 32) // 1_000_000_000


def hook(sender: RTCRtpSender, name: str, function: Callable[..., Any]) -> None:
    """Replace one method of one sender; a changed aiortc must fail here, not in silence."""
    if not callable(getattr(sender, name, None)):
        raise TypeError(f"this aiortc has no RTCRtpSender.{name}")
    setattr(sender, name, function)


class SenderReports:
    """Makes a sender's reports name the capture instant of the newest frame."""

    def __init__(self, sender: RTCRtpSender, heard: Callable[[], None]) -> None:
        self.sender = sender
        self._heard = heard
        self._handed: Captured | None = None
        self._offset: int | None = None
        self._send = sender._send_rtcp
        hook(sender, "_send_rtcp", self._send_rtcp)
        hook(sender, "_handle_rtcp_packet", self._handle_rtcp_packet)

    def handed(self, captured: Captured) -> None:
        """This frame is being sent now."""
        self._handed = captured

    def learn_offset(self) -> None:
        """Call when aiortc asks for the next frame.

        aiortc adds a random offset to our timestamps, in a local variable of its loop.
        It asks for the next frame only after it sent the last one, so at that moment the
        offset is: last sent timestamp minus last handed one.
        """
        if self._handed is not None and self._offset is None:
            last_sent = int(getattr(self.sender, _LAST_RTP))
            self._offset = last_sent - self._handed.rtp_ts & 0xFFFFFFFF

    def sent_so_far(self, info: RtcpSenderInfo) -> tuple[int, int]:
        """Return packets and octets sent; aiortc counted them."""
        return info.packet_count, info.octet_count

    async def _send_rtcp(self, packets: list[AnyRtcpPacket]) -> None:
        ready = []
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                if self._handed is None or self._offset is None:
                    continue  # nothing captured yet: a report would map nothing
                sent, octets = self.sent_so_far(packet.sender_info)
                packet.sender_info = RtcpSenderInfo(
                    ntp_timestamp=ntp_timestamp(self._handed.utc_ns),
                    rtp_timestamp=self._handed.rtp_ts + self._offset & 0xFFFFFFFF,
                    packet_count=sent & 0xFFFFFFFF,
                    octet_count=octets & 0xFFFFFFFF,
                )
            ready.append(packet)
        if ready and (isinstance(ready[0], RtcpSrPacket) or len(ready) == len(packets)):
            await self._send(ready)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self._heard()
        if isinstance(packet, RtcpRtpfbPacket):
            if packet.fmt == RTCP_RTPFB_NACK:
                await self.on_nack(packet.lost)
        elif isinstance(packet, RtcpPsfbPacket):
            if packet.fmt == RTCP_PSFB_APP:
                self.on_estimate(packet)
            else:
                self.sender._send_keyframe()
        elif isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
            for report in packet.reports:
                if report.ssrc == self.sender._ssrc:
                    self.on_loss(report.fraction_lost / 256)

    async def on_nack(self, lost: list[int]) -> None:
        """These are missing; sound has no repair."""

    def on_estimate(self, packet: RtcpPsfbPacket) -> None:
        """Sound keeps its rate."""

    def on_loss(self, fraction: float) -> None:
        """Sound keeps its rate."""
