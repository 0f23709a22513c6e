"""Which run of a vehicle's client is speaking: newer sessions replace older ones.

A session id that has been replaced never comes back, so nothing a broker delivers
late, and no second client left running by mistake, can undo the present one.
"""

from __future__ import annotations

from supervisor.core import authority
from supervisor.core.effects import AnyEffect, Count
from supervisor.core.fleet import Fleet, VehicleRecord
from supervisor.core.requests import end_requests_of_session
from supervisor.core.vehicle_alarms import on_session


def enter(
    fleet: Fleet, record: VehicleRecord, session_id: str, now_ns: int
) -> list[AnyEffect] | None:
    """Let a message of `session_id` in: effects of a new session; None: refuse it."""
    if session_id == record.session_id:
        return []
    if session_id in record.past_sessions:
        return None
    effects: list[AnyEffect] = [Count("session", "new")]
    if record.session_id:
        record.past_sessions.append(record.session_id)
        effects += end_requests_of_session(fleet, record, now_ns)
    record.session_id = session_id
    effects += on_session(fleet, record, session_id, now_ns)
    record.clock.restart()
    record.beats.restart()
    record.telemetry_order.restart()
    record.state_order.restart()
    record.beat_sent_ns = record.beat_at_ns = None
    record.link.restart()
    record.moving_since_ns = None
    record.encode_ms = {}
    record.loop.forget_commands()
    record.limit_order.forget_session()
    record.manoeuvre_order.forget_session()
    for stream in record.streams.values():
        stream.distrust_report()
    effects.append(record.show)
    return effects + authority.on_new_session(fleet, record, now_ns)
