"""What must hold of control, by the referee's own books: never two holders, the epoch
rises, nothing without a durable record, nothing armed again, nothing without a seat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols import vehicle as v
from protocols.authority import ControlState
from protocols.operator import LinkState, Role
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from sim.clockwork import MS, Clockwork, Violation
from sim.store import Store
from supervisor.core import effects as f
from supervisor.core import events as e

if TYPE_CHECKING:
    from sim.car import Car
    from sim.hub import SimHub

SEAT_NS: Final = 1_500 * MS
SLACK_NS: Final = 200 * MS
LEASE_NS: Final = 1_500 * MS
MAY_CONTROL: Final = (Role.OPERATOR, Role.SUPERVISOR)
THERE: Final = (ControlState.CONFIRMING, ControlState.HELD)


class ControlJudge:
    """Books of control over all lives of the hub.

    Attributes:
        held: How often a grant was made: a simulation without any proves nothing.
    """

    def __init__(self, clockwork: Clockwork, store: Store) -> None:
        self.held = 0
        self._clockwork = clockwork
        self._store = store
        self._obeyed: set[tuple[VehicleId, int, str]] = set()
        self._highest: dict[VehicleId, int] = {}
        self._lease_ended: dict[VehicleId, int] = {}
        self.new_life()

    def new_life(self) -> None:
        """A hub starts: nobody has anything."""
        self._grants: dict[VehicleId, f.SetGrant] = {}
        self._accepted: set[tuple[str, VehicleId]] = set()
        self._seats: dict[str, tuple[int, bool]] = {}

    def fail(self, what: str) -> None:
        """Something does not hold."""
        raise Violation(what)

    # ----------------------------------------------------------------- the hub

    def on_event(self, hub: SimHub, event: e.AnyEvent, now_ns: int) -> None:
        """Before its effects are looked at."""
        kind = type(event)
        if kind is e.SeatReported:
            report = event.report
            armed = report.visible and report.focused and report.sound and report.ready
            self._seats[event.operator.session] = (now_ns, armed)
        elif kind is e.OperatorDisconnected:
            self._seats.pop(event.operator.session, None)
        elif kind is e.ControlAccepted:
            self._accepted.add((event.operator.session, event.vehicle_id))

    def on_effect(self, hub: SimHub, effect: f.AnyEffect, event: e.AnyEvent) -> None:
        """One effect of a step, in its order."""
        kind = type(effect)
        if kind is f.SetGrant:
            self._on_grant(hub, effect)
        elif kind is f.Lease:
            name, epoch = effect.vehicle_id, effect.epoch
            if effect.leased and (str(name), epoch) not in self._store.granted:
                self.fail(f"{name} is told of a lease of epoch {epoch} without a record")
        elif kind is f.SendCommand:
            self._on_send(hub, effect.vehicle_id, effect.command)
        elif kind is f.Refuse and effect.refusal.reason == "preempted":
            ref = effect.refusal.ref
            grant = self._grants.get(VehicleId.parse(ref))
            if grant is not None and grant.session == effect.session:
                self.fail(f"{ref} is preempted and its former holder keeps his grant")

    def _on_grant(self, hub: SimHub, effect: f.SetGrant) -> None:
        name, epoch = effect.vehicle_id, effect.epoch
        if effect.session is None:
            self._grants.pop(name, None)
            return
        before = self._grants.get(name)
        if before is not None:
            self.fail(f"{name}: {effect.account} gets control while {before.account} has it")
        for other, grant in self._grants.items():
            if grant.account == effect.account:
                self.fail(f"{effect.account} gets control of {name} and has {other}")
        if self._store.granted.get((str(name), epoch)) != effect.account:
            self.fail(f"{name}: {effect.account} gets control without a durable record of {epoch}")
        if epoch <= self._highest.get(name, 0):
            self.fail(f"{name}: epoch {epoch} of control does not rise")
        if (name, epoch, effect.account) not in self._obeyed:
            self.fail(f"{name}: {effect.account} gets control before the vehicle obeys him")
        if (effect.session, name) not in self._accepted:
            self.fail(f"{name}: {effect.account} gets control that he did not accept")
        self._accepted.discard((effect.session, name))
        self._highest[name] = epoch
        self._grants[name] = effect
        self.held += 1
        self._clockwork.note(str(name), "is under control of", effect.account, epoch)

    def _on_send(self, hub: SimHub, name: VehicleId, command: v.Command) -> None:
        if isinstance(command.body, v.TakeControl):
            if self._store.granted.get((str(name), command.epoch)) != command.body.holder:
                self.fail(f"{name} is to obey {command.body.holder} without a durable record")
            return
        if not command.body.needs_control:
            return
        grant = self._grants.get(name)
        if grant is None or grant.account != command.operator or grant.epoch != command.epoch:
            self.fail(f"{command.command_id} is sent to {name}; {command.operator} has no control")

    # -------------------------------------------------------------- the vehicle

    def on_accepted(self, car: Car, command: v.Command) -> None:
        """A vehicle has just obeyed."""
        body = command.body
        if isinstance(body, v.TakeControl):
            obeyed = [epoch for name, epoch, _ in self._obeyed if name == car.name]
            if obeyed and command.epoch <= max(obeyed):
                self.fail(f"{car.name} gives control of epoch {command.epoch} twice")
            if car.vehicle.control.is_held and car.vehicle.control.held.epoch == command.epoch:
                self._obeyed.add((car.name, command.epoch, body.holder))
        elif body.needs_control and (car.vehicle.control.held != (command.operator, command.epoch)):
            self.fail(f"{car.name} obeyed {command.operator}, who has no control of it")

    # ------------------------------------------------------------------- time

    def on_tick(self, hub: SimHub, now_ns: int) -> None:
        """After every tick."""
        accounts: dict[str, str] = {}
        for name, record in hub.fleet.vehicles.items():
            view, car = record.control.view, hub.cars[name]
            if view.holder:
                if view.holder in accounts:
                    self.fail(f"{view.holder} has {name} and {accounts[view.holder]}")
                accounts[view.holder] = str(name)
            grant = self._grants.get(name)
            epoch, leased = hub.leases[name]
            if leased and view.state not in THERE:
                self.fail(f"{name} is told that its lease goes on; control is {view.state}")
            if leased and epoch != view.epoch:
                self.fail(f"{name} is told of a lease of epoch {epoch}, not {view.epoch}")
            shown = view.holder if view.state is ControlState.HELD else ""
            if shown != ("" if grant is None else grant.account):
                self.fail(f"{name} is shown under control of {shown!r}; granted: {grant}")
            if grant is not None:
                self._check_grant(hub, car, grant, now_ns)

    def _check_grant(self, hub: SimHub, car: Car, grant: f.SetGrant, now_ns: int) -> None:
        said = self._seats.get(grant.session or "")
        if said is None or now_ns - said[0] > SEAT_NS + SLACK_NS:
            self.fail(f"{grant.account} keeps control of {car.name} without a seat")
        elif grant.purpose is Purpose.DRIVE and not said[1]:
            self.fail(f"{grant.account} drives {car.name} from a seat that is not armed")
        record = hub.fleet.vehicles[car.name]
        if record.link.state in (LinkState.LOST, LinkState.OFFLINE):
            self.fail(f"{grant.account} keeps control of {car.name}, which is not heard any more")
        held = car.vehicle.control.held
        if car.alive and held.holder and held.epoch > grant.epoch:
            self.fail(f"{car.name} obeys {held.holder}; the hub says {grant.account}")
        if grant.purpose is Purpose.DRIVE and record.supervised.drive_reasons:
            self.fail(f"{car.name} is driven although driving is withdrawn")
