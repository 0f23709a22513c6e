"""A fleet that stands still and a page that can be held: the same picture every time.

The console server, the page, its socket and its map are the real ones. Invented are the
fleet's views, whose times all hang on one instant, and the received pictures (`studio.js`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from playwright.async_api import Browser, Page, Route, expect

from protocols.alarms import (
    AlarmCount,
    AlarmKpiView,
    AlarmSpecView,
    AlarmState,
    AlarmView,
    OperatorLoadView,
)
from protocols.authority import AttentionView, SeatView
from protocols.duties import CoverageView, DutyStepView, DutyView, StepState
from protocols.handover import HandoverBoardView, HandoverItem, ItemKind
from protocols.operator import CameraView, LinkState, RequestState, RequestView, Role
from protocols.supervision import (
    ClosedLoopView,
    DriveView,
    Indicator,
    LadderView,
    LimitSource,
    ObjectiveView,
    Purpose,
    SpeedLimitView,
    SupervisionView,
    Verdict,
    Why,
)
from protocols.topics import VehicleId
from protocols.vehicle import OperationMode, PathOption
from supervisor import clock
from supervisor.core import catalogue, effects
from supervisor.core.duty_rows import BUILT_IN
from ui import fake_control, fake_hub
from ui.fake_equipment import Works
from ui.fake_hub import BUS_1, BUS_2, TRACTOR, FakeHub
from ui.seat import open_page

SECOND: Final = 1_000_000_000
HELD_AFTER_S: Final = 0.35
"""How old the newest word of each vehicle is on a photograph."""
UTC_MS: Final = 1_794_884_400_000
"""What the clock in the strip says on a photograph: 2026-11-17 09:00:00 JST and a bit."""
SOON_MS: Final = 15_000
SCRIPT: Final = Path(__file__).with_name("studio.js")
NAMES: Final = {
    BUS_1: "前橋 1 号車 / Maebashi 1",
    BUS_2: "前橋 2 号車 / Maebashi 2",
    TRACTOR: "岩見沢トラクター 1 / Iwamizawa tractor 1",
}


class _Instant:
    """What the invented fleet takes for the clock."""

    def __init__(self) -> None:
        self.now_ns = clock.monotonic_ns()

    def monotonic_ns(self) -> int:
        return self.now_ns


class StillHub(FakeHub):
    """A console server whose fleet stands still at one instant.

    Attributes:
        open_items: What the handover lists.
        scene: Puts values of that instant into the fleet; asked again for every instant.
    """

    def __init__(self, folder: Path, role: Role = Role.SUPERVISOR) -> None:
        self.instant = _Instant()
        super().__init__(folder, role=role)
        self.scene: Callable[[StillHub], None] = healthy
        self.open_items: list[HandoverItem] = []
        self.equipment = Works(self)
        self.fleet.handover = lambda: HandoverBoardView(items=self.open_items)  # type: ignore[method-assign]
        self.fleet.catalogue = all_alarms  # type: ignore[method-assign]
        for vehicle_id, view in self.fleet.vehicle_views.items():
            self.fleet.vehicle_views[vehicle_id] = msgspec.structs.replace(
                view, name=NAMES[vehicle_id]
            )

    async def _drive(self) -> None:
        await asyncio.Event().wait()

    def _stream(self, vehicle: str) -> CameraView:
        return msgspec.structs.replace(
            super()._stream(vehicle),
            fps=15,
            kbps=2_400,
            encode_ms=21,
            arrival_ms=58,
            forward_ms=1,
            last_frame_ns=self.instant.now_ns,
            clock_rtp=0,
            clock_captured_ns=self.instant.now_ns,
            clock_uncertainty_ns=3_000_000,
        )

    @contextlib.contextmanager
    def one_instant(self) -> Iterator[None]:
        """The fleet's own times hang on our instant to the end of the block."""
        before = fake_hub.clock, fake_control.clock
        fake_hub.clock = fake_control.clock = self.instant  # type: ignore[assignment]
        try:
            yield
        finally:
            fake_hub.clock, fake_control.clock = before

    def set_scene(self) -> int:
        """Show the scene as of now; return the instant, nanoseconds of the hub's clock."""
        self.instant.now_ns = clock.monotonic_ns()
        self.scene(self)
        for name, view in list(self.control.views.items()):
            since_ns = self.instant.now_ns - 3 * SECOND
            self.control.views[name] = msgspec.structs.replace(view, since_ns=since_ns)
            self.console.show(effects.ShowControl(self.control.views[name]))
        return self.instant.now_ns


