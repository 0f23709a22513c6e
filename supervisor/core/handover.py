"""Handing a shift over: the drawing of `protocols.handover`, and what follows.

The list of what is to be known is looked at twice a second (`handover_items`); an item
whose meaning changed has a new rev and has to be seen again. Offering is the leaving
person's confirmation, accepting the taking person's; both, with the exact content, are one
audit record, and nothing moves before it is durable. Then

    entries of the queue that the leaving seats have go to the taking seat,
    duties that the leaving person is in charge of become the taking person's,
    the leaving seats are asked nothing more until their next start-of-shift check.

Control of a vehicle is not moved: it is given back, or preempted, each by its own rules.
"""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from protocols.authority import ControlState
from protocols.handover import (
    MAX_ITEMS,
    MAX_NOTES,
    AcceptHandover,
    DeclineHandover,
    HandoverBoardView,
    HandoverItem,
    HandoverRecord,
    HandoverState,
    HandoverView,
    NoteView,
    OfferHandover,
    RemoveNote,
    SeeHandoverItem,
    WithdrawHandover,
    WriteNote,
)
from protocols.operator import Refusal, Role
from supervisor.core import attention, duties
from supervisor.core.effects import AnyEffect, Count, Refuse, ShowHandover
from supervisor.core.events import HandoverAsked, HandoverRestored, Operator
from supervisor.core.fleet import Fleet
from supervisor.core.handover_items import collect
from supervisor.core.ledger import Facts, Purpose, Waiting

MAY_DO: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
LOOK_NS: Final = 500_000_000
OFFER_NS: Final = 3_600_000_000_000
"""An offer that nobody answered for so long lapses."""
SHOWN_AFTER_END_NS: Final = 600_000_000_000
KEPT_ENDED: Final = 20
OPEN: Final = (HandoverState.OFFERED, HandoverState.CONFIRMING)

replace = msgspec.structs.replace


def view(fleet: Fleet) -> HandoverBoardView:
    """Return all of it, as of the last look."""
    board = fleet.handover
    return HandoverBoardView(
        items=board.items,
        omitted=board.omitted,
        notes=list(board.notes.values()),
        handovers=list(board.handovers.values()),
    )


# ------------------------------------------------------------------------ people


def on_asked(fleet: Fleet, event: HandoverAsked, now_ns: int) -> list[AnyEffect]:
    """Somebody says something about handing over."""
    who, ask = event.operator, event.ask
    if who.role not in MAY_DO:
        return _refuse(who, _ref(event), "role", f"a {who.role} may not hand over or take over")
    _look(fleet, now_ns)
    match ask:
        case WriteNote():
            return _write(fleet, who, ask, now_ns)
        case RemoveNote():
            return _remove(fleet, who, ask, now_ns)
        case OfferHandover():
            return _offer(fleet, who, ask, now_ns)
        case WithdrawHandover() | DeclineHandover() | SeeHandoverItem() | AcceptHandover():
            found = fleet.handover.handovers.get(ask.handover)
            if found is None or found.state is not HandoverState.OFFERED:
                return _refuse(who, ask.handover, "unknown_handover", "it is not open any more")
            return _answer(fleet, who, found, ask, now_ns)
        case _:
            assert_never(ask)


