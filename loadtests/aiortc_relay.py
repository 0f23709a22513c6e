"""aiortc's own way to pass a picture on, as a small server: `python -m loadtests.aiortc_relay`.

Its `MediaRelay` copies decoded pictures, so each publisher is decoded once and encoded
again for each watcher. The bit rate of the encoder is set to what was published, since
its own ceiling (3 Mbit/s) would make it send less than the others.

Prints the address it listens on as its first line; ends when standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

import aioice.ice
import aiortc.codecs.h264 as h264
import uvicorn
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaRelay
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

TRACK_WITHIN_S = 10.0


class Relay:
    """Publishers by number, and everyone's peer connection."""

    def __init__(self) -> None:
        self._relay = MediaRelay()
        self._tracks: dict[str, MediaStreamTrack] = {}
        self._peers: list[RTCPeerConnection] = []

    async def publish(self, request: Request) -> Response:
        """Take an offer of a publisher and answer it."""
        peer = self._new_peer()
        name = request.path_params["stream"]

        @peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self._tracks[name] = track

        return await self._answer(peer, request)

    async def watch(self, request: Request) -> Response:
        """Take an offer of a watcher and answer it."""
        track = self._tracks.get(request.path_params["stream"])
        if track is None:
            return PlainTextResponse("nobody publishes this stream", 404)
        peer = self._new_peer()
        peer.addTrack(self._relay.subscribe(track, buffered=False))
        return await self._answer(peer, request)

    async def close(self) -> None:
        """Close all peer connections."""
        await asyncio.gather(*(peer.close() for peer in self._peers))

    def _new_peer(self) -> RTCPeerConnection:
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        peer = RTCPeerConnection(configuration)
        self._peers.append(peer)
        return peer

    async def _answer(self, peer: RTCPeerConnection, request: Request) -> Response:
        offer = (await request.body()).decode()
        await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return PlainTextResponse(peer.localDescription.sdp, 201)


async def run(mbps: float) -> None:
    """Serve on a free loopback port until standard input ends."""
    h264.MAX_BITRATE = h264.DEFAULT_BITRATE = int(mbps * 1e6)
    # Peers on this machine only: aiortc leaves loopback out by itself.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    relay = Relay()
    app = Starlette(
        routes=[
            Route("/whip/{stream}", relay.publish, methods=["POST"]),
            Route("/whep/{stream}", relay.watch, methods=["POST"]),
        ]
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    await relay.close()
    server.should_exit = True
    await serving
    listening.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(float(sys.argv[1])))
