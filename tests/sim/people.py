"""Simulated operators: they see what the hub shows, and press keys; not always wisely."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from protocols import vehicle
from protocols.operator import AlarmState, PresentationReport, Presented, RequestState, Role
from sim.clockwork import MS, SECOND, Clockwork
from supervisor.core import effects as f
from supervisor.core import events as e

if TYPE_CHECKING:
    from sim.car import Car
    from sim.hub import SimHub

REPORT_NS: Final = SECOND


class Person:
    """One operator with one console; the way to the hub is short but breaks."""

    def __init__(self, clockwork: Clockwork, hub: SimHub, number: int, role: Role) -> None:
        self._clockwork = clockwork
        self._hub = hub
        self._account = f"operator-{number}"
        self._role = role
        self._number = number
        self._sessions = 0
        self._asked = 0
        self._connected = False
        self._visible = True
        self._life = 0
        self._who = e.Operator("", self._account, role)
        self._alarms: dict[str, None] = {}
        self._requests: dict[str, tuple[str, str]] = {}
        self._sent: deque[e.CommandAsked] = deque(maxlen=5)
        hub.people.append(self)
        clockwork.after(clockwork.some(1_000, 4_000), self._act)

    # ------------------------------------------------------------- connection

    def hub_is_back(self, life: int) -> None:
        """The console dials again by itself, and begins from nothing."""
        self._life = life
        self._clockwork.after(self._clockwork.some(200, 3_000), self._connect, life)

    def console_lost(self) -> None:
        """The socket is gone."""
        self._connected = False

    def _connect(self, life: int) -> None:
        if life != self._hub.life or not self._hub.alive or self._connected:
            return
        self._sessions += 1
        self._connected = True
        self._alarms.clear()
        self._requests.clear()
        self._who = e.Operator(f"s{self._number}-{self._sessions}", self._account, self._role)
        self._hub.feed(e.OperatorConnected(self._who))
        self._clockwork.after(REPORT_NS, self._report, self._sessions)
        if self._sessions > 1 and self._clockwork.happens(0.3):
            self._ask(self._some_vehicle(), vehicle.Stop(), None)  # what did I miss?

    def _disconnect(self) -> None:
        self._connected = False
        self._hub.feed(e.OperatorDisconnected(self._who))
        self._clockwork.after(self._clockwork.some(500, 3_000), self._connect, self._hub.life)

    # ---------------------------------------------------------------- seeing

    def shown(self, life: int, effect: f.AnyEffect) -> None:
        """Something to show, on its way to the console."""
        if not self._connected:
            return
        match effect:
            case f.ShowAlarm(alarm):
                if alarm.state in (AlarmState.NORMAL, AlarmState.ACKNOWLEDGED):
                    self._alarms.pop(alarm.id, None)
                else:
                    self._alarms[alarm.id] = None
            case f.ShowRequest(request):
                if request.state is RequestState.OPEN:
                    self._requests[request.id] = (request.vehicle, request.id)
                else:
                    self._requests.pop(request.id, None)
            case _:
                pass

    # ---------------------------------------------------------------- acting

    def _act(self) -> None:
        self._clockwork.after(self._clockwork.some(500, 4_000), self._act)
        if not self._connected:
            return
        dice = self._clockwork.chance.random()
        if dice < 0.25:
            self._answer_request()
        elif dice < 0.40:
            self._ask(self._some_vehicle(), vehicle.Stop(), None)
        elif dice < 0.65:
            name = self._some_vehicle()
            self._ask(name, vehicle.Resume(), self._picture_age())
            if self._clockwork.happens(0.2):  # and thinks better of it
                later = self._clockwork.some(50, 600)
                self._clockwork.after(later, self._ask, name, vehicle.Stop(), None)
        elif dice < 0.85:
            self._acknowledge()
        elif dice < 0.90:
            if self._sent:  # the same click again
                self._submit(self._clockwork.chance.choice(self._sent))
        elif dice < 0.92:
            self._disconnect()
        elif dice < 0.95:
            self._visible = not self._visible

    def _some_vehicle(self) -> str:
        return str(self._clockwork.chance.choice(list(self._hub.cars)))

    def _picture_age(self) -> float | None:
        return self._clockwork.chance.choice((80.0, 120.0, 120.0, 300.0, 1_000.0, 1_500.0, None))

    def _answer_request(self) -> None:
        if self._requests:
            name, request_id = self._clockwork.chance.choice(list(self._requests.values()))
            self._ask(name, vehicle.Resume(request_id), self._picture_age())

    def _acknowledge(self) -> None:
        if self._alarms:
            alarm_id = self._clockwork.chance.choice(list(self._alarms))
            self._submit(e.AlarmAcknowledged(self._who, alarm_id))

    def _ask(self, name: str, body: vehicle.Body, age_ms: float | None) -> None:
        self._asked += 1
        vehicle_id = next(found for found in self._hub.cars if str(found) == name)
        asked = e.CommandAsked(
            self._who, f"c{self._number}-{self._asked}", vehicle_id, body, age_ms
        )
        self._sent.append(asked)
        self._clockwork.note(
            self._account, "asks", type(body).__name__.lower(), name, asked.command_id
        )
        self._submit(asked)

    def _report(self, session: int) -> None:
        """Once a second: what this console really shows."""
        if session != self._sessions or not self._connected:
            return
        self._clockwork.after(REPORT_NS, self._report, session)
        tiles = [self._tile(str(name), car) for name, car in self._hub.cars.items()]
        report = PresentationReport(self._visible, tiles, rtt_ms=4.0)
        self._submit(e.PresentationReported(self._who, report))

    def _tile(self, name: str, car: Car) -> Presented:
        frame_ns = car.last_frame_ns
        still_ns = 10**10 if frame_ns is None else self._hub.now_ns() - frame_ns
        if still_ns > SECOND:
            return Presented(vehicle=name, camera="front", frames=0, still_ms=still_ns / 1e6)
        ages = [100.0 + 5 * self._clockwork.chance.randrange(8) for _ in range(5)]
        return Presented(
            vehicle=name, camera="front", frames=5, still_ms=still_ns / 1e6, age_ms=ages[-1],
            uncertainty_ms=12.0, ages_ms=ages,
        )  # fmt: skip

    def _submit(self, event: e.AnyEvent) -> None:
        self._clockwork.after(
            self._clockwork.chance.randrange(1, 8) * 5 * MS, self._arrive, self._hub.life, event
        )

    def _arrive(self, life: int, event: e.AnyEvent) -> None:
        if life == self._hub.life and self._connected:
            self._hub.feed(event)
