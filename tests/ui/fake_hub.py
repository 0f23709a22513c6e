"""The real console server over an invented fleet: what the page is tested against.

Vehicles, alarms and requests are plain values that a test changes; pictures come from
a small aiortc peer behind `/whep/`, so that the page's own WebRTC is real.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from argon2 import PasswordHasher
from av import VideoFrame
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from protocols.alarms import AlarmGroupView, AlarmKpiView
from protocols.authority import AttentionView, ControlView, DriveRelay, SeatView
from protocols.duties import CoverageView, DutySpec, DutyView
from protocols.equipment import Equipment
from protocols.handover import HandoverBoardView
from protocols.operator import (
    AlarmSpecView,
    AlarmState,
    AlarmView,
    CameraView,
    CommandState,
    CommandView,
    LinkState,
    PoseView,
    RequestState,
    RequestView,
    Role,
    RouteView,
    VehicleView,
)
from protocols.supervision import SupervisionView
from protocols.topics import VehicleId
from protocols.vehicle import (
    CameraInfo,
    EmergencyStop,
    Kind,
    MrmBehaviour,
    MrmState,
    Odd,
    OperationMode,
    PathOption,
    Resume,
    Stop,
)
from supervisor import clock
from supervisor.console.access import Access
from supervisor.console.config import ConsoleConfig
from supervisor.console.credentials import Credentials
from supervisor.console.server import Console
from supervisor.core import effects, events
from supervisor.core.duty_rows import effective
from supervisor.counters import Counters
from supervisor.vitals import Part, State
from ui.core_handover import CoreHandover
from ui.fake_catalogue import CATALOGUE
from ui.fake_control import FakeControl

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, PASSWORD = "hanako", "correct horse battery"
COLLEAGUE = "jiro"
BUS_1 = VehicleId("maebashi", "bus-01")
BUS_2 = VehicleId("maebashi", "bus-02")
TRACTOR = VehicleId("iwamizawa", "tractor-01")
VIDEO_RATE = 90_000
FPS = 15


class Road(VideoStreamTrack):
    """Moving stripes at a size that a test machine encodes easily."""

    def __init__(self, shade: int) -> None:
        super().__init__()
        self.frozen = False
        self.captured: dict[int, int] = {}
        self._shade = shade
        self._pts = 0
        self._next_s: float | None = None

    async def recv(self) -> VideoFrame:
        loop = asyncio.get_running_loop()
        if self.readyState != "live":
            raise MediaStreamError
        self._next_s = (self._next_s or loop.time()) + 1 / FPS
        await asyncio.sleep(max(0.0, self._next_s - loop.time()))
        while self.frozen:
            await asyncio.sleep(0.02)
            self._next_s = loop.time()
        self._pts = int(self._next_s * VIDEO_RATE)
        picture = np.full((360, 640, 3), 70 + self._shade, np.uint8)
        picture[:150] = (150, 160, 170)
        picture[150:, 250:390] = 60
        shift = int(self._next_s * 120) % 80
        for row in range(150 + shift, 360, 80):
            picture[row : row + 30, 314:326] = 230
        frame = VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts, frame.time_base = self._pts, fractions.Fraction(1, VIDEO_RATE)
        self.captured = {self._pts: clock.monotonic_ns()}
        return frame


COMMANDS = [
    *("stop", "emergency_stop", "resume", "wait", "alternate_path", "pull_over", "follow_path"),
    *("limit_speed", "take_control", "release_control", "announce"),
]


class FakeFleet:
    """What the console reads; a test replaces the values and calls `show`."""

    def __init__(self) -> None:
        self.vehicle_views: dict[VehicleId, VehicleView] = {}
        self.route_views: dict[VehicleId, RouteView] = {}
        self.supervision_views: dict[VehicleId, SupervisionView] = {}
        self.alarm_views: dict[str, AlarmView] = {}
        self.alarm_group_views: dict[str, AlarmGroupView] = {}
        self.alarm_kpi_view: AlarmKpiView | None = None
        self.request_views: dict[str, RequestView] = {}
        self.command_views: dict[str, CommandView] = {}
        self.duty_views: dict[str, DutyView] = {}
        self.coverage_views: dict[str, CoverageView] = {}
        self.attention_views: list[AttentionView] = []
        self.control: FakeControl
        self.handovers: CoreHandover

    def vehicle(self, vehicle_id: VehicleId, now_ns: int) -> VehicleView | None:
        return self.vehicle_views.get(vehicle_id)

    def vehicles(self, now_ns: int) -> list[VehicleView]:
        return list(self.vehicle_views.values())

    def route(self, vehicle_id: VehicleId) -> RouteView | None:
        return self.route_views.get(vehicle_id)

    def routes(self) -> list[RouteView]:
        return list(self.route_views.values())

    def supervision(self, vehicle_id: VehicleId, now_ns: int) -> SupervisionView | None:
        return self.supervision_views.get(vehicle_id)

    def supervisions(self, now_ns: int) -> list[SupervisionView]:
        return list(self.supervision_views.values())

    def controls(self) -> list[ControlView]:
        return list(self.control.views.values())

    def seats(self, now_ns: int) -> list[SeatView]:
        return self.control.seats()

    def attention(self, now_ns: int) -> list[AttentionView]:
        return list(self.attention_views)

    def alarms(self) -> list[AlarmView]:
        return list(self.alarm_views.values())

    def alarm_groups(self) -> list[AlarmGroupView]:
        return list(self.alarm_group_views.values())

    def alarm_kpi(self, now_ns: int) -> AlarmKpiView | None:
        return self.alarm_kpi_view

    def requests(self) -> list[RequestView]:
        return list(self.request_views.values())

    def commands(self) -> list[CommandView]:
        return list(self.command_views.values())

    def duties(self) -> list[DutyView]:
        return list(self.duty_views.values())

    def duty_catalogue(self) -> list[DutySpec]:
        return list(effective([]).values())

    def coverages(self) -> list[CoverageView]:
        return list(self.coverage_views.values())

    def handover(self) -> HandoverBoardView:
        return self.handovers.view

    def catalogue(self) -> list[AlarmSpecView]:
        return CATALOGUE


def a_route(vehicle_id: VehicleId, place: tuple[float, float]) -> RouteView:
    """Return a small round course."""
    route = [
        (
            place[0] + 0.004 * math.cos(a / 16 * math.tau),
            place[1] + 0.003 * math.sin(a / 16 * math.tau),
        )
        for a in range(17)
    ]
    return RouteView(vehicle=str(vehicle_id), route=route)


def a_vehicle(vehicle_id: VehicleId, kind: Kind, name: str) -> VehicleView:
    """Return a healthy vehicle."""
    return VehicleView(
        id=str(vehicle_id),
        kind=kind,
        name=name,
        cameras=[CameraInfo("front", 1280, 720, 30, 4_000)],
        commands=[*COMMANDS, "implement" if kind is Kind.TRACTOR else "doors"],
        link=LinkState.ONLINE,
        link_at_ns=clock.monotonic_ns(),
        mode=OperationMode.AUTONOMOUS,
        mrm=MrmState.NORMAL,
        behaviour=MrmBehaviour.NONE,
        odd=Odd.INSIDE,
        fallback=MrmBehaviour.COMFORTABLE_STOP,
        reason="",
        state_at_ns=clock.monotonic_ns(),
        pose=None,
        media=True,
        streams=[],
        clock_offset_ns=0,
        clock_uncertainty_ns=2_000_000,
        telemetry_gaps=0,
    )


class FakeHub:
    """A console server whose fleet drives in circles."""

    def __init__(
        self,
        folder: Path,
        *,
        role: Role = Role.OPERATOR,
        obey: bool = True,
        config: ConsoleConfig | None = None,
    ) -> None:
        self._config = config or ConsoleConfig(port=0)
        credentials = Credentials.create(
            folder / "credentials.json", hasher=PasswordHasher(1, 8, 1)
        )
        credentials.add_account(ACCOUNT, role, PASSWORD)
        credentials.add_account(COLLEAGUE, Role.OPERATOR, PASSWORD)
        self.counters = Counters()
        self.access = Access(credentials, counters=self.counters)
        self.fleet = FakeFleet()
        self.events: list[events.AnyEvent] = []
        self.obey = obey
        self.control = self.fleet.control = FakeControl(
            lambda effect: self.console.show(effect),  # noqa: PLW0108 - there is none yet
            lambda session, key: self.console.give_key(session, key),  # noqa: PLW0108
        )
        self.frames: list[tuple[str, str, bytes]] = []
        self.channels: dict[tuple[str, str], RTCDataChannel] = {}
        self.relayed: list[DriveRelay] = []
        self.publishing = True
        self.equipment: Callable[[], Equipment | None] = lambda: None
        self.layers: list[tuple[str, dict[str, str]]] = []
        self.roads: dict[str, Road] = {}
        self.peers: dict[str, RTCPeerConnection] = {}
        self.deleted: list[str] = []
        self.most_peers: dict[str, int] = {}
        self.moving: dict[VehicleId, float] = {}
        self._phase = 0.0
        self._relay = MediaRelay()
        self._senders: dict[str, Any] = {}
        self._owner: dict[str, str] = {}
        self._loose: set[str] = set()
        for vehicle_id, kind, name, place in (
            (BUS_1, Kind.BUS, "前橋 1 号車", (139.0634, 36.3895)),
            (BUS_2, Kind.BUS, "前橋 2 号車", (139.0720, 36.3930)),
            (TRACTOR, Kind.TRACTOR, "岩見沢トラクター 1", (141.7595, 43.1960)),
        ):
            self.fleet.vehicle_views[vehicle_id] = a_vehicle(vehicle_id, kind, name)
            self.fleet.route_views[vehicle_id] = a_route(vehicle_id, place)
            self.moving[vehicle_id] = 5.5
            self.roads[str(vehicle_id)] = Road(len(self.roads) * 25)
        self.handovers = self.fleet.handovers = CoreHandover(
            [(one, view.name) for one, view in self.fleet.vehicle_views.items()],
            lambda effect: self.console.show(effect),  # noqa: PLW0108 - there is none yet
        )
        self.console = self._console()

    def _console(self) -> Console:
        return Console(
            self._config,
            access=self.access,
            fleet=self.fleet,
            counters=self.counters,
            on_event=self.on_event,
            hub_version="0.1.0",
            site_name="前橋・岩見沢 監視センター",
            demo=True,
            ui_dir=ROOT / "ui",
            scenarios_dir=ROOT / "scenarios",
            extra_routes=[
                Route("/whep/{site}/{vehicle}", self._whep, methods=["POST"]),
                Route("/whep/sessions/{name}", self._hang_up, methods=["DELETE"]),
                Route("/whep/sessions/{name}/layers", self._layers, methods=["POST"]),
            ],
            readiness=lambda: {"fake": Part(State.OK)},
            stop_keys=lambda account: self.control.stop_keys(
                account, list(self.fleet.vehicle_views)
            ),
            on_drive=self._take_relay,
            equipment=lambda: self.equipment(),  # noqa: PLW0108 - tests replace it
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[FakeHub]:
        """Serve and drive until the end of the block."""
        async with asyncio.TaskGroup() as group:
            driving = group.create_task(self._drive(), name="fake fleet")
            serving = group.create_task(self.console.run(), name="console")
            await self.console.started.wait()
            try:
                yield self
            finally:
                driving.cancel()
                serving.cancel()
                for name in list(self.peers):
                    await self._close(name)
                for road in self.roads.values():
                    road.stop()

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Take every console's socket away for the length of the block."""
        original = self.console._draining
        self.console._draining = True
        for socket in list(self.console._sockets.values()):
            socket.close("shutdown")
        try:
            yield
        finally:
            self.console._draining = original

    def set_session(self, *, left_s: float | None = None, proved_ago_s: float = 0.0) -> None:
        """Let the sign-ins of all consoles have so much time, and so old a password."""
        now_ns = clock.monotonic_ns()
        for entry in self.access._sessions.values():
            if left_s is not None:
                entry.started_ns = now_ns + int(left_s * 1e9) - self.access.ABSOLUTE_NS
            entry.proved_ns = now_ns - int(proved_ago_s * 1e9)
            self.console._proved(entry.operator.session)

    def forget_everybody(self) -> None:
        """What a restarted hub knows of sign-ins and control: nothing."""
        self.access._sessions.clear()
        for socket in list(self.console._sockets.values()):
            socket.close("shutdown")

    # ---------------------------------------------------------------- pictures

    async def _whep(self, request: Request) -> Response:
        vehicle = f"{request.path_params['site']}/{request.path_params['vehicle']}"
        if not self.publishing:
            return JSONResponse({"reason": "not_publishing"}, 404)
        peer = RTCPeerConnection()
        name = f"s{len(self.most_peers)}-{len(self.events)}-{id(peer)}"
        self.peers[name] = peer
        peer.on("datachannel", lambda channel: self._listen(vehicle, channel))
        await peer.setRemoteDescription(
            RTCSessionDescription((await request.body()).decode(), "offer")
        )
        sender = peer.addTrack(self._relay.subscribe(self.roads[vehicle], buffered=False))
        peer.addTrack(AudioStreamTrack())
        await peer.setLocalDescription(await peer.createAnswer())
        self._senders[vehicle] = sender
        alive = sum(1 for other in self._owner.values() if other == vehicle) + 1
        self._owner[name] = vehicle
        self.most_peers[vehicle] = max(self.most_peers.get(vehicle, 0), alive)
        return Response(
            peer.localDescription.sdp,
            201,
            headers={"Location": f"/whep/sessions/{name}"},
            media_type="application/sdp",
        )

    def _listen(self, vehicle: str, channel: RTCDataChannel) -> None:
        self.channels[vehicle, channel.label] = channel
        channel.on(
            "message", lambda data: self.frames.append((vehicle, channel.label, bytes(data)))
        )

    def _take_relay(self, session: str, message: DriveRelay) -> str:
        self.relayed.append(message)
        return ""

    async def _layers(self, request: Request) -> Response:
        self.layers.append((self._owner[request.path_params["name"]], await request.json()))
        return Response(status_code=204)

    async def _hang_up(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.peers:
            return JSONResponse({"reason": "unknown"}, 404)
        self.deleted.append(name)
        await self._close(name)
        return Response(status_code=204)

    async def _close(self, name: str) -> None:
        self._owner.pop(name, None)
        await self.peers.pop(name).close()

    # ---------------------------------------------------------------- driving

    async def _drive(self) -> None:
        while True:
            self._phase += 0.002
            for index, vehicle_id in enumerate(self.fleet.vehicle_views):
                if vehicle_id in self.moving and str(vehicle_id) not in self._loose:
                    self._move(vehicle_id, self._phase + index * 0.3)
            await asyncio.sleep(0.1)

    def _move(self, vehicle_id: VehicleId, phase: float) -> None:
        now_ns = clock.monotonic_ns()
        view = self.fleet.vehicle_views[vehicle_id]
        angle = (phase % 1) * math.tau
        start = self.fleet.route_views[vehicle_id].route[0]
        place = start[0] - 0.004, start[1]
        speed = self.moving[vehicle_id]
        if view.mode is OperationMode.STOP:
            speed = self.moving[vehicle_id] = max(0.0, speed - 0.5)
        self.change(
            vehicle_id,
            link_at_ns=now_ns,
            pose=PoseView(
                at_ns=now_ns,
                longitude=place[0] + 0.004 * math.cos(angle),
                latitude=place[1] + 0.003 * math.sin(angle),
                heading_deg=(360 - math.degrees(angle)) % 360,
                speed_mps=speed,
                speed_limit_mps=8.33,
                progress=phase % 1,
                next_stop="県庁前" if view.kind is Kind.BUS else "第 3 圃場 東",
                energy=0.7,
            ),
            streams=[self._stream(str(vehicle_id))] if view.media else [],
        )

    def _stream(self, vehicle: str) -> CameraView:
        sender = self._senders.get(vehicle)
        rtp = captured_ns = None
        if sender is not None and self.roads[vehicle].captured:
            # aiortc adds a random origin; its newest packet belongs to our newest frame
            # or the one before, so this mapping is off by at most two frames.
            rtp = sender._RTCRtpSender__rtp_timestamp or None
            captured_ns = next(iter(self.roads[vehicle].captured.values()))
        return CameraView(
            name="front",
            kind="video",
            codec="VP8",
            live=not self.roads[vehicle].frozen,
            fps=FPS,
            kbps=800,
            loss=0,
            last_frame_ns=clock.monotonic_ns(),
            clock_rtp=rtp,
            clock_captured_ns=captured_ns if rtp is not None else None,
            clock_uncertainty_ns=3_000_000 if rtp is not None else None,
        )

    def change(self, vehicle_id: VehicleId, **values: object) -> None:
        """Change a vehicle's view and show it."""
        view = self.fleet.vehicle_views[vehicle_id]
        self.fleet.vehicle_views[vehicle_id] = msgspec.structs.replace(view, **values)
        self.console.show(effects.ShowVehicle(vehicle_id))

    def lose_link(self, vehicle_id: VehicleId) -> None:
        """No more news from a vehicle."""
        self._loose.add(str(vehicle_id))
        self.change(vehicle_id, link=LinkState.LOST)
        self.alarm("link.lost", vehicle_id, 2)

    def alarm(self, key: str, vehicle_id: VehicleId, priority: int) -> None:
        """Raise an alarm."""
        now_ns = clock.monotonic_ns()
        view = AlarmView(
            id=f"{key}@{vehicle_id}",
            key=key,
            vehicle=str(vehicle_id),
            priority=priority,
            state=AlarmState.UNACKNOWLEDGED,
            raised_ns=now_ns,
            changed_ns=now_ns,
        )
        self._show_alarm(view)

    def _show_alarm(self, view: AlarmView) -> None:
        self.fleet.alarm_views[view.id] = view
        if view.state is AlarmState.NORMAL:
            del self.fleet.alarm_views[view.id]
        self.console.show(effects.ShowAlarm(view))

    def ask_for_a_person(
        self, vehicle_id: VehicleId, within_s: float = 60, options: list[PathOption] | None = None
    ) -> None:
        """The vehicle stands before an obstacle."""
        now_ns = clock.monotonic_ns()
        self.change(vehicle_id, mode=OperationMode.STOP, reason="obstacle: waiting for a person")
        self._show_request(
            RequestView(
                id="e1",
                vehicle=str(vehicle_id),
                reason="obstacle",
                text="前方 12 m に静止物体。回避経路なし。",
                raised_ns=now_ns,
                deadline_ns=now_ns + int(within_s * 1e9),
                state=RequestState.OPEN,
                options=options or [],
            )
        )
        self.alarm("takeover.requested", vehicle_id, 1)

    def _show_request(self, view: RequestView) -> None:
        self.fleet.request_views[view.vehicle + view.id] = view
        self.console.show(effects.ShowRequest(view))

    # ------------------------------------------------------------------ orders

    def on_event(self, event: events.AnyEvent) -> None:
        """Obey, as a vehicle in perfect health would."""
        self.events.append(event)
        self.control.on_event(event)
        self.handovers.on_event(event)
        match event:
            case events.CommandAsked() if self.obey:
                self._obey(event)
            case events.AlarmAcknowledged():
                view = self.fleet.alarm_views.get(event.alarm_id)
                if view is not None:
                    self._show_alarm(
                        msgspec.structs.replace(
                            view,
                            state=AlarmState.ACKNOWLEDGED,
                            acknowledged_by=event.operator.account,
                        )
                    )
            case _:
                pass

    def _obey(self, asked: events.CommandAsked) -> None:
        if asked.command_id in self.fleet.command_views:
            return
        now_ns = clock.monotonic_ns()
        stop = isinstance(asked.body, Stop | EmergencyStop)
        resume = isinstance(asked.body, Resume)
        view = CommandView(
            id=asked.command_id,
            vehicle=str(asked.vehicle_id),
            type=str(type(asked.body).__struct_config__.tag),
            operator=asked.operator.account,
            state=CommandState.APPLIED,
            asked_ns=now_ns,
            sent_ns=now_ns,
            received_ns=now_ns,
            applied_ns=now_ns,
        )
        self.fleet.command_views[view.id] = view
        if stop:
            self.change(asked.vehicle_id, mode=OperationMode.STOP, reason="")
        if resume:
            self.change(asked.vehicle_id, mode=OperationMode.AUTONOMOUS, reason="")
            self.moving[asked.vehicle_id] = 5.5
            for request in list(self.fleet.request_views.values()):
                if request.vehicle == str(asked.vehicle_id):
                    self._show_request(
                        msgspec.structs.replace(
                            request,
                            state=RequestState.ANSWERED,
                            answered_by=asked.operator.account,
                            command_id=view.id,
                        )
                    )
            alarm = self.fleet.alarm_views.get(f"takeover.requested@{asked.vehicle_id}")
            if alarm is not None:
                self._show_alarm(msgspec.structs.replace(alarm, state=AlarmState.NORMAL))
        self.console.show(effects.ShowCommand(view))

    def asked(self, kind: type) -> list[events.CommandAsked]:
        """Return the commands of one kind that arrived."""
        return [
            e
            for e in self.events
            if isinstance(e, events.CommandAsked) and isinstance(e.body, kind)
        ]
