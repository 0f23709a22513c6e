"""Control and driving in real browsers, against a real hub, worker and vehicle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.async_api import Browser, Page, expect
from playwright.async_api import Error as BrowserError

from protocols.operator import Role
from support import pad
from support.browser import chromium, console_page
from support.fleet import (
    ACCOUNT,
    BUS,
    PASSWORD,
    prepare_hub,
    running_hub,
    write_vehicle_config,
)
from support.processes import ROOT, Running, descendants
from support.traced_vehicle import Step, read
from support.waiting import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.integration,
    pytest.mark.real_time,
    pytest.mark.timeout(420),
]

SUPERVISOR = "mori"
NAME = "maebashi-bus-01"
SOON_MS = 20_000
WITHIN_MS = 500
STEP_MS = 50

# Whether a shared test machine is fast enough to drive by is another test's question.
CORE = """decision_limit_s = 1.0
clock_trusted_ms = 200.0
objective = [
  { key = "drive-late", purpose = "drive", indicator = "closed_loop", limit = 5000.0, share = 0.5, window_s = 10.0, enforce = "withdraw_drive" },
]"""  # noqa: E501
CAMERA = 'source = "synthetic"\nwidth = 640\nheight = 360\nfps = 20\nlow = false'


@contextlib.asynccontextmanager
async def hub_and_bus(folder: Path, drive: str) -> AsyncIterator[tuple[Running, Path]]:
    """A hub with two accounts, and a bus that writes down its steps."""
    config, _ = prepare_hub(folder, core=CORE, others=[(SUPERVISOR, Role.SUPERVISOR)])
    trace = folder / "steps.jsonl"
    async with running_hub(config) as hub:
        vehicle = write_vehicle_config(folder, hub, camera=CAMERA, drive=drive)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "support.traced_vehicle", str(vehicle), str(trace)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        )
        try:
            yield hub, trace
        finally:
            assert process.returncode is None, "the vehicle ended by itself"
            process.terminate()
            await process.wait()


async def check_shift(page: Page, *, with_pad: bool = False) -> None:
    """Do the start-of-shift check."""
    await page.get_by_test_id("shift-open").click(timeout=SOON_MS)
    if with_pad:
        await pad.calibrate(page)
    for name in ("p1", "p2", "p3", "hub_lost"):
        await page.get_by_test_id(f"shift-play-{name}").click()
        await page.get_by_test_id(f"shift-heard-{name}").click()
    await page.get_by_test_id("shift-close").click()
    await expect(page.get_by_test_id("frame")).to_have_attribute(
        "data-armed", "true", timeout=SOON_MS
    )


async def hold_l(page: Page) -> None:
    await page.keyboard.down("l")
    await page.wait_for_timeout(1_300)  # the key itself asks for a second
    await page.keyboard.up("l")


async def has(page: Page, standing: str) -> None:
    try:
        await expect(page.get_by_test_id("control")).to_have_attribute(
            "data-standing", standing, timeout=SOON_MS
        )
    except AssertionError as error:
        box = page.get_by_test_id(f"control-{NAME}")
        said = await box.evaluate_all("all => all.map(one => [{...one.dataset}, one.innerText])")
        banners = await page.locator(".banner").all_inner_texts()
        raise AssertionError(f"{error}; the screen says {said} {banners}") from error


async def test_one_has_control_another_is_refused_a_supervisor_takes_it_and_gives_it_back(
    tmp_path: Path,
) -> None:
    async with (
        hub_and_bus(tmp_path, "obstacle_at_m = [25.0]\nanswer_within_s = 600.0") as (hub, _),
        chromium() as browser,
        console_page(browser, hub.console, ACCOUNT, PASSWORD) as first,
        console_page(browser, hub.console, SUPERVISOR, PASSWORD) as second,
    ):
        for page in (first, second):
            await check_shift(page)
        await expect(first.get_by_test_id(f"card-{NAME}")).to_be_visible(timeout=60_000)
        await first.keyboard.press("Enter")
        await has(first, "held")
        await expect(first.get_by_test_id(f"allow-{NAME}")).to_be_enabled(timeout=60_000)
        await expect(second.get_by_test_id(f"holder-{NAME}").first).to_have_attribute(
            "data-holder", ACCOUNT, timeout=SOON_MS
        )
        # A console whose news is late asks all the same, and the hub refuses.
        await second.evaluate(
            "v => { const desk = globalThis.enkan;"
            " desk.dispatch({type: 'local.intervene', vehicle: v});"
            " desk.state.value = {...desk.state.peek(), controls: {}}; desk.taking.take(v); }",
            str(BUS),
        )
        box = second.get_by_test_id(f"control-{NAME}")
        await expect(box).to_have_attribute("data-refused", "held", timeout=SOON_MS)
        await expect(box).to_contain_text("他の人が保持")
        await has(first, "held")
        await second.get_by_test_id(f"preempt-reason-{NAME}").fill("歩行者が近い")
        began = time.monotonic()
        await second.get_by_test_id(f"preempt-{NAME}").click(timeout=SOON_MS)
        gone = first.get_by_test_id("banner-gone")
        await expect(gone).to_have_attribute("data-how", "preempted", timeout=SOON_MS)
        print(f"preempted: seen by the first after {(time.monotonic() - began) * 1e3:.0f} ms")
        await has(second, "held")
        await has(first, "none")
        await expect(gone).to_contain_text("歩行者が近い", timeout=SOON_MS)
        await expect(first.get_by_test_id(f"allow-{NAME}")).to_have_attribute(
            "data-blocked", "held_by_other", timeout=SOON_MS
        )
        await second.get_by_test_id(f"allow-{NAME}").click(timeout=60_000)
        await expect(second.get_by_test_id(f"closed-{NAME}")).to_be_visible(timeout=SOON_MS)
        await second.get_by_test_id("cause-obstacle").click()
        await has(second, "none")
        await first.get_by_test_id("gone-dismiss").click()
        # A seat on a busy machine may be late with its word, and with the hub's.
        await expect(first.get_by_test_id(f"holder-{NAME}")).to_have_count(0, timeout=SOON_MS)
        await expect(first.get_by_test_id("frame")).to_have_attribute(
            "data-armed", "true", timeout=SOON_MS
        )
        await hold_l(first)
        await has(first, "held")
        await hold_l(first)
        await has(first, "none")
        await expect(gone).to_be_hidden()


# ----------------------------------------------------------------- C-01: the dead-man


async def blur(page: Page) -> None:
    await page.evaluate("window.dispatchEvent(new Event('blur'))")


async def hide(page: Page) -> None:
    """Headless Chromium hides no tab, so the page is told that it is hidden."""
    await page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


async def stall(page: Page) -> None:
    await page.evaluate(
        "setTimeout(() => { const end = performance.now() + 1800;"
        " while (performance.now() < end) {} }, 0)"
    )


async def unplug(page: Page) -> None:
    await page.evaluate("window.testPad.connected = false")


async def mend(page: Page) -> None:
    """Put everything back that the faults took."""
    await pad.move(page)
    await page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: false, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')); window.testPad.connected = true;"
        "window.dispatchEvent(new Event('focus'))"
    )


async def kill(page: Page) -> None:
    """Kill the browser with everything it started, as a power cut of the console would."""
    mine = descendants(os.getpid())
    for pid, line in mine.items():
        if "chromium" in line and "--headless" in line:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


TRIES = 4
Fault = Callable[[Page], Awaitable[None]]


class Ended(NamedTuple):
    """How long a fault's effect lasted, in ms, all on the vehicle's clock.

    Attributes:
        of_frame: From the newest frame that the vehicle accepted to its first step of 50 ms
            that is not driven.
        of_fault: From the fault to that step; the machine is the same, and so is the clock.
        late: How much later than 50 ms after the step before that step came: the vehicle's
            process was not given the processor.
    """

    of_frame: float
    of_fault: float
    late: float


async def drive(page: Page, trace: Path) -> None:
    """Take control for driving and drive the bus.

    A machine that is busy with other tests may keep the page from its frames for longer
    than the dead-man allows: then driving has ended, as it must, and is begun again.
    """
    for left in reversed(range(TRIES)):
        try:
            await begin_driving(page, trace)
            return
        except AssertionError:
            if not left:
                raise
        await pad.move(page)
        control = page.get_by_test_id("control")
        if await control.get_attribute("data-standing") != "none":
            await hold_l(page)
        await has(page, "none")


async def begin_driving(page: Page, trace: Path) -> None:
    """Try once to drive the bus."""
    standing = lambda: read(trace)[-1].speed_mps == 0  # noqa: E731
    await until(standing, "the bus stands", within_s=60)
    begin = page.get_by_test_id(f"drive-begin-{NAME}")
    await expect(begin).to_be_enabled(timeout=60_000)
    await begin.click()
    state = page.locator(f"[data-testid=drive-state-{NAME}]").first
    await expect(state).to_have_attribute("data-why", "deadman", timeout=SOON_MS)
    await pad.move(page, lb=1, rb=1)
    await expect(state).to_have_attribute("data-driving", "true", timeout=SOON_MS)
    await pad.move(page, lb=1, rb=1, throttle=0.6, steer=-0.2)
    try:
        await until(lambda: read(trace)[-1].speed_mps > 0.4, "the bus is driven", within_s=15)
    except AssertionError as error:
        said = await state.evaluate_all("all => all.map(one => ({...one.dataset}))")
        gone = await page.get_by_test_id("banner-gone").all_inner_texts()
        raise AssertionError(f"{error}: {said} {gone} {read(trace)[-5:]}") from error


async def drive_then(page: Page, trace: Path, fault: Fault) -> Ended:
    """Drive the bus, let the fault happen, and wait for what becomes of it."""
    await drive(page, trace)
    began_ns = time.monotonic_ns()
    assert read(trace)[-1].driving
    await fault(page)

    def ended() -> Step | None:
        after = [step for step in read(trace) if step.at_ns > began_ns and not step.driving]
        return after[0] if after else None

    step = await until(ended, "nobody drives it", within_s=20)
    assert step.wanted_mps == 0
    later = [one for one in read(trace) if one.at_ns > step.at_ns]
    assert not any(one.driving for one in later)
    before = [one for one in read(trace) if one.at_ns < step.at_ns][-1]
    return Ended(
        (step.at_ns - step.accepted_ns) / 1e6,
        (step.at_ns - began_ns) / 1e6,
        max(0.0, (step.at_ns - before.at_ns) / 1e6 - STEP_MS),
    )


async def at_the_wheel(browser: Browser, url: str, stack: contextlib.AsyncExitStack) -> Page:
    page = await stack.enter_async_context(console_page(browser, url, ACCOUNT, PASSWORD))
    await expect(page.get_by_test_id("who")).to_contain_text(ACCOUNT, timeout=SOON_MS)
    await pad.plug_in(page)
    await page.reload()
    await check_shift(page, with_pad=True)
    await page.get_by_test_id(f"tile-{NAME}").click(position={"x": 40, "y": 12}, timeout=60_000)
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("more-drive").click(timeout=SOON_MS)
    return page


async def test_whatever_is_lost_the_vehicle_is_not_driven_half_a_second_later(
    tmp_path: Path,
) -> None:
    lasted: dict[str, list[Ended]] = {}
    async with hub_and_bus(tmp_path, "obstacle_at_m = []") as (hub, trace):
        await until(lambda: read(trace) and read(trace)[-1].speed_mps > 0, "it drives", within_s=60)
        async with chromium() as browser, contextlib.AsyncExitStack() as stack:
            page = await at_the_wheel(browser, hub.console, stack)
            for _ in range(2):
                for fault in (blur, hide, stall, unplug):
                    times = await drive_then(page, trace, fault)
                    lasted.setdefault(fault.__name__, []).append(times)
                    await page.wait_for_timeout(200)
                    await mend(page)
                    await has(page, "none")
        for _ in range(2):
            with contextlib.suppress(BrowserError):  # it is dead
                async with chromium() as browser, contextlib.AsyncExitStack() as stack:
                    page = await at_the_wheel(browser, hub.console, stack)
                    times = await drive_then(page, trace, kill)
                    lasted.setdefault("kill", []).append(times)
    for name, times in lasted.items():
        frames, faults, late = (
            ", ".join(f"{one:.0f}" for one in part) for part in zip(*times, strict=True)
        )
        print(f"{name}: {frames} ms after the last frame, {faults} ms after the fault, late {late}")
    assert {name: len(times) for name, times in lasted.items()} == dict.fromkeys(
        ("blur", "hide", "stall", "unplug", "kill"), 2
    )
    worst = max(one.of_frame - one.late for times in lasted.values() for one in times)
    assert worst <= WITHIN_MS, lasted
