"""Asking a person: one open take-over request, its time, and the end of it. Pure."""

from __future__ import annotations

from typing import Final

from protocols.vehicle import EventKind, PathOption, VehicleEvent
from vehicle_stub.outputs import EventRepeater

REASON: Final = "obstacle"


class Asking:
    """The requests of one session, one at a time; also numbers all its events.

    Attributes:
        open: The request that waits for a person.
        until_ns: When the vehicle acts by itself, unless it was answered.
        paths: What its options mean, by option id: metres from where it was offered along
            the line, metres to the left of it.
    """

    def __init__(self, session_id: str, events: EventRepeater, within_s: float) -> None:
        self.open: VehicleEvent | None = None
        self.until_ns = 0
        self.paths: dict[str, list[tuple[float, float]]] = {}
        self._session_id = session_id
        self._events = events
        self._within_s = within_s
        self._next = 1

    @property
    def open_id(self) -> str:
        """Event id of the open request; empty: none."""
        return "" if self.open is None else self.open.event_id

    def ask(
        self,
        gap_m: float,
        options: list[PathOption],
        paths: dict[str, list[tuple[float, float]]],
        now_ns: int,
    ) -> None:
        """Ask for a person: something stands in the way."""
        self.open = VehicleEvent(
            session_id=self._session_id,
            event_id=self._id(),
            kind=EventKind.TAKEOVER_REQUESTED,
            sent_ns=now_ns,
            reason=REASON,
            text=f"前方 {gap_m:.0f} m に障害物。判断をお願いします / "
            f"Obstacle {gap_m:.0f} m ahead. A person has to decide",
            respond_within_s=self._within_s,
            options=options,
        )
        self.paths = paths
        self.until_ns = now_ns + round(self._within_s * 1e9)
        self._events.add(self.open, now_ns)

    def wait(self, more_s: float, now_ns: int) -> None:
        """A person wants it to wait, this long from now."""
        self.until_ns = now_ns + round(more_s * 1e9)

    def say_again(self, now_ns: int) -> None:
        """A hub that was started anew knows nothing of it."""
        if self.open is not None:
            self._events.add(self.open, now_ns)

    def close(self, now_ns: int) -> bool:
        """It needs no answer any more; return whether it was open."""
        if self.open is None:
            return False
        self._events.drop(self.open.event_id)
        cleared = VehicleEvent(
            session_id=self._session_id,
            event_id=self._id(),
            kind=EventKind.TAKEOVER_CLEARED,
            sent_ns=now_ns,
            reason=REASON,
            subject_id=self.open.event_id,
        )
        self._events.add(cleared, now_ns)
        self.open = None
        self.paths = {}
        return True

    def alarm(self, key: str, text: str, now_ns: int, *, active: bool) -> None:
        """Say that a condition worth an alarm is there, or is gone."""
        event = VehicleEvent(
            session_id=self._session_id,
            event_id=self._id(),
            kind=EventKind.ALARM,
            sent_ns=now_ns,
            reason=key,
            text=text,
            alarm=key,
            active=active,
        )
        self._events.add(event, now_ns)

    def _id(self) -> str:
        number = self._next
        self._next += 1
        return f"{self._session_id[:32]}-{number}"
