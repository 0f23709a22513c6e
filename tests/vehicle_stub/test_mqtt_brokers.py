"""The whole vehicle process against real brokers: nats-server and Debian's mosquitto."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from protocols import tags, vehicle
from protocols.codec import decode, encode
from protocols.supervision import Purpose
from protocols.topics import Stream, VehicleId, topic_for

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
BUS = VehicleId("maebashi", "bus-01")
KEY = bytes(range(32))
TOKEN = "token-of-bus-01"
HUB = "hub-secret"
KINDS: dict[Stream, Any] = {
    Stream.CONNECTION: vehicle.Connection,
    Stream.FACTSHEET: vehicle.Factsheet,
    Stream.STATE: vehicle.State,
    Stream.TELEMETRY: vehicle.Telemetry,
    Stream.HEARTBEAT: vehicle.Heartbeat,
    Stream.EVENT: vehicle.VehicleEvent,
    Stream.CMD_RESULT: vehicle.CommandResult,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nats(folder: Path, port: int) -> list[str]:
    server = Path(sys.executable).with_name("nats-server")
    if not server.exists():
        pytest.skip("nats-server is not installed beside this Python")
    only = "enkan.v1.maebashi.bus-01.>"
    (folder / "nats.conf").write_text(
        f"""
server_name: test
host: 127.0.0.1
port: {free_port()}
jetstream {{ store_dir: "{folder}/store" }}
mqtt {{ host: 127.0.0.1, port: {port} }}
authorization {{ users: [
  {{ user: "hub", password: "{HUB}" }}
  {{ user: "maebashi/bus-01", password: "{TOKEN}", permissions: {{
       publish: ["{only}", "$MQTT.>"], subscribe: ["{only}", "$MQTT.>"] }} }}
] }}
"""
    )
    return [str(server), "-c", str(folder / "nats.conf")]


def mosquitto(folder: Path, port: int) -> list[str]:
    server = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if server is None:
        pytest.skip("Debian's mosquitto is not installed")
    passwords = folder / "passwords"
    passwords.touch(mode=0o600)
    for user, password in (("hub", HUB), ("maebashi/bus-01", TOKEN)):
        subprocess.run(
            ["mosquitto_passwd", "-b", str(passwords), user, password],
            check=True,
            capture_output=True,
        )
    (folder / "acl").write_text(
        "user hub\ntopic readwrite enkan/#\n"
        "user maebashi/bus-01\ntopic readwrite enkan/v1/maebashi/bus-01/#\n"
    )
    (folder / "acl").chmod(0o600)
    user = "user root\n" if os.geteuid() == 0 else ""
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\n{user}"
        f"password_file {passwords}\nacl_file {folder}/acl\npersistence false\n"
    )
    return [server, "-c", str(folder / "mosquitto.conf")]


@asynccontextmanager
async def running(argv: list[str], log: Path, **options: Any) -> AsyncIterator[Any]:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=output, stderr=output, **options
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
        await process.wait()


async def reachable(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


class Hub:
    """What the other side does, as far as the vehicle can tell."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.seq = 0
        self.last: dict[Stream, Any] = {}
        self.results: list[vehicle.CommandResult] = []
        self.events: list[vehicle.VehicleEvent] = []
        self.changed = asyncio.Condition()

    async def listen(self) -> None:
        await self.client.subscribe(f"enkan/v1/{BUS.site}/{BUS.vehicle}/#", qos=1)
        async for message in self.client.messages:
            stream = Stream(message.topic.value.split("/", 4)[4])
            kind = KINDS.get(stream)
            if kind is None:
                continue
            said: Any = decode(bytes(message.payload), kind)  # type: ignore[arg-type]
            async with self.changed:
                self.last[stream] = said
                if isinstance(said, vehicle.CommandResult):
                    self.results.append(said)
                if isinstance(said, vehicle.VehicleEvent):
                    self.events.append(said)
                self.changed.notify_all()

    async def beat(self) -> None:
        while True:
            self.seq += 1
            beat = vehicle.HubHeartbeat("hub-1", self.seq, self.seq * 1000, None, 7, leased=True)
            await self.client.publish(topic_for(BUS, Stream.HEARTBEAT_HUB), encode(beat))
            await asyncio.sleep(0.3)

    async def until(self, holds: Callable[[], Any], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(lambda: bool(holds()))

    async def command(self, command_id: str, body: vehicle.Body, **changes: Any) -> None:
        beat: vehicle.Heartbeat = self.last[Stream.HEARTBEAT]
        self.seq += 1
        settings: dict[str, Any] = {
            "command_id": command_id,
            "session_id": beat.session_id,
            "epoch": 7,
            "seq": self.seq,
            "issued_ns": beat.sent_ns,
            "ttl_ms": 5_000,
            "body": body,
            "operator": "ogawa",
        }
        signed = tags.sign(vehicle.Command(**settings | changes), BUS, KEY)
        await self.client.publish(topic_for(BUS, Stream.CMD), encode(signed), qos=1)

    def states(self, command_id: str) -> list[str]:
        return [r.state.value for r in self.results if r.command_id == command_id]


@asynccontextmanager
async def hub_at(port: int) -> AsyncIterator[Hub]:
    client = aiomqtt.Client("127.0.0.1", port, username="hub", password=HUB, identifier="hub")
    async with client:
        hub = Hub(client)
        tasks = [asyncio.create_task(hub.listen()), asyncio.create_task(hub.beat())]
        try:
            yield hub
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("broker", [nats, mosquitto])
async def test_a_vehicle_talks_stops_resumes_and_leaves(
    broker: Callable[[Path, int], list[str]], tmp_path: Path, vehicle_files: Any
) -> None:
    port = free_port()
    route = ROOT / "scenarios/maebashi/route.geojson"
    config = vehicle_files(
        broker=f"mqtt://127.0.0.1:{port}",
        drive=f'route = "{route}"\nstart_m = 80\nobstacle_at_m = [110]',
    )
    log = tmp_path / "vehicle.log"
    argv = [sys.executable, "-m", "vehicle_stub", "--config", str(config)]
    async with running(broker(tmp_path, port), tmp_path / "broker.log"):
        await reachable(port)
        async with running(argv, log, cwd=ROOT) as process, hub_at(port) as hub:
            await hub.until(
                lambda: {Stream.FACTSHEET, Stream.STATE, Stream.TELEMETRY} <= hub.last.keys()
            )
            await hub.until(lambda: (h := hub.last.get(Stream.HEARTBEAT)) and h.echo)
            assert hub.last[Stream.CONNECTION].state == "ONLINE"
            hub.last[Stream.FACTSHEET].check()
            assert len(hub.last[Stream.FACTSHEET].route) <= 200
            await hub.until(lambda: hub.last[Stream.TELEMETRY].speed_mps > 1)

            await hub.command("stop-1", vehicle.Stop())
            await hub.until(lambda: hub.states("stop-1") == ["received", "applied"])
            await hub.until(lambda: hub.last[Stream.TELEMETRY].speed_mps == 0)
            assert hub.last[Stream.STATE].mode == "STOP"

            await hub.command("late", vehicle.Resume(), ttl_ms=1, issued_ns=1)
            await hub.until(lambda: hub.states("late") == ["refused"])
            assert hub.results[-1].reason == "expired"

            take = vehicle.TakeControl("ogawa", Purpose.ASSIST, 10_000)
            await hub.command("take-1", take, operator="")
            await hub.until(lambda: hub.states("take-1") == ["received", "applied"])
            await hub.until(lambda: hub.last[Stream.STATE].holder == "ogawa")

            await hub.command("go-1", vehicle.Resume())
            await hub.until(lambda: hub.states("go-1") == ["received", "applied"])
            assert (tmp_path / "state/bus-01/epoch.json").read_text().count(":7}") == 1
            await hub.until(lambda: hub.events)
            request = hub.events[0]
            assert (request.kind, request.reason) == ("takeover.requested", "obstacle")
            await hub.until(lambda: len(hub.events) > 1)  # repeated until acknowledged
            assert {e.event_id for e in hub.events} == {request.event_id}
            ack = vehicle.EventAck(request.event_id)
            await hub.client.publish(topic_for(BUS, Stream.EVENT_ACK), encode(ack), qos=1)
            await hub.command("go-2", vehicle.Resume(request.event_id))
            await hub.until(lambda: hub.states("go-2") == ["received", "applied"])
            await hub.until(lambda: hub.last[Stream.TELEMETRY].speed_mps > 1)

            told = asyncio.get_running_loop().time()
            process.send_signal(signal.SIGTERM)
            await hub.until(lambda: hub.last[Stream.CONNECTION].state == "OFFLINE")
            assert await asyncio.wait_for(process.wait(), 10) == 0
            assert asyncio.get_running_loop().time() - told < 6  # 2 s on an idle machine
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("broker", [nats, mosquitto])
async def test_after_a_broker_restart_everything_is_said_again_and_a_kill_leaves_the_will(
    broker: Callable[[Path, int], list[str]], tmp_path: Path, vehicle_files: Any
) -> None:
    port = free_port()
    config = vehicle_files(broker=f"mqtt://127.0.0.1:{port}")
    log = tmp_path / "vehicle.log"
    argv = [sys.executable, "-m", "vehicle_stub", "--config", str(config)]
    async with running(argv, log, cwd=ROOT) as process:
        for _ in range(2):
            shutil.rmtree(tmp_path / "store", ignore_errors=True)
            async with running(broker(tmp_path, port), tmp_path / "broker.log"):
                await reachable(port)
                async with hub_at(port) as hub:
                    await hub.until(
                        lambda: (
                            {Stream.CONNECTION, Stream.FACTSHEET, Stream.STATE} <= hub.last.keys()
                        ),
                        seconds=40,
                    )
                    assert hub.last[Stream.CONNECTION].state == "ONLINE"
        # Without the old store, so that an ONLINE heard now was said now.
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        async with running(broker(tmp_path, port), tmp_path / "broker.log"):
            await reachable(port)
            async with hub_at(port) as hub:
                await hub.until(lambda: Stream.TELEMETRY in hub.last, seconds=40)
                await hub.until(
                    lambda: (c := hub.last.get(Stream.CONNECTION)) and c.state == "ONLINE"
                )
                session = hub.last[Stream.CONNECTION].session_id
                process.kill()
                await hub.until(lambda: hub.last[Stream.CONNECTION].state == "CONNECTION_BROKEN")
                assert hub.last[Stream.CONNECTION].session_id == session
    assert "Traceback" not in log.read_text()


async def test_a_wrong_token_is_said_in_one_line_and_tried_again(
    tmp_path: Path, vehicle_files: Any
) -> None:
    port = free_port()
    config = vehicle_files(broker=f"mqtt://127.0.0.1:{port}", token="not-the-token")
    log = tmp_path / "vehicle.log"
    argv = [sys.executable, "-m", "vehicle_stub", "--config", str(config)]
    async with running(nats(tmp_path, port), tmp_path / "broker.log"):
        await reachable(port)
        async with running(argv, log, cwd=ROOT) as process:
            async with asyncio.timeout(30):
                while "the broker refuses hub.credentials" not in log.read_text():  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert process.returncode is None
    assert "Traceback" not in log.read_text()
    assert "not-the-token" not in log.read_text()


@pytest.mark.parametrize("broker", [nats, mosquitto])
async def test_the_contract_test_kit_finds_every_rule_kept_over_a_real_broker(
    broker: Callable[[Path, int], list[str]], tmp_path: Path, vehicle_files: Any
) -> None:
    port = free_port()
    config = vehicle_files(broker=f"mqtt://127.0.0.1:{port}", kind="tractor")
    account = f"mqtt://hub:{HUB}@127.0.0.1:{port}"
    check = [
        *(sys.executable, "-m", "vehicle_stub", "check", "--broker", account, "--json"),
        *("--vehicle", str(BUS), "--key-file", str(tmp_path / "bus-01.credentials.json")),
    ]
    argv = [sys.executable, "-m", "vehicle_stub", "--config", str(config)]
    async with running(broker(tmp_path, port), tmp_path / "broker.log"):
        await reachable(port)
        async with running(argv, tmp_path / "vehicle.log", cwd=ROOT):
            async with running(check, tmp_path / "unconfirmed.log", cwd=ROOT) as unconfirmed:
                assert await asyncio.wait_for(unconfirmed.wait(), 30) == 2
            assert "--standing" in (tmp_path / "unconfirmed.log").read_text()
            # A tractor that never heard a hub stands.
            kit = await asyncio.create_subprocess_exec(
                *check, "--standing", stdout=subprocess.PIPE, cwd=ROOT
            )
            said, _ = await asyncio.wait_for(kit.communicate(), 100)
    findings = {finding["rule"]: finding for finding in json.loads(said)}
    verdicts = {rule: finding["verdict"] for rule, finding in findings.items()}
    assert verdicts.pop("retained") == "not_applicable"
    broken = [finding for finding in findings.values() if finding["verdict"] == "broken"]
    assert broken == []
    assert kit.returncode == 0
    assert HUB not in said.decode()
    assert "Traceback" not in (tmp_path / "vehicle.log").read_text()
