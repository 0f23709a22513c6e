"""The same tests against the embedded nats-server and against Debian's mosquitto."""

from __future__ import annotations

import asyncio

import aiomqtt
import msgspec
import pytest
from helpers_telemetry import BUS1, BUS2, KEYS, client, hub, stock

from protocols import tags, vehicle
from protocols.codec import decode, encode
from protocols.topics import Stream, topic_for
from supervisor.core import events as e
from supervisor.core.effects import SendCommand, SendEventAck

pytestmark = pytest.mark.integration

ONLINE = vehicle.Connection(vehicle.ConnectionState.ONLINE, "run-1")
STATE = vehicle.State(
    "run-1",
    0,
    vehicle.OperationMode.AUTONOMOUS,
    vehicle.MrmState.NORMAL,
    vehicle.MrmBehaviour.NONE,
    vehicle.Odd.INSIDE,
    vehicle.MrmBehaviour.COMFORTABLE_STOP,
)


def telemetry(seq: int) -> vehicle.Telemetry:
    return vehicle.Telemetry(
        "run-1", seq, seq, 139.06, 36.39, 90.0, 4.0, vehicle.OperationMode.AUTONOMOUS
    )


def command(command_id: str = "c1", ttl_ms: int = 5_000) -> vehicle.Command:
    return vehicle.Command(command_id, "run-1", 7, 1, 5, ttl_ms, vehicle.Stop(), "hanako")


async def test_every_stream_of_a_vehicle_arrives_as_its_event(broker) -> None:
    said = {
        Stream.CONNECTION: (ONLINE, e.ConnectionReceived),
        Stream.FACTSHEET: (
            vehicle.Factsheet(vehicle.Kind.BUS, "Bus", [], False, ["stop"], 5.0),
            e.FactsheetReceived,
        ),
        Stream.STATE: (STATE, e.StateReceived),
        Stream.TELEMETRY: (telemetry(0), e.TelemetryReceived),
        Stream.HEARTBEAT: (vehicle.Heartbeat("run-1", 0, 1, 2), e.HeartbeatReceived),
        Stream.EVENT: (
            vehicle.VehicleEvent("run-1", "e1", vehicle.EventKind.TAKEOVER_REQUESTED, 1),
            e.VehicleEventReceived,
        ),
        Stream.CMD_RESULT: (
            vehicle.CommandResult("run-1", "c1", vehicle.ResultState.APPLIED, 1),
            e.CommandResultReceived,
        ),
    }
    async with hub(broker) as collected, client(broker) as bus:
        for stream, (message, _) in said.items():
            await bus.publish(topic_for(BUS1, stream), encode(message), qos=1)
        for message, kind in said.values():
            await collected.until(lambda kind=kind: collected.of(kind))
            (event,) = collected.of(kind)
            assert (event.vehicle_id, event.message) == (BUS1, message)


async def test_a_command_arrives_once_tagged_not_retained_and_is_reported_as_sent(broker) -> None:
    async with hub(broker) as collected:
        async with client(broker) as bus:
            await bus.subscribe(topic_for(BUS1, Stream.CMD), qos=1)
            await bus.subscribe(topic_for(BUS1, Stream.EVENT_ACK), qos=1)
            collected.link.execute(SendCommand(BUS1, command()))
            collected.link.execute(SendEventAck(BUS1, vehicle.EventAck("e1")))
            seen = {}
            async with asyncio.timeout(30):
                async for message in bus.messages:
                    seen[str(message.topic)] = message
                    if len(seen) == 2:
                        break
        order = seen[topic_for(BUS1, Stream.CMD)]
        assert not order.retain
        received = decode(order.payload, vehicle.Command)
        assert tags.verify(received, BUS1, KEYS[BUS1])
        assert msgspec.structs.replace(received, tag="") == command()
        acked = decode(seen[topic_for(BUS1, Stream.EVENT_ACK)].payload, vehicle.EventAck)
        assert acked.event_id == "e1"
        await collected.until(lambda: collected.of(e.CommandSent))
        assert collected.of(e.CommandSent) == [e.CommandSent(BUS1, "c1", True)]
        # A vehicle that starts later finds no command waiting for it.
        code, out = await stock(
            "mosquitto_sub", broker, BUS1, "-t", topic_for(BUS1, Stream.CMD), "-W", "1"
        )
        assert (code, "hanako" in out) == (27, False)


