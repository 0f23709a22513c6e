"""The console's server: its routes, its sockets, and the ten-per-second tick."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, assert_never

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from protocols.authority import DriveKey, DriveRelay, StopKeys
from protocols.codec import ProtocolError
from protocols.operator import Welcome
from protocols.session import SessionView
from protocols.topics import VehicleId
from protocols.vehicle import PROTOCOL_VERSION, EmergencyStop, Stop, Token
from supervisor import clock
from supervisor.console.access import (
    MEDIA_PREFIXES,
    REHEARSAL_ROUTES,
    ROUTES,
    Access,
    Operation,
    Rule,
    allowed,
    cookie_of,
)
from supervisor.console.bodies import body_of, http_problem
from supervisor.console.certificate_watch import CertificateWatch
from supervisor.console.changes import Changes, Tick
from supervisor.console.config import ConsoleConfig, check, url_of
from supervisor.console.guard import Guard, Origins, import_map_hashes, problem
from supervisor.console.https_help import CA_NAME, HttpsHelp
from supervisor.console.listening import ListenError, bind, serve
from supervisor.console.map_tiles import tile_source
from supervisor.console.operator_socket import OperatorSocket
from supervisor.console.pages import BaseMaps, Pages, answering
from supervisor.console.reader import FleetReader, snapshot
from supervisor.console.rehearsal import Channel, endpoints
from supervisor.console.runbooks import Runbooks
from supervisor.console.sign_in import SignInRoutes, signed_in
from supervisor.core import effects, events
from supervisor.core.events import Operator
from supervisor.counters import Counters
from supervisor.vitals import Part, is_ready

log = logging.getLogger("enkan.console")

TURN: Final = 25
"""Views read before others get a turn."""
TICK_S: Final = 0.1
"""Vehicles are shown this often; alarms, requests and commands at once."""
GATHER_S: Final = 0.005
"""What is shown at once waits this long for what belongs to it."""
QUIET_NS: Final = 1_000_000_000
"""After this long without a change consoles get an empty Delta: the hub is there."""

MAX_CONSOLES: Final = 100
MAX_CONSOLES_PER_SIGN_IN: Final = 8

DEMO_ACCOUNT: Final = "demo"
DEMO_PASSWORD: Final = "enkan-demo"
"""Shown on the sign-in page in demo mode, which is loopback only."""


class _StopBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    command_id: Token


ALL_ROUTES: Final = ROUTES | REHEARSAL_ROUTES

_Endpoint = Callable[[Request], Awaitable[Response]]


class Console:
    """The console of one hub, served until cancelled.

    Args:
        config: Where it listens.
        access: Sessions and accounts.
        fleet: What it shows.
        counters: Totals by reason.
        on_event: Takes what operators do; called on the loop, must not wait.
        hub_version: Shown to who signed in.
        site_name: Shown on every screen.
        demo: Names the demo account on the sign-in page.
        ui_dir: The static console.
        scenarios_dir: the `basemap.geojson` of each case is served to who signed in.
        extra_routes: Of the media room, below `MEDIA_PREFIXES`; they check who calls.
        readiness: Parts of the hub.
        runbooks_dir, help_dir: Pages for each alarm and for seats without https, by language.
        equipment: Answers `/api/fleet`; None: this hub does not tell.
        stop_keys: Returns an account's stop keys by vehicle, hexadecimal.
        on_drive: Takes a relayed control frame of a console (`Operator.session`); returns
            "" or why it was not passed on.
        rehearsal: The way to the demo that can break things; None: no such routes.

    Attributes:
        started: Set once connections are answered.
        port, url: Where; valid after `started`. `url` is the first public origin, if any.
        certificate: How long it holds, and what takes up a renewed one.

    Raises:
        ListenError: The configuration is not safe or not usable.
    """

    def __init__(
        self,
        config: ConsoleConfig,
        *,
        access: Access,
        fleet: FleetReader,
        counters: Counters,
        on_event: Callable[[events.AnyEvent], None],
        hub_version: str,
        site_name: str,
        demo: bool,
        ui_dir: Path,
        scenarios_dir: Path,
        extra_routes: Sequence[BaseRoute],
        readiness: Callable[[], dict[str, Part]],
        runbooks_dir: Path = Path("docs/runbooks"),
        help_dir: Path = Path("docs/help"),
        equipment: Callable[[], msgspec.Struct | None] = lambda: None,
        stop_keys: Callable[[str], dict[str, str]] = lambda account: {},
        on_drive: Callable[[str, DriveRelay], str] = lambda session, message: "not_granted",
        rehearsal: Channel | None = None,
    ) -> None:
        check(config)
        self._config = config
        self.certificate = CertificateWatch(config)
        self._access = access
        self._fleet = fleet
        self._counters = counters
        self._on_event = on_event
        self._hub_version = hub_version
        self._site_name = site_name
        self._demo = demo
        self._readiness = readiness
        self._runbooks_dir = runbooks_dir
        self._help_dir = help_dir
        self._equipment = equipment
        self._stop_keys = stop_keys
        self._on_drive = on_drive
        self._rehearsal = rehearsal
        self._sockets: dict[str, OperatorSocket] = {}
        self._numbers = itertools.count(1)
        self._changes = Changes()
        self._dirty: dict[VehicleId, None] = {}
        self._dirty_routes: dict[VehicleId, None] = {}
        self._dirty_supervision: dict[VehicleId, None] = {}
        self._dirty_seats = self._dirty_attention = self._dirty_handover = False
        self._urgent = asyncio.Event()
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._told = asyncio.Event()
        self.started = asyncio.Event()
        self.port = 0
        self.url = ""
        try:
            self._origins = Origins(config.public_origins)
        except ValueError as error:
            raise ListenError(f"[console] public_origins: {error}") from error
        access.on_end(self._sign_in_ended)
        self._tiles = tile_source(config.map_tiles)
        self.app = Guard(
            self._routes(extra_routes, ui_dir, scenarios_dir),
            origins=self._origins,
            script_hashes=import_map_hashes(ui_dir / "index.html"),
            counters=counters,
            tile_origin=self._tiles.origin if self._tiles else "",
        )

    # ---------------------------------------------------------------- its life

    async def run(self) -> None:
        """Serve until cancelled; consoles are told `shutdown` before the end.

        Raises:
            ListenError: The port is taken or the address is not ours.
        """
        config = self._config
        bound = bind("console", config.listen, config.port, fallback=config.fallback_ports)
        self.port = bound.getsockname()[1]
        self.url = url_of(config, self.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(), name="console tick")
            group.create_task(self.certificate.run(), name="console certificate")
            await serve(
                self.app,
                bound,
                name="console",
                started=self.started,
                counters=self._counters,
                certificate=config.tls_certificate,
                key=config.tls_key,
                before_end=self._drain,
                on_tls=self.certificate.serve_with,
            )

    @property
    def open_consoles(self) -> int:
        """How many consoles are connected (gauge `consoles`)."""
        return len(self._sockets)

    def show(
        self,
        effect: (
            effects.ShowVehicle
            | effects.ShowRoute
            | effects.ShowSupervision
            | effects.ShowControl
            | effects.ShowSeats
            | effects.ShowAttention
            | effects.ShowAlarm
            | effects.ShowAlarmGroup
            | effects.ShowAlarmKpi
            | effects.ShowRequest
            | effects.ShowCommand
            | effects.ShowDuty
            | effects.ShowHandover
            | effects.ShowCoverage
            | effects.Refuse
        ),
    ) -> None:
        """Take one effect of the core; a vehicle is sent with the next tick, the rest at once."""
        match effect:
            case effects.ShowVehicle():
                self._dirty[effect.vehicle_id] = None
            case effects.ShowRoute():
                self._dirty_routes[effect.vehicle_id] = None
            case effects.ShowSupervision():
                self._dirty_supervision[effect.vehicle_id] = None
            case effects.ShowControl():
                self._changes.controls[effect.control.vehicle] = effect.control
                self._urgent.set()
            case effects.ShowSeats():
                self._dirty_seats = True
            case effects.ShowAttention():
                self._dirty_attention = True
                self._urgent.set()
            case effects.ShowAlarm():
                self._changes.alarms[effect.alarm.id] = effect.alarm
                self._urgent.set()
            case effects.ShowAlarmGroup():
                self._changes.alarm_groups[effect.group.id] = effect.group
                self._urgent.set()
            case effects.ShowAlarmKpi():
                self._changes.alarm_kpi = effect.kpi
            case effects.ShowRequest():
                request = effect.request
                self._changes.requests[request.vehicle, request.id] = request
                self._urgent.set()
            case effects.ShowCommand():
                self._changes.commands[effect.command.id] = effect.command
                self._urgent.set()
            case effects.ShowDuty():
                self._changes.duties[effect.duty.id] = effect.duty
                self._urgent.set()
            case effects.ShowHandover():
                self._dirty_handover = True
                self._urgent.set()
            case effects.ShowCoverage():
                self._changes.coverage[effect.coverage.vehicle] = effect.coverage
            case effects.Refuse():
                for socket in self._sockets.values():
                    if effect.session in (socket.operator.session, socket.sign_in):
                        socket.refuse(effect.refusal)
            case _:
                assert_never(effect)

    def sign_in_of(self, session: str) -> str | None:
        """Return the sign-in of an open console (`Operator.session`); None: it is closed."""
        socket = self._sockets.get(session)
        return None if socket is None else socket.sign_in

    def give_key(self, session: str, key: DriveKey) -> None:
        """Hand the holder's console, and nobody else, the key of its control."""
        socket = self._sockets.get(session)
        if socket is not None:
            socket.give_key(key)

    async def _tick(self) -> None:
        last_ns = due_ns = 0
        while True:
            self._told.set()
            left_s = max(0.0, (due_ns - clock.monotonic_ns()) / 1e9)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._urgent.wait()
                    await asyncio.sleep(GATHER_S)
            self._urgent.clear()
            now_ns = clock.monotonic_ns()
            changes, self._changes = self._changes, Changes()
            # One that opens while vehicles are read has a newer snapshot than this tick.
            sockets = list(self._sockets.values())
            if now_ns >= due_ns:
                due_ns = now_ns + int(TICK_S * 1e9)
                self._access.sweep()
                await self._look_at_vehicles(changes, now_ns)
            if not self._sockets:
                continue
            if self._dirty_attention:
                self._dirty_attention = False
                changes.attention = self._fleet.attention(now_ns)
            if self._dirty_handover:
                self._dirty_handover = False
                changes.handover = self._fleet.handover()
            if changes or now_ns - last_ns >= QUIET_NS:
                last_ns = now_ns
                tick = Tick(changes, now_ns)
                for socket in sockets:
                    socket.offer(tick)

    async def _look_at_vehicles(self, changes: Changes, now_ns: int) -> None:
        """Read what changed of vehicles; a new console gets all of it by its snapshot.

        Others get a turn now and then: two hundred views hold the loop for some 15 ms.
        """
        dirty, self._dirty = self._dirty, {}
        routes, self._dirty_routes = self._dirty_routes, {}
        supervised, self._dirty_supervision = self._dirty_supervision, {}
        seats, self._dirty_seats = self._dirty_seats, False
        if not self._sockets:
            return
        if seats:
            changes.seats = self._fleet.seats(now_ns)
        for number, vehicle_id in enumerate(dirty):
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)
            if (view := self._fleet.vehicle(vehicle_id, now_ns)) is not None:
                changes.vehicles[view.id] = view
        for vehicle_id in routes:
            if (route := self._fleet.route(vehicle_id)) is not None:
                changes.routes[route.vehicle] = route
        for vehicle_id in supervised:
            if (found := self._fleet.supervision(vehicle_id, now_ns)) is not None:
                changes.supervision[found.vehicle] = found

    def begin_drain(self) -> None:
        """Refuse new consoles and sign-ins; those that are there go on, and stop vehicles."""
        self._draining = True

    async def told(self) -> None:
        """Return once consoles were given everything that is shown until now."""
        for _ in range(2):  # the first may be the end of one that was under way
            self._told.clear()
            self._urgent.set()
            await self._told.wait()

    async def _drain(self) -> None:
        self.begin_drain()
        for socket in list(self._sockets.values()):
            socket.close("shutdown")
        await self._empty.wait()  # each ends within operator_socket.CLOSE_WITHIN_S

    def _sign_in_ended(self, session: str, reason: str) -> None:
        for socket in list(self._sockets.values()):
            if socket.sign_in == session:
                socket.close(reason)

    def _proved(self, session: str) -> None:
        """Tell every console of a sign-in how long it lasts now."""
        for socket in self._sockets.values():
            if socket.sign_in == session:
                socket.give_session(self._session_view(session))

    def _session_view(self, session: str) -> SessionView:
        ends_ns, proved_ns = self._access.times(session)
        step_up_ns = int(self._config.step_up_s * 1e9)
        return SessionView(ends_ns=ends_ns, proved_until_ns=proved_ns + step_up_ns)

    # ------------------------------------------------------------------ routes

    def _routes(
        self, extra_routes: Sequence[BaseRoute], ui_dir: Path, scenarios_dir: Path
    ) -> Starlette:
        for route in extra_routes:
            path = getattr(route, "path", "")
            if not f"{path}/".startswith(MEDIA_PREFIXES):
                raise ValueError(f"route {path!r} has no entry in supervisor.console.access")
        sign_in = SignInRoutes(
            self._access, self._origins, on_event=self._on_event, on_proof=self._proved
        )
        base_maps = BaseMaps(scenarios_dir, self._tiles)
        runbooks = Runbooks(self._runbooks_dir, self._fleet.catalogue)
        https_help = HttpsHelp(self._help_dir, self._config.tls_ca, self.certificate)
        return Starlette(
            routes=[
                self._route("GET", "/healthz", self._healthz),
                self._route("GET", "/readyz", self._readyz),
                self._route("GET", "/version", self._version),
                self._route("GET", "/api/info", self._info),
                self._route("GET", "/api/session", sign_in.who),
                self._route("POST", "/api/session", self._unless_draining(sign_in.sign_in)),
                self._route("POST", "/api/session/proof", sign_in.prove),
                self._route("DELETE", "/api/session", sign_in.sign_out),
                self._route("POST", "/api/vehicles/{site}/{vehicle}/stop", self._stop),
                self._route(
                    "POST",
                    "/api/vehicles/{site}/{vehicle}/emergency-stop",
                    self._emergency_stop,
                ),
                self._route("GET", "/api/fleet", answering(self._equipment)),
                WebSocketRoute("/ws", self._ws),
                *extra_routes,
                self._route("GET", "/help/https", https_help.page),
                self._route("GET", "/help/https/{language}", https_help.page),
                self._route("GET", f"/help/{CA_NAME}", https_help.ca),
                *(self._route(*key, asked) for key, asked in endpoints(self._rehearsal).items()),
                self._route("GET", "/runbooks/{language}/{key}", runbooks.page),
                self._route("GET", "/basemaps/index.json", base_maps.index),
                self._route("GET", "/basemaps/{name}.geojson", base_maps.one),
                self._route("GET", "/{path:path}", Pages(ui_dir).page),
            ],
            exception_handlers={HTTPException: http_problem},
        )

    def _route(self, method: str, path: str, endpoint: _Endpoint) -> Route:
        rule = ALL_ROUTES[method, path]

        async def checked(request: Request) -> Response:
            refusal = await self._may(request, rule)
            return refusal if refusal is not None else await endpoint(request)

        return Route(path, checked, methods=[method])

    def _unless_draining(self, endpoint: _Endpoint) -> _Endpoint:
        async def asked(request: Request) -> Response:
            if self._draining:
                self._counters.add("http_refused", "draining")
                return problem(503, "draining", "this hub is about to end; try again soon", 5)
            return await endpoint(request)

        return asked

    async def _may(self, request: Request, rule: Operation | Rule) -> Response | None:
        if isinstance(rule, Rule):
            return None
        operator = await self._access.account_of(request)
        if operator is None:
            self._counters.add("http_refused", "not_signed_in")
            return problem(401, "not_signed_in", "sign in first: POST /api/session")
        if not allowed(operator.role, rule):
            self._counters.add("http_refused", "not_allowed")
            return problem(
                403, "not_allowed", f"the role {operator.role.value} may not {rule.value}"
            )
        return None

    async def _healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, request: Request) -> Response:
        parts = self._readiness()
        ready = is_ready(parts)
        told: dict[str, object] = {"ready": ready, "parts": msgspec.to_builtins(parts)}
        # Told, not judged: a hub whose certificate has ended still serves who is connected.
        if (remaining_s := self.certificate.remaining_s()) is not None:
            told["certificate_days_left"] = int(remaining_s // 86_400)
        return JSONResponse(told, 200 if ready else 503)

    async def _version(self, request: Request) -> Response:
        return JSONResponse({"hub": self._hub_version, "protocol": PROTOCOL_VERSION})

    async def _info(self, request: Request) -> Response:
        info: dict[str, object] = {"name": self._site_name, "demo": self._demo}
        if self._demo or await self._access.account_of(request) is not None:
            info["version"] = self._hub_version
        if self._demo:
            info["demo_account"] = {"name": DEMO_ACCOUNT, "password": DEMO_PASSWORD}
        return JSONResponse(info)

    # ---------------------------------------------------------------- vehicles

    async def _stop(self, request: Request) -> Response:
        """Stop by REST; the same event as from the WebSocket."""
        return await self._stop_with(request, Stop())

    async def _emergency_stop(self, request: Request) -> Response:
        """One of the ways of an emergency stop, for when there is no socket."""
        return await self._stop_with(request, EmergencyStop())

    async def _stop_with(self, request: Request, order: Stop | EmergencyStop) -> Response:
        operator = await signed_in(self._access, request)
        body = await body_of(request, _StopBody)
        try:
            vehicle_id = VehicleId.parse(
                f"{request.path_params['site']}/{request.path_params['vehicle']}"
            )
        except ProtocolError as error:
            return problem(404, error.reason, error.detail)
        if self._fleet.vehicle(vehicle_id, clock.monotonic_ns()) is None:
            return problem(404, "unknown_vehicle", f"this hub has no vehicle {vehicle_id}")
        self._counters.add("console_message", "rest_stop")
        self._on_event(events.CommandAsked(operator, body.command_id, vehicle_id, order))
        return JSONResponse({"command_id": body.command_id}, 202)

    async def _ws(self, websocket: WebSocket) -> None:
        # Raised if the browser leaves before it is welcomed; nobody is left to tell.
        with contextlib.suppress(WebSocketDisconnect):
            await self._serve_console(websocket)

    async def _serve_console(self, websocket: WebSocket) -> None:
        cookie = cookie_of(websocket)
        account = self._access.operator(cookie)
        refusal = None
        if account is None:
            refusal = problem(401, "not_signed_in", "sign in first: POST /api/session")
        elif not allowed(account.role, Operation.WATCH):
            refusal = problem(403, "not_allowed", "this role may not watch")
        elif self._draining or len(self._sockets) >= MAX_CONSOLES:
            refusal = problem(503, "full", "this hub takes no more consoles now", 5)
        elif (
            sum(s.sign_in == account.session for s in self._sockets.values())
            >= MAX_CONSOLES_PER_SIGN_IN
        ):
            refusal = problem(503, "full", "too many windows of this sign-in are open", 5)
        if refusal is not None:
            self._counters.add("http_refused", "websocket")
            await websocket.send_denial_response(refusal)
            return
        assert account is not None
        await websocket.accept()
        if self._access.operator(cookie) is None or self._draining:
            await websocket.close(1008)
            return
        operator = Operator(
            f"{account.session}.{next(self._numbers)}",
            account.account,
            account.role,
            f"seat-{secrets.token_hex(4)}" if allowed(account.role, Operation.CONTROL) else "",
        )
        may_stop = allowed(operator.role, Operation.STOP)
        stop_keys = self._stop_keys(operator.account) if may_stop else {}
        socket = OperatorSocket(
            websocket,
            operator=operator,
            sign_in=account.session,
            session=self._session_view(account.session),
            is_proved=lambda: self._is_proved(account.session),
            welcome=self._welcome(operator),
            snapshot=snapshot(self._fleet, clock.monotonic_ns()),
            stop_keys=StopKeys(stop_keys) if stop_keys else None,
            on_event=self._on_event,
            on_drive=self._on_drive,
            on_activity=lambda: self._access.operator(cookie),
            counters=self._counters,
        )
        self._sockets[operator.session] = socket
        self._empty.clear()
        self._on_event(events.OperatorConnected(operator))
        try:
            await socket.run()
        finally:
            del self._sockets[operator.session]
            if not self._sockets:
                self._empty.set()
            self._on_event(events.OperatorDisconnected(operator))

    def _is_proved(self, session: str) -> bool:
        """Return whether the password of a sign-in was given lately enough for driving."""
        return self._access.is_proved(session, int(self._config.step_up_s * 1e9))

    def _welcome(self, operator: Operator) -> Welcome:
        return Welcome(
            protocol_version=PROTOCOL_VERSION,
            hub_version=self._hub_version,
            site_name=self._site_name,
            account=operator.account,
            role=operator.role,
            demo=self._demo,
            hub_now_ns=clock.monotonic_ns(),
            hub_utc_ns=clock.utc_ns(),
            alarm_catalogue=self._fleet.catalogue(),
            seat=operator.seat,
            training_vehicle=self._config.training_vehicle,
            duty_catalogue=self._fleet.duty_catalogue(),
        )
