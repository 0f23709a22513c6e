"""Which size of each camera a watcher gets: his own wish, unless the core prefers another.

A preference belongs to a vehicle and holds for all its watchers, also for those who come
later, until it is taken back; then everybody has his own wish again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from protocols.topics import VehicleId
from supervisor.rtp.layers import Choice


class Preference(msgspec.Struct, frozen=True):
    """What the core prefers for one vehicle.

    Attributes:
        focused: The camera to protect; empty: none.
        focus: Its size; None: as wished.
        others: The size of all other cameras; None: as wished.
    """

    focused: str = ""
    focus: Choice | None = None
    others: Choice | None = None


class Wishes(msgspec.Struct):
    """What one watcher asked for.

    Attributes:
        cameras: Those he watches.
        default: For each that he did not name since.
        named: By camera.
    """

    cameras: tuple[str, ...] = ()
    default: Choice = "high"
    named: dict[str, Choice] = {}

    def add(self, wishes: Mapping[str, Choice]) -> None:
        """Take newer wishes; for cameras he does not watch they mean nothing."""
        self.named |= {camera: wishes[camera] for camera in wishes if camera in self.cameras}


class Preferences:
    """The preferences of all vehicles; bounded by the configured vehicles."""

    def __init__(self) -> None:
        self._of: dict[VehicleId, Preference] = {}

    def set(self, vehicle_id: VehicleId, preference: Preference) -> None:
        """Replace a vehicle's preference; one that prefers nothing is forgotten."""
        if preference.focus is None and preference.others is None:
            self._of.pop(vehicle_id, None)
        else:
            self._of[vehicle_id] = preference

    def effective(
        self, vehicle_id: VehicleId, wishes: Wishes, cameras: Iterable[str] | None = None
    ) -> dict[str, Choice]:
        """Return the size of each camera, or of those given, for one watcher."""
        preference = self._of.get(vehicle_id, _NONE)
        found: dict[str, Choice] = {}
        for camera in wishes.cameras if cameras is None else cameras:
            preferred = preference.focus if camera == preference.focused else preference.others
            wish = wishes.named.get(camera, wishes.default)
            # "low" is the least there is: a preference never makes a wish larger.
            found[camera] = wish if preferred is None or wish == "low" else preferred
        return found

    def prefers(self, vehicle_id: VehicleId) -> bool:
        """Return whether anything is preferred for this vehicle."""
        return vehicle_id in self._of


_NONE = Preference()
