"""How well a vehicle can be supervised now, as consoles show it; pure reading."""

from __future__ import annotations

from protocols.supervision import DriveView, LossView, SpeedLimitView, SupervisionView
from supervisor.core.fleet import Fleet, VehicleRecord


def view(fleet: Fleet, record: VehicleRecord, now_ns: int) -> SupervisionView:
    """Return what is known of one vehicle's supervision."""
    kept = record.supervised
    trip_ns = record.clock.round_trip_ns()
    return SupervisionView(
        vehicle=record.name_text,
        at_ns=now_ns,
        purpose=kept.purpose,
        segment=kept.segment,
        objectives=[track.view() for track in kept.in_force],
        closed_loop=record.loop.view(now_ns),
        speed_limit=_limit(fleet, record),
        ladder=kept.ladder.view(),
        drive=DriveView(available=not kept.drive_reasons, reasons=list(kept.drive_reasons)),
        round_trip_ms=None if trip_ns is None else round(trip_ns / 1e6, 1),
        clock_trusted=record.clock.offset(now_ns) is not None,
        frozen=list(kept.frozen),
        loss=_loss(fleet, record, now_ns),
    )


def _loss(fleet: Fleet, record: VehicleRecord, now_ns: int) -> LossView | None:
    live_ns = int(fleet.config.stream_live_ms * 1e6)
    counts = [
        stream.losses()
        for stream in record.streams.values()
        if stream.sample.kind == "video" and stream.is_live(now_ns, live_ns)
    ]
    sent = sum(count.came + count.lost for count in counts)
    if sent == 0:
        return None
    return LossView(
        round(sum(count.lost for count in counts) / sent, 5),
        round(sum(count.lost_for_good for count in counts) / sent, 5),
    )


def _limit(fleet: Fleet, record: VehicleRecord) -> SpeedLimitView | None:
    kept, order = record.supervised, record.limit_order
    if record.factsheet is None:
        return None
    kmh = kept.governor.kmh
    supported = "limit_speed" in record.factsheet.commands
    return SpeedLimitView(
        kmh=round(record.factsheet.max_speed_mps * 3.6 if kmh is None else kmh, 2),
        set_by=kept.limit_source,
        why=kept.limit_why,
        allowed_kmh=None if kept.allowed_kmh is None else round(kept.allowed_kmh, 1),
        state=str(order.state) if supported else "unsupported",
        expires_ns=order.applied_until_ns,
        distance_m=fleet.config.governor.distance_m,
    )
