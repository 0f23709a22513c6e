"""Our peers and stock aiortc understand each other, and count the same packets."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack

from loadtests import video, wire
from loadtests.dtls import new_certificate
from loadtests.peer import Peer, PeerError
from loadtests.publisher import Publisher
from loadtests.watcher import Watcher
from support.waiting import until

LOOP = video.cut(video.encoded(0.5, width=320, height=192), longest=16)


@pytest.fixture
async def stock(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RTCPeerConnection]:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    connection = RTCPeerConnection()
    yield connection
    await connection.close()


async def join(peer: Publisher | Watcher, stock: RTCPeerConnection) -> None:
    await stock.setRemoteDescription(RTCSessionDescription(sdp=peer.offer(), type="offer"))
    await stock.setLocalDescription(await stock.createAnswer())
    await peer.connect(stock.localDescription.sdp)


async def stat(source: Any, name: str) -> int:
    for entry in (await source.getStats()).values():
        if hasattr(entry, name):
            return int(getattr(entry, name))
    return -1


async def send_pictures(publisher: Publisher, count: int) -> None:
    publisher.begin(time.monotonic_ns())
    due = [time.monotonic_ns()]
    while publisher.frames < count or publisher._pending:
        now_ns = time.monotonic_ns()
        if due[0] <= now_ns:
            heapq.heapreplace(due, publisher.send_due(now_ns))
        await asyncio.sleep(0.001)


async def close(*peers: Peer) -> None:
    for peer in peers:
        await peer.close()


async def test_stock_aiortc_receives_every_packet_a_publisher_sends(
    stock: RTCPeerConnection,
) -> None:
    publisher = Publisher(new_certificate(), 3, LOOP)
    stock.addTransceiver("video", direction="recvonly")
    try:
        await join(publisher, stock)
        receiver = stock.getReceivers()[0]
        await send_pictures(publisher, 45)
        assert publisher.sent > 45

        async def all_there() -> bool:
            return await stat(receiver, "packetsReceived") == publisher.sent

        await until(all_there, f"{publisher.sent} packets at the receiver")
        assert publisher.profile == "SRTP_AEAD_AES_128_GCM"
        assert publisher.refused == 0
    finally:
        await close(publisher)


async def test_a_watcher_counts_every_packet_stock_aiortc_sends(stock: RTCPeerConnection) -> None:
    watcher = Watcher(new_certificate(), 0)
    track = VideoStreamTrack()
    sender = stock.addTrack(track)
    try:
        await join(watcher, stock)
        await until(lambda: watcher.packets > 20, "packets from stock aiortc")
        track.stop()

        async def all_there() -> bool:
            return await stat(sender, "packetsSent") == watcher.packets

        await until(all_there, "as many packets as were sent")
        account = watcher.account_sequences()
        assert account.received == watcher.packets
        assert (account.lost, watcher.unreadable, watcher.broken) == (0, 0, 0)
        # These packets are not ours, so there is no index and no delay to read.
        assert watcher.totals().marked == 0
    finally:
        await close(watcher)


async def test_a_keyframe_asked_by_stock_aiortc_is_sent_next(stock: RTCPeerConnection) -> None:
    publisher = Publisher(new_certificate(), 0, LOOP)
    stock.addTransceiver("video", direction="recvonly")
    try:
        await join(publisher, stock)
        await send_pictures(publisher, 20)
        await stock.getReceivers()[0]._send_rtcp_pli(publisher.ssrc)
        await until(lambda: publisher.feedback.keyframes > 0, "the request")
        await send_pictures(publisher, 21)
        assert publisher._frame == 1  # the loop began anew with its keyframe
    finally:
        await close(publisher)


async def test_a_nack_is_answered_with_the_same_packet(stock: RTCPeerConnection) -> None:
    publisher = Publisher(new_certificate(), 0, LOOP)
    stock.addTransceiver("video", direction="recvonly")
    try:
        await join(publisher, stock)
        await send_pictures(publisher, 3)
        before = publisher.sent
        newest = (publisher._sequence - 1) & 0xFFFF
        nack = wire.negative_acknowledgement(1, publisher.ssrc, newest)
        unknown = wire.negative_acknowledgement(1, publisher.ssrc, newest + 2)
        for packet in wire.parse_rtcp(nack + unknown):
            publisher.on_rtcp(packet)
        assert (publisher.feedback.nacks, publisher.resent, publisher.sent) == (2, 1, before)
    finally:
        await close(publisher)


async def test_an_answer_nobody_stands_behind_is_a_peer_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loadtests.peer.CONNECT_WITHIN_S", 0.5)
    watcher = Watcher(new_certificate(), 0)
    try:
        with pytest.raises(PeerError, match="no ICE answer"):
            await watcher.connect(
                "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n"
                "a=fingerprint:sha-256 AA\r\n"
                f"a=candidate:1 1 udp 1 127.0.0.1 {watcher.udp.port} typ host\r\n"
            )
    finally:
        await close(watcher)
