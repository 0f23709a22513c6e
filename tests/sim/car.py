"""A simulated vehicle: the real decisions of `vehicle_stub.vehicle`, a simulated shell.

The shell does what `vehicle_stub.uplink` does: two kinds of traffic over one way,
results kept while there is no connection, events left to their repetition, the epoch
written to a disk that takes time and loses what was not written when the vehicle dies.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from protocols import vehicle as v
from protocols.topics import Stream, VehicleId
from sim.broker import KEEPALIVE_NS, Broker, Way
from sim.clockwork import GRID_NS, MS, SECOND, Clockwork
from supervisor.core import events as e
from vehicle_stub.conduct import Phase
from vehicle_stub.course import Course
from vehicle_stub.drive import Drive
from vehicle_stub.geo import Line, LocalFrame, Point
from vehicle_stub.outputs import Persist, Publish
from vehicle_stub.vehicle import Vehicle

if TYPE_CHECKING:
    from sim.referee import Referee

STEP_NS: Final = 100 * MS
NUMBERS_EVERY: Final = 2
BEAT_EVERY: Final = 5
DEAF_STEPS: Final = 5
"""Steps without a sign of the hub on the media path until it says so."""

LINK_LOSS_S: Final = 2.0
MAX_RESULTS_WAITING: Final = 128
COURSE: Final = Course(Line([Point(0, 0), Point(0, 1_000)]), LocalFrame(139.0, 36.0), 5.5)
FACTSHEET: Final = v.Factsheet(
    kind=v.Kind.BUS,
    name="Bus",
    cameras=[v.CameraInfo("front", 1280, 720, 30.0, 3000)],
    audio=True,
    commands=[
        *("stop", "emergency_stop", "resume", "wait", "pull_over", "limit_speed"),
        *("minimal_risk", "take_control", "release_control"),
    ],
    max_speed_mps=5.5,
)
SILENT_MPS: Final = 2.0
"""Its own limit while none of the hub's holds."""

NTP_EPOCH_S: Final = 2_208_988_800


