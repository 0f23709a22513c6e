"""`enkan demo`: broker, hub, media worker and a synthetic fleet on one machine.

Everything is a real process that speaks the real protocols over loopback; only the
vehicles are synthetic. Each of them reaches the hub by a path of its own, which passes
everything on until somebody breaks it (`supervisor.rehearsal`). The demo account exists
only here, and the hub refuses demo mode on any address that is not loopback.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from protocols.operator import Role
from protocols.topics import VehicleId
from protocols.vehicle import Kind
from supervisor import clock, processes
from supervisor.config import ROOT
from supervisor.console.credentials import Credentials, write_vehicle_file
from supervisor.console.server import DEMO_ACCOUNT, DEMO_PASSWORD
from supervisor.rehearsal.actor import Actor
from supervisor.rehearsal.channel import ChannelServer
from supervisor.rehearsal.second import ACCOUNT as SECOND_ACCOUNT
from supervisor.rehearsal.second import SecondOperator
from supervisor.rehearsal.stage import Stage

READY_WITHIN_S: Final = 60.0


class DemoError(Exception):
    """The demo cannot run; the text says what, why and what to do."""


class DemoVehicle(NamedTuple):
    """One vehicle of the demo fleet.

    Attributes:
        drive: The TOML lines of its [drive] table.
        sides: It looks to the left and to the right, too.
    """

    vehicle_id: VehicleId
    kind: Kind
    name: str
    drive: str
    sides: bool = False


FLEET: Final = (
    DemoVehicle(
        VehicleId("maebashi", "bus-01"),
        Kind.BUS,
        "前橋 1号車 / Maebashi bus 1",
        'route = "{scenarios}/maebashi/route.geojson"\ncruise_kmh = 20\nobstacle_at_m = [120]\n',
        sides=True,
    ),
    DemoVehicle(
        VehicleId("maebashi", "bus-02"),
        Kind.BUS,
        "前橋 2号車 / Maebashi bus 2",
        'route = "{scenarios}/maebashi/route.geojson"\ncruise_kmh = 20\nstart_m = 600\n',
    ),
    DemoVehicle(
        VehicleId("iwamizawa", "tractor-01"),
        Kind.TRACTOR,
        "岩見沢 トラクター1 / Iwamizawa tractor 1",
        'field = "{scenarios}/field/field.geojson"\ncruise_kmh = 7\n',
    ),
)


SIDES: Final = ("left", "right")


class Endpoints(NamedTuple):
    """Where a running hub is, from its `hub.json`."""

    console: str
    mqtt: str
    media: str


Say = Callable[[str, str], None]
"""Takes a part of the demo and what happened to it."""


async def run(*, port: int, state_dir: Path, vehicles: int) -> int:
    """Run the demo until Ctrl-C or SIGTERM; return the exit code.

    Raises:
        DemoError: A part did not start or ended by itself; names its log file.
    """
    task = asyncio.create_task(_run(port, state_dir, FLEET[:vehicles]), name="demo")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        print("all parts have ended", flush=True)
    return 0


async def _run(port: int, state_dir: Path, fleet: tuple[DemoVehicle, ...]) -> None:
    started_ns = clock.monotonic_ns()

    def say(part: str, text: str) -> None:
        elapsed_s = (clock.monotonic_ns() - started_ns) / 1e9
        print(f"[{elapsed_s:5.1f} s] {part:<8} {text}", flush=True)

    second_password = secrets.token_urlsafe(24)
    config_file = _prepare(state_dir, port, fleet, second_password)
    channel = ChannelServer()
    await channel.open(state_dir)
    try:
        await _run_parts(state_dir, config_file, fleet, channel, second_password, say)
    finally:
        await channel.close()


async def _run_parts(
    state_dir: Path,
    config_file: Path,
    fleet: tuple[DemoVehicle, ...],
    channel: ChannelServer,
    second_password: str,
    say: Say,
) -> None:
    hub_log = state_dir / "logs" / "hub.log"
    with hub_log.open("wb") as log_file:
        hub = await processes.spawn(
            [sys.executable, "-m", "supervisor", "hub", "--config", str(config_file)],
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file.fileno(),
        )
    keepers: list[asyncio.Task[None]] = []
    actors = {str(entry.vehicle_id): Actor(str(entry.vehicle_id)) for entry in fleet}
    stage: Stage | None = None
    try:
        endpoints = await _until_ready(hub, say, state_dir, hub_log)
        second = SecondOperator(endpoints.console, second_password)
        stage = Stage(actors, hub.pid, second)
        channel.carry_out = stage.carry_out
        for entry in fleet:
            keepers.append(
                asyncio.create_task(
                    _keep_vehicle(entry, actors[str(entry.vehicle_id)], state_dir, endpoints),
                    name=str(entry.vehicle_id),
                )
            )
            say("vehicle", f"{entry.vehicle_id} started ({entry.kind.value})")
        say("ready", f"open {endpoints.console} and sign in")
        say("", f"account {DEMO_ACCOUNT}, password {DEMO_PASSWORD}; Ctrl-C ends all of it")
        await _repeat_lines(hub, say)
        raise DemoError(f"the hub ended by itself (code {await hub.wait()}); see {hub_log}")
    finally:
        channel.carry_out = None
        if stage is not None:
            await stage.close()
        # Vehicles first: they say OFFLINE and end their media session in order.
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await processes.stop(hub)


async def _until_ready(
    hub: asyncio.subprocess.Process, say: Say, state_dir: Path, log: Path
) -> Endpoints:
    """Repeat the hub's lines until the console is up; return where everything is."""
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await _repeat_lines(hub, say, until="console")
    except TimeoutError as error:
        raise DemoError(f"the hub was not ready after {READY_WITHIN_S:.0f} s; see {log}") from error
    if hub.returncode is not None or not (state_dir / "hub.json").exists():
        code = await hub.wait()
        raise DemoError(f"the hub did not start (code {code}): {_last_line(log)} (see {log})")
    return _read_endpoints(state_dir / "hub.json")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _read_endpoints(path: Path) -> Endpoints:
    known = json.loads(path.read_text(encoding="utf-8"))
    return Endpoints(known["console"], known["mqtt"], known["media"])


