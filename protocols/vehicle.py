"""Messages between a vehicle and the hub, JSON over MQTT.

`V→H` and `H→V` are the directions. Every `*_ns` field names its clock:
*vehicle monotonic* and *hub monotonic* are different clocks and are compared
only through a clock exchange (`Heartbeat.echo`). Unknown fields are ignored on
messages from vehicles (a newer vehicle may say more) and refused on commands.
"""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

from protocols.codec import ProtocolError, finite
from protocols.ids import check_name

PROTOCOL_VERSION: Final = 1
MAX_CAMERAS: Final = 16

Token = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=500)]
Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Counter = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class ConnectionState(enum.StrEnum):
    """What `connection` says. CONNECTION_BROKEN is only ever the last will."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    CONNECTION_BROKEN = "CONNECTION_BROKEN"


class Kind(enum.StrEnum):
    """What kind of machine it is."""

    BUS = "bus"
    TRACTOR = "tractor"
    ROBOT = "robot"
    OTHER = "other"


class OperationMode(enum.StrEnum):
    """Who drives, in the words of the field."""

    STOP = "STOP"
    AUTONOMOUS = "AUTONOMOUS"
    LOCAL = "LOCAL"
    REMOTE_ASSIST = "REMOTE_ASSIST"
    REMOTE_DRIVE = "REMOTE_DRIVE"


class MrmState(enum.StrEnum):
    """State of the minimal-risk manoeuvre (UN R157; names as in Autoware)."""

    NORMAL = "NORMAL"
    MRM_OPERATING = "MRM_OPERATING"
    MRM_SUCCEEDED = "MRM_SUCCEEDED"
    MRM_FAILED = "MRM_FAILED"


class MrmBehaviour(enum.StrEnum):
    """Which manoeuvre is meant or running."""

    NONE = "NONE"
    COMFORTABLE_STOP = "COMFORTABLE_STOP"
    EMERGENCY_STOP = "EMERGENCY_STOP"
    PULL_OVER = "PULL_OVER"


class Odd(enum.StrEnum):
    """Operational design domain (SAE J3016)."""

    INSIDE = "INSIDE"
    NEAR_EXIT = "NEAR_EXIT"
    OUTSIDE = "OUTSIDE"


class Connection(msgspec.Struct, frozen=True):
    """V→H, retained: is the vehicle there.

    Attributes:
        session_id: New for each start of the vehicle's client. The last will
            carries the same id, so a late will cannot end a newer session.
    """

    state: ConnectionState
    session_id: Token


class CameraInfo(msgspec.Struct, frozen=True):
    """One camera of a factsheet: its name and the picture it is set to send."""

    name: Token
    width: Annotated[int, Meta(ge=16, le=8192)]
    height: Annotated[int, Meta(ge=16, le=8192)]
    fps: Annotated[float, Meta(gt=0, le=240)]
    bitrate_kbps: Annotated[int, Meta(ge=1, le=200_000)]


class Factsheet(msgspec.Struct, frozen=True):
    """V→H, retained: what the vehicle is and can do.

    Attributes:
        commands: Names of the command types it obeys ("stop", "resume", ...).
        max_speed_mps: The vehicle's own upper limit, m/s.
        route: The planned path, [longitude, latitude] in degrees (WGS 84).
    """

    kind: Kind
    name: Annotated[str, Meta(max_length=64)]
    cameras: Annotated[list[CameraInfo], Meta(max_length=MAX_CAMERAS)]
    audio: bool
    commands: Annotated[list[Token], Meta(max_length=32)]
    max_speed_mps: Annotated[float, Meta(ge=0, le=100)]
    route: Annotated[list[tuple[float, float]], Meta(max_length=2_000)] = []
    protocol_version: Annotated[int, Meta(ge=1, le=1000)] = PROTOCOL_VERSION

    def check(self) -> None:
        """Raise ProtocolError for values that a type cannot exclude."""
        for camera in self.cameras:
            check_name(camera.name, "camera")
        if len({camera.name for camera in self.cameras}) != len(self.cameras):
            raise ProtocolError("bad_name", "two cameras have the same name")
        for longitude, latitude in self.route:
            finite(longitude, -180.0, 180.0, "longitude")
            finite(latitude, -90.0, 90.0, "latitude")


class State(msgspec.Struct, frozen=True):
    """V→H, retained, on change and every 5 s: what the vehicle is doing.

    Attributes:
        seq: Rises by one each message of a session; gaps are counted.
        reason: Why it stands or asks, in the vehicle's words; may be empty.
        fallback: What it will do by itself if the link is lost.
    """

    session_id: Token
    seq: Counter
    mode: OperationMode
    mrm: MrmState
    behaviour: MrmBehaviour
    odd: Odd
    fallback: MrmBehaviour
    reason: Text = ""


class Radio(msgspec.Struct, frozen=True):
    """The modem's view of the link. RSRP in dBm, SINR in dB, rates in kbit/s."""

    cell_id: Annotated[str, Meta(max_length=32)] = ""
    rsrp_dbm: float | None = None
    sinr_db: float | None = None
    up_kbps: float | None = None
    down_kbps: float | None = None


