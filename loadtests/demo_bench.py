"""The demo as a newcomer meets it, timed from outside: start, stop, and parts that die.

Everything is read where a person would look: the lines of the command, the console's
own socket, `/readyz`. Nothing of the hub is imported.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from loadtests import procfs
from loadtests.console import Console, followed
from loadtests.demo_process import ACCOUNT, PASSWORD, POLL_S, WITHIN_S, in_time, running_demo, when
from loadtests.errors import BenchError
from protocols.operator import LinkState

VEHICLES: Final = 3

_SPARE: Final = "enkan-spare"
_NAMES: Final = {"media": "enkan-media-", "broker": "nats-server"}
_DONE: Final = {"kill": "killed", "freeze": "frozen"}
"""Names of processes, as `ps` shows them."""


class Timing(msgspec.Struct, frozen=True):
    """One measured thing: how long it took each time, in seconds."""

    what: str
    target: str
    seconds: list[float]


class _DemoConsole(Console):
    """A console that knows when the demo is whole."""

    def live(self) -> bool:
        """Tell whether every vehicle is online and sends pictures."""
        return len(self.vehicles) == VEHICLES and all(
            view.link is LinkState.ONLINE
            and any(stream.kind == "video" and stream.live for stream in view.streams)
            for view in self.vehicles.values()
        )

    async def ready(self, part: str) -> bool:
        """Tell whether `/readyz` calls one part ready."""
        answer = await self.client.get("/readyz")
        return bool(answer.json()["parts"][part]["state"] == "ok")


async def measure(folder: Path, stops: int, kills: int, say: Callable[[str], None]) -> list[Timing]:
    """Run the demo in `folder` and time it.

    Raises:
        BenchError: Something did not happen within a minute; says what.
    """
    started = time.monotonic()
    say("starting")
    async with running_demo(folder) as running:
        console_s = time.monotonic() - started
        console = _DemoConsole(running.console, ACCOUNT, PASSWORD)
        async with followed(console):
            await when(console.live, "pictures of every vehicle")
            timings = [
                Timing("console answers", "", [console_s]),
                Timing("pictures of three vehicles", "", [time.monotonic() - started]),
            ]
            say("stopping")
            timings.append(
                Timing("stop asked → applied shown", "≤ 0.1 s", await _stops(console, stops))
            )
            for part, action in (("media", "kill"), ("media", "freeze"), ("broker", "kill")):
                back, whole = [], []
                for number in range(kills):
                    say(f"{part}: {action} {number + 1} of {kills}")
                    ready_s, live_s = await _lose(console, running.pid, part, action)
                    back.append(ready_s)
                    whole.append(live_s)
                done = f"{part} {_DONE[action]}"
                target = "≤ 1 s" if action == "kill" else "≤ 2 s"
                timings.append(Timing(f"{done} → ready again", target, back))
                timings.append(Timing(f"{done} → every vehicle live again", "", whole))
        return timings


async def _stops(console: _DemoConsole, count: int) -> list[float]:
    taken = []
    for number in range(count):
        vehicle = sorted(console.vehicles)[number % VEHICLES]
        command_id = str(uuid.uuid4())
        asked = time.monotonic()
        answer = await console.client.post(
            f"/api/vehicles/{vehicle}/stop", json={"command_id": command_id}
        )
        answer.raise_for_status()
        applied = await when(functools.partial(console.applied.get, command_id), "a stop applied")
        assert applied is not None
        taken.append(applied - asked)
    return taken


async def _lose(console: _DemoConsole, root: int, part: str, action: str) -> tuple[float, float]:
    """Take one child away; return the seconds until its part is ready, and all are live."""
    media = part == "media"
    if media:
        await when(lambda: _processes(root, _SPARE), "a warm spare")
    victims = _processes(root, _NAMES[part])
    if len(victims) != 1:
        raise BenchError(f"expected one {_NAMES[part]} process, found {len(victims)}")
    lost = time.monotonic()
    os.kill(victims[0], signal.SIGKILL if action == "kill" else signal.SIGSTOP)
    deadline = lost + WITHIN_S
    while not _successor(root, part, victims[0]):
        in_time(deadline, f"another {part} process")
        await asyncio.sleep(POLL_S)
    while not await console.ready(part):
        in_time(deadline, f"{part} ready again")
    ready_s = time.monotonic() - lost
    if media:
        await when(lambda: not console.live(), "the console saying that pictures are gone")
    await when(console.live, "every vehicle live again")
    return ready_s, time.monotonic() - lost


def _successor(root: int, part: str, victim: int) -> bool:
    return any(pid != victim for pid in _processes(root, _NAMES[part]))


def _processes(root: int, name: str) -> list[int]:
    return [pid for pid in procfs.descendants(root) if procfs.name(pid).startswith(name)]
