"""The media workers of this node: their ports, their number, which of them is next.

Each worker has a UDP port of its own, bound here, which outlives the worker. One spare
process for all of them takes a dead one's place.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from supervisor import clock
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.adoption import Adopted, Doors, adopt
from supervisor.media.errors import MediaError, UnavailableError
from supervisor.media.link import WorkerLink
from supervisor.media.spare import Supply
from supervisor.media.udp import open_socket

log = logging.getLogger("enkan.media")

MOST_UNASKED: Final = 4
"""Workers on a machine with many cores, as long as nobody asks for more."""

RENEW_S: Final = 2.0

START_S: Final = 2.0
"""How long an offer waits for a worker that is being replaced before it is refused."""


class MediaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration of the media plane.

    Attributes:
        listen: Address of the UDP ports.
        udp_port: First worker's UDP port; each further worker has the next.
            0: any free ones.
        announce: Addresses vehicles and browsers reach this machine at, put into
            ICE candidates; empty: `listen`.
        workers: Processes that forward. 0: one for each core but one (the hub's), at
            least 1, at most 4.
        max_publisher_kbps: Upper limit told to publishers, kbit/s for each vehicle.
        max_sessions: Publishers and watchers together.
    """

    listen: str = "127.0.0.1"
    udp_port: int = 0
    announce: list[str] = []
    workers: int = 0
    max_publisher_kbps: int = 20_000
    max_sessions: int = 1_000


class WorkerView(msgspec.Struct, frozen=True):
    """One worker for the metrics: whether it serves, its process, its newest totals."""

    index: int
    ready: bool
    pid: int | None
    udp_port: int
    stats: ipc.Stats | None


