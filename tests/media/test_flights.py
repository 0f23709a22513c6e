"""Handshakes where datagrams are lost: flights go out again, on both sides."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from supervisor.media import dtls, flights
from vehicle_stub import handshake

MS = 1_000_000
HELLO, FINISHED, ALERT, DATA = bytes((22, 1)), bytes((20, 2)), bytes((21,)), bytes((23,))


@pytest.fixture(params=["hub", "vehicle"])
def flight(request):
    return flights.Flights() if request.param == "hub" else handshake.Flight()


def repeated(flight, until_ms):
    found = []
    for at in range(0, until_ms, 10):
        found += [(at, data) for data in flight.on_time(at * MS)]
    return found


def test_a_flight_goes_out_again_soon_then_calmly_and_not_for_ever(flight):
    flight.on_sent(HELLO, 0)
    again = repeated(flight, 10_000)
    assert [at for at, _ in again[:5]] == [50, 150, 300, 500, 700]
    assert len(again) == flights.MAX_TURNS == handshake.MAX_TURNS
    assert flight.next_deadline_ns() is None


def test_a_new_flight_takes_the_place_of_the_answered_one(flight):
    flight.on_sent(HELLO, 0)
    flight.on_sent(HELLO + b"2", 0)
    assert [data for _, data in repeated(flight, 60)] == [HELLO, HELLO + b"2"]
    flight.on_received()
    assert flight.on_time(1_000 * MS) == [HELLO, HELLO + b"2"], "its answer may be a copy too"
    flight.on_sent(FINISHED, 1_000 * MS)
    assert flight.on_time(1_050 * MS) == [FINISHED]


def test_what_openssl_sends_again_belongs_to_the_flight_within_its_bound(flight):
    for number in range(10):
        flight.on_sent(HELLO + bytes((number,)), 0)
    assert [data[-1] for data in flight.on_time(50 * MS)] == [6, 7, 8, 9]


def test_alerts_and_data_are_not_repeated_and_the_end_is_the_end(flight):
    flight.on_sent(ALERT, 0)
    flight.on_sent(DATA, 0)
    assert flight.next_deadline_ns() is None
    flight.on_sent(HELLO, 0)
    flight.end()
    assert repeated(flight, 1_000) == []


class Lossy:
    """A client over a way that loses datagrams by number."""

    def __init__(self, lose_up=(), lose_down=()):
        self.incoming = asyncio.Queue()
        self.server = None
        self.sent = {"up": 0, "down": 0}
        self._lose = {"up": set(lose_up), "down": set(lose_down)}

    def lost(self, way):
        number = self.sent[way]
        self.sent[way] += 1
        return number in self._lose[way]

    def down(self, data):
        if not self.lost("down"):
            self.incoming.put_nowait(data)

    async def _recv(self):
        return await self.incoming.get()

    async def _send(self, data):
        if not self.lost("up"):
            self.server.feed(data)


async def shake(client):
    """Shake hands; of the client's own flights only OpenSSL repeats any."""
    certificate, theirs = dtls.generate_certificate(), dtls.generate_certificate()
    server = client.server = dtls.Dtls(certificate, client.down)
    transport = RTCDtlsTransport(client, [theirs])
    transport._set_role("client")
    connected = asyncio.Event()
    running = asyncio.create_task(
        server.run([("sha-256", dtls.sha256_fingerprint(theirs))], connected.set), name="server"
    )
    try:
        async with asyncio.timeout(60):
            ours = RTCDtlsFingerprint("sha-256", dtls.sha256_fingerprint(certificate))
            await transport.start(RTCDtlsParameters([ours]))
            await connected.wait()
    finally:
        await transport.stop()
        running.cancel()
        await asyncio.wait([running])
        if transport._task is not None:
            await asyncio.wait([transport._task])


async def test_the_hubs_first_and_last_flight_arrive_though_lost_at_first():
    client = Lossy(lose_down=(0, 1, 3))
    await shake(client)
    assert client.sent["down"] >= 5


async def test_the_last_flight_is_not_repeated_when_data_has_come():
    client = Lossy()
    sent = []
    pipe = dtls._Pipe(sent.append, lambda: False)
    await pipe._send(FINISHED)
    pipe._in.put_nowait(DATA)
    assert await pipe._recv() == DATA
    assert pipe._timer is None
    await pipe._send(FINISHED)
    pipe._proved = lambda: True
    pipe._repeat()
    assert (pipe._timer, sent) == (None, [FINISHED, FINISHED])
    assert client.sent["down"] == 0
