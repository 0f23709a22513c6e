"""One walk through every screen, and what was found on each: in words, by concern."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from playwright.async_api import Browser, Page

from support.node import packages
from ui import pictures
from ui.screens import SCENES, SCREENS, Screen
from ui.studio import Studio, studio

ROOT: Final = Path(__file__).resolve().parents[2]
JUDGE: Final = Path(__file__).with_name("judge.js")
KEPT: Final = ROOT / "docs" / "screens"
WRITE: Final = "ENKAN_WRITE_SCREENS"
LANGUAGES: Final = ("ja", "en")
PALETTES: Final = ("night", "dusk", "day")
SIZES: Final = ((1366, 768), (1920, 1080))
SATURATED_AT_MOST: Final = 0.005
DIFFERENT_AT_MOST: Final = 0.02
TARGET_PX: Final = 24
SAFETY_PX: Final = 48
SAFETY: Final = ", ".join(
    f"[data-testid^={name}]"
    for name in (
        "stop-",
        "emergency-",
        "allow-",
        "take-m",
        "take-i",
        "preempt-m",
        "preempt-i",
        "accept-",
        "decline-",
        "answer-",
        "drive-begin-",
    )
)
"""Controls on which somebody's safety hangs (buttons among them)."""


class Finding(NamedTuple):
    """What is wrong on one screen.

    Attributes:
        concern: `axe`, `targets`, `motion`, `colour`, `overflow`, `picture`.
        screen: Its name, language, palette or size.
        words: What was found.
    """

    concern: str
    screen: str
    words: str


async def walk(browser: Browser, folder: Path) -> list[Finding]:
    """Visit every screen; return everything that is wrong with any of them."""
    found: list[Finding] = []
    axe = (packages() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    async with studio(browser, folder) as at:
        await at.page.evaluate(axe)
        await at.page.evaluate(JUDGE.read_text(encoding="utf-8"))
        for screen in SCREENS:
            if screen.name in SCENES:
                await SCENES[screen.name](at)
            await screen.go(at)
            await at.page.mouse.move(0, 0)
            await at.new_instant()
            await at.hold()
            for language in LANGUAGES:
                found += await _judge(at, screen, language)
                found += await _photograph(at, screen, language)
                await at.page.get_by_test_id("language").first.click()
            await at.page.evaluate("globalThis.studio.release()")
            if screen.leave is not None:
                await screen.leave(at)
    return found


async def _judge(at: Studio, screen: Screen, language: str) -> Iterable[Finding]:
    page = at.page
    found = []
    for palette in PALETTES:
        await _paint(page, palette)
        where = f"{screen.name} {language} {palette}"
        first = palette == PALETTES[0]
        if not first and language != LANGUAGES[0]:
            continue  # Words have no colour of their own.
        found += [
            Finding("axe", where, text)
            for text in await page.evaluate("colours => judge.axe(colours)", not first)
        ]
        if screen.calm:
            found += await _colours(page, where)
        if not first:
            continue
        targets = await page.evaluate(
            "least => judge.targets(...least)", [TARGET_PX, SAFETY_PX, SAFETY]
        )
        found += [Finding("targets", where, text) for text in targets]
        found += [Finding("motion", where, text) for text in await page.evaluate("judge.motion()")]
    await _paint(page, PALETTES[0])
    return found


async def _paint(page: Page, palette: str) -> None:
    await page.evaluate(
        "palette => { document.documentElement.dataset.palette = palette; }", palette
    )


async def _colours(page: Page, where: str) -> list[Finding]:
    shot = pictures.decode(await page.screenshot())
    share = pictures.saturated_share(shot, await page.evaluate("judge.boxes()"))
    if share < SATURATED_AT_MOST:
        return []
    return [Finding("colour", where, f"{share:.2%} of the pixels are coloured")]


async def _photograph(at: Studio, screen: Screen, language: str) -> list[Finding]:
    found = []
    for width, height in SIZES:
        where = f"{screen.name} {language} {width}"
        await at.page.set_viewport_size({"width": width, "height": height})
        await at.settle()
        found += [
            Finding("overflow", where, text) for text in await at.page.evaluate("judge.overflow()")
        ]
        shot = pictures.decode(await at.page.screenshot())
        kept = KEPT / f"{screen.name}.{language}.{width}.png"
        if os.environ.get(WRITE):
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(pictures.encode(shot))
        elif not kept.exists():
            found.append(Finding("picture", where, "there is none yet"))
        else:
            share = pictures.different_share(shot, pictures.decode(kept.read_bytes()))
            if share > DIFFERENT_AT_MOST:
                found.append(Finding("picture", where, f"{share:.1%} of the pixels differ"))
    await at.page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    await at.settle()
    return found
