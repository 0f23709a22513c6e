"""What a row of the metrics catalogue is, and how each sort of row is made."""

from __future__ import annotations

import enum
from typing import Final

import msgspec


class Type(enum.StrEnum):
    """Prometheus metric types in use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One row.

    Attributes:
        name: As scraped; counters end in `_total`, histograms in their unit.
        source: As counted inside the hub.
        labels: Label names, in the order of the values that come with `Observe`.
            What `Counters` counts has at most one, filled with the reason.
        buckets: Upper bounds of a histogram, seconds.
    """

    name: str
    type: Type
    source: str
    meaning: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def counter(
    name: str, source: str, meaning: str, *, label: str = "", unit: str = "events"
) -> Metric:
    """Return a row counted by `Counters`, with at most one label."""
    return Metric(
        name=f"enkan_{name}_total",
        type=Type.COUNTER,
        source=source,
        meaning=meaning,
        unit=unit,
        labels=(label,) if label else (),
    )


def total(name: str, source: str, meaning: str, *, unit: str, labels: tuple[str, ...]) -> Metric:
    """Return a row of totals that some room keeps, read at every scrape."""
    return Metric(
        name=f"enkan_{name}_total",
        type=Type.COUNTER,
        source=source,
        meaning=meaning,
        unit=unit,
        labels=labels,
    )


def gauge(
    name: str, source: str, meaning: str, *, unit: str, labels: tuple[str, ...] = ()
) -> Metric:
    """Return a row read at every scrape."""
    return Metric(
        name=f"enkan_{name}",
        type=Type.GAUGE,
        source=source,
        meaning=meaning,
        unit=unit,
        labels=labels,
    )


def histogram(
    name: str,
    source: str,
    meaning: str,
    buckets: tuple[float, ...],
    *,
    labels: tuple[str, ...] = (),
) -> Metric:
    """Return a row of durations, in seconds."""
    return Metric(
        name=f"enkan_{name}_seconds",
        type=Type.HISTOGRAM,
        source=source,
        meaning=meaning,
        unit="seconds",
        labels=labels,
        buckets=buckets,
    )


LATENCY: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0)
"""Bounds in seconds: from less than a picture takes to what nobody may drive by."""
LAG: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Bounds in seconds of what should be next to nothing."""

PLACE: Final = ("site", "kind")
"""Labels of a histogram about vehicles: where, and of what kind."""