def all_alarms() -> list[AlarmSpecView]:
    """Return what consoles are told of the real catalogue."""
    return [row.view() for row in catalogue.CATALOGUE]


# ------------------------------------------------------------------------ scenes


def healthy(hub: StillHub) -> None:
    """Everything drives, is seen, and needs nobody."""
    for index, vehicle_id in enumerate((BUS_1, BUS_2, TRACTOR)):
        hub._move(vehicle_id, 0.18 + 0.21 * index)
        supervise(hub, vehicle_id, Verdict.MET)
        coverage = CoverageView(vehicle=str(vehicle_id), in_operation=True, accounts=["hanako"])
        hub.fleet.coverage_views[str(vehicle_id)] = coverage
        hub.console.show(effects.ShowCoverage(coverage))


def troubled(hub: StillHub) -> None:
    """One asks for a person, one is not heard, one picture stands still."""
    now_ns = hub.instant.now_ns
    healthy(hub)
    hub.moving[BUS_1] = 0.0
    hub._move(BUS_1, 0.18)
    hub.change(BUS_1, mode=OperationMode.STOP, reason="obstacle: waiting for a person")
    supervise(hub, BUS_2, Verdict.VIOLATED)
    lost_ns = now_ns - 14 * SECOND
    pose = hub.fleet.vehicle_views[TRACTOR].pose
    assert pose is not None
    pose = msgspec.structs.replace(pose, at_ns=lost_ns)
    streams = [
        msgspec.structs.replace(one, live=False) for one in hub.fleet.vehicle_views[TRACTOR].streams
    ]
    hub.change(TRACTOR, link=LinkState.LOST, link_at_ns=lost_ns, pose=pose, streams=streams)
    supervise(hub, TRACTOR, Verdict.UNKNOWN)
    request = RequestView(
        id="e1",
        vehicle=str(BUS_1),
        reason="obstacle",
        text="前方 12 m に静止物体。回避経路あり。"
        " / Something stands 12 m ahead. A way round it exists.",
        raised_ns=now_ns - 18 * SECOND,
        deadline_ns=now_ns + 42 * SECOND,
        state=RequestState.OPEN,
        options=ways_round(hub, BUS_1),
    )
    hub._show_request(request)
    for key, vehicle_id, ago_s, values in (
        ("takeover.requested", BUS_1, 18, {}),
        ("link.lost", TRACTOR, 13, {}),
        ("video.frozen", BUS_2, 1, {"detail": "front"}),
        ("energy.low", BUS_2, 300, ACKNOWLEDGED | {"detail": "18 %"}),
        ("camera.blocked", TRACTOR, 2_400, SHELVED | {"until_ns": now_ns + 1_200 * SECOND}),
    ):
        show_alarm(hub, key, vehicle_id, ago_s, **values)
    (seat,) = hub.control._operators.values() or [None]
    mine = [] if seat is None else [seat.seat]
    hub.fleet.attention_views = [
        AttentionView(
            id=f"{BUS_1}#e1",
            vehicle=str(BUS_1),
            request_id="e1",
            rank=1,
            raised_ns=request.raised_ns,
            deadline_ns=request.deadline_ns,
            seats=mine,
        ),
        AttentionView(
            id=f"link.lost@{TRACTOR}",
            vehicle=str(TRACTOR),
            alarm_id=f"link.lost@{TRACTOR}",
            rank=2,
            raised_ns=now_ns - 13 * SECOND,
            deadline_ns=now_ns + 17 * SECOND,
            seats=["elsewhere"],
        ),
    ]
    hub.console.show(effects.ShowAttention())
    gap = CoverageView(
        vehicle=str(BUS_2),
        in_operation=True,
        accounts=[],
        gap_since_ns=now_ns - 94 * SECOND,
        reason="no_picture",
    )
    hub.fleet.coverage_views[str(BUS_2)] = gap
    hub.console.show(effects.ShowCoverage(gap))
    show_duty(hub)
    show_load(hub)
    show_what_is_open(hub)


