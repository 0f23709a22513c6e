"""What the hub knows. Owned and changed by the core alone; each value with its time.

Handlers change a `VehicleRecord` in place and return effects. Nothing here decides.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from protocols import operator, vehicle
from protocols.authority import SeatReport
from protocols.drive import DriveEcho
from protocols.topics import VehicleId
from supervisor.core.alarms import AlarmBoard
from supervisor.core.catalogue import CATALOGUE
from supervisor.core.clocksync import ClockSync
from supervisor.core.config import CoreConfig
from supervisor.core.control import Control
from supervisor.core.coverage import Covered
from supervisor.core.duties import DutyBoard
from supervisor.core.effects import ShowVehicle
from supervisor.core.entries import AttentionBoard
from supervisor.core.events import Operator
from supervisor.core.handover_board import HandoverBoard
from supervisor.core.ledger import Ledger
from supervisor.core.links import Link
from supervisor.core.loop import Loop
from supervisor.core.orders import Order
from supervisor.core.sequences import Sequence
from supervisor.core.streams import StreamTrack
from supervisor.core.supervised import Supervised

PAST_SESSIONS: Final = 16
KEPT_EVENT_IDS: Final = 512
KEPT_ROUTED: Final = 200
ORDER_AGAIN_NS: Final = 2_000_000_000
"""A minimal-risk manoeuvre is asked for again after this, while it is wanted."""


class CommandRecord:
    """One command under way or done.

    Attributes:
        deadline_ns: When it ends as unconfirmed (or, unsent, as refused).
        sent: Handed to the shell; from then on the vehicle may have it.
        handed_ns: When.
        session_id: The vehicle session it was made for.
        by: The console that asked for it.
        epoch: Of the control it was asked under; 0: it needs none.
    """

    __slots__ = ("body", "by", "deadline_ns", "epoch", "handed_ns", "sent", "session_id", "view")

    def __init__(
        self, view: operator.CommandView, body: vehicle.Body, deadline_ns: int, by: str
    ) -> None:
        self.view = view
        self.body = body
        self.deadline_ns = deadline_ns
        self.sent = False
        self.handed_ns = 0
        self.session_id = ""
        self.by = by
        self.epoch = 0


class Seat:
    """One console of somebody who may have control.

    Attributes:
        report, report_at_ns: What it last said of itself; None: nothing yet.
        why_not: Why it was not armed at the last look; empty: it was.
        requests, load: As in `SeatView`; kept by `core.attention`.
        routed_ns: When entries came to it lately.
        handed_over: Its shift is somebody else's, until its next start-of-shift check.
    """

    __slots__ = (
        "connected_ns",
        "handed_over",
        "load",
        "operator",
        "report",
        "report_at_ns",
        "requests",
        "routed_ns",
        "why_not",
    )

    def __init__(self, who: Operator, now_ns: int) -> None:
        self.operator = who
        self.connected_ns = now_ns
        self.report: SeatReport | None = None
        self.report_at_ns = 0
        self.why_not: tuple[str, ...] = ("no_report",)
        self.requests = 0
        self.load = 0.0
        self.routed_ns: deque[int] = deque(maxlen=KEPT_ROUTED)
        self.handed_over = False


class EventMemory:
    """An event id that has been seen: is its record still being written, or durable."""

    __slots__ = ("recorded", "writing")

    def __init__(self) -> None:
        self.writing = True
        self.recorded = False


class VehicleRecord:
    """One configured vehicle.

    Attributes:
        name_text: `site/vehicle`, as views and alarms name it.
        session_id: The vehicle's present session; "" before the first.
        link_since_ns: Since when the link is as it is, as of the last look, which found
            `link_looked`; None: since the start.
        beat_sent_ns, beat_at_ns: Last heartbeat of that session, on the vehicle's and
            on the hub's clock: the base of the estimated vehicle clock.
        telemetry_expected_ns: From when telemetry is due (the link came up).
        state_at_ns: When the vehicle itself confirmed `state`; None for old news.
        epoch, command_seq: Fencing of commands; seq rises within the epoch.
        media_session: Publisher session; "" while none.
        in_flight: Commands without an end; `commands` holds these and the finished.
        tick_ns: When its deadlines are looked at next.
        gaps: Cameras without a new picture, as of the last look.
        moving_since_ns: Since when telemetry says that it moves; None: it stands.
        encode_ms: By camera, as the vehicle says.
        drive_echo: How far its driver's frames have come, as its newest heartbeat says.
        loop: How late pictures and commands are.
        supervised: Verdicts and enforcement.
        control: Who has control of it.
        limit_order, manoeuvre_order: What the hub itself orders it.
        coverage: Who has it on screen.
        unanswered: Request because of which its minimal-risk manoeuvre is asked for; empty:
            none. Those for which it has been are `given_up`.
        command_troubles: Alarms about commands that went wrong, and when they last did.
        alarm_said_ns: By alarm, when the vehicle last spoke of it, on its clock.
        route_leg: The leg of its route it was nearest to at the last look.
        route_search_ns: From when the whole route may be searched again.
        show: The effect that tells consoles to look again.
    """

    def __init__(
        self, vehicle_id: VehicleId, kind: vehicle.Kind, name: str, epoch: int, config: CoreConfig
    ) -> None:
        self.vehicle_id = vehicle_id
        self.name_text = str(vehicle_id)
        self.kind = kind
        self.name = name
        self.epoch = epoch
        self.command_seq = 0
        self.show = ShowVehicle(vehicle_id)

        self.session_id = ""
        self.past_sessions: deque[str] = deque(maxlen=PAST_SESSIONS)
        self.link = Link(int(config.link_degraded_s * 1e9), int(config.link_lost_s * 1e9))
        self.link_looked = self.link.state
        self.link_since_ns: int | None = None
        self.clock = ClockSync(int(config.clock_trusted_ms * 1e6))
        self.beats = Sequence()
        self.beat_sent_ns: int | None = None
        self.beat_at_ns: int | None = None

        self.factsheet: vehicle.Factsheet | None = None
        self.telemetry: vehicle.Telemetry | None = None
        self.telemetry_at_ns: int | None = None
        self.telemetry_expected_ns: int | None = None
        self.telemetry_order = Sequence()
        self.stale = False
        self.state: vehicle.State | None = None
        self.state_at_ns: int | None = None
        self.state_order = Sequence()

        self.media_session = ""
        self.media_expected_ns: int | None = None
        self.streams: dict[str, StreamTrack] = {}
        self.live_shown: tuple[str, ...] = ()

        self.events: OrderedDict[str, EventMemory] = OrderedDict()
        self.requests: dict[str, operator.RequestView] = {}
        self.open_requests: dict[str, operator.RequestView] = {}
        self.ended_requests: deque[tuple[int, str]] = deque()
        self.commands: dict[str, CommandRecord] = {}
        self.in_flight: dict[str, CommandRecord] = {}
        self.tick_ns = 0
        self.gaps: list[str] = []
        self.moving_since_ns: int | None = None
        self.encode_ms: dict[str, float] = {}
        self.drive_echo: DriveEcho | None = None
        self.loop = Loop()
        self.supervised = Supervised(config, vehicle_id.site)
        self.control = Control(self.name_text, epoch)
        hold_ns = int(config.governor.hold_s * 1e9)
        self.limit_order = Order("limit", int(config.governor.renew_s * 1e9), hold_ns)
        self.manoeuvre_order = Order("minimal_risk", ORDER_AGAIN_NS, ORDER_AGAIN_NS)
        self.finished: deque[tuple[int, str]] = deque()
        self.command_troubles: dict[str, int] = {}
        self.alarm_said_ns: dict[str, int] = {}
        self.route_leg = 0
        self.route_search_ns = 0
        self.coverage = Covered()
        self.unanswered = ""
        self.given_up: dict[str, None] = {}

    def remember_event(self, event_id: str) -> EventMemory:
        """Return a fresh memory of an event id; the oldest beyond the bound is forgotten."""
        memory = self.events[event_id] = EventMemory()
        while len(self.events) > KEPT_EVENT_IDS:
            self.events.popitem(last=False)
        return memory

    def vehicle_clock_ns(self, now_ns: int) -> int:
        """Return the vehicle's monotonic clock as far as the last beat tells; 0: unknown."""
        if self.beat_sent_ns is None or self.beat_at_ns is None:
            return 0
        return self.beat_sent_ns + now_ns - self.beat_at_ns

    @property
    def place(self) -> tuple[str, str]:
        """Site and kind: the labels of what is measured of it."""
        return self.vehicle_id.site, str(self.kind)


