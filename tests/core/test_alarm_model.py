"""The alarm board against a model of another make: flags instead of states.

The model knows no table. It keeps for each alarm what is true (is it there, has somebody
seen it, does another one say it already, has somebody put it aside) and derives the state
from that. Both are driven by the same random plant, people and restarts.
"""

from __future__ import annotations

import random
from typing import Final

import msgspec
import pytest

from protocols.alarms import AlarmState
from supervisor.core.alarm_keeping import restore
from supervisor.core.alarm_standing import StandingAlarm, from_record
from supervisor.core.alarms import AlarmBoard
from supervisor.core.catalogue import CATALOGUE, AlarmSpec, Priority
from supervisor.core.effects import AnyEffect, Record
from supervisor.core.ledger import Ledger

MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
MINUTE: Final = 60 * SECOND
VEHICLE: Final = "site/car"
STEPS: Final = 100_000
RUNS: Final = 20


def row(key: str, latching: bool, on_ms: int, off_ms: int, *by: str) -> AlarmSpec:
    return msgspec.structs.replace(
        CATALOGUE[0], key=key, priority=Priority.LOW, latching=latching, shelvable=True,
        on_delay_ms=on_ms, off_delay_ms=off_ms, suppressed_by=by, respond_within_s=1e9,
    )  # fmt: skip


ROWS: Final = (
    row("cause", True, 0, 0),
    row("latched", True, 500, 700, "cause"),
    row("plain", False, 300, 0, "cause"),
    row("free", True, 0, 1_000),
)


class Thing:
    """What is true of one alarm."""

    def __init__(self, spec: AlarmSpec) -> None:
        self.spec = spec
        self.told = self.there = False
        self.told_ns = 0
        self.unseen = False
        self.redundant = self.redundant_unseen = False
        self.shelf_end: int | None = None
        self.shelf_unseen = False
        self.out = False
        self.came: list[int] = []
        self.restless = False
        self.edge_ns = 0

    @property
    def aside(self) -> bool:
        return self.out or self.shelf_end is not None

    @property
    def state(self) -> AlarmState:
        if self.out:
            return AlarmState.OUT_OF_SERVICE
        if self.shelf_end is not None:
            return AlarmState.SHELVED
        if self.redundant:
            return AlarmState.SUPPRESSED_BY_DESIGN
        if self.there:
            return AlarmState.UNACKNOWLEDGED if self.unseen else AlarmState.ACKNOWLEDGED
        if self.unseen and self.spec.latching:
            return AlarmState.RETURNED_UNACKNOWLEDGED
        return AlarmState.NORMAL


class Model:
    """The whole board, as far as states go."""

    def __init__(self) -> None:
        self.things = {spec.key: Thing(spec) for spec in ROWS}
        self.look_ns = 0

    def explained(self, thing: Thing) -> bool:
        causes = [self.things[key] for key in thing.spec.suppressed_by]
        return any(cause.there and not cause.out for cause in causes)

    def tell(self, key: str, present: bool, now: int) -> None:
        thing = self.things[key]
        if present == thing.told:
            return
        thing.told, thing.told_ns = present, now
        if present and thing.restless:
            thing.edge_ns = now
        self.settle(thing, now)

    def settle(self, thing: Thing, now: int) -> None:
        delay = thing.spec.on_delay_ms if thing.told else thing.spec.off_delay_ms
        wait = delay * MS
        if thing.restless and not thing.told:
            wait = max(wait, MINUTE)
        if thing.told == thing.there or now - thing.told_ns < wait:
            return
        thing.there = thing.told
        if thing.there:
            self.came(thing, now)
        elif not thing.aside and not thing.redundant and not thing.spec.latching:
            thing.unseen = False
        self.weigh_explained(thing)

    def weigh_explained(self, thing: Thing) -> None:
        for other in self.things.values():
            if thing.spec.key in other.spec.suppressed_by:
                self.weigh(other)

    def came(self, thing: Thing, now: int) -> None:
        if thing.aside:
            thing.shelf_unseen = True
        elif self.explained(thing):
            if not thing.redundant:
                thing.redundant, thing.redundant_unseen = True, thing.unseen
        else:
            thing.unseen = True
            thing.came = [*thing.came[-2:], now]
            if not thing.restless and len(thing.came) == 3 and now - thing.came[0] <= MINUTE:
                thing.restless, thing.edge_ns = True, now

    def weigh(self, thing: Thing) -> None:
        if thing.aside:
            return
        if self.explained(thing):
            if thing.there and not thing.redundant:
                thing.redundant = True
                thing.redundant_unseen = thing.unseen
        elif thing.redundant:
            thing.redundant = False
            thing.unseen = thing.there or thing.redundant_unseen

    def time(self, now: int) -> None:
        for thing in self.things.values():
            self.settle(thing, now)
        if now < self.look_ns:
            return
        self.look_ns = now + SECOND
        for thing in self.things.values():
            if thing.shelf_end is not None and now >= thing.shelf_end:
                self.put_back(thing)
            if thing.restless and now - thing.edge_ns >= MINUTE and thing.told == thing.there:
                thing.restless, thing.came = False, []

    def acknowledge(self, key: str) -> None:
        thing = self.things[key]
        if not thing.aside and not thing.redundant:
            thing.unseen = False

    def shelve(self, key: str, until: int) -> None:
        thing = self.things[key]
        if thing.out or thing.state is AlarmState.NORMAL:
            return
        if thing.shelf_end is None:
            thing.shelf_unseen = False
        thing.shelf_end = until
        thing.redundant = False

    def take_out(self, key: str) -> None:
        thing = self.things[key]
        thing.out, thing.shelf_end, thing.redundant = True, None, False
        self.weigh_explained(thing)

    def put_back(self, thing: Thing) -> None:
        was_out, thing.out, thing.shelf_end = thing.out, False, None
        if thing.there and self.explained(thing):
            thing.redundant = thing.redundant_unseen = True
        else:
            thing.unseen = thing.there or (thing.shelf_unseen and not was_out)
        if was_out:
            self.weigh_explained(thing)

    def restart(self, standing: set[str]) -> None:
        for key, thing in list(self.things.items()):
            if key not in standing:
                self.things[key] = Thing(thing.spec)
                continue
            thing.told = thing.there
            thing.restless, thing.came = False, []
        self.look_ns = 0
        for thing in self.things.values():
            self.weigh(thing)