def _answer(
    fleet: Fleet,
    who: Operator,
    found: HandoverView,
    ask: WithdrawHandover | DeclineHandover | SeeHandoverItem | AcceptHandover,
    now_ns: int,
) -> list[AnyEffect]:
    leaves = isinstance(ask, WithdrawHandover)
    if who.account != (found.leaving if leaves else found.taking):
        return _refuse(who, found.id, "not_yours", "this handover is somebody else's")
    if not leaves and found.seat and who.seat != found.seat:
        return _refuse(who, found.id, "not_yours", "it is offered to another seat")
    match ask:
        case WithdrawHandover():
            return _end(fleet, found, HandoverState.WITHDRAWN, who.account, "", now_ns)
        case DeclineHandover():
            if not ask.reason.strip():
                return _refuse(who, found.id, "no_reason", "say why")
            reason = ask.reason.strip()
            return _end(fleet, found, HandoverState.DECLINED, who.account, reason, now_ns)
        case SeeHandoverItem():
            item = next((one for one in fleet.handover.items if one.key == ask.item), None)
            if item is None or item.rev != ask.rev:
                return _refuse(who, found.id, "changed", "it has changed meanwhile; look again")
            seen = {**found.seen, item.key: item.rev}
            seen_ns = {**found.seen_ns, item.key: now_ns}
            return _keep(fleet, replace(found, seen=seen, seen_ns=seen_ns))
        case AcceptHandover():
            return _accept(fleet, who, found, now_ns)
        case _:
            assert_never(ask)


def _write(fleet: Fleet, who: Operator, ask: WriteNote, now_ns: int) -> list[AnyEffect]:
    board = fleet.handover
    text = ask.text.strip()
    if ask.vehicle and ask.vehicle not in fleet.by_name:
        return _refuse(who, "note", "unknown_vehicle", ask.vehicle)
    if not text:
        return _refuse(who, "note", "no_text", "write something down first")
    if len(board.notes) >= MAX_NOTES:
        return _refuse(who, "note", "too_many_notes", "remove notes that are settled first")
    note_id = f"n{now_ns // 1_000_000}-{board.next_number()}"
    note = NoteView(id=note_id, text=text, by=who.account, at_ns=now_ns, vehicle=ask.vehicle)
    board.notes[note.id] = note
    facts: Facts = {"note": note.id, "at_ns": now_ns, "view": _json(note)}
    record = fleet.ledger.record("handover.note", who.account, note.vehicle, facts)
    return [record, Count("handover", "note"), *_changed(fleet, now_ns)]


def _remove(fleet: Fleet, who: Operator, ask: RemoveNote, now_ns: int) -> list[AnyEffect]:
    note = fleet.handover.notes.pop(ask.note, None)
    if note is None:
        return _refuse(who, ask.note, "unknown_note", "no such note is there")
    facts: Facts = {"note": note.id, "at_ns": now_ns}
    record = fleet.ledger.record("handover.note_removed", who.account, note.vehicle, facts)
    return [record, *_changed(fleet, now_ns)]


def _offer(fleet: Fleet, who: Operator, ask: OfferHandover, now_ns: int) -> list[AnyEffect]:
    board = fleet.handover
    if ask.taking == who.account:
        return _refuse(who, "handover", "same_account", "hand over to somebody else")
    takers = [seat.operator for seat in fleet.seats.values() if seat.operator.account == ask.taking]
    if ask.seat:
        takers = [one for one in takers if one.seat == ask.seat]
    if not takers:
        return _refuse(who, "handover", "no_taker", f"{ask.taking} has no open console there")
    if any(one.leaving == who.account and one.state in OPEN for one in board.handovers.values()):
        return _refuse(who, "handover", "offered_already", "this shift is offered already")
    holds = _holds(fleet, who.account)
    if holds:
        return _refuse(who, "handover", "holds_control", ", ".join(holds))
    found = HandoverView(
        id=f"h{now_ns // 1_000_000}-{board.next_number()}",
        leaving=who.account,
        taking=ask.taking,
        seat=ask.seat,
        state=HandoverState.OFFERED,
        offered_ns=now_ns,
        since_ns=now_ns,
        until_ns=now_ns + OFFER_NS,
        offered={item.key: item.rev for item in board.items},
    )
    record = fleet.ledger.record(
        "handover.offered", who.account, ask.taking, _facts(fleet, found, now_ns)
    )
    return [record, Count("handover", "offered"), *_keep(fleet, found)]


