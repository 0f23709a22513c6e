"""What the hub itself orders a vehicle: a speed limit, and in the end a minimal-risk
manoeuvre. Same path as an operator's command: epoch, seq, time to live, tag, and the
record first.

A *decision* is recorded once and sent only when its record is durable. A speed limit
is then sent again every `renew_s` under the same record, each time as a new command
with its own id, until another decision replaces it. What could not be recorded is not
sent: the limit the vehicle has then lapses, and it drives by its own lower default.

While the link is not fresh nothing is sent. The vehicle needs no word to slow down.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from protocols.vehicle import Body, Command, CommandResult, ResultState
from supervisor.core.effects import AnyEffect, Count, SendCommand
from supervisor.core.ledger import Facts, Purpose, Waiting

if TYPE_CHECKING:
    from supervisor.core.fleet import Fleet, VehicleRecord

MAX_PENDING: Final = 8
RETRY_RECORD_NS: Final = 2_000_000_000
TTL_MS: Final = 2_000


class OrderState(enum.StrEnum):
    """How far the present decision has come."""

    RECORDING = "recording"
    SENT = "sent"
    APPLIED = "applied"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"


class Order:
    """One kind of order to one vehicle.

    Attributes:
        kind: "limit" or "minimal_risk"; begins its command ids and record kinds.
        body: The present decision; None: nothing is ordered.
        state: How far it has come.
        applied_until_ns: What the vehicle confirmed holds until then; None: nothing.
    """

    __slots__ = (
        "_facts",
        "_hold_ns",
        "_hold_until_ns",
        "_next_ns",
        "_number",
        "_pending",
        "_recorded",
        "_renew_ns",
        "_retry_ns",
        "_told",
        "_told_refused",
        "applied_until_ns",
        "body",
        "kind",
        "state",
    )

    def __init__(self, kind: str, renew_ns: int, hold_ns: int) -> None:
        self.kind = kind
        self.body: Body | None = None
        self.state = OrderState.RECORDING
        self.applied_until_ns: int | None = None
        self._renew_ns = renew_ns
        self._hold_ns = hold_ns
        self._number = 0
        self._recorded = False
        self._retry_ns: int | None = None
        self._next_ns = 0
        self._hold_until_ns = 0
        self._facts: Facts = {}
        self._told = self._told_refused = False
        self._pending: OrderedDict[str, int] = OrderedDict()  # command id → handed over at

    def decide(
        self, fleet: Fleet, record: VehicleRecord, body: Body, facts: Facts, now_ns: int
    ) -> list[AnyEffect]:
        """Order something else from now on; it is sent when this is on disk."""
        self.body = body
        self.state = OrderState.RECORDING
        self._facts = facts
        self._told = self._told_refused = False
        return [self._ask(fleet, record, now_ns)]

    def withdraw(self) -> None:
        """Order nothing any more; what the vehicle does lapses by itself."""
        self.body = None
        self._pending.clear()
        self._retry_ns = None

    def start_anew(self, from_ns: int) -> None:
        """The epoch changed: what was under way may be refused, so say it again, but not
        before `from_ns`: nothing may come before the first command of an epoch."""
        self._pending.clear()
        self._next_ns = self._hold_until_ns = from_ns
        if self.body is not None and self._recorded:
            self.state = OrderState.SENT

    def on_recorded(
        self, fleet: Fleet, record: VehicleRecord, item_id: str, ok: bool, now_ns: int
    ) -> list[AnyEffect]:
        """The record of a decision is durable or not; one that was replaced means nothing."""
        if self.body is None or item_id != self._item_id():
            return []
        self._recorded = ok
        if not ok:
            self._retry_ns = now_ns + RETRY_RECORD_NS
            return [Count("order", "not_recorded")]
        self._next_ns = now_ns
        return self.on_time(fleet, record, now_ns)

    def on_time(self, fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
        """Send what is due. Safe early, late or twice."""
        if self.applied_until_ns is not None and now_ns >= self.applied_until_ns:
            self.applied_until_ns = None
        if self.body is None:
            return []
        effects: list[AnyEffect] = []
        pending = self._pending
        while pending and now_ns - next(iter(pending.values())) > (TTL_MS + 1_000) * 1_000_000:
            pending.popitem(last=False)
            effects.append(Count("order", "unconfirmed"))
            if not pending and self.state is OrderState.SENT:
                self.state = OrderState.UNCONFIRMED
        if not self._recorded:
            if self._retry_ns is not None and now_ns >= self._retry_ns:
                effects.append(self._ask(fleet, record, now_ns))
            return effects
        # Also when nothing seems to reach it: that may be true of one path alone.
        if now_ns < max(self._next_ns, self._hold_until_ns):
            return effects
        if not record.link.is_heard(now_ns) or record.beat_at_ns is None:
            return effects
        if len(pending) >= MAX_PENDING:
            return effects
        self._next_ns = now_ns + self._renew_ns
        return [*effects, *self._send(record, now_ns)]

    def on_sent(self, command_id: str, ok: bool) -> list[AnyEffect]:
        """The broker took it, or not; then the next renewal tries again."""
        if ok or self._pending.pop(command_id, None) is None:
            return []
        return [Count("order", "broker")]

    def on_result(
        self, fleet: Fleet, record: VehicleRecord, result: CommandResult, now_ns: int
    ) -> tuple[bool, list[AnyEffect]]:
        """The vehicle answered; return whether this was an order of this kind."""
        sent_ns = self._pending.get(result.command_id)
        if sent_ns is None:
            return False, []
        if result.state is ResultState.RECEIVED:
            return True, []
        del self._pending[result.command_id]
        if result.state is ResultState.REFUSED:
            self.state = OrderState.REFUSED
            told = [] if self._told_refused else [self._record(fleet, record, result, now_ns)]
            self._told_refused = True
            return True, [*told, Count("order", "refused")]
        self.state = OrderState.APPLIED
        self.applied_until_ns = sent_ns + self._hold_ns
        effects: list[AnyEffect] = []
        if not self._told:
            self._told = True
            effects.append(self._record(fleet, record, result, now_ns))
        fault = record.loop.on_applied(sent_ns, result.at_ns, record.clock, now_ns)
        if fault:
            effects.append(Count("command_result", fault))
        return True, [*effects, Count("order", "applied")]

    def forget_session(self) -> None:
        """The vehicle's client started anew: it knows nothing of what was sent."""
        self._pending.clear()
        self._next_ns = 0
        self.applied_until_ns = None
        if self.body is not None and self._recorded:
            self.state = OrderState.SENT

    def _ask(self, fleet: Fleet, record: VehicleRecord, now_ns: int) -> AnyEffect:
        self._number += 1
        self._recorded = False
        self._retry_ns = None
        facts = {**self._facts, "order_id": self._item_id(), "at_ns": now_ns}
        facts["epoch"] = record.epoch
        waiting = Waiting(Purpose.SEND_ORDER, record.vehicle_id, self._item_id())
        return fleet.ledger.record(f"{self.kind}.ordered", "hub", record.name_text, facts, waiting)

    def _send(self, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
        assert self.body is not None
        record.command_seq += 1
        command_id = f"{self._item_id()}-{record.epoch}-{record.command_seq}"
        self._pending[command_id] = now_ns
        if self.state is OrderState.RECORDING:
            self.state = OrderState.SENT
        return [
            SendCommand(
                record.vehicle_id,
                Command(
                    command_id=command_id,
                    session_id=record.session_id,
                    epoch=record.epoch,
                    seq=record.command_seq,
                    issued_ns=record.vehicle_clock_ns(now_ns),
                    ttl_ms=TTL_MS,
                    body=self.body,
                    operator="hub",
                ),
            ),
            Count("order", "sent"),
        ]

    def _item_id(self) -> str:
        return f"{self.kind}-{self._number}"

    def _record(
        self, fleet: Fleet, record: VehicleRecord, result: CommandResult, now_ns: int
    ) -> AnyEffect:
        return fleet.ledger.record(
            f"{self.kind}.result",
            record.name_text,
            record.name_text,
            {
                "order_id": self._item_id(),
                "command_id": result.command_id,
                "state": str(result.state),
                "reason": str(result.reason),
                "vehicle_at_ns": result.at_ns,
                "at_ns": now_ns,
            },
        )
