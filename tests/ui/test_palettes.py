"""The colours of `tokens.css`: readable in every palette, by the arithmetic of WCAG 2.2 §1.4."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

TOKENS: Final = Path(__file__).resolve().parents[2] / "ui" / "style" / "tokens.css"
TEXT: Final = 4.5
MARK: Final = 3.0
GROUNDS: Final = ("ground", "panel", "raised")


def palettes() -> dict[str, dict[str, str]]:
    text = TOKENS.read_text(encoding="utf-8")
    blocks = re.findall(r"^:root(?:\[data-palette=\"(\w+)\"\])? \{(.*?)^\}", text, re.M | re.S)
    found = {
        name or "night": dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for name, block in blocks
    }
    return {name: found["night"] | tokens for name, tokens in found.items()}


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


PAIRS: Final = [
    *((front, ground, TEXT) for front in ("text", "muted") for ground in GROUNDS),
    *(("focus", ground, MARK) for ground in GROUNDS),
    *(("fill", ground, MARK) for ground in ("ground", "panel")),
    ("p1-text", "p1", TEXT),
    ("p-text", "p2", TEXT),
    ("p-text", "p3", TEXT),
]


def test_the_arithmetic_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", ["night", "dusk", "day"])
def test_every_pair_of_colours_can_be_read(palette: str) -> None:
    tokens = palettes()[palette]
    poor = [
        f"{front} on {ground}: {contrast(tokens[front], tokens[ground]):.2f}, wanted {least}"
        for front, ground, least in PAIRS
        if contrast(tokens[front], tokens[ground]) < least
    ]
    assert not poor, poor
