"""What is promised, as configuration: objectives, road segments, governor and ladder.

An objective says: of the samples of *indicator* within the last `window_s`, at least
`share` keep `limit`. It belongs to a purpose, and to everywhere, one site or one road
segment. Of several objectives with the same purpose, indicator and camera the most
particular one that applies here is in force: segment before site before everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from protocols.supervision import Indicator, Purpose, Rung

Key = Annotated[str, Meta(min_length=1, max_length=48, pattern="^[a-z0-9][a-z0-9-]*$")]
Name = Annotated[str, Meta(max_length=32)]
Degrees = Annotated[float, Meta(ge=-180, le=180)]

AT_LEAST: Final = frozenset({Indicator.PICTURE_HEIGHT, Indicator.BITRATE})
"""Indicators of which more is better."""

PURPOSES: Final = (Purpose.MONITOR, Purpose.ASSIST, Purpose.DRIVE)
"""Each asks for more than the one before; its objectives count for those after it too."""

RUNGS: Final = tuple(Rung)


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One objective.

    Attributes:
        key: Its name, unique.
        limit: In the unit of the indicator (milliseconds; lines; kbit/s).
        share: Of the samples in the window, the part that keeps the limit.
        window_s: How far back a verdict looks.
        recover_s: A better verdict must last this long before it is shown.
        stale_s: Without a sample for so long nothing is known.
        samples: Fewer than these in the window are no verdict, unless they violate it.
        site: Only there; empty: everywhere.
        segment: Only on this road segment; empty: anywhere.
        in_use_only: Judged only while its purpose is in use.
        enforce: How far the ladder may climb while it is violated.
    """

    key: Key
    purpose: Purpose
    indicator: Indicator
    limit: Annotated[float, Meta(gt=0, le=1e6)]
    share: Annotated[float, Meta(gt=0, le=1)] = 0.99
    window_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    recover_s: Annotated[float, Meta(ge=0, le=600)] = 5.0
    stale_s: Annotated[float, Meta(gt=0, le=600)] = 3.0
    samples: Annotated[int, Meta(ge=1, le=10_000)] = 5
    site: Name = ""
    segment: Name = ""
    in_use_only: bool = False
    enforce: Rung = Rung.NONE

    @property
    def at_least(self) -> bool:
        """More is better."""
        return self.indicator in AT_LEAST


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named piece of road or field.

    Attributes:
        area: Corners of a polygon, [longitude, latitude] in degrees (WGS 84). It must not
            cross the 180th meridian.
    """

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    site: Annotated[str, Meta(min_length=1, max_length=32)]
    area: Annotated[list[tuple[Degrees, Degrees]], Meta(min_length=3, max_length=64)]

    def holds(self, longitude: float, latitude: float) -> bool:
        """Return whether a point is inside: an odd number of edges lies east of it.

        An edge counts when it spans the point's latitude from below inclusive to above
        exclusive, so a point level with a corner meets one edge there and not two.
        """
        inside = False
        before_x, before_y = self.area[-1]
        for x, y in self.area:
            if (y > latitude) != (before_y > latitude):
                crossing = x + (latitude - y) * (before_x - x) / (before_y - y)
                if longitude < crossing:
                    inside = not inside
            before_x, before_y = x, y
        return inside


class GovernorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The blind-distance rule: v_max = D / (closed loop + its uncertainty).

    Attributes:
        distance_m: D: how far the vehicle may move unseen. 2.78 m is 0.25 s at 40 km/h.
        purposes: While one of these is in use the rule is in force; the ladder can put it
            in force for others.
        unknown_kmh: The limit while the closed loop is unknown. For `drive` there is no
            such limit: nobody may drive then.
        step_kmh: Limits are multiples of this.
        hysteresis_kmh: Beyond the next step, before the limit rises.
        rise_s: For how long, for each step. It falls at once.
        renew_s: A limit is sent again after this,
        hold_s: and lapses at the vehicle after this.
    """

    distance_m: Annotated[float, Meta(gt=0, le=100)] = 2.78
    purposes: tuple[Purpose, ...] = (Purpose.ASSIST, Purpose.DRIVE)
    unknown_kmh: Annotated[float, Meta(ge=0, le=60)] = 5.0
    step_kmh: Annotated[float, Meta(gt=0, le=50)] = 5.0
    hysteresis_kmh: Annotated[float, Meta(ge=0, le=50)] = 2.0
    rise_s: Annotated[float, Meta(ge=0, le=60)] = 3.0
    renew_s: Annotated[float, Meta(ge=0.2, le=20)] = 2.0
    hold_s: Annotated[float, Meta(ge=0.5, le=60)] = 6.5


class LadderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How fast enforcement climbs. Each delay is announced as a countdown.

    Attributes:
        protect_focus_s: From the violation to this rung.
        smaller_layers_s, speed_limit_s, withdraw_drive_s, minimal_risk_s: From the rung
            before.
        hold_s: How long all must be well again before each step down.
        minimal_risk: The last rung exists: the vehicle is asked for its minimal-risk
            manoeuvre.
    """

    protect_focus_s: Annotated[float, Meta(ge=0, le=600)] = 2.0
    smaller_layers_s: Annotated[float, Meta(ge=0, le=600)] = 3.0
    speed_limit_s: Annotated[float, Meta(ge=0, le=600)] = 5.0
    withdraw_drive_s: Annotated[float, Meta(ge=0, le=600)] = 3.0
    minimal_risk_s: Annotated[float, Meta(ge=0, le=600)] = 10.0
    hold_s: Annotated[float, Meta(gt=0, le=600)] = 10.0
    minimal_risk: bool = False

    def delay_ns(self, rung: Rung) -> int:
        """Return how long a rung is announced before it is taken."""
        return int(_DELAYS[rung](self) * 1e9)

    @property
    def highest(self) -> Rung:
        """The last rung there is."""
        return Rung.MINIMAL_RISK if self.minimal_risk else Rung.WITHDRAW_DRIVE


_DELAYS: Final = {
    Rung.NONE: lambda config: config.hold_s,
    Rung.PROTECT_FOCUS: lambda config: config.protect_focus_s,
    Rung.SMALLER_LAYERS: lambda config: config.smaller_layers_s,
    Rung.SPEED_LIMIT: lambda config: config.speed_limit_s,
    Rung.WITHDRAW_DRIVE: lambda config: config.withdraw_drive_s,
    Rung.MINIMAL_RISK: lambda config: config.minimal_risk_s,
}


def _objective(
    key: str, indicator: Indicator, limit: float, enforce: Rung, **changes: object
) -> Objective:
    purpose = Purpose(key.partition("-")[0])
    return msgspec.convert(
        {"key": key, "purpose": purpose, "indicator": indicator, "limit": limit}
        | {"enforce": enforce}
        | changes,
        Objective,
    )


DEFAULTS: Final[list[Objective]] = [
    _objective("monitor-g2g", Indicator.G2G, 500.0, Rung.SMALLER_LAYERS),
    _objective("monitor-telemetry", Indicator.TELEMETRY_AGE, 1_000.0, Rung.NONE),
    _objective("monitor-freeze", Indicator.FRAME_GAP, 300.0, Rung.SMALLER_LAYERS),
    _objective("assist-g2g", Indicator.G2G, 400.0, Rung.SPEED_LIMIT),
    _objective("assist-picture", Indicator.PICTURE_HEIGHT, 480.0, Rung.NONE, share=0.95),
    _objective(
        "drive-loop", Indicator.CLOSED_LOOP, 200.0, Rung.SPEED_LIMIT, share=0.9, window_s=10.0
    ),
    _objective(
        "drive-late", Indicator.CLOSED_LOOP, 400.0, Rung.WITHDRAW_DRIVE, share=0.9, window_s=10.0
    ),
    _objective(
        "drive-telemetry", Indicator.TELEMETRY_AGE, 1_000.0, Rung.WITHDRAW_DRIVE, window_s=10.0
    ),
    _objective(
        "drive-heartbeat",
        Indicator.HEARTBEAT_GAP,
        500.0,
        Rung.WITHDRAW_DRIVE,
        window_s=10.0,
        in_use_only=True,
    ),
    _objective(
        "drive-picture", Indicator.PICTURE_HEIGHT, 480.0, Rung.WITHDRAW_DRIVE, share=0.95,
        window_s=10.0,
    ),
]  # fmt: skip


def place(objective: Objective) -> int:
    """Return how particular an objective is: 2 segment, 1 site, 0 everywhere."""
    return 2 if objective.segment else 1 if objective.site else 0


def in_force(objectives: Sequence[Objective], site: str, segment: str) -> list[Objective]:
    """Return the objectives that hold at a place, in the order of the configuration."""
    chosen: dict[tuple[Purpose, Indicator], int] = {}
    here = [
        objective
        for objective in objectives
        if objective.site in ("", site) and objective.segment in ("", segment)
    ]
    for objective in here:
        key = (objective.purpose, objective.indicator)
        chosen[key] = max(chosen.get(key, 0), place(objective))
    return [o for o in here if place(o) == chosen[o.purpose, o.indicator]]


def problems(objectives: Sequence[Objective], segments: Sequence[Segment]) -> str:
    """Return what does not fit together, or an empty text."""
    keys: set[str] = set()
    for objective in objectives:
        if objective.key in keys:
            return f"objective {objective.key!r} is there twice"
        keys.add(objective.key)
    names: dict[str, str] = {}
    for segment in segments:
        if segment.name in names:
            return f"segment {segment.name!r} is there twice"
        names[segment.name] = segment.site
    for objective in objectives:
        if not objective.segment:
            continue
        if objective.segment not in names:
            return f"objective {objective.key!r}: there is no segment {objective.segment!r}"
        if objective.site not in ("", names[objective.segment]):
            return f"objective {objective.key!r}: that segment is in another site"
    return ""
