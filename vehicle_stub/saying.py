"""What a vehicle says of itself: state, telemetry, and what its cameras see. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from protocols.topics import Stream
from protocols.vehicle import Kind, MrmBehaviour, State, Telemetry
from vehicle_stub.conduct import Conduct
from vehicle_stub.drive import Drive
from vehicle_stub.outputs import Publish
from vehicle_stub.radio import RadioModel

if TYPE_CHECKING:
    from vehicle_stub.vehicle import Vehicle

STATE_EVERY_NS: Final = 5_000_000_000
ENERGY_PER_M: Final = 1 / 120_000.0
"""A full battery carries it 120 km."""


class Snapshot(NamedTuple):
    """What a camera or a microphone needs to know, taken at `at_ns`.

    `offset` (metres) and `angle` (radians) are those of `sideways`, positive to the left.
    """

    at_ns: int
    distance: float
    travelled: float
    speed: float
    obstacle_m: float | None
    doors_open: bool
    braking: bool
    offset: float = 0.0
    angle: float = 0.0


def snapshot(drive: Drive, conduct: Conduct, now_ns: int) -> Snapshot:
    """Return what cameras and microphones see and hear."""
    return Snapshot(
        now_ns,
        drive.distance,
        drive.travelled,
        drive.speed,
        drive.obstacle_ahead(),
        drive.doors_open,
        conduct.braking,
        drive.sideways.offset,
        drive.sideways.angle,
    )


class Saying:
    """The numbered messages of one session."""

    def __init__(
        self, vehicle: Vehicle, session_id: str, site: str, fallback: MrmBehaviour
    ) -> None:
        self._vehicle = vehicle
        self._session_id = session_id
        self._fallback = fallback
        self._radio = RadioModel(site)
        self._telemetry_seq = 0
        self._state_seq = 0
        self._state_ns = 0
        self._last: tuple[object, ...] | None = None

    def anew(self) -> None:
        """Say the state again, whether it changed or not."""
        self._last = None

    def state(self, now_ns: int) -> None:
        """Say the state if it changed, or was not said for 5 s."""
        vehicle = self._vehicle
        mode, mrm, behaviour = vehicle.conduct.words
        control = vehicle.control
        holder, epoch = control.held
        odd, reason = vehicle.conditions.odd, self._reason()[:500]
        doors = vehicle.drive.doors_open if vehicle.kind is Kind.BUS else None
        implement = vehicle.attachment.state if vehicle.kind is Kind.TRACTOR else None
        found = (
            mode,
            mrm,
            behaviour,
            odd,
            reason,
            control.purpose,
            holder,
            epoch,
            doors,
            implement,
        )
        if found == self._last and now_ns - self._state_ns < STATE_EVERY_NS:
            return
        self._state_seq += 1
        self._last = found
        self._state_ns = now_ns
        state = State(
            session_id=self._session_id,
            seq=self._state_seq,
            mode=mode,
            mrm=mrm,
            behaviour=behaviour,
            odd=odd,
            fallback=self._fallback,
            reason=reason,
            holder=holder,
            purpose=control.purpose,
            control_epoch=epoch,
            doors_open=doors,
            implement=implement,
        )
        vehicle.outputs.put(Publish(Stream.STATE, state))

    def telemetry(self, now_ns: int) -> Telemetry:
        """Return the next telemetry message."""
        vehicle, drive = self._vehicle, self._vehicle.drive
        pose = drive.pose()
        longitude, latitude = drive.course.frame.to_degrees(pose.east, pose.north)
        self._telemetry_seq += 1
        limit_mps = vehicle.limit.mps(now_ns)
        return Telemetry(
            session_id=self._session_id,
            seq=self._telemetry_seq,
            sent_ns=now_ns,
            longitude=round(longitude, 7),
            latitude=round(latitude, 7),
            heading_deg=round(math.degrees(pose.heading) % 360.0, 2) % 360.0,
            speed_mps=round(drive.speed, 3),
            mode=vehicle.conduct.words.mode,
            speed_limit_mps=round(min(drive.course.cruise_mps, limit_mps), 3),
            progress=round(drive.progress, 5),
            next_stop=drive.next_stop,
            energy=round(max(0.0, 0.92 - drive.travelled * ENERGY_PER_M), 4),
            radio=self._radio.at(pose.east, pose.north),
        )

    def _reason(self) -> str:
        vehicle, drive = self._vehicle, self._vehicle.drive
        if vehicle.conduct.reason:
            return vehicle.conduct.reason
        if drive.done:
            return "end of the route"
        if drive.doors_open:
            return f"at stop: {drive.next_stop}"
        if vehicle.link_up:
            return ""
        if vehicle.heard_hub:
            return "link lost: continuing inside the ODD"
        return "waiting for the hub" if vehicle.stops_on_link_loss else ""
