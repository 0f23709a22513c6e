"""Chromium, driven by Playwright: the console as a person has it before them."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from loadtests.errors import BenchError
from loadtests.glass.relay import DelayLine

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

FLAGS: Final = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
)
"""A control-room PC without a graphics card, and no talk with the outside."""

_CANDIDATE: Final = re.compile(r"(a=candidate:\S+ 1 udp \d+ \S+ )(\d+)( typ host)")


@contextlib.asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Start the system's Chromium, headless.

    Raises:
        BenchError: Playwright or Chromium is missing.
    """
    try:
        from playwright.async_api import async_playwright
    except ImportError as error:
        raise BenchError(
            "Playwright is missing. Set up the development packages: ./enkan check"
        ) from error
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise BenchError("no browser was found. On Debian or Ubuntu: apt install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, headless=True, args=[*FLAGS, *flags]
        )
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def signed_in(
    browser: Browser,
    url: str,
    account: str,
    password: str,
    *,
    size: tuple[int, int] = (1366, 768),
    delay_s: float = 0.0,
    script: str = "",
) -> AsyncIterator[Page]:
    """Open the console in a fresh profile and sign in.

    Args:
        delay_s: By so much all media to this browser is delayed.
        script: Runs in the page before its own programs.
    """
    context = await browser.new_context(
        locale="ja-JP",
        timezone_id="Asia/Tokyo",
        viewport={"width": size[0], "height": size[1]},
    )
    lines: list[DelayLine] = []
    try:
        page = await context.new_page()
        if delay_s > 0:
            await page.route("**/whep/**", lambda route: _delayed(route, delay_s, lines))
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        await page.get_by_test_id("login-name").fill(account)
        await page.get_by_test_id("login-password").fill(password)
        await page.get_by_test_id("login-submit").click()
        await page.wait_for_function("globalThis.enkan?.state.peek().seq !== null")
        yield page
    finally:
        await context.close()
        for line in lines:
            line.close()


async def _delayed(route: Route, delay_s: float, lines: list[DelayLine]) -> None:
    """Answer a WHEP offer with a delay line's port in place of the worker's."""
    response = await route.fetch()
    text = await response.text()
    found = _CANDIDATE.search(text)
    if found is None:
        await route.fulfill(response=response)
        return
    line = DelayLine(("127.0.0.1", int(found.group(2))), delay_s)
    lines.append(line)
    port = await line.open()
    await route.fulfill(response=response, body=_CANDIDATE.sub(rf"\g<1>{port}\g<3>", text))
