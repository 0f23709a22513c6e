"""The alarm sounds as they come out, rendered offline by the code that plays them live."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page

from ui.seat import Seat

pytestmark = [pytest.mark.browser, pytest.mark.integration]
RATE = 22_050
NAMES = ("p1", "p2", "p3", "hub_lost")

RENDER = """async ([script, rate]) => {
    const { PLANS, SILENCE_MS, nextSound, quiet, silence } = await import('/core/sounds.js');
    const { schedule } = await import('/shell/tones.js');
    const render = async (seconds, starts) => {
        const context = new OfflineAudioContext(1, seconds * rate, rate);
        for (const [at_s, name] of starts) schedule(context, PLANS[name], at_s);
        const samples = (await context.startRendering()).getChannelData(0);
        // Sixteen bits each, as text: a list of numbers takes many times as long to hand over.
        const bytes = new Uint8Array(
            Int16Array.from(samples, (v) => Math.max(-1, Math.min(1, v)) * 32767).buffer);
        let text = '';
        for (let at = 0; at < bytes.length; at += 4096) {
            text += String.fromCharCode(...bytes.subarray(at, at + 4096));
        }
        return btoa(text);
    };
    // The console's own decisions, four times a second, as its clock makes them.
    const decide = ({ seconds, alarms, silenced_s = null, new_s = null, lost = false }) => {
        let sounding = quiet();
        const starts = [];
        for (let now = 0; now < seconds * 1000; now += 250) {
            if (silenced_s !== null && now === silenced_s * 1000) sounding = silence(sounding, now);
            const known = new_s !== null && now >= new_s * 1000
                ? [...alarms, { id: 'new', priority: 2 }] : alarms;
            const next = nextSound(sounding, known, lost, now);
            sounding = next.sounding;
            if (next.start) starts.push([now / 1000, next.start]);
        }
        return starts;
    };
    const found = { silence_ms: SILENCE_MS };
    for (const [name, wanted] of Object.entries(script)) {
        const starts = wanted.once ? [[0, wanted.once]] : decide(wanted);
        found[name] = await render(wanted.seconds, starts);
    }
    return found;
}"""

P1, P2, P3 = ({"id": f"a{priority}", "priority": priority} for priority in (1, 2, 3))
SCRIPT: dict[str, dict[str, Any]] = {
    **{name: {"seconds": 2, "once": name} for name in NAMES},
    "p1_goes_on": {"seconds": 11, "alarms": [P1]},
    "p2_goes_on": {"seconds": 16, "alarms": [P2]},
    "p3_goes_on": {"seconds": 9, "alarms": [P3]},
    "hub_goes_on": {"seconds": 9, "alarms": [P1], "lost": True},
    "silenced": {"seconds": 36, "alarms": [P1], "silenced_s": 2},
    "silenced_then_new": {"seconds": 12, "alarms": [P1], "silenced_s": 2, "new_s": 8},
}

Samples = NDArray[np.float64]


def pulses(samples: Samples) -> list[tuple[float, float]]:
    """Return where sound begins and ends, s: louder than a hundredth, gaps of 20 ms apart."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    if loud.size == 0:
        return []
    cuts = np.flatnonzero(np.diff(loud) > 0.02 * RATE)
    begins = loud[np.concatenate(([0], cuts + 1))]
    ends = loud[np.concatenate((cuts, [loud.size - 1]))]
    return [(begin / RATE, end / RATE) for begin, end in zip(begins, ends, strict=True)]


def fundamental(samples: Samples, begin: float, end: float) -> float:
    """Return the strongest frequency, Hz, between two times, to within about 1 Hz."""
    cut = samples[int(begin * RATE) : int(end * RATE)]
    spectrum = np.abs(np.fft.rfft(cut * np.hanning(cut.size), 1 << 16))
    return float(np.argmax(spectrum) * RATE / (1 << 16))


def begins(samples: Samples) -> list[float]:
    return [begin for begin, _ in pulses(samples)]


def groups(samples: Samples) -> list[float]:
    """Return when each sound began; its pulses are less than half a second apart."""
    found = begins(samples)
    return [at for n, at in enumerate(found) if n == 0 or at - found[n - 1] > 0.5]


async def rendered(page: Page) -> dict[str, Samples]:

    told = await page.evaluate(RENDER, [SCRIPT, RATE])
    assert 0 < told.pop("silence_ms") <= 30_000
    return {
        name: np.frombuffer(base64.b64decode(text), "<i2").astype(float) / 32767
        for name, text in told.items()
    }


async def test_every_sound_comes_out_as_it_is_described(seat: Seat) -> None:
    async with seat(signed_in=False, publishing=False) as (_, page):
        sounds = await rendered(page)
    for name, count, hz in (("p1", 5, 880), ("p2", 3, 660), ("p3", 2, 520)):
        found = pulses(sounds[name])
        assert len(found) == count, name
        for begin, end in found:
            assert fundamental(sounds[name], begin, end) == pytest.approx(hz, rel=0.01), name
    falling = [fundamental(sounds["hub_lost"], *pulse) for pulse in pulses(sounds["hub_lost"])]
    assert len(falling) == 2 and falling[0] > falling[1] * 1.2

    at = begins(sounds["p1"])
    assert np.diff(at) == pytest.approx([0.2, 0.2, 0.35, 0.2], abs=0.01)
    assert np.diff(begins(sounds["p2"])) == pytest.approx([0.3, 0.3], abs=0.01)
    peak = {name: float(np.abs(samples).max()) for name, samples in sounds.items()}
    assert all(0.05 < value < 0.99 for value in peak.values()), peak
    assert peak["p3"] < peak["p2"] < peak["p1"] and peak["p3"] < peak["hub_lost"]

    assert np.diff(groups(sounds["p1_goes_on"])) == pytest.approx([2.5] * 4, abs=0.01)
    assert np.diff(groups(sounds["p2_goes_on"])) == pytest.approx([7.0] * 2, abs=0.01)
    assert len(groups(sounds["p3_goes_on"])) == 1, "once"
    lost = sounds["hub_goes_on"]
    assert len(groups(lost)) >= 2
    assert fundamental(lost, *pulses(lost)[0]) == pytest.approx(740, rel=0.01), "above P1"

    quiet = np.diff(groups(sounds["silenced"]))
    assert 20 < quiet.max() <= 32.5, "silent for thirty seconds at most, then P1 again"
    assert groups(sounds["silenced_then_new"])[1] == pytest.approx(8, abs=0.3)
