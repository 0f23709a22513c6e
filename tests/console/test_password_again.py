"""A password given once more: the session's time, and driving."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from protocols.authority import AskControl
from protocols.codec import encode
from protocols.operator import Snapshot, Welcome
from protocols.session import SessionView
from protocols.supervision import Purpose
from supervisor.console.access import Access
from supervisor.core import events

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
PASSWORD = "correct horse battery"
PROOF = "/api/session/proof"


async def prove(client: Any, password: str = PASSWORD) -> tuple[int, str]:
    answer = await client.post(PROOF, json={"password": password})
    return answer.status_code, "" if answer.status_code == 204 else answer.json()["reason"]


async def times(hub: Any, socket: ClientConnection) -> SessionView:
    found = await hub.receive_until(socket, SessionView)
    assert isinstance(found, SessionView)
    return found


async def asks(hub: Any, socket: ClientConnection, purpose: Purpose) -> events.ControlAsked:
    """Ask for control and return what the core is told."""
    before = len(hub.events)
    await socket.send(encode(AskControl("maebashi/bus-01", purpose)).decode())
    await hub.until(lambda: any(type(e) is events.ControlAsked for e in hub.events[before:]))
    found = hub.events[-1]
    assert isinstance(found, events.ControlAsked)
    return found


async def test_a_console_is_told_when_its_session_ends_after_the_snapshot(hub: Any) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        assert [type(await hub.receive(socket)) for _ in range(2)] == [Welcome, Snapshot]
        told = await times(hub, socket)
        assert told.ends_ns == hub.clock.ns + Access.ABSOLUTE_NS
        assert told.proved_until_ns == hub.clock.ns + 900 * SECOND


async def test_driving_is_asked_for_with_a_password_of_the_last_quarter_of_an_hour(
    hub: Any,
) -> None:
    async with hub.sign_in() as client, hub.socket(client) as socket:
        await times(hub, socket)
        assert (await asks(hub, socket, Purpose.DRIVE)).is_proved, "signing in was one"
        hub.clock.ns += 900 * SECOND
        assert not (await asks(hub, socket, Purpose.DRIVE)).is_proved
        assert await prove(client) == (204, "")
        told = await times(hub, socket)
        assert told.proved_until_ns == hub.clock.ns + 900 * SECOND
        assert (await asks(hub, socket, Purpose.DRIVE)).is_proved


async def test_how_long_a_password_is_fresh_is_configured(make_hub: Any) -> None:
    async with make_hub(step_up_s=5) as hub, hub.sign_in() as client, hub.socket(client) as socket:
        assert (await times(hub, socket)).proved_until_ns == hub.clock.ns + 5 * SECOND
        hub.clock.ns += 5 * SECOND
        assert not (await asks(hub, socket, Purpose.DRIVE)).is_proved


async def test_a_password_begins_another_whole_time_for_every_window(hub: Any) -> None:
    async with (
        hub.sign_in() as client,
        hub.socket(client) as first,
        hub.socket(client) as second,
    ):
        before = await times(hub, first)
        await times(hub, second)
        for _ in range(24):  # an open console is busy
            hub.clock.ns += 29 * MINUTE
            assert (await client.get("/version")).status_code == 200
        assert await prove(client) == (204, "")
        told = await times(hub, first)
        assert await times(hub, second) == told
        assert told.ends_ns - before.ends_ns == 24 * 29 * MINUTE
        for _ in range(4):
            hub.clock.ns += 29 * MINUTE
            assert (await client.get("/version")).status_code == 200


async def test_wrong_passwords_are_on_record_limited_like_signing_in_and_end_nothing(
    hub: Any,
) -> None:
    async with hub.sign_in() as client:
        for _ in range(5):
            assert await prove(client, "not the password") == (403, "wrong")
        for _ in range(3):
            assert await prove(client) == (429, "too_many_tries")
        told = [event.refused for event in hub.events if type(event) is events.PasswordGiven]
        assert told == ["wrong"] * 5 + ["too_many_tries"], "the same news once"
        assert hub.counters.get("console_proof", "wrong") == 5
        assert hub.counters.get("console_proof", "too_many_tries") == 3
        async with hub.client() as other:
            form = {"name": "aoki", "password": PASSWORD}
            assert (await other.post("/api/session", json=form)).status_code == 429
        assert (await client.get("/version")).status_code == 200
        hub.clock.ns += MINUTE
        assert await prove(client) == (204, "")
        assert type(hub.events[-1]) is events.PasswordGiven
        assert hub.events[-1].refused == ""


@pytest.mark.parametrize("body", [b"{}", b'{"password":"x","name":"aoki"}', b'{"password":1}'])
async def test_a_proof_that_is_none_is_400(hub: Any, body: bytes) -> None:
    async with hub.sign_in() as client:
        assert (await client.post(PROOF, content=body)).status_code == 400


async def test_a_password_without_a_session_proves_nothing(hub: Any) -> None:
    async with hub.client() as client:
        assert (await client.post(PROOF, json={"password": PASSWORD})).status_code == 401