ACKNOWLEDGED: Final = {"state": AlarmState.ACKNOWLEDGED, "acknowledged_by": "jiro"}
SHELVED: Final = {
    "state": AlarmState.SHELVED,
    "by": "jiro",
    "why": "洗浄を依頼済み / cleaning is ordered",
}


def show_alarm(
    hub: StillHub, key: str, vehicle_id: VehicleId, ago_s: float, **values: object
) -> None:
    """Show an alarm that came `ago_s` seconds ago."""
    at_ns = hub.instant.now_ns - int(ago_s * SECOND)
    view = AlarmView(
        id=f"{key}@{vehicle_id}",
        key=key,
        vehicle=str(vehicle_id),
        priority=int(catalogue.BY_KEY[key].priority),
        state=AlarmState.UNACKNOWLEDGED,
        raised_ns=at_ns,
        changed_ns=at_ns,
    )
    hub._show_alarm(msgspec.structs.replace(view, **values))


WHY: Final = {
    Verdict.MET: Why.WITHIN,
    Verdict.VIOLATED: Why.OVER_LIMIT,
    Verdict.UNKNOWN: Why.NO_EVIDENCE,
}


def supervise(hub: StillHub, vehicle_id: VehicleId, verdict: Verdict) -> None:
    """Show how well a vehicle can be supervised."""
    bad = verdict is Verdict.VIOLATED
    blind = verdict is Verdict.UNKNOWN
    rows = (
        (Indicator.G2G, 640.0 if bad else 118.0, 300.0, verdict),
        (Indicator.FRAME_GAP, 1_400.0 if bad else 66.0, 300.0, verdict),
        (Indicator.COMMAND_DELAY, 84.0, 500.0, Verdict.MET),
        (Indicator.TELEMETRY_AGE, 90.0, 1_000.0, Verdict.MET),
    )
    now_ns = hub.instant.now_ns
    view = SupervisionView(
        vehicle=str(vehicle_id),
        at_ns=now_ns,
        purpose=Purpose.ASSIST,
        segment="",
        objectives=[
            ObjectiveView(
                key=f"assist_{indicator}",
                purpose=Purpose.ASSIST,
                indicator=indicator,
                verdict=judged,
                value=None if blind else value,
                uncertainty=None if blind else 4.0,
                limit=limit,
                share=0.95,
                window_s=10,
                reason=WHY[judged],
                numbers={"over": 41, "samples": 150, "allowed": 7},
                since_ns=now_ns - 3 * SECOND,
                measured_ns=now_ns,
            )
            for indicator, value, limit, judged in rows
        ],
        closed_loop=ClosedLoopView(ms=None, uncertainty_ms=None, missing=["g2g", "command"])
        if blind
        else ClosedLoopView(ms=205, uncertainty_ms=8, g2g_ms=118, command_ms=84),
        speed_limit=SpeedLimitView(
            kmh=15.0, set_by=LimitSource.LADDER, why="assist_g2g", allowed_kmh=15.0,
            state="applied", expires_ns=now_ns + 4 * SECOND, distance_m=12.0,
        ) if bad else None,
        ladder=LadderView(),
        drive=DriveView(available=not bad, reasons=["objective:assist_g2g"] if bad else []),
        round_trip_ms=None if blind else 42,
        clock_trusted=True,
    )  # fmt: skip
    hub.fleet.supervision_views[vehicle_id] = view
    hub.console.show(effects.ShowSupervision(vehicle_id))


