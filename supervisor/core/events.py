"""What can happen to the fleet. Every `*_ns` is the hub's monotonic clock unless
its name says otherwise; the shells stamp events when they arrive."""

from __future__ import annotations

import msgspec

from protocols import vehicle
from protocols.authority import SeatReport
from protocols.duties import AbandonDuty, DutyView, MarkDutyStep, StartDuty
from protocols.handover import HandoverAsk, HandoverView, NoteView
from protocols.operator import PresentationReport, Role
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor.core.alarm_standing import StandingAlarm


class Event(msgspec.Struct, frozen=True, tag=True):
    """Base of all events."""


# ------------------------------------------------------------------- vehicle


class ConnectionReceived(Event, frozen=True):
    """A retained `connection` message (also after each reconnect to the broker)."""

    vehicle_id: VehicleId
    message: vehicle.Connection


class FactsheetReceived(Event, frozen=True):
    """A vehicle said what it is."""

    vehicle_id: VehicleId
    message: vehicle.Factsheet


class StateReceived(Event, frozen=True):
    """A vehicle said what it does. `retained`: old news from the broker's store."""

    vehicle_id: VehicleId
    message: vehicle.State
    retained: bool = False


class TelemetryReceived(Event, frozen=True):
    """Ten times a second from each vehicle."""

    vehicle_id: VehicleId
    message: vehicle.Telemetry


class HeartbeatReceived(Event, frozen=True):
    """The command link is alive."""

    vehicle_id: VehicleId
    message: vehicle.Heartbeat


class VehicleEventReceived(Event, frozen=True):
    """A vehicle asks or reports; may be a repetition."""

    vehicle_id: VehicleId
    message: vehicle.VehicleEvent


class CommandResultReceived(Event, frozen=True):
    """A vehicle answered a command."""

    vehicle_id: VehicleId
    message: vehicle.CommandResult


# --------------------------------------------------------------------- media


class StreamSample(msgspec.Struct, frozen=True, kw_only=True):
    """One stream at the media worker, ten times a second.

    Attributes:
        camera: Name of the camera, or "audio".
        kind: "video" or "audio".
        packets, lost, bytes: Totals of this publisher session; `lost` is before repair.
        repaired: Total of lost packets that came when they were asked again.
        lost_for_good: Total of lost packets given up: loss after repair.
        duplicates: Total of packets that came twice and were not forwarded again.
        frames, keyframes: Totals; a frame counts when its last packet arrived.
        last_frame_ns: When the newest complete frame arrived; None before the first.
        last_packet_ns: When the newest packet arrived; None before the first.
        longest_gap_ms: Longest time between two complete frames since the last sample.
        jitter_ms: RFC 3550 §6.4.1.
        estimate_kbps: What the uplink was found to carry, for all streams of the vehicle
            together; None where the vehicle estimates by itself.
        width, height: Of the newest keyframe, where the codec says it plainly.
        arrived_rtp, arrived_ns: Newest frame that came whole and in order: its RTP
            timestamp in the timeline watchers see, and when its last packet came.
        forward_ms: How long packets were in the media worker, on average since the last
            sample; None when none came.
        sender_rtp, sender_ntp: Newest RTCP sender report, in the timeline watchers
            see: RTP timestamp, and NTP time (64-bit fixed point, *vehicle* wall clock).
    """

    camera: str
    kind: str
    codec: str
    clock_rate: int
    packets: int
    lost: int
    bytes: int
    frames: int
    keyframes: int
    jitter_ms: float
    last_frame_ns: int | None = None
    sender_rtp: int | None = None
    sender_ntp: int | None = None
    repaired: int = 0
    lost_for_good: int = 0
    duplicates: int = 0
    last_packet_ns: int | None = None
    longest_gap_ms: float = 0.0
    estimate_kbps: int | None = None
    width: int | None = None
    height: int | None = None
    arrived_rtp: int | None = None
    arrived_ns: int | None = None
    forward_ms: float | None = None


class LinkSampled(Event, frozen=True):
    """The media worker's report about one publisher."""

    vehicle_id: VehicleId
    session: str
    streams: list[StreamSample]


class PublisherChanged(Event, frozen=True):
    """A vehicle's media session became connected or ended."""

    vehicle_id: VehicleId
    session: str
    connected: bool


class ClockExchanged(Event, frozen=True):
    """The media worker asked a vehicle for its clock over the data channel "link".

    Attributes:
        session: The publisher's media session.
        vehicle_session: The vehicle session whose clock it is, by the vehicle's word.
        asked_ns, answered_ns: t1 and t4, hub monotonic.
        received_ns, sent_ns: t2 and t3, vehicle monotonic.
    """

    vehicle_id: VehicleId
    session: str
    vehicle_session: str
    asked_ns: int
    received_ns: int
    sent_ns: int
    answered_ns: int


class HubUnheard(Event, frozen=True):
    """A vehicle said over that channel that nothing of the hub reaches it any more.

    Attributes:
        at_ns: When that came, hub monotonic.
    """

    vehicle_id: VehicleId
    session: str
    vehicle_session: str
    at_ns: int


# ------------------------------------------------------------------ operators


class Operator(msgspec.Struct, frozen=True):
    """Who acts, as the console shell authenticated them.

    Attributes:
        session: Of this console; names the sign-in, so it is shown to nobody.
        seat: The same console's public name; empty where there is no console (REST).
    """

    session: str
    account: str
    role: Role
    seat: str = ""


class OperatorConnected(Event, frozen=True):
    """A console opened its socket."""

    operator: Operator


class OperatorDisconnected(Event, frozen=True):
    """A console's socket is gone."""

    operator: Operator


