"""Parts are ok on fresh evidence only; what nobody looked at is unknown."""

from __future__ import annotations

import math

from supervisor.clock import Discipline
from supervisor.vitals import FULL_BYTES, Sources, State, Storage, Vitals, is_ready

SECOND = 1_000_000_000
ROOM = Storage(FULL_BYTES, 2 * FULL_BYTES)
KEPT = Discipline(True, 0.01)


class Bench:
    def __init__(self) -> None:
        self.now_ns = 50 * SECOND
        self.audit = self.journal = True
        self.age_s: float | None = 0.5
        self.workers = [True, True]
        self.vitals = Vitals(
            Sources(
                lambda: self.audit, lambda: self.journal, lambda: self.age_s, lambda: self.workers
            ),
            lambda: self.now_ns,
        )

    def whole(self) -> Bench:
        self.vitals.on_broker(True)
        self.vitals.on_look(ROOM, KEPT)
        return self

    def of(self, part: str) -> tuple[State, str]:
        found = self.vitals.parts()[part]
        return found.state, found.reason

    @property
    def ready(self) -> bool:
        return is_ready(self.vitals.parts())


def test_a_hub_that_has_seen_nothing_yet_knows_nothing() -> None:
    bench = Bench()
    for part in ("broker", "disk", "clock"):
        state, reason = bench.of(part)
        assert state is State.UNKNOWN and reason
    assert not bench.ready
    assert bench.whole().ready


def test_each_part_that_fails_is_named_with_its_reason() -> None:
    for name, breaks in {
        "broker": lambda b: b.vitals.on_broker(False),
        "audit": lambda b: setattr(b, "audit", False),
        "journal": lambda b: setattr(b, "journal", False),
        "disk": lambda b: b.vitals.on_look(Storage(FULL_BYTES - 1, FULL_BYTES), KEPT),
        "media": lambda b: setattr(b, "workers", [True, False]),
        "hub": lambda b: setattr(b.vitals, "draining", True),
    }.items():
        bench = Bench().whole()
        breaks(bench)
        state, reason = bench.of(name)
        assert state is State.NOT_OK and reason, name
        assert not bench.ready, name
        bad = [part for part, works in bench.vitals.works().items() if not works]
        assert bad == [name]


def test_no_worker_and_some_workers_are_told_apart() -> None:
    bench = Bench().whole()
    bench.workers = [True, False]
    assert bench.of("media")[1] == "1 of 2 media workers serve"
    for none in ([False, False], []):
        bench.workers = none
        assert bench.of("media") == (State.NOT_OK, "no media worker can take sessions")


def test_a_free_clock_is_told_and_does_not_take_the_hub_away() -> None:
    bench = Bench().whole()
    for told, state in ((Discipline(False, 16.0), State.NOT_OK), (None, State.UNKNOWN)):
        bench.vitals.on_look(ROOM, told)
        assert bench.of("clock")[0] is state
        assert bench.ready


def test_what_was_seen_too_long_ago_is_unknown_never_ok() -> None:
    bench = Bench().whole()
    bench.now_ns += 10 * SECOND
    assert bench.ready
    bench.now_ns += 1_000_000
    assert bench.of("disk") == (State.UNKNOWN, "the disk does not answer")
    assert bench.of("clock")[0] is State.UNKNOWN
    assert not bench.ready


def test_ages_are_those_of_the_evidence() -> None:
    bench = Bench().whole()
    bench.now_ns += 3 * SECOND
    parts = bench.vitals.parts()
    assert (parts["broker"].age_s, parts["disk"].age_s, parts["journal"].age_s) == (3.0, 3.0, 0.5)
    bench.vitals.on_heard(bench.now_ns)
    bench.age_s = math.nan
    parts = bench.vitals.parts()
    assert (parts["broker"].age_s, parts["journal"].age_s) == (0.0, None)


def test_the_loops_own_work_is_missed_after_its_limit() -> None:
    bench = Bench().whole()
    bench.now_ns += 5 * SECOND
    assert bench.vitals.overdue() == ""
    bench.now_ns += SECOND
    assert bench.vitals.overdue().startswith("core: nothing for 6.0 s")
    bench.vitals.on_step(bench.now_ns)
    assert bench.vitals.overdue() == ""
    bench.now_ns += 15 * SECOND
    bench.vitals.on_step(bench.now_ns)
    assert bench.vitals.overdue().startswith("stores: nothing for 21.0 s")
