"""Messages between one operator's console and the hub, JSON over one WebSocket.

After signing in the console opens `/ws`; the hub sends `Welcome`, one `Snapshot`,
then `Delta`s, each holding the whole view of every object that changed: vehicles at
most ten times a second, alarms, requests and commands at once. `seq` rises by one
with each Snapshot or Delta: a console that sees a gap reconnects. Every `*_ns` is the
*hub's monotonic clock*; the console maps it to its own by `ClockPing`/`ClockPong`.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocols.alarms import AcknowledgeAlarm as AcknowledgeAlarm
from protocols.alarms import (
    AlarmGroupView,
    AlarmKpiView,
    SetAlarmService,
    ShelveAlarm,
    UnshelveAlarm,
)
from protocols.alarms import AlarmSpecView as AlarmSpecView
from protocols.alarms import AlarmState as AlarmState
from protocols.alarms import AlarmText as AlarmText
from protocols.alarms import AlarmView as AlarmView
from protocols.authority import (
    AcceptControl,
    AskControl,
    AttentionView,
    ControlView,
    DriveKey,
    DriveRelay,
    GiveBackControl,
    SeatReport,
    SeatView,
    StopKeys,
)
from protocols.commands import OperatorBody
from protocols.drive import DriveEcho
from protocols.duties import (
    AbandonDuty,
    CoverageView,
    DutySpec,
    DutyView,
    MarkDutyStep,
    StartDuty,
)
from protocols.handover import (
    AcceptHandover,
    DeclineHandover,
    HandoverBoardView,
    OfferHandover,
    RemoveNote,
    SeeHandoverItem,
    WithdrawHandover,
    WriteNote,
)
from protocols.session import SessionView
from protocols.supervision import SupervisionView
from protocols.vehicle import (
    CameraInfo,
    Counter,
    ImplementState,
    Kind,
    MrmBehaviour,
    MrmState,
    Odd,
    OperationMode,
    PathOption,
    Radio,
    Token,
)


class Role(enum.StrEnum):
    """What an account may do: one row each in the table of `supervisor.console.access`.
    Rights do not nest: no role includes another."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    MAINTAINER = "maintainer"
    ADMIN = "admin"
    AUDITOR = "auditor"


class LinkState(enum.StrEnum):
    """The hub's view of the command link, by the age of the last heartbeat."""

    UNKNOWN = "unknown"
    ONLINE = "online"
    DEGRADED = "degraded"
    LOST = "lost"
    OFFLINE = "offline"


class CameraView(msgspec.Struct, frozen=True, kw_only=True):
    """One stream as the hub receives it.

    Attributes:
        live: Packets arrived within the last 300 ms.
        fps, kbps: Over the last second.
        last_frame_ns: When the last complete frame arrived at the hub.
        clock_rtp: An RTP timestamp (video: 90 kHz, audio: 48 kHz) of this stream
            as watchers see it, and
        clock_captured_ns: the instant it was captured, mapped to the hub's clock;
            both None while unknown. For a displayed frame:
            captured = clock_captured_ns + (rtp - clock_rtp) mod 2^32 as signed / rate.
        clock_uncertainty_ns: Half-width of that mapping's error bar.
        loss: Share of packets lost before repair over the last second, 0 to 1.
        width, height: Of the newest keyframe, where the codec says it plainly.
        encode_ms: Capture to the frame's last packet on the wire, as the vehicle says;
            the stage `capture_encode`. None: it does not say.
        arrival_ms: Capture to complete arrival at the hub, median of the last second,
            with the error bar `clock_uncertainty_ns`; less `encode_ms` this is the stage
            `uplink`. None while unknown.
        forward_ms: Arrival to departure in the media worker; the stage `hub`. None: not
            measured.
    """

    name: str
    kind: str
    codec: str
    live: bool
    fps: float
    kbps: float
    loss: float
    last_frame_ns: int | None = None
    clock_rtp: int | None = None
    clock_captured_ns: int | None = None
    clock_uncertainty_ns: int | None = None
    width: int | None = None
    height: int | None = None
    encode_ms: float | None = None
    arrival_ms: float | None = None
    forward_ms: float | None = None


