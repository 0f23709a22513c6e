"""A hub and vehicles of one's own choosing, as real processes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from protocols.operator import Role
from protocols.topics import VehicleId
from supervisor.console.credentials import Credentials, VehicleSecret, write_vehicle_file
from support.processes import ROOT, Running, enkan

ACCOUNT = "hanako"
PASSWORD = "correct horse battery"
BUS = VehicleId("maebashi", "bus-01")


def prepare_hub(
    folder: Path,
    vehicles: Sequence[VehicleId] = (BUS,),
    *,
    role: Role = Role.OPERATOR,
    telemetry: str = "",
    core: str = "decision_limit_s = 1.0",  # of a machine that is busy with other tests
    others: Sequence[tuple[str, Role]] = (),
) -> tuple[Path, dict[VehicleId, VehicleSecret]]:
    """Write a hub's configuration and credentials; return its file and the secrets.

    `telemetry` and `core` are lines of their tables; `others` are further accounts, all
    with the same password.
    """
    state = folder / "state"
    state.mkdir(parents=True, mode=0o700)
    credentials = Credentials.create(state / "credentials.json")
    for name, its_role in ((ACCOUNT, role), *others):
        credentials.add_account(name, its_role, PASSWORD)
    secrets = {vehicle_id: credentials.add_vehicle(vehicle_id) for vehicle_id in vehicles}
    credentials.save()
    for vehicle_id, secret in secrets.items():
        write_vehicle_file(folder / f"{vehicle_id.vehicle}.credentials.json", vehicle_id, secret)
    entries = "\n".join(
        f'[[vehicle]]\nsite = "{site}"\nid = "{name}"\nkind = "bus"\nname = "{name}"\n'
        for site, name in vehicles
    )
    config = folder / "hub.toml"
    config.write_text(
        '[hub]\nname = "Test"\nstate_dir = "state"\n'
        f"[console]\nport = 0\nfallback_ports = true\n[metrics]\nport = 0\n"
        f"[telemetry]\nmqtt_port = 0\n{telemetry}\n[core]\n{core}\n{entries}"
    )
    return config, secrets


@contextlib.asynccontextmanager
async def running_hub(config: Path, *arguments: str) -> AsyncIterator[Running]:
    """Run `enkan hub` until its console is up."""
    async with enkan(
        "hub", "--config", str(config), *arguments, state_dir=config.parent / "state"
    ) as hub:
        await hub.wait_for_line("console")
        yield hub


def write_vehicle_config(
    folder: Path, hub: Running, vehicle_id: VehicleId = BUS, *, camera: str = "", drive: str = ""
) -> Path:
    """Write a vehicle's configuration; `camera` and `drive` are lines of their tables."""
    endpoints = hub.endpoints
    camera = camera or 'source = "synthetic"'
    path = folder / f"{vehicle_id.vehicle}.toml"
    path.write_text(
        f'[vehicle]\nsite = "{vehicle_id.site}"\nid = "{vehicle_id.vehicle}"\nkind = "bus"\n'
        f'name = "{vehicle_id.vehicle}"\nstate_dir = "{folder / "vehicle-state"}"\n'
        f'[hub]\nwhip_url = "{endpoints["console"]}/whip"\nbroker = "{endpoints["mqtt"]}"\n'
        f'credentials = "{vehicle_id.vehicle}.credentials.json"\n'
        f'[[camera]]\nname = "front"\n{camera}\n'
        f'[audio]\nsource = "synthetic"\n'
        f'[drive]\nroute = "{ROOT / "scenarios/maebashi/route.geojson"}"\n{drive}\n'
    )
    return path


@contextlib.asynccontextmanager
async def running_vehicle(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m vehicle_stub` until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vehicle_stub", "--config", str(config), cwd=ROOT
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
            raise
