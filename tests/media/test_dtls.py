"""The contract with the private parts of aiortc; loud if a release changes them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect

import pytest
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)

from supervisor.media import dtls, srtp
from supervisor.rtp.packet import HEADER


def test_aiortc_still_has_the_parts_we_use():
    source = inspect.getsource(RTCDtlsTransport)
    for part in (
        "self.transport._recv()",
        "self.transport._send(",
        "self._srtp_profiles",
        "self._rx_srtp = Session(",
        "self._tx_srtp = Session(",
        "self._task = asyncio.ensure_future(",
        "def _set_role(self, role",
    ):
        assert part in source, f"aiortc changed: {part}"


class Client:
    """A stock DTLS client whose datagrams go straight to the server object."""

    role = "controlling"

    def __init__(self):
        self.incoming = asyncio.Queue()
        self.server = None

    async def _recv(self):
        return await self.incoming.get()

    async def _send(self, data):
        self.server.feed(data)


@contextlib.asynccontextmanager
async def shaken(announced=None):
    client = Client()
    certificate = dtls.generate_certificate()
    server = client.server = dtls.Dtls(certificate, client.incoming.put_nowait)
    theirs = dtls.generate_certificate()
    transport = RTCDtlsTransport(client, [theirs])
    transport._set_role("client")
    connected = asyncio.Event()
    fingerprints = [("sha-256", announced or dtls.sha256_fingerprint(theirs))]
    running = asyncio.create_task(server.run(fingerprints, connected.set), name="server")
    ours = RTCDtlsFingerprint("sha-256", dtls.sha256_fingerprint(certificate))
    await transport.start(RTCDtlsParameters([ours]))
    try:
        yield server, transport, running, connected
    finally:
        await transport.stop()
        running.cancel()
        await asyncio.wait([running])
        if transport._task is not None:
            await asyncio.wait([transport._task])


async def test_a_handshake_gives_aes_128_gcm_and_packets_go_both_ways_in_place():
    async with shaken() as (server, transport, _, connected):
        await asyncio.wait_for(connected.wait(), 20)
        selected = transport._ssl.get_selected_srtp_profile()
        assert selected == SRTP_AEAD_AES_128_GCM.openssl_profile
        packet = HEADER.pack(0x80, 96, 1, 2, 3) + bytes(1_450)
        buffer = srtp.Buffer(4_096)
        buffer.view[7 : 7 + len(packet)] = packet
        size = server.tx.protect(buffer, 7, len(packet))
        assert size == len(packet) + 16
        assert transport._rx_srtp.unprotect(bytes(buffer.view[7 : 7 + size])) == packet

        sealed = transport._tx_srtp.protect(packet[:1_200])
        buffer.view[5 : 5 + len(sealed)] = sealed
        size = server.rx.unprotect(buffer, 5, len(sealed))
        assert bytes(buffer.view[5 : 5 + size]) == packet[:1_200]
        buffer.view[5 : 5 + len(sealed)] = sealed
        assert server.rx.unprotect(buffer, 5, len(sealed)) == srtp.REPLAYED, (
            "a replay is told apart"
        )

        report = bytes.fromhex("80c9000100000001")
        assert transport._rx_srtp.unprotect_rtcp(server.tx.protect_rtcp(report)) == report
        sealed = transport._tx_srtp.protect_rtcp(report)
        buffer.view[: len(sealed)] = sealed
        assert server.rx.unprotect_rtcp(buffer, 0, len(sealed)) == len(report)
        assert server.rx.unprotect_rtcp(buffer, 0, len(sealed)) == 0


async def test_a_goodbye_ends_the_session():
    async with shaken() as (_, transport, running, connected):
        await asyncio.wait_for(connected.wait(), 20)
        await transport.stop()
        await asyncio.wait_for(running, 20)


async def test_another_certificate_than_the_announced_one_is_refused():
    async with shaken(announced=":".join(["AB"] * 32)) as (_, _, running, connected):
        with pytest.raises(dtls.DtlsError):
            await asyncio.wait_for(running, 20)
        assert not connected.is_set()


async def test_dtls_datagrams_wait_in_a_bounded_queue():
    server = dtls.Dtls(dtls.generate_certificate(), lambda data: None)
    taken = [server.feed(b"\x16") for _ in range(dtls.MAX_WAITING + 1)]
    assert taken == [True] * dtls.MAX_WAITING + [False]