def ways_round(hub: StillHub, vehicle_id: VehicleId) -> list[PathOption]:
    """Return two ways that a vehicle offers."""
    pose = hub.fleet.vehicle_views[vehicle_id].pose
    assert pose is not None
    return [
        PathOption(
            option_id=name,
            text=text,
            points=[
                (pose.longitude + aside * (step in {1, 2, 3}), pose.latitude - 0.00008 * step)
                for step in range(5)
            ],
        )
        for name, text, aside in (
            ("right", "右から回る / Round it on the right", -0.00004),
            ("left", "左から回る / Round it on the left", 0.00004),
        )
    ]


def show_duty(hub: StillHub) -> None:
    """Show an accident that is being worked off, with its first step late."""
    row = BUILT_IN[0]
    event_ns = hub.instant.now_ns - 70 * SECOND
    steps = []
    for index, step in enumerate(row.steps):
        values: dict[str, object] = {
            "key": step.key, "ja": step.ja, "en": step.en, "contact": step.contact,
            "due_ns": event_ns + int(step.within_s * SECOND),
        }  # fmt: skip
        if index == 0:
            values |= {"contact_name": "前橋消防 / Maebashi fire", "phone": "027-000-0119"}
        if index == 1:
            values |= {"state": StepState.DONE, "by": "hanako", "at_ns": event_ns + 30 * SECOND}
        if step.contact == "police":
            values |= {"contact_name": "前橋警察署 / Maebashi police", "phone": "027-000-0110"}
        steps.append(DutyStepView(**values))
    duty = DutyView(
        id=f"accident@{BUS_2}#1", key="accident", ja=row.ja, en=row.en, law="",
        vehicle=str(BUS_2), steps=steps, event_ns=event_ns, started_ns=event_ns,
        trigger=f"vehicle.collision@{BUS_2}",
    )  # fmt: skip
    hub.fleet.duty_views[duty.id] = duty
    hub.console.show(effects.ShowDuty(duty))


def show_load(hub: StillHub) -> None:
    """Show what alarms ask of the people here, and a second seat."""
    now_ns = hub.instant.now_ns
    load = OperatorLoadView(
        account="hanako", on_duty=True, on_duty_s=7_200, last_10_min=4, by_priority=(1, 5, 20),
        per_10_min=2.2, acknowledge_s=6, flood=False, flood_since_ns=None, flood_share=0.004,
    )  # fmt: skip
    kpi = AlarmKpiView(
        since_ns=now_ns - 86_400 * SECOND, standing=4, stale=0, chattering=0, shelved=1,
        suppressed=0, out_of_service=0,
        history=[(at * 7 % 5 if at % 3 else 0) for at in range(143)] + [4],
        history_end_ns=now_ns + 300 * SECOND,
        frequent=[
            AlarmCount(f"takeover.requested@{BUS_1}", 9), AlarmCount(f"energy.low@{BUS_2}", 4)
        ],
        operators=[load],
    )  # fmt: skip
    hub.fleet.alarm_kpi_view = kpi
    hub.console.show(effects.ShowAlarmKpi(kpi))
    own = type(hub.control).seats
    other = SeatView(
        seat="elsewhere", account="jiro", role="operator", armed=False, why_not=["silent"], load=1.2
    )
    hub.control.seats = lambda: [*own(hub.control), other]  # type: ignore[method-assign]
    hub.console.show(effects.ShowSeats())


def show_what_is_open(hub: StillHub) -> None:
    """Show what the next shift has to know."""
    now_ns = hub.instant.now_ns
    rows: list[tuple[ItemKind, VehicleId, str, dict[str, Any]]] = [
        (ItemKind.REQUEST, BUS_1, "obstacle", {"state": "open", "since": 18, "until": 42}),
        (ItemKind.ALARM, TRACTOR, "link.lost", {"state": "unacknowledged", "since": 13}),
        (ItemKind.VEHICLE, TRACTOR, "link", {"state": "lost", "since": 14}),
        (ItemKind.LIMIT, BUS_2, "limit", {"state": "15", "by": "jiro", "since": 300}),
        (
            ItemKind.SHELVED,
            TRACTOR,
            "camera.blocked",
            {
                "state": "shelved",
                "by": "jiro",
                "detail": SHELVED["why"],
                "since": 2_400,
                "until": 1_200,
            },
        ),
    ]
    hub.open_items = [
        HandoverItem(
            key=f"{kind}@{vehicle_id}",
            kind=kind,
            rev=1,
            vehicle=str(vehicle_id),
            what=what,
            priority=2 if kind is ItemKind.ALARM else 0,
            since_ns=now_ns - values.pop("since") * SECOND,
            until_ns=now_ns + values.pop("until") * SECOND if "until" in values else None,
            **values,
        )
        for kind, vehicle_id, what, values in rows
    ]
    hub.console.show(effects.ShowHandover())


