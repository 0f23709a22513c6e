"""One operator's seat: a hub with an invented fleet, and its page in Chromium."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from playwright.async_api import Browser, Page

from ui.fake_hub import ACCOUNT, PASSWORD, FakeHub

Seat = Callable[..., contextlib.AbstractAsyncContextManager[tuple[FakeHub, Page]]]


@contextlib.asynccontextmanager
async def open_page(browser: Browser, size: tuple[int, int]) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, locale="ja-JP"
    )
    errors: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None,
    )
    try:
        yield page
        assert not errors, errors
    finally:
        await context.close()


async def sign_in(page: Page, password: str = PASSWORD, account: str = ACCOUNT) -> None:
    """Fill the form and send it."""
    await page.get_by_test_id("login-name").fill(account)
    await page.get_by_test_id("login-password").fill(password)
    await page.get_by_test_id("login-submit").click()


async def check_shift(page: Page) -> None:
    """Do the start-of-shift check."""
    await page.get_by_test_id("shift-open").click()
    for name in ("p1", "p2", "p3", "hub_lost"):
        await page.get_by_test_id(f"shift-play-{name}").click()
        await page.get_by_test_id(f"shift-heard-{name}").click()
    await page.get_by_test_id("shift-close").click()