class Telemetry(msgspec.Struct, frozen=True):
    """V→H, 10 Hz: where it is and how it moves.

    Attributes:
        seq: Rises by one each message of a session; gaps are counted.
        sent_ns: Vehicle monotonic clock.
        longitude, latitude: Degrees, WGS 84.
        heading_deg: Clockwise from true north, [0, 360).
        speed_mps: Along the heading; negative when backing.
        speed_limit_mps: The limit it drives by now, if any.
        progress: Share of the route or field done, 0 to 1.
        next_stop: Name of the next stop or task; may be empty.
        energy: State of charge or tank, 0 to 1.
    """

    session_id: Token
    seq: Counter
    sent_ns: Nanoseconds
    longitude: float
    latitude: float
    heading_deg: float
    speed_mps: float
    mode: OperationMode
    speed_limit_mps: float | None = None
    progress: float | None = None
    next_stop: Annotated[str, Meta(max_length=64)] = ""
    energy: float | None = None
    radio: Radio | None = None

    def check(self) -> None:
        """Raise ProtocolError for numbers no vehicle can mean."""
        finite(self.longitude, -180.0, 180.0, "longitude")
        finite(self.latitude, -90.0, 90.0, "latitude")
        finite(self.heading_deg, 0.0, 360.0, "heading_deg")
        finite(self.speed_mps, -100.0, 100.0, "speed_mps")
        for value, high, what in (
            (self.speed_limit_mps, 100.0, "speed_limit_mps"),
            (self.progress, 1.0, "progress"),
            (self.energy, 1.0, "energy"),
        ):
            if value is not None:
                finite(value, 0.0, high, what)
        if self.radio is not None:
            for value, low, high, what in (
                (self.radio.rsrp_dbm, -200.0, 0.0, "rsrp_dbm"),
                (self.radio.sinr_db, -50.0, 80.0, "sinr_db"),
                (self.radio.up_kbps, 0.0, 1e9, "up_kbps"),
                (self.radio.down_kbps, 0.0, 1e9, "down_kbps"),
            ):
                if value is not None:
                    finite(value, low, high, what)


class Echo(msgspec.Struct, frozen=True):
    """The other side's last heartbeat, given back: half of a clock exchange.

    Attributes:
        sent_ns: `sent_ns` of the echoed heartbeat, on its sender's clock.
        received_ns: When it arrived, on the echoing side's clock.
    """

    sent_ns: Nanoseconds
    received_ns: Nanoseconds


class Heartbeat(msgspec.Struct, frozen=True):
    """V→H: liveness of the link, 10 Hz while leased, 2 Hz else.

    With `echo` the hub holds the four timestamps of one exchange: hub sent
    (`echo.sent_ns`, hub clock), vehicle received (`echo.received_ns`, vehicle
    clock), vehicle sent (`sent_ns`, vehicle clock), and its own receive time.

    Attributes:
        sent_ns: Vehicle monotonic clock.
        utc_ns: The vehicle's wall clock (ns since 1970) at the same instant: maps
            the NTP times of its RTCP sender reports to its monotonic clock.
        encode_ms: By camera: capture to the last packet on the wire, median of the last
            second's frames.
            Optional; without it capture, encoding and uplink are one stage.
    """

    session_id: Token
    seq: Counter
    sent_ns: Nanoseconds
    utc_ns: Nanoseconds
    echo: Echo | None = None
    encode_ms: Annotated[dict[Token, float], Meta(max_length=MAX_CAMERAS)] = {}

    def check(self) -> None:
        """Raise ProtocolError for numbers no vehicle can mean."""
        for camera, value in self.encode_ms.items():
            finite(value, 0.0, 60_000.0, f"encode_ms of {camera}")


class HubHeartbeat(msgspec.Struct, frozen=True):
    """H→V: the hub is there.

    Attributes:
        sent_ns: Hub monotonic clock.
        epoch: The fencing token of this hub's commands to this vehicle; 0: not said. One
            that has risen tells of a new start of the hub, or of another hub: commands of
            older epochs are refused from then on, and what was asked is asked again.
    """

    hub_id: Token
    seq: Counter
    sent_ns: Nanoseconds
    echo: Echo | None = None
    epoch: Counter = 0


class EventKind(enum.StrEnum):
    """What an event reports."""

    TAKEOVER_REQUESTED = "takeover.requested"
    TAKEOVER_CLEARED = "takeover.cleared"
    ALARM = "alarm"


class VehicleEvent(msgspec.Struct, frozen=True):
    """V→H, QoS 1: repeated with the same id until acknowledged.

    Attributes:
        event_id: Unique within the vehicle; a repetition is the same event.
        subject_id: For `takeover.cleared`: the event id of the request.
        respond_within_s: After this the vehicle acts by itself (0: no limit).
        reason: Machine-readable ("obstacle", "blocked", "sensor", ...).
        text: In words, as the vehicle says it.
    """

    session_id: Token
    event_id: Token
    kind: EventKind
    sent_ns: Nanoseconds
    reason: Annotated[str, Meta(max_length=64)] = ""
    text: Text = ""
    respond_within_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    subject_id: Annotated[str, Meta(max_length=64)] = ""

    def check(self) -> None:
        """Raise ProtocolError for values that a type cannot exclude."""
        finite(self.respond_within_s, 0.0, 3600.0, "respond_within_s")


