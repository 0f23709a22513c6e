"""Control as a perfect hub and vehicle would handle it, for pages that are tested alone.

Each step is shown at once, unless `slowly` is set: then `go_on` shows the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from protocols.authority import ControlState, ControlView, DriveKey, SeatReport, SeatView
from protocols.drive import drive_key, stop_key
from protocols.operator import Refusal
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor import clock
from supervisor.core import effects, events

COMMAND_KEY: Final = bytes(range(32))
SESSION: Final = "vehicle-session-1"


class FakeControl:
    """Who has control of the invented vehicles.

    Attributes:
        views: By vehicle.
        reports: The newest of each seat.
        told: Every seat report, in order.
        slowly: Wait for `go_on` before each step.
        refuse: Refuse whoever asks with this reason; empty: nobody.
    """

    def __init__(self, show: Callable[[Any], None], give_key: Callable[[str, DriveKey], None]):
        self.views: dict[str, ControlView] = {}
        self.reports: dict[str, SeatReport] = {}
        self.told: list[SeatReport] = []
        self.slowly = False
        self.refuse = ""
        self._operators: dict[str, events.Operator] = {}
        self._show = show
        self._give_key = give_key
        self._epoch = 4

    def stop_keys(self, account: str, vehicles: list[VehicleId]) -> dict[str, str]:
        """Return the keys with which this account stops each vehicle."""
        return {str(one): stop_key(COMMAND_KEY, one, account).hex() for one in vehicles}

    def seats(self) -> list[SeatView]:
        """Return every seat as the hub would show it."""
        return [
            SeatView(seat=one.seat, account=one.account, role=str(one.role), armed=True, why_not=[])
            for one in self._operators.values()
        ]

    def on_event(self, event: events.AnyEvent) -> None:
        """Take what a console asks."""
        match event:
            case events.OperatorConnected():
                self._operators[event.operator.session] = event.operator
                self._show(effects.ShowSeats())
            case events.OperatorDisconnected():
                self._gone(self._operators.pop(event.operator.session, event.operator))
            case events.SeatReported():
                self.reports[event.operator.seat] = event.report
                self.told.append(event.report)
            case events.ControlAsked():
                self._asked(event)
            case events.ControlAccepted():
                self._step(str(event.vehicle_id), ControlState.CONFIRMING)
            case events.ControlGivenBack():
                self._give_back(str(event.vehicle_id), event.operator, event.cause)
            case _:
                pass

    def go_on(self, vehicle_id: VehicleId) -> None:
        """Show the step after the present one."""
        following = {
            ControlState.CONFIRMING: ControlState.HELD,
            ControlState.RELEASING: ControlState.FREE,
        }
        view = self.views[str(vehicle_id)]
        self._set(view, following[view.state])

    def preempt(self, vehicle_id: VehicleId, by: str, reason: str) -> None:
        """Somebody else, elsewhere, takes control with a reason."""
        self._epoch += 1
        self._put(
            ControlView(
                vehicle=str(vehicle_id),
                state=ControlState.HELD,
                holder=by,
                seat="seat-elsewhere",
                purpose=Purpose.ASSIST,
                epoch=self._epoch,
                since_ns=clock.monotonic_ns(),
                ended="preempted",
                ended_by=by,
                reason=reason,
            )
        )

    def free(self, vehicle_id: VehicleId) -> None:
        """Whoever has control gives it back."""
        self._set(self.views[str(vehicle_id)], ControlState.FREE)

    def _asked(self, event: events.ControlAsked) -> None:
        name = str(event.vehicle_id)
        view = self.views.get(name)
        taken = view is not None and view.state is not ControlState.FREE
        mine = view is not None and view.seat == event.operator.seat
        if self.refuse or (taken and not mine and not event.preempt):
            reason = self.refuse or "held_by_other"
            refusal = Refusal(name, reason, "" if view is None else view.holder)
            self._show(effects.Refuse(event.operator.session, refusal))
            return
        self._epoch += 1
        self._put(
            ControlView(
                vehicle=name,
                state=ControlState.OFFERED,
                holder=event.operator.account,
                seat=event.operator.seat,
                purpose=event.purpose,
                epoch=self._epoch,
                request_id=event.request_id,
                since_ns=clock.monotonic_ns(),
                ended="preempted" if event.preempt else "",
                ended_by=event.operator.account if event.preempt else "",
                reason=event.preempt,
            )
        )

    def _give_back(self, name: str, operator: events.Operator, cause: str) -> None:
        view = self.views.get(name)
        if view is None or view.seat != operator.seat:
            refusal = Refusal(name, "not_holder", "")
            self._show(effects.Refuse(operator.session, refusal))
            return
        self._put(msgspec.structs.replace(view, ended="handed_back", ended_by=operator.account))
        self._step(name, ControlState.RELEASING)

    def _gone(self, operator: events.Operator) -> None:
        for view in list(self.views.values()):
            if view.seat == operator.seat:
                self._put(msgspec.structs.replace(view, ended="seat_lost"))
                self._set(self.views[view.vehicle], ControlState.FREE)
        self._show(effects.ShowSeats())

    def _step(self, name: str, state: ControlState) -> None:
        self._set(self.views[name], state)
        if not self.slowly:
            self.go_on(VehicleId.parse(name))

    def _set(self, view: ControlView, state: ControlState) -> None:
        free = state is ControlState.FREE
        self._put(
            msgspec.structs.replace(
                view,
                state=state,
                holder="" if free else view.holder,
                seat="" if free else view.seat,
                since_ns=clock.monotonic_ns(),
            )
        )
        if state is ControlState.HELD and view.purpose is Purpose.DRIVE:
            vehicle_id = VehicleId.parse(view.vehicle)
            key = drive_key(COMMAND_KEY, vehicle_id, view.epoch, view.holder)
            for session, operator in self._operators.items():
                if operator.seat == view.seat:
                    given = DriveKey(view.vehicle, SESSION, view.epoch, key.hex())
                    self._give_key(session, given)

    def _put(self, view: ControlView) -> None:
        self.views[view.vehicle] = view
        self._show(effects.ShowControl(view))
