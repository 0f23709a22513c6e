"""The attention queue: which vehicle needs a person, best first.

Open take-over requests, the one with the least time left first; those without a deadline
after them, oldest first. Everybody sees all of them.
"""

from __future__ import annotations

from protocols.authority import AttentionView
from supervisor.core.fleet import Fleet


def views(fleet: Fleet, now_ns: int) -> list[AttentionView]:
    """Return the queue."""
    waiting = [
        (request.deadline_ns is None, request.deadline_ns or 0, request.raised_ns, record, request)
        for record in fleet.vehicles.values()
        for request in record.open_requests.values()
    ]
    waiting.sort(key=lambda item: item[:3])
    return [
        AttentionView(
            id=f"{request.vehicle}#{request.id}",
            vehicle=request.vehicle,
            request_id=request.id,
            rank=rank,
            reason=request.reason,
            raised_ns=request.raised_ns,
            deadline_ns=request.deadline_ns,
            taken_by=record.control.view.holder,
        )
        for rank, (_, _, _, record, request) in enumerate(waiting, 1)
    ]