async def _repeat_lines(hub: asyncio.subprocess.Process, say: Say, *, until: str = "") -> None:
    assert hub.stdout is not None
    while line := await hub.stdout.readline():
        part, _, text = line.decode("utf-8", errors="replace").strip().partition(" ")
        say(part, text.strip())
        if until and part == until:
            return


async def _keep_vehicle(
    entry: DemoVehicle, actor: Actor, state_dir: Path, endpoints: Endpoints
) -> None:
    name = entry.vehicle_id.vehicle
    config_file = state_dir / f"{name}.toml"
    ways = (_address(url) for url in (endpoints.console, endpoints.mqtt, endpoints.media))
    async with actor.path(*ways) as ports:
        config_file.write_text(_vehicle_config(entry, *ports), encoding="utf-8")
        await actor.keep(config_file, state_dir / "logs" / f"{name}.log")


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    if parts.hostname is None or parts.port is None:
        raise DemoError(f"the hub says it is at {url!r}: no address with a port")
    return parts.hostname, parts.port


def _prepare(
    state_dir: Path, port: int, fleet: tuple[DemoVehicle, ...], second_password: str
) -> Path:
    """Write configuration and credentials; return the hub's configuration file."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    logs = state_dir / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    (state_dir / "hub.json").unlink(missing_ok=True)
    credentials_file = state_dir / "credentials.json"
    credentials_file.unlink(missing_ok=True)  # a demo's secrets live as long as the demo
    credentials = Credentials.create(credentials_file)
    credentials.add_account(DEMO_ACCOUNT, Role.OPERATOR, DEMO_PASSWORD)
    credentials.add_account(SECOND_ACCOUNT, Role.SUPERVISOR, second_password)
    for entry in fleet:
        secret = credentials.add_vehicle(entry.vehicle_id)
        write_vehicle_file(
            state_dir / f"{entry.vehicle_id.vehicle}.credentials.json", entry.vehicle_id, secret
        )
    credentials.save()
    config_file = state_dir / "hub.toml"
    sections = [
        '[hub]\nname = "Enkan demo"\nstate_dir = "."\ndemo = true\nlog_format = "text"\n',
        f"[console]\nport = {port}\nfallback_ports = true\n",
        "[telemetry]\nmqtt_port = 0\n",
        # One machine draws, encodes and shows all cameras here: the disk is not what is late.
        "[core]\ndecision_limit_s = 1.0\n",
        "[media]\nworkers = 1\n",
        "[metrics]\nfallback_ports = true\n",
        *(
            f'[[vehicle]]\nsite = "{entry.vehicle_id.site}"\nid = "{entry.vehicle_id.vehicle}"\n'
            f'kind = "{entry.kind.value}"\nname = "{entry.name}"\n'
            for entry in fleet
        ),
    ]
    config_file.write_text("\n".join(sections), encoding="utf-8")
    return config_file


def _side_camera(facing: str) -> str:
    """A small one: three full pictures a vehicle would be too much for one laptop."""
    return (
        f'[[camera]]\nname = "{facing}"\nsource = "synthetic"\nfacing = "{facing}"\n'
        "width = 640\nheight = 360\nfps = 12\nbitrate_kbps = 350\n\n"
    )


def _vehicle_config(entry: DemoVehicle, http: int, mqtt: int, media: int) -> str:
    """Return a vehicle's configuration; it reaches the hub by these ports of its path."""
    site, name = entry.vehicle_id
    return (
        f'[vehicle]\nsite = "{site}"\nid = "{name}"\nkind = "{entry.kind.value}"\n'
        f'name = "{entry.name}"\nstate_dir = "."\n\n'
        f'[hub]\nwhip_url = "http://127.0.0.1:{http}/whip"\n'
        f'broker = "mqtt://127.0.0.1:{mqtt}"\nmedia_via = "127.0.0.1:{media}"\n'
        f'credentials = "{name}.credentials.json"\n\n'
        '[[camera]]\nname = "front"\nsource = "synthetic"\n\n'
        f"{''.join(map(_side_camera, SIDES)) if entry.sides else ''}"
        '[audio]\nsource = "synthetic"\n\n'
        f"[drive]\n{entry.drive.format(scenarios=ROOT / 'scenarios')}"
    )
