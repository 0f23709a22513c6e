"""Whole flows of a shift: by keyboard alone, at the end of a sign-in, over a slow network."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from protocols.authority import ControlState
from protocols.vehicle import Stop, Wait
from support.waiting import until
from ui.fake_hub import ACCOUNT, BUS_2, PASSWORD, FakeHub
from ui.seat import Seat, check_shift, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.integration]
BUS = "maebashi-bus-02"
SOON_MS = 15_000

FOCUS = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const style = getComputedStyle(at), box = at.getBoundingClientRect();
    return {
        id: at.dataset.testid ?? at.tagName,
        ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0,
    };
}"""


async def tab_to(page: Page, testid: str, within: int = 40) -> int:
    """Walk by Tab until something has the focus, which is visible at every step."""
    for steps in range(1, within + 1):
        await page.keyboard.press("Tab")
        at = await page.evaluate(FOCUS)
        if at is None:
            continue
        assert at["ring"], f"no visible focus on {at['id']}"
        assert at["seen"], f"the focus is on {at['id']}, which nobody sees"
        if at["id"] == testid:
            return steps
    raise AssertionError(f"{testid} is not reached by Tab")


async def press(page: Page, testid: str, within: int = 40) -> None:
    await tab_to(page, testid, within)
    await page.keyboard.press("Enter")


async def held(page: Page, standing: str) -> None:
    await expect(page.get_by_test_id("control")).to_have_attribute(
        "data-standing", standing, timeout=SOON_MS
    )


async def test_a_shift_by_keyboard_alone_from_sign_in_to_hand_back(seat: Seat) -> None:
    async with seat(signed_in=False, publishing=False) as (hub, page):
        await expect(page.get_by_test_id("login-name")).to_be_focused()
        await page.keyboard.type(ACCOUNT)
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await page.get_by_test_id("frame").wait_for()
        await press(page, "shift-open")
        await expect(page.get_by_test_id("shift")).to_be_focused()
        assert await tab_to(page, "shift-play-p1") == 1, "the check has the keyboard at once"
        await page.keyboard.press("Enter")
        await press(page, "shift-heard-p1", 1)
        for name in ("p2", "p3", "hub_lost"):
            await press(page, f"shift-play-{name}", 1)
            await press(page, f"shift-heard-{name}", 1)
        await press(page, "shift-close", 4)
        await expect(page.get_by_test_id("frame")).to_have_attribute(
            "data-armed", "true", timeout=SOON_MS
        )
        hub.ask_for_a_person(BUS_2)
        await expect(page.get_by_test_id(f"card-{BUS}")).to_be_visible(timeout=SOON_MS)
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("takeover")).to_be_focused()
        await held(page, "held")
        await press(page, f"answer-wait-{BUS}")
        await until(lambda: len(hub.asked(Wait)) == 1, "the answer")
        await press(page, "cause-obstacle")
        await held(page, "none")
        assert hub.control.views[str(BUS_2)].state is ControlState.FREE
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("takeover")).to_be_hidden()


