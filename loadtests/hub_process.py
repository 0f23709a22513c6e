"""Our hub as a forwarder under test: a real one, through its command line and HTTP.

It gets a state directory of its own, one vehicle per stream and one account, and is
told nothing that a hub in the field would not be told.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from loadtests import procfs
from loadtests.children import spawn, stop, until
from loadtests.errors import BenchError

SITE: Final = "bench"
ACCOUNT: Final = "bench"
READY_WITHIN_S: Final = 60.0
COMMAND_WITHIN_S: Final = 60.0
RETRIES: Final = 20
"""Tries of an offer that is answered "not yet" (503, or 404 before the first packet)."""

LOOPBACK: Final = (
    "[console]\nport = 0\n[metrics]\nport = 0\n[telemetry]\nmqtt_port = 0\n[media]\nworkers = 1\n"
)
"""Free ports on loopback, and one media worker: what is measured is what one can do."""

_WORKER: Final = "enkan-media-"


class HubProcess:
    """A hub in `folder`; see `under_test.ForwarderUnderTest`.

    Args:
        folder: An empty folder for its state; not removed here.
        environment: Added to the environment of the hub, for profiling.
        inside: Words before its command line, to run it in a namespace.
        settings: The configuration but for the vehicles.

    Attributes:
        password: Of the account `ACCOUNT`, after `launch`.
    """

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str] | None = None,
        *,
        inside: Sequence[str] = (),
        settings: str = LOOPBACK,
    ) -> None:
        self.name = "enkan"
        self.password = ""
        self._folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._inside = list(inside)
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._client: httpx.AsyncClient | None = None
        self._tokens: list[str] = []
        self._console = ""

    async def start(self, streams: int) -> None:
        """Make credentials and configuration, start the hub, sign in."""
        await self.launch(streams)
        self._client = httpx.AsyncClient(
            base_url=self._console, headers={"Origin": self._console}, timeout=20.0
        )
        reply = await self._client.post(
            "/api/session", json={"name": ACCOUNT, "password": self.password}
        )
        if reply.status_code >= 300:
            raise BenchError(f"the hub refused the sign-in: {reply.status_code} {reply.text[:200]}")

    async def launch(self, streams: int) -> dict[str, str]:
        """Make credentials and configuration, start the hub; return where it listens."""
        vehicles = [vehicle_name(stream) for stream in range(streams)]
        self.password = secrets.token_urlsafe(16)
        credentials = self._folder / "credentials.json"
        await self._enkan(
            ["credentials", "add-account", ACCOUNT, "--file", str(credentials)],
            self.password + "\n",
        )
        await self._enkan(
            [
                *("credentials", "add-vehicle", *(f"{SITE}/{vehicle}" for vehicle in vehicles)),
                *("--out", str(self._folder), "--file", str(credentials)),
            ]
        )
        for vehicle in vehicles:
            given = credentials_file(self._folder, vehicle)
            self._tokens.append(json.loads(given.read_text(encoding="utf-8"))["token"])
        config = self._folder / "hub.toml"
        config.write_text(_configuration(self._settings, vehicles), encoding="utf-8")
        return await self._run()

    async def kill(self) -> None:
        """Let the hub die this instant (SIGKILL); return once it is gone."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def launch_again(self) -> dict[str, str]:
        """Start a hub on the same state after `kill`; return where it listens."""
        await asyncio.to_thread((self._folder / "hub.json").unlink, missing_ok=True)
        return await self._run()

    async def _run(self) -> dict[str, str]:
        config = self._folder / "hub.toml"
        with (self._folder / "hub.log").open("ab") as log:
            self._process = await spawn(
                *self._inside,
                *(sys.executable, "-m", "supervisor", "hub", "--config", str(config)),
                environment=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=log.fileno(),
            )
        endpoints = await until(self._ready, "the hub's console", READY_WITHIN_S)
        self._console = endpoints["console"]
        return endpoints

    def token(self, stream: int) -> str:
        """Return the secret of one vehicle."""
        return self._tokens[stream]

    async def publish(self, stream: int, offer: str) -> str:
        """WHIP."""
        return await self._post(
            f"/whip/{SITE}/cam-{stream:03}",
            offer,
            {"Authorization": f"Bearer {self._tokens[stream]}"},
        )

    async def watch(self, stream: int, offer: str) -> str:
        """WHEP."""
        return await self._post(f"/whep/{SITE}/cam-{stream:03}", offer, {})

    def pids(self) -> list[int]:
        """Return the media workers."""
        assert self._process is not None
        found = [
            pid
            for pid in procfs.descendants(self._process.pid)
            if procfs.name(pid).startswith(_WORKER)
        ]
        if not found:
            raise BenchError("the hub has no media worker; see its log")
        return found

    def root_pid(self) -> int:
        """Return the hub itself, which decides and serves consoles."""
        assert self._process is not None
        return self._process.pid

    async def stop(self) -> None:
        """End the hub, which ends its children."""
        if self._client is not None:
            await self._client.aclose()
        if self._process is not None:
            await stop(self._process, terminate=True)

    async def _post(self, path: str, offer: str, headers: dict[str, str]) -> str:
        assert self._client is not None
        reply: httpx.Response | None = None
        for _ in range(RETRIES):
            try:
                reply = await self._client.post(
                    path, content=offer, headers={"Content-Type": "application/sdp", **headers}
                )
            except httpx.HTTPError as error:
                raise BenchError(f"{path}: no answer from the hub ({error})") from error
            if reply.status_code == 201:
                return reply.text
            if reply.status_code not in (404, 503):
                break
            await asyncio.sleep(float(reply.headers.get("Retry-After", "0.5")))
        assert reply is not None
        raise BenchError(f"{path}: the hub answered {reply.status_code}: {reply.text[:300]}")

    def _ready(self) -> dict[str, str] | None:
        assert self._process is not None
        if self._process.returncode is not None:
            raise BenchError(f"the hub ended by itself: {self._last_words()}")
        try:
            told = json.loads((self._folder / "hub.json").read_text())
            return {name: str(value).rstrip("/") for name, value in told.items()}
        except FileNotFoundError:
            return None

    def _last_words(self) -> str:
        log = (self._folder / "hub.log").read_text(encoding="utf-8", errors="replace")
        said = log.strip()
        return said[said.rfind("enkan: ") :] if "enkan: " in said else said[-300:]

    async def _enkan(self, arguments: list[str], text: str = "") -> None:
        process = await spawn(
            *(sys.executable, "-m", "supervisor", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(text.encode()), COMMAND_WITHIN_S)
        finally:
            await stop(process, terminate=True)
        if process.returncode != 0:
            words = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise BenchError(f"`enkan {' '.join(arguments[:2])}` failed: {words[-1]}")


def vehicle_name(stream: int) -> str:
    """Return the id of the vehicle that sends this stream."""
    return f"cam-{stream:03}"


def credentials_file(folder: Path, vehicle: str) -> Path:
    """Return the file with a vehicle's secrets, once the hub has been launched."""
    return folder / f"{vehicle}.credentials.json"


def _configuration(settings: str, vehicles: list[str]) -> str:
    sections = [
        '[hub]\nname = "Enkan bench"\nstate_dir = "."\nlog_format = "text"\n',
        settings,
        *(
            f'[[vehicle]]\nsite = "{SITE}"\nid = "{vehicle}"\nkind = "bus"\n'
            for vehicle in vehicles
        ),
    ]
    return "\n".join(sections)
