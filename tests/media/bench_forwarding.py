"""What one forwarded packet costs the worker, in processor time of its own.

    python tests/media/bench_forwarding.py --streams 10 --mbps 8 --watchers 1

Real ICE, DTLS and SRTP on both sides; the pictures are random bytes in H.264-shaped
packets. Senders pace frames at 30 Hz and hand them to the kernel with GSO
(`--plain`: packet by packet, so that the worker gets no batches by GRO). The worker's
time comes from its own statistics; senders and receivers run in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import socket
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aioice import stun
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from protocols.topics import VehicleId
from supervisor import clock
from supervisor.counters import Counters
from supervisor.media.dtls import (
    _PROFILES,
    Buffer,
    SrtpSession,
    _Pipe,
    generate_certificate,
    sha256_fingerprint,
)
from supervisor.media.plane import MediaConfig, MediaPlane
from supervisor.media.udp import UdpPort
from supervisor.rtp.packet import HEADER

PAYLOAD = 1_150
FPS = 30


class RawPeer:
    """The least that a WebRTC peer is: ICE checks, a DTLS client, SRTP on one socket."""

    def __init__(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        self.port = UdpPort(sock, Counters())
        self.certificate = generate_certificate()
        self.pipe = _Pipe(self._send)
        self.dtls = RTCDtlsTransport(self.pipe, [self.certificate])
        self.dtls._srtp_profiles = _PROFILES
        self.dtls._set_role("client")
        self.remote = ("127.0.0.1", 0)
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(16)
        self.answered = asyncio.Event()
        self.media = 0
        self.delays: list[int] = []
        self.rx: SrtpSession | None = None
        asyncio.get_running_loop().add_reader(sock.fileno(), self._on_readable)

    def offer(self, direction: str, ssrc: int) -> str:
        """Return the SDP of one H.264 m-line."""
        lines = [
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 127.0.0.1",
            "a=mid:0",
            f"a={direction}",
            "a=rtcp-mux",
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            f"a=fingerprint:sha-256 {sha256_fingerprint(self.certificate)}",
            "a=setup:actpass",
            "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1",
            "a=rtcp-fb:96 nack",
            f"a=ssrc:{ssrc} cname:bench",
        ]
        return "\r\n".join(lines) + "\r\n"

    async def connect(self, answer: str) -> None:
        """Check, shake hands."""
        facts = dict(
            line[2:].split(":", 1)
            for line in answer.splitlines()
            if line[:2] == "a=" and ":" in line
        )
        words = facts["candidate"].split()
        self.remote = (words[4], int(words[5]))
        self.facts = facts
        while not self.answered.is_set():
            self.check()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.answered.wait(), 0.2)
        algorithm, value = facts["fingerprint"].split()
        await self.dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value)]))
        self.tx = SrtpSession(self.dtls._tx_srtp)
        self.rx = SrtpSession(self.dtls._rx_srtp)

    def check(self) -> None:
        """Send one binding request."""
        message = stun.Message(
            stun.Method.BINDING,
            stun.Class.REQUEST,
            attributes={
                "USERNAME": f"{self.facts['ice-ufrag']}:{self.ufrag}",
                "PRIORITY": 1,
                "ICE-CONTROLLING": 1,
                "USE-CANDIDATE": None,
            },
        )
        message.add_message_integrity(self.facts["ice-pwd"].encode())
        self._send(bytes(message))

    def _send(self, data: bytes) -> None:
        self.port.send(data, len(data), self.remote)

    def _on_readable(self) -> None:
        view = self.port.buffer.view
        for _ in range(64):
            run = self.port.receive()
            if run is None:
                return
            length, segment, _ = run
            for start in range(0, length, segment):
                first = view[start]
                if first > 127 and not 191 < view[start + 1] < 224:
                    self.media += 1
                    if self.media % 101 == 0 and self.rx is not None:
                        end = min(start + segment, length)
                        if self.rx.unprotect(self.port.buffer, start, end - start) > 0:
                            sent = int.from_bytes(view[start + 20 : start + 28], "big")
                            self.delays.append(clock.monotonic_ns() - sent)
                elif first < 2:
                    self.answered.set()
                elif 19 < first < 64:
                    self.pipe._in.put_nowait(bytes(view[start : min(start + segment, length)]))

    async def close(self) -> None:
        """End."""
        asyncio.get_running_loop().remove_reader(self.port.sock.fileno())
        await self.dtls.stop()
        await asyncio.sleep(0)
        self.port.sock.close()


class Camera:
    """One H.264-shaped stream."""

    def __init__(self, peer: RawPeer, ssrc: int, mbps: float, plain: bool) -> None:
        self.peer, self.ssrc, self.plain = peer, ssrc, plain
        self.sequence, self.timestamp, self.sent = 1, 0, 0
        self.per_frame = max(1, round(mbps * 1e6 / 8 / FPS / (PAYLOAD + 40)))
        self.payload = b"\x41" + secrets.token_bytes(PAYLOAD - 1)
        self.buffer = Buffer(65_536)

    def frame(self) -> None:
        """Send one picture."""
        view, position, size, count = self.buffer.view, 0, 0, 0
        for index in range(self.per_frame):
            last = index == self.per_frame - 1
            HEADER.pack_into(
                view,
                position,
                0x80,
                96 | last << 7,
                self.sequence & 0xFFFF,
                self.timestamp,
                self.ssrc,
            )
            view[position + 12 : position + 12 + PAYLOAD] = self.payload
            view[position + 20 : position + 28] = clock.monotonic_ns().to_bytes(8, "big")
            size = self.peer.tx.protect(self.buffer, position, 12 + PAYLOAD)
            position += size
            count += 1
            self.sequence += 1
            if last or count == (1 if self.plain else 32):
                self.peer.port.send(view[:position], size, self.peer.remote)
                position = count = 0
        self.sent += self.per_frame
        self.timestamp = (self.timestamp + 90_000 // FPS) & 0xFFFFFFFF


async def measure(streams: int, mbps: float, watchers: int, seconds: float, plain: bool) -> str:
    """Run one load and return one line of results."""
    plane = MediaPlane(
        MediaConfig(),
        counters=Counters(),
        on_event=lambda event: None,
        authorise_publisher=lambda vehicle, token: True,
        authorise_watcher=lambda request: asyncio.sleep(0, "bench"),
    )
    running = asyncio.create_task(plane.run(), name="plane")
    await plane.ready.wait()
    cameras: list[Camera] = []
    sinks: list[RawPeer] = []
    for number in range(streams):
        vehicle = VehicleId("bench", f"v{number}")
        ssrc = 1_000 + number
        peer = RawPeer()
        _, answer = await plane.open_publisher(vehicle, peer.offer("sendonly", ssrc).encode(), [])
        await peer.connect(answer)
        cameras.append(Camera(peer, ssrc, mbps, plain))
        while not plane.publishing(vehicle):  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.01)
        for _ in range(watchers):
            sink = RawPeer()
            offer = sink.offer("recvonly", 1).encode()
            _, answer = await plane.open_watcher(vehicle, "bench", offer, [])
            await sink.connect(answer)
            sinks.append(sink)

    async def send() -> None:
        loop = asyncio.get_running_loop()
        due, turn = loop.time(), 0
        step = 1 / FPS / streams
        while True:
            cameras[turn % streams].frame()
            turn += 1
            if turn % (streams * FPS * 2) == 0:
                for peer in [*sinks, *(camera.peer for camera in cameras)]:
                    peer.check()
            due += step
            await asyncio.sleep(max(0.0, due - loop.time()))

    sending = asyncio.create_task(send(), name="send")
    link = plane.worker_stats
    await asyncio.sleep(2)
    first = link()[0].stats
    await asyncio.sleep(seconds)
    last = link()[0].stats
    sending.cancel()
    await asyncio.sleep(1.2)
    sent = sum(camera.sent for camera in cameras) * watchers
    got = sum(sink.media for sink in sinks)
    delays = sorted(delay for sink in sinks for delay in sink.delays)
    for peer in [*sinks, *(camera.peer for camera in cameras)]:
        await peer.close()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert first is not None
    assert last is not None
    cpu = last.cpu_s - first.cpu_s
    incoming = last.packets_in - first.packets_in
    p50 = delays[len(delays) // 2] / 1e6 if delays else 0
    p99 = delays[len(delays) * 99 // 100] / 1e6 if delays else 0
    outgoing = (last.packets_out - first.packets_out) / seconds
    return (
        f"{streams} x {mbps:g} Mbit/s -> {watchers}: {cpu / incoming * 1e6:.1f} us per packet in, "
        f"{incoming / seconds:.0f} packets/s in, {outgoing:.0f} out, "
        f"worker {cpu / seconds * 100:.0f} % of a core, lost {sent - got} of {sent}, "
        f"delay incl. generator p50 {p50:.2f} p99 {p99:.2f} ms, drops {last.drops}"
    )


def main() -> None:
    """Read the arguments and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--mbps", type=float, default=8)
    parser.add_argument("--watchers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    print(asyncio.run(measure(**vars(arguments))))


if __name__ == "__main__":
    main()
