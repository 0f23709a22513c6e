"""The console's WebSocket, over a real server: order, limits, farewells."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket as sockets
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from protocols.operator import (
    AlarmState,
    AlarmView,
    ClockPong,
    CommandState,
    CommandView,
    Delta,
    Goodbye,
    Refusal,
    RequestState,
    RequestView,
    Snapshot,
    Welcome,
)
from protocols.topics import VehicleId
from supervisor import clock
from supervisor.console import operator_socket
from supervisor.core import effects, events

pytestmark = pytest.mark.integration

BUS = VehicleId("maebashi", "bus-01")
ALARM = AlarmView(
    id="link.lost@maebashi/bus-01",
    key="link.lost",
    vehicle=str(BUS),
    priority=1,
    state=AlarmState.UNACKNOWLEDGED,
    raised_ns=1,
    changed_ns=1,
)
REQUEST = RequestView(
    id="r1",
    vehicle=str(BUS),
    reason="obstacle",
    text="",
    raised_ns=1,
    deadline_ns=None,
    state=RequestState.OPEN,
)
COMMAND = CommandView(
    id="c1", vehicle=str(BUS), type="stop", operator="aoki", state=CommandState.SENT, asked_ns=1
)
ASK_STOP = '{"type":"ask_stop","command_id":"c1","vehicle":"maebashi/bus-01"}'


async def refused(hub: Any, client: httpx.AsyncClient, **more: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as error:
        async with hub.socket(client, **more):
            pass
    response = error.value.response
    return response.status_code, bytes(response.body or b"").decode()


async def goodbye(hub: Any, socket: Any) -> str:
    message = await hub.receive_until(socket, Goodbye)
    async with asyncio.timeout(20):
        await socket.wait_closed()
    return str(message.reason)


def of_kind(hub: Any, kind: type) -> list[Any]:
    return [event for event in hub.events if isinstance(event, kind)]


# --------------------------------------------------------------------- the opening


async def test_a_console_is_welcomed_and_sees_the_whole_state_first(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        before_ns = clock.monotonic_ns()
        welcome = await hub.receive(socket)
        assert isinstance(welcome, Welcome)
        assert (welcome.account, welcome.role, welcome.hub_version) == ("aoki", "operator", "9.9.9")
        assert welcome.hub_now_ns <= before_ns + 60_000_000_000
        snapshot = await hub.receive(socket)
        assert isinstance(snapshot, Snapshot)
        assert (snapshot.seq, [view.id for view in snapshot.vehicles]) == (1, [str(BUS)])
        (connected,) = of_kind(hub, events.OperatorConnected)
        assert connected.operator.account == "aoki"
    await hub.until(lambda: of_kind(hub, events.OperatorDisconnected))
    assert of_kind(hub, events.OperatorDisconnected)[0].operator == connected.operator
    assert hub.counters.get("console_closed", "gone") == 1


async def test_the_upgrade_needs_a_session(hub: Any) -> None:
    async with hub.client() as stranger:
        status, body = await refused(hub, stranger)
    assert status == 401 and "not_signed_in" in body
    assert hub.events == []


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "https://127.0.0.1"])
async def test_the_upgrade_needs_the_exact_origin(hub: Any, origin: str | None) -> None:
    async with hub.sign_in() as client:
        status, body = await refused(hub, client, origin=origin)
    assert status == 403 and "bad_origin" in body


async def test_an_unknown_socket_path_is_refused(hub: Any) -> None:
    async with hub.sign_in() as client:
        assert (await refused(hub, client, path="/other"))[0] == 403


async def test_windows_of_one_sign_in_are_bounded(
    hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.console.server.MAX_CONSOLES_PER_SIGN_IN", 1)
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        status, body = await refused(hub, client)
        assert status == 503 and "full" in body


# ------------------------------------------------------------------------- changes


async def test_changes_reach_every_console_with_its_own_consecutive_seq(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as early:
        await hub.receive_until(early, Snapshot)
        hub.console.show(effects.ShowVehicle(BUS))
        first = await hub.receive(early)
        async with hub.socket(client) as late:
            await hub.receive_until(late, Snapshot)
            hub.fleet.known[BUS] = hub.a_vehicle(BUS, reason="obstacle")
            hub.console.show(effects.ShowVehicle(BUS))
            hub.console.show(effects.ShowAlarm(ALARM))
            hub.console.show(effects.ShowRequest(REQUEST))
            hub.console.show(effects.ShowCommand(COMMAND))
            seqs = {early: first.seq, late: 1}
            assert first.seq == 2
            for socket in (early, late):
                urgent, vehicles = [], []
                while not (urgent and vehicles):  # vehicles come with the regular tick
                    delta = await hub.receive(socket)
                    assert isinstance(delta, Delta)
                    seqs[socket] += 1
                    assert delta.seq == seqs[socket]
                    urgent += [*delta.alarms, *delta.requests, *delta.commands]
                    vehicles += delta.vehicles
                assert urgent == [ALARM, REQUEST, COMMAND]
                assert vehicles[0].reason == "obstacle"


async def test_changes_come_at_most_ten_times_a_second(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        stamps = []
        for _ in range(5):
            hub.console.show(effects.ShowVehicle(BUS))
            stamps.append((await hub.receive_until(socket, Delta)).hub_now_ns)
        gaps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
        assert min(gaps) >= 90_000_000


async def test_a_quiet_hub_still_says_that_it_is_there(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        seqs = []
        for _ in range(2):
            delta = await hub.receive(socket)
            assert isinstance(delta, Delta) and not delta.vehicles
            seqs.append(delta.seq)
        assert seqs == [2, 3]


async def test_a_vehicle_that_is_gone_is_no_change(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        hub.console.show(effects.ShowVehicle(VehicleId("no", "such")))
        hub.console.show(effects.ShowAlarm(ALARM))
        while not (delta := await hub.receive(socket)).alarms:
            pass
        assert delta.vehicles == []


# ------------------------------------------------------------------------ messages


async def test_a_ping_is_answered_with_the_hubs_clock(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        before_ns = clock.monotonic_ns()
        await socket.send('{"type":"clock_ping","t1_ms":12.25}')
        pong = await hub.receive_until(socket, ClockPong)
        assert pong.t1_ms == 12.25
        assert before_ns <= pong.received_ns <= pong.sent_ns <= clock.monotonic_ns()


async def test_a_stop_becomes_an_event_of_this_console(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await socket.send(ASK_STOP)
        await hub.until(lambda: of_kind(hub, events.CommandAsked))
        (asked,) = of_kind(hub, events.CommandAsked)
        (connected,) = of_kind(hub, events.OperatorConnected)
        assert asked.operator == connected.operator and asked.vehicle_id == BUS


async def test_a_refusal_of_the_core_reaches_the_console_that_asked(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as one, hub.socket(client) as two:
        for socket in (one, two):
            await hub.receive_until(socket, Snapshot)
        await one.send(ASK_STOP)
        await hub.until(lambda: of_kind(hub, events.CommandAsked))
        session = of_kind(hub, events.CommandAsked)[0].operator.session
        hub.console.show(effects.Refuse(session, Refusal("c1", "link")))
        assert await hub.receive_until(one, Refusal) == Refusal("c1", "link")
        hub.console.show(effects.ShowAlarm(ALARM))
        while True:
            message = await hub.receive(two)
            assert not isinstance(message, Refusal)
            if message.alarms:
                break


async def test_a_refusal_of_a_rest_stop_reaches_the_consoles_of_that_sign_in(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        await client.post("/api/vehicles/maebashi/bus-01/stop", json={"command_id": "c9"})
        await hub.until(lambda: of_kind(hub, events.CommandAsked))
        session = of_kind(hub, events.CommandAsked)[0].operator.session
        hub.console.show(effects.Refuse(session, Refusal("c9", "busy")))
        assert await hub.receive_until(socket, Refusal) == Refusal("c9", "busy")


async def test_a_console_that_leaves_at_once_leaves_no_error(
    hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with hub.sign_in() as client:
        for _ in range(20):
            (await deaf(hub, client)).close()
        await hub.until(lambda: hub.console.open_consoles == 0)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_role_may_not_do_everything(hub: Any) -> None:
    async with hub.sign_in("viewer") as client, hub.socket(client) as socket:
        await socket.send(ASK_STOP)
        refusal = await hub.receive_until(socket, Refusal)
        assert (refusal.ref, refusal.reason) == ("c1", "not_allowed")
        assert of_kind(hub, events.CommandAsked) == []
    assert hub.counters.get("console_fault", "not_allowed") == 1


@pytest.mark.parametrize("message", ["nonsense", '{"type":"nothing"}', b"\x00\x01"])
async def test_a_malformed_message_is_refused_and_repeated_ones_end_the_socket(
    hub: Any, message: str | bytes
) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await socket.send(message)
        assert (await hub.receive_until(socket, Refusal)).reason == "malformed"
        for _ in range(operator_socket.FAULTS_PER_MINUTE - 1):
            await socket.send(message)
        assert await goodbye(hub, socket) == "protocol"
    assert hub.counters.get("console_fault", "malformed") == operator_socket.FAULTS_PER_MINUTE
    assert hub.counters.get("console_closed", "protocol") == 1


async def test_an_oversize_message_ends_the_socket(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        await socket.send("x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await hub.receive(socket)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
    await hub.until(lambda: hub.counters.get("console_closed", "gone"))


async def test_a_flood_is_refused_but_never_a_stop(
    hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_socket, "MESSAGES_PER_S", 0.001)
    monkeypatch.setattr(operator_socket, "FAULTS_PER_MINUTE", 1_000)
    async with hub.sign_in() as client, hub.socket(client) as socket:
        for _ in range(operator_socket.MESSAGES_BURST + 1):
            await socket.send('{"type":"clock_ping","t1_ms":1}')
        assert (await hub.receive_until(socket, Refusal)).reason == "rate"
        await socket.send(ASK_STOP)
        await hub.until(lambda: of_kind(hub, events.CommandAsked))


# -------------------------------------------------------------------------- the end


async def test_signing_out_closes_the_sockets_of_that_session_only(hub: Any) -> None:
    async with (
        hub.sign_in() as client,
        hub.sign_in() as other,
        hub.socket(client) as mine,
        hub.socket(other) as theirs,
    ):
        await hub.receive_until(mine, Snapshot)
        await client.delete("/api/session")
        assert await goodbye(hub, mine) == "signed_out"
        await theirs.send('{"type":"clock_ping","t1_ms":1}')
        await hub.receive_until(theirs, ClockPong)


async def test_an_expired_session_closes_its_socket(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        hub.clock.ns += 13 * 3600 * 1_000_000_000
        assert await goodbye(hub, socket) == "expired"
    assert hub.counters.get("console_session_ended", "expired") == 1


async def test_a_console_that_reports_keeps_its_session_from_idling(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await hub.receive_until(socket, Snapshot)
        for _ in range(4):
            hub.clock.ns += 20 * 60 * 1_000_000_000
            await socket.send('{"type":"clock_ping","t1_ms":1}')
            await hub.receive_until(socket, ClockPong)
        assert (await client.get("/version")).status_code == 200


async def test_the_end_of_the_hub_is_announced(make_hub: Any) -> None:
    async with make_hub() as hub, hub.sign_in() as client:
        socket = await hub.socket(client)
        await hub.receive_until(socket, Snapshot)
    assert await goodbye(hub, socket) == "shutdown"
    assert of_kind(hub, events.OperatorDisconnected)


async def deaf(hub: Any, client: httpx.AsyncClient) -> sockets.socket:
    """A console that is welcomed and then never reads again, nor answers a ping."""
    host, port = hub.url.removeprefix("http://").split(":")
    cookie = "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)
    loop = asyncio.get_running_loop()
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    await loop.sock_connect(raw, (host, int(port)))
    request = (
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {hub.url}\r\nCookie: {cookie}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await loop.sock_sendall(raw, request.encode())
    assert (await loop.sock_recv(raw, 12)).endswith(b"101")
    return raw


@pytest.mark.parametrize("padding", [0, 2_000])
async def test_a_console_that_does_not_read_is_cut_and_nobody_else_notices(
    hub: Any, monkeypatch: pytest.MonkeyPatch, padding: int
) -> None:
    """Without padding its pings find it out, with padding its full buffer does."""
    monkeypatch.setattr(operator_socket, "TOO_SLOW_S", 0.5 if padding else 60.0)
    async with hub.sign_in() as client, hub.socket(client) as awake:
        raw = await deaf(hub, client)
        await hub.until(lambda: len(of_kind(hub, events.OperatorConnected)) == 2)
        seq = 1
        async with asyncio.timeout(60):
            while not hub.counters.get("console_closed", "too_slow"):
                view = hub.a_vehicle(BUS, reason=str(seq), padding=padding)
                hub.fleet.known[BUS] = view
                hub.console.show(effects.ShowVehicle(BUS))
                delta = await hub.receive_until(awake, Delta)
                seq += 1
                assert delta.seq == seq  # not one is missing for the one who reads
        raw.close()
        await hub.until(lambda: len(of_kind(hub, events.OperatorDisconnected)) == 1)
        await awake.send(ASK_STOP)
        await hub.until(lambda: of_kind(hub, events.CommandAsked))


async def test_a_deaf_console_can_still_stop_a_vehicle(hub: Any) -> None:
    """Reading does not wait for writing."""
    async with hub.sign_in() as client:
        raw = await deaf(hub, client)
        await hub.until(lambda: of_kind(hub, events.OperatorConnected))
        for number in range(12):  # 80 kB each: fills every buffer on the way
            hub.fleet.known[BUS] = hub.a_vehicle(BUS, reason=str(number), padding=5_000)
            hub.console.show(effects.ShowVehicle(BUS))
            await hub.until(lambda: not hub.console._dirty)
        text = ASK_STOP.encode()
        frame = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
        await asyncio.get_running_loop().sock_sendall(raw, frame)
        await hub.until(lambda: of_kind(hub, events.CommandAsked))
        raw.close()


async def test_a_deaf_console_does_not_hold_up_a_sign_out_or_the_end(make_hub: Any) -> None:
    async with make_hub() as hub, hub.sign_in() as client:
        raw = await deaf(hub, client)
        await hub.until(lambda: of_kind(hub, events.OperatorConnected))
        for number in range(12):
            hub.fleet.known[BUS] = hub.a_vehicle(BUS, reason=str(number), padding=5_000)
            hub.console.show(effects.ShowVehicle(BUS))
            await hub.until(lambda: not hub.console._dirty)
        started_ns = clock.monotonic_ns()
        await client.delete("/api/session")
        await hub.until(lambda: of_kind(hub, events.OperatorDisconnected))
        assert clock.monotonic_ns() - started_ns < 4_000_000_000  # cut after 0.8 s
        raw.close()
    assert hub.counters.get("console_closed", "signed_out") == 1


async def test_broken_frames_end_their_own_socket_and_leave_no_error(
    hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    seeded = random.Random(1)
    frames = [
        bytes([0x81, 0x80 | 2, 0, 0, 0, 0]) + b"\xff\xfe",  # not UTF-8
        bytes([0x81, 0x02]) + b"{}",  # not masked
        bytes([0xF1, 0x80, 0, 0, 0, 0]),  # reserved bits
        bytes([0x81, 0xFF]) + b"\xff" * 12,  # 2^64 bytes announced
        *(seeded.randbytes(seeded.randint(1, 200)) for _ in range(20)),
    ]
    async with hub.sign_in() as client:
        for frame in frames:
            raw = await deaf(hub, client)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(raw, frame)
            raw.close()
        async with hub.socket(client) as socket:
            await socket.send(ASK_STOP)
            await hub.until(lambda: of_kind(hub, events.CommandAsked))
    await hub.until(lambda: hub.console.open_consoles == 0)
    assert hub.counters.get("http_refused", "bad_utf8") == 1
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
