"""What is kept of handing over; `supervisor.core.handover` decides."""

from __future__ import annotations

from protocols.handover import HandoverItem, HandoverView, NoteView


class HandoverBoard:
    """The list of what is to be known, the notes, and the handovers.

    Attributes:
        items, omitted: As of the last look, in the order in which they are read.
        notes, handovers: By id.
        sessions: By handover that waits for its record, the console where it was accepted.
        number: Of the newest item rev, note or handover.
        look_ns: When to look next.
        shown: What consoles were last told is as it was then.
    """

    __slots__ = (
        "handovers",
        "items",
        "look_ns",
        "notes",
        "number",
        "omitted",
        "sessions",
        "shown",
    )

    def __init__(self) -> None:
        self.items: list[HandoverItem] = []
        self.omitted = 0
        self.notes: dict[str, NoteView] = {}
        self.handovers: dict[str, HandoverView] = {}
        self.sessions: dict[str, str] = {}
        self.number = 0
        self.look_ns = 0
        self.shown = True

    def next_number(self) -> int:
        """Return a number that this life of the hub has not used."""
        self.number += 1
        return self.number
