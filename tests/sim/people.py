"""Simulated operators: they see what the hub shows, and press keys; not always wisely.

They ask for control, grab it from each other, forget to accept it, drop it, hide their
window, and order vehicles that they have no control of."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from protocols import vehicle
from protocols.authority import ControlState, ControlView, SeatReport
from protocols.duties import AbandonDuty, DutyView, MarkDutyStep, StartDuty, StepState
from protocols.operator import (
    AlarmState,
    PresentationReport,
    Presented,
    RequestState,
    RequestView,
    Role,
)
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from sim.clockwork import MS, SECOND, Clockwork
from supervisor.core import effects as f
from supervisor.core import events as e

if TYPE_CHECKING:
    from sim.car import Car
    from sim.hub import SimHub

SEEN: Final = frozenset({f.ShowAlarm, f.ShowRequest, f.ShowControl, f.ShowDuty})
"""What a person acts on."""
REPORT_NS: Final = SECOND
SEAT_NS: Final = SECOND // 2


class Person:
    """One operator with one console; the way to the hub is short but breaks."""

    def __init__(self, clockwork: Clockwork, hub: SimHub, number: int, role: Role) -> None:
        self._clockwork = clockwork
        self._hub = hub
        self._account = f"operator-{number}"
        self._role = role
        self._number = number
        self._sessions = 0
        self._asked = 0
        self._connected = False
        self._visible = True
        self._life = 0
        self._who = e.Operator("", self._account, role)
        self._alarms: dict[str, None] = {}
        self._requests: dict[str, tuple[str, str]] = {}
        self._controls: dict[str, ControlView] = {}
        self._duties: dict[str, DutyView] = {}
        self._silent_until = 0
        self._seen_epoch = 0
        self._sent: deque[e.CommandAsked] = deque(maxlen=5)
        hub.people.append(self)
        clockwork.after(clockwork.some(1_000, 4_000), self._act)
        clockwork.after(clockwork.some(2_000, 10_000), self._do_duties)

    # ------------------------------------------------------------- connection

    def hub_is_back(self, life: int) -> None:
        """The console dials again by itself, and begins from nothing."""
        self._life = life
        self._clockwork.after(self._clockwork.some(200, 3_000), self._connect, life)

    def console_lost(self) -> None:
        """The socket is gone."""
        self._connected = False

    def _connect(self, life: int) -> None:
        if life != self._hub.life or not self._hub.alive or self._connected:
            return
        self._sessions += 1
        self._connected = True
        self._alarms.clear()
        self._requests.clear()
        self._controls.clear()
        self._duties = {duty.id: duty for duty in self._hub.fleet.duties.duties.values()}
        session = f"s{self._number}-{self._sessions}"
        self._who = e.Operator(session, self._account, self._role, f"seat-{session}")
        self._hub.feed(e.OperatorConnected(self._who))
        self._clockwork.after(0, self._report_seat, self._sessions)
        self._clockwork.after(REPORT_NS, self._report, self._sessions)
        if self._sessions > 1 and self._clockwork.happens(0.3):
            self._ask(self._some_vehicle(), vehicle.Stop(), None)  # what did I miss?

    def _disconnect(self) -> None:
        self._connected = False
        self._hub.feed(e.OperatorDisconnected(self._who))
        self._clockwork.after(self._clockwork.some(500, 3_000), self._connect, self._hub.life)

    # ---------------------------------------------------------------- seeing

    def shown(self, life: int, effect: f.AnyEffect) -> None:
        """Something to show, on its way to the console."""
        if not self._connected:
            return
        match effect:
            case f.ShowAlarm(alarm):
                if alarm.state in (AlarmState.NORMAL, AlarmState.ACKNOWLEDGED):
                    self._alarms.pop(alarm.id, None)
                else:
                    self._alarms[alarm.id] = None
            case f.ShowRequest(request):
                if request.state is RequestState.OPEN:
                    self._requests[request.id] = (request.vehicle, request.id)
                else:
                    self._requests.pop(request.id, None)
                    self._startled(request)
            case f.ShowControl(control):
                self._controls[control.vehicle] = control
                if control.seat == self._who.seat:
                    self._mine(control)
            case f.ShowDuty(duty):
                self._duties[duty.id] = duty
            case _:
                pass

    def _startled(self, request: RequestView) -> None:
        """Nobody answered in time: now and then somebody stops the vehicle after all."""
        clockwork = self._clockwork
        if request.state is RequestState.UNANSWERED and clockwork.happens(0.4):
            delay = clockwork.some(0, 2_000)
            clockwork.after(delay, self._ask, request.vehicle, self._some_stop(), None)

    # ---------------------------------------------------------------- acting

    def _act(self) -> None:
        self._clockwork.after(self._clockwork.some(300, 2_000), self._act)
        if not self._connected:
            return
        dice = self._clockwork.chance.random()
        if dice < 0.30:
            self._answer_request()
        elif dice < 0.40:
            self._ask(self._some_vehicle(), self._some_stop(), None)
        elif dice < 0.55:
            self._send_on_its_way(self._some_vehicle())
        elif dice < 0.62:
            if self._has():
                self._submit(e.ControlGivenBack(self._who, self._id(self._has()), "done"))
        elif dice < 0.67:  # grabs what another has, or what it has itself
            self._ask_control(self._some_vehicle())
        elif dice < 0.70:
            self._silent_until = self._clockwork.now + self._clockwork.some(800, 4_000)
        elif dice < 0.85:
            self._acknowledge()
        elif dice < 0.90:
            if self._sent:  # the same click again
                self._submit(self._clockwork.chance.choice(self._sent))
        elif dice < 0.92:
            self._disconnect()
        elif dice < 0.95:
            self._visible = not self._visible

    def _some_vehicle(self) -> str:
        return str(self._clockwork.chance.choice(list(self._hub.cars)))

    def _picture_age(self) -> float | None:
        return self._clockwork.chance.choice((80.0, 120.0, 120.0, 300.0, 1_000.0, 1_500.0, None))

    def _some_stop(self) -> vehicle.Body:
        return vehicle.EmergencyStop() if self._clockwork.happens(0.3) else vehicle.Stop()

    def _answer_request(self) -> None:
        if not self._requests:
            return
        name, request_id = self._clockwork.chance.choice(list(self._requests.values()))
        if self._has() == name:
            self._ask(name, self._answer(request_id), self._picture_age())
        else:
            self._ask_control(name, request_id)

    def _answer(self, request_id: str) -> vehicle.Body:
        if self._clockwork.happens(0.2):
            return vehicle.Wait(request_id, 5.0)
        return vehicle.Resume(request_id)

    def _send_on_its_way(self, name: str) -> None:
        if self._has() != name and self._clockwork.happens(0.9):
            self._ask_control(name)
            return
        self._ask(name, vehicle.Resume(), self._picture_age())  # now and then without control
        if self._clockwork.happens(0.2):  # and thinks better of it
            later = self._clockwork.some(50, 600)
            self._clockwork.after(later, self._ask, name, self._some_stop(), None)

    # ---------------------------------------------------------------- duties

    def _do_duties(self) -> None:
        """Start one, mark a step of one, take a mark back, give one up."""
        clockwork, chance = self._clockwork, self._clockwork.chance
        clockwork.after(clockwork.some(2_000, 12_000), self._do_duties)
        if not self._connected:
            return
        dice = chance.random()
        if not self._duties or dice < 0.15:
            key = chance.choice(("accident", "level_crossing", "end_of_operation"))
            ask = StartDuty(key, self._some_vehicle(), ago_s=float(chance.randrange(0, 60)))
            self._submit(e.DutyStartAsked(self._who, ask))
            return
        duty = chance.choice(list(self._duties.values()))
        if dice < 0.2:
            self._submit(e.DutyAbandoned(self._who, AbandonDuty(duty.id, "a false alarm")))
            return
        step = chance.choice(duty.steps)
        states = (StepState.DONE, StepState.DONE, StepState.DONE, StepState.SKIPPED, StepState.OPEN)
        mark = MarkDutyStep(duty.id, step.key, chance.choice(states), note="as said on the phone")
        clockwork.note(self._account, "marks", step.key, duty.id, mark.state)
        self._submit(e.DutyStepMarked(self._who, mark))

    # --------------------------------------------------------------- control

    def _has(self) -> str:
        """The vehicle under this console's control, as far as it was shown; or nothing."""
        return next(
            (
                name
                for name, control in self._controls.items()
                if control.seat == self._who.seat and control.state is ControlState.HELD
            ),
            "",
        )

    def _ask_control(self, name: str, request_id: str = "") -> None:
        held = self._has()
        if held and held != name and self._clockwork.happens(0.7):
            self._submit(e.ControlGivenBack(self._who, self._id(held), "another one"))
        purpose = Purpose.DRIVE if self._clockwork.happens(0.2) else Purpose.ASSIST
        reason = "he does not answer" if self._clockwork.happens(0.5) else ""
        asked = e.ControlAsked(self._who, self._id(name), purpose, request_id, reason, True)
        self._clockwork.note(self._account, "asks for control of", name, purpose, reason)
        self._submit(asked)

    def _mine(self, control: ControlView) -> None:
        """What this console was offered, or has now."""
        clockwork, name = self._clockwork, control.vehicle
        if control.state is ControlState.OFFERED and clockwork.happens(0.85):
            accepted = e.ControlAccepted(self._who, self._id(name))
            clockwork.after(clockwork.some(50, 1_500), self._submit, accepted)
        elif control.state is ControlState.HELD and not control.vehicle_confirms:
            return
        elif control.state is ControlState.HELD and self._new_hold(control):
            clockwork.note(self._account, "has control of", name, control.epoch)
            for _ in range(clockwork.chance.randrange(1, 4)):
                body = self._answer(control.request_id) if control.request_id else vehicle.Resume()
                clockwork.after(
                    clockwork.some(100, 2_500), self._ask, name, body, self._picture_age()
                )

    def _new_hold(self, control: ControlView) -> bool:
        """Only the first word of it counts; its deadline is renewed all the time."""
        fresh = control.epoch != self._seen_epoch
        self._seen_epoch = control.epoch
        return fresh

    def _report_seat(self, session: int) -> None:
        """Twice a second, unless the machine has gone to sleep."""
        if session != self._sessions or not self._connected:
            return
        self._clockwork.after(SEAT_NS, self._report_seat, session)
        if self._clockwork.now >= self._silent_until:
            lost = "" if self._visible else "hidden"
            report = SeatReport(self._visible, self._visible, sound=True, ready=True, lost=lost)
            self._submit(e.SeatReported(self._who, report))

    def _id(self, name: str) -> VehicleId:
        return VehicleId.parse(name)

    def _acknowledge(self) -> None:
        if self._alarms:
            alarm_id = self._clockwork.chance.choice(list(self._alarms))
            self._submit(e.AlarmAcknowledged(self._who, alarm_id))

    def _ask(self, name: str, body: vehicle.Body, age_ms: float | None) -> None:
        self._asked += 1
        asked = e.CommandAsked(
            self._who, f"c{self._number}-{self._asked}", self._id(name), body, age_ms
        )
        self._sent.append(asked)
        self._clockwork.note(
            self._account, "asks", type(body).__name__.lower(), name, asked.command_id
        )
        self._submit(asked)

    def _report(self, session: int) -> None:
        """Once a second: what this console really shows."""
        if session != self._sessions or not self._connected:
            return
        self._clockwork.after(REPORT_NS, self._report, session)
        tiles = [self._tile(str(name), car) for name, car in self._hub.cars.items()]
        report = PresentationReport(self._visible, tiles, rtt_ms=4.0)
        self._submit(e.PresentationReported(self._who, report))

    def _tile(self, name: str, car: Car) -> Presented:
        frame_ns = car.last_frame_ns
        still_ns = 10**10 if frame_ns is None else self._hub.now_ns() - frame_ns
        if still_ns > SECOND:
            return Presented(vehicle=name, camera="front", frames=0, still_ms=still_ns / 1e6)
        ages = [100.0 + 5 * self._clockwork.chance.randrange(8) for _ in range(5)]
        return Presented(
            vehicle=name, camera="front", frames=5, still_ms=still_ns / 1e6, age_ms=ages[-1],
            uncertainty_ms=12.0, ages_ms=ages,
        )  # fmt: skip

    def _submit(self, event: e.AnyEvent) -> None:
        self._clockwork.after(
            self._clockwork.chance.randrange(1, 8) * 5 * MS, self._arrive, self._hub.life, event
        )

    def _arrive(self, life: int, event: e.AnyEvent) -> None:
        if life == self._hub.life and self._connected:
            self._hub.feed(event)
