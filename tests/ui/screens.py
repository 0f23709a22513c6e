"""Every screen of the console, and how a person gets there.

A new screen is one more row: it is then judged for accessibility, contrast, targets and
motion in both languages and all palettes, and photographed into `docs/screens/`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from playwright.async_api import Page, expect

from ui.fake_hub import ACCOUNT, BUS_1, BUS_2, PASSWORD, TRACTOR
from ui.studio import SOON_MS, Studio, troubled

CARD: Final = "card-maebashi-bus-01"


class Screen(NamedTuple):
    """One screen.

    Attributes:
        name: Of its pictures.
        go: Gets there from the screen before it; the fleet's scene is set by then.
        leave: Gets back to where the navigation works.
        calm: Nothing is wrong: (almost) no colour may be seen.
    """

    name: str
    go: Callable[[Studio], Awaitable[None]]
    leave: Callable[[Studio], Awaitable[None]] | None = None
    calm: bool = False


async def shown(page: Page, testid: str) -> None:
    """Wait until something is on the screen."""
    await expect(page.get_by_test_id(testid)).to_be_visible(timeout=SOON_MS)


async def maps_drawn(page: Page) -> None:
    """Wait until the map, if there is one, has drawn all it has."""
    await page.wait_for_function(
        "() => [...document.querySelectorAll('.map-root')].every((map) => "
        "['ready', 'no-webgl'].includes(map.dataset.state))",
        timeout=SOON_MS,
    )


async def pictures_live(page: Page, count: int) -> None:
    """Wait for so many live pictures."""
    await expect(page.locator(".picture[data-state=live]")).to_have_count(count, timeout=SOON_MS)


def tab(name: str, waits_for: str) -> Callable[[Studio], Awaitable[None]]:
    """A screen behind a button of the navigation."""

    async def go(studio: Studio) -> None:
        await studio.page.get_by_test_id(f"nav-{name}").click()
        await shown(studio.page, waits_for)
        await maps_drawn(studio.page)

    return go


async def sign_in_page(studio: Studio) -> None:
    """Nothing to do."""
    await shown(studio.page, "login-demo-account")


async def start_of_shift(studio: Studio) -> None:
    """Sign in; the check is offered in red until it is done."""
    page = studio.page
    await page.get_by_test_id("login-name").fill(ACCOUNT)
    await page.get_by_test_id("login-password").fill(PASSWORD)
    await page.get_by_test_id("login-submit").click()
    await page.get_by_test_id("shift-open").click(timeout=SOON_MS)
    await shown(page, "shift")
    await pictures_live(page, 3)
    await maps_drawn(page)


async def after_the_shift_check(studio: Studio) -> None:
    """Close it and do it."""
    await studio.page.get_by_test_id("shift-close").click()
    await studio.arm()


async def watch_healthy(studio: Studio) -> None:
    """Every picture lives."""
    await studio.page.get_by_test_id("nav-watch").click()
    await pictures_live(studio.page, 3)
    await maps_drawn(studio.page)


async def help_sheet(studio: Studio) -> None:
    """The keys."""
    await studio.page.get_by_test_id("nav-watch").click()
    await studio.page.get_by_test_id("help-open").click()


async def close_help(studio: Studio) -> None:
    """Put the keys away."""
    await studio.page.keyboard.press("Escape")


async def trouble_begins(studio: Studio) -> None:
    """From here on one vehicle asks, one is lost, one picture stands still."""
    studio.hub.scene = troubled
    await studio.new_instant()


async def watch_troubled(studio: Studio) -> None:
    """The card is there, and the picture is known to stand still."""
    page = studio.page
    await page.get_by_test_id("nav-watch").click()
    await shown(page, CARD)
    await pictures_live(page, 3)
    await studio.freeze_picture(BUS_2, 1.43)
    await studio.freeze_picture(TRACTOR, 14.1)
    await expect(page.locator(".picture[data-state=frozen]")).to_have_count(2, timeout=SOON_MS)


async def history_sheet(studio: Studio) -> None:
    """Ten minutes of one vehicle."""
    page = studio.page
    await page.get_by_test_id("nav-watch").click()
    await page.get_by_test_id("history-open-maebashi-bus-01").click()
    await shown(page, "history")


async def close_history(studio: Studio) -> None:
    """Put the charts away."""
    await studio.page.get_by_test_id("history-close").click()


async def take_over(studio: Studio) -> None:
    """Look at the vehicle that asks, while somebody else has control of it."""
    page = studio.page
    studio.hub.control.preempt(BUS_1, "jiro", "現場から依頼 / asked for on the site")
    await page.get_by_test_id(CARD).click()
    await shown(page, "takeover")
    await pictures_live(page, 1)
    await maps_drawn(page)


async def take_over_held(studio: Studio) -> None:
    """Have control of it."""
    page = studio.page
    await page.get_by_test_id("takeover-back").click()
    studio.hub.control.free(BUS_1)
    await page.get_by_test_id(CARD).click()
    await expect(page.get_by_test_id("takeover")).to_have_attribute(
        "data-standing", "held", timeout=SOON_MS
    )
    await pictures_live(page, 1)


async def give_back(studio: Studio) -> None:
    """Leave without control."""
    page = studio.page
    await page.locator("[data-testid^=cause-]").first.click()
    await expect(page.get_by_test_id("control")).to_have_attribute(
        "data-standing", "none", timeout=SOON_MS
    )
    await page.get_by_test_id("nav-watch").click()


SCREENS: Final = (
    Screen("sign-in", sign_in_page),
    Screen("start-of-shift", start_of_shift, after_the_shift_check),
    Screen("watch-healthy", watch_healthy, calm=True),
    Screen("map", tab("map", "map"), calm=True),
    Screen("alarms-none", tab("alarms", "alarms-empty"), calm=True),
    Screen("help", help_sheet, close_help, calm=True),
    Screen("watch", watch_troubled),
    Screen("alarms", tab("alarms", "alarms")),
    Screen("duties", tab("duties", "duties")),
    Screen("handover", tab("handover", "handover")),
    Screen("seats", tab("seats", "seats")),
    Screen("fleet", tab("fleet", "fleet-table")),
    Screen("history", history_sheet, close_history),
    Screen("take-over", take_over),
    Screen("take-over-held", take_over_held, give_back),
)
SCENES: Final = {"watch": trouble_begins}
"""Before these screens something happens."""
