"""Line charts as SVG, written by hand: small, sharp at any size, without a library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 760
PANEL: Final = 150
LEFT: Final = 78
RIGHT: Final = 24
TOP: Final = 64
GAP: Final = 46
_INK: Final = "#26323d"
_FAINT: Final = "#d5dce2"
_LINE: Final = "#0b6e99"
_LIMIT: Final = "#c2410c"


class Panel(NamedTuple):
    """One chart.

    Attributes:
        values: One for each x; None where there is none.
        limit: Drawn as a dashed line, if there is one.
    """

    title: str
    values: Sequence[float | None]
    limit: float | None = None


def ticks(highest: float, count: int = 4) -> list[float]:
    """Return round numbers from 0 to at least `highest`.

    >>> ticks(7.3)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def svg(
    title: str,
    footer: str,
    x_name: str,
    xs: Sequence[float],
    panels: Sequence[Panel],
    mark: tuple[float, str] | None = None,
) -> str:
    """Return the document.

    Args:
        title: Above all panels.
        footer: Below them: machine, date, command.
        x_name: What `xs` are.
        xs: Rising, shared by all panels.
        panels: From the top to the bottom.
        mark: An x that is marked in all panels, and its words.
    """
    height = TOP + len(panels) * (PANEL + GAP) + 44
    last = max(xs, default=1.0) * 1.04
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12" '
        f'fill="{_INK}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="28" font-size="16" font-weight="bold">{escape(title)}</text>',
    ]

    def across(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / last

    for number, panel in enumerate(panels):
        top = TOP + number * (PANEL + GAP)
        parts += _panel(panel, xs, top, across)
        if mark is not None:
            at = across(mark[0])
            parts.append(_stroke(at, top, at, top + PANEL, _LIMIT, "2 3"))
            if number == 0:
                parts.append(_text(at + 5, top + 13, mark[1], "start", _LIMIT))
    bottom = TOP + len(panels) * (PANEL + GAP)
    parts.append(_text(LEFT + (WIDTH - LEFT - RIGHT) / 2, bottom - 6, x_name, "middle"))
    for number, line in enumerate(footer.splitlines()):
        at = bottom + 16 + 14 * number
        parts.append(f'<text x="{LEFT}" y="{at}" font-size="10">{escape(line)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    panel: Panel, xs: Sequence[float], top: float, across: Callable[[float], float]
) -> list[str]:
    known = [value for value in panel.values if value is not None]
    scale = ticks(max([*known, panel.limit or 0.0]))

    def down(value: float) -> float:
        return top + PANEL * (1 - value / scale[-1])

    parts = [_text(LEFT, top - 8, panel.title, "start")]
    for value in scale:
        parts.append(_stroke(LEFT, down(value), WIDTH - RIGHT, down(value), _FAINT))
        parts.append(_text(LEFT - 8, down(value) + 4, f"{value:g}", "end"))
    for x in xs:
        parts.append(_text(across(x), top + PANEL + 16, f"{x:g}", "middle"))
    if panel.limit is not None:
        at = down(panel.limit)
        parts.append(_stroke(LEFT, at, WIDTH - RIGHT, at, _LIMIT, "6 4"))
        parts.append(_text(WIDTH - RIGHT, top - 8, f"limit {panel.limit:g}", "end", _LIMIT))
    if known and not any(known):
        parts.append(_text(LEFT + 10, top + PANEL / 2, "none at any point", "start"))
    points = [
        (across(x), down(value))
        for x, value in zip(xs, panel.values, strict=True)
        if value is not None
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{_LINE}" stroke-width="2"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_LINE}"/>' for x, y in points]
    return parts


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashed}/>'
    )


def _text(x: float, y: float, words: str, anchor: str, colour: str = _INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )
