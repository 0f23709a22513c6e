"""The seats: signed-in consoles of people who may have control, and whether each can warn
its operator now.

A seat is *armed* while its newest report is younger than `CoreConfig.seat_report_s` and
says that the page is in front with the keyboard, that its sounds were heard, and that the
check at the start of the shift is done. Silence is not armed, and neither is a seat whose
shift was handed over, until its next check.
"""

from __future__ import annotations

from typing import Final

from protocols.authority import SeatReport, SeatView
from protocols.operator import Role
from supervisor.core.effects import AnyEffect, Count, ShowSeats
from supervisor.core.events import Operator, SeatReported
from supervisor.core.fleet import Fleet, Seat

MAY_CONTROL: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
"""Who may have control of vehicles, and so has a seat."""


def on_connected(fleet: Fleet, who: Operator, now_ns: int) -> list[AnyEffect]:
    """A console is there; it has a seat if its account may have control."""
    if who.role not in MAY_CONTROL or not who.seat:
        return []
    fleet.seats[who.session] = Seat(who, now_ns)
    return [ShowSeats()]


def on_disconnected(fleet: Fleet, who: Operator) -> list[AnyEffect]:
    """A console is gone, and its seat with it."""
    return [] if fleet.seats.pop(who.session, None) is None else [ShowSeats()]


def on_reported(fleet: Fleet, event: SeatReported, now_ns: int) -> list[AnyEffect]:
    """A console says how it stands."""
    seat = fleet.seats.get(event.operator.session)
    if seat is None:
        return [Count("seat", "no_seat")]
    seat.report, seat.report_at_ns = event.report, now_ns
    if not event.report.ready:
        seat.handed_over = False  # what follows is another check, and another shift
    return _after(fleet, seat, now_ns)


def on_time(fleet: Fleet, now_ns: int) -> list[AnyEffect]:
    """Notice who has fallen silent. Safe early, late or twice."""
    effects: list[AnyEffect] = []
    for seat in fleet.seats.values():
        effects += _after(fleet, seat, now_ns)
    return effects


def fresh_report(fleet: Fleet, seat: Seat, now_ns: int) -> SeatReport | None:
    """Return the newest report while it is young enough to count."""
    limit_ns = int(fleet.config.seat_report_s * 1e9)
    if seat.report is None or now_ns - seat.report_at_ns >= limit_ns:
        return None
    return seat.report


def why_not(fleet: Fleet, seat: Seat, now_ns: int) -> tuple[str, ...]:
    """Return why a seat is not armed, as in `SeatView.why_not`; empty: it is."""
    report = fresh_report(fleet, seat, now_ns)
    if report is None:
        return ("no_report",)
    return tuple(
        why
        for why, holds in (
            ("hidden", report.visible and report.focused and not report.lost),
            ("silent", report.sound),
            ("unchecked", report.ready),
            ("handed_over", not seat.handed_over),
        )
        if not holds
    )


def views(fleet: Fleet, now_ns: int) -> list[SeatView]:
    """Return every seat, oldest first."""
    held = {
        record.control.view.seat: record.name_text
        for record in fleet.vehicles.values()
        if record.control.view.seat
    }
    found = []
    for seat in fleet.seats.values():
        reasons = why_not(fleet, seat, now_ns)
        found.append(
            SeatView(
                seat=seat.operator.seat,
                account=seat.operator.account,
                role=str(seat.operator.role),
                armed=not reasons,
                why_not=list(reasons),
                holds=held.get(seat.operator.seat, ""),
                requests=seat.requests,
                load=seat.load,
            )
        )
    return found


def _after(fleet: Fleet, seat: Seat, now_ns: int) -> list[AnyEffect]:
    reasons = why_not(fleet, seat, now_ns)
    if reasons == seat.why_not:
        return []
    was_armed, seat.why_not = not seat.why_not, reasons
    if was_armed is not bool(reasons):
        return [ShowSeats()]
    return [ShowSeats(), Count("seat", "disarmed" if reasons else "armed")]