class PoseView(msgspec.Struct, frozen=True, kw_only=True):
    """The last telemetry, with the hub time at which it arrived."""

    at_ns: int
    longitude: float
    latitude: float
    heading_deg: float
    speed_mps: float
    speed_limit_mps: float | None = None
    progress: float | None = None
    next_stop: str = ""
    energy: float | None = None
    radio: Radio | None = None


class VehicleView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a console shows of one vehicle. Every value has its time. Its planned
    route and how it is supervised are messages of their own (`RouteView`,
    `SupervisionView`): they change seldom.

    Attributes:
        id: `site/vehicle`.
        state_at_ns: When mode, mrm, odd were last confirmed by the vehicle.
        link_at_ns: When the last heartbeat arrived.
        link_why: Why the link is degraded: heartbeats are missing (`silent`), or the vehicle
            is heard and hears nothing of the hub (`one_way`). Empty while it is not.
        clock_offset_ns: hub = vehicle + offset; None while untrusted.
        telemetry_gaps: Messages missed since the hub started.
        media: A publisher is connected.
        doors_open, implement: Where it has them, as it says; None: it has none, or says
            nothing of them.
        drive_echo: How far its driver's frames have come, for when its data channel does not
            carry; None: nobody drives it.
    """

    id: str
    kind: Kind
    name: str
    cameras: list[CameraInfo]
    commands: list[str]
    link: LinkState
    link_at_ns: int | None
    mode: OperationMode | None
    mrm: MrmState | None
    behaviour: MrmBehaviour | None
    odd: Odd | None
    fallback: MrmBehaviour | None
    reason: str
    state_at_ns: int | None
    pose: PoseView | None
    media: bool
    streams: list[CameraView]
    clock_offset_ns: int | None
    clock_uncertainty_ns: int | None
    telemetry_gaps: int
    link_why: Literal["", "silent", "one_way"] = ""
    doors_open: bool | None = None
    implement: ImplementState | None = None
    drive_echo: DriveEcho | None = None


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """The planned path of one vehicle; sent when it changes.

    Attributes:
        vehicle: `site/vehicle`.
        route: [longitude, latitude] in degrees (WGS 84); empty: none.
    """

    vehicle: str
    route: list[tuple[float, float]]


class RequestState(enum.StrEnum):
    """Where a take-over request stands."""

    OPEN = "open"
    ANSWERED = "answered"
    CLEARED = "cleared"
    UNANSWERED = "unanswered"


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A vehicle asks for a person: one card of the attention queue.

    Attributes:
        options: Ways on that the vehicle offers.
        id: Event id, unique together with `vehicle`.
        deadline_ns: The vehicle acts by itself after this; None without limit.
        command_id: The command that answered it.
    """

    id: str
    vehicle: str
    reason: str
    text: str
    raised_ns: int
    deadline_ns: int | None
    state: RequestState
    answered_by: str = ""
    command_id: str = ""
    options: list[PathOption] = []


class CommandState(enum.StrEnum):
    """How far a command has come, as far as it is *known*."""

    RECORDING = "recording"
    SENT = "sent"
    RECEIVED = "received"
    APPLIED = "applied"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"


class CommandView(msgspec.Struct, frozen=True, kw_only=True):
    """One command and its progress. `unconfirmed`: no answer within its time.

    Attributes:
        type: `stop`, `resume`, ...
        *_ns: When each step became known to the hub; None while it has not.
    """

    id: str
    vehicle: str
    type: str
    operator: str
    state: CommandState
    asked_ns: int
    sent_ns: int | None = None
    received_ns: int | None = None
    applied_ns: int | None = None
    reason: str = ""


# ---------------------------------------------------------------- hub → console


