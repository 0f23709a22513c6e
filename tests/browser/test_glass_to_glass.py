"""The age that the console shows is the age of the pixels, near and far."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from loadtests.glass import bench, probe
from loadtests.glass.browser import signed_in
from loadtests.glass.probe import GlassFrame
from supervisor.demo import DEMO_ACCOUNT, DEMO_PASSWORD
from support.browser import chromium
from support.processes import demo
from support.waiting import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.integration,
    pytest.mark.real_time,
    pytest.mark.timeout(300),
]

FRAMES = 200
DELAY_MS = 150
SURE_MS = 20
TRIES = 3


async def look(browser: Browser, url: str, delay_ms: float) -> bench.Glass:
    """Return what `FRAMES` displayed frames of the focused vehicle show."""
    async with signed_in(
        browser, url, DEMO_ACCOUNT, DEMO_PASSWORD, delay_s=delay_ms / 1_000
    ) as page:
        name = bench.VEHICLE.replace("/", "-")
        await page.get_by_test_id(f"tile-{name}").click(position={"x": 40, "y": 12})
        await page.wait_for_function(
            "id => globalThis.enkan.picture(id).age.ok", arg=bench.VEHICLE, timeout=60_000
        )
        await probe.install(page, bench.VEHICLE)
        frames: list[GlassFrame] = []
        splits: list[dict[str, float]] = []

        async def enough() -> bool:
            frames.extend(await probe.take(page))
            splits.append(await probe.stages(page, bench.VEHICLE))
            return sum(frame.error_ms is not None for frame in frames) >= FRAMES

        await until(enough, f"{FRAMES} frames with an age and a strip", within_s=120)
        return bench.judge(frames, splits, delay_ms)


async def look_well(browser: Browser, url: str, delay_ms: float) -> bench.Glass:
    """Look, and again where the machine was too busy for clocks to be compared closely."""
    for _ in range(TRIES - 1):
        seen = await look(browser, url, delay_ms)
        if seen.uncertainty <= SURE_MS:
            return seen
    return await look(browser, url, delay_ms)


async def test_the_computed_age_of_each_frame_is_that_of_its_pixels_also_150_ms_later(
    tmp_path: Path,
) -> None:
    async with demo(tmp_path / "demo") as running, chromium() as browser:
        near = await look_well(browser, running.console, 0)
        far = await look_well(browser, running.console, DELAY_MS)
    for seen in (near, far):
        assert seen.within >= 0.99, f"{seen.within:.1%} of {len(seen.errors)}: {seen.errors}"
        assert seen.other <= seen.frames * 0.2, "the probe saw too few pictures of their own"
        assert seen.uncertainty <= SURE_MS
        assert {"capture_encode", "uplink", "hub", "downlink", "display"} == set(seen.stages)
    assert far.ages[0] >= DELAY_MS
