"""One alarm: a row of the catalogue for one vehicle, or for the hub."""

from __future__ import annotations

from collections import deque
from typing import Final

from protocols.alarms import AlarmState, AlarmView
from supervisor.core.alarm_states import ASIDE
from supervisor.core.catalogue import AlarmSpec, Source

HUB: Final = "hub"
"""Stands for the vehicle in the id of an alarm that concerns the whole hub."""

CHATTER_RAISES: Final = 3
CHATTER_NS: Final = 60_000_000_000
"""An alarm that comes `CHATTER_RAISES` times within this chatters. It is calm when its
condition has not come for as long; until then its condition must be gone for as long."""


class Alarm:
    """One alarm instance. Changed by the board alone.

    Attributes:
        condition: What the plant says now.
        condition_ns: Since when.
        active: The condition with its delays applied.
        owed: It has come and nobody has seen it; kept while it is suppressed or shelved.
        by, why, until_ns: Who put it aside, why, until when.
        cause: Id of the alarm that suppresses it.
        origin: Session of the vehicle that raised it, for rows that vehicles raise.
        edge_ns: When the condition last came, while it chatters.
        raises: How often it has come since it began to chatter; 1 while it does not.
    """

    __slots__ = (
        "acknowledged_by",
        "active",
        "by",
        "cause",
        "changed_ns",
        "chattering",
        "condition",
        "condition_ns",
        "detail",
        "edge_ns",
        "group",
        "origin",
        "overdue",
        "owed",
        "raised_ns",
        "raises",
        "recent_ns",
        "spec",
        "stale",
        "state",
        "until_ns",
        "vehicle",
        "why",
    )

    def __init__(self, spec: AlarmSpec, vehicle: str) -> None:
        self.spec = spec
        self.vehicle = vehicle
        self.condition = False
        self.condition_ns = 0
        self.active = False
        self.state = AlarmState.NORMAL
        self.raised_ns = 0
        self.changed_ns = 0
        self.acknowledged_by = ""
        self.detail = ""
        self.owed = False
        self.by = ""
        self.why = ""
        self.until_ns: int | None = None
        self.cause = ""
        self.group = ""
        self.origin = ""
        self.recent_ns: deque[int] = deque(maxlen=CHATTER_RAISES)
        self.edge_ns = 0
        self.raises = 1
        self.chattering = False
        self.stale = False
        self.overdue = False

    @property
    def place(self) -> tuple[str, str]:
        """Key and vehicle."""
        return self.spec.key, self.vehicle

    @property
    def alarm_id(self) -> str:
        """`key@site/vehicle`, or `key@hub`."""
        return f"{self.spec.key}@{self.vehicle or HUB}"

    def due_ns(self) -> int:
        """When the running delay ends."""
        if self.condition:
            return self.condition_ns + self.spec.on_delay_ms * 1_000_000
        off_ns = self.spec.off_delay_ms * 1_000_000
        return self.condition_ns + (max(off_ns, CHATTER_NS) if self.chattering else off_ns)

    def came(self, now_ns: int) -> bool:
        """It is announced; return whether it began to chatter."""
        self.recent_ns.append(now_ns)
        if (
            self.chattering
            or len(self.recent_ns) < CHATTER_RAISES
            or now_ns - self.recent_ns[0] > CHATTER_NS
        ):
            return False
        self.chattering = True
        self.edge_ns = now_ns
        self.raises = CHATTER_RAISES
        return True

    def calm(self) -> None:
        """It chatters no more."""
        self.chattering = False
        self.raises = 1
        self.recent_ns.clear()

    @property
    def stands(self) -> bool:
        """Whether it outlives the hub: nobody says it again, or nobody has seen it."""
        if self.state is AlarmState.NORMAL:
            return False
        return self.state in ASIDE or self.spec.latching or self.spec.source is Source.VEHICLE

    def view(self) -> AlarmView:
        """Return what a console shows."""
        return AlarmView(
            id=self.alarm_id,
            key=self.spec.key,
            vehicle=self.vehicle,
            priority=int(self.spec.priority),
            state=self.state,
            raised_ns=self.raised_ns,
            changed_ns=self.changed_ns,
            acknowledged_by=self.acknowledged_by,
            detail=self.detail,
            active=self.active,
            by=self.by,
            why=self.why,
            until_ns=self.until_ns,
            cause=self.cause,
            group=self.group,
            raises=self.raises,
            chattering=self.chattering,
            stale=self.stale,
            overdue=self.overdue,
        )
