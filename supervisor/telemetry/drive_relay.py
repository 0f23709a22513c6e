"""Control frames that come over the hub: checked against the grant, passed on at once.

They never enter the core's queue. The key is derived here, given to the holder's console
(and to nobody else), and used to check what comes back: a frame that the vehicle would
refuse does not cost its radio anything. Keys are never logged, counted or journalled.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from protocols import drive
from protocols.authority import DriveKey, DriveRelay
from protocols.codec import ProtocolError
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor import clock
from supervisor.core.effects import SetGrant
from supervisor.counters import Counters
from supervisor.telemetry.inbox import Budget

log = logging.getLogger("enkan.telemetry.drive")

FRAMES_PER_S: Final = 60.0
"""A console sends 20 to 50."""
REFUSED: Final = "drive_relay_refused"
REASONS: Final = (
    *("not_granted", "rate", "encoding", "malformed", "oversize"),
    *("out_of_range", "not_drive", "epoch", "session", "tag", "link"),
)


class _Grant(NamedTuple):
    session: str
    epoch: int
    key: bytes
    vehicle_session: str
    budget: Budget


class DriveRelays:
    """Who may send control frames over the hub now.

    Args:
        command_keys: Of each configured vehicle.
        counters: `drive_relayed`, and `drive_relay_refused` by reason.
        publish: Sends a frame to a vehicle now, or returns False.
        give_key: Hands one console its key.
    """

    def __init__(
        self,
        command_keys: Mapping[VehicleId, bytes],
        *,
        counters: Counters,
        publish: Callable[[VehicleId, bytes], bool],
        give_key: Callable[[str, DriveKey], None],
    ) -> None:
        self._keys = dict(command_keys)
        self._names = {str(vehicle_id): vehicle_id for vehicle_id in self._keys}
        self._counters = counters
        self._publish = publish
        self._give_key = give_key
        self._grants: dict[VehicleId, _Grant] = {}
        self._epochs: dict[VehicleId, int] = {}

    def stop_keys(self, account: str) -> dict[str, str]:
        """Return an account's stop key for each vehicle, hexadecimal."""
        return {
            str(vehicle_id): drive.stop_key(key, vehicle_id, account).hex()
            for vehicle_id, key in self._keys.items()
        }

    def set_grant(self, effect: SetGrant) -> None:
        """Let one console drive, or nobody; an older epoch than the last changes nothing."""
        vehicle_id = effect.vehicle_id
        if effect.epoch < self._epochs.get(vehicle_id, 0):
            return
        self._epochs[vehicle_id] = effect.epoch
        command_key = self._keys.get(vehicle_id)
        if effect.session is None or effect.purpose is not Purpose.DRIVE or command_key is None:
            self._grants.pop(vehicle_id, None)
            return
        key = drive.drive_key(command_key, vehicle_id, effect.epoch, effect.account)
        self._grants[vehicle_id] = _Grant(
            effect.session, effect.epoch, key, effect.vehicle_session, Budget(FRAMES_PER_S)
        )
        given = DriveKey(str(vehicle_id), effect.vehicle_session, effect.epoch, key.hex())
        self._give_key(effect.session, given)

    def relay(self, session: str, message: DriveRelay) -> str:
        """Pass a console's frame on; return "" or the reason why not (of `REASONS`)."""
        vehicle_id = self._names.get(message.vehicle)
        grant = None if vehicle_id is None else self._grants.get(vehicle_id)
        if vehicle_id is None or grant is None or grant.session != session:
            reason = "not_granted"
        else:
            reason = self._pass_on(vehicle_id, grant, message)
        self._counters.add(REFUSED if reason else "drive_relayed", reason)
        return reason

    def _pass_on(self, vehicle_id: VehicleId, grant: _Grant, message: DriveRelay) -> str:
        if not grant.budget.take(clock.monotonic_ns()):
            return "rate"
        try:
            data = base64.b64decode(message.frame, validate=True)
            frame = drive.read(data)
        except binascii.Error:
            return "encoding"
        except ProtocolError as error:
            return error.reason if error.reason in REASONS else "malformed"
        if not isinstance(frame, drive.DriveFrame):
            return "not_drive"
        if frame.epoch != grant.epoch:
            return "epoch"
        if frame.session_id != grant.vehicle_session:
            return "session"
        if not drive.sealed_by(data, grant.key):
            return "tag"
        return "" if self._publish(vehicle_id, data) else "link"
