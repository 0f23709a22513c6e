"""The page over https and over plain http on a network: what it says of either."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from supervisor.console.certificates import CA_FILE, issue, parse_names
from supervisor.console.config import ConsoleConfig
from support.browser import chromium
from ui.fake_hub import FakeHub
from ui.seat import open_page, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.integration]
SOON_MS = 20_000
A_NUMBER = re.compile(r"^[0-9.]+$")
NAME = "console.test"
"""Not loopback for the browser, which finds it there all the same."""


async def plain_http(browser: Browser, folder: Path) -> None:
    config = ConsoleConfig(port=0, public_origins=[f"http://{NAME}"])
    hub = FakeHub(folder, config=config)
    hub.publishing = False
    async with hub.running(), open_page(browser, (1366, 768)) as page:
        await page.goto(f"http://{NAME}:{hub.console.port}/")
        assert await page.evaluate("isSecureContext") is False
        banner = page.get_by_test_id("banner-insecure")
        await expect(banner).to_contain_text("同じネットワークから読めます", timeout=SOON_MS)
        await sign_in(page)
        await expect(banner).to_contain_text("マイク", timeout=SOON_MS)
        missing = (await banner.get_attribute("data-missing") or "").split()
        assert {"sealed", "microphone", "wakelock", "notifications", "webcodecs"} <= set(missing)
        await page.keyboard.press("F2")
        await expect(banner).to_contain_text("Not available: driving")
        async with page.context.expect_page() as opened:
            await page.get_by_test_id("https-help").click()
        help_page = await opened.value
        await expect(help_page.locator("h1")).to_have_text("Make https work on this device")
        assert help_page.url.endswith("/help/https/en")


async def https(browser: Browser, folder: Path) -> None:
    certs = folder / "certs"
    issue(certs, parse_names(["127.0.0.1"]), renew=False, now=datetime.datetime.now(datetime.UTC))
    config = ConsoleConfig(
        port=0,
        tls_certificate=str(certs / "console.pem"),
        tls_key=str(certs / "console.key"),
        tls_ca=str(certs / CA_FILE),
    )
    hub = FakeHub(folder, config=config)
    async with hub.running(), trusting_page(browser) as page:
        await page.goto(hub.console.url)
        assert await page.evaluate("isSecureContext") is True
        await sign_in(page)
        await expect(page.get_by_test_id("hub")).to_have_attribute(
            "data-state", "open", timeout=SOON_MS
        )
        await expect(page.get_by_test_id("banner-insecure")).to_have_count(0)
        await the_seat_says_what_it_costs(page)


@contextlib.asynccontextmanager
async def trusting_page(browser: Browser) -> AsyncIterator[Page]:
    """Trust is checked elsewhere against the authority; a fresh profile here has no store."""
    context = await browser.new_context(ignore_https_errors=True, locale="ja-JP")
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def the_seat_says_what_it_costs(page: Page) -> None:
    figure = page.get_by_test_id("seat-budget")
    await expect(figure).to_have_attribute("data-ms", A_NUMBER, timeout=SOON_MS)
    await figure.click()
    row = page.get_by_test_id("seat-picture-maebashi-bus-01-front")
    await expect(row).to_have_attribute("data-decode-ms", A_NUMBER, timeout=SOON_MS)
    await expect(page.get_by_test_id("seat-hub")).to_contain_text("ms")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("seat-sheet")).to_have_count(0)


async def test_the_page_says_what_plain_http_withholds_and_https_brings(tmp_path: Path) -> None:
    async with chromium(f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as browser:
        (tmp_path / "plain").mkdir()
        (tmp_path / "tls").mkdir()
        await plain_http(browser, tmp_path / "plain")
        await https(browser, tmp_path / "tls")
