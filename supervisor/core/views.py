"""What consoles show of the fleet; pure reading."""

from __future__ import annotations

from protocols.alarms import AlarmGroupView, AlarmKpiView
from protocols.authority import AttentionView, ControlView, SeatView
from protocols.duties import CoverageView, DutySpec, DutyView
from protocols.equipment import VehicleEquipment
from protocols.operator import (
    AlarmSpecView,
    AlarmView,
    CommandView,
    PoseView,
    RequestView,
    RouteView,
    VehicleView,
)
from protocols.supervision import SupervisionView
from protocols.topics import VehicleId
from supervisor.core import attention, coverage, seats, supervision
from supervisor.core.catalogue import CATALOGUE
from supervisor.core.fleet import Fleet, VehicleRecord


def vehicle_view(fleet: Fleet, vehicle_id: VehicleId, now_ns: int) -> VehicleView | None:
    """Return the whole view of one vehicle; None if no such vehicle is configured."""
    record = fleet.vehicles.get(vehicle_id)
    return None if record is None else _view(fleet, record, now_ns)


def all_vehicles(fleet: Fleet, now_ns: int) -> list[VehicleView]:
    """Return every configured vehicle, in the order of the configuration."""
    return [_view(fleet, record, now_ns) for record in fleet.vehicles.values()]


def route_view(fleet: Fleet, vehicle_id: VehicleId) -> RouteView | None:
    """Return one vehicle's planned route, empty while it is unknown; None: no such vehicle."""
    record = fleet.vehicles.get(vehicle_id)
    return None if record is None else _route(record)


def all_routes(fleet: Fleet) -> list[RouteView]:
    """Return the planned route of every configured vehicle."""
    return [_route(record) for record in fleet.vehicles.values()]


def supervision_view(fleet: Fleet, vehicle_id: VehicleId, now_ns: int) -> SupervisionView | None:
    """Return how well one vehicle can be supervised now; None: no such vehicle."""
    record = fleet.vehicles.get(vehicle_id)
    return None if record is None else supervision.view(fleet, record, now_ns)


def all_supervisions(fleet: Fleet, now_ns: int) -> list[SupervisionView]:
    """Return how well every configured vehicle can be supervised now."""
    return [supervision.view(fleet, record, now_ns) for record in fleet.vehicles.values()]


def objective_totals(fleet: Fleet) -> dict[tuple[str, str, str], int]:
    """Return how many samples were good, bad or doubtful, by (site, objective, result), of
    all vehicles together, since the hub runs."""
    found: dict[tuple[str, str, str], int] = {}
    for record in fleet.vehicles.values():
        kept = record.supervised
        for key, track in kept.tracks.items():
            for result in ("good", "bad", "doubtful"):
                labels = (kept.site, key, result)
                found[labels] = found.get(labels, 0) + int(getattr(track, result))
    return found


def all_controls(fleet: Fleet) -> list[ControlView]:
    """Return who has control of every configured vehicle."""
    return [record.control.view for record in fleet.vehicles.values()]


def all_seats(fleet: Fleet, now_ns: int) -> list[SeatView]:
    """Return every seat."""
    return seats.views(fleet, now_ns)


def attention_queue(fleet: Fleet, now_ns: int) -> list[AttentionView]:
    """Return who needs a person, best first."""
    return attention.views(fleet, now_ns)


def open_alarms(fleet: Fleet) -> list[AlarmView]:
    """Return every alarm that is not normal, urgent first, then oldest."""
    return fleet.alarms.open()


def alarm_groups(fleet: Fleet) -> list[AlarmGroupView]:
    """Return every group of alarms that began together."""
    return fleet.alarms.open_groups()


def alarm_kpi(fleet: Fleet, now_ns: int) -> AlarmKpiView:
    """Return how well this hub's alarms behave."""
    return fleet.alarms.load.view(fleet.alarms.standing(), now_ns)


def requests(fleet: Fleet) -> list[RequestView]:
    """Return open requests and those that ended within the last ten minutes."""
    return [view for record in fleet.vehicles.values() for view in record.requests.values()]


def commands(fleet: Fleet) -> list[CommandView]:
    """Return commands under way and those that ended within the last ten minutes."""
    return [item.view for record in fleet.vehicles.values() for item in record.commands.values()]


def duties(fleet: Fleet) -> list[DutyView]:
    """Return open duties and those that ended within the last ten minutes."""
    return list(fleet.duties.duties.values())


def duty_catalogue(fleet: Fleet) -> list[DutySpec]:
    """Return the duties that can be started by hand."""
    return list(fleet.duties.specs.values())


def coverages(fleet: Fleet) -> list[CoverageView]:
    """Return who has which vehicle on screen."""
    return [coverage.view(record) for record in fleet.vehicles.values()]


def catalogue_view() -> list[AlarmSpecView]:
    """Return the alarm catalogue as consoles need it."""
    return [spec.view() for spec in CATALOGUE]


def equipment(fleet: Fleet) -> list[VehicleEquipment]:
    """Return what is known of every configured vehicle as a thing to look after."""
    return [_equipment(record) for record in fleet.vehicles.values()]


def _equipment(record: VehicleRecord) -> VehicleEquipment:
    sheet = record.factsheet
    return VehicleEquipment(
        vehicle=record.name_text,
        maker="" if sheet is None else sheet.maker,
        software="" if sheet is None else sheet.software,
        protocol_version=None if sheet is None else sheet.protocol_version,
        session=record.session_id[:8],
        link_since_ns=record.link_since_ns,
    )


def _view(fleet: Fleet, record: VehicleRecord, now_ns: int) -> VehicleView:
    factsheet, state = record.factsheet, record.state
    live_ns = int(fleet.config.stream_live_ms * 1e6)
    offset = record.clock.offset(now_ns)
    return VehicleView(
        id=record.name_text,
        kind=record.kind,
        name=record.name,
        cameras=[] if factsheet is None else factsheet.cameras,
        commands=[] if factsheet is None else factsheet.commands,
        link=record.link.state,
        link_at_ns=record.link.last_beat_ns,
        link_why=record.link.why,
        mode=None if state is None else state.mode,
        mrm=None if state is None else state.mrm,
        behaviour=None if state is None else state.behaviour,
        odd=None if state is None else state.odd,
        fallback=None if state is None else state.fallback,
        reason="" if state is None else state.reason,
        state_at_ns=record.state_at_ns,
        pose=_pose(record),
        media=bool(record.media_session),
        streams=[
            stream.view(now_ns, live_ns, record.encode_ms.get(camera))
            for camera, stream in record.streams.items()
        ],
        clock_offset_ns=None if offset is None else offset.at_ns,
        clock_uncertainty_ns=record.clock.uncertainty_ns(now_ns),
        telemetry_gaps=record.telemetry_order.missed,
        doors_open=None if state is None else state.doors_open,
        implement=None if state is None else state.implement,
        drive_echo=record.drive_echo,
    )


def _route(record: VehicleRecord) -> RouteView:
    route = [] if record.factsheet is None else record.factsheet.route
    return RouteView(vehicle=record.name_text, route=route)


def _pose(record: VehicleRecord) -> PoseView | None:
    message, at_ns = record.telemetry, record.telemetry_at_ns
    if message is None or at_ns is None:
        return None
    return PoseView(
        at_ns=at_ns,
        longitude=message.longitude,
        latitude=message.latitude,
        heading_deg=message.heading_deg,
        speed_mps=message.speed_mps,
        speed_limit_mps=message.speed_limit_mps,
        progress=message.progress,
        next_stop=message.next_stop,
        energy=message.energy,
        radio=message.radio,
    )
