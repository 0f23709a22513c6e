"""The vehicle's decisions in one place: drive, conduct, commands, link, events. Pure.

The shell feeds in what happened, with the vehicle's monotonic time, and drains what
to say. Nothing here waits, reads a clock or knows MQTT.

    vehicle.on_command(data, retained, now_ns)
    vehicle.on_hub_heartbeat(message, now_ns)
    vehicle.on_time(now_ns)                     # every 50 ms; safe early, late, twice
    vehicle.take_outputs() -> what to publish or persist, in order
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import msgspec

from protocols.topics import Stream, VehicleId
from protocols.vehicle import (
    Command,
    CommandResult,
    Echo,
    EventAck,
    EventKind,
    Heartbeat,
    HubHeartbeat,
    Kind,
    LimitSpeed,
    MinimalRisk,
    MrmBehaviour,
    Odd,
    RefusalReason,
    ResultState,
    Resume,
    State,
    Stop,
    Telemetry,
    VehicleEvent,
)
from vehicle_stub.checker import (
    Accepted,
    CommandChecker,
    PersistEpoch,
    Refused,
    Repeated,
)
from vehicle_stub.conduct import Conduct, Input, Phase
from vehicle_stub.drive import Demand, Drive
from vehicle_stub.outputs import EventRepeater, Output, Outputs, Persist, Publish
from vehicle_stub.radio import RadioModel
from vehicle_stub.speed_limit import SpeedLimit

STATE_EVERY_NS: Final = 5_000_000_000
MAX_RESULTS: Final = 1_024
_UNAUTHENTICATED: Final = (
    RefusalReason.BAD_TAG,
    RefusalReason.MALFORMED,
    RefusalReason.UNKNOWN_TYPE,
    RefusalReason.RETAINED,
)
ENERGY_PER_M: Final = 1 / 120_000.0
"""A full battery carries it 120 km."""


class Snapshot(NamedTuple):
    """What a camera or a microphone needs to know, taken at `at_ns`."""

    at_ns: int
    distance: float
    travelled: float
    speed: float
    obstacle_m: float | None
    doors_open: bool
    braking: bool


class Vehicle:
    """One vehicle.

    Args:
        silent_mps: At most this fast while no limit of the hub holds.

    Attributes:
        drive, conduct, checker, limit: Its parts.
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
    ) -> None:
        self.drive = drive
        self.limit = SpeedLimit(silent_mps)
        self.conduct = Conduct(fallback)
        self.checker = CommandChecker(vehicle_id, key, session_id, durable_epoch)
        self.counts: dict[str, int] = {}
        self.link_up = False
        self._kind = kind
        self._session_id = session_id
        self._fallback = fallback
        self._stops_on_link_loss = stops_on_link_loss
        self._link_loss_ns = round(link_loss_s * 1e9)
        self._answer_within_s = answer_within_s
        self.encode_ms: dict[str, float] = {}
        self._radio = RadioModel(vehicle_id.site)
        self._outputs = Outputs(self._count)
        self._events = EventRepeater(self._outputs, self._count)
        self._results: dict[str, list[CommandResult]] = {}
        self._next_event = 1
        self._request: VehicleEvent | None = None
        self._request_until_ns = 0
        self._hub: tuple[int, int] | None = None  # its sent_ns, our received_ns
        self._link_since_ns = now_ns
        self._state_seq = 0
        self._telemetry_seq = 0
        self._heartbeat_seq = 0
        self._last_state: State | None = None
        self._last_state_ns = 0

    # ---------------------------------------------------------------- what happened

    def on_command(self, data: bytes, retained: bool, now_ns: int) -> None:
        """Take one message of `cmd`."""
        verdict = self.checker.check(data, retained, now_ns)
        match verdict:
            case Accepted(command):
                self._count(f"accepted_{type(command.body).__name__.lower()}")
                self._apply(command, now_ns)
            case Refused(command_id, reason, text):
                self._count(f"refused_{reason.value}")
                if command_id:
                    self._answer(command_id, ResultState.REFUSED, now_ns, reason, text)
            case Repeated(command_id):
                self._count("repeated")
                for result in self._results.get(command_id, []):
                    self._outputs.put(Publish(Stream.CMD_RESULT, result))
            case PersistEpoch(epoch):
                self._outputs.put(Persist(epoch, data))

    def on_epoch_durable(self, epoch: int, data: bytes, now_ns: int) -> None:
        """The shell wrote `epoch`; the command that brought it is checked again."""
        self.checker.epoch_is_durable(epoch)
        self.on_command(data, False, now_ns)

    def on_epoch_failed(self, data: bytes, now_ns: int) -> None:
        """The disk refused: a vehicle that cannot remember must not obey."""
        command = msgspec.json.decode(data, type=Command)
        self._count("refused_epoch_not_durable")
        self._answer(
            command.command_id,
            ResultState.REFUSED,
            now_ns,
            RefusalReason.NOT_POSSIBLE_NOW,
            "the vehicle cannot write its state folder",
        )

    def on_hub_heartbeat(self, message: HubHeartbeat, now_ns: int) -> None:
        """The hub is there. One that was started anew knows nothing of an open request."""
        if self.checker.fence_off(message.epoch) and self._request is not None:
            self._events.add(self._request, now_ns)
        self._hub = (message.sent_ns, now_ns)
        self._link_since_ns = now_ns
        self.link_up = True

    def on_event_ack(self, ack: EventAck) -> None:
        """The hub has recorded an event: stop repeating it."""
        self._events.drop(ack.event_id)

    def on_reconnected(self) -> None:
        """A new connection to the broker: say everything again."""
        self._last_state = None

    def on_time(self, now_ns: int) -> None:
        """Move, notice what is due, and say what changed."""
        held = self._stops_on_link_loss and self._hub is None
        demand = Demand.COMFORTABLE if held else self.conduct.demand
        self.drive.step(now_ns, demand, self.limit.mps(now_ns))
        if self.conduct.phase is Phase.DRIVING and self.drive.blocked:
            self._ask(now_ns)
        if self.drive.standing:
            self.conduct.feed(Input.STANDING)
        if (
            self.conduct.phase is Phase.WAITING
            and self._request is not None
            and now_ns >= self._request_until_ns
        ):
            self.conduct.feed(Input.UNANSWERED, "obstacle: nobody answered in time")
        self._watch_link(now_ns)
        self._events.on_time(now_ns)
        self._say_state(now_ns)

    # ------------------------------------------------------------------ what to say

    def take_outputs(self) -> list[Output]:
        """Return what has to be said or written since the last call, in order."""
        return self._outputs.take()

    def telemetry(self, now_ns: int) -> Telemetry:
        """Return the next telemetry message."""
        pose = self.drive.pose()
        longitude, latitude = self.drive.course.frame.to_degrees(pose.east, pose.north)
        self._telemetry_seq += 1
        return Telemetry(
            session_id=self._session_id,
            seq=self._telemetry_seq,
            sent_ns=now_ns,
            longitude=round(longitude, 7),
            latitude=round(latitude, 7),
            heading_deg=round(math.degrees(pose.heading) % 360.0, 2) % 360.0,
            speed_mps=round(self.drive.speed, 3),
            mode=self.conduct.words.mode,
            speed_limit_mps=round(min(self.drive.course.cruise_mps, self.limit.mps(now_ns)), 3),
            progress=round(self.drive.progress, 5),
            next_stop=self.drive.next_stop,
            energy=round(max(0.0, 0.92 - self.drive.travelled * ENERGY_PER_M), 4),
            radio=self._radio.at(pose.east, pose.north),
        )

    def heartbeat(self, now_ns: int, utc_ns: int) -> Heartbeat:
        """Return the next heartbeat, with the hub's last one given back."""
        self._heartbeat_seq += 1
        echo = None if self._hub is None else Echo(*self._hub)
        return Heartbeat(
            self._session_id, self._heartbeat_seq, now_ns, utc_ns, echo, self.encode_ms
        )

    def snapshot(self, now_ns: int) -> Snapshot:
        """Return what cameras and microphones see and hear."""
        return Snapshot(
            now_ns,
            self.drive.distance,
            self.drive.travelled,
            self.drive.speed,
            self.drive.obstacle_ahead(),
            self.drive.doors_open,
            self.conduct.phase in (Phase.BRAKING, Phase.MRM_BRAKING),
        )

    # ---------------------------------------------------------------------- inside

    def _apply(self, command: Command, now_ns: int) -> None:
        match command.body:
            case Stop():
                self.conduct.feed(Input.STOP, f"stop command by {command.operator or 'the hub'}")
                self._answer(command.command_id, ResultState.RECEIVED, now_ns)
                self._answer(command.command_id, ResultState.APPLIED, now_ns)
                self._say_state(now_ns)
            case Resume(request_id):
                self._answer(command.command_id, ResultState.RECEIVED, now_ns)
                obstacle = self._why_not_resume(request_id)
                if obstacle:
                    self._count("refused_not_possible_now")
                    self._answer(
                        command.command_id,
                        ResultState.REFUSED,
                        now_ns,
                        RefusalReason.NOT_POSSIBLE_NOW,
                        obstacle,
                    )
                    return
                self.conduct.feed(Input.RESUME)
                self._clear_request(now_ns)
                self._answer(command.command_id, ResultState.APPLIED, now_ns)
                self._say_state(now_ns)
            case LimitSpeed(mps, hold_ms, _):
                self.limit.obey(mps, command.issued_ns, hold_ms, now_ns)
                self._answer(command.command_id, ResultState.APPLIED, now_ns)
            case MinimalRisk(reason):
                self.conduct.feed(Input.MINIMAL_RISK, f"asked by the hub: {reason}"[:200])
                self._answer(command.command_id, ResultState.APPLIED, now_ns)
                self._say_state(now_ns)

    def _why_not_resume(self, request_id: str) -> str:
        open_id = "" if self._request is None else self._request.event_id
        if request_id and request_id != open_id:
            return "that request is not open any more"
        match self.conduct.phase:
            case Phase.DRIVING:
                return "it is driving already"
            case Phase.BRAKING | Phase.MRM_BRAKING:
                return "it is still braking"
            case Phase.WAITING | Phase.STOPPED | Phase.MRM_STOPPED:
                pass
        if self._stops_on_link_loss and not self.link_up:
            return "the link to the hub is lost"
        return ""

    def _ask(self, now_ns: int) -> None:
        self.conduct.feed(Input.BLOCKED, "obstacle: waiting for a person")
        gap = self.drive.obstacle_ahead() or 0.0
        request = VehicleEvent(
            session_id=self._session_id,
            event_id=self._event_id(),
            kind=EventKind.TAKEOVER_REQUESTED,
            sent_ns=now_ns,
            reason="obstacle",
            text=f"前方 {gap:.0f} m に障害物。判断をお願いします / "
            f"Obstacle {gap:.0f} m ahead. A person has to decide",
            respond_within_s=self._answer_within_s,
        )
        self._request = request
        self._request_until_ns = now_ns + round(self._answer_within_s * 1e9)
        self._events.add(request, now_ns)

    def _clear_request(self, now_ns: int) -> None:
        if self._request is None:
            return
        self.drive.pass_obstacle()
        self._events.drop(self._request.event_id)
        self._events.add(
            VehicleEvent(
                session_id=self._session_id,
                event_id=self._event_id(),
                kind=EventKind.TAKEOVER_CLEARED,
                sent_ns=now_ns,
                reason="obstacle",
                subject_id=self._request.event_id,
            ),
            now_ns,
        )
        self._request = None

    def _event_id(self) -> str:
        number = self._next_event
        self._next_event += 1
        return f"{self._session_id[:32]}-{number}"

    def _watch_link(self, now_ns: int) -> None:
        if self._hub is None or now_ns - self._link_since_ns < self._link_loss_ns:
            return
        self.link_up = False
        if self._stops_on_link_loss:
            self.conduct.feed(Input.LINK_LOST, "link lost: the hub is not heard")

    def _say_state(self, now_ns: int) -> None:
        mode, mrm, behaviour = self.conduct.words
        reason = self.conduct.reason
        if not reason and self.drive.done:
            reason = "end of the route"
        elif not reason and self.drive.doors_open:
            reason = f"at stop: {self.drive.next_stop}"
        if not reason and not self.link_up:
            if self._hub is not None:
                reason = "link lost: continuing inside the ODD"
            elif self._stops_on_link_loss:
                reason = "waiting for the hub"
        last = self._last_state
        same = last is not None and (
            (last.mode, last.mrm, last.behaviour, last.reason) == (mode, mrm, behaviour, reason)
        )
        if same and now_ns - self._last_state_ns < STATE_EVERY_NS:
            return
        self._state_seq += 1
        self._last_state = State(
            session_id=self._session_id,
            seq=self._state_seq,
            mode=mode,
            mrm=mrm,
            behaviour=behaviour,
            odd=Odd.INSIDE,
            fallback=self._fallback if self._stops_on_link_loss else MrmBehaviour.NONE,
            reason=reason[:500],
        )
        self._last_state_ns = now_ns
        self._outputs.put(Publish(Stream.STATE, self._last_state))

    def _answer(
        self,
        command_id: str,
        state: ResultState,
        now_ns: int,
        reason: RefusalReason = RefusalReason.NONE,
        text: str = "",
    ) -> None:
        result = CommandResult(self._session_id, command_id, state, now_ns, reason, text[:500])
        # A refusal is remembered only for an id the checker remembers too, and a stranger's
        # refused forgery must not stand before the answer to the real command.
        if reason not in _UNAUTHENTICATED:
            self._results.setdefault(command_id, []).append(result)
            while len(self._results) > MAX_RESULTS:
                self._results.pop(next(iter(self._results)))
        self._outputs.put(Publish(Stream.CMD_RESULT, result))

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