class CommandAsked(Event, frozen=True):
    """An operator pressed a button or a key. `picture_age_ms` of what he decided on."""

    operator: Operator
    command_id: str
    vehicle_id: VehicleId
    body: vehicle.Body
    picture_age_ms: float | None = None


class LimitAsked(Event, frozen=True):
    """A person limits a vehicle's speed, or takes his limit back (None)."""

    operator: Operator
    vehicle_id: VehicleId
    kmh: float | None


class ControlAsked(Event, frozen=True):
    """An operator asks for control of a vehicle; see `protocols.authority.AskControl`.

    `is_proved`: his password was given lately enough for driving.
    """

    operator: Operator
    vehicle_id: VehicleId
    purpose: Purpose
    request_id: str = ""
    preempt: str = ""
    is_proved: bool = False


class PasswordGiven(Event, frozen=True):
    """Somebody who is signed in gave his password once more.

    Attributes:
        operator: `session` is the sign-in.
        refused: Why it did not count: `wrong`, `too_many_tries`; empty: it did.
    """

    operator: Operator
    refused: str


class ControlAccepted(Event, frozen=True):
    """An operator takes what was offered to his seat."""

    operator: Operator
    vehicle_id: VehicleId


class ControlGivenBack(Event, frozen=True):
    """An operator gives control back, or declines an offer."""

    operator: Operator
    vehicle_id: VehicleId
    cause: str = ""


class SeatReported(Event, frozen=True):
    """Can this console warn its operator, and can he act there?"""

    operator: Operator
    report: SeatReport


class AlarmAcknowledged(Event, frozen=True):
    """An operator has seen an alarm."""

    operator: Operator
    alarm_id: str


class AlarmShelved(Event, frozen=True):
    """An operator puts an alarm aside for a while."""

    operator: Operator
    alarm_id: str
    reason: str
    for_s: float


class AlarmUnshelved(Event, frozen=True):
    """An operator takes an alarm from the shelf before its time."""

    operator: Operator
    alarm_id: str


class AlarmServiceSet(Event, frozen=True):
    """Somebody takes an alarm out of service, or back into it."""

    operator: Operator
    alarm_id: str
    in_service: bool
    reason: str


class PresentationReported(Event, frozen=True):
    """What one operator really saw during the last second."""

    operator: Operator
    report: PresentationReport


class DutyStartAsked(Event, frozen=True):
    """Somebody starts a duty by hand."""

    operator: Operator
    ask: StartDuty


class DutyStepMarked(Event, frozen=True):
    """Somebody did a step of a duty, leaves it out, or takes a mark back."""

    operator: Operator
    mark: MarkDutyStep


class DutyAbandoned(Event, frozen=True):
    """Somebody gives a duty up."""

    operator: Operator
    ask: AbandonDuty


class HandoverAsked(Event, frozen=True):
    """Somebody writes a note, offers his shift, sees an item of it, or takes one over."""

    operator: Operator
    ask: HandoverAsk


# --------------------------------------------------------------------- itself


class DutiesRestored(Event, frozen=True):
    """At start, from the audit, in this hub's time: what was open when the last hub ended.

    Attributes:
        handled: By alarm id, the newest event for which it has started a duty.
    """

    duties: list[DutyView]
    handled: dict[str, int] = {}


class HandoverRestored(Event, frozen=True):
    """At start, from the audit, in this hub's time: notes, and offers nobody answered."""

    notes: list[NoteView]
    handovers: list[HandoverView]


class AuditWritten(Event, frozen=True):
    """The durable record `record_id` is on disk (`ok`) or could not be written."""

    record_id: str
    ok: bool


class CommandSent(Event, frozen=True):
    """The broker took the command (`ok`), or it could not be handed over."""

    vehicle_id: VehicleId
    command_id: str
    ok: bool


class BrokerChanged(Event, frozen=True):
    """The hub's own connection to the broker."""

    connected: bool


class VehicleConfigured(Event, frozen=True):
    """At start: a vehicle of the configuration, with its freshly raised epoch."""

    vehicle_id: VehicleId
    kind: vehicle.Kind
    name: str
    epoch: int


class AlarmsRestored(Event, frozen=True):
    """At start, after the vehicles: what alarms the former run of this hub left standing."""

    alarms: list[StandingAlarm]


class StoresSampled(Event, frozen=True):
    """Every few seconds: the disk of the hub's state, and its journal.

    Attributes:
        free_bytes: Left on that disk for the hub's user.
        journal_ok: The journal loses nothing (or there is none).
    """

    free_bytes: int
    journal_ok: bool


class HubEnding(Event, frozen=True):
    """The hub was asked to end: control is given back, and none is given any more.

    Attributes:
        why: Who asked, for the record: `sigterm`, `sigint`.
    """

    why: str


class Tick(Event, frozen=True):
    """Time passed; sent at least every 100 ms."""


AnyEvent = (
    ConnectionReceived
    | FactsheetReceived
    | StateReceived
    | TelemetryReceived
    | HeartbeatReceived
    | VehicleEventReceived
    | CommandResultReceived
    | LinkSampled
    | PublisherChanged
    | ClockExchanged
    | HubUnheard
    | OperatorConnected
    | OperatorDisconnected
    | CommandAsked
    | LimitAsked
    | ControlAsked
    | PasswordGiven
    | ControlAccepted
    | ControlGivenBack
    | SeatReported
    | AlarmAcknowledged
    | AlarmShelved
    | AlarmUnshelved
    | AlarmServiceSet
    | PresentationReported
    | DutyStartAsked
    | DutyStepMarked
    | DutyAbandoned
    | HandoverAsked
    | DutiesRestored
    | HandoverRestored
    | AuditWritten
    | CommandSent
    | BrokerChanged
    | VehicleConfigured
    | AlarmsRestored
    | StoresSampled
    | HubEnding
    | Tick
)
