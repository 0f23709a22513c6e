"""One seed: a fleet, people, a network with its faults, and who judges."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Final, NamedTuple

from protocols.operator import Role
from protocols.topics import VehicleId
from sim.broker import KEEPALIVE_NS, Broker
from sim.car import Car
from sim.clockwork import MS, SECOND, Clockwork, Violation
from sim.hub import SimHub
from sim.people import Person
from sim.referee import Referee
from sim.store import Store

SECONDS: Final = 60


class Result(NamedTuple):
    """What one seed came to.

    Attributes:
        digest: Of everything that happened.
        problem: What does not hold, with the last lines; empty if all held.
        resumes, stops, grants: Obeyed resumes, stops whose arrival was checked, and times
            that somebody had control: a simulation in which nothing happens proves nothing.
    """

    seed: int
    digest: str
    problem: str
    resumes: int
    stops: int
    grants: int


class Simulation:
    """Everything, made from one number."""

    def __init__(self, seed: int, *, tell: Callable[[str], None] | None = None) -> None:
        clockwork = self._clockwork = Clockwork(seed, tell=tell)
        chance = clockwork.chance
        self._broker = Broker(clockwork)
        self._store = Store(clockwork)
        self._referee = Referee(clockwork, self._store, self._broker)
        self._hub = SimHub(clockwork, self._broker, self._store, self._referee)
        loss = chance.choice((0.0, 0.0, 0.02, 0.05, 0.1))
        for number in range(chance.choice((1, 1, 2, 2, 3))):
            name = VehicleId("site", f"bus-{number + 1}")
            self._hub.cars[name] = Car(clockwork, self._broker, self._referee, name, loss)
        Person(clockwork, self._hub, 1, Role.OPERATOR)
        Person(clockwork, self._hub, 2, chance.choice((Role.OPERATOR, Role.SUPERVISOR)))
        if chance.random() < 0.3:
            Person(clockwork, self._hub, 3, Role.VIEWER)
        self._calm = seed % 8 == 0

    def run(self, seconds: float = SECONDS) -> None:
        """Run; raises `Violation`."""
        clockwork = self._clockwork
        clockwork.after(0, self._hub.start)
        for car in self._hub.cars.values():
            clockwork.after(clockwork.some(0, 3_000), car.start)
        if clockwork.happens(0.25):
            clockwork.after(clockwork.some(5_000, 45_000), self._collision)
        if not self._calm:
            clockwork.after(clockwork.some(2_000, 6_000), self._mischief)
        clockwork.run(int(seconds * SECOND))

    def _mischief(self) -> None:
        """One fault, and when the next one comes."""
        clockwork, chance = self._clockwork, self._clockwork.chance
        clockwork.after(clockwork.some(500, 6_000), self._mischief)
        dice = chance.random()
        car = chance.choice(list(self._hub.cars.values()))
        if dice < 0.28:
            short = chance.random() < 0.7
            longest = (100, 4_000) if short else (KEEPALIVE_NS // MS, 15_000)
            car.cut(clockwork.some(*longest))
        elif dice < 0.38:
            self._restart_hub()
        elif dice < 0.46:
            self._restart_car(car)
        elif dice < 0.52:
            self._restart_broker()
        elif dice < 0.60:
            self._store.stall(chance.randrange(100, 2_500))
            clockwork.note("disk stalls")
        elif dice < 0.65:
            self._store.fail(chance.uniform(0.2, 3.0))
            clockwork.note("disk fails")
        elif dice < 0.72:
            hour = chance.choice((-3_600, 3_600, -10, 10))
            car.wall_ns += hour * SECOND
            clockwork.note(str(car.name), f"wall clock {hour:+d} s")
        elif dice < 0.76:
            self._hub.wall_s += chance.choice((-3_600, 3_600))
            clockwork.note("the hub's wall clock is stepped")
        elif dice < 0.82:
            car.quiet = chance.choice(("numbers", "beats", "ears"))
            clockwork.note(str(car.name), "has no", car.quiet)
            clockwork.after(clockwork.some(1_000, 8_000), self._unquiet, car)
        elif dice < 0.87:
            car.picture_frozen = True
            clockwork.note(str(car.name), "picture freezes")
            clockwork.after(clockwork.some(500, 5_000), self._unfreeze, car)
        elif dice < 0.91:
            if self._hub.alive:
                car.restart_media()
        elif dice < 0.95:
            self._hub.ambush = True
        elif dice < 0.98:
            self._hub.repeat_old_command()
        else:
            self._hub.swap_state()

    def _collision(self) -> None:
        car = self._clockwork.chance.choice(list(self._hub.cars.values()))
        if car.alive:
            self._clockwork.note(str(car.name), "has a collision")
            car.vehicle.asking.alarm("vehicle.collision", "hit", car.now_ns(), active=True)
            car.pump()

    def _restart_hub(self) -> None:
        if self._hub.alive:
            self._hub.crash(reboot=self._clockwork.happens(0.3))
            self._clockwork.after(self._clockwork.some(300, 3_000), self._hub.start)

    def _restart_car(self, car: Car) -> None:
        if car.alive:
            car.die(politely=self._clockwork.happens(0.4))
            self._clockwork.after(self._clockwork.some(500, 4_000), car.start)

    def _restart_broker(self) -> None:
        if self._broker.up:
            self._broker.crash(wiped=self._clockwork.happens(0.4))
            self._clockwork.after(self._clockwork.some(300, 4_000), self._broker.start)

    def _unquiet(self, car: Car) -> None:
        car.quiet = ""

    def _unfreeze(self, car: Car) -> None:
        car.picture_frozen = False

    def result(self, seed: int, problem: str = "") -> Result:
        """Return what it came to."""
        referee = self._referee
        return Result(
            seed,
            self._clockwork.digest,
            problem,
            referee.resumes_obeyed,
            referee.stops_checked,
            referee.control.held,
        )

    def report(self, error: Violation | Exception) -> str:
        """Return what went wrong, when, and what led to it."""
        if isinstance(error, Violation):
            what = str(error)
        else:
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
        lines = "\n".join(f"    {line}" for line in self._clockwork.lines)
        return f"at {self._clockwork.now / SECOND:.3f} s: {what}\n{lines}"


def run_seed(
    seed: int, seconds: float = SECONDS, tell: Callable[[str], None] | None = None
) -> Result:
    """Run one seed; a violation, or a failure of the core itself, is its `problem`."""
    simulation = Simulation(seed, tell=tell)
    try:
        simulation.run(seconds)
    except Exception as error:  # noqa: BLE001 - whatever the core does wrong is the finding
        return simulation.result(seed, simulation.report(error))
    return simulation.result(seed)
