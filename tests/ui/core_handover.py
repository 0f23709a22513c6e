"""Handing over as the real core does it, beside an invented fleet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.handover import HandoverBoardView
from protocols.topics import VehicleId
from protocols.vehicle import Kind
from supervisor import clock
from supervisor.core import effects, events, handover
from supervisor.core.fleet import Fleet
from supervisor.core.step import step


class CoreHandover:
    """A core of its own that knows seats and handovers; its vehicles are never heard of.

    Attributes:
        records: What would be in the audit.
        disk_ok: Whether records can be written.
    """

    def __init__(self, vehicles: list[tuple[VehicleId, str]], show: Callable[[Any], None]) -> None:
        self.fleet = Fleet()
        self.records: list[effects.Record] = []
        self.disk_ok = True
        self._show = show
        for number, (vehicle_id, name) in enumerate(vehicles):
            self._step(events.VehicleConfigured(vehicle_id, Kind.BUS, name, number))

    @property
    def view(self) -> HandoverBoardView:
        """What consoles are sent."""
        return handover.view(self.fleet)

    def on_event(self, event: events.AnyEvent) -> None:
        """Take what concerns it."""
        if isinstance(
            event,
            events.OperatorConnected
            | events.OperatorDisconnected
            | events.SeatReported
            | events.HandoverAsked,
        ):
            self._step(event)
            self._step(events.Tick())

    def _step(self, event: events.AnyEvent) -> None:
        for effect in step(self.fleet, event, clock.monotonic_ns()):
            match effect:
                case effects.Record():
                    self.records.append(effect)
                    self._step(events.AuditWritten(effect.record_id, self.disk_ok))
                case effects.ShowHandover() | effects.Refuse():
                    self._show(effect)
                case _:
                    pass
