"""What the core wants done. The shell carries effects out in the order given.

A command that has to wait for its record is emitted only after `AuditWritten`
came back as an event: the order is in the core, where it can be tested, and not
in the shell's scheduling.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocols import alarms, authority, duties, operator, vehicle
from protocols.supervision import Purpose
from protocols.topics import VehicleId


class Effect(msgspec.Struct, frozen=True, tag=True):
    """Base of all effects."""


class SendCommand(Effect, frozen=True):
    """Publish a command; the telemetry shell adds the tag and answers `CommandSent`."""

    vehicle_id: VehicleId
    command: vehicle.Command


class SendEventAck(Effect, frozen=True):
    """Tell the vehicle that its event is recorded."""

    vehicle_id: VehicleId
    ack: vehicle.EventAck


class Record(Effect, frozen=True):
    """Write one audit record; the shell answers `AuditWritten` once it is durable.

    Attributes:
        record_id: Unique; given back in `AuditWritten`.
        kind: "command.asked", "command.result", "alarm", "request", ...
        actor: Account name, vehicle id or "hub".
        subject: What it is about, usually a vehicle id.
        data: JSON-able facts. Holds no secret.
    """

    record_id: str
    kind: str
    actor: str
    subject: str
    data: dict[str, str | int | float | bool | None]


class ShowVehicle(Effect, frozen=True):
    """This vehicle's view changed; the console shell reads it when it sends next."""

    vehicle_id: VehicleId


class ShowRoute(Effect, frozen=True):
    """This vehicle's planned route changed; the console shell reads it when it sends next."""

    vehicle_id: VehicleId


class ShowSupervision(Effect, frozen=True):
    """How this vehicle is supervised changed, or a second has passed; read when sent."""

    vehicle_id: VehicleId


class PreferLayers(Effect, frozen=True):
    """Which sizes watchers of this vehicle get, over their own wishes.

    Attributes:
        focused: The camera to protect; empty: none is focused.
        focus: Size of that camera; None: as the watcher wishes.
        others: Size of its other cameras; None: as the watcher wishes.
    """

    vehicle_id: VehicleId
    focused: str
    focus: Literal["high", "auto", "low"] | None
    others: Literal["high", "auto", "low"] | None


class WithdrawDrive(Effect, frozen=True):
    """Whoever drives this vehicle may not any more, and nobody may begin.

    Attributes:
        reasons: As in `operator.DriveView`; empty: driving may be offered again.
    """

    vehicle_id: VehicleId
    reasons: tuple[str, ...]


class SetGrant(Effect, frozen=True):
    """Whose control frames reach this vehicle from now on, and nobody else's.

    The media plane passes them on, the relay over the broker checks them, and for `drive`
    the shell gives that console its key (`protocols.drive.drive_key`).

    Attributes:
        session: Console of the holder; None: nobody.
        account: Of the holder; empty: nobody.
        epoch: Fencing token of the control; an older one than the last changes nothing.
        vehicle_session: The vehicle session that the control holds for.
    """

    vehicle_id: VehicleId
    session: str | None
    account: str
    epoch: int
    purpose: Purpose
    vehicle_session: str


class Lease(Effect, frozen=True):
    """What the hub's heartbeats to this vehicle say from now on: `HubHeartbeat.epoch` and
    `leased`; ten a second while leased."""

    vehicle_id: VehicleId
    epoch: int
    leased: bool


class ShowControl(Effect, frozen=True):
    """Who has control of a vehicle changed; never dropped on the way to a console."""

    control: authority.ControlView


class ShowSeats(Effect, frozen=True):
    """The seats changed; the console shell reads them when it sends next."""


class ShowAttention(Effect, frozen=True):
    """The attention queue changed; the console shell reads it at once."""


class ShowAlarm(Effect, frozen=True):
    """An alarm changed; never dropped on the way to a console."""

    alarm: alarms.AlarmView


class ShowAlarmGroup(Effect, frozen=True):
    """A group of alarms changed; without members it has ended."""

    group: alarms.AlarmGroupView


class ShowAlarmKpi(Effect, frozen=True):
    """How the alarms behave changed; only the newest counts."""

    kpi: alarms.AlarmKpiView


class ShowRequest(Effect, frozen=True):
    """A take-over request changed; never dropped on the way to a console."""

    request: operator.RequestView


class ShowCommand(Effect, frozen=True):
    """A command made progress; never dropped on the way to a console."""

    command: operator.CommandView


class ShowDuty(Effect, frozen=True):
    """A duty changed; never dropped on the way to a console."""

    duty: duties.DutyView


class ShowHandover(Effect, frozen=True):
    """What is to be known, the notes or the handovers changed; the console shell reads them
    at once."""


class ShowCoverage(Effect, frozen=True):
    """Who has this vehicle on screen changed, or nobody has any more."""

    coverage: duties.CoverageView


class Refuse(Effect, frozen=True):
    """Tell one console that what it asked was not done, and why."""

    session: str
    refusal: operator.Refusal


class Count(Effect, frozen=True):
    """Count something by reason (a row of the metrics catalogue)."""

    name: str
    reason: str = ""


class Observe(Effect, frozen=True):
    """Add one observation to a histogram of the metrics catalogue, in seconds."""

    name: str
    seconds: float
    labels: tuple[str, ...] = ()


AnyEffect = (
    SendCommand
    | SendEventAck
    | Record
    | ShowVehicle
    | ShowRoute
    | ShowSupervision
    | PreferLayers
    | WithdrawDrive
    | SetGrant
    | Lease
    | ShowControl
    | ShowSeats
    | ShowAttention
    | ShowAlarm
    | ShowAlarmGroup
    | ShowAlarmKpi
    | ShowRequest
    | ShowCommand
    | ShowDuty
    | ShowHandover
    | ShowCoverage
    | Refuse
    | Count
    | Observe
)
