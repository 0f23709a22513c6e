"""The way to the vehicle under test over MQTT, as a hub has it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import aiomqtt

from protocols.codec import ProtocolError
from protocols.topics import PREFIX, RULES, Stream, VehicleId, parse_topic, topic_for
from vehicle_stub import clock
from vehicle_stub.contract.heard import Heard
from vehicle_stub.contract.hub import CheckingHub

BEAT_S: Final = 0.1
TIMEOUT_S: Final = 5.0
MAX_INCOMING: Final = 1_024


class CheckError(Exception):
    """The vehicle cannot be checked; the text says what, why and what to do."""


class Account(NamedTuple):
    """A parsed `--broker`. Never shown: it may hold a password."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool


def parse_account(url: str) -> Account:
    """Return the parts of `mqtt[s]://[user:password@]host[:port]`.

    Raises:
        CheckError: Not such an address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CheckError("--broker: expected mqtt://user:password@host:port") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise CheckError("--broker: expected mqtt://user:password@host:port, or mqtts://")
    tls = parts.scheme == "mqtts"
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Account(parts.hostname, port or (8883 if tls else 1883), user, password, tls)


class MqttWay:
    """One connection that hears everything of one vehicle.

    Attributes:
        heard: What came.
    """

    def __init__(self, client: aiomqtt.Client, vehicle_id: VehicleId, hub_id: str) -> None:
        self.heard = Heard(hub_id)
        self._client = client
        self._vehicle_id = vehicle_id
        self._came = asyncio.Condition()

    def now_ns(self) -> int:
        """Our monotonic clock."""
        return clock.monotonic_ns()

    async def publish(self, stream: Stream, data: bytes, *, retain: bool = False) -> None:
        """Say this on one of the vehicle's streams."""
        await self._client.publish(
            topic_for(self._vehicle_id, stream), data, RULES[stream].qos, retain, timeout=TIMEOUT_S
        )

    async def ask_again(self) -> None:
        """Have the broker say again what it has stored: a subscription made anew does."""
        topics = f"{PREFIX}/{self._vehicle_id.site}/{self._vehicle_id.vehicle}/#"
        codes = await self._client.subscribe(topics, 1, timeout=TIMEOUT_S)
        if any((code if isinstance(code, int) else int(code.value)) >= 0x80 for code in codes):
            raise CheckError("the broker refuses the subscription: use the hub's account")

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until it holds; False: it did not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._came:
                await self._came.wait_for(condition)
        return condition()

    async def hear(self) -> None:
        """Take what comes, until cancelled."""
        async for message in self._client.messages:
            try:
                stream = parse_topic(message.topic.value).stream
            except ProtocolError:
                continue  # a stream of a later version
            payload = message.payload
            data = bytes(payload) if isinstance(payload, (bytes, bytearray)) else b""
            async with self._came:
                self.heard.take(stream, data, bool(message.retain), self.now_ns())
                self._came.notify_all()

    async def beat(self, hub: CheckingHub) -> None:
        """Say the hub's heartbeats, until cancelled."""
        while True:
            if hub.beating:
                await self.publish(Stream.HEARTBEAT_HUB, hub.beat())
            await asyncio.sleep(BEAT_S)


@asynccontextmanager
async def connected(
    account: Account, vehicle_id: VehicleId, run_id: str, ca_file: str = ""
) -> AsyncIterator[MqttWay]:
    """Connect and subscribe.

    Raises:
        CheckError: The broker is not reached, or does not let us.
    """
    try:
        tls = ssl.create_default_context(cafile=ca_file or None) if account.tls else None
        client = aiomqtt.Client(
            account.host,
            account.port,
            username=account.user,
            password=account.password,
            identifier=f"enkan-check-{run_id}",
            clean_session=True,
            timeout=TIMEOUT_S,
            max_queued_incoming_messages=MAX_INCOMING,
            tls_context=tls,
        )
        async with client:
            way = MqttWay(client, vehicle_id, run_id)
            await way.ask_again()
            yield way
    except (aiomqtt.MqttError, OSError, ssl.SSLError) as error:
        raise CheckError(f"the broker at {account.host}:{account.port}: {error}") from error
