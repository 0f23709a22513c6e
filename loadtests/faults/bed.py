"""A hub, a vehicle and a seat, each in its own namespace, with a link to impair."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from loadtests import procfs
from loadtests.children import ROOT, spawn, stop
from loadtests.emulator.control import Taken
from loadtests.emulator.link import Impairment
from loadtests.emulator.network import HUB, Network
from loadtests.faults.seat import Place
from loadtests.faults.seat_process import SeatProcess
from loadtests.hub_process import ACCOUNT, SITE, HubProcess, credentials_file, vehicle_name

VEHICLE_LINK: Final = "vehicle"
OTHER_LINK: Final = "other"
BASE: Final = Impairment(delay_ms=25.0)
"""Each way, of a healthy mobile link: a round trip of 50 ms."""

HEALTHY_PER_S: Final = 20.0
HEALTHY_S: Final = 2.0
FRESH_NS: Final = 250_000_000
HEALTHY_WITHIN_S: Final = 60.0

_SETTINGS: Final = f"""
[console]
listen = "{HUB}"
port = 0
insecure_http = true
[metrics]
port = 0
[telemetry]
listen = "{HUB}"
mqtt_port = 0
[media]
listen = "{HUB}"
"""


class Camera(msgspec.Struct, frozen=True):
    """What the vehicle films."""

    width: int = 640
    height: int = 360
    fps: int = 30
    kbps: int = 2_000


class Bed:
    """Everything running. Use as an async context manager.

    Args:
        folder: Empty; logs and state go there.
        seed: Of the emulator's dice.

    Attributes:
        network: Its links; `VEHICLE_LINK` is the one to impair.
        seat: What the operator sees.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.network = Network(seed)
        self.seat: SeatProcess
        self._folder = folder
        self._hub = HubProcess(folder)
        self._endpoints: dict[str, str] = {}
        self._place: Place
        self._vehicle: asyncio.subprocess.Process | None = None
        self._camera: Camera | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Bed:
        """Start everything but the vehicle."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End everything."""
        await self._stack.aclose()

    async def _start(self) -> None:
        await self._stack.enter_async_context(self.network)
        self._hub = HubProcess(self._folder, inside=self.network.inside("hub"), settings=_SETTINGS)
        self._stack.push_async_callback(self._hub.stop)
        self._endpoints = await self._hub.launch(1)
        self._place = Place(
            console=self._endpoints["console"],
            mqtt=self._endpoints["mqtt"],
            vehicle=f"{SITE}/{vehicle_name(0)}",
            token=self._hub.token(0),
            account=ACCOUNT,
            password=self._hub.password,
        )
        self.seat = await self._stack.enter_async_context(
            SeatProcess(self._place, self.network.inside("seat"), self._folder / "seat.log")
        )
        self._stack.push_async_callback(self.end_vehicle)

    def another_seat(self) -> SeatProcess:
        """Return a second operator's place, on a link of its own; enter it to begin."""
        return SeatProcess(
            self._place, self.network.inside(OTHER_LINK), self._folder / "other-seat.log"
        )

    # ----------------------------------------------------------------------- vehicle

    def vehicle_said(self, words: str, since: datetime.datetime) -> float | None:
        """Return how long after `since` the vehicle first logged this, milliseconds."""
        for line in (self._folder / "vehicle.log").read_text(encoding="utf-8").splitlines():
            if words not in line:
                continue
            at = datetime.datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f")
            if at >= since:
                return (at - since) / datetime.timedelta(milliseconds=1)
        return None

    def vehicle_config(self, camera: Camera) -> Path:
        """Write a vehicle's configuration and return its file."""
        name = vehicle_name(0)
        path = self._folder / "vehicle.toml"
        path.write_text(
            f'[vehicle]\nsite = "{SITE}"\nid = "{name}"\nkind = "bus"\n'
            f'state_dir = "{self._folder / "vehicle-state"}"\n'
            f'[hub]\nwhip_url = "{self._endpoints["console"]}/whip"\n'
            f'broker = "{self._endpoints["mqtt"]}"\n'
            f'credentials = "{credentials_file(self._folder, name).name}"\n'
            f'[[camera]]\nname = "front"\nsource = "synthetic"\nwidth = {camera.width}\n'
            f"height = {camera.height}\nfps = {camera.fps}\nbitrate_kbps = {camera.kbps}\n"
            f'[drive]\nroute = "{ROOT / "scenarios/maebashi/route.geojson"}"\n'
            "obstacle_at_m = []\n",
            encoding="utf-8",
        )
        return path

    async def start_vehicle(self, camera: Camera) -> int:
        """(Re)start the vehicle; return when (monotonic, ns)."""
        await self.end_vehicle()
        config = self.vehicle_config(camera)
        self._camera = camera
        with (self._folder / "vehicle.log").open("ab") as log:
            self._vehicle = await spawn(
                *self.network.inside("vehicle"),
                *(sys.executable, "-m", "vehicle_stub", "--config", str(config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=log.fileno(),
            )
        return time.monotonic_ns()

    async def end_vehicle(self) -> None:
        """End the vehicle, if there is one."""
        vehicle, self._vehicle, self._camera = self._vehicle, None, None
        if vehicle is not None:
            await stop(vehicle, terminate=True)

    async def healthy(self, camera: Camera | None = None) -> None:
        """Bring everything to a healthy state: a clean link and pictures at their pace.

        Args:
            camera: What the vehicle must film; None takes what it films.

        Raises:
            BenchError: Not within `HEALTHY_WITHIN_S`.
        """
        await self.network.both(VEHICLE_LINK, BASE)
        wanted = camera or self._camera or Camera()
        if self._vehicle is None or self._vehicle.returncode is not None or wanted != self._camera:
            await self.start_vehicle(wanted)
        await self.seat.until(self._is_healthy, "pictures at their pace", HEALTHY_WITHIN_S)

    def _is_healthy(self) -> bool:
        now_ns = time.monotonic_ns()
        since_ns = now_ns - round(HEALTHY_S * 1e9)
        recent = sum(1 for one in self.seat.shown[-200:] if one.at_ns >= since_ns)
        told = self.seat.vehicle[-1:]
        fresh = bool(self.seat.shown) and now_ns - self.seat.shown[-1].at_ns < FRESH_NS
        online = bool(told) and told[0].link == "online"
        return fresh and online and recent >= HEALTHY_PER_S * HEALTHY_S

    async def take(self) -> Taken:
        """Return what happened on the vehicle's link since the last time."""
        return await self.network.take(VEHICLE_LINK)

    def load(self) -> float:
        """Return the machine's load average of the last minute."""
        return procfs.load_average()
