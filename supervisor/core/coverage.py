"""Who had which vehicle on screen, when; and when nobody had.

A console proves that it shows a vehicle by its presentation report, once a second: the
page is visible, belongs to somebody who may act, and displayed a new picture of that
vehicle within `ALIVE_MS`. Reports that follow each other within `JOIN_NS` are one
*interval*, from the first to the last of them. A vehicle in operation that no interval
covers for `JOIN_NS` has a *gap*, from the last proof on.

    report  |  |  |  |  |              |  |  |
    interval[===========]              [=====]
    gap                 [==============]            (declared JOIN_NS after it began)

Each interval and each gap is recorded when it begins, when it ends, and every
`AGAIN_NS` in between: a hub that is killed loses at most that of it, and one console can
cause no more than two records in `JOIN_NS` for a vehicle, whatever it reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from protocols.duties import CoverageView
from protocols.operator import LinkState, Presented
from protocols.vehicle import OperationMode
from supervisor.core.effects import AnyEffect, Count, ShowCoverage
from supervisor.core.events import Operator
from supervisor.core.ledger import Facts

if TYPE_CHECKING:
    from supervisor.core.fleet import Fleet, VehicleRecord

ALIVE_MS: Final = 1_000.0
JOIN_NS: Final = 3_000_000_000
AGAIN_NS: Final = 60_000_000_000
MAX_WATCHES: Final = 64
"""Consoles that are counted for one vehicle."""


class Watch:
    """One console that has a vehicle on screen."""

    __slots__ = ("account", "cameras", "from_ns", "session", "to_ns", "told_ns")

    def __init__(self, who: Operator, now_ns: int) -> None:
        self.session = who.session
        self.account = who.account
        self.cameras: dict[str, None] = {}
        self.from_ns = self.to_ns = self.told_ns = now_ns


class Covered:
    """What is known of one vehicle.

    Attributes:
        watches: By session, those open now.
        proven_ns: The last proof by anybody; None: none yet.
        uncovered_ns: Since when it is in operation and not proven to be watched; None: it
            is watched, or not in operation.
        reason: Why a gap is declared: `nobody`, `no_picture`, `link`; empty: none is.
    """

    __slots__ = ("proven_ns", "reason", "shown", "told_ns", "uncovered_ns", "watches")

    def __init__(self) -> None:
        self.watches: dict[str, Watch] = {}
        self.proven_ns: int | None = None
        self.uncovered_ns: int | None = None
        self.reason = ""
        self.told_ns = 0
        self.shown: CoverageView | None = None


def on_report(
    fleet: Fleet, who: Operator, tiles: Iterable[Presented], now_ns: int
) -> list[AnyEffect]:
    """A visible console of somebody who may act has shown these; nonsense is left out."""
    effects: list[AnyEffect] = []
    for tile in tiles:
        record = fleet.by_name.get(tile.vehicle)
        if record is None or not tile.frames or not tile.still_ms <= ALIVE_MS:
            continue
        covered = record.coverage
        watch = covered.watches.get(who.session)
        if watch is None:
            if len(covered.watches) >= MAX_WATCHES:
                continue
            watch = covered.watches[who.session] = Watch(who, now_ns)
            watch.cameras[tile.camera] = None
            effects.append(_watch_record(fleet, record, watch, "began", now_ns))
            effects += _weigh(fleet, record, now_ns)
        watch.to_ns = covered.proven_ns = now_ns
        if len(watch.cameras) < 16:
            watch.cameras[tile.camera] = None
    return effects


def on_gone(fleet: Fleet, session: str, now_ns: int) -> list[AnyEffect]:
    """A console's socket is gone: its intervals end with its last proof."""
    effects: list[AnyEffect] = []
    for record in fleet.vehicles.values():
        watch = record.coverage.watches.pop(session, None)
        if watch is not None:
            effects.append(_watch_record(fleet, record, watch, "ended", now_ns))
            effects += _weigh(fleet, record, now_ns)
    return effects


def on_time(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """End what is not proven any more, declare gaps. Safe early, late or twice."""
    covered = record.coverage
    effects: list[AnyEffect] = []
    for watch in list(covered.watches.values()):
        if now_ns - watch.to_ns > JOIN_NS:
            del covered.watches[watch.session]
            effects.append(_watch_record(fleet, record, watch, "ended", now_ns))
        elif now_ns - watch.told_ns >= AGAIN_NS:
            effects.append(_watch_record(fleet, record, watch, "goes_on", now_ns))
    effects += _weigh(fleet, record, now_ns)
    if covered.reason and now_ns - covered.told_ns >= AGAIN_NS:
        effects.append(_gap_record(fleet, record, "goes_on", now_ns))
    return effects


def in_operation(record: VehicleRecord) -> bool:
    """Return whether somebody has to have it on screen: it came and has not said goodbye,
    has cameras, and nobody aboard has taken it over. Standing at a stop is operation."""
    if record.link.state in (LinkState.UNKNOWN, LinkState.OFFLINE):
        return False
    if record.state is not None and record.state.mode is OperationMode.LOCAL:
        return False
    return bool(record.streams) or record.factsheet is None or bool(record.factsheet.cameras)


def view(record: VehicleRecord) -> CoverageView:
    """Return what a console shows."""
    covered = record.coverage
    return CoverageView(
        vehicle=record.name_text,
        in_operation=in_operation(record),
        accounts=_accounts(covered),
        gap_since_ns=covered.uncovered_ns if covered.reason else None,
        reason=covered.reason,
    )


def _accounts(covered: Covered) -> list[str]:
    watches = covered.watches
    return sorted({watch.account for watch in watches.values()}) if watches else []


def ratio(fleet: Fleet) -> dict[str, float]:
    """Return by site the share of vehicles in operation that are watched now; sites with
    none in operation are left out."""
    due: dict[str, int] = {}
    watched: dict[str, int] = {}
    for record in fleet.vehicles.values():
        if in_operation(record):
            site = record.vehicle_id.site
            due[site] = due.get(site, 0) + 1
            watched[site] = watched.get(site, 0) + (not record.coverage.reason)
    return {site: watched[site] / count for site, count in due.items()}


def _weigh(fleet: Fleet, record: VehicleRecord, now_ns: int) -> list[AnyEffect]:
    """Begin or end a gap; tell consoles when what they show has changed."""
    covered = record.coverage
    effects: list[AnyEffect] = []
    operated = in_operation(record)
    if covered.watches or not operated:
        if covered.reason:
            effects.append(_gap_record(fleet, record, "ended", now_ns))
        covered.uncovered_ns, covered.reason = None, ""
        if not covered.watches:
            covered.proven_ns = None
    else:
        if covered.uncovered_ns is None:
            covered.uncovered_ns = now_ns if covered.proven_ns is None else covered.proven_ns
        if now_ns - covered.uncovered_ns >= JOIN_NS:
            reason = _reason(fleet, record)
            if not covered.reason:
                covered.reason = reason
                effects.append(_gap_record(fleet, record, "began", now_ns))
                effects.append(Count("coverage", "gap"))
            covered.reason = reason
    shown = covered.shown
    if (
        shown is None
        or shown.in_operation is not operated
        or shown.reason != covered.reason
        or shown.gap_since_ns != (covered.uncovered_ns if covered.reason else None)
        or shown.accounts != _accounts(covered)
    ):
        covered.shown = view(record)
        effects.append(ShowCoverage(covered.shown))
    return effects


def _reason(fleet: Fleet, record: VehicleRecord) -> str:
    if record.link.state is LinkState.LOST:
        return "link"
    return "no_picture" if record.loop.sessions() else "nobody"


def _watch_record(
    fleet: Fleet, record: VehicleRecord, watch: Watch, state: str, now_ns: int
) -> AnyEffect:
    watch.told_ns = now_ns
    facts: Facts = {
        "state": state,
        "session": watch.session,
        "from_ns": watch.from_ns,
        "to_ns": watch.to_ns,
        "cameras": ",".join(sorted(watch.cameras)),
        "at_ns": now_ns,
    }
    return fleet.ledger.record("coverage.watched", watch.account, record.name_text, facts)


def _gap_record(fleet: Fleet, record: VehicleRecord, state: str, now_ns: int) -> AnyEffect:
    covered = record.coverage
    covered.told_ns = now_ns
    facts: Facts = {
        "state": state,
        "from_ns": covered.uncovered_ns,
        "to_ns": now_ns,
        "reason": covered.reason,
        "at_ns": now_ns,
    }
    return fleet.ledger.record("coverage.gap", "hub", record.name_text, facts)
