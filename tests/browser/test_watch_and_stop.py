"""A person watches, stops and answers, in a real browser against real processes."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.async_api import Page, expect

from protocols.strip import TIME_MODULO
from supervisor.demo import DEMO_ACCOUNT, DEMO_PASSWORD
from support.browser import chromium, console_page, picture, read_strip
from support.fleet import (
    ACCOUNT,
    BUS,
    PASSWORD,
    prepare_hub,
    running_hub,
    running_vehicle,
    write_vehicle_config,
)
from support.processes import Running, demo
from support.waiting import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.integration,
    pytest.mark.real_time,
    pytest.mark.timeout(300),
]

NAMES = ("maebashi-bus-01", "maebashi-bus-02", "iwamizawa-tractor-01")
FIRST_PICTURE_S = 60


async def arm_sound(page: Page) -> None:
    """Do the start-of-shift check as a person would: play and confirm each sound."""
    if not await page.get_by_test_id("shift").is_visible():
        await page.get_by_test_id("shift-open").click()
    for name in ("p1", "p2", "p3", "hub_lost"):
        await page.get_by_test_id(f"shift-play-{name}").click()
        await page.get_by_test_id(f"shift-heard-{name}").click()
    await page.get_by_test_id("shift-close").click()
    await expect(page.get_by_test_id("sound")).to_have_attribute("data-armed", "true")


async def speed(page: Page, name: str) -> float | None:
    """Return the shown speed in m/s, None while the console shows it as unknown."""
    text = await page.get_by_test_id(f"speed-{name}").get_attribute("data-mps")
    return float(text) if text else None


async def advancing(page: Page, video: str) -> tuple[int, int]:
    """Return two frame numbers, read from pixels, of which the second is later."""

    async def reading() -> int | None:
        strip = await read_strip(page, video)
        return strip.frame_number + 1 if strip is not None else None

    first = await until(reading, f"a strip in {video}", within_s=FIRST_PICTURE_S)

    async def later() -> int | None:
        number = await reading()
        return number if number is not None and number > first else None

    return first, await until(later, f"a later frame in {video}")


async def stop_with_space(page: Page, name: str) -> None:
    """Focus a tile, press Space, and see the vehicle stand and say *applied*."""

    async def moving() -> bool:
        shown = await speed(page, name)
        return shown is not None and shown > 1.0

    await until(moving, f"{name} moves", within_s=60)
    tile = page.get_by_test_id(f"tile-{name}")
    await tile.click(position={"x": 40, "y": 12})
    await expect(tile).to_have_attribute("data-focused", "true")
    await page.keyboard.press("Space")
    command = page.get_by_test_id(f"command-{name}")
    await expect(command).to_have_attribute("data-state", "applied", timeout=10_000)
    await expect(command).to_have_attribute("data-type", "stop")

    async def standing() -> bool:
        return await speed(page, name) == 0.0

    await until(standing, f"{name} stands", within_s=20)
    await expect(page.get_by_test_id(f"mode-{name}")).to_have_attribute("data-mode", "STOP")


async def test_three_tiles_show_moving_pictures_and_space_stops_the_focused_vehicle(
    tmp_path: Path,
) -> None:
    async with (
        demo(tmp_path / "demo") as running,
        chromium() as browser,
        console_page(
            browser, running.console, DEMO_ACCOUNT, DEMO_PASSWORD, size=(1920, 1080)
        ) as page,
    ):
        await arm_sound(page)
        for name in NAMES:
            first, later = await advancing(page, f"video-{name}-front")
            assert later > first
        await check_age_in_both_sizes(page, "maebashi-bus-02", elsewhere="maebashi-bus-01")
        await speaks_both_languages(page)
        await stop_with_space(page, "maebashi-bus-02")
        await answer_the_takeover_request(page, running)


async def check_age_in_both_sizes(page: Page, name: str, *, elsewhere: str) -> None:
    """A tile shows the small picture, a focused one the full: the age is true of both."""
    video = page.get_by_test_id(f"video-{name}-front")
    for focused, width in ((elsewhere, 640), (name, 1280), (elsewhere, 640)):
        await page.get_by_test_id(f"tile-{focused}").click()

        async def of_size(wanted: int = width) -> bool:
            return await video.evaluate("video => video.videoWidth") == wanted

        await until(of_size, f"a picture {width} wide", within_s=30)
        await check_age_against_pixels(page, name)


async def check_age_against_pixels(page: Page, name: str) -> None:
    """The shown age of a frame agrees with the capture time burnt into its pixels."""
    badge = page.get_by_test_id(f"age-{name}-front")

    async def known() -> float | None:
        text = await badge.get_attribute("data-ms")
        return float(text) if text else None

    await until(known, "a known age of the picture", within_s=30)

    async def apart_ms() -> float:
        # The badge renews a few times a second and reading pixels takes a while, so one
        # pair may be apart; of twenty, one must be close, or the age is computed wrongly.
        shown = await known()
        strip = await read_strip(page, f"video-{name}-front")
        now_ms = time.time_ns() // 1_000_000
        if shown is None or strip is None:
            return math.inf  # a picture that stands has no age: this machine is busy
        return abs(shown - (now_ms - strip.captured_ms) % TIME_MODULO)

    assert min([await apart_ms() for _ in range(20)]) < 40


async def speaks_both_languages(page: Page) -> None:
    """One key changes every word, those on the map too."""
    language = page.get_by_test_id("language")
    html = page.locator("html")
    for wanted in ("en", "ja"):
        if await html.get_attribute("lang") != wanted:
            await language.click()
        await expect(html).to_have_attribute("lang", wanted)
        mark = page.get_by_test_id("mark-iwamizawa-tractor-01")
        await expect(mark).to_contain_text({"en": "tractor", "ja": "トラクター"}[wanted])


async def answer_the_takeover_request(page: Page, running: Running) -> None:
    """Bus 1 meets its obstacle, asks for a person, and goes on when told to."""
    name = "maebashi-bus-01"
    card = page.get_by_test_id(f"card-{name}")
    await expect(card).to_be_visible(timeout=120_000)
    await card.click()
    await expect(page.get_by_test_id("takeover")).to_be_visible()
    allow = page.get_by_test_id(f"allow-{name}")
    await expect(allow).to_be_enabled(timeout=30_000)
    await allow.click()
    await expect(page.get_by_test_id(f"closed-{name}")).to_be_visible(timeout=20_000)
    await expect(card).to_be_hidden()
    await expect(page.get_by_test_id(f"handback-{name}")).to_be_visible()
    await page.get_by_test_id("cause-obstacle").click()
    await expect(page.get_by_test_id("control")).to_have_attribute(
        "data-standing", "none", timeout=20_000
    )
    await page.get_by_test_id("takeover-back").click()

    async def moving() -> bool:
        shown = await speed(page, name)
        return shown is not None and shown > 1.0

    await until(moving, "bus 1 goes on", within_s=60)


# ------------------------------------------------------- other sources of pictures


def write_film(path: Path, seconds: float = 4.0, *, moving: bool = True) -> None:
    """Write a small H.264 film whose picture changes with every frame, or never."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for number in range(int(seconds * 30)):
            image = np.full((720, 1280, 3), 60, np.uint8)
            left = (number * 9) % 1200 if moving else 600
            image[200:520, left : left + 80] = (220, 180, 40)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@contextlib.asynccontextmanager
