"""Duties that were open when the last hub ended, from the audit, in this hub's time.

The newest record of a duty holds all of it (`supervisor.core.duties`), with times on the
clock of the hub that wrote it; the wall clock of the record carries them over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from protocols.duties import DutyView
from supervisor.core.events import DutiesRestored
from supervisor.evidence.audit import AuditError
from supervisor.evidence.reading import Row, rows

KINDS: Final = (
    "duty.started",
    "duty.step",
    "duty.overdue",
    "duty.handed_over",
    "duty.restored",
    "duty.restated",
    "duty.finished",
    "duty.abandoned",
)
FORGET_NS: Final = 7 * 86_400_000_000_000
"""A duty that nobody touched for a week is not opened again; it stays in the audit."""

_decoder = msgspec.json.Decoder(DutyView)


def restored(path: Path, *, now_ns: int, utc_ns: int) -> DutiesRestored:
    """Return the duties to go on with, and which alarms have had theirs.

    Args:
        path: The audit store; none yet: no duties.
        now_ns, utc_ns: The same instant on this hub's monotonic clock and the wall clock.

    Raises:
        AuditError: The store or a record in it cannot be read.
    """
    if not path.is_file():
        return DutiesRestored([])
    newest: dict[str, Row] = {}
    for row in rows(path, KINDS):
        newest[row.text("duty")] = row
    found = []
    handled: dict[str, int] = {}
    for row in newest.values():
        if utc_ns - row.utc_ns > FORGET_NS:
            continue
        try:
            duty = _decoder.decode(row.text("view"))
        except msgspec.MsgspecError as error:
            text = f"record {row.seq} of the audit holds no duty: {error}"
            raise AuditError("damaged", text) from error
        duty = moved(duty, now_ns - utc_ns + row.utc_of(0))
        if duty.trigger:
            handled[duty.trigger] = max(duty.event_ns, handled.get(duty.trigger, duty.event_ns))
        if duty.ended_ns is None:
            found.append(duty)
    return DutiesRestored(found, handled)


def moved(duty: DutyView, by_ns: int) -> DutyView:
    """Return the duty with all its times on another clock."""

    def at(time_ns: int | None) -> int | None:
        return None if time_ns is None else time_ns + by_ns

    replace = msgspec.structs.replace
    return replace(
        duty,
        steps=[replace(s, due_ns=s.due_ns + by_ns, at_ns=at(s.at_ns)) for s in duty.steps],
        event_ns=duty.event_ns + by_ns,
        started_ns=duty.started_ns + by_ns,
        ended_ns=at(duty.ended_ns),
    )
