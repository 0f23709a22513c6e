"""Notes, and offers of a shift that nobody has answered, from the audit, in this hub's time."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeVar

import msgspec

from protocols.handover import HandoverRecord, HandoverView, NoteView
from supervisor.core.events import HandoverRestored
from supervisor.evidence.audit import AuditError
from supervisor.evidence.reading import Row, rows

ENDS: Final = (
    "handover.accepted",
    "handover.withdrawn",
    "handover.declined",
    "handover.lapsed",
)
KINDS: Final = ("handover.note", "handover.note_removed", "handover.offered", *ENDS)

T = TypeVar("T", NoteView, HandoverRecord)


def restored(path: Path, *, now_ns: int, utc_ns: int) -> HandoverRestored:
    """Return the notes that nobody removed and the offers that are still open.

    Args:
        path: The audit store; none yet: nothing.
        now_ns, utc_ns: The same instant on this hub's monotonic clock and the wall clock.

    Raises:
        AuditError: The store or a record in it cannot be read.
    """
    notes: dict[str, NoteView] = {}
    offers: dict[str, HandoverView] = {}
    for row in rows(path, KINDS) if path.is_file() else ():
        by_ns = now_ns - utc_ns + row.utc_of(0)
        if row.kind == "handover.note":
            note = _decode(row, NoteView)
            notes[note.id] = msgspec.structs.replace(note, at_ns=note.at_ns + by_ns)
        elif row.kind == "handover.note_removed":
            notes.pop(row.text("note"), None)
        elif row.kind == "handover.offered":
            offer = moved(_decode(row, HandoverRecord).handover, by_ns)
            offers[offer.id] = offer
        else:
            offers.pop(row.text("handover"), None)
    still = [offer for offer in offers.values() if now_ns < offer.until_ns]
    return HandoverRestored(list(notes.values()), still)


def moved(offer: HandoverView, by_ns: int) -> HandoverView:
    """Return the offer with all its times on another clock."""
    return msgspec.structs.replace(
        offer,
        offered_ns=offer.offered_ns + by_ns,
        since_ns=offer.since_ns + by_ns,
        until_ns=offer.until_ns + by_ns,
        seen_ns={key: at_ns + by_ns for key, at_ns in offer.seen_ns.items()},
    )


def _decode(row: Row, kind: type[T]) -> T:
    try:
        found: T = msgspec.json.decode(row.text("view"), type=kind)
    except msgspec.MsgspecError as error:
        text = f"record {row.seq} of the audit holds no {kind.__name__}: {error}"
        raise AuditError("damaged", text) from error
    return found