async def hub_with_page(
    folder: Path, page_size: tuple[int, int] = (1366, 768)
) -> AsyncIterator[tuple[Running, Page, str]]:
    config, secrets = prepare_hub(folder)
    async with (
        running_hub(config) as hub,
        chromium() as browser,
        console_page(browser, hub.console, ACCOUNT, PASSWORD, size=page_size) as page,
    ):
        yield hub, page, secrets[BUS].token


async def test_a_real_film_as_camera_is_watched_and_stopped_like_the_synthetic_one(
    tmp_path: Path,
) -> None:
    film = tmp_path / "film.mp4"
    await asyncio.to_thread(write_film, film)
    async with hub_with_page(tmp_path) as (hub, page, _):
        config = write_vehicle_config(
            tmp_path, hub, camera=f'source = "file:{film}"\nburn_strip = true'
        )
        async with running_vehicle(config):
            await arm_sound(page)
            first, later = await advancing(page, "video-maebashi-bus-01-front")
            assert later > first
            await stop_with_space(page, "maebashi-bus-01")


async def test_a_camera_that_repeats_one_picture_while_the_vehicle_drives_is_called_frozen(
    tmp_path: Path,
) -> None:
    film = tmp_path / "film.mp4"
    await asyncio.to_thread(write_film, film, moving=False)
    async with hub_with_page(tmp_path) as (hub, page, _):
        config = write_vehicle_config(tmp_path, hub, camera=f'source = "file:{film}"')
        async with running_vehicle(config):
            shown = page.get_by_test_id("picture-maebashi-bus-01")
            words = page.get_by_test_id("frozen-maebashi-bus-01")
            await expect(words).to_contain_text("同じ映像の繰り返し", timeout=90_000)
            await expect(shown).to_have_attribute("data-state", "frozen")
            # What this page sees is the evidence, so it has to stay until the hub is sure.
            await page.wait_for_function(
                "() => Object.values(globalThis.enkan.state.peek().alarms)"
                ".some(alarm => alarm.key === 'video.frozen')",
                timeout=30_000,
            )
            await page.get_by_test_id("nav-alarms").click()
            row = page.locator('[data-testid="alarm-row"][data-id^="video.frozen@"]')
            await expect(row).to_be_visible(timeout=20_000)


PUBLISH = """async ([url, token]) => {
    const stream = await navigator.mediaDevices.getUserMedia(
        {audio: true, video: {width: 1280, height: 720, frameRate: 30}});
    const connection = new RTCPeerConnection();
    for (const track of stream.getTracks())
        connection.addTransceiver(track, {direction: "sendonly", streams: [stream]});
    await connection.setLocalDescription();
    await new Promise(done => {
        if (connection.iceGatheringState === "complete") return done();
        connection.addEventListener("icegatheringstatechange",
            () => connection.iceGatheringState === "complete" && done());
    });
    const answer = await fetch(url, {method: "POST", body: connection.localDescription.sdp,
        headers: {"Content-Type": "application/sdp", "Authorization": `Bearer ${token}`}});
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    await connection.setRemoteDescription({type: "answer", sdp: await answer.text()});
    window.publisher = connection;
}"""


async def test_chromium_itself_can_publish_and_is_watched_by_another(tmp_path: Path) -> None:
    async with hub_with_page(tmp_path) as (hub, page, token):
        browser = page.context.browser
        assert browser is not None
        publisher = await browser.new_page()
        await publisher.goto(hub.console)
        await publisher.evaluate(PUBLISH, [f"{hub.console}/whip/maebashi/bus-01", token])

        async def shown() -> str:
            return await picture(page, "video-maebashi-bus-01-front")

        before = await until(shown, "a picture from Chromium", within_s=FIRST_PICTURE_S)

        async def changed() -> bool:
            now = await shown()
            return bool(now) and now != before

        await until(changed, "a picture that changes")
        badge = page.get_by_test_id("age-maebashi-bus-01-front")
        assert not await badge.get_attribute("data-ms"), "no clock exchange: age must be unknown"
        await publisher.close()
