"""Namespaces around one emulator: made, addressed, and removed at the end.

    vehicle 10.77.1.2 ══ up ══▶ hub 10.77.0.1 ◀══ up ══ seat  10.77.2.2
                                              ◀══ up ══ other 10.77.3.2

The hub's address is on its loopback device, so that it answers from the same address
on all links. Names carry the process id of their maker: what a killed run left
behind is swept by the next one.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from loadtests.children import spawn, stop
from loadtests.emulator import control
from loadtests.emulator.link import Impairment
from loadtests.emulator.process import TUN
from loadtests.errors import BenchError

PREFIX: Final = "enkan"
HUB: Final = "10.77.0.1"
VEHICLE: Final = "10.77.1.2"
VEHICLE_MOVED: Final = "10.77.1.3"
SEAT: Final = "10.77.2.2"
OTHER_SEAT: Final = "10.77.3.2"
LINKS: Final = {"vehicle": VEHICLE, "seat": SEAT, "other": OTHER_SEAT}
DEVICE: Final = "link"
QUEUE_PACKETS: Final = 10_000
REPLY_WITHIN_S: Final = 15.0
NAMESPACES: Final = Path("/var/run/netns")

M = TypeVar("M", control.Done, control.Taken)


def unavailable() -> str | None:
    """Return in one line why no network can be emulated here; None if it can."""
    if sys.platform != "linux":
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "network namespaces need root: run it as root (sudo ./enkan bench faults)"
    if shutil.which("ip") is None:
        return "the program `ip` is missing: apt-get install iproute2"
    if not TUN.exists():
        return f"{TUN} is missing: modprobe tun (in a container: --device {TUN})"
    return None


async def _ip(*arguments: str) -> str:
    process = await spawn(
        *("ip", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    if process.returncode != 0:
        words = complained.decode(errors="replace").strip()
        raise BenchError(f"`ip {' '.join(arguments)}` failed: {words}")
    return said.decode()


class Network:
    """Four namespaces and three links. Use as an async context manager.

    Args:
        seed: Of the emulator's dice.

    Raises:
        BenchError: When entered: not possible here; the text says why.
    """

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        base = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(3)}"
        self._names = {room: f"{base}-{room}" for room in ("hub", *LINKS)}
        self._made: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> Network:
        """Make it."""
        why = unavailable()
        if why is not None:
            raise BenchError(why)
        try:
            await self._build()
        except BaseException:
            await self._remove()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Remove it."""
        await self._remove()

    def inside(self, room: str) -> list[str]:
        """Return the words that let a command run in `hub`, `vehicle`, `seat` or `other`."""
        return ["ip", "netns", "exec", self._names[room]]

    def path(self, room: str) -> str:
        """Return the file that names a namespace."""
        return str(NAMESPACES / self._names[room])

    async def set(
        self, link: str, *, up: Impairment | None = None, down: Impairment | None = None
    ) -> int:
        """Impair a link from now on; return since when (monotonic, ns)."""
        return (await self._ask(control.Set(link, up, down), control.Done)).at_ns

    async def both(self, link: str, impairment: Impairment) -> int:
        """Impair both directions alike; return since when (monotonic, ns)."""
        return await self.set(link, up=impairment, down=impairment)

    async def move(self, link: str, address: str) -> int:
        """Let the hub see a link's end under another address, as behind a NAT."""
        return (await self._ask(control.Move(link, address), control.Done)).at_ns

    async def take(self, link: str) -> control.Taken:
        """Return what happened on a link since the last time."""
        return await self._ask(control.Take(link), control.Taken)

    async def readdress(self, room: str, old: str, new: str) -> None:
        """Give `vehicle` or `seat` another address of its own, as a new modem session does."""
        name = self._names[room]
        await _ip("-n", name, "addr", "del", f"{old}/24", "dev", DEVICE)
        await _ip("-n", name, "addr", "add", f"{new}/24", "dev", DEVICE)
        await _ip("-n", name, "route", "replace", "default", "dev", DEVICE)

    async def kernel_drops(self) -> int:
        """Return packets that the kernel dropped because the emulator did not read them."""
        total = 0
        for link in LINKS:
            for name, device in ((self._names[link], DEVICE), (self._names["hub"], link)):
                told = json.loads(await _ip("-n", name, "-s", "-j", "link", "show", "dev", device))
                total += int(told[0]["stats64"]["tx"]["dropped"])
        return total

    def emulator_pid(self) -> int:
        """Return the emulator's process."""
        assert self._process is not None
        return self._process.pid

    # ------------------------------------------------------------------------ inside

    async def _build(self) -> None:
        await _sweep()
        for name in self._names.values():
            await _ip("netns", "add", name)
            self._made.append(name)
            await _ip("-n", name, "link", "set", "lo", "up")
        specs = [
            control.LinkSpec(link, self.path(link), DEVICE, self.path("hub"), link, address)
            for link, address in LINKS.items()
        ]
        self._process = await spawn(
            *(sys.executable, "-m", "loadtests.emulator.process", str(self._seed)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,  # type: ignore[arg-type]  # ours
        )
        await self._say(msgspec.json.encode(specs))
        hub = self._names["hub"]
        await _ip("-n", hub, "addr", "add", f"{HUB}/32", "dev", "lo")
        for link, address in LINKS.items():
            near = self._names[link]
            for name, device in ((near, DEVICE), (hub, link)):
                await _ip(
                    *("-n", name, "link", "set", "dev", device),
                    *("txqueuelen", str(QUEUE_PACKETS), "up"),
                )
            await _ip("-n", near, "addr", "add", f"{address}/24", "dev", DEVICE)
            await _ip("-n", near, "route", "add", "default", "dev", DEVICE)
            subnet = address.rpartition(".")[0] + ".0/24"
            await _ip("-n", hub, "route", "add", subnet, "dev", link, "src", HUB)

    async def _remove(self) -> None:
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()  # it ends by itself then
            await stop(self._process, terminate=True)
        while self._made:
            await _ip("netns", "del", self._made.pop())

    async def _ask(self, message: control.ToEmulator, kind: type[M]) -> M:
        answer = await self._say(msgspec.json.encode(message))
        assert isinstance(answer, kind)
        return answer

    async def _say(self, line: bytes) -> control.FromEmulator:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        async with self._asking:
            try:
                async with asyncio.timeout(REPLY_WITHIN_S):
                    process.stdin.write(line + b"\n")
                    await process.stdin.drain()
                    answer = await process.stdout.readline()
            except (TimeoutError, ConnectionError) as error:
                raise BenchError("the network emulator does not answer") from error
        if not answer:
            raise BenchError("the network emulator ended; see above")
        told: control.FromEmulator = control.from_emulator.decode(answer)
        return told


async def _sweep() -> None:
    """Remove namespaces of runs that were killed: their maker is gone and they are empty."""
    for name in _orphans():
        if not (await _ip("netns", "pids", name)).strip():
            await _ip("netns", "del", name)


def _orphans() -> list[str]:
    if not NAMESPACES.is_dir():
        return []
    found = []
    for entry in NAMESPACES.iterdir():
        parts = entry.name.split("-")
        ours = len(parts) == 4 and parts[0] == PREFIX and parts[1].isdigit()
        if ours and not Path("/proc", parts[1]).exists():
            found.append(entry.name)
    return sorted(found)