async def test_heartbeats_reach_each_vehicle_and_echo_its_own(broker) -> None:
    async with hub(broker) as collected, client(broker) as bus:
        await bus.subscribe(topic_for(BUS1, Stream.HEARTBEAT_HUB))
        beat = vehicle.Heartbeat("run-1", 0, 123_456, 2)
        await bus.publish(topic_for(BUS1, Stream.HEARTBEAT), encode(beat))
        async with asyncio.timeout(30):
            async for message in bus.messages:
                heard = decode(message.payload, vehicle.HubHeartbeat)
                if heard.echo is not None:
                    break
        assert heard.hub_id == "hub-1"
        assert heard.echo.sent_ns == 123_456
        assert heard.echo.received_ns <= heard.sent_ns
        assert collected.of(e.HeartbeatReceived)


async def test_stock_clients_read_their_own_topics_with_a_vehicles_credentials(broker) -> None:
    async with hub(broker):
        for stream in (Stream.TELEMETRY, Stream.HEARTBEAT_HUB):
            topic = topic_for(BUS1, stream)
            reading = asyncio.create_task(
                stock("mosquitto_sub", broker, BUS1, "-t", topic, "-C", "1", "-W", "30")
            )
            while not reading.done() and stream is Stream.TELEMETRY:
                code, out = await stock(
                    "mosquitto_pub", broker, BUS1, "-t", topic, "-m", "hello", "-q", "1"
                )
                assert code == 0, out
                await asyncio.wait([reading], timeout=0.2)
            code, out = await reading
            assert code == 0, out
            assert out.strip() == "hello" or "hub-1" in out


async def test_another_vehicles_topics_are_refused_to_stock_clients_and_forgeries_dropped(
    broker,
) -> None:
    async with hub(broker) as collected, client(broker) as bus1:
        own = topic_for(BUS1, Stream.STATE)
        await bus1.publish(own, encode(STATE), qos=1, retain=True)
        await collected.until(lambda: collected.of(e.StateReceived))
        # bus-02 asks for everything of bus-01: it gets nothing although a state is retained.
        for topic in (own, "enkan/v1/maebashi/bus-01/#", "enkan/v1/+/bus-01/state"):
            code, out = await stock("mosquitto_sub", broker, BUS2, "-t", topic, "-W", "1", "-v")
            assert "run-1" not in out, out
            assert code == 27 or "denied" in out, (code, out)
        # bus-02 speaks as bus-01, retained and not, and as the hub.
        forged = msgspec.structs.replace(STATE, session_id="forged")
        orders = topic_for(BUS1, Stream.CMD)
        await bus1.subscribe(orders, qos=1)
        for topic in (own, orders, topic_for(BUS2, Stream.CMD)):
            for flags in ((), ("-r",)):
                text = encode(forged).decode()
                await stock(
                    "mosquitto_pub", broker, BUS2, "-t", topic, "-m", text, "-q", "1", *flags
                )
        # Its own message, sent after the forgeries, is what arrives next.
        mine = msgspec.structs.replace(STATE, session_id="run-of-bus-02")
        code, out = await stock(
            "mosquitto_pub", broker, BUS2, "-q", "1",
            "-t", topic_for(BUS2, Stream.STATE), "-m", encode(mine).decode(),
        )  # fmt: skip
        assert code == 0, out
        await collected.until(lambda: len(collected.of(e.StateReceived)) >= 2)
        sessions = [event.message.session_id for event in collected.of(e.StateReceived)]
        assert sessions == ["run-1", "run-of-bus-02"]
        # And the first command bus-01 hears is the hub's.
        collected.link.execute(SendCommand(BUS1, command("real")))
        async with asyncio.timeout(30):
            first = await anext(bus1.messages)
        assert decode(first.payload, vehicle.Command).command_id == "real"


