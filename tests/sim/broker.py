"""A model of the broker and of each vehicle's way to it.

Quality of service 0 may be lost; 1 comes late instead, and sometimes twice. While a
way is cut, what is under way waits (as TCP does) and comes in one burst when it heals
in time; after `KEEPALIVE_NS` the broker gives the connection up, publishes the last
will, and what waited is gone. The broker keeps retained messages, may lose them when
it dies, and is not trusted: now and then it repeats an old command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from protocols.topics import VehicleId
from protocols.vehicle import Connection
from sim.clockwork import GRID_NS, MS, Clockwork
from supervisor.core import events as e

if TYPE_CHECKING:
    from sim.car import Car
    from sim.hub import SimHub

KEEPALIVE_NS: Final = 7_500 * MS
MAX_STALLED: Final = 300
HUB_HOP_NS: Final = GRID_NS


class Way:
    """One vehicle's connection to the broker, both directions.

    Attributes:
        connected: The MQTT connection lives, as far as its ends know.
        cut: Nothing passes now.
        generation: Of the connection; what belongs to an older one is dropped.
        troubled: True time of the last cut, loss of connection or heal.
    """

    def __init__(self, clockwork: Clockwork, loss: float, delay_ms: tuple[int, int]) -> None:
        self.connected = False
        self.cut = False
        self.generation = 0
        self.troubled = 0
        self._clockwork = clockwork
        self._loss = loss
        self._delay = delay_ms
        self._stalled: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def carry(self, qos: int, call: Callable[..., None], *arguments: Any) -> None:
        """Bring something to the other end, in its own time."""
        if not self.connected:
            return
        clockwork = self._clockwork
        delay = clockwork.some(*self._delay)
        if self._loss and clockwork.happens(self._loss):
            if qos == 0:
                return
            delay += clockwork.some(200, 1_000)
        clockwork.after(delay, self._arrive, self.generation, call, arguments)
        if self._loss and clockwork.happens(self._loss / 2):
            later = delay + clockwork.some(0, 400)
            clockwork.after(later, self._arrive, self.generation, call, arguments)

    def _arrive(
        self, generation: int, call: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        if generation != self.generation:
            return
        if self.cut:
            if len(self._stalled) < MAX_STALLED:
                self._stalled.append((call, arguments))
            return
        call(*arguments)

    def connect(self) -> None:
        """A new connection."""
        self.generation += 1
        self.connected = True
        self.troubled = self._clockwork.now

    def drop(self) -> None:
        """The connection is gone, with all that was under way."""
        self.generation += 1
        self.connected = False
        self.troubled = self._clockwork.now
        self._stalled.clear()

    def heal(self) -> None:
        """What waited comes now, in order."""
        self.cut = False
        self.troubled = self._clockwork.now
        waited, self._stalled = self._stalled, []
        for call, arguments in waited:
            self._clockwork.after(
                self._clockwork.some(0, 50), self._arrive, self.generation, call, arguments
            )


class Broker:
    """The broker; `hub` and `cars` are attached after they are made.

    Attributes:
        up: It runs.
        troubled: True time of its last start or end.
    """

    def __init__(self, clockwork: Clockwork) -> None:
        self.up = True
        self.troubled = 0
        self.hub: SimHub
        self.cars: list[Car] = []
        self.retained: dict[VehicleId, dict[str, e.AnyEvent]] = {}
        self._clockwork = clockwork

    def publish(self, event: e.AnyEvent, keep_as: str = "") -> None:
        """A vehicle's message has arrived at the broker."""
        if not self.up:
            return
        if keep_as:
            kept = event
            if isinstance(event, e.StateReceived):
                kept = e.StateReceived(event.vehicle_id, event.message, True)
            self.retained.setdefault(event.vehicle_id, {})[keep_as] = kept  # type: ignore[union-attr]
        if self.hub.broker_connected:
            self._clockwork.after(HUB_HOP_NS, self._to_hub, self.hub.life, event)

    def _to_hub(self, life: int, event: e.AnyEvent) -> None:
        if self.up and self.hub.broker_connected and self.hub.life == life:
            self.hub.feed(event)

    def will(self, car: Car, session: str) -> None:
        """The broker has given a vehicle's connection up."""
        if self.up:
            message = Connection(e.vehicle.ConnectionState.CONNECTION_BROKEN, session)
            self.publish(e.ConnectionReceived(car.name, message), "connection")

    def crash(self, *, wiped: bool) -> None:
        """All connections end; wills are not published."""
        self._clockwork.note("broker dies", "wiped" if wiped else "")
        self.up = False
        self.troubled = self._clockwork.now
        if wiped:
            self.retained.clear()
        for car in self.cars:
            car.lose_connection()
        self.hub.lose_broker()

    def start(self) -> None:
        """It serves again; everybody dials by himself."""
        self._clockwork.note("broker runs")
        self.up = True
        self.troubled = self._clockwork.now
