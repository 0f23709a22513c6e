"""A simulated hub: the real core, a simulated shell around it, over several lives.

The shell does what `supervisor.app` and `supervisor.telemetry.link` do: one queue, one
step after the other, effects in order; commands under way until the broker takes them
or their time is over; heartbeats with an echo. A crash loses all of it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from protocols import tags, vehicle
from protocols.codec import encode
from protocols.topics import VehicleId
from sim.broker import Broker
from sim.clockwork import GRID_NS, MS, SECOND, Clockwork
from sim.people import SEEN
from sim.referee import UNJUDGED
from sim.store import Store
from supervisor.core import effects as f
from supervisor.core import events as e
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import Capture, capture, restore
from supervisor.core.step import step

if TYPE_CHECKING:
    from sim.car import Car
    from sim.people import Person
    from sim.referee import Referee

TICK_NS: Final = 100 * MS
SAMPLE_EVERY: Final = 2
BEAT_EVERY: Final = 5
ASK_EVERY: Final = 10
CAPTURE_SHARE: Final = 0.001
"""Share of ticks at which a state begins to be written beside the steps."""
ACK_TTL_NS: Final = 5 * SECOND

_msgpack = msgspec.msgpack.Encoder()


class SimHub:
    """One hub.

    Attributes:
        life: Rises with each start; callbacks of an older life do nothing.
        alive: It runs.
        fleet: Of the present life.
        broker_connected: Its own connection.
        troubled: True time of its last start, end or (re)connection.
        grants: Whose frames reach each vehicle, as the media plane was told.
        leases: What heartbeats say to each vehicle: epoch, leased.
        ambush: The next resume, or taking of control, is held back while the hub dies.
    """

    def __init__(
        self, clockwork: Clockwork, broker: Broker, store: Store, referee: Referee
    ) -> None:
        self.life = 0
        self.alive = False
        self.fleet = Fleet()
        self.broker_connected = False
        self.troubled = 0
        self.wall_s = 1_790_000_000
        self.grants: dict[VehicleId, f.SetGrant] = {}
        self.leases: dict[VehicleId, tuple[int, bool]] = {}
        self.ambush = False
        self.people: list[Person] = []
        self.cars: dict[VehicleId, Car] = {}
        self._clockwork = clockwork
        self._broker = broker
        self._store = store
        self._referee = referee
        self._base_ns = clockwork.chance.randrange(1, 10**6) * SECOND
        self._queue: deque[e.AnyEvent] = deque()
        self._busy = False
        self._beats = 0
        self._heard: dict[VehicleId, vehicle.Echo] = {}
        self._outbox: list[tuple[f.SendCommand | f.SendEventAck, bytes, int]] = []
        self._captured: tuple[Capture, bytes] | None = None
        self._old_commands: deque[tuple[VehicleId, bytes]] = deque(maxlen=20)
        broker.hub = self

    def now_ns(self) -> int:
        """The hub's monotonic clock."""
        return self._clockwork.now + self._base_ns

    # ------------------------------------------------------------------- life

    def start(self) -> None:
        """Start: raise every epoch durably, then tell the core who there is."""
        self.life += 1
        self.alive = True
        self.troubled = self._clockwork.now
        names = list(self.cars)
        wall_s = self.wall_s + self._clockwork.now // SECOND
        epochs = self._store.raise_epochs(names, wall_s)
        self._clockwork.note("hub starts", f"life {self.life}")
        self.fleet = Fleet()
        self._heard = {}
        self.grants = {}
        self.leases = {name: (epoch, False) for name, epoch in epochs.items()}
        self._referee.on_hub_start(self)
        for name in names:
            self.feed(e.VehicleConfigured(name, vehicle.Kind.BUS, str(name), epochs[name]))
        standing = self._store.standing_alarms()
        if standing:
            self.feed(e.AlarmsRestored(standing))
        self._referee.on_alarms_restored(self)
        self._store.base_ns = self._base_ns
        self.feed(self._store.open_duties())
        self._referee.duties.on_restored(self)
        self._clockwork.after(self._clockwork.some(50, 500), self._dial, self.life)
        self._clockwork.after(TICK_NS, self._tick, self.life, 0)
        for person in self.people:
            person.hub_is_back(self.life)
        for car in self.cars.values():
            self._clockwork.after(self._clockwork.some(300, 2_000), car.restart_media)

    def crash(self, *, reboot: bool) -> None:
        """Killed: everything in memory is gone, media with it; the vehicles live on."""
        self._clockwork.note("hub dies", "with its machine" if reboot else "")
        self.alive = False
        self._captured = None
        self.troubled = self._clockwork.now
        self.broker_connected = False
        self._queue.clear()
        self._outbox.clear()
        self._store.crash()
        for person in self.people:
            person.console_lost()
        for car in self.cars.values():
            car.media_session = ""
        if reboot:
            self._base_ns = self._clockwork.chance.randrange(1, 1_000) * SECOND

    def swap_state(self) -> None:
        """Go on with a restored copy of the state, as a replay does."""
        if self.alive:
            self._captured = None
            self.fleet = restore(capture(self.fleet))

    # ------------------------------------------------------------------ broker

    def _dial(self, life: int) -> None:
        if life != self.life or not self.alive or self.broker_connected:
            return
        if not self._broker.up:
            self.feed(e.BrokerChanged(False))
            self._clockwork.after(self._clockwork.some(100, 1_000), self._dial, life)
            return
        self.broker_connected = True
        self.troubled = self._clockwork.now
        self.feed(e.BrokerChanged(True))
        for kept in list(self._broker.retained.values()):
            for event in list(kept.values()):
                self.feed(event)
        waiting, self._outbox = self._outbox, []
        for effect, data, until_ns in waiting:
            self._publish(effect, data, until_ns)

    def lose_broker(self) -> None:
        """The hub's own connection broke."""
        if self.alive and self.broker_connected:
            self.broker_connected = False
            self.troubled = self._clockwork.now
            self.feed(e.BrokerChanged(False))
            self._clockwork.after(self._clockwork.some(100, 1_000), self._dial, self.life)

    # -------------------------------------------------------------------- core

    def feed(self, event: e.AnyEvent) -> None:
        """Give the core one event, and carry out what follows, in order."""
        if not self.alive:
            return
        self._queue.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                event = self._queue.popleft()
                if type(event) is e.HeartbeatReceived:
                    beat = event.message
                    self._heard[event.vehicle_id] = vehicle.Echo(beat.sent_ns, self.now_ns())
                self._decide(event)
        finally:
            self._busy = False

    def begin_capture(self) -> None:
        """Write the state piece by piece beside what happens, as the journal does."""
        if self.alive and self._captured is None:
            self._captured = Capture(self.fleet), capture(self.fleet)

    def _check_capture(self, event: e.AnyEvent, now_ns: int) -> None:
        if self._captured is None:
            return
        beside, at_once = self._captured
        beside.before(event, now_ns)
        if beside.done:
            self._captured = None
            if capture(restore(beside.finish())) != at_once:
                self._referee.fail("a state written beside the steps is not that of one instant")

    def _decide(self, event: e.AnyEvent) -> None:
        now_ns = self.now_ns()
        self._check_capture(event, now_ns)
        following = step(self.fleet, event, now_ns)
        self._clockwork.mix(_msgpack.encode((now_ns, event, following)))
        self._referee.on_step(self, event, following, now_ns)
        for effect in following:
            kind = type(effect)
            if kind in UNJUDGED:
                continue
            if kind is f.Record:
                self._store.submit(effect, self.life, self._written)
            elif kind is f.SendCommand or kind is f.SendEventAck:
                self._send(effect)
            elif kind is f.SetGrant:
                self.grants[effect.vehicle_id] = effect
            elif kind is f.Lease:
                self.leases[effect.vehicle_id] = (effect.epoch, effect.leased)
            elif kind in SEEN:
                for person in self.people:
                    person.shown(self.life, effect)

    def _written(self, life: int, event: e.AuditWritten) -> None:
        if life == self.life and self.alive:
            self.feed(event)

    def _send(self, effect: f.SendCommand | f.SendEventAck) -> None:
        if isinstance(effect, f.SendCommand):
            car = self.cars[effect.vehicle_id]
            data = encode(tags.sign(effect.command, effect.vehicle_id, car.key))
            until_ns = self._clockwork.now + effect.command.ttl_ms * MS
            self._old_commands.append((effect.vehicle_id, data))
        else:
            data = encode(effect.ack)
            until_ns = self._clockwork.now + ACK_TTL_NS
        if self.broker_connected:
            self._publish(effect, data, until_ns)
        else:
            self._outbox.append((effect, data, until_ns))

    def _publish(self, effect: f.SendCommand | f.SendEventAck, data: bytes, until_ns: int) -> None:
        is_command = isinstance(effect, f.SendCommand)
        ok = self._clockwork.now <= until_ns and self._broker.up
        if ok:
            car = self.cars[effect.vehicle_id]
            held_back = (vehicle.Resume, vehicle.TakeControl)
            if is_command and self.ambush and isinstance(effect.command.body, held_back):
                self._spring_ambush(car, data)
            elif is_command:
                car.way.carry(1, car.hear_command, data, False)
            else:
                car.way.carry(1, car.hear_ack, effect.ack)
        if is_command:
            sent = e.CommandSent(effect.vehicle_id, effect.command.command_id, ok)
            self._clockwork.after(GRID_NS, self._told, self.life, sent)

    def _told(self, life: int, event: e.AnyEvent) -> None:
        if life == self.life:
            self.feed(event)

    # -------------------------------------------------------------------- time

    def _tick(self, life: int, count: int) -> None:
        if life != self.life or not self.alive:
            return
        self._clockwork.after(TICK_NS, self._tick, life, count + 1)
        now = self._clockwork.now
        if self._outbox and not self.broker_connected:
            expired = [item for item in self._outbox if now > item[2]]
            self._outbox = [item for item in self._outbox if now <= item[2]]
            for effect, data, until_ns in expired:
                self._publish(effect, data, until_ns)
        if count % SAMPLE_EVERY == 0:
            for car in self.cars.values():
                sample = car.sample(self.now_ns())
                if sample is not None:
                    self.feed(sample)
        if count % ASK_EVERY == 0:
            for car in self.cars.values():
                if car.media_session:
                    car.ask_clock()
        if self._clockwork.happens(CAPTURE_SHARE):
            self.begin_capture()
        if self.broker_connected:
            self._beats += 1
            for name, car in self.cars.items():
                epoch, leased = self.leases[name]
                if not leased and count % BEAT_EVERY:
                    continue
                heard = self._heard.get(name)
                beat = vehicle.HubHeartbeat(
                    "hub-1", self._beats, self.now_ns(), heard, epoch, leased
                )
                car.way.carry(0, car.hear_beat, beat)
        self.feed(e.Tick())
        self._referee.on_tick(self, count)

    # ---------------------------------------------------------------- mischief

    def _spring_ambush(self, car: Car, data: bytes) -> None:
        """The broker holds a command back, and the hub dies before the vehicle has it."""
        self.ambush = False
        clockwork = self._clockwork
        clockwork.after(clockwork.some(1_000, 1_900), car.hear_command, data, False)
        clockwork.after(2 * GRID_NS, self._ambushed, self.life)

    def _ambushed(self, life: int) -> None:
        if self.alive and self.life == life:
            self.crash(reboot=False)
            self._clockwork.after(self._clockwork.some(100, 300), self.start)

    def repeat_old_command(self) -> None:
        """A broker that is not trusted sends something again: as stored, as new, or altered."""
        if not self._old_commands:
            return
        name, data = self._clockwork.chance.choice(self._old_commands)
        retained = self._clockwork.happens(0.3)
        if self._clockwork.happens(0.4):
            old = msgspec.json.decode(data, type=vehicle.Command)
            data = encode(
                msgspec.structs.replace(
                    old,
                    command_id=f"forged-{old.command_id}",
                    seq=old.seq + 1_000,
                    issued_ns=self.cars[name].now_ns(),
                    body=vehicle.Resume(),
                )
            )
        self._clockwork.note("an old command comes again to", str(name))
        self.cars[name].way.carry(1, self.cars[name].hear_command, data, retained)
