"""Reads `/metrics` as Prometheus does (text exposition format 0.0.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_LINE: Final = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Samples = Mapping[tuple[str, tuple[str, ...]], float]
"""Values by metric and the values of its labels."""


def parse(page: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample of a page.

    >>> parse('# HELP a b\\na_total{reason="gap"} 3.0\\n')
    {('a_total', ('gap',)): 3.0}
    """
    found = {}
    for line in page.splitlines():
        if (match := _LINE.match(line)) is not None:
            labels = tuple(value for _, value in _LABEL.findall(match[2] or ""))
            found[match[1], labels] = float(match[3])
    return found


def histogram(before: Samples, after: Samples, name: str) -> list[tuple[float, int]]:
    """Return how many observations lie at or below each bound, between two pages."""
    bucket = f"{name}_bucket"
    bounds = sorted((float(labels[-1]), labels) for key, labels in after if key == bucket)
    return [
        (bound, int(after[bucket, labels] - before.get((bucket, labels), 0.0)))
        for bound, labels in bounds
    ]


def bound_of(cumulative: list[tuple[float, int]], share: float) -> float | None:
    """Return the bound that at least `share` of the observations do not exceed.

    >>> bound_of([(0.01, 98), (0.02, 99), (float("inf"), 100)], 0.99)
    0.02
    """
    if not cumulative or not cumulative[-1][1]:
        return None
    whole = cumulative[-1][1]
    return next(bound for bound, count in cumulative if count >= share * whole)
