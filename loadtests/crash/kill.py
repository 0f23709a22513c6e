"""P-01: the hub is killed under load, again and again, and everything it promised is held
against what is on disk afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from loadtests.children import until
from loadtests.console import Console, followed
from loadtests.crash import account
from loadtests.crash.fleet import Ledger, keep_driving
from loadtests.crash.results import Figure
from loadtests.errors import BenchError
from loadtests.hub_process import ACCOUNT, SITE, HubProcess, vehicle_name
from protocols.authority import ControlState
from protocols.topics import VehicleId

STORE: Final = "audit.sqlite"
READY_S: Final = 2.0
BACK_S: Final = 5.0
WITHIN_S: Final = 60.0
LOAD_S: Final = (0.3, 1.2)
"""For how long vehicles report before the next kill; drawn anew each time."""


class Kills(NamedTuple):
    """What to do. `seed` draws the instants."""

    times: int
    vehicles: int
    seed: int


async def measure(plan: Kills, folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Kill a hub in `folder` and read what it left.

    Raises:
        BenchError: Something could not start, or never came back.
    """
    hub = HubProcess(folder, settings=fixed_ports())
    ledger = Ledger()
    dice = random.Random(plan.seed)
    ready: list[float] = []
    back: list[float] = []
    damaged: list[str] = []
    armed = 0
    held = VehicleId(SITE, vehicle_name(0))
    head = ""
    try:
        endpoints = await hub.launch(plan.vehicles)
        broker = urlsplit(endpoints["mqtt"])
        async with asyncio.TaskGroup() as group:
            driving = [
                group.create_task(
                    keep_driving(
                        VehicleId(SITE, vehicle_name(number)),
                        number / plan.vehicles,
                        broker.hostname or "",
                        broker.port or 0,
                        hub.token(number),
                        ledger,
                    ),
                    name=f"vehicle {number}",
                )
                for number in range(plan.vehicles)
            ]
            await _all_heard(ledger, plan.vehicles, 0)
            for number in range(plan.times):
                console = Console(endpoints["console"], ACCOUNT, hub.password)
                async with _seat_of(console, str(held)):
                    await asyncio.sleep(dice.uniform(*LOAD_S))
                    await hub.kill()
                chain = await account.verify(folder / STORE, head)
                if not chain.ok:
                    damaged.append(f"after kill {number + 1}: {chain.reason}")
                head = chain.head if chain.records else ""
                began = time.monotonic_ns()
                endpoints = await hub.launch_again()
                await _ready(endpoints["console"])
                ready.append((time.monotonic_ns() - began) / 1e9)
                await _all_heard(ledger, plan.vehicles, began)
                back.append((time.monotonic_ns() - began) / 1e9)
                console = Console(endpoints["console"], ACCOUNT, hub.password)
                async with followed(console):
                    armed += console.controls[str(held)].state is not ControlState.FREE
                tell(
                    f"{number + 1} of {plan.times}: ready after {ready[-1]:.2f} s, vehicles after "
                    f"{back[-1]:.2f} s, {len(ledger.acknowledged)} events acknowledged"
                )
            for task in driving:
                task.cancel()
        await hub.kill()
    finally:
        await hub.stop()
    final = await account.verify(folder / STORE, head)
    if not final.ok:
        damaged.append(f"at the end: {final.reason}")
    if damaged:
        tell("; ".join(damaged))
    recorded = await asyncio.to_thread(account.recorded_events, folder / STORE)
    if not ledger.acknowledged:
        raise BenchError(f"no event was acknowledged: {ledger.refused}")
    lost = ledger.acknowledged - recorded
    raised = await asyncio.to_thread(account.epochs, folder / STORE)
    fallen = sum(
        after <= before
        for epochs in raised.values()
        for before, after in itertools.pairwise(epochs)
    )
    tell(f"{len(ledger.sent)} events sent, {len(ledger.acknowledged)} acknowledged")
    return [
        Figure("P-01", "acknowledged events that are not on record", [float(len(lost))], "", 0),
        Figure("P-01", "times the chain was broken", [float(len(damaged))], "", 0),
        Figure("P-01", "hub started to ready", ready, "s", READY_S),
        Figure("P-01", "hub started to the last vehicle heard again", back, "s", BACK_S),
        Figure(
            "P-01",
            "control or lease that nobody took after a restart",
            [float(armed + len(ledger.leased - ledger.taken))],
            "",
            0,
        ),
        Figure("C-03", "epochs that did not rise", [float(fallen + ledger.lowered)], "", 0),
    ]


def fixed_ports() -> str:
    """Return settings with free ports that stay the same over restarts.

    They lie below the ephemeral ports (RFC 6335 §6, and Linux' own range): from those a
    vehicle that dials a dead hub may be given the very port it dials, and keep it.
    """
    ports: list[int] = []
    for port in range(20_000 + os.getpid() % 5_000, 32_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.append(port)
        if len(ports) == 3:
            break
    return (
        f"[console]\nport = {ports[0]}\n[metrics]\nport = {ports[2]}\n"
        f"[telemetry]\nmqtt_port = {ports[1]}\n[media]\nworkers = 1\n"
    )


@contextlib.asynccontextmanager
async def _seat_of(console: Console, vehicle: str) -> AsyncIterator[None]:
    """Have control of a vehicle from an armed seat; the hub may die inside the block."""
    async with followed(console):
        reporting = asyncio.create_task(console.keep_reporting(), name="seat")
        try:
            await console.take_control(vehicle)
            yield
        finally:
            reporting.cancel()
            await asyncio.wait([reporting])


async def _ready(console: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
        while True:
            try:
                if (await client.get(f"{console}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet: asked again until the deadline
            if time.monotonic() > deadline:
                raise BenchError(f"the hub was not ready within {WITHIN_S:.0f} s")
            await asyncio.sleep(0.02)


async def _all_heard(ledger: Ledger, vehicles: int, since_ns: int) -> None:
    def heard() -> bool | None:
        risen = [at_ns for _, at_ns in ledger.epochs.values() if at_ns > since_ns]
        return True if len(risen) >= vehicles else None

    await until(heard, f"a heartbeat to each of {vehicles} vehicles", WITHIN_S)