class WorkerPool:
    """All workers.

    Args:
        on_message: What a worker says.
        on_gone: A worker ended; its sessions are no more.
        on_ready: A worker can take sessions.
        renew: Called for each worker every `RENEW_S`, to renew its sessions' rights.
        state_dir: Where workers listen for the next hub; None: they end with this one.

    Attributes:
        ready: At least one worker can take sessions.
        links: One for each worker, empty before `run`.
    """

    def __init__(
        self,
        config: MediaConfig,
        *,
        counters: Counters,
        on_message: Callable[[WorkerLink, ipc.WorkerMessage], None],
        on_gone: Callable[[WorkerLink], None],
        on_ready: Callable[[WorkerLink], None],
        renew: Callable[[WorkerLink], None],
        state_dir: Path | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self.links: list[WorkerLink] = []
        self.supply = Supply()
        self._config = config
        self._counters = counters
        self._heard = on_message
        self._gone = on_gone
        self._able = on_ready
        self._renew = renew
        self._state_dir = state_dir
        self._counted: dict[tuple[int, str, str], int] = {}

    async def run(self) -> None:
        """Keep the workers running until cancelled.

        Raises:
            MediaError: A UDP port is taken, the address is not this machine's, or no
                address to announce is known.
        """
        if not self._config.announce and self._config.listen in ("0.0.0.0", "::"):
            raise MediaError(
                f"Media listens on every address ({self._config.listen}), so it cannot know "
                "which one to tell to vehicles and browsers. Set media.announce to the "
                "addresses they reach this machine at."
            )
        sockets: list[socket.socket] = []
        try:
            doors = await self._open_doors()
            for index in range(self._config.workers or spare_cores()):
                door = ("", "") if doors is None else (doors.path(index), doors.token)
                adopted = await self._adopt(index, door)
                udp = self._bind(index) if adopted is None else adopted.udp
                sockets.append(udp)
                self.links.append(
                    WorkerLink(
                        index,
                        udp,
                        door,
                        adopted,
                        self.supply,
                        self._counters,
                        self._on_message,
                        self._on_gone,
                    )
                )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.supply.run(), name="spare media worker")
                tasks.create_task(self._keep_renewing(), name="media rights")
                for link in self.links:
                    tasks.create_task(link.run(), name=f"media worker {link.index}")
        finally:
            self.ready.clear()
            for udp in sockets:
                udp.close()

    async def _keep_renewing(self) -> None:
        while True:
            for link in self.links:
                self._renew(link)
            await asyncio.sleep(RENEW_S)

    async def _open_doors(self) -> Doors | None:
        if self._state_dir is None:
            return None
        try:
            return await asyncio.to_thread(Doors, self._state_dir)
        except OSError as error:
            log.warning("media workers will end with this hub: %s", error)
            return None

    async def _adopt(self, index: int, door: tuple[str, str]) -> Adopted | None:
        """Take over the worker of an earlier hub, if it has the port it should have."""
        if not door[0]:
            return None
        adopted = await asyncio.to_thread(adopt, *door)
        if adopted is None:
            return None
        host, port = adopted.udp.getsockname()[:2]
        wanted = self._config.udp_port + index if self._config.udp_port else port
        if (host, port) == (self._config.listen, wanted):
            log.info("media worker %d of an earlier hub is taken over", index)
            return adopted
        log.warning("media worker %d of an earlier hub has another address; it is ended", index)
        adopted.control.close()
        adopted.udp.close()
        adopted.process.kill()
        await adopted.process.wait()
        return None

    def _bind(self, index: int) -> socket.socket:
        port = self._config.udp_port + index if self._config.udp_port else 0
        try:
            return open_socket(self._config.listen, port)
        except (OSError, OverflowError) as error:
            raise MediaError(
                f"Media cannot listen on UDP {self._config.listen}:{port}: {error}. "
                "Set media.udp_port to a free port (or 0 for any), and media.listen to an "
                "address of this machine."
            ) from error

    def views(self) -> list[WorkerView]:
        """Return the state and the newest totals of each worker."""
        return [
            WorkerView(link.index, link.ready is not None, link.pid, link.port, link.stats)
            for link in self.links
        ]

    async def least_loaded(self) -> WorkerLink:
        """Return the worker for the next vehicle; waits for one that is being replaced.

        Raises:
            UnavailableError: None came within `START_S`.
        """
        await self._in_time(self.ready)
        now_ns = clock.monotonic_ns()
        able = [link for link in self.links if link.ready is not None]
        if not able:
            raise UnavailableError("the media worker is starting")
        return min(able, key=lambda link: (link.load(now_ns), link.sessions))

    async def wait_for(self, link: WorkerLink) -> None:
        """Wait until a worker that is being replaced can take sessions.

        Raises:
            UnavailableError: Not within `START_S`.
        """
        await self._in_time(link.able)

    async def _in_time(self, event: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(event.wait(), START_S)
        except TimeoutError:
            raise UnavailableError("the media worker is starting") from None

    def tell_all(self, message: ipc.HubMessage) -> None:
        """Say something to every worker that is there; it is not lost to a busy one."""
        for link in self.links:
            link.send(message, always=True)

    # -------------------------------------------------------------- messages

    def _on_message(self, link: WorkerLink, message: ipc.WorkerMessage) -> None:
        if isinstance(message, ipc.Stats):
            self._count(link, message)
            return
        if isinstance(message, ipc.Ready):
            log.info(
                "media worker %d is ready on UDP port %d (GRO %s, GSO %s)",
                link.index,
                link.port,
                "on" if message.gro else "off",
                "on" if message.gso else "off",
            )
            self._able(link)
            self.ready.set()
        self._heard(link, message)

    def _count(self, link: WorkerLink, message: ipc.Stats) -> None:
        """Add what the worker counted since its last message to the hub's counters.

        What it counted for an earlier hub is that one's.
        """
        for name, reason, total in message.totals:
            self._counters.add(name, reason, self._grown(link, name, reason, total))
        for way, packets, size in (
            ("in", message.packets_in, message.bytes_in),
            ("out", message.packets_out, message.bytes_out),
        ):
            self._counters.add("media_packets", way, self._grown(link, "packets", way, packets))
            self._counters.add("media_bytes", way, self._grown(link, "bytes", way, size))
        link.adopted = False

    def _grown(self, link: WorkerLink, name: str, reason: str, total: int) -> int:
        key = (link.index, name, reason)
        before = self._counted.get(key, total if link.adopted else 0)
        self._counted[key] = total
        return total - before

    def _on_gone(self, link: WorkerLink) -> None:
        self._counted = {key: n for key, n in self._counted.items() if key[0] != link.index}
        if not any(other.ready is not None for other in self.links):
            self.ready.clear()
        self._gone(link)


def spare_cores() -> int:
    """Return how many workers are made unless told otherwise: 1 to `MOST_UNASKED`."""
    return min(max(1, len(os.sched_getaffinity(0)) - 1), MOST_UNASKED)
