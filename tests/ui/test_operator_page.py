"""The operator's page: what it shows, what its keys do, and that it never pretends."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from protocols.operator import LinkState, Role
from protocols.vehicle import Resume, Stop
from supervisor.core import events
from support.waiting import until
from ui.fake_hub import ACCOUNT, BUS_1, BUS_2, TRACTOR
from ui.seat import Seat, check_shift, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.integration]
PICTURE_MS = 40_000
SOON_MS = 15_000


async def watching(page: Page) -> None:
    """Wait until the fleet is shown: before that Space has nothing to act on."""
    await expect(page.get_by_test_id("stop-target")).to_have_attribute(
        "data-vehicle", str(TRACTOR), timeout=SOON_MS
    )


async def live(page: Page, name: str) -> None:
    await expect(page.get_by_test_id(f"picture-{name}")).to_have_attribute(
        "data-state", "live", timeout=PICTURE_MS
    )


async def test_sign_in_says_what_is_wrong_and_stops_guessing(seat: Seat) -> None:
    async with seat(signed_in=False) as (_, page):
        await expect(page.get_by_test_id("login-demo-account")).to_have_text("demo / enkan-demo")
        problem = page.get_by_test_id("login-problem")
        for _ in range(5):
            await sign_in(page, "wrong")
            await expect(problem).to_contain_text("違います", timeout=SOON_MS)
        await sign_in(page, "wrong")
        await expect(problem).to_contain_text("試行回数", timeout=SOON_MS)
        await page.keyboard.press("F2")
        await expect(problem).to_contain_text("Too many tries")


async def test_live_pictures_carry_their_age_and_frozen_ones_say_so(seat: Seat) -> None:
    async with seat() as (hub, page):
        await live(page, "maebashi-bus-01")
        badge = page.get_by_test_id("age-maebashi-bus-01-front")
        await expect(badge).to_contain_text("±", timeout=SOON_MS)
        hub.roads[str(BUS_1)].frozen = True
        picture = page.get_by_test_id("picture-maebashi-bus-01")
        await expect(picture).to_have_attribute("data-state", "frozen", timeout=SOON_MS)
        await expect(page.get_by_test_id("frozen-maebashi-bus-01")).to_contain_text("映像停止")
        assert await picture.locator("video").evaluate("v => getComputedStyle(v).filter") != "none"
        hub.roads[str(BUS_1)].frozen = False
        await live(page, "maebashi-bus-01")
        reports = [e for e in hub.events if isinstance(e, events.PresentationReported)]
        tiles = [tile for report in reports for tile in report.report.tiles]
        assert any(tile.frames > 0 and tile.age_ms is not None for tile in tiles)
        assert max(hub.most_peers.values()) == 1, "never two connections for one vehicle"


async def test_a_vehicle_that_does_not_publish_is_tried_again_until_it_does(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        note = page.get_by_test_id("note-maebashi-bus-01")
        await expect(note).to_contain_text("not_publishing", timeout=SOON_MS)
        hub.publishing = True
        await live(page, "maebashi-bus-01")


async def test_space_stops_the_focused_vehicle_even_with_a_button_focused(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await expect(page.get_by_test_id("tile-iwamizawa-tractor-01")).to_have_attribute(
            "data-focused", "true", timeout=SOON_MS
        )
        await page.get_by_test_id("nav-alarms").focus()
        await page.keyboard.press("Space")
        await expect(page.get_by_test_id("watch")).to_be_visible()
        command = page.get_by_test_id("command-iwamizawa-tractor-01")
        await expect(command).to_have_attribute("data-state", "applied", timeout=SOON_MS)
        await expect(page.get_by_test_id("speed-iwamizawa-tractor-01")).to_have_attribute(
            "data-mps", "0.000", timeout=SOON_MS
        )
        # Without progress within 300 ms the same stop goes by the second path as well.
        assert {str(one.vehicle_id) for one in hub.asked(Stop)} == {str(TRACTOR)}
        assert len({one.command_id for one in hub.asked(Stop)}) == 1
        await page.keyboard.press("2")
        await page.keyboard.press("Space")
        await until(lambda: len({one.command_id for one in hub.asked(Stop)}) == 2, "another stop")
        assert hub.asked(Stop)[-1].vehicle_id == BUS_1


async def test_a_stop_goes_by_the_second_path_when_the_socket_is_gone(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await watching(page)
        async with hub.away():
            await expect(page.get_by_test_id("banner-lost")).to_be_visible(timeout=SOON_MS)
            await page.keyboard.press("Space")
            await until(lambda: len(hub.asked(Stop)) == 1, "stop asked 1 times")
            command = page.get_by_test_id("command-iwamizawa-tractor-01")
            await expect(command).to_have_attribute("data-state", "accepted", timeout=SOON_MS)
        await expect(command).to_have_attribute("data-state", "applied", timeout=SOON_MS)


async def test_a_stop_without_progress_is_repeated_by_rest_with_the_same_id(seat: Seat) -> None:
    async with seat(publishing=False, obey=False) as (hub, page):
        await watching(page)
        await page.keyboard.press("Space")
        await until(lambda: len(hub.asked(Stop)) == 2, "stop asked 2 times")
        assert len({asked.command_id for asked in hub.asked(Stop)}) == 1


async def test_a_stop_that_no_path_took_says_not_sent(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await watching(page)
        async with hub.away():
            await expect(page.get_by_test_id("banner-lost")).to_be_visible(timeout=SOON_MS)
            await page.route("**/stop", lambda route: route.abort())
            await page.keyboard.press("Space")
            command = page.get_by_test_id("command-iwamizawa-tractor-01")
            await expect(command).to_have_attribute("data-state", "not_sent", timeout=SOON_MS)
            await expect(command).to_contain_text("送信できません")


async def test_losing_the_hub_makes_everything_unknown_with_its_age(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        speed = page.get_by_test_id("speed-maebashi-bus-01")
        await expect(speed).to_have_attribute("data-mps", "5.500", timeout=SOON_MS)
        async with hub.away():
            await expect(page.get_by_test_id("banner-lost")).to_be_visible(timeout=SOON_MS)
            await expect(speed).to_have_attribute("data-mps", "")
            await expect(page.get_by_test_id("link-maebashi-bus-01")).to_have_attribute(
                "data-state", "unknown"
            )
            await expect(page.get_by_test_id("queue-empty")).to_contain_text("不明")
            await expect(page.get_by_test_id("banner-lost")).to_contain_text("計画停止")
        await expect(page.get_by_test_id("banner-lost")).to_be_hidden(timeout=SOON_MS)
        await expect(speed).to_have_attribute("data-mps", "5.500", timeout=SOON_MS)


async def test_a_lost_link_shows_the_last_position_and_what_was_promised(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        tile = page.get_by_test_id("tile-iwamizawa-tractor-01")
        await expect(tile).to_contain_text("自動運転中", timeout=SOON_MS)
        hub.lose_link(TRACTOR)
        await expect(tile).to_contain_text("最終位置", timeout=SOON_MS)
        await expect(tile).to_contain_text("約束された動作: 緩やかに停止する")
        await expect(page.get_by_test_id("alarm-top")).to_have_attribute("data-key", "link.lost")
        await page.keyboard.press("a")
        await expect(page.get_by_test_id("alarm-top")).to_be_hidden(timeout=SOON_MS)
        await page.get_by_test_id("nav-alarms").click()
        row = page.get_by_test_id("alarm-row")
        await expect(row).to_have_attribute("data-state", "acknowledged")
        await expect(row).to_contain_text(ACCOUNT)


async def test_a_request_is_answered_with_the_age_of_the_picture(seat: Seat) -> None:
    async with seat() as (hub, page):
        await live(page, "maebashi-bus-02")
        await check_shift(page)
        await expect(page.get_by_test_id("frame")).to_have_attribute("data-armed", "true")
        hub.ask_for_a_person(BUS_2)
        await expect(page.get_by_test_id("card-maebashi-bus-02")).to_be_visible(timeout=SOON_MS)
        await page.keyboard.press("Enter")
        allow = page.get_by_test_id("allow-maebashi-bus-02")
        await expect(allow).to_be_enabled(timeout=SOON_MS)
        hub.roads[str(BUS_2)].frozen = True
        await expect(allow).to_be_disabled(timeout=SOON_MS)
        await expect(page.get_by_test_id("blocked-maebashi-bus-02")).to_contain_text("停止している")
        hub.roads[str(BUS_2)].frozen = False
        await expect(allow).to_be_enabled(timeout=SOON_MS)
        await allow.click()
        await expect(page.get_by_test_id("closed-maebashi-bus-02")).to_have_attribute(
            "data-how", "applied", timeout=SOON_MS
        )
        await expect(page.get_by_test_id("handback-maebashi-bus-02")).to_be_visible()
        await page.get_by_test_id("cause-obstacle").click()
        await expect(page.get_by_test_id("control")).to_have_attribute("data-standing", "none")
        (asked,) = hub.asked(Resume)
        assert isinstance(asked.body, Resume)
        assert asked.body.request_id == "e1"
        assert asked.picture_age_ms is not None


async def test_a_viewer_sees_why_he_may_neither_stop_nor_allow(seat: Seat) -> None:
    async with seat(role=Role.VIEWER, publishing=False) as (hub, page):
        await expect(page.get_by_test_id("stop-maebashi-bus-01")).to_be_disabled(timeout=SOON_MS)
        hub.ask_for_a_person(BUS_1)
        await page.get_by_test_id("card-maebashi-bus-01").click()
        await expect(page.get_by_test_id("blocked-maebashi-bus-01")).to_contain_text("役割")


async def test_without_webgl_positions_are_listed_in_words(seat: Seat) -> None:
    async with seat(publishing=False, signed_in=False) as (_, page):
        await page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null;")
        await page.reload()
        await sign_in(page)
        await expect(page.get_by_test_id("map-list").locator("li")).to_have_count(
            3, timeout=SOON_MS
        )
        await expect(page.get_by_test_id("map-note")).to_contain_text("WebGL")


async def test_a_vehicle_without_camera_is_a_status_row(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        hub.change(TRACTOR, cameras=[], media=False, link=LinkState.DEGRADED)
        row = page.get_by_test_id("row-iwamizawa-tractor-01")
        await expect(row).to_contain_text("通信 低下", timeout=SOON_MS)
        hub.change(TRACTOR, link=LinkState.DEGRADED, link_why="one_way")
        await expect(row).to_contain_text("片方向断", timeout=SOON_MS)


async def test_an_ended_session_leads_back_to_the_sign_in_page(seat: Seat) -> None:
    async with seat(publishing=False) as (_, page):
        await page.get_by_test_id("signout").click(timeout=SOON_MS)
        await expect(page.get_by_test_id("login-form")).to_be_visible(timeout=SOON_MS)


async def test_the_focused_vehicle_is_asked_for_in_full_and_tiles_in_small(seat: Seat) -> None:
    async with seat() as (hub, page):
        await watching(page)
        await live(page, "maebashi-bus-01")
        await page.get_by_test_id("tile-maebashi-bus-01").click()
        await until(lambda: (str(BUS_1), {"front": "high"}) in hub.layers, "asked in full")
        await page.get_by_test_id("tile-maebashi-bus-02").click()
        await until(lambda: (str(BUS_1), {"front": "low"}) in hub.layers, "asked in small again")
