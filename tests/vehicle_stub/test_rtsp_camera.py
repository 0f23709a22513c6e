"""A camera behind RTSP (RFC 2326, interleaved), served by a small server of our own."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from fractions import Fraction
from struct import pack

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264Encoder

from protocols.strip import CELLS, StripReading, decode_cells, encode_cells, strip_height
from vehicle_stub.config import CameraSection
from vehicle_stub.sources import LiveSource, SourceError

WIDTH, HEIGHT, FPS, FRAMES = 640, 360, 30, 90


def film() -> list[bytes]:
    """Return Annex B access units; each picture carries its number in the strip."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(FPS), Fraction(1, FPS)
    encoder.bit_rate = 2_000_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "15"}
    units = []
    for number in range(FRAMES):
        luma = np.full((HEIGHT, WIDTH), 90, np.uint8)
        cells = np.repeat(np.where(encode_cells(number, number), 235, 16), WIDTH // CELLS)
        luma[: strip_height(HEIGHT)] = cells
        planes = np.vstack([luma, np.full((HEIGHT // 2, WIDTH), 128, np.uint8)])
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        units += [bytes(packet) for packet in encoder.encode(frame)]
    return units


UNITS = film()


class Session(socketserver.StreamRequestHandler):
    """One client: OPTIONS, DESCRIBE, SETUP (TCP only), PLAY, then pictures."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while request := self.rfile.readline().decode():
                headers = {}
                while line := self.rfile.readline().decode().strip():
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                method = request.split()[0]
                more, body, status = getattr(self, f"on_{method.lower()}")(headers)
                lines = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', '0')}", *more]
                lines.append(f"Content-Length: {len(body)}")
                self.wfile.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
                if method == "PLAY":
                    self.play()
                    return

    def on_options(self, headers: dict[str, str]) -> tuple[list[str], str, str]:
        return ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"], "", "200 OK"

    def on_describe(self, headers: dict[str, str]) -> tuple[list[str], str, str]:
        sets = [nal for nal in H264Encoder._split_bitstream(UNITS[0]) if nal[0] & 31 in (7, 8)]
        sprop = ",".join(base64.b64encode(nal).decode() for nal in sets)
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\na=control:*\r\n"
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sprop}\r\n"
            "a=control:trackID=0\r\n"
        )
        return ["Content-Type: application/sdp"], body, "200 OK"

    def on_setup(self, headers: dict[str, str]) -> tuple[list[str], str, str]:
        if "TCP" not in headers.get("transport", ""):
            return [], "", "461 Unsupported Transport"
        return ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 7"], "", "200 OK"

    def on_play(self, headers: dict[str, str]) -> tuple[list[str], str, str]:
        return ["Session: 7"], "", "200 OK"

    def play(self) -> None:
        sequence = 0
        for number, unit in enumerate(UNITS):
            payloads = H264Encoder._packetize(H264Encoder._split_bitstream(unit))
            for index, payload in enumerate(payloads):
                marker = 0x80 if index == len(payloads) - 1 else 0
                header = pack(">BBHII", 0x80, 96 | marker, sequence, number * 3_000, 9)
                sequence += 1
                packet = header + payload
                self.wfile.write(b"$\0" + pack(">H", len(packet)) + packet)


@pytest.fixture
def camera() -> Iterator[CameraSection]:
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, name="rtsp server")
        thread.start()
        url = f"rtsp://127.0.0.1:{server.server_address[1]}/front"
        yield CameraSection(name="front", source=url, width=WIDTH, height=HEIGHT, fps=FPS)
        server.shutdown()
        thread.join()


def reading(frame: av.VideoFrame) -> StripReading | None:
    row = frame.to_ndarray(format="gray")[strip_height(HEIGHT) // 2]
    cell = WIDTH // CELLS
    return decode_cells([float(row[n * cell + cell // 2]) for n in range(CELLS)])


@pytest.mark.integration
def test_pictures_of_an_rtsp_camera_arrive_in_order_and_its_end_is_said(
    camera: CameraSection,
) -> None:
    source = LiveSource(camera)
    try:
        numbers = []
        with pytest.raises(SourceError, match="front"):
            while True:
                strip = reading(source.read(0, 0, 0))
                assert strip is not None
                numbers.append(strip.frame_number)
    finally:
        source.close()
    assert numbers == sorted(numbers)
    # What came while the stream was looked at is left out, so that the picture is fresh.
    assert numbers[-1] >= FRAMES - 2
    assert len(set(numbers)) >= FRAMES // 2


@pytest.mark.integration
def test_an_rtsp_address_nobody_answers_is_a_clear_error_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    camera = CameraSection(name="front", source=f"rtsp://me:secret@127.0.0.1:{port}/x")
    with pytest.raises(SourceError) as refused:
        LiveSource(camera)
    assert "secret" not in str(refused.value)
    assert str(port) in str(refused.value)
