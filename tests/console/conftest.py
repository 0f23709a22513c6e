"""A console on a free loopback port, over a fleet made of plain lists."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher
from starlette.routing import BaseRoute
from websockets.asyncio.client import ClientConnection, connect

from protocols import operator, vehicle
from protocols.alarms import AlarmGroupView, AlarmKpiView
from protocols.authority import AttentionView, ControlView, SeatView
from protocols.duties import CoverageView, DutySpec, DutyView
from protocols.equipment import Equipment, HubEquipment
from protocols.handover import HandoverBoardView
from protocols.operator import Role, VehicleView
from protocols.session import SessionView
from protocols.supervision import SupervisionView
from protocols.topics import VehicleId
from supervisor.console.access import Access
from supervisor.console.config import ConsoleConfig
from supervisor.console.credentials import Credentials
from supervisor.console.rehearsal import Channel
from supervisor.console.server import Console
from supervisor.core.catalogue import BY_KEY
from supervisor.core.duty_rows import effective
from supervisor.counters import Counters
from supervisor.vitals import Part, State

BUS = VehicleId("maebashi", "bus-01")
PASSWORD = "correct horse battery"
INDEX = """<!doctype html><html lang="ja"><head>
<script type="importmap">
{"imports": {"preact": "/vendor/preact.js"}}
</script></head><body></body></html>
"""


def a_vehicle(vehicle_id: VehicleId, *, reason: str = "", padding: int = 0) -> VehicleView:
    return VehicleView(
        id=str(vehicle_id),
        kind=vehicle.Kind.BUS,
        name="1",
        cameras=[],
        commands=["stop"] + ["padding" * 4] * padding,
        link=operator.LinkState.ONLINE,
        link_at_ns=1,
        mode=None,
        mrm=None,
        behaviour=None,
        odd=None,
        fallback=None,
        reason=reason,
        state_at_ns=None,
        pose=None,
        media=False,
        streams=[],
        clock_offset_ns=None,
        clock_uncertainty_ns=None,
        telemetry_gaps=0,
    )


class FakeFleet:
    def __init__(self) -> None:
        self.known: dict[VehicleId, VehicleView] = {BUS: a_vehicle(BUS)}
        self.duty_views: dict[str, DutyView] = {}
        self.coverage_views: dict[str, CoverageView] = {}

    def vehicle(self, vehicle_id: VehicleId, now_ns: int) -> VehicleView | None:
        return self.known.get(vehicle_id)

    def vehicles(self, now_ns: int) -> list[VehicleView]:
        return list(self.known.values())

    def route(self, vehicle_id: VehicleId) -> operator.RouteView | None:
        return None

    def routes(self) -> list[operator.RouteView]:
        return []

    def supervision(self, vehicle_id: VehicleId, now_ns: int) -> SupervisionView | None:
        return None

    def supervisions(self, now_ns: int) -> list[SupervisionView]:
        return []

    def controls(self) -> list[ControlView]:
        return []

    def seats(self, now_ns: int) -> list[SeatView]:
        return []

    def alarm_groups(self) -> list[AlarmGroupView]:
        return []

    def alarm_kpi(self, now_ns: int) -> AlarmKpiView | None:
        return None

    def attention(self, now_ns: int) -> list[AttentionView]:
        return []

    def alarms(self) -> list[operator.AlarmView]:
        return []

    def requests(self) -> list[operator.RequestView]:
        return []

    def commands(self) -> list[operator.CommandView]:
        return []

    def duties(self) -> list[DutyView]:
        return list(self.duty_views.values())

    def duty_catalogue(self) -> list[DutySpec]:
        return list(effective([]).values())

    def coverages(self) -> list[CoverageView]:
        return list(self.coverage_views.values())

    def handover(self) -> HandoverBoardView:
        return HandoverBoardView(items=[])

    def catalogue(self) -> list[operator.AlarmSpecView]:
        return [BY_KEY[key].view() for key in ("takeover.requested", "link.lost")]


class FakeClock:
    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns


async def receive(socket: ClientConnection) -> operator.ToConsole:
    """Return the next message, but how long the sign-in lasts."""
    while isinstance(message := await receive_any(socket), SessionView):
        pass
    return message


async def receive_any(socket: ClientConnection) -> operator.ToConsole:
    async with asyncio.timeout(20):
        text = await socket.recv()
    assert isinstance(text, str)
    message: operator.ToConsole = msgspec.json.decode(text, type=operator.ToConsole)
    return message


async def receive_until(socket: ClientConnection, kind: type) -> operator.ToConsole:
    while not isinstance(message := await receive_any(socket), kind):
        pass
    return message


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - of another task, without an event
            await asyncio.sleep(0.02)


EQUIPMENT = Equipment(
    at_ns=7,
    hub=HubEquipment(
        version="9.9.9",
        started_ns=1,
        parts={},
        broker="embedded",
        loop_lag=[(None, 2)],
        totals={"enkan_hub_events_total": 5},
        gauges={},
    ),
    workers=[],
    vehicles=[],
)


class Running:
    """A console that runs, and what it told the core."""

    receive = staticmethod(receive)
    receive_until = staticmethod(receive_until)
    until = staticmethod(until)
    a_vehicle = staticmethod(a_vehicle)

    def __init__(self, directory: Path, credentials: Credentials, **settings: object) -> None:
        self.counters = Counters()
        self.fleet = FakeFleet()
        self.events: list[object] = []
        self.parts = {"broker": Part(State.OK), "media": Part(State.OK)}
        self.clock = FakeClock()
        self.access = Access(credentials, counters=self.counters, now_ns=self.clock)
        demo = bool(settings.pop("demo", False))
        rehearsal = settings.pop("rehearsal", None)
        assert rehearsal is None or isinstance(rehearsal, Channel)
        routes = settings.pop("routes", [])
        assert isinstance(routes, list)
        extra: list[BaseRoute] = routes
        self.equipment = EQUIPMENT
        self.console = Console(
            msgspec.convert({"port": 0, **settings}, ConsoleConfig),
            access=self.access,
            fleet=self.fleet,
            counters=self.counters,
            on_event=self.events.append,
            hub_version="9.9.9",
            site_name="Test site",
            demo=demo,
            ui_dir=directory / "ui",
            scenarios_dir=directory / "scenarios",
            extra_routes=extra,
            readiness=lambda: self.parts,
            rehearsal=rehearsal,
            equipment=lambda: self.equipment,
        )

    @property
    def url(self) -> str:
        return self.console.url

    def client(self, **more: object) -> httpx.AsyncClient:
        headers = {"Origin": self.url}
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, **more)  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def sign_in(self, name: str = "aoki") -> AsyncIterator[httpx.AsyncClient]:
        async with self.client() as client:
            answer = await client.post("/api/session", json={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            yield client

    def socket(self, client: httpx.AsyncClient, path: str = "/ws", **more: object) -> connect:
        cookie = "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)
        options: dict[str, object] = {
            "origin": self.url,
            "additional_headers": {"Cookie": cookie},
            "compression": None,
            "proxy": None,
        } | more
        return connect(self.url.replace("http", "ws", 1) + path, **options)  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        task = asyncio.create_task(self.console.run())
        started = asyncio.create_task(self.console.started.wait())
        try:
            await asyncio.wait([task, started], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            yield self
        finally:
            started.cancel()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture(scope="session")
def cheap_hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "ui" / "core").mkdir(parents=True)
    (tmp_path / "ui" / "index.html").write_text(INDEX)
    (tmp_path / "ui" / "core" / "app.js").write_text("export {};\n")
    (tmp_path / "ui" / ".secret.js").write_text("no")
    (tmp_path / "ui" / "notes.md").write_text("no")
    (tmp_path / "scenarios" / "maebashi").mkdir(parents=True)
    (tmp_path / "scenarios" / "maebashi" / "basemap.geojson").write_text("{}")
    (tmp_path / "scenarios" / "maebashi" / "route.geojson").write_text("{}")
    (tmp_path / "scenarios" / "maebashi" / "site.geojson").write_text('{"site": 1}')
    return tmp_path


@pytest.fixture
def credentials(directory: Path, cheap_hasher: PasswordHasher) -> Credentials:
    made = Credentials.create(directory / "credentials.json", hasher=cheap_hasher)
    made.add_account("aoki", Role.OPERATOR, PASSWORD)
    for role in Role:
        if role is not Role.OPERATOR:
            made.add_account(role.value, role, PASSWORD)
    return made


@pytest.fixture
async def hub(directory: Path, credentials: Credentials) -> AsyncIterator[Running]:
    async with Running(directory, credentials).running() as running:
        yield running


@pytest.fixture
def make_hub(
    directory: Path, credentials: Credentials
) -> Callable[..., contextlib.AbstractAsyncContextManager[Running]]:
    """Make a console with other settings: `async with make_hub(demo=True) as hub`."""
    return lambda **settings: Running(directory, credentials, **settings).running()