class Fleet:
    """Everything `step` reads and changes.

    Attributes:
        asked: Ids of the commands asked for, newest last; an id has one effect, ever.
        by_name: The vehicles by `site/vehicle`.
        shown: By session, the vehicles its console shows.
        seats: By session, the consoles of those who may have control.
        duties: Checklists with clocks.
        attention: Who needs a person, and whose turn it is.
        handover: What the next shift has to know, and who hands over to whom.
        last_tick_ns: When time was last looked at.
        ending: The hub was asked to end: nobody is given control any more.
    """

    def __init__(self, config: CoreConfig | None = None) -> None:
        self.config = CoreConfig() if config is None else config
        self.vehicles: dict[VehicleId, VehicleRecord] = {}
        self.by_name: dict[str, VehicleRecord] = {}
        self.shown: dict[str, tuple[str, ...]] = {}
        self.operators: dict[str, Operator] = {}
        self.seats: dict[str, Seat] = {}
        self.presentations: dict[str, operator.PresentationReport] = {}
        self.ledger = Ledger()
        self.alarms = AlarmBoard(CATALOGUE, self.ledger)
        self.duties = DutyBoard(self.config)
        self.attention = AttentionBoard()
        self.handover = HandoverBoard()
        self.asked: OrderedDict[str, None] = OrderedDict()
        self.broker_connected: bool | None = None
        self.last_tick_ns: int | None = None
        self.ending = False