def _accept(fleet: Fleet, who: Operator, found: HandoverView, now_ns: int) -> list[AnyEffect]:
    board = fleet.handover
    seat = fleet.seats.get(who.session)
    if seat is None or seat.why_not:
        return _refuse(who, found.id, "seat", "this seat is not armed")
    if found.holds:
        return _refuse(who, found.id, "holds_control", ", ".join(found.holds))
    unseen = [item.key for item in board.items if found.seen.get(item.key) != item.rev]
    if unseen:
        return _refuse(who, found.id, "unseen", f"{len(unseen)} items have not been seen")
    found = replace(
        found,
        state=HandoverState.CONFIRMING,
        since_ns=now_ns,
        accepted_by_seat=who.seat,
        seen={item.key: item.rev for item in board.items},
        seen_ns={item.key: found.seen_ns[item.key] for item in board.items},
    )
    board.sessions[found.id] = who.session
    # The record says what it will be: it is only ever read when it is durable.
    accepted = replace(found, state=HandoverState.ACCEPTED)
    record = fleet.ledger.record(
        "handover.accepted",
        who.account,
        found.leaving,
        _facts(fleet, accepted, now_ns),
        Waiting(Purpose.HAND_OVER, None, found.id),
    )
    return [record, *_keep(fleet, found)]


# ------------------------------------------------------------------ disk and time


def on_recorded(fleet: Fleet, handover_id: str, ok: bool, now_ns: int) -> list[AnyEffect]:
    """The record of both confirmations is durable, or not."""
    board = fleet.handover
    session = board.sessions.pop(handover_id, "")
    found = board.handovers.get(handover_id)
    if found is None or found.state is not HandoverState.CONFIRMING:
        return []
    if not ok:
        offered = replace(found, state=HandoverState.OFFERED, since_ns=now_ns, accepted_by_seat="")
        refusal = Refusal(found.id, "audit", "it could not be recorded, and does not count")
        return [Refuse(session, refusal), Count("handover", "refused"), *_keep(fleet, offered)]
    found = replace(found, state=HandoverState.ACCEPTED, since_ns=now_ns)
    effects = _keep(fleet, found)
    leaving = [s for s, seat in fleet.seats.items() if seat.operator.account == found.leaving]
    taking = fleet.seats.get(session)
    if taking is not None and not taking.why_not:
        for entry in fleet.attention.entries.values():
            if entry.owner in leaving:
                attention.give(fleet, entry, session, now_ns)
    for one in leaving:
        fleet.seats[one].handed_over = True
    effects += duties.hand_over(fleet, found.leaving, found.taking, now_ns)
    return [Count("handover", "accepted"), *effects]


def on_time(fleet: Fleet, now_ns: int) -> list[AnyEffect]:
    """Look at what is to be known. Safe early, late or twice."""
    board = fleet.handover
    if now_ns < board.look_ns:
        return []
    board.look_ns = now_ns + LOOK_NS
    effects: list[AnyEffect] = []
    _look(fleet, now_ns)
    for found in list(board.handovers.values()):
        if found.state is HandoverState.OFFERED and now_ns >= found.until_ns:
            effects += _end(fleet, found, HandoverState.LAPSED, "hub", "", now_ns)
    ended = [one for one in board.handovers.values() if one.state not in OPEN]
    ended.sort(key=lambda one: one.since_ns)
    for number, one in enumerate(ended):
        if now_ns - one.since_ns >= SHOWN_AFTER_END_NS or number < len(ended) - KEPT_ENDED:
            del board.handovers[one.id]
            board.shown = False
    return effects + _show(fleet)


def on_restored(fleet: Fleet, event: HandoverRestored, now_ns: int) -> list[AnyEffect]:
    """At start: notes, and offers that nobody has answered.

    What the taking person has seen is forgotten: the fleet is another one after a restart.
    """
    board = fleet.handover
    for note in event.notes:
        board.notes[note.id] = note
    for found in event.handovers:
        board.handovers[found.id] = replace(found, offered={}, seen={}, seen_ns={}, holds=[])
    if not event.notes and not event.handovers:
        return []
    facts: Facts = {
        "notes": len(event.notes),
        "handovers": ",".join(found.id for found in event.handovers),
        "at_ns": now_ns,
    }
    record = fleet.ledger.record("handover.restored", "hub", "", facts)
    return [record, Count("handover", "restored"), *_changed(fleet, now_ns)]


