"""What must hold, whatever happens: checked after each step of the core and each act
of a vehicle. The referee knows the true time and never asks the core what it believes
when it can know by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols import vehicle as v
from protocols.operator import AlarmState, CommandState, LinkState, RequestState
from protocols.supervision import Indicator, Verdict
from protocols.topics import VehicleId
from sim.attention_judge import AttentionJudge
from sim.car import SILENT_MPS
from sim.clockwork import MS, SECOND, Clockwork, Violation
from sim.control_judge import ControlJudge
from sim.coverage_judge import CoverageJudge
from sim.duty_judge import DutyJudge
from sim.store import Store
from supervisor.core import catalogue as rows
from supervisor.core import commands, views
from supervisor.core import effects as f
from supervisor.core import events as e
from vehicle_stub.conduct import Phase

if TYPE_CHECKING:
    from sim.broker import Broker
    from sim.car import Car
    from sim.hub import SimHub

STOP_WITHIN_NS: Final = 2_500 * MS
LOOK_EVERY: Final = 5
"""Ticks between two looks at the whole views."""

DEGRADED_NS: Final = 1_200 * MS
LOST_NS: Final = 3_000 * MS
BRAKES_BY: Final = 0.09
"""Slowest braking, m/s in one step of 100 ms."""
SPEED_SLACK: Final = 0.3
CALLED_NS: Final = 4_000 * MS
LINK_LOSS_NS: Final = 2_000 * MS
STALE_NS: Final = 1_000 * MS
VERDICT_SLACK_NS: Final = 1_000 * MS
COMMAND_FRESH_NS: Final = 10_000 * MS
FROZEN_NS: Final = 300 * MS
DECISION_NS: Final = 1_000 * MS
OLDEST_PICTURE_MS: Final = 1_000.0
LIVE_NS: Final = 300 * MS
SLACK_NS: Final = 200 * MS
DRIFT_SLACK_NS: Final = MS
ROWS: Final = {row.key: row for row in rows.CATALOGUE}
ORDERS: Final = (v.LimitSpeed, v.MinimalRisk)
"""What the hub itself orders, without a person."""

EVIDENCE: Final = {
    Indicator.G2G: ("watched_ns", VERDICT_SLACK_NS),
    Indicator.CLOSED_LOOP: ("result_ns", VERDICT_SLACK_NS + COMMAND_FRESH_NS),
    Indicator.COMMAND_DELAY: ("result_ns", VERDICT_SLACK_NS + COMMAND_FRESH_NS),
    Indicator.TELEMETRY_AGE: ("numbers_ns", VERDICT_SLACK_NS),
    Indicator.HEARTBEAT_GAP: ("beat_ns", VERDICT_SLACK_NS),
    Indicator.CLOCK_UNCERTAINTY: ("beat_ns", VERDICT_SLACK_NS),
    Indicator.FRAME_GAP: ("newest_frame_ns", VERDICT_SLACK_NS),
    Indicator.PICTURE_HEIGHT: ("newest_packet_ns", VERDICT_SLACK_NS),
    Indicator.BITRATE: ("newest_packet_ns", VERDICT_SLACK_NS),
}
"""What *met* must rest on, in the referee's books, and how old it may be beyond what the
objective says."""
OF_THE_CAR: Final = frozenset({Indicator.FRAME_GAP, Indicator.PICTURE_HEIGHT, Indicator.BITRATE})

UNJUDGED: Final = frozenset({f.ShowVehicle, f.Count, f.Observe, f.ShowSupervision})
"""Effects of which nothing has to hold by themselves, and by far the most."""

OWING: Final = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)


class _Heard:
    """What a hub's life has heard of one vehicle, by the referee's own books."""

    def __init__(self) -> None:
        self.run = 0
        self.gone_run = -1
        self.beat_seq = -1
        self.beat_ns: int | None = None
        self.numbers_ns: int | None = None
        self.watched_ns: int | None = None
        self.result_ns: int | None = None
        self.picture_due = False
        self.deaf = False
        self.unheard_ns: int | None = None
        self.since: dict[str, int] = {}


NOTHING_HEARD: Final = _Heard()


class Referee:
    """Raises `Violation` with what does not hold."""

    def __init__(self, clockwork: Clockwork, store: Store, broker: Broker) -> None:
        self._clockwork = clockwork
        self._store = store
        self._broker = broker
        self._sent: dict[tuple[VehicleId, int, int], tuple[int, f.SendCommand]] = {}
        self._newest: dict[VehicleId, tuple[int, int]] = {}
        self._epochs: dict[VehicleId, int] = {}
        self._obeyed: set[tuple[VehicleId, str, int, int]] = set()
        self._obeyed_epoch: dict[VehicleId, int] = {}
        self._stops: dict[VehicleId, dict[str, tuple[int, int]]] = {}
        self._applied: set[tuple[VehicleId, str]] = set()
        self.control = ControlJudge(clockwork, store)
        self.attention = AttentionJudge(clockwork, store, broker)
        self.coverage = CoverageJudge()
        self.duties = DutyJudge(clockwork, store)
        self.resumes_obeyed = 0
        self.stops_checked = 0
        self._new_life()

    def _new_life(self) -> None:
        self._asked: dict[str, int] = {}
        self._stop_asked: dict[VehicleId, int] = {}
        self._heard: dict[VehicleId, _Heard] = {}
        self._shown: dict[str, AlarmState] = {}
        self.alarms_restored = 0
        self._owed: set[str] = set()
        self._broker_gone_ns: int | None = None

    def fail(self, what: str) -> None:
        """Something does not hold."""
        raise Violation(what)

    # ----------------------------------------------------------------- the hub

    def on_hub_start(self, hub: SimHub) -> None:
        """A new life: nothing of the last one counts but what was durable."""
        self._new_life()
        self.control.new_life()
        self.attention.new_life()
        self.coverage.new_life()
        self.duties.new_life()

    def on_step(
        self, hub: SimHub, event: e.AnyEvent, effects: list[f.AnyEffect], now_ns: int
    ) -> None:
        """One step of the core."""
        kind = type(event)
        if kind is e.TelemetryReceived or kind is e.HeartbeatReceived:
            self._on_numbers(event, now_ns)
        elif kind is e.ConnectionReceived:
            self._on_connection(event)
        elif kind is e.VehicleConfigured:
            if event.epoch <= self._epochs.get(event.vehicle_id, -1):
                self.fail(f"the epoch of {event.vehicle_id} does not rise: {event.epoch}")
            self._epochs[event.vehicle_id] = event.epoch
        elif kind is e.PublisherChanged:
            if event.connected:
                self._heard.setdefault(event.vehicle_id, _Heard()).picture_due = True
            self._heard.setdefault(event.vehicle_id, _Heard()).unheard_ns = None
        elif kind is e.HubUnheard or kind is e.ClockExchanged:
            self._on_link_channel(hub, event)
        elif kind is e.BrokerChanged:
            self._broker_gone_ns = None if event.connected else self._broker_gone_ns or now_ns
        elif kind is e.PresentationReported:
            if event.report.visible and event.operator.role in commands.MAY_ACT:
                for tile in event.report.tiles:
                    if tile.ages_ms:
                        name = VehicleId.parse(tile.vehicle)
                        self._heard.setdefault(name, _Heard()).watched_ns = now_ns
        elif kind is e.CommandResultReceived:
            self._heard.setdefault(event.vehicle_id, _Heard()).result_ns = now_ns
        elif kind is e.CommandAsked:
            self._on_asked(hub, event, effects)
        recorded: set[str] = set()
        self.control.on_event(hub, event, now_ns)
        self.attention.on_event(event, now_ns)
        self.coverage.on_event(event, now_ns)
        self.duties.on_step(event, effects)
        for effect in effects:
            kind = type(effect)
            if kind in UNJUDGED:
                continue
            self.control.on_effect(hub, effect, event)
            if kind is f.Record:
                if effect.kind == "command.asked":
                    recorded.add(str(effect.data["command_id"]))
                self.coverage.on_record(effect, now_ns)
            elif kind is f.SendCommand:
                self._on_send(hub, effect, recorded)
                self.attention.on_send(hub, effect, now_ns)
            elif kind is f.ShowAttention:
                self.attention.on_shown(hub)
            elif kind is f.SendEventAck:
                if effect.ack.event_id not in self._store.events:
                    self.fail(f"event {effect.ack.event_id} acknowledged without a durable record")
            elif kind is f.ShowAlarm:
                self._on_alarm(effect, event)
            elif kind is f.ShowCommand:
                self._on_command_shown(effect)

    def _on_asked(self, hub: SimHub, event: e.CommandAsked, effects: list[f.AnyEffect]) -> None:
        repeated = event.command_id in self._asked
        now = self._clockwork.now
        taken = any(type(x) is f.Record and x.kind == "command.asked" for x in effects)
        if taken or not repeated:  # what was refused may be asked again
            self._asked[event.command_id] = now
        if not event.body.never_waits:
            age_ms = event.picture_age_ms
            if taken and (age_ms is None or age_ms > OLDEST_PICTURE_MS):
                self.fail(f"{event.command_id} was taken on a picture {age_ms} ms old")
            return
        if event.operator.role not in commands.MAY_ACT:
            return
        if not repeated and not any(type(effect) is f.SendCommand for effect in effects):
            self.fail(f"stop {event.command_id} was not sent in the step that asked for it")
        car = hub.cars[event.vehicle_id]
        if repeated:
            return  # the same press once more, perhaps of long ago
        self._stop_asked[event.vehicle_id] = now
        if car.way.connected and not car.way.cut and hub.broker_connected:
            self._clockwork.after(
                STOP_WITHIN_NS, self._check_stop, hub, car, car.starts, event.command_id,
                self._clockwork.now,
            )  # fmt: skip

    def _check_stop(
        self, hub: SimHub, car: Car, start: int, command_id: str, asked_at: int
    ) -> None:
        newest_trouble = max(car.way.troubled, self._broker.troubled, hub.troubled)
        if newest_trouble > asked_at or car.starts != start or not car.alive:
            return
        self.stops_checked += 1
        if command_id not in self._stops.get(car.name, {}):
            self.fail(f"stop {command_id} did not reach {car.name}, which was connected")

    def _on_send(self, hub: SimHub, effect: f.SendCommand, recorded: set[str]) -> None:
        command, name = effect.command, effect.vehicle_id
        is_order = isinstance(command.body, ORDERS)
        is_control = isinstance(command.body, (v.TakeControl, v.ReleaseControl))
        if not is_order and not is_control and command.command_id not in self._asked:
            self.fail(f"{command.command_id} is sent, but nobody asked for it in this life")
        if isinstance(command.body, v.TakeControl):
            if command.epoch <= self._epochs[name]:
                self.fail(f"{command.command_id}: the epoch does not rise")
            self._epochs[name] = command.epoch
        if command.epoch != self._epochs[name]:
            self.fail(f"{command.command_id} has epoch {command.epoch}, not {self._epochs[name]}")
        place = (command.epoch, command.seq)
        if place <= self._newest.get(name, (-1, -1)):
            self.fail(f"{command.command_id}: epoch and seq {place} do not rise")
        self._newest[name] = place
        if command.body.never_waits:
            if command.command_id not in recorded:
                self.fail(f"stop {command.command_id} goes out before its record")
        elif is_order:
            if (hub.life, str(name), _order_of(command)) not in self._store.orders:
                self.fail(f"{command.command_id} is sent without a durable record in this life")
        elif not is_control:
            self._on_send_resume(name, command)
        self._sent[(name, *place)] = (self._clockwork.now, effect)

    def _on_send_resume(self, name: VehicleId, command: v.Command) -> None:
        if command.command_id not in self._store.asked:
            self.fail(f"{command.command_id} is sent without a durable record")
        asked_at = self._asked.get(command.command_id, 0)
        if self._clockwork.now - asked_at > DECISION_NS:
            self.fail(f"{command.command_id} is sent long after it was asked for")
        if self._stop_asked.get(name, -1) > asked_at:
            self.fail(f"{command.command_id} is sent although a stop came after it")

    def _on_alarm(self, effect: f.ShowAlarm, event: e.AnyEvent) -> None:
        alarm = effect.alarm
        self._shown[alarm.id] = alarm.state
        self._clockwork.note("alarm", alarm.id, alarm.state)
        if alarm.state in OWING:
            self._owed.add(alarm.id)
        elif alarm.state is AlarmState.ACKNOWLEDGED:
            self._owed.discard(alarm.id)
        elif alarm.state is AlarmState.NORMAL and alarm.id in self._owed:
            self._owed.discard(alarm.id)
            seen = isinstance(event, e.AlarmAcknowledged) and event.alarm_id == alarm.id
            if ROWS[alarm.key].latching and not seen:
                self.fail(f"alarm {alarm.id} went away without anybody having seen it")

    def on_alarms_restored(self, hub: SimHub) -> None:
        """No alarm whose record was durable, and that nobody has seen, is lost over a restart."""
        for name, (_, said) in self._store.alarm_words.items():
            key, _, vehicle = name.partition("@")
            if said["state"] not in OWING or not ROWS[key].latching:
                continue
            alarm = hub.fleet.alarms.get(key, "" if vehicle == "hub" else vehicle)
            if alarm is None or alarm.state not in OWING:
                self.fail(f"alarm {name} was {said['state']} and is lost over a restart")
            self.alarms_restored += 1

    def _on_command_shown(self, effect: f.ShowCommand) -> None:
        view = effect.command
        if view.state is not CommandState.APPLIED:
            return
        if (VehicleId.parse(view.vehicle), view.id) not in self._applied:
            self.fail(f"{view.id} is shown as applied; {view.vehicle} never said so")

    def _on_numbers(self, event: e.HeartbeatReceived | e.TelemetryReceived, now_ns: int) -> None:
        heard = self._heard.setdefault(event.vehicle_id, _Heard())
        run = int(event.message.session_id.rpartition("-")[2])
        if run < heard.run:
            return
        if run > heard.run:
            heard.run, heard.beat_seq = run, -1
            heard.deaf, heard.unheard_ns = False, None
        if type(event) is e.TelemetryReceived:
            heard.numbers_ns = now_ns
        elif event.message.seq > heard.beat_seq and run != heard.gone_run:
            heard.beat_seq, heard.beat_ns = event.message.seq, now_ns
            echo = event.message.echo
            unheard_ns = 0 if echo is None else event.message.sent_ns - echo.received_ns
            heard.deaf = unheard_ns >= DEGRADED_NS

    def _on_link_channel(self, hub: SimHub, event: e.HubUnheard | e.ClockExchanged) -> None:
        heard = self._heard.setdefault(event.vehicle_id, _Heard())
        record = hub.fleet.vehicles[event.vehicle_id]
        mine = (event.session, event.vehicle_session) == (record.media_session, record.session_id)
        if mine and type(event) is e.HubUnheard:
            heard.unheard_ns = event.at_ns
        elif mine and heard.unheard_ns is not None and event.asked_ns >= heard.unheard_ns:
            heard.unheard_ns = None

    def _on_connection(self, event: e.ConnectionReceived) -> None:
        heard = self._heard.setdefault(event.vehicle_id, _Heard())
        run = int(event.message.session_id.rpartition("-")[2])
        if run > heard.run:
            heard.deaf, heard.unheard_ns = False, None
        if event.message.state is v.ConnectionState.OFFLINE and run >= heard.run:
            heard.beat_ns = None
            heard.gone_run = run
            heard.picture_due = False

    # -------------------------------------------------------------- the vehicle

    def on_accepted(self, car: Car, command: v.Command, retained: bool) -> None:
        """A vehicle has just obeyed."""
        place = (command.epoch, command.seq)
        is_stop = command.body.never_waits
        kind = type(command.body).__name__.lower()
        self._clockwork.note(str(car.name), "obeys", kind, command.command_id)
        if retained:
            self.fail(f"{car.name} obeyed a stored {command.command_id}")
        sent = self._sent.get((car.name, *place))
        if sent is None or sent[1].command.command_id != command.command_id:
            self.fail(f"{car.name} obeyed {command.command_id}, which was never sent to it")
            return
        if is_stop:
            self._stops.setdefault(car.name, {})[command.command_id] = place
            return
        if isinstance(command.body, v.LimitSpeed):
            until_ns = min(command.issued_ns, car.now_ns()) + command.body.hold_ms * MS
            car.limit = command.body.max_speed_mps, until_ns
        self.control.on_accepted(car, command)
        self.resumes_obeyed += isinstance(command.body, v.Resume)
        is_resume = command.body.needs_control
        if is_resume and command.command_id not in self._store.asked:
            self.fail(f"{car.name} obeyed {command.command_id} without a durable record")
        age_ns = self._clockwork.now - sent[0]
        if age_ns > command.ttl_ms * MS + DRIFT_SLACK_NS:
            self.fail(f"{car.name} obeyed {command.command_id} {age_ns / MS:.0f} ms after it")
        if command.epoch < self._obeyed_epoch.get(car.name, -1):
            self.fail(f"{car.name} obeyed {command.command_id} of an older epoch")
        if command.epoch < car.heard_epoch:
            self.fail(f"{car.name} obeyed {command.command_id} of a hub that is no more")
        self._obeyed_epoch[car.name] = command.epoch
        key = (car.name, command.command_id, *place)
        if key in self._obeyed:
            self.fail(f"{car.name} obeyed {command.command_id} twice")
        self._obeyed.add(key)
        for stop_id, stop_place in self._stops.get(car.name, {}).items():
            if is_resume and stop_place > place:
                self.fail(f"{car.name} obeyed {command.command_id} after the newer stop {stop_id}")

    def on_vehicle_time(self, car: Car, silence_ns: int | None) -> None:
        """A vehicle has moved on; `silence_ns` since it last heard the hub, on its clock."""
        if silence_ns is None or silence_ns < LINK_LOSS_NS or not car.stops_on_link_loss:
            return
        if car.vehicle.conduct.phase is Phase.DRIVING:
            self.fail(
                f"{car.name} drives on without having heard the hub for {silence_ns // MS} ms"
            )

    def on_vehicle_speed(self, car: Car, speed: float, now_ns: int) -> None:
        """A limit is kept, with time to brake; one that lapsed leaves the lower default."""
        mps, until_ns = car.limit
        limit = mps if now_ns < until_ns else SILENT_MPS
        car.speed_bound = max(limit, car.speed_bound - BRAKES_BY)
        if speed > car.speed_bound + SPEED_SLACK:
            held = "holds" if now_ns < until_ns else "has lapsed"
            self.fail(f"{car.name} drives {speed:.2f} m/s; its limit of {mps:.2f} {held}")

    def on_result(self, car: Car, result: v.CommandResult) -> None:
        """A vehicle has just answered."""
        if result.state is v.ResultState.APPLIED:
            self._applied.add((car.name, result.command_id))

    # ------------------------------------------------------------------- time

    def on_tick(self, hub: SimHub, count: int) -> None:
        """After every tick: deadlines, links, alarms; now and then what consoles see."""
        now_ns = hub.now_ns()
        self.control.on_tick(hub, now_ns)
        self.attention.on_tick(hub, now_ns)
        self.coverage.on_tick(hub, now_ns)
        self.duties.on_tick(hub, now_ns)
        fleet = hub.fleet
        board = fleet.alarms
        shown = self._shown
        for alarm in board.standing():
            if shown.get(alarm.alarm_id) is not alarm.state:
                name = alarm.alarm_id
                self.fail(f"alarm {name} is {alarm.state}; shown: {shown.get(name)}")
        due_ns = board.next_deadline_ns()
        if due_ns is not None and due_ns <= now_ns:
            self.fail("an alarm's delay is over and nothing happened")
        if self._broker_gone_ns is not None:
            overdue = now_ns - self._broker_gone_ns - ROWS[rows.BROKER_DOWN].on_delay_ms * MS
            if overdue > SLACK_NS:
                self._must_show(hub, rows.BROKER_DOWN, "")
        for name, record in fleet.vehicles.items():
            for command in record.in_flight.values():
                if now_ns >= command.deadline_ns:
                    self.fail(f"{command.view.id} is past its deadline and still under way")
            for request in record.open_requests.values():
                if board.get(rows.TAKEOVER_REQUESTED, str(name)) is None:
                    self.fail(f"request {request.id} is open without an alarm")
                self._must_show(hub, rows.TAKEOVER_REQUESTED, str(name))
                due_ns = request.deadline_ns
                is_open = request.state is RequestState.OPEN
                if is_open and due_ns is not None and now_ns >= due_ns:
                    self.fail(f"request {request.id} is past its deadline and still open")
            self._check_calls(hub, hub.cars[name])
            self._check_link(hub, name, now_ns)
            self._check_silence(hub, name, now_ns)
            self._check_verdicts(hub, hub.cars[name], now_ns)
            if count % LOOK_EVERY == 0:
                self._check_view(hub, hub.cars[name], now_ns)

    def _check_calls(self, hub: SimHub, car: Car) -> None:
        """A vehicle that waits for a person is in the queue, whatever happened to the hub."""
        if not car.alive or car.vehicle.conduct.phase is not Phase.WAITING:
            return
        trouble = max(car.way.troubled, self._broker.troubled, hub.troubled, car.waiting_since)
        if not car.way.connected or car.way.cut or self._clockwork.now - trouble < CALLED_NS:
            return
        if not hub.fleet.vehicles[car.name].open_requests:
            self.fail(f"{car.name} waits for a person and nobody is called")

    def _must_show(self, hub: SimHub, key: str, vehicle: str) -> None:
        alarm = hub.fleet.alarms.get(key, vehicle)
        if alarm is None or alarm.state is AlarmState.NORMAL:
            self.fail(f"{key} of {vehicle or 'the hub'} must be shown and is not")

    def _check_link(self, hub: SimHub, name: VehicleId, now_ns: int) -> None:
        heard = self._heard.get(name)
        state = hub.fleet.vehicles[name].link.state
        beat_ns = None if heard is None else heard.beat_ns
        silence = None if beat_ns is None else now_ns - beat_ns
        if state is LinkState.ONLINE and (silence is None or silence >= DEGRADED_NS):
            self.fail(f"{name} is shown online {_seconds(silence)} after its last beat")
        if state is LinkState.ONLINE and heard is not None and (heard.deaf or heard.unheard_ns):
            self.fail(f"{name} is shown online and does not hear the hub")
        if state is LinkState.DEGRADED and (silence is None or silence >= LOST_NS):
            self.fail(f"{name} is not lost {_seconds(silence)} after its last beat")
        if silence is not None and silence >= LOST_NS:
            if state is not LinkState.LOST:
                self.fail(f"{name} is {state} {_seconds(silence)} after its last beat")
            self._must_show(hub, rows.LINK_LOST, str(name))

    def _check_silence(self, hub: SimHub, name: VehicleId, now_ns: int) -> None:
        """Old numbers and still pictures on a living link raise their alarms in time."""
        heard = self._heard.get(name)
        if heard is None:
            return
        record = hub.fleet.vehicles[name]
        online = record.link.state is LinkState.ONLINE
        stale = online and (heard.numbers_ns is None or now_ns - heard.numbers_ns > STALE_NS)
        frozen = online and heard.picture_due and any(
            stream.last_frame_ns is not None and now_ns - stream.last_frame_ns > FROZEN_NS
            for stream in record.streams.values()
        )  # fmt: skip
        for key, holds in ((rows.TELEMETRY_STALE, stale), (rows.VIDEO_FROZEN, frozen)):
            if not holds:
                heard.since.pop(key, None)
                continue
            since = heard.since.setdefault(key, now_ns)
            wait_ns = ROWS[key].on_delay_ms * MS + SLACK_NS
            if key == rows.TELEMETRY_STALE:
                wait_ns += STALE_NS  # due only from when the link came up
            if now_ns - since > wait_ns:
                self._must_show(hub, key, str(name))

    def _check_verdicts(self, hub: SimHub, car: Car, now_ns: int) -> None:
        """*Met* needs fresh positive evidence, which the referee has seen too."""
        heard = self._heard.get(car.name) or NOTHING_HEARD
        record = hub.fleet.vehicles[car.name]
        for track in record.supervised.in_force:
            if track.verdict is not Verdict.MET:
                continue
            objective = track.objective
            indicator = objective.indicator
            at, more_ns = EVIDENCE[indicator]
            evidence_ns = getattr(car if indicator in OF_THE_CAR else heard, at)
            wait_ns = int(objective.stale_s * SECOND) + more_ns
            if evidence_ns is None or now_ns - evidence_ns > wait_ns:
                age = None if evidence_ns is None else now_ns - evidence_ns
                self.fail(f"{car.name}: {objective.key} is met, with evidence {_seconds(age)} old")

    def _check_view(self, hub: SimHub, car: Car, now_ns: int) -> None:
        view = views.vehicle_view(hub.fleet, car.name, now_ns)
        assert view is not None
        for stream in view.streams:
            packet_ns = car.last_packet_ns
            if stream.live and (packet_ns is None or now_ns - packet_ns > LIVE_NS):
                self.fail(f"{car.name}: {stream.name} is shown live without packets")
            true_ns = car.captured_true_ns
            if stream.clock_captured_ns is None or true_ns is None:
                continue
            true_ns += now_ns - self._clockwork.now
            bar = stream.clock_uncertainty_ns
            assert bar is not None
            if stream.clock_captured_ns - bar > true_ns + DRIFT_SLACK_NS:
                early = (stream.clock_captured_ns - true_ns) / MS
                self.fail(f"{car.name}: a picture is shown {early:.1f} ms younger than it is")
        if view.clock_offset_ns is not None and view.clock_uncertainty_ns is not None:
            wrong = abs(view.clock_offset_ns - (now_ns - car.now_ns()))
            if wrong > view.clock_uncertainty_ns + DRIFT_SLACK_NS:
                self.fail(
                    f"{car.name}: the clock is {wrong / MS:.1f} ms wrong, "
                    f"said to be within {view.clock_uncertainty_ns / MS:.1f} ms"
                )


def _seconds(duration_ns: int | None) -> str:
    return "without ever" if duration_ns is None else f"{duration_ns / SECOND:.3f} s"


def _order_of(command: v.Command) -> str:
    """Return the order that a command of the hub repeats: its id without epoch and seq."""
    return command.command_id.rsplit("-", 2)[0]
