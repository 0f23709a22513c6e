"""The probe in the page: each displayed frame, as computed and as its pixels say.

Both ages end at the same instant, the browser's `expectedDisplayTime` of the frame.
*Computed* is what the console shows: sender reports, clock exchanges, RTP timestamp.
*Pixels* knows nothing of these: the wall clock of the machine at display, less the
wall clock that the camera burnt into the picture; so it is true only where vehicle
and browser share a machine, as in the demo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from protocols.strip import CELLS, HEIGHT_SHARE, TIME_MODULO, decode_cells

if TYPE_CHECKING:
    from playwright.async_api import Page

_INSTALL: Final = """async ([vehicle, cells, share]) => {
    const {ageAt} = await import('/core/frameage.js');
    const desk = globalThis.enkan;
    const media = desk.media.of(vehicle);
    const video = media.video;
    const canvas = document.createElement('canvas');
    canvas.width = cells * 4;
    canvas.height = 4;
    const context = canvas.getContext('2d', {willReadFrequently: true, alpha: false});
    const probe = globalThis.enkanProbe = {frames: [], on: true};
    const look = (now, frame) => {
        if (!probe.on) return;
        video.requestVideoFrameCallback(look);
        const displayed = Math.max(frame.expectedDisplayTime || now, frame.presentationTime);
        const wall = Date.now() - performance.now();
        const height = Math.max(8, Math.round(video.videoHeight * share / 2) * 2);
        context.drawImage(video, 0, 0, video.videoWidth, height, 0, 0, canvas.width, 4);
        const pixels = context.getImageData(0, 2, canvas.width, 1).data;
        const lumas = [];
        for (let cell = 0; cell < cells; cell++) lumas.push(pixels[(cell * 4 + 2) * 4 + 1]);
        const view = desk.state.peek().vehicles[vehicle];
        const age = ageAt(desk.streamOf(view, media.camera), frame.rtpTimestamp ?? null,
            displayed, desk.clock.peek());
        probe.frames.push([frame.rtpTimestamp ?? null, age.ok ? age.age_ms : null,
            age.ok ? age.uncertainty_ms : null, wall + displayed, lumas, video.videoHeight]);
    };
    video.requestVideoFrameCallback(look);
}"""

_TAKE: Final = """() => {
    const frames = globalThis.enkanProbe.frames;
    globalThis.enkanProbe.frames = [];
    return frames;
}"""

_STAGES: Final = "(vehicle) => globalThis.enkan.media.of(vehicle)?.stages ?? []"


ANOTHER_MS: Final = 8.0
"""A quarter of a frame at 30 a second."""


class GlassFrame(msgspec.Struct, frozen=True):
    """One displayed frame.

    Attributes:
        rtp: Its RTP timestamp; None where the browser does not say it.
        captured_ms: What its strip says (ms since 1970, modulo 2^40); None: unreadable.
        computed_ms, uncertainty_ms: What the console says; None while it says unknown.
        pixels_ms: What the picture says; None where its strip could not be read.
        height: Lines of the picture.
    """

    rtp: int | None
    captured_ms: int | None
    computed_ms: float | None
    uncertainty_ms: float | None
    pixels_ms: float | None
    height: int

    @property
    def error_ms(self) -> float | None:
        """Computed less pixels; None where one of them is missing."""
        if self.computed_ms is None or self.pixels_ms is None:
            return None
        return self.computed_ms - self.pixels_ms


async def install(page: Page, vehicle: str) -> None:
    """Look at each frame of a vehicle (`site/vehicle`) from now on."""
    await page.evaluate(_INSTALL, [vehicle, CELLS, HEIGHT_SHARE])


async def take(page: Page) -> list[GlassFrame]:
    """Return the frames displayed since the last call."""
    return [_frame(*raw) for raw in await page.evaluate(_TAKE)]


async def stages(page: Page, vehicle: str) -> dict[str, float]:
    """Return the split of the age, in ms, as the console shows it now."""
    found: list[dict[str, Any]] = await page.evaluate(_STAGES, vehicle)
    return {str(entry["stage"]): float(entry["ms"]) for entry in found}


def own_pictures(frames: list[GlassFrame]) -> list[GlassFrame]:
    """Return the frames without the pixels of another picture.

    A page that is late for its callback may draw the frame after the one it was told
    of. RTP timestamp and strip of one frame come from one capture, so over all frames
    they keep a constant distance: a picture that is off it by more than a quarter of a
    frame is another's, and says nothing about this one.
    """
    first = next((frame.rtp for frame in frames if frame.rtp is not None), 0)
    distances = [_distance(frame, first) for frame in frames]
    known = sorted(distance for distance in distances if distance is not None)
    if not known:
        return frames
    middle = known[len(known) // 2]
    return [
        frame
        if distance is None or abs(distance - middle) <= ANOTHER_MS
        else msgspec.structs.replace(frame, pixels_ms=None)
        for frame, distance in zip(frames, distances, strict=True)
    ]


def _distance(frame: GlassFrame, first: int) -> float | None:
    if frame.rtp is None or frame.captured_ms is None:
        return None
    ticks = (frame.rtp - first + (1 << 31)) % (1 << 32) - (1 << 31)
    return frame.captured_ms - ticks / 90


def _frame(
    rtp: int | None,
    computed_ms: float | None,
    uncertainty_ms: float | None,
    displayed_utc_ms: float,
    lumas: list[float],
    height: int,
) -> GlassFrame:
    strip = decode_cells(lumas)
    pixels_ms = None if strip is None else (displayed_utc_ms - strip.captured_ms) % TIME_MODULO
    captured_ms = None if strip is None else strip.captured_ms
    return GlassFrame(rtp, captured_ms, computed_ms, uncertainty_ms, pixels_ms, height)
