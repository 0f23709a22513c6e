"""MQTT: the vehicle's side of `protocols.topics.RULES`, on two connections.

`{site}-{vehicle}-telemetry-{random}` carries telemetry, state, heartbeats and the control
frames that come over the hub; `{site}-{vehicle}-events-{random}` carries connection (with
the last will), factsheet, events and commands, so that a queue of numbers never delays a
stop. Each reconnects by
itself, with a new client each time, and then says everything retained again.

Bounded: results wait in a queue of `MAX_RESULTS_WAITING` (the oldest is dropped and
counted), of states only the newest is kept, events are repeated by the vehicle
itself, telemetry and heartbeats exist only while connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import secrets
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple

import aiomqtt
import msgspec
from aiomqtt.exceptions import MqttConnectError

from protocols.codec import ProtocolError, decode, encode
from protocols.topics import RULES, Stream, VehicleId, topic_for
from protocols.vehicle import (
    Connection,
    ConnectionState,
    EventAck,
    Factsheet,
    HubHeartbeat,
    State,
)
from vehicle_stub import clock
from vehicle_stub.backoff import Backoff
from vehicle_stub.complaints import Complaints
from vehicle_stub.config import Broker
from vehicle_stub.epochs import EpochError, EpochStore
from vehicle_stub.outputs import Announcement, Persist, Publish
from vehicle_stub.vehicle import Vehicle

log = logging.getLogger("enkan.vehicle.uplink")

KEEPALIVE_S: Final = 5
TIMEOUT_S: Final = 5.0
TELEMETRY_EVERY_S: Final = 0.1
HEARTBEAT_EVERY: Final = 5
"""Telemetry messages to one heartbeat: 2 Hz, but 10 Hz while somebody has control."""

MAX_INCOMING: Final = 256
MAX_RESULTS_WAITING: Final = 128
MAX_PERSIST_WAITING: Final = 8
REFUSED_RETRY_S: Final = 5.0


class Login(NamedTuple):
    """How to reach the broker. `password` never appears in a log."""

    broker: Broker
    username: str
    password: str
    tls: ssl.SSLContext | None


class Uplink:
    """Both connections of one vehicle.

    Attributes:
        counts: Totals by reason (dropped, malformed, reconnects).
    """

    def __init__(
        self,
        login: Login,
        vehicle_id: VehicleId,
        session_id: str,
        vehicle: Vehicle,
        factsheet: Factsheet,
        epochs: EpochStore,
        source: random.Random,
    ) -> None:
        self.counts: dict[str, int] = {}
        self._login = login
        self._vehicle_id = vehicle_id
        self._session_id = session_id
        self._vehicle = vehicle
        self._factsheet = factsheet
        self._epochs = epochs
        self._random = source
        self._outbox: deque[Publish] = deque()
        self._outbox_filled = asyncio.Event()
        self._state: State | None = None
        self._state_changed = asyncio.Event()
        self._to_persist: asyncio.Queue[Persist] = asyncio.Queue(MAX_PERSIST_WAITING)
        self._events_client: aiomqtt.Client | None = None
        self._closing = False
        self._tag = secrets.token_hex(4)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        mine = asyncio.current_task()
        async with asyncio.TaskGroup() as tasks:
            for name, serve in (("telemetry", self._telemetry), ("events", self._events)):
                tasks.create_task(self._keep(name, serve, mine), name=f"mqtt-{name}")
            tasks.create_task(self._persist(), name="epoch-writer")

    async def say_goodbye(self) -> None:
        """Publish OFFLINE, if connected. Call before cancelling `run`."""
        self._closing = True
        client = self._events_client
        if client is None:
            return
        try:
            message = Connection(ConnectionState.OFFLINE, self._session_id)
            await self._publish(client, Stream.CONNECTION, message, timeout_s=1.0)
        except aiomqtt.MqttError as error:
            log.info("goodbye not delivered: %s", error)

    def pump(self) -> None:
        """Take what the vehicle wants said or written and queue it."""
        for output in self._vehicle.take_outputs():
            match output:
                case Persist():
                    try:
                        self._to_persist.put_nowait(output)
                    except asyncio.QueueFull:
                        self._count("persist_queue_full")
                        self._vehicle.on_epoch_failed(output.data, clock.monotonic_ns())
                case Announcement(text, outside):
                    where = "outside" if outside else "inside"
                    log.info("announced %s, %d characters", where, len(text))
                case Publish(Stream.STATE, State() as state):
                    self._state = state
                    self._state_changed.set()
                case Publish(Stream.EVENT, _) if self._events_client is None:
                    pass  # the vehicle repeats it every second until it is acknowledged
                case Publish():
                    if len(self._outbox) >= MAX_RESULTS_WAITING:
                        self._outbox.popleft()
                        self._count("outbox_dropped")
                    self._outbox.append(output)
                    self._outbox_filled.set()

    # ------------------------------------------------------------------ connections

    async def _keep(
        self,
        name: str,
        serve: Callable[[Backoff], Awaitable[None]],
        running: asyncio.Task[Any] | None,
    ) -> None:
        backoff = Backoff(self._random)
        complaints = Complaints()
        while True:
            refused = False
            try:
                await serve(backoff)
            except* (aiomqtt.MqttError, OSError, ssl.SSLError) as group:
                first = _first(group)
                refused = isinstance(first, MqttConnectError)
                what = "the broker refuses hub.credentials" if refused else "broker not reached"
                if complaints.worth_saying(f"{what}: {first}"):
                    log.warning("%s: %s: %s; trying on", name, what, first)
                self._count(f"{name}_disconnected")
            if self._closing or (running is not None and running.cancelling()):
                # Asked to end in the instant in which the connection broke: the client
                # says that it is not connected, and the cancellation is lost with it.
                return
            delay = backoff.next_s()
            await asyncio.sleep(REFUSED_RETRY_S * (0.8 + delay / 10) if refused else delay)

    def _client(self, purpose: str, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
        login = self._login
        return aiomqtt.Client(
            login.broker.host,
            login.broker.port,
            username=login.username,
            password=login.password,
            # Some brokers share ids across users: nobody can guess this one and end us.
            identifier=f"{self._vehicle_id.site}-{self._vehicle_id.vehicle}-{purpose}-{self._tag}",
            will=will,
            clean_session=True,
            timeout=TIMEOUT_S,
            keepalive=KEEPALIVE_S,
            max_queued_incoming_messages=MAX_INCOMING,
            max_queued_outgoing_messages=MAX_INCOMING,
            tls_context=login.tls,
            # A result must not wait 40 ms for the acknowledgement of the one before it.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def _telemetry(self, backoff: Backoff) -> None:
        async with self._client("telemetry") as client:
            for stream in (Stream.HEARTBEAT_HUB, Stream.DRIVE):
                await self._subscribe(client, stream)
            log.info("telemetry: connected")
            backoff.reset()
            self._vehicle.on_reconnected()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_numbers(client), name="mqtt-numbers")
                tasks.create_task(self._send_states(client), name="mqtt-states")
                tasks.create_task(self._hear_hub(client), name="mqtt-hub-heartbeat")

    async def _events(self, backoff: Backoff) -> None:
        broken = Connection(ConnectionState.CONNECTION_BROKEN, self._session_id)
        rule = RULES[Stream.CONNECTION]
        will = aiomqtt.Will(
            topic_for(self._vehicle_id, Stream.CONNECTION), encode(broken), rule.qos, rule.retain
        )
        async with self._client("events", will) as client:
            await self._say_online(client)
            await self._publish(client, Stream.FACTSHEET, self._factsheet)
            for stream in (Stream.CMD, Stream.EVENT_ACK):
                await self._subscribe(client, stream)
            if not await self._subscribe(client, Stream.CONNECTION, needed=False):
                log.info("events: this broker does not let a vehicle hear its own connection")
            log.info("events: connected")
            backoff.reset()
            self._events_client = client
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._send_outbox(client), name="mqtt-outbox")
                    tasks.create_task(self._hear_orders(client), name="mqtt-orders")
            finally:
                self._events_client = None

    async def _subscribe(
        self, client: aiomqtt.Client, stream: Stream, *, needed: bool = True
    ) -> bool:
        async with _within(TIMEOUT_S):
            codes = await client.subscribe(
                topic_for(self._vehicle_id, stream), RULES[stream].qos, timeout=math.inf
            )
        granted = all((code if isinstance(code, int) else int(code.value)) < 0x80 for code in codes)
        if needed and not granted:
            raise aiomqtt.MqttError(f"the broker refuses the subscription to {stream}")
        return granted

    async def _publish(
        self,
        client: aiomqtt.Client,
        stream: Stream,
        message: msgspec.Struct,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        rule = RULES[stream]
        async with _within(timeout_s):
            await client.publish(
                topic_for(self._vehicle_id, stream),
                encode(message),
                qos=rule.qos,
                retain=rule.retain,
                timeout=math.inf,
            )

    async def _say_online(self, client: aiomqtt.Client) -> None:
        online = Connection(ConnectionState.ONLINE, self._session_id)
        await self._publish(client, Stream.CONNECTION, online)

    # ----------------------------------------------------------------------- sending

    async def _send_numbers(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        count = 0
        while True:
            now_ns = clock.monotonic_ns()
            await self._publish(client, Stream.TELEMETRY, self._vehicle.telemetry(now_ns))
            if count % HEARTBEAT_EVERY == 0 or self._vehicle.control.is_held:
                heartbeat = self._vehicle.heartbeat(clock.monotonic_ns(), clock.utc_ns())
                await self._publish(client, Stream.HEARTBEAT, heartbeat)
            count += 1
            due = max(due + TELEMETRY_EVERY_S, loop.time() - TELEMETRY_EVERY_S)
            await asyncio.sleep(due - loop.time())

    async def _send_states(self, client: aiomqtt.Client) -> None:
        while True:
            await self._state_changed.wait()
            self._state_changed.clear()
            if self._state is not None:
                await self._publish(client, Stream.STATE, self._state)

    async def _send_outbox(self, client: aiomqtt.Client) -> None:
        while True:
            await self._outbox_filled.wait()
            self._outbox_filled.clear()
            while self._outbox:
                output = self._outbox[0]
                await self._publish(client, output.stream, output.message)
                # It may have been dropped for a newer one while it waited.
                if self._outbox and self._outbox[0] is output:
                    self._outbox.popleft()

    # ----------------------------------------------------------------------- hearing

    async def _hear_hub(self, client: aiomqtt.Client) -> None:
        frames = topic_for(self._vehicle_id, Stream.DRIVE)
        async for message in client.messages:
            now_ns = clock.monotonic_ns()
            if message.topic.value == frames:
                payload, retained = _payload(message), bool(message.retain)
                self._vehicle.on_frame(payload, now_ns, by_hub=True, retained=retained)
                self.pump()
                continue
            try:
                heartbeat: HubHeartbeat = decode(_payload(message), HubHeartbeat)
            except ProtocolError as error:
                self._count(f"heartbeat_{error.reason}")
                continue
            if message.retain:
                self._count("heartbeat_retained")
                continue
            self._vehicle.on_hub_heartbeat(heartbeat, now_ns)

    async def _hear_orders(self, client: aiomqtt.Client) -> None:
        command_topic = topic_for(self._vehicle_id, Stream.CMD)
        ack_topic = topic_for(self._vehicle_id, Stream.EVENT_ACK)
        async for message in client.messages:
            payload = _payload(message)
            topic = message.topic.value
            if topic == command_topic:
                self._vehicle.on_command(payload, message.retain, clock.monotonic_ns())
            elif topic == ack_topic:
                try:
                    self._vehicle.on_event_ack(decode(payload, EventAck))
                except ProtocolError as error:
                    self._count(f"event_ack_{error.reason}")
            else:
                await self._hear_own_connection(client, payload)
            self.pump()

    async def _hear_own_connection(self, client: aiomqtt.Client, payload: bytes) -> None:
        """A will of our own previous socket may arrive after our ONLINE: repeat it."""
        try:
            said: Connection = decode(payload, Connection)
        except ProtocolError as error:
            self._count(f"connection_{error.reason}")
            return
        ours = said.session_id == self._session_id
        if ours and said.state is ConnectionState.CONNECTION_BROKEN and not self._closing:
            self._count("late_wills")
            await self._say_online(client)

    async def _persist(self) -> None:
        while True:
            work = await self._to_persist.get()
            try:
                await asyncio.to_thread(self._epochs.store, work.epoch)
            except EpochError as error:
                log.error("a command was refused because its epoch could not be kept: %s", error)
                self._vehicle.on_epoch_failed(work.data, clock.monotonic_ns())
            else:
                self._vehicle.on_epoch_durable(work.epoch, work.data, clock.monotonic_ns())
            self.pump()

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """Limit a call of the client, which is itself told to wait for ever.

    Its own limit is `asyncio.wait_for`, which before Python 3.12 loses a cancellation
    that comes in the instant in which the call succeeds: the task would never end.

    Raises:
        aiomqtt.MqttError: It took longer.
    """
    task = asyncio.current_task()
    asked = 0 if task is None else task.cancelling()
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise aiomqtt.MqttError("the broker did not answer in time") from error
    if task is not None and task.cancelling() > asked:
        raise asyncio.CancelledError


def _payload(message: aiomqtt.Message) -> bytes:
    payload = message.payload
    return bytes(payload) if isinstance(payload, (bytes, bytearray)) else str(payload).encode()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
