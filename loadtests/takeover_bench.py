"""From a vehicle's asking to the card on a screen, and from the stop key to the vehicle.

A hub of its own with its broker on loopback; vehicles without cameras that drive, ask and
obey; a console without a screen and, if wanted, one in Chromium. All clocks are this
machine's CLOCK_MONOTONIC: the page reads it through its own estimate of the hub's clock,
whose error bar is part of the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from rich.console import Console as Terminal
from rich.table import Table

from loadtests.console import Console, followed
from loadtests.errors import BenchError
from loadtests.fleet_vehicles import LoadVehicle
from loadtests.glass.browser import chromium, signed_in
from loadtests.hub_process import ACCOUNT, SITE, HubProcess, vehicle_name
from loadtests.mqtt import MqttError
from loadtests.procfs import Machine
from loadtests.statistics import nearest_rank
from protocols import commands, vehicle
from protocols.codec import ProtocolError, decode, encode
from protocols.operator import AskStop, Delta, LinkState, Snapshot, ToConsole
from protocols.topics import Stream, VehicleId

if TYPE_CHECKING:
    from playwright.async_api import Page

CARD_MS: Final = 500.0
STOP_MS: Final = 100.0
WITHIN_S: Final = 20.0
POLL_S: Final = 0.005

READY: Final = "globalThis.enkan?.state.peek().seq > 0 && enkan.clock.peek()?.trusted === true"
WATCH: Final = """() => {
  const cards = globalThis.cards = {}, keys = globalThis.keys = [];
  const look = () => requestAnimationFrame(() => {
    for (const card of document.querySelectorAll('[data-request]')) {
      const id = card.getAttribute('data-request');
      if (id && !(id in cards)) cards[id] = enkan.hubNow();
    }
  });
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  addEventListener('keydown', (press) => {
    if (press.code === 'Space') keys.push(enkan.hubNow());
  }, {capture: true});
}"""
"""Notes, on the hub's clock in ms, the frame that shows each card, and each stop key."""


class Figure(msgspec.Struct, frozen=True):
    """One line of the table; milliseconds.

    Attributes:
        limit_ms: The 99th percentile is not above it; None: no target.
    """

    what: str
    values_ms: list[float]
    limit_ms: float | None

    @property
    def ok(self) -> bool:
        """Whether something was measured, and the target is met."""
        return bool(self.values_ms) and (
            self.limit_ms is None or nearest_rank(self.values_ms, 0.99) <= self.limit_ms
        )


class TakeoverResult(msgspec.Struct, frozen=True):
    """One command's run.

    Attributes:
        clock_ms: Error bar of the browser's clock, half-width, worst; None: no browser.
    """

    command: str
    commit: str
    date_utc: str
    machine: Machine
    vehicles: int
    load_before: float
    clock_ms: float | None
    figures: list[Figure]


class TakeoverLoad(NamedTuple):
    """How many vehicles, requests and stops, and whether a browser watches too."""

    vehicles: int
    rounds: int
    browser: bool


class Asker(LoadVehicle):
    """A vehicle that asks for a person, and obeys a stop.

    Attributes:
        obeyed: By command id, when its stop took effect (monotonic, s).
    """

    def __init__(self, vehicle_id: VehicleId, phase: float) -> None:
        super().__init__(vehicle_id, phase, [])
        self.obeyed: dict[str, float] = {}
        self._events = itertools.count(1)

    async def ask(self) -> tuple[str, float]:
        """Ask for a person; return the request's id and when (monotonic, s)."""
        event_id = f"{self.vehicle_id.vehicle}-{next(self._events)}"
        asked = time.monotonic()
        await self._tell(
            vehicle.VehicleEvent(
                session_id=self._session,
                event_id=event_id,
                kind=vehicle.EventKind.TAKEOVER_REQUESTED,
                sent_ns=time.monotonic_ns(),
                reason="obstacle",
                respond_within_s=60.0,
            )
        )
        return event_id, asked

    async def withdraw(self, request_id: str) -> None:
        """Need nobody any more."""
        await self._tell(
            vehicle.VehicleEvent(
                session_id=self._session,
                event_id=f"{self.vehicle_id.vehicle}-{next(self._events)}",
                kind=vehicle.EventKind.TAKEOVER_CLEARED,
                sent_ns=time.monotonic_ns(),
                subject_id=request_id,
            )
        )

    async def _tell(self, event: vehicle.VehicleEvent) -> None:
        await self._client.publish_acknowledged(
            self._topics[Stream.EVENT], encode(event), retain=False
        )

    def _on_message(self, topic: str, payload: bytes) -> None:
        super()._on_message(topic, payload)
        if topic != self._topics[Stream.CMD]:
            return
        now = time.monotonic()
        try:
            command: commands.Command = decode(payload, commands.Command)
        except ProtocolError as error:
            raise MqttError(f"a command of the hub: {error}") from error
        if isinstance(command.body, commands.Stop | commands.EmergencyStop):
            self.obeyed.setdefault(command.command_id, now)
        for state in (commands.ResultState.RECEIVED, commands.ResultState.APPLIED):
            result = commands.CommandResult(
                self._session, command.command_id, state, time.monotonic_ns()
            )
            self._client.publish(self._topics[Stream.CMD_RESULT], encode(result))


