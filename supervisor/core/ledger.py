"""Numbers the audit records that the core asks for, and remembers what waits for them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from protocols.topics import VehicleId
from supervisor.core.effects import Record

Facts = Mapping[str, str | int | float | bool | None]


class Purpose(enum.Enum):
    """What goes on once a record is durable."""

    SEND_COMMAND = "send command"
    SEND_ORDER = "send order"
    GRANT_CONTROL = "grant control"
    ACKNOWLEDGE_EVENT = "acknowledge event"
    HAND_OVER = "hand over"


class Waiting(NamedTuple):
    """Something that must not happen before its record is on disk.

    Attributes:
        vehicle_id: Whose it is; None: no vehicle's.
    """

    purpose: Purpose
    vehicle_id: VehicleId | None
    item_id: str


class Ledger:
    """Hands out records; `record_id` is unique within one run of the hub."""

    def __init__(self) -> None:
        self._number = 0
        self._waiting: dict[str, Waiting] = {}

    def record(
        self, kind: str, actor: str, subject: str, data: Facts, waiting: Waiting | None = None
    ) -> Record:
        """Return the next record; `waiting` is given back by `written`."""
        self._number += 1
        record_id = f"r{self._number}"
        if waiting is not None:
            self._waiting[record_id] = waiting
        return Record(record_id, kind, actor, subject, dict(data))

    def about(self, record_id: str) -> VehicleId | None:
        """Return the vehicle whose item waits for a record, if one does."""
        waiting = self._waiting.get(record_id)
        return None if waiting is None else waiting.vehicle_id

    def written(self, record_id: str) -> Waiting | None:
        """Return what waited for a record that is now answered, once."""
        return self._waiting.pop(record_id, None)
