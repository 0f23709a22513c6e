"""What is kept of the attention queue; `supervisor.core.attention` decides."""

from __future__ import annotations

import enum
from typing import NamedTuple

from protocols.authority import AttentionView


class Step(enum.IntEnum):
    """How far an entry has been escalated; names as in `AttentionView.step`."""

    ROUTED = 0
    NEIGHBOUR = 1
    SUPERVISOR = 2
    UNANSWERED = 3


class Need(NamedTuple):
    """What needs a person, as requests and alarms say it.

    Attributes:
        until_ns: End of the time to respond; escalation counts against it.
        deadline_ns: The same where something happens by itself then; None: nothing does.
    """

    id: str
    vehicle: str
    request_id: str
    alarm_id: str
    priority: int
    reason: str
    raised_ns: int
    until_ns: int
    deadline_ns: int | None
    unanswered: bool


class Entry:
    """One entry and whose it is.

    Attributes:
        owner, neighbour: Sessions of seats; empty: nobody.
        been: Sessions it has come to; coming back to one is no new load there.
        taken_by: Account that has control of the vehicle; empty: nobody.
        was_taken: Somebody has had it: how long that took has been told.
    """

    __slots__ = ("been", "need", "neighbour", "owner", "step", "taken_by", "told", "was_taken")

    def __init__(self, need: Need) -> None:
        self.need = need
        self.owner = ""
        self.neighbour = ""
        self.been: dict[str, None] = {}
        self.step = Step.ROUTED
        self.taken_by = ""
        self.was_taken = False
        self.told: tuple[str, str, int] = ("", "", -1)


class AttentionBoard:
    """All entries.

    Attributes:
        entries: By id.
        shown: What consoles were last told, best first.
        loads: What they were told of each seat's load, by session.
        late: Vehicles with a request that nobody answered.
        look_ns: When to look next.
    """

    __slots__ = ("entries", "late", "loads", "look_ns", "shown")

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.shown: list[AttentionView] = []
        self.loads: dict[str, tuple[int, float]] = {}
        self.late: tuple[str, ...] = ()
        self.look_ns = 0
