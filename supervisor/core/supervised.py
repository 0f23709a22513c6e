"""What the supervision of one vehicle remembers; owned by its `VehicleRecord`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocols.supervision import FrozenView, Indicator, LimitSource, Purpose
from supervisor.core.governor import Governor
from supervisor.core.ladder import Ladder
from supervisor.core.objectives import PURPOSES, Segment, in_force
from supervisor.core.verdicts import ObjectiveTrack

if TYPE_CHECKING:
    from supervisor.core.config import CoreConfig

VEHICLE_NS: Final = 100_000_000
"""Each vehicle's deadlines are looked at this often."""

LOOK_NS: Final = 500_000_000
"""All verdicts are looked at this often, and at once after a sample that is not good."""

SHOW_NS: Final = 1_000_000_000


class Supervised:
    """Verdicts and what follows from them.

    Attributes:
        tracks: Every objective of this vehicle's site, also of segments it is not on, by
            key; all are fed, so that one that comes into force knows the past.
        by_indicator: The same, by what they measure.
        segment: Where it is now; empty: on no configured segment.
        here: Keys in force here.
        in_force: Their objectives, in the order of the configuration.
        purpose, purpose_ns: In use now, and since when.
        frozen: Pictures that stand still.
        poor: Cameras whose picture is too poor.
        drive_reasons: Why remote driving may not be offered; empty: it may.
        drive_clear_ns: Since when nothing speaks against it; None: something does.
        limit_source, limit_why: Who limits the speed, and the objective's key.
        operator_kmh, operator_by: A person's own limit and his account; None: none.
        allowed_kmh: What the blind-distance rule allows.
        prefers: What was last said of sizes: focused camera, its size, the others'.
    """

    __slots__ = (
        "allowed_kmh",
        "by_indicator",
        "drive_clear_ns",
        "drive_reasons",
        "frozen",
        "governor",
        "here",
        "in_force",
        "ladder",
        "limit_source",
        "limit_why",
        "look_ns",
        "operator_by",
        "operator_kmh",
        "poor",
        "prefers",
        "purpose",
        "purpose_ns",
        "segment",
        "segments",
        "show_ns",
        "site",
        "tracks",
    )

    def __init__(self, config: CoreConfig, site: str) -> None:
        self.site = site
        self.segments: list[Segment] = [s for s in config.segment if s.site == site]
        names = {"", *(segment.name for segment in self.segments)}
        self.tracks: dict[str, ObjectiveTrack] = {
            objective.key: ObjectiveTrack(objective, config.burn_short_s, config.burn_long_s)
            for objective in config.objective
            if objective.site in ("", site)
            and (not objective.segment or objective.segment in names)
        }
        self.by_indicator: dict[Indicator, list[ObjectiveTrack]] = {}
        for track in self.tracks.values():
            self.by_indicator.setdefault(track.objective.indicator, []).append(track)
        self.purpose = Purpose.MONITOR
        self.purpose_ns = 0
        self.segment = ""
        self.here: tuple[str, ...] = ()
        self.in_force: list[ObjectiveTrack] = []
        self.enter("")
        self.ladder = Ladder(config.ladder)
        self.governor = Governor(config.governor)
        self.frozen: tuple[FrozenView, ...] = ()
        self.poor: tuple[str, ...] = ()
        self.drive_reasons: tuple[str, ...] = ("closed_loop",)
        self.drive_clear_ns: int | None = None
        self.limit_source = LimitSource.VEHICLE
        self.limit_why = ""
        self.operator_kmh: float | None = None
        self.operator_by = ""
        self.allowed_kmh: float | None = None
        self.prefers: tuple[str, str, str] = ("", "", "")
        self.look_ns = 0
        self.show_ns = 0

    def locate(self, longitude: float, latitude: float) -> str:
        """Return the first configured segment that holds a place, or an empty text."""
        for segment in self.segments:
            if segment.holds(longitude, latitude):
                return segment.name
        return ""

    def enter(self, segment: str) -> None:
        """Put the objectives of another segment in force."""
        self.segment = segment
        objectives = [track.objective for track in self.tracks.values()]
        self.here = tuple(o.key for o in in_force(objectives, self.site, segment))
        self.in_force = [self.tracks[key] for key in self.here]
        self._count()

    def use(self, purpose: Purpose, now_ns: int) -> None:
        """Note what the vehicle is used for from now on."""
        self.purpose, self.purpose_ns = purpose, now_ns
        self._count()

    def _count(self) -> None:
        """Have the totals rise of what is in force and promised for what it is used for."""
        in_use = PURPOSES.index(self.purpose)
        for track in self.tracks.values():
            track.counts = False
        for track in self.in_force:
            track.counts = track.purpose_rank <= in_use