class Welcome(msgspec.Struct, frozen=True, tag="welcome", kw_only=True):
    """First message: who you are, what this hub is.

    Attributes:
        seat: This console among the seats; empty: its account controls nothing.
        training_vehicle: `site/vehicle` for the test stop at the start of a shift; empty:
            none is configured.
    """

    protocol_version: int
    hub_version: str
    site_name: str
    account: str
    role: Role
    demo: bool
    hub_now_ns: int
    hub_utc_ns: int
    alarm_catalogue: list[AlarmSpecView]
    seat: str = ""
    training_vehicle: str = ""
    duty_catalogue: list[DutySpec] = []


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", kw_only=True):
    """The whole state."""

    seq: int
    hub_now_ns: int
    vehicles: list[VehicleView]
    alarms: list[AlarmView]
    requests: list[RequestView]
    commands: list[CommandView]
    routes: list[RouteView] = []
    supervision: list[SupervisionView] = []
    controls: list[ControlView] = []
    seats: list[SeatView] = []
    attention: list[AttentionView] = []
    duties: list[DutyView] = []
    coverage: list[CoverageView] = []
    alarm_groups: list[AlarmGroupView] = []
    alarm_kpi: AlarmKpiView | None = None
    handover: HandoverBoardView | None = None


class Delta(msgspec.Struct, frozen=True, tag="delta", omit_defaults=True, kw_only=True):
    """What changed since the last message; each entry replaces the older one.

    Attributes:
        seats, attention, alarm_kpi, handover: All of them, in place of all older ones; None:
            as before.
    """

    seq: int
    hub_now_ns: int
    vehicles: list[VehicleView] = []
    alarms: list[AlarmView] = []
    requests: list[RequestView] = []
    commands: list[CommandView] = []
    routes: list[RouteView] = []
    supervision: list[SupervisionView] = []
    controls: list[ControlView] = []
    seats: list[SeatView] | None = None
    attention: list[AttentionView] | None = None
    duties: list[DutyView] = []
    coverage: list[CoverageView] = []
    alarm_groups: list[AlarmGroupView] = []
    alarm_kpi: AlarmKpiView | None = None
    handover: HandoverBoardView | None = None


class ClockPong(msgspec.Struct, frozen=True, tag="clock_pong"):
    """Answer to a ClockPing: the four-timestamp exchange of RFC 5905 §8.

    Attributes:
        t1_ms: `t1_ms` of the ping, untouched.
        received_ns, sent_ns: Hub monotonic clock.
    """

    t1_ms: float
    received_ns: int
    sent_ns: int


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The hub did not do what this console asked; `ref` names the message."""

    ref: str
    reason: str
    detail: str = ""


class Goodbye(msgspec.Struct, frozen=True, tag="goodbye"):
    """The hub ends this socket: `shutdown`, `too_slow`, `protocol`; or the sign-in is over:
    `signed_out` by its person, `expired`, `idle`, `revoked`, `replaced` by newer ones."""

    reason: str


ToConsole = (
    Welcome | Snapshot | SessionView | StopKeys | Delta | DriveKey | ClockPong | Refusal | Goodbye
)


# ---------------------------------------------------------------- console → hub


class ClockPing(msgspec.Struct, frozen=True, tag="clock_ping", forbid_unknown_fields=True):
    """Ask for the hub's clock. `t1_ms` is the browser's performance clock."""

    t1_ms: float


class AskStop(msgspec.Struct, frozen=True, tag="ask_stop", forbid_unknown_fields=True):
    """Stop a vehicle. `command_id` is made by the console (a UUID).

    Attributes:
        emergency: As hard as it can, drives off (`commands.EmergencyStop`).
    """

    command_id: Token
    vehicle: Annotated[str, Meta(max_length=80)]
    emergency: bool = False


class AskResume(msgspec.Struct, frozen=True, tag="ask_resume", forbid_unknown_fields=True):
    """Let a vehicle go on; `request_id` when it answers a take-over request.

    Attributes:
        picture_age_ms: Age of the picture that the operator was shown when
            deciding; None if it was unknown. The hub refuses an old or unknown one.
    """

    command_id: Token
    vehicle: Annotated[str, Meta(max_length=80)]
    request_id: Annotated[str, Meta(max_length=64)] = ""
    picture_age_ms: float | None = None


class AskCommand(msgspec.Struct, frozen=True, tag="ask_command", forbid_unknown_fields=True):
    """Order the vehicle that this seat has control of.

    Attributes:
        command_id: Made by the console (a UUID).
        picture_age_ms: As in `AskResume`; for what lets the vehicle move.
    """

    command_id: Token
    vehicle: Annotated[str, Meta(max_length=80)]
    body: OperatorBody
    picture_age_ms: float | None = None


class AskLimit(msgspec.Struct, frozen=True, tag="ask_limit", forbid_unknown_fields=True):
    """Limit a vehicle's speed; the lowest of all limits holds. Needs no control: slower is
    the safe direction, and only a person's own limit is ever taken back by one.

    Attributes:
        kmh: At most this fast; None: take the limit back.
    """

    vehicle: Annotated[str, Meta(max_length=80)]
    kmh: Annotated[float, Meta(ge=0, le=200)] | None = None


class Stage(enum.StrEnum):
    """Where the age of a picture comes from, in the order of its way.

    CAPTURE_ENCODE: Capture to the frame's last packet on the wire (`CameraView.encode_ms`).
    UPLINK: From there to the hub (`CameraView.arrival_ms` less `encode_ms`).
    HUB: Through the media worker (`CameraView.forward_ms`).
    DOWNLINK: From the hub to the decoder: network and jitter buffer.
    DISPLAY: Decoder to screen.
    """

    CAPTURE_ENCODE = "capture_encode"
    UPLINK = "uplink"
    HUB = "hub"
    DOWNLINK = "downlink"
    DISPLAY = "display"


class StageTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage of the median frame. A stage that is not known is left out."""

    stage: Stage
    ms: float
    uncertainty_ms: float


