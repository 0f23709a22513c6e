"""Debian's Chromium, driven by Playwright, and what it really shows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, Page

from loadtests.glass import browser as glass
from protocols.strip import CELLS, HEIGHT_SHARE, StripReading, decode_cells

FAKE_MEDIA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

READ_STRIP = """([id, cells, share]) => {
    const video = document.querySelector(`video[data-testid="${id}"]`)
        ?? document.querySelector(`[data-testid="${id}"] video`);
    if (!video || video.readyState < 2 || !video.videoWidth) return null;
    const height = Math.max(8, Math.round(video.videoHeight * share / 2) * 2);
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = height;
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(video, 0, 0, video.videoWidth, height, 0, 0, video.videoWidth, height);
    const row = Math.floor(height / 2);
    const pixels = context.getImageData(0, row, canvas.width, 1).data;
    const lumas = [];
    for (let cell = 0; cell < cells; cell++) {
        const at = 4 * Math.floor((cell + 0.5) * canvas.width / cells);
        lumas.push(0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2]);
    }
    return lumas;
}"""

HASH_PICTURE = """(id) => {
    const video = document.querySelector(`video[data-testid="${id}"]`)
        ?? document.querySelector(`[data-testid="${id}"] video`);
    if (!video || video.readyState < 2 || !video.videoWidth) return "";
    const canvas = document.createElement("canvas");
    canvas.width = 64; canvas.height = 36;
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(video, 0, 0, 64, 36);
    return Array.from(context.getImageData(0, 0, 64, 36).data).join("");
}"""


@contextlib.asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Start Debian's Chromium, headless, with a camera and a microphone of its own."""
    async with glass.chromium(*FAKE_MEDIA, *flags) as browser:
        yield browser


@contextlib.asynccontextmanager
async def console_page(
    browser: Browser,
    url: str,
    account: str,
    password: str,
    *,
    locale: str = "ja-JP",
    size: tuple[int, int] = (1366, 768),
) -> AsyncIterator[Page]:
    """Open the console in a fresh profile and sign in; fail on any page error."""
    context = await browser.new_context(
        locale=locale,
        timezone_id="Asia/Tokyo",
        viewport={"width": size[0], "height": size[1]},
    )
    errors: list[str] = []
    try:
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(url)
        await page.get_by_test_id("login-name").fill(account)
        await page.get_by_test_id("login-password").fill(password)
        await page.get_by_test_id("login-submit").click()
        yield page
        assert not errors, f"the page threw: {errors}"
    finally:
        await context.close()


async def read_strip(page: Page, video: str) -> StripReading | None:
    """Return what the strip in the *pixels* of a video element says, or None."""
    lumas: Any = await page.evaluate(READ_STRIP, [video, CELLS, HEIGHT_SHARE])
    return decode_cells(lumas) if lumas is not None else None


async def picture(page: Page, video: str) -> str:
    """Return something that differs when the picture differs; "" without a picture."""
    result: str = await page.evaluate(HASH_PICTURE, video)
    return result
