"""What a vehicle carries beside its drive: implement, conditions, what each kind obeys. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from protocols.vehicle import Implement, ImplementState, Kind, Odd

EVERY_KIND: Final = (
    "stop",
    "emergency_stop",
    "resume",
    "wait",
    "alternate_path",
    "pull_over",
    "follow_path",
    "limit_speed",
    "minimal_risk",
    "take_control",
    "release_control",
)
OF_KIND: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.BUS: (*EVERY_KIND, "doors", "announce"),
    Kind.TRACTOR: (*EVERY_KIND, "implement"),
    Kind.ROBOT: (*EVERY_KIND, "announce"),
    Kind.OTHER: EVERY_KIND,
}
"""The commands a vehicle obeys, by its kind: what its factsheet says."""

NEAR_MACHINE: Final = "person.near_machine"
ODD_OF: Final = {"odd.near_exit": Odd.NEAR_EXIT, "odd.exit": Odd.OUTSIDE}


class Happening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something worth an alarm that happens to a synthetic vehicle.

    Attributes:
        at_s: Seconds after its start.
        alarm: Key of the hub's alarm catalogue: passenger.stop_button, passenger.call,
            door.fault, odd.near_exit, odd.exit, energy.low, person.near_machine,
            implement.fault, camera.blocked, vehicle.collision, ...
        active: The condition begins; false: it ends.
        text: In words; may be empty.
    """

    at_s: Annotated[float, Meta(ge=0, le=1e6)]
    alarm: Annotated[str, Meta(pattern=r"^[a-z][a-z_]{0,30}\.[a-z][a-z_]{0,30}$")]
    active: bool = True
    text: Annotated[str, Meta(max_length=200)] = ""


class Conditions:
    """What is the matter with the vehicle now.

    Attributes:
        active: Keys of the conditions that are there.
    """

    def __init__(self, happenings: Sequence[Happening], now_ns: int) -> None:
        self.active: set[str] = set()
        self._due = sorted(
            (now_ns + round(happening.at_s * 1e9), number, happening)
            for number, happening in enumerate(happenings)
        )

    def on_time(self, now_ns: int) -> list[Happening]:
        """Return what has happened by now and was not returned before."""
        happened = []
        while self._due and self._due[0][0] <= now_ns:
            _, _, happening = self._due.pop(0)
            if happening.active:
                self.active.add(happening.alarm)
            else:
                self.active.discard(happening.alarm)
            happened.append(happening)
        return happened

    @property
    def odd(self) -> Odd:
        """Where it is with regard to its operational design domain."""
        for key in ("odd.exit", "odd.near_exit"):
            if key in self.active:
                return ODD_OF[key]
        return Odd.INSIDE

    @property
    def person_near(self) -> bool:
        """A person is seen near the machine."""
        return NEAR_MACHINE in self.active


class Attachment:
    """Implement and power take-off of a tractor.

    Attributes:
        lowered, pto: Where it has them.
    """

    def __init__(self) -> None:
        self.lowered = False
        self.pto = False

    def obey(self, order: Implement, person_near: bool) -> str:
        """Set it as wanted; return why not, in words."""
        if order.pto and person_near:
            return "a person is near the machine"
        if order.lowered is not None:
            self.lowered = order.lowered
        if order.pto is not None:
            self.pto = order.pto
        return ""

    @property
    def state(self) -> ImplementState:
        """As a state message says it."""
        return ImplementState(self.lowered, self.pto)
