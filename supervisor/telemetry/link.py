"""The hub's connection to the broker: events in, commands and heartbeats out.

Each connection is a new MQTT client with a clean session; nothing is resumed. A
client library that queues would deliver a command late: a command is published only
while it is younger than its time to live, and a connection that does not acknowledge
one in time is torn down together with whatever still waits in its buffers.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import aiomqtt

from protocols import tags, vehicle
from protocols.codec import encode
from protocols.topics import Stream, VehicleId, hub_subscriptions, topic_for
from supervisor import clock
from supervisor.core.effects import SendCommand, SendEventAck
from supervisor.core.events import AnyEvent, BrokerChanged, CommandSent, HeartbeatReceived
from supervisor.counters import Counters
from supervisor.telemetry.broker import BrokerError, EmbeddedBroker
from supervisor.telemetry.config import TelemetryConfig
from supervisor.telemetry.inbox import Inbox

log = logging.getLogger("enkan.telemetry")

OUTBOX: Final = 512
"""Commands and acknowledgements under way. A full outbox refuses new ones."""
ACK_TTL_S: Final = 5.0
LEASED_BEAT_S: Final = 0.1
CONNECT_TIMEOUT_S: Final = 5.0
KEEPALIVE_S: Final = 5
FIRST_DELAY_S: Final = 0.1
LONGEST_DELAY_S: Final = 2.0


class TelemetryLink:
    """Speaks MQTT for the hub.

    Args:
        config: Where the broker is, and rates.
        broker: The embedded broker, if there is one; then its login is used.
        hub_id: In heartbeats.
        command_keys: The command key of each configured vehicle.
        counters: `telemetry_refused`, `telemetry_sent`, `telemetry_dropped` by reason.
        on_event: Takes every event, on the running loop.

    Raises:
        BrokerError: `config.broker` is not a broker's address.
    """

    def __init__(
        self,
        config: TelemetryConfig,
        *,
        broker: EmbeddedBroker | None,
        hub_id: str,
        command_keys: Mapping[VehicleId, bytes],
        counters: Counters,
        on_event: Callable[[AnyEvent], None],
    ) -> None:
        self._config = config
        self._broker = broker
        self._address = None if broker is not None else parse_address(config.broker)
        self._hub_id = hub_id
        self._keys = dict(command_keys)
        self._counters = counters
        self._on_event = on_event
        self._inbox = Inbox(self._keys, config.messages_per_s, counters)
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()
        self._broken = asyncio.Event()
        self._failure: BaseException | None = None
        self._group: asyncio.TaskGroup | None = None
        self._was_connected = False
        self._told: bool | None = None
        self._outbox = 0
        self._beat_seq: dict[VehicleId, int] = {}
        self._heard: dict[VehicleId, vehicle.Echo] = {}
        self._epochs: dict[VehicleId, int] = {}
        self._leased: set[VehicleId] = set()

    @property
    def public_url(self) -> str:
        """Where vehicles connect, without a login."""
        if self._broker is not None:
            return self._broker.url
        assert self._address is not None
        host = self._address.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return f"{self._address.scheme}://{host}:{port_of(self._address)}"

    def tell_epochs(self, epochs: Mapping[VehicleId, int]) -> None:
        """Say these fencing tokens in heartbeats from now on."""
        self._epochs.update(epochs)

    def set_lease(self, vehicle_id: VehicleId, epoch: int, *, leased: bool) -> None:
        """Say this epoch, and whether control of it is held, in heartbeats from now on; the
        first goes out at once. Never an older epoch than before."""
        if epoch < self._epochs.get(vehicle_id, 0):
            self._counters.add("telemetry_dropped", "old_lease")
            return
        self._epochs[vehicle_id] = epoch
        if leased:
            self._leased.add(vehicle_id)
        else:
            self._leased.discard(vehicle_id)
        self._beat_one(vehicle_id)

    def publish_drive(self, vehicle_id: VehicleId, frame: bytes) -> bool:
        """Send one sealed control frame, once and now; return whether it went out."""
        client = self._client
        if client is None or not self._connected.is_set() or self._group is None:
            return False
        if self._outbox >= OUTBOX:
            return False
        self._outbox += 1
        self._group.create_task(
            self._send_now(client, topic_for(vehicle_id, Stream.DRIVE), frame, "drive"),
            name="drive frame",
        )
        return True

    async def run(self) -> None:
        """Stay connected until cancelled."""
        mine = asyncio.current_task()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._beat(), name="hub heartbeats")
                group.create_task(self._beat_leased(), name="hub heartbeats of control")
                group.create_task(self._stay_connected(mine), name="mqtt connection")
        finally:
            self._group = None

    def execute(self, effect: SendCommand | SendEventAck) -> None:
        """Publish a command or an acknowledgement; never blocks.

        A command is answered by exactly one `CommandSent`.
        """
        if self._group is None or self._outbox >= OUTBOX:
            self._counters.add("telemetry_dropped", "outbox_full")
            self._answer(effect, ok=False)
            return
        if isinstance(effect, SendCommand):
            key = self._keys.get(effect.vehicle_id)
            if key is None:
                self._counters.add("telemetry_dropped", "no_key")
                self._answer(effect, ok=False)
                return
            payload = encode(tags.sign(effect.command, effect.vehicle_id, key))
            topic = topic_for(effect.vehicle_id, Stream.CMD)
            ttl_s = effect.command.ttl_ms / 1_000
        else:
            payload = encode(effect.ack)
            topic = topic_for(effect.vehicle_id, Stream.EVENT_ACK)
            ttl_s = ACK_TTL_S
        self._outbox += 1
        self._group.create_task(
            self._publish(effect, topic, payload, ttl_s), name=f"publish {type(effect).__name__}"
        )

    # ---------------------------------------------------------------- outwards

    async def _publish(
        self, effect: SendCommand | SendEventAck, topic: str, payload: bytes, ttl_s: float
    ) -> None:
        ok = False
        client: aiomqtt.Client | None = None
        try:
            async with asyncio.timeout(ttl_s):
                await self._connected.wait()
                client = self._client
                assert client is not None
                if isinstance(effect, SendCommand) and effect.command.body.never_waits:
                    # A broker whose disk is full takes nothing at QoS 1, and passes this on.
                    await client.publish(topic, payload, qos=0, retain=False, timeout=math.inf)
                await client.publish(topic, payload, qos=1, retain=False, timeout=math.inf)
            ok = True
            self._counters.add("telemetry_sent", type(effect).__name__)
        except TimeoutError:
            self._counters.add("telemetry_dropped", "expired")
            if client is not None and client is self._client:
                self._broken.set()  # taken but not acknowledged: drop its buffers too
        except aiomqtt.MqttError:
            self._counters.add("telemetry_dropped", "broken")
        finally:
            self._outbox -= 1
        self._answer(effect, ok=ok)

    def _answer(self, effect: SendCommand | SendEventAck, *, ok: bool) -> None:
        if isinstance(effect, SendCommand):
            self._on_event(CommandSent(effect.vehicle_id, effect.command.command_id, ok))

    async def _beat(self) -> None:
        """Send each vehicle its heartbeats, spread evenly over the period."""
        names = list(self._keys)
        pause_s = 1.0 / self._config.heartbeat_hz / max(1, len(names))
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for vehicle_id in names:
                if vehicle_id not in self._leased:
                    self._beat_one(vehicle_id)
                due = max(due + pause_s, loop.time() - 1.0)
                await asyncio.sleep(max(0.0, due - loop.time()))
            if not names:
                await asyncio.sleep(pause_s)

    async def _beat_leased(self) -> None:
        """Send the vehicles under control theirs, ten times a second."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for vehicle_id in tuple(self._leased):
                self._beat_one(vehicle_id)
            due = max(due + LEASED_BEAT_S, loop.time() - 1.0)
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _beat_one(self, vehicle_id: VehicleId) -> None:
        client = self._client
        if client is None or not self._connected.is_set() or self._group is None:
            return
        if self._outbox >= OUTBOX:
            self._counters.add("telemetry_dropped", "heartbeat")
            return
        self._outbox += 1
        self._beat_seq[vehicle_id] = number = self._beat_seq.get(vehicle_id, 0) + 1
        beat = vehicle.HubHeartbeat(
            self._hub_id,
            number,
            clock.monotonic_ns(),
            self._heard.get(vehicle_id),
            self._epochs.get(vehicle_id, 0),
            vehicle_id in self._leased,
        )
        topic = topic_for(vehicle_id, Stream.HEARTBEAT_HUB)
        self._group.create_task(
            self._send_now(client, topic, encode(beat), "heartbeat"), name="hub heartbeat"
        )

    async def _send_now(
        self, client: aiomqtt.Client, topic: str, payload: bytes, what: str
    ) -> None:
        try:
            await client.publish(topic, payload, qos=0, timeout=2.0)
        except aiomqtt.MqttError:
            self._counters.add("telemetry_dropped", what)
        finally:
            self._outbox -= 1

    # ----------------------------------------------------------------- inwards

    async def _stay_connected(self, running: asyncio.Task[Any] | None) -> None:
        delay = FIRST_DELAY_S
        told = False
        while True:
            if self._broker is not None:
                await self._broker.ready.wait()
            try:
                await self._connection()
            except aiomqtt.MqttError as error:
                self._tell(connected=False)
                if not told:
                    log.warning("broker not reachable: %s; trying again", _brief(error))
                    told = True
            if running is not None and running.cancelling():
                # In the instant in which the connection broke: the client's own error
                # has taken the place of the cancellation.
                return
            if self._failure is not None:
                raise self._failure
            if self._was_connected:
                delay, told = FIRST_DELAY_S, False
            # Jitter, so that hubs and vehicles do not come back in step.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, LONGEST_DELAY_S)

    async def _subscribe(self, client: aiomqtt.Client) -> list[Any]:
        """Subscribe within a limit of our own.

        The client's is `asyncio.wait_for`, which before Python 3.12 loses a
        cancellation that comes in the instant in which the call succeeds.
        """
        task = asyncio.current_task()
        asked = 0 if task is None else task.cancelling()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                codes = await client.subscribe(hub_subscriptions(), timeout=math.inf)
        except TimeoutError as error:
            raise aiomqtt.MqttError("the broker did not answer in time") from error
        if task is not None and task.cancelling() > asked:
            raise asyncio.CancelledError
        return list(codes)

    async def _connection(self) -> None:
        """Connect once, subscribe, and receive until it breaks."""
        self._was_connected = False
        self._broken.clear()
        client = self._new_client()
        try:
            async with client:
                codes = await self._subscribe(client)
                if any(
                    (code if isinstance(code, int) else int(code.value)) >= 0x80 for code in codes
                ):
                    raise aiomqtt.MqttError("the broker does not let the hub subscribe")
                self._client = client
                self._was_connected = True
                self._connected.set()
                log.info("connected to the broker")
                self._tell(connected=True)
                await self._until_broken(client)
        finally:
            if self._was_connected:
                self._connected.clear()
                self._client = None
                log.info("disconnected from the broker")
                self._tell(connected=False)

    def _tell(self, *, connected: bool) -> None:
        """Say once that the broker is there or not; also when it never was."""
        if connected is not self._told:
            self._told = connected
            self._on_event(BrokerChanged(connected))

    async def _until_broken(self, client: aiomqtt.Client) -> None:
        """Wait for the disconnection, or for a reason to disconnect."""
        broken = asyncio.ensure_future(self._broken.wait())
        # Messages go straight to `_Sink.put_nowait`; this only ends with the connection.
        ended = asyncio.ensure_future(anext(client.messages))
        try:
            await asyncio.wait([broken, ended], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
        finally:
            broken.cancel()
            ended.cancel()
            await asyncio.gather(broken, ended, return_exceptions=True)

    def _new_client(self) -> aiomqtt.Client:
        receive = self._receive

        class _Sink(asyncio.Queue[aiomqtt.Message]):
            """Takes each message at the instant it is read, and never holds one."""

            def put_nowait(self, item: aiomqtt.Message) -> None:
                receive(item)

        user: str | None
        password: str | None
        if self._broker is not None:
            host, port = self._broker.host, self._broker.port
            user, password = self._broker.hub_user, self._broker.hub_password
            tls = None
        else:
            assert self._address is not None
            host, port = self._address.hostname or "", port_of(self._address)
            user = unquote(self._address.username or "") or None
            password = unquote(self._address.password or "") or None
            tls = ssl.create_default_context() if self._address.scheme == "mqtts" else None
        return aiomqtt.Client(
            host,
            port,
            username=user,
            password=password,
            identifier=f"enkan-hub-{secrets.token_hex(8)}",
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            keepalive=KEEPALIVE_S,
            timeout=CONNECT_TIMEOUT_S,
            max_inflight_messages=2 * OUTBOX,
            max_queued_outgoing_messages=2 * OUTBOX,
            queue_type=_Sink,
            tls_context=tls,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            logger=logging.getLogger("enkan.telemetry.mqtt"),
        )

    def _receive(self, message: aiomqtt.Message) -> None:
        now_ns = clock.monotonic_ns()
        payload = message.payload
        try:
            event = self._inbox.read(
                str(message.topic),
                payload if isinstance(payload, bytes) else b"",
                bool(message.retain),
                now_ns,
            )
            if event is None:
                return
            if isinstance(event, HeartbeatReceived):
                self._heard[event.vehicle_id] = vehicle.Echo(event.message.sent_ns, now_ns)
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - called from the library: carried to run()
            self._failure = error
            self._broken.set()


def port_of(address: SplitResult) -> int:
    """Return the port of a broker's address: 1883 unless given, 8883 with TLS."""
    return address.port or (8883 if address.scheme == "mqtts" else 1883)


def parse_address(url: str) -> SplitResult:
    """Return the parts of `telemetry.broker` when it is an address.

    Raises:
        BrokerError: It is none.
    """
    try:
        address = urlsplit(url)
        port_is_valid = address.port is None or address.port > 0
    except ValueError:
        port_is_valid, address = False, urlsplit("")
    if not port_is_valid or address.scheme not in ("mqtt", "mqtts") or not address.hostname:
        raise BrokerError(
            'telemetry.broker must be "embedded" or mqtt://user:password@host:port '
            "(mqtts:// with TLS)"
        )
    return address


def _brief(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