class Disk:
    """The last word on each alarm, as its records say."""

    def __init__(self) -> None:
        self.words: dict[str, tuple[int, dict]] = {}

    def write(self, effects: list[AnyEffect], now: int) -> None:
        for effect in effects:
            if isinstance(effect, Record) and effect.kind == "alarm":
                name = str(effect.data["alarm"])
                if effect.data["stands"]:
                    self.words[name] = (now, effect.data)
                else:
                    self.words.pop(name, None)

    def read(self, now: int) -> list[StandingAlarm]:
        found = [from_record(data, now - at) for at, data in self.words.values()]
        assert None not in found
        return [said for said in found if said is not None]


class Both:
    """The board and the model, driven together."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = self.chance.randrange(1, 10**6) * SECOND
        self.wall = 0
        self.board = AlarmBoard(ROWS, Ledger())
        self.model = Model()
        self.disk = Disk()
        self.plant = dict.fromkeys(self.model.things, False)
        self.restarts = 0

    def do(self, effects: list[AnyEffect] | None) -> None:
        self.disk.write(effects or [], self.wall)

    def step(self) -> None:
        chance = self.chance
        passed = chance.choice((10, 100, 400, 900, 2_000, 30_000)) * MS
        self.now += passed
        self.wall += passed
        self.do(self.board.on_time(self.now))
        self.model.time(self.now)
        key = chance.choice(list(self.plant))
        what = chance.random()
        if what < 0.6:
            self.plant[key] = not self.plant[key]
            self.tell(key)
        elif what < 0.8:
            self.do(self.board.acknowledge(f"{key}@{VEHICLE}", "hanako", self.now))
            self.model.acknowledge(key)
        elif what < 0.9:
            self.put_aside(key)
        elif what < 0.97:
            alarm = self.board.get(key, VEHICLE)
            if alarm is not None and alarm.state in (
                AlarmState.SHELVED,
                AlarmState.OUT_OF_SERVICE,
            ):
                self.do(self.board.put_back(alarm, self.now, "hanako"))
                self.model.put_back(self.model.things[key])
        else:
            self.restart()

    def tell(self, key: str) -> None:
        self.do(self.board.set(key, VEHICLE, self.plant[key], self.now))
        self.model.tell(key, self.plant[key], self.now)

    def put_aside(self, key: str) -> None:
        alarm = self.board.get(key, VEHICLE)
        if alarm is None or alarm.state is AlarmState.NORMAL:
            return
        if self.chance.random() < 0.3:
            self.do(self.board.take_out(alarm, self.now, "goro", "repair"))
            self.model.take_out(key)
        elif alarm.state is not AlarmState.OUT_OF_SERVICE:
            until = self.now + self.chance.randrange(1, 600) * SECOND
            self.do(self.board.shelve(alarm, self.now, "hanako", "known", until))
            self.model.shelve(key, until)

    def restart(self) -> None:
        """The hub is killed and comes back, on another clock."""
        self.restarts += 1
        owed = {
            key
            for key, thing in self.model.things.items()
            if thing.spec.latching and (thing.unseen or thing.redundant_unseen or thing.aside)
            if thing.state is not AlarmState.NORMAL
        }
        gap = self.chance.randrange(1, 20) * SECOND
        self.wall += gap
        kept = self.disk.read(self.wall)
        was, self.now = self.now, self.chance.randrange(1, 10**6) * SECOND
        for thing in self.model.things.values():
            moved = self.now - was - gap
            thing.shelf_end = None if thing.shelf_end is None else thing.shelf_end + moved
            if thing.shelf_end is not None:
                thing.shelf_end = max(thing.shelf_end, self.now)
            thing.told_ns, thing.edge_ns = thing.told_ns + moved, thing.edge_ns + moved
        standing = {said.key for said in kept}
        self.board = AlarmBoard(ROWS, Ledger())
        self.do(restore(self.board, Ledger(), kept, {VEHICLE}, self.now))
        self.model.restart(standing)
        for key in owed:
            alarm = self.board.get(key, VEHICLE)
            assert alarm is not None and alarm.state is not AlarmState.NORMAL, f"{key} is lost"
        for key in self.plant:
            self.tell(key)

    def check(self) -> None:
        for key, thing in self.model.things.items():
            alarm = self.board.get(key, VEHICLE)
            state = AlarmState.NORMAL if alarm is None else alarm.state
            assert state is thing.state, f"{key}: board {state}, model {thing.state}"
        shown = {view.id: view.state for view in self.board.open()}
        for key, thing in self.model.things.items():
            assert shown.get(f"{key}@{VEHICLE}", AlarmState.NORMAL) is thing.state


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_board_agrees_with_the_model_and_loses_nothing_over_restarts(seed: int) -> None:
    both = Both(seed)
    for number in range(STEPS // RUNS):
        both.step()
        try:
            both.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {number}: {error}") from error
    assert both.restarts > 50
