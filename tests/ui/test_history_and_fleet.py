"""Histories of a vehicle's numbers, and the fleet screen, in the page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from protocols.supervision import (
    ClosedLoopView,
    DriveView,
    Indicator,
    LadderView,
    LossView,
    ObjectiveView,
    Purpose,
    SupervisionView,
    Verdict,
    Why,
)
from supervisor import clock
from supervisor.core import effects
from ui.fake_equipment import Works
from ui.fake_hub import BUS_1, FakeHub
from ui.seat import Seat

pytestmark = [pytest.mark.browser, pytest.mark.integration]
SOON_MS = 20_000


def supervised(g2g_ms: float | None) -> SupervisionView:
    objective = ObjectiveView(
        key="monitor.g2g", purpose=Purpose.MONITOR, indicator=Indicator.G2G,
        verdict=Verdict.MET, value=g2g_ms, uncertainty=6, limit=500, share=0.99, window_s=10,
        reason=Why.WITHIN,
    )  # fmt: skip
    bar_ms = None if g2g_ms is None else 6.0
    return SupervisionView(
        vehicle=str(BUS_1), at_ns=clock.monotonic_ns(), purpose=Purpose.MONITOR, segment="",
        objectives=[objective], speed_limit=None, ladder=LadderView(),
        closed_loop=ClosedLoopView(
            ms=None, uncertainty_ms=None, g2g_ms=g2g_ms, g2g_uncertainty_ms=bar_ms
        ),
        drive=DriveView(available=False), round_trip_ms=43.0, clock_trusted=True,
        loss=LossView(0.012, 0.0004),
    )  # fmt: skip


@contextlib.asynccontextmanager
async def telling(hub: FakeHub, g2g: list[float | None]) -> AsyncIterator[None]:
    """Tell consoles of one vehicle's supervision as often as a hub does, and oftener."""

    async def tell() -> None:
        while True:
            hub.fleet.supervision_views[BUS_1] = supervised(g2g[-1])
            hub.console.show(effects.ShowSupervision(BUS_1))
            await asyncio.sleep(0.3)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(tell(), name="supervision")
        yield
        task.cancel()


async def test_the_history_shows_what_was_measured_and_what_broke_its_limit(seat: Seat) -> None:
    g2g: list[float | None] = [182.0]
    async with seat(publishing=False) as (hub, page), telling(hub, g2g):
        await page.get_by_test_id("history-open-maebashi-bus-01").click(timeout=SOON_MS)
        sheet = page.get_by_test_id("history")
        await expect(sheet).to_have_attribute("data-vehicle", str(BUS_1))
        picture = page.get_by_test_id("chart-g2g")
        await expect(picture).to_have_attribute("data-value", "182", timeout=SOON_MS)
        await expect(picture).to_contain_text("182 ±6 ms")
        await expect(picture).to_contain_text("限度 500 ms")
        await expect(page.get_by_test_id("chart-rtt")).to_have_attribute("data-value", "43")
        await expect(page.get_by_test_id("chart-loss")).to_contain_text("1.20 % 修復前 / 0.04 %")
        await expect(page.get_by_test_id("chart-speed")).to_have_attribute("data-value", "19.8")

        g2g.append(640.0)
        await expect(picture).to_have_attribute("data-over", "true", timeout=SOON_MS)
        g2g.append(None)
        await expect(picture).to_have_attribute("data-value", "", timeout=SOON_MS)
        await expect(picture).to_contain_text("値なし")

        await expect(page.get_by_test_id("stop-focused")).to_be_in_viewport()
        await page.keyboard.press("Escape")
        await expect(sheet).to_have_count(0)
        await page.keyboard.press("g")
        await expect(sheet).to_be_visible()


async def test_the_fleet_screen_is_sorted_filtered_and_tells_of_hub_and_seat(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        works = hub.equipment = Works(hub)
        await page.get_by_test_id("tile-maebashi-bus-01").wait_for(timeout=SOON_MS)
        await page.keyboard.press("f")
        rows = page.locator("[data-testid=fleet-table] tbody tr")
        await expect(rows).to_have_count(3, timeout=SOON_MS)
        row = page.get_by_test_id("fleet-row-maebashi-bus-01")
        await expect(row).to_contain_text("Yamada", timeout=SOON_MS)
        await expect(row).to_contain_text("61 min")
        panel = page.get_by_test_id("fleet-hub")
        await expect(panel).to_contain_text("212 GB")
        await expect(panel).to_contain_text("2,000/s", timeout=SOON_MS)
        works.parts = works.parts | {"journal": False}
        broken = page.get_by_test_id("part-journal")
        await expect(broken).to_have_attribute("data-ready", "false", timeout=SOON_MS)
        await expect(page.get_by_test_id("seat-webrtc")).to_have_attribute("data-state", "ok")
        await expect(page.get_by_test_id("seat-sound")).to_have_attribute("data-state", "bad")

        hub.lose_link(BUS_1)
        await page.get_by_test_id("fleet-sort-link").click()
        await expect(rows.first).to_have_attribute("data-link", "lost", timeout=SOON_MS)
        await page.get_by_test_id("fleet-filter").fill("バス")
        await expect(rows).to_have_count(2)
        await page.get_by_test_id("fleet-filter").fill("")
        await page.locator("#fleet-maebashi-bus-01").click()
        detail = page.get_by_test_id("fleet-detail")
        await expect(detail).to_have_attribute("data-vehicle", str(BUS_1))
        await page.keyboard.press("ArrowDown")
        await expect(detail).not_to_have_attribute("data-vehicle", str(BUS_1))
        await page.keyboard.press("Escape")
        await page.get_by_test_id("tile-maebashi-bus-01").wait_for(timeout=SOON_MS)
        asked = works.asked
        await page.get_by_test_id("clock").wait_for()
        assert works.asked <= asked + 1, "a screen that is closed asks for nothing"
