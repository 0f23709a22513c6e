"""A gamepad that does not exist: `navigator.getGamepads` of a page, moved by the test.

Nothing else of the page is changed; a real pad reaches it by the same call.
"""

from __future__ import annotations

from typing import Final

from playwright.async_api import Page, expect

LB, RB, LT, RT = 4, 5, 6, 7

SCRIPT: Final = """
window.testPad = {
  id: 'Test pad', index: 0, mapping: 'standard', connected: true, timestamp: 0,
  axes: [0, 0, 0, 0], buttons: Array.from({length: 17}, () => ({pressed: false, value: 0})),
};
Object.defineProperty(navigator, 'getGamepads', {value: () => [window.testPad, null]});
"""

MOVE: Final = """({steer, held}) => {
  window.testPad.axes[0] = steer;
  window.testPad.buttons.forEach((button, at) => {
    button.value = held[at] ?? 0;
    button.pressed = button.value > 0;
  });
}"""


async def plug_in(page: Page) -> None:
    """Have a pad from the next load of the page on."""
    await page.add_init_script(SCRIPT)


async def move(page: Page, steer: float = 0.0, **held: float) -> None:
    """Set the pad: `lb`, `rb`, `brake`, `throttle`, 0 to 1; what is not named is let go."""
    number = {"lb": LB, "rb": RB, "brake": LT, "throttle": RT, "b": 1}
    values = {str(number[name]): value for name, value in held.items()}
    await page.evaluate(MOVE, {"steer": steer, "held": values})


async def calibrate(page: Page) -> None:
    """Teach the console the pad, as a person would in the start-of-shift check."""
    sheet = page.get_by_test_id("calibrate")
    await page.get_by_test_id("shift-test-gamepad").click()
    for step, moved in (
        ("left", {"steer": -1.0}),
        ("right", {"steer": 1.0}),
        ("throttle", {"throttle": 1.0}),
        ("brake", {"brake": 1.0}),
        ("deadman", {"lb": 1.0, "rb": 1.0}),
    ):
        await expect(sheet).to_have_attribute("data-step", step, timeout=20_000)
        await move(page, **moved)
        await expect(sheet).to_have_attribute("data-moved", "true", timeout=20_000)
        await move(page)
    await expect(sheet).to_have_attribute("data-step", "done", timeout=20_000)
    await page.get_by_test_id("calibrate-close").click()