async def test_what_an_ime_composes_is_never_a_command_and_a_field_gives_space_back(
    seat: Seat,
) -> None:
    async with seat(publishing=False) as (hub, page):
        await expect(page.get_by_test_id("stop-target")).not_to_have_attribute("data-vehicle", "")
        for how in ({"isComposing": True}, {"keyCode": 229}):
            for code in ("Space", "Enter", "KeyH", "KeyA"):
                await page.evaluate(
                    "init => document.body.dispatchEvent(new KeyboardEvent('keydown',"
                    " {...init, bubbles: true, cancelable: true}))",
                    {"code": code, **how},
                )
        await page.keyboard.press("h")
        text = page.get_by_test_id("note-text")
        await text.focus()
        session = await page.context.new_cdp_session(page)
        await session.send(
            "Input.imeSetComposition",
            {"text": "けやき", "selectionStart": 3, "selectionEnd": 3},
        )
        await page.keyboard.press("Space")  # an IME would convert with it
        await session.send("Input.insertText", {"text": "並木"})
        await page.keyboard.press("Space")
        await page.keyboard.type("a s")
        assert hub.asked(Stop) == [], "in a text field Space types"
        assert " a s" in await text.input_value()
        await expect(page.get_by_test_id("handover")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.keyboard.press("Space")
        await until(lambda: len(hub.asked(Stop)) == 1, "out of the field Space is STOP")


async def again(page: Page) -> None:
    await page.get_by_test_id("again-password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("frame")).to_have_attribute(
        "data-socket", "open", timeout=SOON_MS
    )
    await expect(page.get_by_test_id("banner-ended")).to_be_hidden()


async def take(hub: FakeHub, page: Page) -> None:
    hub.ask_for_a_person(BUS_2)
    await expect(page.get_by_test_id(f"card-{BUS}")).to_be_visible(timeout=SOON_MS)
    await page.keyboard.press("Enter")
    await held(page, "held")


async def test_a_sign_in_is_renewed_in_place_and_its_end_is_plain(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await check_shift(page)
        await take(hub, page)
        hub.set_session(left_s=299)
        await expect(page.get_by_test_id("banner-session")).to_contain_text("4:5", timeout=SOON_MS)
        await page.get_by_test_id("renew-open").click()
        await page.get_by_test_id("renew-password").fill("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("renew-problem")).to_be_visible(timeout=SOON_MS)
        await page.get_by_test_id("renew-password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("banner-session")).to_be_hidden(timeout=SOON_MS)
        await held(page, "held")

        hub.set_session(left_s=0)
        ended = page.get_by_test_id("banner-ended")
        await expect(ended).to_have_attribute("data-how", "expired", timeout=SOON_MS)
        await expect(ended).to_contain_text("停止できません")
        await expect(ended).to_contain_text("操作権は失われました")
        await expect(page.get_by_test_id("stop-cannot")).to_be_visible()
        await expect(page.get_by_test_id("stop-focused")).to_be_disabled()
        await expect(page.get_by_test_id(f"note-{BUS}").first).to_contain_text("サインイン終了")
        await until(
            lambda: hub.control.views[str(BUS_2)].state is ControlState.FREE, "control is released"
        )
        await again(page)
        await expect(page.get_by_test_id("takeover")).to_be_visible()
        await held(page, "none")
        assert asked_once(hub)

        # A restarted hub knows nobody: the state comes back, and nothing is taken up again.
        await page.keyboard.press("Escape")
        await take(hub, page)
        hub.forget_everybody()
        await expect(ended).to_have_attribute("data-how", "gone", timeout=SOON_MS)
        await again(page)
        await held(page, "none")
        await expect(page.get_by_test_id("banner-gone")).to_be_visible()
        await expect(page.get_by_test_id(f"card-{BUS}")).to_be_visible(timeout=SOON_MS)


def asked_once(hub: FakeHub) -> bool:
    return sum(type(event).__name__ == "ControlAsked" for event in hub.events) == 1


class SlowLine:
    """The console's socket over a network that takes its time; `cut`: nothing arrives."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.cut = False

    def join(self, page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        page_side.on_message(lambda message: self._later(server_side, message))
        server_side.on_message(lambda message: self._later(page_side, message))

    def _later(self, to: WebSocketRoute, message: str | bytes) -> None:
        if not self.cut:
            asyncio.get_running_loop().call_later(self.delay_s, to.send, message)


async def test_a_slow_network_is_told_and_nothing_is_called_present_without_proof(
    seat: Seat,
) -> None:
    async with seat(publishing=False, signed_in=False) as (hub, page):
        line = SlowLine(0.4)
        await page.route_web_socket("**/ws", line.join)
        await sign_in(page)
        await expect(page.get_by_test_id(f"speed-{BUS}")).not_to_have_attribute(
            "data-mps", "", timeout=SOON_MS
        )
        mark = page.get_by_test_id("hub")
        await expect(mark).to_contain_text(re.compile(r"\b(8|9)\d\d ms"), timeout=SOON_MS)
        await expect(page.get_by_test_id("clock-trust")).to_have_attribute("data-trusted", "false")
        await page.get_by_test_id(f"stop-{BUS}").click()
        command = page.get_by_test_id(f"command-{BUS}")
        await expect(command).to_have_attribute("data-state", re.compile("asking|accepted"))
        await until(lambda: hub.asked(Stop), "the stop")
        await expect(command).to_have_attribute("data-state", "applied", timeout=SOON_MS)
        line.cut = True
        await expect(page.get_by_test_id("banner-lost")).to_be_visible(timeout=SOON_MS)
        await expect(page.get_by_test_id(f"speed-{BUS}")).to_have_attribute("data-mps", "")