class Car:
    """One vehicle over all its starts.

    Attributes:
        name: Its id.
        way: Its connection to the broker.
        disk_epoch: What survives a restart.
        wall_ns: Wall clock minus monotonic clock, stepped by faults.
        limit: The last limit it obeyed, m/s, and until when on its own clock.
        speed_bound: What its speed may be now at most, as the referee sees it.
        newest_packet_ns, newest_frame_ns: As `last_packet_ns` and `last_frame_ns`, over all
            media sessions: what was seen before a new dial stays evidence until it is old.
        quiet: Numbers or beats it does not send, or "ears" that hear nothing of the hub, by a
            fault; "": all is well.
    """

    def __init__(
        self, clockwork: Clockwork, broker: Broker, referee: Referee, name: VehicleId, loss: float
    ) -> None:
        chance = clockwork.chance
        self.name = name
        self.key = bytes([1 + len(broker.cars)]) * 32
        self.way = Way(clockwork, loss, (5, chance.choice((20, 60, 150))))
        self.disk_epoch = 0
        self.wall_ns = 1_790_000_000 * SECOND + chance.randrange(-5, 5) * SECOND
        self.quiet = ""
        self.picture_frozen = False
        self.alive = False
        self.starts = 0
        self.session = ""
        self._clockwork = clockwork
        self._broker = broker
        self._referee = referee
        self._drift_ppm = chance.choice((0, 0, -30, 30))
        self._base_ns = chance.randrange(1, 10_000) * SECOND
        self.stops_on_link_loss = chance.random() < 0.5
        self._obstacles = sorted(chance.randrange(20, 200) for _ in range(chance.randrange(3)))
        self._phase_ns = clockwork.some(0, 95)
        self._waiting: deque[v.CommandResult] = deque(maxlen=MAX_RESULTS_WAITING)
        self._beat_heard_ns: int | None = None
        self.waiting_since = 0
        self.limit = SILENT_MPS, 0
        self.speed_bound = SILENT_MPS
        self.heard_epoch = 0
        self._packets = self._frames = 0
        self._last_packet_ns: int | None = None
        self._last_frame_ns: int | None = None
        self.newest_packet_ns: int | None = None
        self.newest_frame_ns: int | None = None
        self._sender: tuple[int, int, int] | None = None
        self.media_session = ""
        self._media_starts = 0
        broker.cars.append(self)

    def now_ns(self) -> int:
        """The vehicle's monotonic clock."""
        now = self._clockwork.now
        return self._base_ns + now + now * self._drift_ppm // 1_000_000

    # ----------------------------------------------------------------- life

    def start(self) -> None:
        """Start the client: a new session, the epoch from the disk."""
        self.starts += 1
        self.session = f"run-{self.starts}"
        self.alive = True
        self._clockwork.note(str(self.name), "starts", self.session, f"epoch {self.disk_epoch}")
        now_ns = self.now_ns()
        self.vehicle = Vehicle(
            vehicle_id=self.name,
            kind=v.Kind.BUS,
            session_id=self.session,
            key=self.key,
            durable_epoch=self.disk_epoch,
            drive=Drive(
                COURSE, start_m=1.0, obstacles=self._obstacles, dwell_s=5.0, loop=False,
                now_ns=now_ns,
            ),
            fallback=v.MrmBehaviour.COMFORTABLE_STOP,
            stops_on_link_loss=self.stops_on_link_loss,
            link_loss_s=LINK_LOSS_S,
            answer_within_s=10.0,
            silent_mps=SILENT_MPS,
            now_ns=now_ns,
        )  # fmt: skip
        self._telemetry_seq = 0
        self._waiting.clear()
        self._beat_heard_ns = None
        self._deaf_steps = 0
        self.limit = SILENT_MPS, 0
        self.speed_bound = SILENT_MPS
        self.heard_epoch = 0
        self._clockwork.after(self._phase_ns, self._step, self.starts, 0)
        self._clockwork.after(self._clockwork.some(50, 500), self.dial, self.starts)
        self._clockwork.after(self._clockwork.some(500, 1_500), self._publish_media, self.starts)

    def die(self, *, politely: bool) -> None:
        """The client ends; only what is on its disk is left."""
        self._clockwork.note(str(self.name), "ends", "politely" if politely else "")
        if politely and self.way.connected:
            goodbye = v.Connection(v.ConnectionState.OFFLINE, self.session)
            self._say(1, e.ConnectionReceived(self.name, goodbye), "connection")
        self.alive = False
        self.end_media()
        if not politely and self.way.connected:
            delay = KEEPALIVE_NS if self.way.cut else GRID_NS
            self._clockwork.after(delay, self._broker.will, self, self.session)
        self._clockwork.after(300 * MS if politely else 0, self._forget_way, self.starts)

    def _forget_way(self, start: int) -> None:
        if start == self.starts and not self.alive:
            self.way.drop()

    # ------------------------------------------------------------ connection

    def dial(self, start: int) -> None:
        """Connect to the broker, if it is there."""
        if start != self.starts or not self.alive or self.way.connected:
            return
        if not self._broker.up or self.way.cut:
            self._clockwork.after(self._clockwork.some(200, 1_000), self.dial, start)
            return
        self.way.connect()
        online = v.Connection(v.ConnectionState.ONLINE, self.session)
        self._say(1, e.ConnectionReceived(self.name, online), "connection")
        self._say(1, e.FactsheetReceived(self.name, FACTSHEET), "factsheet")
        self.vehicle.on_reconnected()
        while self._waiting:
            self._say(1, e.CommandResultReceived(self.name, self._waiting.popleft()))

    def lose_connection(self) -> None:
        """The connection broke; dial again soon."""
        if self.way.connected:
            self.way.drop()
            self._clockwork.after(self._clockwork.some(100, 2_000), self.dial, self.starts)

    def cut(self, duration_ns: int) -> None:
        """The radio is gone for a while."""
        if self.way.cut:
            return
        self._clockwork.note(str(self.name), f"cut for {duration_ns / SECOND:.3f} s")
        self.way.cut = True
        self.way.troubled = self._clockwork.now
        if self.way.connected and duration_ns >= KEEPALIVE_NS:
            generation = self.way.generation
            self._clockwork.after(KEEPALIVE_NS, self._give_up, generation, self.session)
        self._clockwork.after(duration_ns, self._healed)

    def _give_up(self, generation: int, session: str) -> None:
        if self.way.cut and self.way.generation == generation and self.alive:
            self._broker.will(self, session)
            self.lose_connection()

    def _healed(self) -> None:
        self._clockwork.note(str(self.name), "heals")
        self.way.heal()

    # ----------------------------------------------------------------- moving

    def _step(self, start: int, count: int) -> None:
        if start != self.starts or not self.alive:
            return
        self._clockwork.after(STEP_NS, self._step, start, count + 1)
        now_ns = self.now_ns()
        vehicle = self.vehicle
        vehicle.on_time(now_ns)
        if vehicle.conduct.phase is not Phase.WAITING:
            self.waiting_since = self._clockwork.now
        heard = self._beat_heard_ns
        self._referee.on_vehicle_time(self, None if heard is None else now_ns - heard)
        self._referee.on_vehicle_speed(self, vehicle.drive.speed, now_ns)
        self.pump()
        self._deaf_steps = self._deaf_steps + 1 if self.quiet == "ears" else 0
        if self._deaf_steps >= DEAF_STEPS and self._deaf_steps % 2 == 0:
            self._say_unheard()
        if not self.way.connected:
            return
        if count % NUMBERS_EVERY == 0 and self.quiet != "numbers":
            self._numbers(now_ns)
        if count % BEAT_EVERY == 0 and self.quiet != "beats":
            beat = vehicle.heartbeat(now_ns, self.wall_ns + now_ns)
            self._say(0, e.HeartbeatReceived(self.name, beat))

    def _numbers(self, now_ns: int) -> None:
        vehicle = self.vehicle
        self._telemetry_seq += 1
        speed = vehicle.drive.speed
        self._say(
            0,
            e.TelemetryReceived(
                self.name,
                v.Telemetry(
                    session_id=self.session,
                    seq=self._telemetry_seq,
                    sent_ns=now_ns,
                    longitude=139.0,
                    latitude=36.0,
                    heading_deg=0.0,
                    speed_mps=speed,
                    mode=vehicle.conduct.words.mode,
                ),
            ),
        )

    def pump(self) -> None:
        """Carry out what the vehicle wants said or written."""
        for output in self.vehicle.take_outputs():
            match output:
                case Persist(epoch, data):
                    delay = self._clockwork.some(5, 30)
                    self._clockwork.after(delay, self._persisted, self.starts, epoch, data)
                case Publish(Stream.STATE, message):
                    self._say(1, e.StateReceived(self.name, message), "state")
                case Publish(Stream.EVENT, message):
                    self._say(1, e.VehicleEventReceived(self.name, message))
                case Publish(_, v.CommandResult() as result):
                    self._referee.on_result(self, result)
                    if self.way.connected:
                        self._say(1, e.CommandResultReceived(self.name, result))
                    else:
                        self._waiting.append(result)

    def _persisted(self, start: int, epoch: int, data: bytes) -> None:
        if start != self.starts or not self.alive:
            return
        if self._clockwork.happens(0.02):
            self.vehicle.on_epoch_failed(data, self.now_ns())
        else:
            self.disk_epoch = max(self.disk_epoch, epoch)
            self._obey(data, lambda: self.vehicle.on_epoch_durable(epoch, data, self.now_ns()))

    def _say(self, qos: int, event: e.AnyEvent, keep_as: str = "") -> None:
        self.way.carry(qos, self._broker.publish, event, keep_as)

    # ---------------------------------------------------------------- hearing

    def hear_command(self, data: bytes, retained: bool) -> None:
        """Bytes of the `cmd` topic, honest or not."""
        if self.alive:
            self._obey(
                data, lambda: self.vehicle.on_command(data, retained, self.now_ns()), retained
            )

    def _obey(self, data: bytes, check, retained: bool = False) -> None:
        before = self._obeyed()
        check()
        if self._obeyed() != before:
            command = msgspec.json.decode(data, type=v.Command)
            self._referee.on_accepted(self, command, retained)
        self.pump()

    def _obeyed(self) -> int:
        counts = self.vehicle.counts
        return sum(number for what, number in counts.items() if what.startswith("accepted_"))

    def hear_beat(self, beat: v.HubHeartbeat) -> None:
        """The hub is there."""
        if self.alive and self.quiet != "ears":
            self._beat_heard_ns = self.now_ns()
            self.heard_epoch = max(self.heard_epoch, beat.epoch)
            self.vehicle.on_hub_heartbeat(beat, self._beat_heard_ns)

    def hear_ack(self, ack: v.EventAck) -> None:
        """The hub has recorded an event."""
        if self.alive:
            self.vehicle.on_event_ack(ack)

    # ------------------------------------------------------------------ media

    def _publish_media(self, start: int) -> None:
        if start != self.starts or not self.alive or not self._broker.hub.alive:
            return
        self._media_starts += 1
        self.media_session = f"m{self._media_starts}"
        self._packets = self._frames = 0
        self._last_packet_ns = self._last_frame_ns = self._sender = None
        self._broker.hub.feed(e.PublisherChanged(self.name, self.media_session, True))

    def restart_media(self) -> None:
        """The worker died, or the vehicle dials again."""
        self.end_media()
        self._clockwork.after(self._clockwork.some(200, 2_000), self._publish_media, self.starts)

    def ask_clock(self) -> None:
        """The media worker asks for this vehicle's clock, over the media path."""
        asked_ns = self._broker.hub.now_ns()
        self._clockwork.after(
            self._clockwork.some(5, 60), self._answer_clock, self.media_session, asked_ns
        )

    def _answer_clock(self, media_session: str, asked_ns: int) -> None:
        if self.hears_media and media_session == self.media_session:
            there_ns = self.now_ns()
            late = self._clockwork.happens(0.2)
            self._clockwork.after(
                self._clockwork.some(500, 1_500) if late else self._clockwork.some(5, 60),
                self._answered,
                (media_session, self.session, asked_ns, there_ns, there_ns),
            )

    def _answered(self, facts: tuple[str, str, int, int, int]) -> None:
        hub = self._broker.hub
        if hub.alive and not self.way.cut:
            hub.feed(e.ClockExchanged(self.name, *facts, hub.now_ns()))

    @property
    def hears_media(self) -> bool:
        """What is sent to it over the media path comes."""
        return self.alive and not self.way.cut and self.quiet != "ears"

    def _say_unheard(self) -> None:
        if self.media_session and not self.way.cut and self._broker.hub.alive:
            hub = self._broker.hub
            hub.feed(e.HubUnheard(self.name, self.media_session, self.session, hub.now_ns()))

    def end_media(self) -> None:
        """The publisher session is gone."""
        if self.media_session and self._broker.hub.alive:
            self._broker.hub.feed(e.PublisherChanged(self.name, self.media_session, False))
        self.media_session = ""

    def sample(self, hub_now_ns: int) -> e.LinkSampled | None:
        """What the media worker sees of this vehicle, five times a second."""
        if not self.media_session:
            return None
        captured_ns = self.now_ns() - 40 * MS
        if self.alive and not self.way.cut:
            self._packets += 60
            self._last_packet_ns = self.newest_packet_ns = hub_now_ns - GRID_NS
            if not self.picture_frozen:
                self._frames += 6
                self._last_frame_ns = self.newest_frame_ns = hub_now_ns - 2 * GRID_NS
                if self._frames % 18 == 0:
                    wall_ns = self.wall_ns + captured_ns
                    ntp = ((wall_ns + NTP_EPOCH_S * SECOND) << 32) // SECOND
                    self._sender = (self._frames * 3_000, ntp, self._clockwork.now - 40 * MS)
        rtp, ntp, _ = self._sender or (None, None, 0)
        stream = e.StreamSample(
            camera="front", kind="video", codec="H264", clock_rate=90_000,
            packets=self._packets, lost=0, bytes=self._packets * 1_000, frames=self._frames,
            keyframes=1, jitter_ms=1.0, last_frame_ns=self._last_frame_ns,
            sender_rtp=rtp, sender_ntp=ntp, last_packet_ns=self._last_packet_ns,
        )  # fmt: skip
        return e.LinkSampled(self.name, self.media_session, [stream])

    @property
    def last_packet_ns(self) -> int | None:
        """When media last arrived at the hub, on the hub's clock."""
        return self._last_packet_ns

    @property
    def last_frame_ns(self) -> int | None:
        """When the last whole picture arrived at the hub, on the hub's clock."""
        return self._last_frame_ns

    @property
    def captured_true_ns(self) -> int | None:
        """True time of the capture that the newest sender report names."""
        return None if self._sender is None else self._sender[2]
