"""Handing a shift over from one person to another (引継ぎ).

    OFFERED ──every item seen, accepted──▶ CONFIRMING ──record durable──▶ ACCEPTED
       ├──WithdrawHandover──▶ WITHDRAWN        └──record failed──▶ OFFERED
       ├──DeclineHandover───▶ DECLINED
       └──an hour───────────▶ LAPSED

What is handed over is what is so *now*: the hub keeps one list of it for everybody, and an
open offer follows the list. Whoever takes over has seen every item as it is when he
accepts: one that changed has to be seen again. Control of a vehicle is never handed over
so; while the leaving person has any, nothing can be accepted.

Every `*_ns` is the *hub's monotonic clock*.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from protocols.fields import Counter, FullName, Token

Account = Annotated[str, Meta(min_length=1, max_length=64)]
Seat = Annotated[str, Meta(max_length=64)]
Note = Annotated[str, Meta(min_length=1, max_length=500)]
ItemKey = Annotated[str, Meta(min_length=1, max_length=200)]
Reason = Annotated[str, Meta(min_length=1, max_length=300)]

MAX_ITEMS = 200
"""More is not read by anybody; the rest is counted in `HandoverBoardView.omitted`."""
MAX_NOTES = 100


class ItemKind(enum.StrEnum):
    """What an item is about, in the order in which it is read.

    CONTROL: Somebody has control of a vehicle. REQUEST: a vehicle asks for a person. ALARM:
    it is there, or nobody has acknowledged it. DUTY: a statutory checklist is open. VEHICLE:
    its link is not online, or it is in a minimal-risk manoeuvre. LIMIT: a person limits its
    speed. SHELVED: an alarm is put aside, or out of service. NOTE: what somebody wrote down.
    """

    CONTROL = "control"
    REQUEST = "request"
    ALARM = "alarm"
    DUTY = "duty"
    VEHICLE = "vehicle"
    LIMIT = "limit"
    SHELVED = "shelved"
    NOTE = "note"


class HandoverItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that the next person has to know.

    Attributes:
        key: Unique, and the same for as long as it is the same thing.
        rev: Rises whenever what it says changes.
        vehicle: `site/vehicle`; empty: about the whole site.
        what: The control's purpose, the request's reason, the alarm's or the duty's key,
            `link` or `mrm`, `limit`, or the note's id.
        state: Where that stands, in the words of its own message; of a limit, km/h.
        by: Who has it, shelved it, limits it, wrote it, is in charge of it; may be empty.
        detail: More of it: an alarm's detail, a shelf's reason, a note's text.
        ja, en: A duty's title.
        priority: Of an alarm: 1 urgent, 2 high, 3 low; else 0.
        since_ns: Since when it is so; None: not known.
        until_ns: When it ends by itself, or is due; None: never.
    """

    key: str
    kind: ItemKind
    rev: int
    what: str
    vehicle: str = ""
    state: str = ""
    by: str = ""
    detail: str = ""
    ja: str = ""
    en: str = ""
    priority: int = 0
    since_ns: int | None = None
    until_ns: int | None = None


class NoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote down for whoever comes next.

    Attributes:
        vehicle: `site/vehicle`; empty: general.
        text: As it was written; `日本語 / English` is shown in the reader's language.
        by, at_ns: Who, when.
    """

    id: str
    text: str
    by: str
    at_ns: int
    vehicle: str = ""


class HandoverState(enum.StrEnum):
    """Where one handover stands."""

    OFFERED = "offered"
    CONFIRMING = "confirming"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"
    LAPSED = "lapsed"


class HandoverView(msgspec.Struct, frozen=True, kw_only=True):
    """One handover, open or lately ended.

    Attributes:
        id: Unique.
        leaving: Account that hands over, with all its seats.
        taking: Account that takes over.
        seat: Only this seat of his may (`SeatView.seat`); empty: any.
        offered_ns: When the leaving person confirmed.
        since_ns: Of the state.
        until_ns: When an open offer lapses.
        offered: Items as they were offered: key and rev; what is not among them came later.
        seen: By item key, the rev that the taking person has seen.
        seen_ns: By item key, when.
        holds: Vehicles that the leaving person has control of: they block it.
        accepted_by_seat: Where it was accepted.
        ended_by, reason: Who ended it otherwise, and why.
    """

    id: str
    leaving: str
    taking: str
    state: HandoverState
    offered_ns: int
    since_ns: int
    until_ns: int
    seat: str = ""
    offered: dict[str, int] = {}
    seen: dict[str, int] = {}
    seen_ns: dict[str, int] = {}
    holds: list[str] = []
    accepted_by_seat: str = ""
    ended_by: str = ""
    reason: str = ""


class HandoverBoardView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about handing over, in place of all older news of it.

    Attributes:
        items: What is to be known now, in the order in which it is read.
        omitted: How many more there are than `items` holds.
        handovers: Open ones, and those that ended within ten minutes; oldest first.
    """

    items: list[HandoverItem]
    omitted: int = 0
    notes: list[NoteView] = []
    handovers: list[HandoverView] = []


class HandoverRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit keeps of a handover: both confirmations and the exact content.

    Attributes:
        handover: The leaving person's (`offered_ns`), and when accepted the taking person's.
        items: The content at that moment, as it was shown to both.
    """

    handover: HandoverView
    items: list[HandoverItem]
    omitted: int = 0


# ---------------------------------------------------------------- console → hub


class WriteNote(msgspec.Struct, frozen=True, tag="write_note", forbid_unknown_fields=True):
    """Write something down for the next shift; it stays until somebody removes it."""

    text: Note
    vehicle: FullName = ""


class RemoveNote(msgspec.Struct, frozen=True, tag="remove_note", forbid_unknown_fields=True):
    """A note is settled; it stays in the audit."""

    note: Token


class OfferHandover(msgspec.Struct, frozen=True, tag="offer_handover", forbid_unknown_fields=True):
    """Offer this account's shift to somebody: the leaving person's confirmation.

    Attributes:
        taking: Account.
        seat: Only this seat of his; empty: any.
    """

    taking: Account
    seat: Seat = ""


class WithdrawHandover(
    msgspec.Struct, frozen=True, tag="withdraw_handover", forbid_unknown_fields=True
):
    """Take an offer back."""

    handover: Token


class DeclineHandover(
    msgspec.Struct, frozen=True, tag="decline_handover", forbid_unknown_fields=True
):
    """Do not take over, and say why."""

    handover: Token
    reason: Reason


class SeeHandoverItem(
    msgspec.Struct, frozen=True, tag="see_handover_item", forbid_unknown_fields=True
):
    """The taking person has seen an item as it was at this `rev`."""

    handover: Token
    item: ItemKey
    rev: Counter


class AcceptHandover(
    msgspec.Struct, frozen=True, tag="accept_handover", forbid_unknown_fields=True
):
    """Take over: the taking person's confirmation. It counts once it is on record."""

    handover: Token


HandoverAsk = (
    WriteNote
    | RemoveNote
    | OfferHandover
    | WithdrawHandover
    | DeclineHandover
    | SeeHandoverItem
    | AcceptHandover
)
"""Everything that a person says about handing over."""
