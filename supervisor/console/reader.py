"""What the console shell reads of the fleet."""

from __future__ import annotations

from typing import Protocol

from protocols.alarms import AlarmGroupView, AlarmKpiView
from protocols.authority import AttentionView, ControlView, SeatView
from protocols.duties import CoverageView, DutySpec, DutyView
from protocols.handover import HandoverBoardView
from protocols.operator import (
    AlarmSpecView,
    AlarmView,
    CommandView,
    RequestView,
    RouteView,
    Snapshot,
    VehicleView,
)
from protocols.supervision import SupervisionView
from protocols.topics import VehicleId


class FleetReader(Protocol):
    """What the console reads of the fleet; every call returns the present state."""

    def vehicle(self, vehicle_id: VehicleId, now_ns: int) -> VehicleView | None:
        """Return one vehicle, None if there is none of that name."""

    def vehicles(self, now_ns: int) -> list[VehicleView]:
        """Return all vehicles."""

    def route(self, vehicle_id: VehicleId) -> RouteView | None:
        """Return one vehicle's planned route, None if there is no such vehicle."""

    def routes(self) -> list[RouteView]:
        """Return the planned routes of all vehicles."""

    def supervision(self, vehicle_id: VehicleId, now_ns: int) -> SupervisionView | None:
        """Return how well one vehicle can be supervised, None if there is no such vehicle."""

    def supervisions(self, now_ns: int) -> list[SupervisionView]:
        """Return the same of all vehicles."""

    def controls(self) -> list[ControlView]:
        """Return who has control of each vehicle."""

    def seats(self, now_ns: int) -> list[SeatView]:
        """Return every seat."""

    def attention(self, now_ns: int) -> list[AttentionView]:
        """Return the attention queue, best first."""

    def alarms(self) -> list[AlarmView]:
        """Return all alarms that are not normal."""

    def alarm_groups(self) -> list[AlarmGroupView]:
        """Return the groups of alarms that began together."""

    def alarm_kpi(self, now_ns: int) -> AlarmKpiView | None:
        """Return how well the alarms behave."""

    def requests(self) -> list[RequestView]:
        """Return the take-over requests that still matter."""

    def commands(self) -> list[CommandView]:
        """Return the recent commands."""

    def duties(self) -> list[DutyView]:
        """Return the duties that still matter."""

    def duty_catalogue(self) -> list[DutySpec]:
        """Return the duties that can be started by hand."""

    def coverages(self) -> list[CoverageView]:
        """Return who has which vehicle on screen."""

    def handover(self) -> HandoverBoardView:
        """Return what the next shift has to know, and who hands over to whom."""

    def catalogue(self) -> list[AlarmSpecView]:
        """Return the alarm catalogue."""


def snapshot(fleet: FleetReader, now_ns: int) -> Snapshot:
    """Return the whole state, the first message of its kind to a console."""
    return Snapshot(
        seq=1,
        hub_now_ns=now_ns,
        vehicles=fleet.vehicles(now_ns),
        alarms=fleet.alarms(),
        requests=fleet.requests(),
        commands=fleet.commands(),
        routes=fleet.routes(),
        supervision=fleet.supervisions(now_ns),
        controls=fleet.controls(),
        seats=fleet.seats(now_ns),
        attention=fleet.attention(now_ns),
        duties=fleet.duties(),
        coverage=fleet.coverages(),
        alarm_groups=fleet.alarm_groups(),
        alarm_kpi=fleet.alarm_kpi(now_ns),
        handover=fleet.handover(),
    )