class Presented(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one tile showed during the last second.

    Attributes:
        frames: Frames displayed.
        age_ms: Capture to display of the newest frame; None while unknown.
        uncertainty_ms: Half-width of its error bar, and of those in `ages_ms`.
        still_ms: Time since the last new frame was displayed.
        ages_ms: Capture to display of each frame displayed since the last report, oldest
            first; those whose age is unknown are missing, so that `frames` may be larger.
        stages: Split of the median age; a stage that is not known is left out.
        width, height: Of the decoded picture.
        same_ms: For how long the displayed pictures have been the same to the pixel; 0:
            they differ; None: not looked at.
        focused: This is the large picture of the focused vehicle.
    """

    vehicle: Annotated[str, Meta(max_length=80)]
    camera: Annotated[str, Meta(max_length=32)]
    frames: Counter
    still_ms: float
    age_ms: float | None = None
    uncertainty_ms: float | None = None
    ages_ms: Annotated[list[float], Meta(max_length=240)] = []
    stages: Annotated[list[StageTime], Meta(max_length=5)] = []
    width: Annotated[int, Meta(ge=0, le=16_384)] | None = None
    height: Annotated[int, Meta(ge=0, le=16_384)] | None = None
    same_ms: float | None = None
    focused: bool = False


class PresentationReport(
    msgspec.Struct, frozen=True, tag="presentation", forbid_unknown_fields=True
):
    """Once a second: what this operator really saw.

    Attributes:
        visible: The page is in front; a hidden page proves nothing.
        rtt_ms: Least round trip of the newest clock exchanges with the hub; half of it,
            give or take as much, is the way of a command to the hub.
    """

    visible: bool
    tiles: Annotated[list[Presented], Meta(max_length=64)]
    rtt_ms: float | None = None


FromConsole = (
    ClockPing
    | AskStop
    | AskResume
    | AskCommand
    | AskLimit
    | AskControl
    | AcceptControl
    | GiveBackControl
    | DriveRelay
    | SeatReport
    | AcknowledgeAlarm
    | ShelveAlarm
    | UnshelveAlarm
    | SetAlarmService
    | PresentationReport
    | StartDuty
    | MarkDutyStep
    | AbandonDuty
    | WriteNote
    | RemoveNote
    | OfferHandover
    | WithdrawHandover
    | DeclineHandover
    | SeeHandoverItem
    | AcceptHandover
)
