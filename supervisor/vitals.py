"""What the hub knows of its own parts: ready or not, why, and how old that knowledge is.

A part is `ok` on fresh evidence only: what has not been looked at lately is `unknown`,
never `ok`. The clock is told but not judged: supervision compares monotonic clocks, so a
hub whose wall clock is free still serves, and its records say so.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from supervisor.clock import Discipline

FRESH_S: Final = 10.0
"""Disk and clock are looked at every 2 s: five looks missed, and nobody knows."""
CORE_S: Final = 5.0
STORES_S: Final = 20.0
"""The loop's own work must be seen this often for the service manager to let the hub live
(20 s: a disk that hangs is no reason to end a hub that can still stop vehicles)."""
FULL_BYTES: Final = 16 << 20
"""Below this nothing can be relied on to be written."""


class State(enum.StrEnum):
    """Of one part."""

    OK = "ok"
    NOT_OK = "not_ok"
    UNKNOWN = "unknown"


class Part(msgspec.Struct, frozen=True):
    """One part of the hub.

    Attributes:
        state: Whether it works.
        reason: Why not, or why it is not known; empty while `ok`.
        age_s: Age of the newest evidence, seconds; None: there has been none.
        required: The hub is not ready without it.
    """

    state: State
    reason: str = ""
    age_s: float | None = None
    required: bool = True


class Storage(NamedTuple):
    """The disk of the hub's state; bytes."""

    free_bytes: int
    size_bytes: int


class Sources(NamedTuple):
    """Parts that know themselves.

    Attributes:
        audit, journal: Whether the newest write succeeded.
        journal_age_s: Since then; NaN or None: never, or there is no journal.
        workers: For each media worker whether it can take sessions.
    """

    audit: Callable[[], bool]
    journal: Callable[[], bool]
    journal_age_s: Callable[[], float | None]
    workers: Callable[[], list[bool]]


class Vitals:
    """Evidence of the hub's parts, by hub monotonic clock.

    Args:
        sources: Parts that know themselves.
        now_ns: The clock.

    Attributes:
        storage: The newest look at the disk.
        draining: The hub was asked to end.
    """

    def __init__(self, sources: Sources, now_ns: Callable[[], int]) -> None:
        self._sources = sources
        self._now_ns = now_ns
        self._broker: bool | None = None
        self._broker_ns: int | None = None
        self._core_ns = self._stores_ns = now_ns()
        self._looked_ns: int | None = None
        self._discipline: Discipline | None = None
        self.storage: Storage | None = None
        self.draining = False

    # ------------------------------------------------------------------- evidence

    def on_broker(self, connected: bool) -> None:
        """Take the link's word."""
        self._broker, self._broker_ns = connected, self._now_ns()

    def on_heard(self, now_ns: int) -> None:
        """A vehicle's heartbeat came through the broker."""
        self._broker_ns = now_ns

    def on_step(self, now_ns: int) -> None:
        """The core has decided something."""
        self._core_ns = now_ns

    def on_look(self, storage: Storage, discipline: Discipline | None) -> None:
        """Take a look at the disk and the wall clock.

        Args:
            storage: The disk.
            discipline: Of the clock; None: this system does not say.
        """
        self._looked_ns = self._stores_ns = self._now_ns()
        self.storage, self._discipline = storage, discipline

    # ------------------------------------------------------------------ judgement

    def overdue(self) -> str:
        """Name what has not been done for too long; empty: the hub is alive."""
        now_ns = self._now_ns()
        for name, last_ns, limit_s in (
            ("core", self._core_ns, CORE_S),
            ("stores", self._stores_ns, STORES_S),
        ):
            if now_ns - last_ns > limit_s * 1e9:
                return f"{name}: nothing for {(now_ns - last_ns) / 1e9:.1f} s"
        return ""

    def parts(self) -> dict[str, Part]:
        """Return every part, by name."""
        found = {
            "broker": self._of_broker(),
            "audit": _of_flag(self._sources.audit(), "the audit record cannot be written"),
            "journal": self._of_journal(),
            "disk": self._of_disk(),
            "clock": self._of_clock(),
            "media": self._of_workers(),
        }
        if self.draining:
            found["hub"] = Part(State.NOT_OK, "draining: the hub was asked to end", 0.0)
        return found

    def works(self) -> dict[str, bool]:
        """Return which parts are `ok`, by name, as the metrics tell it."""
        return {name: part.state is State.OK for name, part in self.parts().items()}

    def _of_broker(self) -> Part:
        age_s = self._age_s(self._broker_ns)
        if self._broker is None:
            return Part(State.UNKNOWN, "no connection has been tried yet", age_s)
        if not self._broker:
            return Part(State.NOT_OK, "not connected to the broker", age_s)
        return Part(State.OK, "", age_s)

    def _of_journal(self) -> Part:
        age_s = self._sources.journal_age_s()
        known = None if age_s is None or age_s != age_s else round(age_s, 3)
        part = _of_flag(self._sources.journal(), "the journal cannot be written or has a gap")
        return msgspec.structs.replace(part, age_s=known)

    def _of_disk(self) -> Part:
        age_s = self._age_s(self._looked_ns)
        if self.storage is None or age_s is None:
            return Part(State.UNKNOWN, "nobody has looked yet", age_s)
        if age_s > FRESH_S:
            return Part(State.UNKNOWN, "the disk does not answer", age_s)
        if self.storage.free_bytes < FULL_BYTES:
            return Part(State.NOT_OK, f"{self.storage.free_bytes >> 20} MiB are left", age_s)
        return Part(State.OK, "", age_s)

    def _of_clock(self) -> Part:
        age_s = self._age_s(self._looked_ns)
        if age_s is None or age_s > FRESH_S:
            return Part(State.UNKNOWN, "nobody has looked lately", age_s, required=False)
        if self._discipline is None:
            return Part(State.UNKNOWN, "this system does not say", age_s, required=False)
        if not self._discipline.synchronised:
            return Part(State.NOT_OK, "no time service keeps the clock", age_s, required=False)
        return Part(State.OK, "", age_s, required=False)

    def _of_workers(self) -> Part:
        workers = self._sources.workers()
        ready, configured = sum(workers), len(workers)
        if ready == 0:
            return Part(State.NOT_OK, "no media worker can take sessions", 0.0)
        if ready < configured:
            return Part(State.NOT_OK, f"{ready} of {configured} media workers serve", 0.0)
        return Part(State.OK, "", 0.0)

    def _age_s(self, at_ns: int | None) -> float | None:
        return None if at_ns is None else round((self._now_ns() - at_ns) / 1e9, 3)


def is_ready(parts: Mapping[str, Part]) -> bool:
    """Tell whether every required part is `ok`."""
    return all(part.state is State.OK for part in parts.values() if part.required)


def _of_flag(works: bool, reason: str) -> Part:
    return Part(State.OK, "", 0.0) if works else Part(State.NOT_OK, reason, 0.0)