class EventAck(msgspec.Struct, frozen=True):
    """H→V: the event is recorded; stop repeating it."""

    event_id: Token


class Stop(msgspec.Struct, frozen=True, tag="stop", forbid_unknown_fields=True):
    """Stop now. Needs no lease and no fresh epoch: it is the safe direction."""

    never_waits: ClassVar[bool] = True


class Resume(msgspec.Struct, frozen=True, tag="resume", forbid_unknown_fields=True):
    """Go on autonomously, decided by a person who was shown the picture.

    Attributes:
        request_id: Event id of the take-over request this answers; may be empty.
    """

    never_waits: ClassVar[bool] = False

    request_id: Annotated[str, Meta(max_length=64)] = ""


class LimitSpeed(msgspec.Struct, frozen=True, tag="limit_speed", forbid_unknown_fields=True):
    """Drive no faster than this until `issued_ns` + `hold_ms` on the vehicle's clock; the
    newest one holds. Without a limit that still holds the vehicle drives by its own lower
    default: silence never means *no limit*.

    Attributes:
        max_speed_mps: At most this fast, m/s; the vehicle's own limits stay.
        hold_ms: For how long from `issued_ns`, without being renewed.
        source: Who limits, for the vehicle's log (`operator.LimitSource`).
    """

    never_waits: ClassVar[bool] = False

    max_speed_mps: Annotated[float, Meta(ge=0, le=100)]
    hold_ms: Annotated[int, Meta(ge=1, le=60_000)]
    source: Annotated[str, Meta(max_length=32)] = ""


class MinimalRisk(msgspec.Struct, frozen=True, tag="minimal_risk", forbid_unknown_fields=True):
    """Perform your own minimal-risk manoeuvre now; only a `resume` ends it.

    Attributes:
        reason: Machine-readable, for the vehicle's log.
    """

    never_waits: ClassVar[bool] = False

    reason: Annotated[str, Meta(max_length=64)] = ""


Body = Stop | Resume | LimitSpeed | MinimalRisk


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """H→V, QoS 1, never retained: one order to one vehicle.

    Attributes:
        command_id: Unique; a repetition is the same command and has one effect.
        session_id: The vehicle session it is meant for. Empty only for `stop`
            sent before the hub has heard a heartbeat.
        epoch: Fencing token, strictly rising over hub restarts and lease changes.
        seq: Strictly rising within the epoch.
        issued_ns: *Vehicle* monotonic clock at issue, as the hub estimates it from
            the last heartbeat (`sent_ns` + time since its arrival; early by the
            uplink delay, so a command expires rather too soon than too late).
            0 only for `stop` sent before the hub has heard a heartbeat.
        ttl_ms: The vehicle refuses it once its clock passes `issued_ns` + ttl.
        operator: Who gave it, for the vehicle's own log.
        tag: See `protocols.tags`.
    """

    command_id: Token
    session_id: Annotated[str, Meta(max_length=64)]
    epoch: Counter
    seq: Counter
    issued_ns: Nanoseconds
    ttl_ms: Annotated[int, Meta(ge=1, le=60_000)]
    body: Body
    operator: Annotated[str, Meta(max_length=64)] = ""
    tag: Annotated[str, Meta(max_length=64)] = ""

    def with_tag(self, tag: str) -> Command:
        """Return the same command with another tag."""
        return Command(
            self.command_id,
            self.session_id,
            self.epoch,
            self.seq,
            self.issued_ns,
            self.ttl_ms,
            self.body,
            self.operator,
            tag,
        )


class ResultState(enum.StrEnum):
    """How far a command has come at the vehicle."""

    RECEIVED = "received"
    APPLIED = "applied"
    REFUSED = "refused"


class RefusalReason(enum.StrEnum):
    """Why a vehicle refuses a command."""

    NONE = ""
    BAD_TAG = "bad_tag"
    WRONG_SESSION = "wrong_session"
    OLD_EPOCH = "old_epoch"
    OLD_SEQ = "old_seq"
    EXPIRED = "expired"
    FROM_THE_FUTURE = "from_the_future"
    UNKNOWN_TYPE = "unknown_type"
    MALFORMED = "malformed"
    RETAINED = "retained"
    OUTSIDE_ENVELOPE = "outside_envelope"
    NOT_POSSIBLE_NOW = "not_possible_now"


class CommandResult(msgspec.Struct, frozen=True):
    """V→H, QoS 1: one step of one command.

    `applied` means that the effect is reached as far as the vehicle decides it:
    for `stop`, that braking is commanded and the drive is off; the speed that
    follows is in the telemetry.

    Attributes:
        at_ns: Vehicle monotonic clock.
    """

    session_id: Token
    command_id: Token
    state: ResultState
    at_ns: Nanoseconds
    reason: RefusalReason = RefusalReason.NONE
    text: Text = ""
