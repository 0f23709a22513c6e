"""Control alone, fast: two to five people grab and drop one to three vehicles, 10^5 seeds.

The real `core.authority` and `core.commands`, the vehicle's real guards and its real
`control`; no pictures, objectives or alarms' time. Between them a network that delays,
loses, doubles and reorders, a disk that is late or fails, hubs and vehicles that start
anew, consoles that fall silent or vanish. The judge is that of the whole simulation.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any, Final

from protocols import vehicle as v
from protocols.authority import ControlState, SeatReport
from protocols.operator import Role
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from sim.clockwork import MS, SECOND, Violation
from sim.control_judge import ControlJudge
from supervisor.core import authority, commands, operators, seats, vehicles
from supervisor.core import effects as f
from supervisor.core import events as e
from supervisor.core.config import CoreConfig
from supervisor.core.fleet import Fleet
from supervisor.core.itself import on_audit_written
from supervisor.evidence.audit import next_epoch
from vehicle_stub.checker import GUARDS, Marks
from vehicle_stub.control import Control

ACTS: Final = 60
CONFIG: Final = CoreConfig(objective=[])
ABLE: Final = ["resume", "take_control", "release_control"]
SHEET: Final = v.Factsheet(v.Kind.BUS, "Bus", [], True, ABLE, 5.5)
ARMED: Final = SeatReport(visible=True, focused=True, sound=True, ready=True)
HIDDEN: Final = SeatReport(visible=False, focused=False, sound=True, ready=True, lost="hidden")


class _Quiet:
    """Takes the place of the clockwork that the judge writes to."""

    def note(self, what: str, *details: object) -> None:
        """Nothing is kept."""


class _Disk:
    """The durable part of the audit store.

    Attributes:
        granted: As in `sim.store`.
        epochs: Highest ever given.
    """

    def __init__(self) -> None:
        self.granted: dict[tuple[str, int], str] = {}
        self.epochs: dict[VehicleId, int] = {}

    def keep(self, record: f.Record) -> None:
        """Make a record durable."""
        if record.kind == "control.granted":
            epoch = int(record.data["epoch"] or 0)
            self.granted[record.subject, epoch] = record.actor
            name = VehicleId.parse(record.subject)
            self.epochs[name] = max(self.epochs.get(name, 0), epoch)


class ModelVehicle:
    """The vehicle's rules about control, without tags, motion or time to live.

    Attributes:
        vehicle: Itself: the judge asks `vehicle.control`, as of a whole one.
        control: Who has control, by its own knowledge.
        alive: It runs.
    """

    def __init__(self, name: VehicleId) -> None:
        self.name = name
        self.vehicle = self
        self.alive = True
        self.starts = 0
        self.epoch = 0
        self.start()

    def start(self) -> None:
        """Begin anew: only the epoch was written down."""
        self.starts += 1
        self.session = f"run-{self.starts}"
        self.control = Control()
        self.seq, self.fence, self.states = -1, 0, 0
        self.used = self.epoch

    def obeys(self, command: v.Command, now_ns: int) -> str:
        """Return "" and obey, or the reason why not."""
        marks = Marks(
            self.session, self.epoch, self.seq, now_ns, self.fence, self.used, self.control.held
        )
        for guard in GUARDS:
            objection = guard(command, marks)
            if objection is not None:
                return str(objection.reason)
        if command.epoch > self.epoch:
            self.epoch, self.seq = command.epoch, -1
        self.seq = command.seq
        self.used = max(self.used, command.epoch)
        self.control.on_epoch(command.epoch)
        match command.body:
            case v.TakeControl(holder, purpose, silence_ms):
                self.control.take(holder, purpose, command.epoch, silence_ms, now_ns)
            case v.ReleaseControl():
                self.control.release()
            case _:
                pass
        return ""

    def state(self) -> v.State:
        """Return what it says of itself."""
        self.states += 1
        held = self.control.held
        return v.State(
            self.session, self.states, v.OperationMode.STOP, v.MrmState.NORMAL,
            v.MrmBehaviour.NONE, v.Odd.INSIDE, v.MrmBehaviour.NONE,
            holder=held.holder, purpose=self.control.purpose, control_epoch=held.epoch,
        )  # fmt: skip


class ControlRun:
    """One seed.

    Attributes:
        fleet, cars, leases: As the judge reads them of a simulated hub.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._now = 10**13
        self._made = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._disk = _Disk()
        self.judge = ControlJudge(_Quiet(), self._disk)  # type: ignore[arg-type]
        self.cars: dict[VehicleId, ModelVehicle] = {}
        for number in range(self._chance.randrange(1, 4)):
            name = VehicleId("site", f"bus-{number}")
            self.cars[name] = ModelVehicle(name)
        self._people = [
            (f"person-{number}", Role.SUPERVISOR if number % 3 == 2 else Role.OPERATOR)
            for number in range(self._chance.randrange(2, 6))
        ]
        self._loss = self._chance.choice((0.0, 0.0, 0.1, 0.3))
        self._life = self._passes = 0
        self._pending: dict[tuple[int, str], f.Record] = {}
        self._consoles = 0
        self.fleet = Fleet(CONFIG)
        self.leases: dict[VehicleId, tuple[int, bool]] = {}
        self._who: dict[str, e.Operator] = {}
        self._silent: dict[str, int] = {}
        self._start_hub()

    def run(self) -> int:
        """Run; return how often somebody had control. Raises `Violation`."""
        chance = self._chance
        for _ in range(ACTS):
            until = self._now + chance.choice((5, 20, 60, 200, 400, 900)) * MS
            while self._now < until:
                look = min(until, self._now + 100 * MS)
                while self._heap and self._heap[0][0] <= look:
                    due, _, call, arguments = heapq.heappop(self._heap)
                    self._now = max(self._now, due)
                    call(*arguments)
                self._now = look
                self._pass_time()
            self._act()
        return self.judge.held

    # --------------------------------------------------------------------- time

    def _after(self, delay_ms: int, call: Callable[..., None], *arguments: Any) -> None:
        self._made += 1
        heapq.heappush(self._heap, (self._now + delay_ms * MS, self._made, call, arguments))

    def _pass_time(self) -> None:
        """A tenth of a second: beats both ways, seats, deadlines."""
        for name, car in self.cars.items():
            record = self.fleet.vehicles[name]
            car.control.on_time(self._now)
            if self._chance.random() >= self._loss:
                epoch, leased = self.leases[name]
                car.fence = max(car.fence, epoch)
                car.control.on_epoch(epoch)
                car.control.on_lease(epoch, leased, self._now)
            if car.session == record.session_id:
                record.beat_sent_ns = record.beat_at_ns = self._now
                record.link.on_heartbeat(self._now)
        self._passes += 1
        for account, who in self._who.items() if self._passes % 5 == 0 else ():
            if self._silent.get(account, 0) <= self._now:
                self._feed(operators.on_seat_reported, e.SeatReported(who, ARMED))
        self._carry_out(None, seats.on_time(self.fleet, self._now))
        for record in self.fleet.vehicles.values():
            self._carry_out(None, authority.on_time(self.fleet, record, self._now))
        self.judge.on_tick(self, self._now)  # type: ignore[arg-type]

    # --------------------------------------------------------------------- the hub

    def _start_hub(self) -> None:
        self._life += 1
        for record in list(self._pending.values())[: self._chance.randrange(3)]:
            self._disk.keep(record)  # the disk finished what the dead hub began
        self._pending.clear()
        self.fleet = Fleet(CONFIG)
        self._who.clear()
        self.judge.new_life()
        for name, car in self.cars.items():
            epoch = next_epoch(self._disk.epochs.get(name, 0), 1_000 * SECOND)
            self._disk.epochs[name] = epoch
            self.leases[name] = (epoch, False)
            configured = e.VehicleConfigured(name, v.Kind.BUS, str(name), epoch)
            vehicles.on_configured(self.fleet, configured, self._now)
            self.fleet.vehicles[name].factsheet = SHEET
            self._announce(car)
        for account, role in self._people:
            self._connect(account, role)

    def _connect(self, account: str, role: Role) -> None:
        self._consoles += 1
        session = f"s{self._consoles}"
        self._who[account] = who = e.Operator(session, account, role, f"seat-{session}")
        self._feed(operators.on_connected, e.OperatorConnected(who))
        self._feed(operators.on_seat_reported, e.SeatReported(who, ARMED))

    def _announce(self, car: ModelVehicle) -> None:
        online = v.Connection(v.ConnectionState.ONLINE, car.session)
        self._feed(vehicles.on_connection, e.ConnectionReceived(car.name, online))
        record = self.fleet.vehicles[car.name]
        record.beat_sent_ns = record.beat_at_ns = self._now
        record.link.on_heartbeat(self._now)

    def _feed(self, handler: Callable[..., list[f.AnyEffect]], event: e.AnyEvent) -> None:
        self._carry_out(event, handler(self.fleet, event, self._now))

    def _carry_out(self, event: e.AnyEvent | None, effects: list[f.AnyEffect]) -> None:
        if event is not None:
            self.judge.on_event(self, event, self._now)  # type: ignore[arg-type]
        for effect in effects:
            self.judge.on_effect(self, effect, event)  # type: ignore[arg-type]
            match effect:
                case f.Record():
                    self._write(effect)
                case f.Lease(name, epoch, leased):
                    self.leases[name] = (epoch, leased)
                case f.SendCommand(name, command):
                    self._send(name, command)
                case f.ShowControl(view) if view.state is ControlState.OFFERED:
                    who = self._who.get(view.holder)
                    if who is not None and who.seat == view.seat and self._chance.random() < 0.85:
                        accepted = e.ControlAccepted(who, VehicleId.parse(view.vehicle))
                        delay = self._chance.randrange(10, 600)
                        self._after(delay, self._later, self._life, authority.on_accepted, accepted)
                case _:
                    pass

    def _later(
        self, life: int, handler: Callable[..., list[f.AnyEffect]], event: e.AnyEvent
    ) -> None:
        if life == self._life:
            self._feed(handler, event)

    def _write(self, record: f.Record) -> None:
        ok = self._chance.random() > 0.05
        late = self._chance.random() < 0.05
        delay = self._chance.randrange(800, 1_600) if late else self._chance.randrange(1, 40)
        self._pending[self._life, record.record_id] = record
        self._after(delay, self._written, self._life, record, ok)

    def _written(self, life: int, record: f.Record, ok: bool) -> None:
        if self._pending.pop((life, record.record_id), None) is None:
            return
        if ok:
            self._disk.keep(record)
        self._later(life, on_audit_written, e.AuditWritten(record.record_id, ok))

    # ---------------------------------------------------------------- the vehicle

    def _send(self, name: VehicleId, command: v.Command) -> None:
        for _ in range(2 if self._chance.random() < self._loss else 1):
            late = self._chance.random() < self._loss
            delay = self._chance.randrange(300, 2_500) if late else self._chance.randrange(5, 60)
            self._after(delay, self._arrive, name, command)

    def _arrive(self, name: VehicleId, command: v.Command) -> None:
        car = self.cars[name]
        reason = car.obeys(command, self._now)
        if not reason:
            self.judge.on_accepted(car, command)  # type: ignore[arg-type]
        state = v.ResultState.REFUSED if reason else v.ResultState.APPLIED
        result = v.CommandResult(
            car.session, command.command_id, state, self._now, v.RefusalReason(reason)
        )
        answered = e.CommandResultReceived(name, result)
        told = e.StateReceived(name, car.state())
        delay = self._chance.randrange(5, 60)
        for handler, event in ((vehicles.on_command_result, answered), (vehicles.on_state, told)):
            if self._chance.random() >= self._loss / 2:
                self._after(delay, self._later, self._life, handler, event)

    # ---------------------------------------------------------------- the people

    def _act(self) -> None:
        chance = self._chance
        account, role = chance.choice(self._people)
        who = self._who.get(account)
        if who is None:
            self._connect(account, role)
            return
        name = chance.choice(list(self.cars))
        dice = chance.random()
        if dice < 0.50:
            purpose = Purpose.ASSIST
            reason = "grab" if chance.random() < 0.6 else ""
            asked = e.ControlAsked(who, name, purpose, "", reason, True)
            self._feed(authority.on_asked, asked)
        elif dice < 0.62:
            self._feed(authority.on_given_back, e.ControlGivenBack(who, name))
        elif dice < 0.78:
            self._made += 1
            asked_ = e.CommandAsked(who, f"c{self._made}", name, v.Resume(), 90.0)
            record = self.fleet.vehicles[name]
            effects = commands.on_asked(self.fleet, record, asked_, self._now)
            self._carry_out(asked_, effects)
        elif dice < 0.84:
            self._silent[account] = self._now + chance.randrange(500, 3_000) * MS
        elif dice < 0.89:
            self._feed(operators.on_seat_reported, e.SeatReported(who, HIDDEN))
        elif dice < 0.94:
            del self._who[account]
            self._feed(operators.on_disconnected, e.OperatorDisconnected(who))
        elif dice < 0.97:
            car = self.cars[name]
            car.start()
            self._announce(car)
        else:
            self._start_hub()


def run_control(seed: int) -> tuple[int, str]:
    """Run one seed; return how often somebody had control, and what does not hold."""
    run = ControlRun(seed)
    try:
        return run.run(), ""
    except Violation as found:
        return run.judge.held, str(found)