# ------------------------------------------------------------------------ inside


def _look(fleet: Fleet, now_ns: int) -> None:
    """Bring the list and what blocks each open offer up to date."""
    board = fleet.handover
    before = {item.key: item for item in board.items}
    found = collect(fleet, list(board.notes.values()))
    items = [_numbered(fleet, item, before.get(item.key), now_ns) for item in found[:MAX_ITEMS]]
    omitted = max(0, len(found) - MAX_ITEMS)
    if items != board.items or omitted != board.omitted:
        board.items, board.omitted, board.shown = items, omitted, False
    for one in list(board.handovers.values()):
        if one.state is not HandoverState.OFFERED:
            continue
        holds = _holds(fleet, one.leaving)
        if holds != one.holds:
            board.handovers[one.id] = replace(one, holds=holds)
            board.shown = False


def _numbered(
    fleet: Fleet, item: HandoverItem, before: HandoverItem | None, now_ns: int
) -> HandoverItem:
    """Return the item with its rev; what has no time of its own keeps its first look's."""
    if before is not None:
        since_ns = before.since_ns if item.since_ns is None else item.since_ns
        same = replace(item, rev=before.rev, since_ns=since_ns)
        if same == before:
            return before
    since_ns = now_ns if item.since_ns is None else item.since_ns
    return replace(item, rev=fleet.handover.next_number(), since_ns=since_ns)


def _holds(fleet: Fleet, account: str) -> list[str]:
    """Return the vehicles of which somebody has control, or nearly, or still."""
    return [
        record.name_text
        for record in fleet.vehicles.values()
        if record.control.view.state is not ControlState.FREE
        and record.control.view.holder == account
    ]


def _end(
    fleet: Fleet, found: HandoverView, state: HandoverState, by: str, reason: str, now_ns: int
) -> list[AnyEffect]:
    found = replace(found, state=state, since_ns=now_ns, ended_by=by, reason=reason)
    facts: Facts = {"handover": found.id, "reason": reason, "at_ns": now_ns}
    kind = f"handover.{state}"
    record = fleet.ledger.record(kind, by, found.leaving, facts)
    return [record, Count("handover", str(state)), *_keep(fleet, found)]


def _keep(fleet: Fleet, found: HandoverView) -> list[AnyEffect]:
    board = fleet.handover
    board.handovers[found.id] = found
    board.shown = False
    return _show(fleet)


def _changed(fleet: Fleet, now_ns: int) -> list[AnyEffect]:
    _look(fleet, now_ns)
    fleet.handover.shown = False
    return _show(fleet)


def _show(fleet: Fleet) -> list[AnyEffect]:
    if fleet.handover.shown:
        return []
    fleet.handover.shown = True
    return [ShowHandover()]


def _facts(fleet: Fleet, found: HandoverView, now_ns: int) -> Facts:
    board = fleet.handover
    content = HandoverRecord(handover=found, items=board.items, omitted=board.omitted)
    return {
        "handover": found.id,
        "leaving": found.leaving,
        "taking": found.taking,
        "offered_ns": found.offered_ns,
        "items": len(board.items) + board.omitted,
        "at_ns": now_ns,
        "view": _json(content),
    }


def _json(content: NoteView | HandoverRecord) -> str:
    return msgspec.json.encode(content).decode()


def _ref(event: HandoverAsked) -> str:
    match event.ask:
        case WriteNote():
            return "note"
        case RemoveNote():
            return event.ask.note
        case OfferHandover():
            return "handover"
        case _:
            return event.ask.handover


def _refuse(who: Operator, ref: str, reason: str, detail: str) -> list[AnyEffect]:
    return [Refuse(who.session, Refusal(ref, reason, detail)), Count("handover", "refused")]
