"""One vehicle of the demo: its process, and its path to the hub."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from protocols.codec import ProtocolError, decode
from supervisor import processes
from supervisor.console.rehearsal import Fault, VehicleWord
from supervisor.rehearsal.line import Line
from supervisor.rehearsal.relay_tcp import TcpRelay
from supervisor.rehearsal.relay_udp import UdpRelay

log = logging.getLogger("enkan.rehearsal")

DELAY_NS: Final = 300_000_000
LOSS: Final = 0.05
MAX_WORD: Final = 4_096

FILMING: Final = {Fault.FREEZE: "freeze", Fault.REPEAT: "repeat"}
LINE_FAULTS: Final = frozenset({Fault.LOSS, Fault.DELAY, Fault.CUT})


class Actor:
    """One vehicle.

    Args:
        name: `site/vehicle`.

    Attributes:
        word: What it last said of itself; None: nothing yet.
        line: What its path does.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.word: VehicleWord | None = None
        self.line = Line(random.Random().random)
        self._passable = asyncio.Event()
        self._passable.set()
        self._process: asyncio.subprocess.Process | None = None
        self._filming = "film"

    @asynccontextmanager
    async def path(
        self, whip: tuple[str, int], mqtt: tuple[str, int], media: tuple[str, int]
    ) -> AsyncIterator[tuple[int, int, int]]:
        """Open the ways to the hub; yield where the vehicle reaches WHIP, MQTT and media.

        Raises:
            OSError: There are no ports.
        """
        http = TcpRelay(whip, self.line, self._passable)
        broker = TcpRelay(mqtt, self.line, self._passable)
        pictures = UdpRelay(media, self.line)
        try:
            await http.open()
            await broker.open()
            yield http.port, broker.port, pictures.port
        finally:
            pictures.close()
            await broker.close()
            await http.close()

    async def keep(self, config_file: Path, log_path: Path) -> None:
        """Run its process, again and again, until cancelled."""

        async def start() -> asyncio.subprocess.Process:
            with log_path.open("ab") as log_file:
                process = await processes.spawn(
                    [
                        *(sys.executable, "-m", "vehicle_stub"),
                        *("--config", str(config_file), "--rehearse"),
                    ],
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log_file.fileno(),
                )
            self._process = process
            self._order()
            hearing.append(asyncio.create_task(self._hear(process), name=f"{self.name}-word"))
            return process

        hearing: list[asyncio.Task[None]] = []
        try:
            await processes.keep_running(self.name, start)
        finally:
            self._process = None
            for task in hearing:
                task.cancel()
            await asyncio.gather(*hearing, return_exceptions=True)

    def break_line(self, fault: Fault, *, broken: bool) -> None:
        """Set one of `LINE_FAULTS`, or take it back."""
        match fault:
            case Fault.CUT:
                self.line.cut = broken
                if broken:
                    self._passable.clear()
                else:
                    self._passable.set()
            case Fault.DELAY:
                self.line.delay_ns = DELAY_NS if broken else 0
            case Fault.LOSS:
                self.line.loss = LOSS if broken else 0.0
            case _:
                raise ValueError(f"{fault} is none of a line")

    def film(self, filming: str) -> bool:
        """Tell all its cameras what to do; return whether it could be told now.

        One that is started anew is told again.
        """
        self._filming = filming
        return self._order()

    def _order(self) -> bool:
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            return False
        process.stdin.write(f'{{"filming": "{self._filming}"}}\n'.encode())
        return True

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            try:
                self.word = decode(line, VehicleWord, limit=MAX_WORD)
            except ProtocolError as error:
                log.warning("%s: its word is not understood: %s", self.name, error.reason)