async def test_a_vehicle_cannot_leave_a_retained_command_for_itself(broker) -> None:
    orders = topic_for(BUS1, Stream.CMD)
    await stock("mosquitto_pub", broker, BUS1, "-t", orders, "-m", "late", "-q", "1", "-r")
    code, out = await stock("mosquitto_sub", broker, BUS1, "-t", orders, "-W", "1", "-v")
    assert (code, "late" in out) == (27, False)


async def test_a_wrong_password_lets_nobody_in(broker) -> None:
    stranger = aiomqtt.Client(broker.host, broker.port, username=str(BUS1), password="wrong-one")
    with pytest.raises(aiomqtt.MqttError):
        async with stranger:
            pass
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(broker.host, broker.port):
            pass


async def test_bad_messages_are_counted_by_reason_and_nothing_else_happens(broker) -> None:
    bad = [
        (Stream.TELEMETRY, b"\xff\xfe not json", "malformed"),
        (Stream.TELEMETRY, b"[" * 60_000, "malformed"),
        (Stream.STATE, b"{}", "malformed"),
        (Stream.TELEMETRY, b"x" * 65_537, "oversize"),
        (
            Stream.TELEMETRY,
            encode(telemetry(0)).replace(b"139.06", b"1e999"),
            "malformed",
        ),
        (Stream.TELEMETRY, encode(telemetry(0)).replace(b"139.06", b"999"), "out_of_range"),
        (Stream.TELEMETRY, b"", "malformed"),
    ]
    async with hub(broker) as collected, client(broker, BUS2) as bus:
        for stream, payload, _ in bad:
            await bus.publish(topic_for(BUS2, stream), payload, qos=1)
        await bus.publish(topic_for(BUS2, Stream.TELEMETRY), encode(telemetry(1)), qos=1)
        await collected.until(lambda: collected.of(e.TelemetryReceived))
        assert [event.message.seq for event in collected.of(e.TelemetryReceived)] == [1]
        assert not collected.of(e.StateReceived)
        for reason in {reason for *_, reason in bad}:
            expected = sum(other == reason for *_, other in bad)
            assert collected.counters.get("telemetry_refused", reason) == expected, reason


async def test_retained_telemetry_and_events_are_refused_retained_state_is_marked(broker) -> None:
    async with client(broker) as bus:
        for stream, message in (
            (Stream.TELEMETRY, telemetry(0)),
            (Stream.EVENT, vehicle.VehicleEvent("run-1", "e1", vehicle.EventKind.ALARM, 1)),
            (Stream.CONNECTION, ONLINE),
            (Stream.STATE, STATE),
        ):
            await bus.publish(topic_for(BUS1, stream), encode(message), qos=1, retain=True)
    async with hub(broker) as collected:
        await collected.until(lambda: collected.of(e.StateReceived))
        await collected.until(lambda: collected.counters.get("telemetry_refused", "retained") == 2)
        (state,) = collected.of(e.StateReceived)
        assert state.retained
        assert collected.of(e.ConnectionReceived)
        assert not collected.of(e.TelemetryReceived)
        assert not collected.of(e.VehicleEventReceived)


async def test_a_flood_of_one_vehicle_is_cut_and_does_not_touch_another(broker) -> None:
    async with hub(broker) as collected, client(broker) as bus1, client(broker, BUS2) as bus2:
        for seq in range(2_000):
            await bus2.publish(topic_for(BUS2, Stream.TELEMETRY), encode(telemetry(seq)))
        await collected.until(lambda: collected.counters.get("telemetry_refused", "rate") > 0)
        await bus1.publish(topic_for(BUS1, Stream.TELEMETRY), encode(telemetry(0)), qos=1)
        await collected.until(
            lambda: any(event.vehicle_id == BUS1 for event in collected.of(e.TelemetryReceived))
        )