class CardConsole(Console):
    """A console without a screen that knows when it heard of each request.

    Attributes:
        requests: By id, when it came (monotonic, s).
    """

    def __init__(self, url: str, account: str, password: str) -> None:
        super().__init__(url, account, password)
        self.requests: dict[str, float] = {}

    def take(self, message: ToConsole) -> None:
        """Take one message of the hub."""
        now = time.monotonic()
        super().take(message)
        if isinstance(message, Snapshot | Delta):
            for request in message.requests:
                self.requests.setdefault(request.id, now)

    def online(self, vehicles: int) -> bool:
        """Tell whether every vehicle is there."""
        found = [view.link for view in self.vehicles.values()]
        return len(found) == vehicles and set(found) == {LinkState.ONLINE}


async def measure(
    load: TakeoverLoad, folder: Path, say: Callable[[str], None]
) -> tuple[list[Figure], float | None]:
    """Measure a hub in `folder`; return the figures and the browser clock's error bar.

    Raises:
        BenchError: Something could not start or did not happen; says what.
    """
    say("starting a hub")
    hub = HubProcess(folder)
    try:
        endpoints = await hub.launch(load.vehicles)
        async with contextlib.AsyncExitStack() as stack:
            say(f"connecting {load.vehicles} vehicles")
            fleet = await stack.enter_async_context(driving(hub, endpoints["mqtt"], load.vehicles))
            console = await stack.enter_async_context(
                followed(CardConsole(endpoints["console"], ACCOUNT, hub.password))
            )
            assert isinstance(console, CardConsole)
            await _when(lambda: console.online(load.vehicles), "every vehicle online")
            page = None
            if load.browser:
                say("starting Chromium")
                browser = await stack.enter_async_context(chromium())
                page = await stack.enter_async_context(
                    signed_in(browser, endpoints["console"], ACCOUNT, hub.password)
                )
                await _until_true(page, READY, "a console in Chromium with a trusted clock")
                await page.evaluate(WATCH)
            figures = await _requests(load, fleet, console, page, say)
            figures += await _stops(load, fleet, console, page, say)
            clock_ms = None
            if page is not None:
                clock_ms = float(await page.evaluate("enkan.clock.peek().uncertainty_ms"))
            return figures, clock_ms
    finally:
        await hub.stop()


async def _requests(
    load: TakeoverLoad,
    fleet: list[Asker],
    console: CardConsole,
    page: Page | None,
    say: Callable[[str], None],
) -> list[Figure]:
    heard: list[float] = []
    shown: list[float] = []
    for number in range(load.rounds):
        say(f"take-over request {number + 1} of {load.rounds}")
        asker = fleet[number % len(fleet)]
        request_id, asked = await asker.ask()
        await _when(functools.partial(console.requests.__contains__, request_id), "the request")
        heard.append((console.requests[request_id] - asked) * 1e3)
        if page is not None:
            shown.append(await _shown_at(page, request_id) - asked * 1e3)
        await asker.withdraw(request_id)
    figures = [Figure("vehicle asks → at a console's socket", heard, CARD_MS)]
    if page is not None:
        figures.append(Figure("vehicle asks → card on screen (Chromium)", shown, CARD_MS))
    return figures


