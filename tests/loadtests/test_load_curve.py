"""Where the load curve breaks, and its picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from loadtests import curve
from loadtests.plot import ticks
from loadtests.procfs import Machine
from loadtests.report import Result


def result(streams: int, **changes: object) -> Result:
    numbers = {
        field.name: 0.0 if field.type is float else 0
        for field in msgspec.structs.fields(Result)
        if field.required
    }
    usual = {
        "forwarder": "enkan",
        "video": "shaped",
        "profiles": [],
        "by_sequence": False,
        "streams": streams,
        "mbps": 8.0,
        "watchers": 1,
        "achieved": 1.0,
        "expected": 1_000,
        "received": 1_000,
        "cpu_us_per_forwarded": 8.0,
        "cpu_us_per_received": 8.0,
        "delay_p50_ms": 0.3,
        "delay_p99_ms": 1.0,
        "delay_max_ms": 3.0,
    }
    return Result(**{**numbers, **usual, **changes})  # type: ignore[arg-type]


def measured(*results: Result) -> curve.Curve:
    return curve.Curve(
        "./enkan bench media", "2026-01-01", "abc", Machine("c", 2, "6", "3"), [*results]
    )


def test_the_knee_is_the_last_point_before_anything_breaks() -> None:
    late, lossy = {"delay_p99_ms": 7.0}, {"lost": 3, "received": 997}
    assert curve.knee([result(10), result(20), result(40, **late)]) == 20
    assert curve.knee([result(10), result(20, **lossy), result(40)]) == 10
    assert curve.knee([result(10, achieved=0.5)]) is None
    assert curve.knee([result(10), result(80)]) == 80


def test_memory_is_a_line_and_a_watcher_is_told_apart() -> None:
    points = [result(10, memory_mb=60.0), result(20, memory_mb=80.0), result(40, memory_mb=121.0)]
    crowd = result(10, watchers=5, memory_mb=68.0)
    grown = curve.memory(msgspec.structs.replace(measured(*points), more_watchers=crowd))
    assert grown is not None
    assert grown.per_stream_mb == pytest.approx(2.0, abs=0.1)
    assert grown.base_mb == pytest.approx(40, abs=2)
    assert grown.within < 0.02
    assert grown.per_watcher_mb == pytest.approx(0.2)
    assert curve.memory(measured(result(10))) is None


def test_growth_compares_the_cost_of_what_holds() -> None:
    points = [result(10), result(20, cpu_us_per_forwarded=8.8), result(40, lost=1)]
    assert curve.growth(points) == pytest.approx(1.1)
    assert curve.growth(points[:1]) is None


def test_table_and_verdict_say_where_it_breaks_and_why() -> None:
    text = StringIO()
    curve.show(measured(result(10), result(20, delay_p99_ms=9.5)), Console(file=text, width=160))
    assert "10 streams hold, 20 do not (p99 9.5 ms)" in text.getvalue()


def test_the_picture_is_valid_and_has_every_point_and_the_knee() -> None:
    picture = curve.plot(measured(result(10), result(20, cpu_us_per_forwarded=None), result(40)))
    root = ElementTree.fromstring(picture)
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 3 + 2 + 3 + 3 + 3
    assert "knee: 40" in picture


@pytest.mark.parametrize("highest", [0.0, 1e-9, 0.3, 1.0, 7.3, 99.0, 12_345.0])
def test_ticks_are_round_and_reach_the_highest_value(highest: float) -> None:
    found = ticks(highest)
    assert found[0] == 0.0 and found[-1] >= highest
    assert 2 <= len(found) <= 7
