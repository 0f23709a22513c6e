"""`enkan bench g2g`: how old is what is displayed, by stage, and is that true."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from loadtests.demo_process import ACCOUNT, PASSWORD, running_demo
from loadtests.errors import BenchError
from loadtests.glass import probe
from loadtests.glass.browser import chromium, signed_in
from loadtests.glass.probe import GlassFrame

VEHICLE: Final = "maebashi/bus-02"
WITHIN_MS: Final = 20.0
"""The computed age may be so far from the pixels' (target: for 99 % of the frames)."""

SETTLE_S: Final = 8.0
"""Clock exchanges gather and the path settles; what is displayed before is not counted."""

READY_S: Final = 60.0


class Glass(msgspec.Struct, frozen=True):
    """What one run showed, in ms.

    Attributes:
        frames: Displayed while measured; `known` of them had an age, `read` a strip,
            `other` the strip of another frame (see `probe.own_pictures`).
        ages: Of the known ones, sorted.
        uncertainty: Largest error bar.
        errors: Computed less pixels of each frame that has both, sorted.
        stages: Mean of each second's split, in the order of the way.
        heights: Lines of the pictures.
    """

    delay_ms: float
    frames: int
    known: int
    read: int
    other: int
    ages: list[float]
    uncertainty: float
    errors: list[float]
    stages: dict[str, float]
    heights: list[int]

    def age(self, share: float) -> float:
        """Return a quantile of the ages."""
        return quantile(self.ages, share)

    @property
    def within(self) -> float:
        """Share of the frames whose computed age is within ±20 ms of the pixels'."""
        if not self.errors:
            return 0.0
        return sum(abs(error) <= WITHIN_MS for error in self.errors) / len(self.errors)


def quantile(ordered: list[float], share: float) -> float:
    """Return the value below which `share` of a sorted list lies; NaN of nothing."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def judge(frames: list[GlassFrame], splits: list[dict[str, float]], delay_ms: float = 0.0) -> Glass:
    """Summarise what a probe saw."""
    stages: dict[str, list[float]] = {}
    for split in splits:
        for stage, ms in split.items():
            stages.setdefault(stage, []).append(ms)
    read = sum(frame.pixels_ms is not None for frame in frames)
    frames = probe.own_pictures(frames)
    other = read - sum(frame.pixels_ms is not None for frame in frames)
    known = [frame for frame in frames if frame.computed_ms is not None]
    return Glass(
        delay_ms=delay_ms,
        frames=len(frames),
        known=len(known),
        read=read,
        other=other,
        ages=sorted(frame.computed_ms or 0.0 for frame in known),
        uncertainty=max((frame.uncertainty_ms or 0.0 for frame in known), default=float("nan")),
        errors=sorted(error for frame in frames if (error := frame.error_ms) is not None),
        stages={stage: statistics.fmean(values) for stage, values in stages.items()},
        heights=sorted({frame.height for frame in frames}),
    )


async def measure(
    folder: Path, seconds: float, delay_ms: float, say: Callable[[str], None]
) -> Glass:
    """Run the demo, show its console in a browser, and look at one focused vehicle.

    Raises:
        BenchError: Chromium or Playwright is missing, or no picture came.
    """
    say("starting the demo")
    async with (
        running_demo(folder) as demo,
        chromium() as browser,
        signed_in(browser, demo.console, ACCOUNT, PASSWORD, delay_s=delay_ms / 1_000) as page,
    ):
        say("waiting for pictures")
        dashed = VEHICLE.replace("/", "-")
        await page.get_by_test_id(f"tile-{dashed}").click(position={"x": 40, "y": 12})
        try:
            await page.wait_for_function(
                "id => globalThis.enkan.picture(id).age.ok", arg=VEHICLE, timeout=READY_S * 1_000
            )
        except Exception as error:
            if type(error).__name__ != "TimeoutError":
                raise
            raise BenchError(f"no picture of {VEHICLE} with a known age came") from error
        await probe.install(page, VEHICLE)
        await asyncio.sleep(SETTLE_S)
        await probe.take(page)
        frames: list[GlassFrame] = []
        splits: list[dict[str, float]] = []
        for second in range(round(seconds)):
            say(f"looking at {VEHICLE}: {second + 1} of {round(seconds)} s")
            await asyncio.sleep(1.0)
            frames += await probe.take(page)
            splits.append(await probe.stages(page, VEHICLE))
        return judge(frames, splits, delay_ms)