async def _stops(
    load: TakeoverLoad,
    fleet: list[Asker],
    console: CardConsole,
    page: Page | None,
    say: Callable[[str], None],
) -> list[Figure]:
    sent: list[float] = []
    known: list[float] = []
    pressed: list[float] = []
    for number in range(load.rounds):
        say(f"stop {number + 1} of {load.rounds}")
        stopped = fleet[number % len(fleet)]
        command_id = str(uuid.uuid4())
        asked = time.monotonic()
        await console.say(AskStop(command_id, str(stopped.vehicle_id)))
        await _when(functools.partial(stopped.obeyed.__contains__, command_id), "a stop obeyed")
        await _when(functools.partial(console.applied.__contains__, command_id), "a stop applied")
        sent.append((stopped.obeyed[command_id] - asked) * 1e3)
        known.append((console.applied[command_id] - asked) * 1e3)
        if page is not None:
            pressed.append(await _press(page, stopped))
    figures = [
        Figure("stop at a console's socket → applied", sent, STOP_MS),
        Figure("stop at a console's socket → applied is shown", known, None),
    ]
    if page is not None:
        figures.append(Figure("stop key in Chromium → applied", pressed, STOP_MS))
    return figures


async def _press(page: Page, stopped: Asker) -> float:
    """Press the stop key for a vehicle; return how long until it obeyed, ms."""
    before = len(stopped.obeyed)
    await page.evaluate("(id) => { enkan.focus(id); keys.length = 0; }", str(stopped.vehicle_id))
    await page.keyboard.press("Space")
    await _when(lambda: len(stopped.obeyed) > before, "the stop of the key")
    key_ms = float(await page.evaluate("keys[0]"))
    return list(stopped.obeyed.values())[before] * 1e3 - key_ms


async def _shown_at(page: Page, request_id: str) -> float:
    """Return when the card of a request was on screen, monotonic ms."""
    await _until_true(page, "(id) => id in cards", "the card of a request", request_id)
    return float(await page.evaluate("(id) => cards[id]", request_id))


async def _until_true(page: Page, question: str, what: str, argument: str = "") -> None:
    """Ask the page until it says yes; its policy lets nobody ask from within."""
    deadline = time.monotonic() + WITHIN_S
    while not await page.evaluate(question, argument):
        if time.monotonic() > deadline:
            raise BenchError(f"not within {WITHIN_S:.0f} s: {what}")
        await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def driving(hub: HubProcess, mqtt: str, count: int) -> AsyncIterator[list[Asker]]:
    """Have vehicles drive until the end of the block.

    Raises:
        BenchError: One could not connect.
    """
    broker = urlsplit(mqtt)
    fleet = [Asker(VehicleId(SITE, vehicle_name(n)), n / count) for n in range(count)]
    tasks: list[asyncio.Task[None]] = []
    try:
        for number, one in enumerate(fleet):
            await one.connect(broker.hostname or "", broker.port or 0, hub.token(number))
            name = f"vehicle {one.vehicle_id}"
            tasks.append(asyncio.create_task(one.drive(asyncio.Event()), name=name))
        yield fleet
    except MqttError as error:
        raise BenchError(f"a vehicle: {error}") from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in fleet:
            await one.leave()


async def _when(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {WITHIN_S:.0f} s: {what}")
        await asyncio.sleep(POLL_S)


def show(result: TakeoverResult, terminal: Terminal) -> None:
    """Print the table."""
    table = Table(title=f"Take-over and stop, {result.vehicles} vehicles, milliseconds")
    for name in ("", "n", "p50", "p99", "worst", "p99 ≤", ""):
        table.add_column(name, no_wrap=bool(name))
    for figure in result.figures:
        values = figure.values_ms
        cells = ["0", "-", "-", "-"]
        if values:
            of = (statistics.median(values), nearest_rank(values, 0.99), max(values))
            cells = [str(len(values)), *(f"{value:.1f}" for value in of)]
        target = "" if figure.limit_ms is None else f"{figure.limit_ms:g}"
        table.add_row(
            figure.what, *cells, target, "[green]ok[/]" if figure.ok else "[red]missed[/]"
        )
    terminal.print(table)
    if result.clock_ms is not None:
        terminal.print(f"the browser's clock: ±{result.clock_ms:.1f} ms", markup=False)
    terminal.print(
        f"machine: {result.machine}; load average before: {result.load_before:.2f}", markup=False
    )
