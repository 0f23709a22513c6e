"""The attention queue: who needs a person, whose turn it is, and how long is left.

An *entry* is an open take-over request, or an urgent or high alarm of a vehicle that
nobody has acknowledged (a group of alarms is one entry). It belongs to one armed seat, its
*owner*; time calls others:

    routed ──50 %──▶ neighbour ──75 %──▶ supervisor ──deadline──▶ unanswered
      owner            + one more seat     + all supervisors        + everybody, and the
                                                                    minimal-risk manoeuvre

Best first: what nobody answered and what is urgent, then by the end of its time, then by
age. All of these are fixed when an entry comes, so entries never change places among
themselves except when one becomes unanswered.

Owner becomes who has control of the vehicle, else the least loaded armed seat; one that
shows the vehicle already counts as `SHOWS` less loaded. Supervisors are chosen only when
no operator is armed. A seat that disarms or disappears loses its entries in the same
look. Without any armed seat an entry belongs to nobody and everybody sees it.

    load = 0.25 x own entries + 0.5 x control of a vehicle (1 while driving it)
         + 0.5 x entries that came to it in the last ten minutes / 10

From 1 on a seat is overloaded: new entries go elsewhere while there is an elsewhere, and
entries nobody has taken yet move to seats that stay below it. A flood is more than ten
alarms in ten minutes for one operator (EEMUA 191).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from protocols.authority import AttentionView, ControlState
from protocols.operator import AlarmState, CommandState, RequestState, Role
from protocols.supervision import Purpose
from supervisor.core import coverage, supervise
from supervisor.core.alarm import Alarm
from supervisor.core.catalogue import (
    BY_KEY,
    SEAT_NOT_ARMED,
    SUPERVISION_OVERLOAD,
    TAKEOVER_REQUESTED,
    TAKEOVER_UNANSWERED,
    Priority,
)
from supervisor.core.effects import AnyEffect, Count, Observe, ShowAttention, ShowSeats
from supervisor.core.entries import Entry, Need, Step
from supervisor.core.fleet import Fleet, Seat, VehicleRecord
from supervisor.core.ledger import Facts
from supervisor.core.orders import OrderState

LOOK_NS: Final = 50_000_000
RATE_NS: Final = 600_000_000_000
FLOOD: Final = 10
SHARE_OF_ENTRY: Final = 0.25
SHARE_OF_CONTROL: Final = 0.5
SHARE_OF_RATE: Final = 0.5
SHOWS: Final = 0.2
OVERLOADED: Final = 1.0
TAKING: Final = (ControlState.CONFIRMING, ControlState.HELD)
OWED: Final = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)
REQUEST_ROWS: Final = (TAKEOVER_REQUESTED, TAKEOVER_UNANSWERED)
"""Alarms whose request is an entry already."""
MAX_BEEN: Final = 64
"""Seats that one entry is remembered to have come to."""
MAX_GIVEN_UP: Final = 64
"""Requests of one vehicle that are remembered as unanswered; more than can be open."""


def views(fleet: Fleet, now_ns: int) -> list[AttentionView]:
    """Return the queue, best first, as of the last look."""
    return list(fleet.attention.shown)


def on_time(fleet: Fleet, now_ns: int) -> list[AnyEffect]:
    """Look at who needs a person and who can be asked. Safe early, late or twice."""
    board = fleet.attention
    if now_ns < board.look_ns:
        return []
    board.look_ns = now_ns + LOOK_NS
    effects: list[AnyEffect] = []
    _take_in(fleet, now_ns, effects)
    armed = {session: seat for session, seat in fleet.seats.items() if not seat.why_not}
    _weigh(fleet, now_ns)
    ordered = sorted(board.entries.values(), key=_best_first)
    for entry in ordered:
        _assign(fleet, entry, armed, now_ns, effects)
        _escalate(fleet, entry, armed, now_ns, effects)
    _relieve(fleet, ordered, armed, now_ns)
    for entry in board.entries.values():
        _tell(fleet, entry, now_ns, effects)
    effects += _alarms(fleet, armed, now_ns)
    effects += _manoeuvres(fleet, now_ns)
    return effects + _show(fleet, ordered)


# ------------------------------------------------------------------ who needs a person


def needs(fleet: Fleet) -> Iterator[Need]:
    """Yield what needs a person now."""
    respond_ns = int(BY_KEY[TAKEOVER_REQUESTED].respond_within_s * 1e9)
    for record in fleet.vehicles.values():
        for request in record.open_requests.values():
            until_ns = request.deadline_ns
            yield Need(
                id=f"{request.vehicle}#{request.id}",
                vehicle=request.vehicle,
                request_id=request.id,
                alarm_id="",
                priority=int(Priority.HIGH),
                reason=request.reason,
                raised_ns=request.raised_ns,
                until_ns=request.raised_ns + respond_ns if until_ns is None else until_ns,
                deadline_ns=until_ns,
                unanswered=request.state is RequestState.UNANSWERED,
            )
    groups: dict[str, Alarm] = {}
    for alarm in fleet.alarms.standing():
        if alarm.spec.priority > Priority.HIGH or not alarm.vehicle or alarm.state not in OWED:
            continue
        if alarm.spec.key in REQUEST_ROWS:
            continue
        first = groups.setdefault(alarm.group or alarm.alarm_id, alarm)
        if (alarm.raised_ns, alarm.alarm_id) < (first.raised_ns, first.alarm_id):
            groups[alarm.group] = alarm
    for entry_id, alarm in groups.items():
        yield Need(
            id=entry_id,
            vehicle=alarm.vehicle,
            request_id="",
            alarm_id=alarm.alarm_id,
            priority=int(alarm.spec.priority),
            reason=alarm.spec.key,
            raised_ns=alarm.raised_ns,
            until_ns=alarm.raised_ns + int(alarm.spec.respond_within_s * 1e9),
            deadline_ns=None,
            unanswered=False,
        )


def _take_in(fleet: Fleet, now_ns: int, effects: list[AnyEffect]) -> None:
    """Bring the entries up to date with what needs a person."""
    before = fleet.attention.entries
    entries: dict[str, Entry] = {}
    for need in needs(fleet):
        entry = before.get(need.id)
        if entry is None or entry.need.raised_ns != need.raised_ns:
            entry = Entry(need)
            effects.append(Count("attention", "request" if need.request_id else "alarm"))
        entry.need = need
        entries[need.id] = entry
    fleet.attention.entries = entries
    for entry in entries.values():
        record = fleet.by_name[entry.need.vehicle]
        control = record.control.view
        entry.taken_by = control.holder if control.state in TAKING else ""
        if entry.taken_by and not entry.was_taken:
            entry.was_taken = True
            waited_s = (now_ns - entry.need.raised_ns) / 1e9
            effects.append(Observe("attention_taken", waited_s, record.place))


def _best_first(entry: Entry) -> tuple[bool, float, int, str]:
    need = entry.need
    first = need.unanswered or need.priority == Priority.URGENT
    until = need.until_ns if need.deadline_ns is not None or need.alarm_id else float("inf")
    return (not first, until, need.raised_ns, need.id)


# ---------------------------------------------------------------------- whose turn it is


def _weigh(fleet: Fleet, now_ns: int) -> None:
    """Count what each seat has to do."""
    driving: dict[str, float] = {}
    for record in fleet.vehicles.values():
        view = record.control.view
        if view.seat and view.state in TAKING:
            share = OVERLOADED if view.purpose is Purpose.DRIVE else SHARE_OF_CONTROL
            driving[view.seat] = driving.get(view.seat, 0.0) + share
    owned: dict[str, int] = {}
    for entry in fleet.attention.entries.values():
        owned[entry.owner] = owned.get(entry.owner, 0) + 1
    for session, seat in fleet.seats.items():
        while seat.routed_ns and now_ns - seat.routed_ns[0] >= RATE_NS:
            seat.routed_ns.popleft()
        seat.requests = owned.get(session, 0)
        seat.load = round(
            SHARE_OF_ENTRY * seat.requests
            + driving.get(seat.operator.seat, 0.0)
            + SHARE_OF_RATE * len(seat.routed_ns) / FLOOD,
            3,
        )


def _assign(
    fleet: Fleet, entry: Entry, armed: dict[str, Seat], now_ns: int, effects: list[AnyEffect]
) -> None:
    """Keep the owner while he can be warned; else find another, at once."""
    record = fleet.by_name[entry.need.vehicle]
    holder = _holder(fleet, record) if entry.taken_by else ""
    if entry.owner in armed and holder in ("", entry.owner):
        return
    chosen = holder if holder in armed else _choose(fleet, record, armed, ())
    if chosen != entry.owner:
        give(fleet, entry, chosen, now_ns)
        if chosen:
            effects.append(Count("attention", "routed"))


def give(fleet: Fleet, entry: Entry, session: str, now_ns: int) -> None:
    """Make an entry this seat's (empty: nobody's), and count it there."""
    before, seat = fleet.seats.get(entry.owner), fleet.seats.get(session)
    if before is not None:
        before.requests -= 1
        before.load = round(before.load - SHARE_OF_ENTRY, 3)
    entry.owner = session
    if entry.neighbour == session:
        entry.neighbour = ""
    if seat is None:
        return
    seat.requests += 1
    seat.load = round(seat.load + SHARE_OF_ENTRY, 3)
    if session not in entry.been and len(entry.been) < MAX_BEEN:
        entry.been[session] = None
        seat.routed_ns.append(now_ns)
        seat.load = round(seat.load + SHARE_OF_RATE / FLOOD, 3)


def _choose(
    fleet: Fleet, record: VehicleRecord, armed: dict[str, Seat], but: tuple[str, ...]
) -> str:
    """Return the session of the seat to ask next; empty: there is none."""

    def key(session: str) -> tuple[bool, bool, float, int, str]:
        seat = armed[session]
        shows = record.name_text in fleet.shown.get(session, ())
        return (
            seat.operator.role is not Role.OPERATOR,
            seat.load >= OVERLOADED,
            seat.load - SHOWS * shows,
            seat.connected_ns,
            session,
        )

    return min((session for session in armed if session not in but), key=key, default="")


def _holder(fleet: Fleet, record: VehicleRecord) -> str:
    """Return the session of the seat that has control of a vehicle; empty: none."""
    seat_id = record.control.view.seat
    for session, seat in fleet.seats.items():
        if seat_id and seat.operator.seat == seat_id:
            return session
    return ""


def _escalate(
    fleet: Fleet, entry: Entry, armed: dict[str, Seat], now_ns: int, effects: list[AnyEffect]
) -> None:
    """Call others as time passes; who has taken it is left alone."""
    need, config = entry.need, fleet.config.attention
    if need.unanswered:
        step = Step.UNANSWERED
    elif entry.taken_by:
        step = Step.ROUTED
    else:
        gone = (now_ns - need.raised_ns) / max(1, need.until_ns - need.raised_ns)
        step = Step.ROUTED
        if gone >= config.neighbour_at:
            step = Step.NEIGHBOUR
        if gone >= config.supervisor_at:
            step = Step.SUPERVISOR
    if step > entry.step:
        effects.append(Count("attention", step.name.lower()))
    entry.step = step
    if step is Step.ROUTED:
        entry.neighbour = ""
    else:
        _call_neighbour(fleet, entry, armed)


def _call_neighbour(fleet: Fleet, entry: Entry, armed: dict[str, Seat]) -> None:
    """Keep the neighbour while he can be warned and is another than the owner."""
    if entry.neighbour not in armed or entry.neighbour == entry.owner:
        record = fleet.by_name[entry.need.vehicle]
        entry.neighbour = _choose(fleet, record, armed, (entry.owner,))


def _relieve(fleet: Fleet, ordered: list[Entry], armed: dict[str, Seat], now_ns: int) -> None:
    """Move what an overloaded seat has not begun, least pressing first, to one that has room."""
    if not any(seat.load >= OVERLOADED for seat in armed.values()):
        return
    room = OVERLOADED - SHARE_OF_ENTRY - SHARE_OF_RATE / FLOOD
    for entry in reversed(ordered):
        owner = armed.get(entry.owner)
        if owner is None or owner.load < OVERLOADED or entry.taken_by:
            continue
        free = {session: seat for session, seat in armed.items() if seat.load < room}
        other = _choose(fleet, fleet.by_name[entry.need.vehicle], free, (entry.owner,))
        if other:
            give(fleet, entry, other, now_ns)
            if entry.step is not Step.ROUTED:
                _call_neighbour(fleet, entry, armed)


def sessions(fleet: Fleet, entry: Entry) -> list[str]:
    """Return the armed seats that are asked, the owner first; empty: everybody sees it."""
    armed = [session for session, seat in fleet.seats.items() if not seat.why_not]
    if not armed:
        return []
    asked = dict.fromkeys(s for s in (entry.owner, entry.neighbour) if s in armed)
    for session in armed:
        is_supervisor = fleet.seats[session].operator.role is Role.SUPERVISOR
        if entry.step is Step.UNANSWERED or (entry.step is Step.SUPERVISOR and is_supervisor):
            asked[session] = None
    return list(asked)


# ------------------------------------------------------------------------ what follows


def _alarms(fleet: Fleet, armed: dict[str, Seat], now_ns: int) -> list[AnyEffect]:
    """Raise what concerns the room as a whole, and requests that nobody answered."""
    alarms = fleet.alarms
    waited_for = not armed and (
        any(entry.need.request_id for entry in fleet.attention.entries.values())
        or (bool(fleet.seats) and any(map(coverage.in_operation, fleet.vehicles.values())))
    )
    detail = ""
    if waited_for:
        whys = sorted({why for seat in fleet.seats.values() for why in seat.why_not})
        detail = ", ".join(whys) or "no console is open"
    effects = alarms.set(SEAT_NOT_ARMED, "", waited_for, now_ns, detail)
    full = sorted({s.operator.account for s in armed.values() if s.load >= OVERLOADED})
    effects += alarms.set(SUPERVISION_OVERLOAD, "", bool(full), now_ns, ", ".join(full))
    board = fleet.attention
    late: dict[str, str] = {}
    for entry in fleet.attention.entries.values():
        if entry.step is Step.UNANSWERED:
            late.setdefault(entry.need.vehicle, entry.need.reason)
    for name in (*board.late, *late):
        effects += alarms.set(TAKEOVER_UNANSWERED, name, name in late, now_ns, late.get(name, ""))
    board.late = tuple(late)
    return effects


def _manoeuvres(fleet: Fleet, now_ns: int) -> list[AnyEffect]:
    """Ask vehicles for their minimal-risk manoeuvre when a request is unanswered: until it
    is applied once, or somebody takes it or has his own order applied. Only a `resume` ends
    the manoeuvre."""
    effects: list[AnyEffect] = []
    if not fleet.config.attention.minimal_risk:
        return effects
    for entry in fleet.attention.entries.values():
        record = fleet.by_name[entry.need.vehicle]
        new = entry.step is Step.UNANSWERED and entry.need.request_id not in record.given_up
        if new and not entry.taken_by and not record.in_flight:
            record.given_up[entry.need.request_id] = None
            while len(record.given_up) > MAX_GIVEN_UP:
                del record.given_up[next(iter(record.given_up))]
            record.unanswered = entry.need.request_id
            effects += supervise.manoeuvre(fleet, record, now_ns)
    for record in fleet.vehicles.values():
        if not record.unanswered:
            continue
        request = record.open_requests.get(record.unanswered)
        done = record.manoeuvre_order.state is OrderState.APPLIED
        taken = record.control.view.state in TAKING
        if request is None or done or taken or _acted(record, request.deadline_ns):
            record.unanswered = ""
            effects += supervise.manoeuvre(fleet, record, now_ns)
    return effects


def _acted(record: VehicleRecord, since_ns: int | None) -> bool:
    """Return whether the vehicle has applied what somebody asked of it since then. What was
    asked and never arrived is no answer: the manoeuvre waits for it (`supervise.enforce`), and
    goes on when it has come to nothing."""
    return since_ns is not None and any(
        command.view.state is CommandState.APPLIED and command.view.asked_ns >= since_ns
        for command in record.commands.values()
    )


def _tell(fleet: Fleet, entry: Entry, now_ns: int, effects: list[AnyEffect]) -> None:
    """Record whose it is, each time that changes."""
    now = (entry.owner, entry.neighbour, int(entry.step))
    if now == entry.told:
        return
    entry.told = now
    accounts = [fleet.seats[s].operator.account for s in sessions(fleet, entry)]
    facts: Facts = {
        "entry": entry.need.id,
        "step": entry.step.name.lower(),
        "accounts": ",".join(accounts),
        "owner": entry.owner,
        "raised_ns": entry.need.raised_ns,
        "until_ns": entry.need.until_ns,
        "at_ns": now_ns,
    }
    effects.append(fleet.ledger.record("attention", "hub", entry.need.vehicle, facts))


def _show(fleet: Fleet, ordered: list[Entry]) -> list[AnyEffect]:
    board = fleet.attention
    shown = [
        AttentionView(
            id=entry.need.id,
            vehicle=entry.need.vehicle,
            request_id=entry.need.request_id,
            alarm_id=entry.need.alarm_id,
            priority=entry.need.priority,
            rank=rank,
            reason=entry.need.reason,
            raised_ns=entry.need.raised_ns,
            deadline_ns=entry.need.until_ns if entry.need.alarm_id else entry.need.deadline_ns,
            seats=[fleet.seats[session].operator.seat for session in sessions(fleet, entry)],
            step=entry.step.name.lower(),
            taken_by=entry.taken_by,
        )
        for rank, entry in enumerate(ordered, 1)
    ]
    effects: list[AnyEffect] = []
    if shown != board.shown:
        board.shown = shown
        effects.append(ShowAttention())
    loads = {session: (seat.requests, seat.load) for session, seat in fleet.seats.items()}
    if loads != board.loads:
        board.loads = loads
        effects.append(ShowSeats())
    return effects
