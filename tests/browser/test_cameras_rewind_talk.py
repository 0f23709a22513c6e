"""Two cameras, their last seconds, and a voice to the vehicle, in a real browser."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, expect

from support.browser import chromium, console_page, read_strip
from support.fleet import (
    ACCOUNT,
    PASSWORD,
    prepare_hub,
    running_hub,
    running_vehicle,
    write_vehicle_config,
)
from support.waiting import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.integration,
    pytest.mark.real_time,
    pytest.mark.timeout(300),
]

NAME = "maebashi-bus-01"
SMALL = 'source = "synthetic"\nwidth = 640\nheight = 360\nfps = 15\nbitrate_kbps = 300\n'
CAMERAS = f'{SMALL}[[camera]]\nname = "left"\nfacing = "left"\n{SMALL}'
FIRST_MS = 60_000
HEARD = 500
"""Of 32 768: the beeps of the browser's fake microphone are far above it."""


async def test_side_camera_rewind_and_talk_back(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    spoken = tmp_path / "spoken.wav"
    async with running_hub(config) as hub:
        speaker = f'[speaker]\noutput = "file:{spoken}"'
        vehicle = write_vehicle_config(tmp_path, hub, camera=CAMERAS, drive=speaker)
        async with (
            running_vehicle(vehicle),
            chromium() as browser,
            console_page(browser, hub.console, ACCOUNT, PASSWORD) as page,
        ):
            await shows_both_cameras(page)
            await replays_what_was_seen(page)
            await is_heard_while_the_key_is_held(page, spoken)


async def shows_both_cameras(page: Page) -> None:
    """Both live, each with its own age; a key makes the other one large without a gap."""
    for picture in (NAME, f"{NAME}-left"):
        await expect(page.get_by_test_id(f"picture-{picture}")).to_have_attribute(
            "data-state", "live", timeout=FIRST_MS
        )
    for camera in ("front", "left"):
        await expect(page.get_by_test_id(f"age-{NAME}-{camera}")).to_have_attribute(
            "data-reason", "", timeout=FIRST_MS
        )
    await page.keyboard.press("c")
    cameras = page.get_by_test_id(f"cameras-{NAME}")
    await expect(cameras).to_have_attribute("data-large", "left")
    await expect(page.get_by_test_id(f"picture-{NAME}-front")).to_have_attribute(
        "data-state", "live", timeout=FIRST_MS
    )
    await page.get_by_test_id(f"thumb-{NAME}-front").click()
    await expect(cameras).to_have_attribute("data-large", "front")


async def replays_what_was_seen(page: Page) -> None:
    """Older pictures beside newer live ones, and the take-over begins with them."""

    async def kept() -> bool:
        count: int = await page.evaluate(
            """async () => (await enkan.media.ring.clip('maebashi/bus-01', 'front', 10000))
                .frames.length"""
        )
        return count > 45

    await until(kept, "three seconds of frames", within_s=60)
    await page.keyboard.press("r")
    replay = page.get_by_test_id("replay")
    await expect(replay).to_have_attribute("data-shown", "true", timeout=20_000)
    await expect(replay).to_contain_text("再生")
    ago = page.get_by_test_id("replay-ago")
    await expect(ago).to_have_attribute("data-exact", "true", timeout=20_000)
    assert float(await ago.get_attribute("data-ms") or 0) > 1_000
    await page.get_by_test_id("replay-pause").click()
    await expect(replay).to_have_attribute("data-playing", "false")
    await page.get_by_test_id("replay-half").click()
    await expect(replay).to_have_attribute("data-rate", "0.5")
    strip = await until(lambda: read_strip(page, f"video-{NAME}-front"), "the live picture")
    assert strip.captured_ms > 0
    await page.keyboard.press("Escape")
    await expect(replay).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("takeover")).to_be_visible()
    await expect(replay).to_have_attribute("data-shown", "true", timeout=20_000)
    await page.keyboard.press("Escape")
    await expect(replay).to_be_hidden()
    await expect(page.get_by_test_id("takeover")).to_be_visible()


async def is_heard_while_the_key_is_held(page: Page, spoken: Path) -> None:
    """The vehicle's speaker gets the microphone's sound; let go, the microphone is closed."""
    intercom = page.get_by_test_id("intercom")
    await page.keyboard.down("t")
    await expect(intercom).to_have_attribute("data-state", "talking", timeout=20_000)
    await until(lambda: loudest(spoken) > HEARD, "sound at the vehicle's speaker", within_s=40)
    await expect(intercom).to_have_attribute("data-reason", "")
    await page.keyboard.up("t")
    await expect(intercom).to_have_attribute("data-state", "idle")
    track = "enkan.media.of('maebashi/bus-01').voice.sender.track"
    # Closed at once; out of its sender as soon as the browser comes to it.
    assert await page.evaluate(f"() => ({track}?.readyState ?? 'ended') === 'ended'")
    await page.wait_for_function(f"() => {track} === null", timeout=20_000)
    await page.keyboard.down("t")
    await expect(intercom).to_have_attribute("data-state", "talking", timeout=20_000)
    await page.evaluate("window.dispatchEvent(new Event('blur'))")
    await expect(intercom).to_have_attribute("data-state", "idle")
    await page.keyboard.up("t")
    await page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia =
            () => Promise.reject(new DOMException('no', 'NotAllowedError')); }"""
    )
    await page.keyboard.down("t")
    await expect(intercom).to_have_attribute("data-reason", "denied")
    await expect(page.get_by_test_id("talk-words")).to_contain_text("許可されていません")
    await page.keyboard.up("t")


def loudest(path: Path) -> int:
    """Return the loudest sample of a WAV file that is being written; 0: nothing yet."""
    try:
        with wave.open(str(path), "rb") as file:
            data = file.readframes(1 << 24)
    except (FileNotFoundError, EOFError, wave.Error):
        return 0
    samples = np.frombuffer(data[: len(data) // 2 * 2], np.int16).astype(np.int32)
    return int(np.abs(samples).max()) if len(samples) else 0