# ------------------------------------------------------------------------ the page


class Studio:
    """A page over a still fleet.

    Attributes:
        hub: Whose scene is shown.
        page: In Chromium.
    """

    def __init__(self, hub: StillHub, page: Page) -> None:
        self.hub = hub
        self.page = page
        self._epoch_ns = 0

    async def new_instant(self) -> None:
        """Show the scene as of now, and wait until the page has it."""
        await self.page.evaluate("globalThis.studio.release()")
        self._epoch_ns = self.hub.set_scene()
        await self.page.evaluate("ms => { globalThis.studio.epoch_ms = ms; }", self._epoch_ns / 1e6)
        await self.page.wait_for_function(
            "at => !globalThis.enkan || Object.values(globalThis.enkan.state.peek().vehicles)"
            ".some(({ pose }) => pose?.at_ns === at)",
            arg=self._epoch_ns,
        )

    async def hold(self) -> None:
        """Hold the page's time until the next instant; motion ends too."""
        await self.page.evaluate(
            "values => globalThis.studio.hold(values)",
            {
                "epoch_ms": self._epoch_ns / 1e6,
                "after_ms": HELD_AFTER_S * 1e3,
                "utc_ms": UTC_MS,
            },
        )
        await self.settle()

    async def settle(self) -> None:
        """Draw again with the time that is held, and wait until that is on the screen."""
        await self.page.evaluate("globalThis.studio.refresh()")
        await self.page.evaluate(
            "() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => "
            "requestAnimationFrame(done)), 120))"
        )

    async def freeze_picture(self, vehicle_id: VehicleId, for_s: float) -> None:
        """A vehicle's pictures get no new frame; when time is held, since `for_s`."""
        await self.page.evaluate(
            "([name, ms]) => globalThis.studio.still.set(name, ms)",
            [str(vehicle_id).replace("/", "-"), for_s * 1e3],
        )

    async def arm(self) -> None:
        """Do the start-of-shift check."""
        page = self.page
        await page.get_by_test_id("shift-open").click()
        for name in ("p1", "p2", "p3", "hub_lost"):
            await page.get_by_test_id(f"shift-play-{name}").click()
            await page.get_by_test_id(f"shift-heard-{name}").click()
        await page.get_by_test_id("shift-close").click()
        await expect(page.get_by_test_id("frame")).to_have_attribute(
            "data-armed", "true", timeout=SOON_MS
        )


@contextlib.asynccontextmanager
async def studio(
    browser: Browser, folder: Path, *, size: tuple[int, int] = (1366, 768)
) -> AsyncIterator[Studio]:
    """Open a page, not signed in, over a fleet that stands still."""
    hub = StillHub(folder)
    with hub.one_instant():
        async with hub.running(), open_page(browser, size) as page:
            await page.emulate_media(reduced_motion="reduce")
            await page.add_init_script(path=SCRIPT)
            await page.route("**/whep/**", _answer)
            await page.goto(hub.console.url)
            yield Studio(hub, page)


async def _answer(route: Route) -> None:
    if route.request.method == "POST" and not route.request.url.endswith("/layers"):
        await route.fulfill(
            status=201,
            headers={"Location": "/whep/sessions/still", "Content-Type": "application/sdp"},
            body="v=0\r\n",
        )
    else:
        await route.fulfill(status=204)
