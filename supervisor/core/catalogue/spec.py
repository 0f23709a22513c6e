"""What a row of the catalogue says."""

from __future__ import annotations

import enum

import msgspec

from protocols.alarms import AlarmSpecView, AlarmText
from protocols.vehicle import Kind


class Priority(enum.IntEnum):
    """EEMUA 191 priorities."""

    URGENT = 1
    HIGH = 2
    LOW = 3


class Source(enum.StrEnum):
    """Who may say that the condition of a row is there.

    HUB: The hub finds it out by itself; a vehicle that says so is not believed.
    VEHICLE: A vehicle's `VehicleEvent` of kind `alarm`, and nobody else.
    """

    HUB = "hub"
    VEHICLE = "vehicle"


class Escalation(enum.StrEnum):
    """Who is called when nobody has acknowledged an alarm within its time to respond."""

    NONE = "none"
    SUPERVISOR = "supervisor"
    MAINTAINER = "maintainer"


class AlarmSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row. Every field is given in every row.

    Attributes:
        key: Name in dots; also the name of its page in docs/runbooks.
        safety: Somebody may get hurt: it latches.
        respond_within_s: Time to respond before the consequence sets in.
        on_delay_ms: The condition must last this long to raise.
        off_delay_ms: The condition must be gone this long to return.
        latching: It stays until acknowledged, even when it is gone.
        shelvable: An operator may put it aside for a while; never for urgent ones.
        suppressed_by: Rows that make this one redundant while they are active.
        source: Who may raise it.
        kinds: Kinds of vehicles that have it; empty: all, or it is the hub's own.
        escalation: Who is called when it stays unacknowledged for `respond_within_s`.
        waits_for: The part of the system, not there yet, that will raise it; until then
            nobody can. Empty: it is raised.
        ja, en: Title, cause, consequence and the operator's action.
    """

    key: str
    priority: Priority
    safety: bool
    respond_within_s: float
    on_delay_ms: int
    off_delay_ms: int
    latching: bool
    shelvable: bool
    suppressed_by: tuple[str, ...]
    source: Source
    kinds: tuple[Kind, ...]
    escalation: Escalation
    waits_for: str
    ja: AlarmText
    en: AlarmText

    def view(self) -> AlarmSpecView:
        """Return what a console needs of this row."""
        return AlarmSpecView(
            key=self.key,
            priority=int(self.priority),
            respond_within_s=self.respond_within_s,
            latching=self.latching,
            shelvable=self.shelvable,
            ja=self.ja,
            en=self.en,
        )
