"""What must hold of the attention queue, by the referee's own books: what needs a person is
in it once, at armed seats alone, called further as time passes; and what nobody answered
becomes a minimal-risk manoeuvre once, unless somebody has taken it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols import vehicle as v
from protocols.authority import AttentionView, ControlState
from protocols.operator import AlarmState, LinkState, RequestState, Role
from sim.clockwork import MS, SECOND, Clockwork, Violation
from sim.store import Store
from supervisor.core import catalogue as rows
from supervisor.core import effects as f
from supervisor.core import events as e

if TYPE_CHECKING:
    from sim.broker import Broker
    from sim.car import Car
    from sim.hub import SimHub
    from supervisor.core.fleet import VehicleRecord

ROWS: Final = {row.key: row for row in rows.CATALOGUE}
SEAT_NS: Final = 1_500 * MS
MANOEUVRE_NS: Final = 4 * SECOND
"""From when a request is unanswered until its manoeuvre is sent, on a healthy way."""
NEIGHBOUR_AT: Final = 0.5
SUPERVISOR_AT: Final = 0.75
MAY_CONTROL: Final = (Role.OPERATOR, Role.SUPERVISOR)
OWED: Final = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)
OF_REQUESTS: Final = (rows.TAKEOVER_REQUESTED, rows.TAKEOVER_UNANSWERED)
TAKEN: Final = (ControlState.CONFIRMING, ControlState.HELD)
UNANSWERED: Final = "unanswered:"
OF_PEOPLE: Final = ("c1", "c2", "c3")
"""How the ids of people's commands begin."""


