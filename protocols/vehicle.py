"""Messages between a vehicle and the hub, JSON over MQTT. Commands and their results are
in `protocols.commands`, and are named here too; direct driving is in `protocols.drive`.

`V→H` and `H→V` are the directions. Every `*_ns` field names its clock:
*vehicle monotonic* and *hub monotonic* are different clocks and are compared
only through a clock exchange (`Heartbeat.echo`). Unknown fields are ignored on
messages from vehicles (a newer vehicle may say more) and refused on commands.
"""

from __future__ import annotations

import enum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from protocols.codec import ProtocolError, finite
from protocols.commands import AlternatePath as AlternatePath
from protocols.commands import Announce as Announce
from protocols.commands import Body as Body
from protocols.commands import Command as Command
from protocols.commands import CommandResult as CommandResult
from protocols.commands import Doors as Doors
from protocols.commands import EmergencyStop as EmergencyStop
from protocols.commands import FollowPath as FollowPath
from protocols.commands import Implement as Implement
from protocols.commands import LimitSpeed as LimitSpeed
from protocols.commands import MinimalRisk as MinimalRisk
from protocols.commands import PullOver as PullOver
from protocols.commands import RefusalReason as RefusalReason
from protocols.commands import ReleaseControl as ReleaseControl
from protocols.commands import ResultState as ResultState
from protocols.commands import Resume as Resume
from protocols.commands import Stop as Stop
from protocols.commands import TakeControl as TakeControl
from protocols.commands import Wait as Wait
from protocols.drive import DriveEcho
from protocols.fields import Counter as Counter
from protocols.fields import Nanoseconds as Nanoseconds
from protocols.fields import Position, Text
from protocols.fields import Token as Token
from protocols.ids import check_name
from protocols.supervision import Purpose

PROTOCOL_VERSION: Final = 1
MAX_CAMERAS: Final = 16


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
        maker, software: Who made it, and name and version of the program that speaks here,
            for people who look after it; empty: not said.
    """

    kind: Kind
    name: Annotated[str, Meta(max_length=64)]
    cameras: Annotated[list[CameraInfo], Meta(max_length=MAX_CAMERAS)]
    audio: bool
    commands: Annotated[list[Token], Meta(max_length=32)]
    max_speed_mps: Annotated[float, Meta(ge=0, le=100)]
    route: Annotated[list[tuple[float, float]], Meta(max_length=2_000)] = []
    protocol_version: Annotated[int, Meta(ge=1, le=1000)] = PROTOCOL_VERSION
    maker: Annotated[str, Meta(max_length=64)] = ""
    software: Annotated[str, Meta(max_length=64)] = ""

    def check(self) -> None:
        """Raise ProtocolError for values that a type cannot exclude."""
        for camera in self.cameras:
            check_name(camera.name, "camera")
        if len({camera.name for camera in self.cameras}) != len(self.cameras):
            raise ProtocolError("bad_name", "two cameras have the same name")
        for longitude, latitude in self.route:
            finite(longitude, -180.0, 180.0, "longitude")
            finite(latitude, -90.0, 90.0, "latitude")


class ImplementState(msgspec.Struct, frozen=True):
    """A tractor's implement and power take-off."""

    lowered: bool
    pto: bool


class State(msgspec.Struct, frozen=True):
    """V→H, retained, on change and every 5 s: what the vehicle is doing.

    Attributes:
        seq: Rises by one each message of a session; gaps are counted.
        reason: Why it stands or asks, in the vehicle's words; may be empty.
        fallback: What it will do by itself if the link is lost.
        holder: Who has control of it, by its own knowledge; empty: nobody.
        purpose: What for; `monitor` while nobody has control.
        control_epoch: The epoch of that control; 0: none.
        doors_open, implement: Where it has them.
    """

    session_id: Token
    seq: Counter
    mode: OperationMode
    mrm: MrmState
    behaviour: MrmBehaviour
    odd: Odd
    fallback: MrmBehaviour
    reason: Text = ""
    holder: Annotated[str, Meta(max_length=64)] = ""
    purpose: Purpose = Purpose.MONITOR
    control_epoch: Counter = 0
    doors_open: bool | None = None
    implement: ImplementState | None = None


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
        drive: While control is held for driving: how far frames have come.
    """

    session_id: Token
    seq: Counter
    sent_ns: Nanoseconds
    utc_ns: Nanoseconds
    echo: Echo | None = None
    encode_ms: Annotated[dict[Token, float], Meta(max_length=MAX_CAMERAS)] = {}
    drive: DriveEcho | None = None

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
        leased: Control of this epoch is held, and goes on.
    """

    hub_id: Token
    seq: Counter
    sent_ns: Nanoseconds
    echo: Echo | None = None
    epoch: Counter = 0
    leased: bool = False


class EventKind(enum.StrEnum):
    """What an event reports."""

    TAKEOVER_REQUESTED = "takeover.requested"
    TAKEOVER_CLEARED = "takeover.cleared"
    ALARM = "alarm"


class PathOption(msgspec.Struct, frozen=True):
    """A way on that the vehicle offers with its request; `commands.AlternatePath` takes it.

    Attributes:
        text: In words, as the vehicle says it.
        points: For the map.
    """

    option_id: Token
    text: Annotated[str, Meta(max_length=200)]
    points: Annotated[list[Position], Meta(max_length=200)] = []


class VehicleEvent(msgspec.Struct, frozen=True):
    """V→H, QoS 1: repeated with the same id until acknowledged.

    Attributes:
        event_id: Unique within the vehicle; a repetition is the same event.
        subject_id: For `takeover.cleared`: the event id of the request.
        respond_within_s: After this the vehicle acts by itself (0: no limit).
        reason: Machine-readable ("obstacle", "blocked", "sensor", ...).
        text: In words, as the vehicle says it.
        alarm: For `alarm`: the row of the hub's catalogue ("passenger.stop_button"); one
            that the hub does not know is counted and logged.
        active: For `alarm`: the condition is there, or is gone.
        options: For `takeover.requested`: ways on that the vehicle offers.
    """

    session_id: Token
    event_id: Token
    kind: EventKind
    sent_ns: Nanoseconds
    reason: Annotated[str, Meta(max_length=64)] = ""
    text: Text = ""
    respond_within_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    subject_id: Annotated[str, Meta(max_length=64)] = ""
    alarm: Annotated[str, Meta(max_length=64)] = ""
    active: bool = True
    options: Annotated[list[PathOption], Meta(max_length=4)] = []

    def check(self) -> None:
        """Raise ProtocolError for values that a type cannot exclude."""
        finite(self.respond_within_s, 0.0, 3600.0, "respond_within_s")
        for option in self.options:
            for longitude, latitude in option.points:
                finite(longitude, -180.0, 180.0, "longitude")
                finite(latitude, -90.0, 90.0, "latitude")


class EventAck(msgspec.Struct, frozen=True):
    """H→V: the event is recorded; stop repeating it."""

    event_id: Token
