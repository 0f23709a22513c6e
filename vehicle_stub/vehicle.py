"""The vehicle's decisions in one place: drive, conduct, control, commands, link. Pure.

The shell feeds in what happened, with the vehicle's monotonic time, and drains what
to say. Nothing here waits, reads a clock or knows MQTT.

    vehicle.on_command(data, retained, now_ns)
    vehicle.on_frame(data, now_ns)              # data channel; by_hub: the stream `drive`
    vehicle.on_hub_heartbeat(message, now_ns)
    vehicle.on_time(now_ns)                     # every 50 ms; safe early, late, twice
    vehicle.take_outputs() -> what to publish or persist, in order

Whatever comes in, what time alone decides comes first (`_catch_up`): a dead-man that ran
out while the shell stood still is over before the next frame is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from protocols.drive import DriveEcho
from protocols.topics import VehicleId
from protocols.vehicle import (
    Command,
    Echo,
    EventAck,
    Heartbeat,
    HubHeartbeat,
    Kind,
    MrmBehaviour,
    RefusalReason,
    ResultState,
    TakeControl,
    Telemetry,
)
from vehicle_stub import checker, drive_frames
from vehicle_stub.answers import Answers
from vehicle_stub.asking import Asking
from vehicle_stub.checker import Accepted, CommandChecker, PersistEpoch, Refused, Repeated
from vehicle_stub.conduct import DRIVEN, Conduct, Input, Phase
from vehicle_stub.control import Control, Lapsed, Why
from vehicle_stub.deadman import DeadMan, Step
from vehicle_stub.drive import Demand, Drive
from vehicle_stub.drive_frames import DriveFrames, Ignored, Limits, Obeyed, StopNow
from vehicle_stub.equipment import Attachment, Conditions, Happening
from vehicle_stub.orders import Orders
from vehicle_stub.outputs import EventRepeater, Output, Outputs, Persist
from vehicle_stub.paths import offered
from vehicle_stub.saying import Saying, snapshot
from vehicle_stub.saying import Snapshot as Snapshot
from vehicle_stub.speed_limit import SpeedLimit

MAX_CURVATURE: Final = 0.2
"""Sharpest it can be driven, 1/m: a radius of 5 m."""


class Vehicle:
    """One vehicle.

    Args:
        silent_mps: At most this fast while no limit of the hub holds.
        happenings: What befalls it, for demonstrations and tests.
        guards, frame_guards: Which checks are made; all of them, but in tests.

    Attributes:
        drive, conduct, control, deadman, checker, frames, limit, conditions: Its parts.
        counts: Totals of commands by outcome, for the log and the tests.
        link_up: The hub was heard within the link's limit.
        encode_ms: What heartbeats say of the cameras (`Heartbeat.encode_ms`).
    """

    def __init__(
        self,
        *,
        vehicle_id: VehicleId,
        kind: Kind,
        session_id: str,
        key: bytes,
        durable_epoch: int,
        drive: Drive,
        fallback: MrmBehaviour,
        stops_on_link_loss: bool,
        link_loss_s: float,
        answer_within_s: float,
        silent_mps: float,
        now_ns: int,
        happenings: Sequence[Happening] = (),
        guards: Sequence[checker.Guard] = checker.GUARDS,
        frame_guards: Sequence[drive_frames.Guard] = drive_frames.GUARDS,
    ) -> None:
        self.drive = drive
        self.limit = SpeedLimit(silent_mps)
        self.conduct = Conduct(fallback)
        self.control = Control()
        self.deadman = DeadMan()
        self.checker = CommandChecker(vehicle_id, key, session_id, durable_epoch, guards)
        limits = Limits(drive.course.cruise_mps, MAX_CURVATURE)
        self.frames = DriveFrames(vehicle_id, key, session_id, limits, frame_guards)
        self.conditions = Conditions(happenings, now_ns)
        self.attachment = Attachment()
        self.counts: dict[str, int] = {}
        self.link_up = False
        self.encode_ms: dict[str, float] = {}
        self.kind = kind
        self.stops_on_link_loss = stops_on_link_loss
        self._session_id = session_id
        self._link_loss_ns = round(link_loss_s * 1e9)
        self.outputs = Outputs(self.count)
        self._events = EventRepeater(self.outputs, self.count)
        self.asking = Asking(session_id, self._events, answer_within_s)
        self._answers = Answers(session_id, self.outputs)
        self._orders = Orders(self)
        fallback_said = fallback if stops_on_link_loss else MrmBehaviour.NONE
        self._saying = Saying(self, session_id, vehicle_id.site, fallback_said)
        self._hub: tuple[int, int] | None = None  # its sent_ns, our received_ns
        self._link_since_ns = now_ns
        self._heartbeat_seq = 0
        self._newest = DriveEcho(0)

    # ---------------------------------------------------------------- what happened

    def on_command(self, data: bytes, retained: bool, now_ns: int) -> None:
        """Take one message of `cmd`."""
        self._catch_up(now_ns)
        verdict = self.checker.check(data, retained, now_ns, self.control.held)
        match verdict:
            case Accepted(command):
                self.count(f"accepted_{type(command.body).__name__.lower()}")
                self._lapsed(self.control.on_epoch(command.epoch))
                self._obey(command, now_ns)
            case Refused(command_id, reason, text):
                self.count(f"refused_{reason.value}")
                if command_id:
                    self._answers.say(command_id, ResultState.REFUSED, now_ns, reason, text)
            case Repeated(command_id):
                self.count("repeated")
                self._answers.again(command_id)
            case PersistEpoch(epoch):
                self.outputs.put(Persist(epoch, data))

    def on_epoch_durable(self, epoch: int, data: bytes, now_ns: int) -> None:
        """The shell wrote `epoch`; the command that brought it is checked again."""
        self.checker.epoch_is_durable(epoch)
        self.on_command(data, False, now_ns)

    def on_epoch_failed(self, data: bytes, now_ns: int) -> None:
        """The disk refused: a vehicle that cannot remember must not obey."""
        command = msgspec.json.decode(data, type=Command)
        self.count("refused_epoch_not_durable")
        self._answers.say(
            command.command_id,
            ResultState.REFUSED,
            now_ns,
            RefusalReason.NOT_POSSIBLE_NOW,
            "the vehicle cannot write its state folder",
        )

    def on_frame(
        self, data: bytes | str, now_ns: int, *, by_hub: bool = False, retained: bool = False
    ) -> None:
        """Take one control frame, by the data channel or over the hub."""
        self._catch_up(now_ns)
        verdict = self.frames.check(data, now_ns, by_hub=by_hub, retained=retained)
        match verdict:
            case Ignored():
                pass
            case StopNow(command_id, operator):
                self._stop_by_frame(command_id, operator, now_ns)
            case Obeyed():
                self._driven(verdict, now_ns)

    def on_hub_heartbeat(self, message: HubHeartbeat, now_ns: int) -> None:
        """The hub is there. One that was started anew knows nothing of an open request."""
        self._catch_up(now_ns)
        if self.checker.fence_off(message.epoch):
            self.asking.say_again(now_ns)
        self._lapsed(self.control.on_epoch(message.epoch))
        self.control.on_lease(message.epoch, message.leased, now_ns)
        self._hub = (message.sent_ns, now_ns)
        self._link_since_ns = now_ns
        self.link_up = True

    def on_event_ack(self, ack: EventAck) -> None:
        """The hub has recorded an event: stop repeating it."""
        self._events.drop(ack.event_id)

    def on_reconnected(self) -> None:
        """A new connection to the broker: say everything again."""
        self._saying.anew()

    def on_time(self, now_ns: int) -> None:
        """Move, notice what is due, and say what changed."""
        self._catch_up(now_ns)
        for happening in self.conditions.on_time(now_ns):
            text = happening.text or happening.alarm
            self.asking.alarm(happening.alarm, text, now_ns, active=happening.active)
        if self.conditions.person_near:
            self.attachment.pto = False
        demand = self.conduct.demand
        if demand is Demand.GO and self.stops_on_link_loss and not self.heard_hub:
            demand = Demand.COMFORTABLE
        self.drive.step(now_ns, demand, self.limit.mps(now_ns), self.deadman.wish)
        self._notice(now_ns)
        self._events.on_time(now_ns)
        self._saying.state(now_ns)

    # ------------------------------------------------------------------ what to say

    def take_outputs(self) -> list[Output]:
        """Return what has to be said or written since the last call, in order."""
        return self.outputs.take()

    def telemetry(self, now_ns: int) -> Telemetry:
        """Return the next telemetry message."""
        return self._saying.telemetry(now_ns)

    def heartbeat(self, now_ns: int, utc_ns: int) -> Heartbeat:
        """Return the next heartbeat, with the hub's last one given back."""
        self._heartbeat_seq += 1
        echo = None if self._hub is None else Echo(*self._hub)
        return Heartbeat(
            self._session_id,
            self._heartbeat_seq,
            now_ns,
            utc_ns,
            echo,
            self.encode_ms,
            self.drive_echo(),
        )

    def drive_echo(self) -> DriveEcho | None:
        """Return how far frames have come, while control is held for driving."""
        if not self.control.for_driving:
            return None
        return msgspec.structs.replace(
            self._newest, driving=self.deadman.driving, refused=dict(self.frames.refused)
        )

    def snapshot(self, now_ns: int) -> Snapshot:
        """Return what cameras and microphones see and hear."""
        return snapshot(self.drive, self.conduct, now_ns)

    @property
    def heard_hub(self) -> bool:
        """A hub was heard since the start."""
        return self._hub is not None

    # ---------------------------------------------------------- for `orders` and inside

    def feed(self, happened: Input, reason: str = "") -> bool:
        """Change the conduct; nobody's hand is on a vehicle that is not driven."""
        taken = self.conduct.feed(happened, reason)
        if self.conduct.phase is not Phase.REMOTE_DRIVING:
            self.deadman.end()
        return taken

    def begin_control(self, body: TakeControl, epoch: int, now_ns: int) -> None:
        """From now on the holder that `body` names has control, and nobody else."""
        self.control.take(body.holder, body.purpose, epoch, body.silence_ms, now_ns)
        self.conduct.assisted = not self.control.for_driving
        if self.control.for_driving:
            self.frames.begin(self.control.held)
            self._newest = DriveEcho(epoch)

    def end_control(self) -> None:
        """Nobody has control."""
        self.control.release()
        self.frames.end()
        self.deadman.end()
        self.conduct.assisted = False

    def emergency_stop(self, operator: str) -> None:
        """Stop as hard as it can, drives off."""
        self.feed(Input.EMERGENCY_STOP, f"emergency stop by {operator or 'the hub'}")
        self.attachment.pto = False

    def _obey(self, command: Command, now_ns: int) -> None:
        self._orders.carry_out(command, self._answers, now_ns)
        self._saying.state(now_ns)

    def _stop_by_frame(self, command_id: str, operator: str, now_ns: int) -> None:
        if not self.checker.stopped_by_frame(command_id):
            self.count("repeated")
            return
        self.count("accepted_stopframe")
        self.emergency_stop(operator)
        self._answers.say(command_id, ResultState.RECEIVED, now_ns)
        self._answers.say(command_id, ResultState.APPLIED, now_ns)
        self._saying.state(now_ns)

    def _driven(self, obeyed: Obeyed, now_ns: int) -> None:
        frame, issued_ns, by_hub = obeyed
        if self.conduct.phase not in DRIVEN:
            self.frames.ignore("not_driven")
            return
        step = self.deadman.on_frame(frame, issued_ns, self.drive.standing)
        match step:
            case Step.NOT_CENTRED | Step.NOT_STANDING:
                self.frames.ignore(step.value)
                return
            case Step.PRESSED:
                self.feed(Input.PRESSED)
            case Step.LET_GO:
                self.feed(Input.LET_GO, "the dead-man is let go")
        self._newest = DriveEcho(frame.epoch, frame.seq, now_ns, by_hub=by_hub)

    def _catch_up(self, now_ns: int) -> None:
        """What time alone has decided by now, whenever this comes to be asked."""
        if self.deadman.expired(now_ns):
            self._lapsed(self.control.lapse(Why.NOT_DRIVEN))
        self._lapsed(self.control.on_time(now_ns))
        if self._hub is None or now_ns - self._link_since_ns < self._link_loss_ns:
            return
        self.link_up = False
        if self.stops_on_link_loss or self.conduct.phase in DRIVEN:
            self.feed(Input.LINK_LOST, "link lost: the hub is not heard")

    def _lapsed(self, lapsed: Lapsed | None) -> None:
        if lapsed is None:
            return
        self.count(f"control_lapsed_{lapsed.why.name.lower()}")
        self.end_control()
        if lapsed.for_driving:
            self.feed(Input.LAPSED, f"{lapsed.holder} does not drive any more: {lapsed.why}")

    def _notice(self, now_ns: int) -> None:
        """What has come of the motion."""
        phase, drive = self.conduct.phase, self.drive
        if phase in (Phase.DRIVING, Phase.FOLLOWING) and drive.blocked:
            self._ask(now_ns)
        elif phase is Phase.FOLLOWING and drive.path_done:
            self.feed(Input.ARRIVED)
        elif phase is Phase.PULLING_OVER and drive.pulled_over:
            self.feed(Input.ARRIVED, "pulled over: waiting for a person")
        if drive.standing:
            self.feed(Input.STANDING)
            self._answers.stands(now_ns)
        if phase is Phase.WAITING and self.asking.open and now_ns >= self.asking.until_ns:
            self.feed(Input.UNANSWERED, "obstacle: nobody answered in time")
        asks = self.asking.open is not None
        if asks and phase is not Phase.WAITING and drive.obstacle_ahead() is None:
            self.asking.close(now_ns)  # somebody drove past it

    def _ask(self, now_ns: int) -> None:
        self.feed(Input.BLOCKED, "obstacle: waiting for a person")
        gap_m = self.drive.obstacle_ahead() or 0.0
        options, paths = offered(self.drive, gap_m)
        self.asking.ask(gap_m, options, paths, now_ns)

    def count(self, what: str) -> None:
        """Count one more of it."""
        self.counts[what] = self.counts.get(what, 0) + 1