class AttentionJudge:
    """Books of one life of the hub.

    Attributes:
        manoeuvres: Times that an unanswered request became one.
    """

    def __init__(self, clockwork: Clockwork, store: Store, broker: Broker) -> None:
        self.manoeuvres = 0
        self._broker = broker
        self._clockwork = clockwork
        self._store = store
        self.new_life()

    def new_life(self) -> None:
        """A hub starts: nobody sits anywhere, and nothing was shown."""
        self._seats: dict[str, tuple[str, Role]] = {}
        self._reports: dict[str, tuple[int, bool]] = {}
        self._told: list[AttentionView] = []
        self._ordered: dict[tuple[str, str], set[str]] = {}
        self._by_command: dict[tuple[str, str], tuple[str, str]] = {}
        self._done: set[tuple[str, str]] = set()
        self._due: dict[tuple[str, str], int] = {}
        self._acted: dict[str, int] = {}

    def fail(self, what: str) -> None:
        """Something does not hold."""
        raise Violation(what)

    # ------------------------------------------------------------------ one step

    def on_event(self, event: e.AnyEvent, now_ns: int) -> None:
        """Before its effects are looked at."""
        kind = type(event)
        if kind is e.SeatReported:
            said = event.report
            armed = said.visible and said.focused and said.sound and said.ready and not said.lost
            self._reports[event.operator.session] = (now_ns, armed)
        elif kind is e.OperatorConnected and event.operator.role in MAY_CONTROL:
            self._seats[event.operator.session] = (event.operator.seat, event.operator.role)
        elif kind is e.OperatorDisconnected:
            self._seats.pop(event.operator.session, None)
        elif kind is e.CommandResultReceived and event.message.state is v.ResultState.APPLIED:
            place = self._by_command.get((str(event.vehicle_id), event.message.command_id))
            if place is not None:
                self._done.add(place)
            if event.message.command_id[:2] in OF_PEOPLE:
                self._acted[str(event.vehicle_id)] = now_ns

    def on_shown(self, hub: SimHub) -> None:
        """Consoles are told of the queue, and read it at once."""
        self._told = list(hub.fleet.attention.shown)

    def on_send(self, hub: SimHub, effect: f.SendCommand, now_ns: int) -> None:
        """A minimal-risk manoeuvre goes out: is it because of a request?"""
        body, name = effect.command.body, str(effect.vehicle_id)
        if not isinstance(body, v.MinimalRisk) or not body.reason.startswith(UNANSWERED):
            return
        place = (name, body.reason.removeprefix(UNANSWERED))
        record = hub.fleet.vehicles[effect.vehicle_id]
        request = record.open_requests.get(place[1])
        if request is None:
            self.fail(f"{name} is to stop because of {place[1]}, which is not open")
        elif request.deadline_ns is None or now_ns < request.deadline_ns:
            self.fail(f"{name} is to stop because of {place[1]}, which has time left")
        if place in self._done:
            self.fail(f"{name} is to stop because of {place[1]} once more; it has done so")
        if record.control.view.state in TAKEN:
            self.fail(f"{name} is to stop because of {place[1]}, which somebody has taken")
        if place not in self._ordered:
            self.manoeuvres += 1
        self._ordered.setdefault(place, set()).add(effect.command.command_id)
        self._by_command[name, effect.command.command_id] = place

    # ------------------------------------------------------------------- a tick

    def on_tick(self, hub: SimHub, now_ns: int) -> None:
        """After every tick, in which the queue has been looked at."""
        shown = hub.fleet.attention.shown
        if shown != self._told:
            self.fail("the attention queue changed and consoles are not told")
        armed = {
            seat: role
            for session, (seat, role) in self._seats.items()
            if self._is_armed(session, now_ns)
        }
        seen: set[str] = set()
        for view in shown:
            if view.id in seen:
                self.fail(f"{view.id} is in the queue twice")
            seen.add(view.id)
            self._check_seats(view, armed)
            self._check_step(hub, view, now_ns)
        self._check_needs(hub, shown, now_ns)
        for name, record in hub.fleet.by_name.items():
            if record.open_requests or self._due:
                self._check_manoeuvre(hub, hub.cars[record.vehicle_id], name, record)

    def _is_armed(self, session: str, now_ns: int) -> bool:
        at_ns, armed = self._reports.get(session, (0, False))
        return armed and now_ns - at_ns < SEAT_NS

    def _check_seats(self, view: AttentionView, armed: dict[str, Role]) -> None:
        for seat in view.seats:
            if seat not in armed:
                self.fail(f"{view.id} is routed to {seat}, which is not armed")
        count = len(view.seats)
        if len(set(view.seats)) != count:
            self.fail(f"{view.id} is twice at one seat: {view.seats}")
        if armed and not count:
            self.fail(f"{view.id} is nobody's, and {len(armed)} seats are armed")
        wanted = min(len(armed), 1 if view.step == "routed" else 2)
        if view.step == "unanswered":
            wanted = len(armed)
        elif view.step == "supervisor":
            chiefs = {seat for seat, role in armed.items() if role is Role.SUPERVISOR}
            if not chiefs <= set(view.seats):
                self.fail(f"{view.id} needs a supervisor, and is at {view.seats} alone")
            wanted = max(wanted, len(chiefs.union(view.seats[:2])))
        if count != wanted:
            self.fail(f"{view.id} ({view.step}) is at {count} seats, not {wanted}: {view.seats}")

    def _check_step(self, hub: SimHub, view: AttentionView, now_ns: int) -> None:
        record = hub.fleet.by_name[view.vehicle]
        control = record.control.view
        taken_by = control.holder if control.state in TAKEN else ""
        if view.taken_by != taken_by:
            self.fail(f"{view.id} is shown as taken by {view.taken_by!r}; it is {taken_by!r}")
        request = record.open_requests.get(view.request_id)
        until_ns = view.raised_ns + int(self._responds_s(view) * SECOND)
        if view.request_id:
            if request is None:
                self.fail(f"{view.id} is in the queue and not open")
                return
            until_ns = request.deadline_ns or until_ns
        if request is not None and request.state is RequestState.UNANSWERED:
            step = "unanswered"
        elif taken_by:
            step = "routed"
        else:
            gone = (now_ns - view.raised_ns) / max(1, until_ns - view.raised_ns)
            step = "routed" if gone < NEIGHBOUR_AT else "neighbour"
            step = step if gone < SUPERVISOR_AT else "supervisor"
        if view.step != step:
            self.fail(f"{view.id} is {view.step}; by its time it is {step}")

    def _responds_s(self, view: AttentionView) -> float:
        return ROWS[rows.TAKEOVER_REQUESTED if view.request_id else view.reason].respond_within_s

    def _check_needs(self, hub: SimHub, shown: list[AttentionView], now_ns: int) -> None:
        """Who needs a person is in the queue."""
        requests = {(view.vehicle, view.request_id) for view in shown if view.request_id}
        for name, record in hub.fleet.by_name.items():
            for request in record.open_requests:
                if (name, request) not in requests:
                    self.fail(f"{request} of {name} is open and not in the queue")
        alarms = {view.alarm_id for view in shown} | {view.id for view in shown}
        for alarm in hub.fleet.alarms.standing():
            spec = alarm.spec
            if alarm.state not in OWED or not alarm.vehicle or spec.key in OF_REQUESTS:
                continue
            urgent = spec.priority <= rows.Priority.HIGH
            if urgent and alarm.changed_ns < now_ns and not alarms & {alarm.alarm_id, alarm.group}:
                self.fail(f"{alarm.alarm_id} is owed an answer and not in the queue")

    def _check_manoeuvre(self, hub: SimHub, car: Car, name: str, record: VehicleRecord) -> None:
        """What nobody answered is sent in time, unless somebody has it or the way is bad."""
        now = self._clockwork.now
        trouble = max(car.way.troubled, hub.troubled, self._broker.troubled)
        bad = (
            not car.way.connected
            or car.way.cut
            or not hub.broker_connected
            or now < max(self._store.failing_until, self._store.stalled_until) + 3 * SECOND
            or now - trouble < MANOEUVRE_NS
            or record.link.state is not LinkState.ONLINE
            or record.control.view.state is not ControlState.FREE
            or bool(record.in_flight)
            or record.factsheet is None
        )
        for request in record.open_requests.values():
            place = (name, request.id)
            deadline_ns = request.deadline_ns or 0
            acted = self._acted.get(name, -1) >= deadline_ns
            waits = request.state is not RequestState.UNANSWERED
            if waits or bad or acted or place in self._ordered:
                self._due.pop(place, None)
                continue
            if now - self._due.setdefault(place, now) > MANOEUVRE_NS:
                self.fail(f"{request.id} of {name} is unanswered, and {name} is not stopped")
