"""A shift is handed over from one page to another, by keyboard, over the real core's rules."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from protocols.handover import HandoverRecord
from support.browser import chromium
from ui.fake_hub import COLLEAGUE, FakeHub
from ui.seat import check_shift, open_page, sign_in

pytestmark = pytest.mark.integration
SOON_MS = 20_000


@contextlib.asynccontextmanager
async def two_pages(folder: Path) -> AsyncIterator[tuple[FakeHub, Page, Page]]:
    """A hub without pictures, one page of each of two people."""
    hub = FakeHub(folder)
    hub.publishing = False
    async with (
        hub.running(),
        chromium() as browser,
        seated(browser, hub) as leaving,
        seated(browser, hub, account=COLLEAGUE) as taking,
    ):
        yield hub, leaving, taking


@contextlib.asynccontextmanager
async def seated(browser: Browser, hub: FakeHub, **account: str) -> AsyncIterator[Page]:
    async with open_page(browser, (1366, 768)) as page:
        await page.goto(hub.console.url)
        await sign_in(page, **account)
        await check_shift(page)
        yield page


async def write_note(page: Page, text: str) -> None:
    await page.get_by_test_id("note-text").fill(text)
    await page.get_by_test_id("note-add").click()
    await expect(page.get_by_test_id("note-text")).to_have_value("")


async def test_a_shift_is_offered_read_line_by_line_and_taken_over_by_keyboard(
    tmp_path: Path,
) -> None:
    async with two_pages(tmp_path) as (hub, leaving, taking):
        await leaving.bring_to_front()
        await leaving.keyboard.press("h")
        await write_note(leaving, "けやき並木で工事 / road works at Keyaki")
        items = leaving.get_by_test_id("handover-item")
        await expect(items).to_have_count(4)  # three vehicles that nobody has heard, one note
        await leaving.get_by_test_id("handover-offer").click()
        await expect(leaving.get_by_test_id("handover-leaving")).to_be_visible()
        await expect(leaving.get_by_test_id("handover-progress")).to_contain_text("0 / 4")

        await taking.bring_to_front()
        await expect(taking.get_by_test_id("handover-line")).to_have_attribute(
            "data-part", "taking"
        )
        await taking.keyboard.press("h")
        panel = taking.get_by_test_id("handover-taking")
        await expect(panel).to_have_attribute("data-blocked", "unseen")
        await expect(taking.get_by_test_id("handover-accept")).to_be_disabled()
        await expect(taking.get_by_test_id("stop-focused")).to_be_visible()
        await taking.get_by_test_id("handover-see").first.focus()
        for number in range(4):
            await taking.keyboard.press("Enter")
            await expect(taking.get_by_test_id("handover-item").nth(number)).to_have_attribute(
                "data-seen", "seen"
            )
            await taking.keyboard.press("ArrowDown")
        await expect(panel).to_have_attribute("data-blocked", "")

        # What is added meanwhile has to be seen, too.
        await leaving.bring_to_front()
        await write_note(leaving, "ask the workshop about bus 2")
        await taking.bring_to_front()
        await expect(panel).to_have_attribute("data-blocked", "unseen")
        late = taking.locator("[data-testid=handover-item][data-seen=unseen]")
        await expect(late).to_contain_text("申し出の後")
        await late.get_by_test_id("handover-see").click()
        await expect(panel).to_have_attribute("data-blocked", "")
        await taking.get_by_test_id("handover-accept").focus()
        await taking.keyboard.press("Enter")
        await expect(taking.get_by_test_id("handover-over")).to_have_attribute(
            "data-state", "accepted"
        )
        (record,) = [one for one in hub.handovers.records if one.kind == "handover.accepted"]
        kept = msgspec.json.decode(str(record.data["view"]), type=HandoverRecord)
        assert (kept.handover.leaving, kept.handover.taking) == ("hanako", "jiro")
        assert len(kept.items) == 5

        # Who has left is not asked any more, and says so, until the next check of a shift.
        await leaving.bring_to_front()
        await expect(leaving.get_by_test_id("frame")).to_have_attribute("data-armed", "false")
        await expect(leaving.get_by_test_id("banner-unarmed")).to_contain_text("始業点検")
        await leaving.reload()
        await expect(leaving.get_by_test_id("banner-unarmed")).to_have_attribute(
            "data-why", "unchecked silent", timeout=SOON_MS
        )
