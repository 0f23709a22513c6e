"""An operator shelves an alarm, the hub is killed, and the shelf is there again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from support.browser import chromium, console_page
from support.fleet import ACCOUNT, PASSWORD, prepare_hub, running_hub

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240)]
SLOW_MS = 60_000
LOW = "storage.low@hub"


async def alarms_of(page: Page) -> None:
    await page.get_by_test_id("nav-alarms").click()
    await expect(page.get_by_test_id("alarms")).to_be_visible(timeout=SLOW_MS)


async def test_a_shelf_with_its_reason_outlives_a_killed_hub(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path, core="storage_low_mib = 1_000_000")
    async with chromium() as browser:
        async with running_hub(config) as first:
            url = first.endpoints["console"]
            async with console_page(browser, url, ACCOUNT, PASSWORD) as page:
                await alarms_of(page)
                row = page.locator(f'[data-testid="alarm-row"][data-id="{LOW}"]')
                await expect(row).to_have_attribute("data-state", "unacknowledged", timeout=SLOW_MS)
                await row.get_by_test_id("runbook").click()
                sheet = page.get_by_test_id("runbook-sheet")
                await expect(sheet.locator("h2")).to_have_count(5, timeout=SLOW_MS)
                await page.get_by_test_id("runbook-close").click()
                await row.get_by_test_id("shelve").click()
                await expect(page.get_by_test_id("aside-do")).to_be_disabled()
                await page.get_by_test_id("aside-reason").fill("disk is ordered")
                await page.get_by_test_id("aside-14400").click()
                await page.get_by_test_id("aside-do").click()
                await expect(row).to_have_count(0, timeout=SLOW_MS)
                await page.get_by_test_id("filter-shelved").click()
                await expect(row).to_have_attribute("data-state", "shelved", timeout=SLOW_MS)
            first.process.send_signal(signal.SIGKILL)
            await first.process.wait()
        async with (
            running_hub(config) as second,
            console_page(browser, second.endpoints["console"], ACCOUNT, PASSWORD) as page,
        ):
            await alarms_of(page)
            await page.get_by_test_id("filter-shelved").click()
            row = page.locator(f'[data-testid="alarm-row"][data-id="{LOW}"]')
            await expect(row).to_contain_text("disk is ordered", timeout=SLOW_MS)
            await expect(row).to_contain_text(ACCOUNT)
            await row.get_by_test_id("unshelve").click()
            await page.get_by_test_id("filter-open").click()
            await expect(row).to_have_attribute("data-state", "unacknowledged", timeout=SLOW_MS)
