"""Objectives, segments and ladder as configuration."""

from __future__ import annotations

import msgspec
import pytest

from protocols.supervision import Indicator, Purpose, Rung
from supervisor.core.config import CoreConfig
from supervisor.core.objectives import (
    DEFAULTS,
    LadderConfig,
    Objective,
    Segment,
    in_force,
    place,
    problems,
)

SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
NOTCH = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 5.0), (0.0, 10.0)]


def objective(key: str, **changes) -> Objective:
    values = {"purpose": Purpose.MONITOR, "indicator": Indicator.G2G, "limit": 500.0}
    return Objective(key=key, **{**values, **changes})


def segment(name: str = "a", area=SQUARE, site: str = "s") -> Segment:
    return Segment(name=name, site=site, area=area)


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((5.0, 5.0), True),
        ((0.1, 0.1), True),
        ((10.1, 5.0), False),
        ((-0.1, 5.0), False),
        ((5.0, 10.1), False),
        ((5.0, -0.1), False),
        ((5.0, 0.0), True),  # a corner's latitude meets one edge, not two
        ((20.0, 10.0), False),
        ((-1.0, 0.0), False),
        ((-1.0, 10.0), False),
    ],
)
def test_a_point_is_in_a_square_or_not(point, inside: bool) -> None:
    assert segment().holds(*point) == inside
    turned = segment(area=SQUARE[2:] + SQUARE[:2])
    backwards = segment(area=SQUARE[::-1])
    assert turned.holds(*point) == backwards.holds(*point) == inside


@pytest.mark.parametrize(
    ("point", "inside"), [((5.0, 4.0), True), ((5.0, 6.0), False), ((1.0, 8.0), True)]
)
def test_a_bay_is_outside(point, inside: bool) -> None:
    assert segment(area=NOTCH).holds(*point) == inside


def test_the_most_particular_of_a_purpose_and_indicator_holds_and_others_stay() -> None:
    everywhere = objective("all")
    site = objective("site", site="s")
    road = objective("road", segment="a")
    driving = objective("drive", purpose=Purpose.DRIVE)
    late = objective("late", limit=900.0)
    listed = [everywhere, site, road, driving, late]
    assert [place(o) for o in listed] == [0, 1, 2, 0, 0]
    assert in_force(listed, "s", "a") == [road, driving]
    assert in_force(listed, "s", "") == [site, driving]
    assert in_force(listed, "t", "") == [everywhere, driving, late]
    assert in_force([], "s", "a") == []


@pytest.mark.parametrize(
    ("objectives", "segments", "says"),
    [
        ([objective("x"), objective("x")], [], "'x' is there twice"),
        ([], [segment(), segment()], "'a' is there twice"),
        ([objective("x", segment="b")], [segment()], "no segment 'b'"),
        ([objective("x", segment="a", site="t")], [segment()], "another site"),
        ([objective("x", segment="a", site="s")], [segment()], ""),
        (DEFAULTS, [], ""),
    ],
)
def test_what_does_not_fit_together_is_named(objectives, segments, says: str) -> None:
    assert says in problems(objectives, segments)
    assert bool(problems(objectives, segments)) == bool(says)


def test_the_defaults_are_those_of_the_requirements() -> None:
    limits = {o.key: (o.limit, o.share) for o in DEFAULTS}
    assert limits["monitor-g2g"] == (500.0, 0.99)
    assert limits["assist-g2g"][0] == 400.0
    assert limits["drive-loop"][0] == 200.0
    assert limits["monitor-telemetry"][0] == limits["drive-telemetry"][0] == 1_000.0
    assert limits["drive-heartbeat"][0] == 500.0
    assert CoreConfig().clock_trusted_ms == 20.0
    assert CoreConfig().governor.distance_m == 2.78
    assert {o.enforce for o in DEFAULTS if o.purpose is Purpose.MONITOR} <= {
        Rung.NONE,
        Rung.SMALLER_LAYERS,
    }, "nobody is slowed down because somebody's screen is slow"
    assert not LadderConfig().minimal_risk


@pytest.mark.parametrize(
    "bad",
    [
        {"limit": 0.0}, {"share": 0.0}, {"share": 1.1}, {"window_s": 0.5}, {"stale_s": 0.0},
        {"samples": 0}, {"key": "Not A Name"}, {"indicator": "speed"}, {"enforce": "shout"},
        {"unknown": 1},
    ],
)  # fmt: skip
def test_a_value_that_means_nothing_is_refused(bad: dict[str, object]) -> None:
    good = {"key": "x", "purpose": "monitor", "indicator": "g2g", "limit": 500.0}
    assert msgspec.convert(good, Objective).samples == 5
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | bad, Objective)
