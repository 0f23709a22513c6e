"""Motion along a course: how far along the line, how far beside it, how fast. Pure.

The demand says what is wanted, the plan says what comes (bends, stops, obstacles),
and the speed follows with bounded acceleration. Steps are integrated with the
trapezoidal rule, so distance and speed agree whatever the step length.

A person who drives it wants a speed and a curvature; the vehicle's own limits stay, and so
does its own braking before what it sees in its way.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Final

from vehicle_stub.course import SERVICE_MPS2, Course, Stop
from vehicle_stub.deadman import Wish
from vehicle_stub.geo import Pose
from vehicle_stub.sideways import Sideways, look_ahead

STOP_MPS2: Final = 2.5
"""Braking after a stop command, m/s². Standing passengers keep their feet."""

EMERGENCY_MPS2: Final = 5.0
"""Braking as hard as it can, m/s²."""

DRIVEN_LATERAL_MPS2: Final = 2.0
"""Sideways acceleration that a driver may ask for, m/s²."""

CLEAR_M: Final = 2.2
"""So far beside the line it passes what stands on it."""

DRIVEN_CLEAR_M: Final = 1.6
DRIVEN_GAP_M: Final = 2.0
"""Driven, it brakes by itself only when nothing else helps."""

SIDE_M: Final = 1.8
"""Where it stands when it has pulled over, to the left of its line."""

PULL_OVER_MPS: Final = 2.5
PULL_OVER_NS: Final = 20_000_000_000
"""After so long it stands where it is."""

OBSTACLE_GAP_M: Final = 7.0
"""Where it stands before an obstacle, from the pose's reference point."""

SIGHT_M: Final = 60.0
"""How far ahead an obstacle is perceived."""

NO_WISH: Final = Wish()

MAX_STEP_S: Final = 0.25
"""A longer gap (suspended process) is integrated as this; it never jumps ahead."""


class Demand(enum.Enum):
    """What the vehicle is asked to do by its own rules or a person."""

    GO = "go"
    PULL_OVER = "pull_over"
    DRIVEN = "driven"
    COMFORTABLE = "comfortable"
    HARD = "hard"
    EMERGENCY = "emergency"


class Drive:
    """Where the vehicle is and how fast.

    Attributes:
        course: The way.
        distance: Metres along the line, within one lap.
        speed: m/s, never negative.
        travelled: Metres since the start.
        sideways: Where it is beside the line.
        done: The end of an open line is reached.
        doors_open: Standing at a stop, or opened by a person.
        doors_held: Opened by a person, and not closed by one.
    """

    def __init__(
        self,
        course: Course,
        *,
        start_m: float,
        obstacles: Sequence[float],
        dwell_s: float,
        loop: bool,
        now_ns: int,
    ) -> None:
        self.course = course
        self.distance = course.line.wrap(start_m)
        self.speed = 0.0
        self.travelled = 0.0
        self.sideways = Sideways()
        self.done = False
        self.doors_open = False
        self.doors_held = False
        self._obstacles = sorted(course.line.wrap(at) for at in obstacles)
        self._passed: set[float] = set()
        self._dwell_ns = round(dwell_s * 1e9)
        self._loop = loop and course.line.closed
        self._leave_ns = 0
        self._served: Stop | None = None
        self._at_ns = now_ns
        self._along = 0.0  # the line, without wrapping around
        self._path: list[tuple[float, float]] = []  # along, offset
        self._path_mps = math.inf
        self._pull_over_ns: int | None = None

    @property
    def standing(self) -> bool:
        """No visible motion."""
        return self.speed < 0.02

    @property
    def progress(self) -> float:
        """Share of the lap done, 0 to 1."""
        return 1.0 if self.done else min(1.0, self.distance / self.course.line.length)

    @property
    def next_stop(self) -> str:
        """Name of the stop ahead, or where it stands."""
        if self.doors_open and self._served is not None:
            return self._served.name
        stop = self._stop_ahead()
        return "" if stop is None else stop.name

    def pose(self) -> Pose:
        """Return place and direction (over a wheelbase of 4 m, so bends look steady)."""
        there = pose_at(self.course, self.distance)
        return beside(there, self.sideways.offset, self.sideways.angle)

    def obstacle_ahead(self) -> float | None:
        """Return metres to the nearest obstacle in sight, if any."""
        return min(self._gaps(), default=None)

    def _gaps(self) -> list[float]:
        if not self._obstacles:
            return []
        return [
            gap
            for at in self._obstacles
            if at not in self._passed and 0.0 <= (gap := self._ahead(at)) <= SIGHT_M
        ]

    @property
    def blocked(self) -> bool:
        """Standing right before an obstacle."""
        if not self.standing:
            return False
        gap = self._in_the_way(driven=False)
        return gap is not None and gap < OBSTACLE_GAP_M + 1.5

    @property
    def pulled_over(self) -> bool:
        """Standing at the side, or as near to it as it came in time."""
        return self.standing and self._pull_over_ns is not None and self._at_side(self._at_ns)

    @property
    def path_done(self) -> bool:
        """There is no path to follow, or it has ended."""
        return not self._path or self._along >= self._path[-1][0]

    def pass_obstacle(self) -> None:
        """A person decided that the way is free: forget the obstacle right ahead."""
        for at in self._obstacles:
            if 0.0 <= self._ahead(at) <= OBSTACLE_GAP_M + 3.0:
                self._passed.add(at)

    def follow(self, path: Sequence[tuple[float, float]], max_mps: float) -> None:
        """Leave the line by these (metres from here along it, metres to its left)."""
        self._path = [(self._along + ahead, offset) for ahead, offset in path]
        self._path_mps = max_mps

    def open_doors(self, *, opened: bool) -> None:
        """By a person's order: they stay as they are until the next."""
        self.doors_open = self.doors_held = opened

    def speed_limit(self) -> float:
        """Return the speed the plan allows here, m/s."""
        return self.course.comfortable_mps(self.distance)

    def step(
        self, now_ns: int, demand: Demand, limit_mps: float = math.inf, wish: Wish = NO_WISH
    ) -> None:
        """Move on to `now_ns`, at most `limit_mps` fast. Calling it late, early or twice is
        safe; a limit that falls is reached by ordinary braking.

        Args:
            wish: What the driver wants; counts with the demand DRIVEN.
        """
        seconds = min(MAX_STEP_S, max(0.0, (now_ns - self._at_ns) / 1e9))
        self._at_ns = max(self._at_ns, now_ns)
        if demand is not Demand.PULL_OVER:
            self._pull_over_ns = None
        elif self._pull_over_ns is None:
            self._pull_over_ns = now_ns + PULL_OVER_NS
        if seconds <= 0.0:
            return
        self._doors(now_ns, demand)
        wanted, braking = self._wanted(demand, wish)
        wanted = min(wanted, limit_mps)
        before = self.speed
        if wanted < before:
            self.speed = max(wanted, before - braking * seconds)
        else:
            self.speed = min(wanted, before + SERVICE_MPS2 * seconds)
        moved = (before + self.speed) / 2 * seconds
        self.travelled += moved
        if demand is Demand.DRIVEN:
            self._path = []
            self.sideways.steer(moved, wish.curvature, self.course.curvature(self.distance))
        else:
            self.sideways.head_for(moved, self._offset_wanted(demand), self.speed)
        self._move(self.sideways.along(moved))

    def _offset_wanted(self, demand: Demand) -> float:
        if demand is Demand.PULL_OVER:
            return self._side
        if demand is not Demand.GO:
            return self.sideways.offset
        return self._planned(self._along + look_ahead(self.speed))

    def _planned(self, along: float) -> float:
        """Return the offset that the path has there; the line's own, 0, beyond it."""
        if not self._path or along >= self._path[-1][0]:
            return 0.0
        before = (self._path[0][0], self._path[0][1])
        for place in self._path:
            if along < place[0]:
                width = place[0] - before[0]
                share = (along - before[0]) / width if width > 0 else 1.0
                return before[1] + (place[1] - before[1]) * max(0.0, share)
            before = place
        return 0.0

    @property
    def _side(self) -> float:
        """A field has no kerb: there it stands where it is."""
        return self.sideways.offset if self.course.field else SIDE_M

    def _at_side(self, now_ns: int) -> bool:
        late = self._pull_over_ns is not None and now_ns >= self._pull_over_ns
        return late or abs(self.sideways.offset - self._side) < 0.25

    def _in_the_way(self, *, driven: bool) -> float | None:
        """Return metres to the nearest obstacle that it would not pass beside."""
        gaps = self._gaps()
        for gap in sorted(gaps) if len(gaps) > 1 else gaps:
            if driven and abs(self.sideways.offset) < DRIVEN_CLEAR_M:
                return gap
            if not driven and abs(self._planned(self._along + gap)) < CLEAR_M:
                return gap
        return None

    def _wanted(self, demand: Demand, wish: Wish) -> tuple[float, float]:
        match demand:
            case Demand.EMERGENCY:
                return 0.0, EMERGENCY_MPS2
            case Demand.HARD:
                return 0.0, STOP_MPS2
            case Demand.COMFORTABLE:
                return 0.0, SERVICE_MPS2
            case Demand.DRIVEN:
                return self._driven(wish)
            case Demand.PULL_OVER if self._at_side(self._at_ns):
                return 0.0, SERVICE_MPS2
            case Demand.PULL_OVER | Demand.GO:
                pass
        if self.done or self.doors_open:
            return 0.0, SERVICE_MPS2
        wanted = self.speed_limit()
        if demand is Demand.PULL_OVER:
            wanted = min(wanted, PULL_OVER_MPS)
        elif not self.path_done:
            wanted = min(wanted, self._path_mps)
        stop = self._stop_ahead()
        if stop is not None and stop is not self._served:
            wanted = min(wanted, _approach(self._ahead(stop.at)))
        # The plan is followed closely, so a little more than the plan's own braking.
        return min(wanted, self._room(driven=False)), SERVICE_MPS2 * 1.5

    def _driven(self, wish: Wish) -> tuple[float, float]:
        if self.done or self.doors_open:
            return 0.0, STOP_MPS2
        wanted = min(wish.speed_mps, self.course.cruise_mps, self._room(driven=True))
        if wish.curvature:
            wanted = min(wanted, math.sqrt(DRIVEN_LATERAL_MPS2 / abs(wish.curvature)))
        return wanted, STOP_MPS2 + (EMERGENCY_MPS2 - STOP_MPS2) * wish.brake

    def _room(self, *, driven: bool) -> float:
        """Return the speed from which it still stands before what is in its way."""
        gap = self._in_the_way(driven=driven)
        room_m = DRIVEN_GAP_M if driven else OBSTACLE_GAP_M
        wanted = math.inf if gap is None else _approach(gap - room_m)
        if not self._loop:
            wanted = min(wanted, _approach(self.course.line.length - self.distance))
        return wanted

    def _doors(self, now_ns: int, demand: Demand) -> None:
        if self.doors_open:
            leaving = demand in (Demand.GO, Demand.DRIVEN) and not self.doors_held
            if leaving and now_ns >= self._leave_ns:
                self.doors_open = False
            return
        stop = self._stop_ahead()
        if (
            demand is Demand.GO
            and stop is not None
            and stop is not self._served
            and self.standing
            and self._ahead(stop.at) < 1.0
        ):
            self.doors_open = True
            self._served = stop
            self._leave_ns = now_ns + self._dwell_ns

    def _stop_ahead(self) -> Stop | None:
        stop = self.course.next_stop(self.distance)
        if stop is not None and stop is self._served:
            following = self.course.next_stop(stop.at + 1.0)
            return following if following is not stop or not self._near(stop) else None
        return stop

    def _near(self, stop: Stop) -> bool:
        return self._ahead(stop.at) < 5.0

    def _ahead(self, at: float) -> float:
        gap = at - self.distance
        return gap % self.course.line.length if self._loop else gap

    def _move(self, moved: float) -> None:
        self.distance += moved
        self._along += moved
        length = self.course.line.length
        if not self._loop and self.standing and length - self.distance < 0.3:
            self.done = True
        if self.distance < length:
            if self._served is not None and self._ahead(self._served.at) > 20.0:
                self._served = None
            return
        if self._loop:
            self.distance -= length
            self._passed.clear()
        else:
            self.distance = length
            self.speed = 0.0
            self.done = True


def pose_at(course: Course, distance: float) -> Pose:
    """Return place and direction at a distance along a course."""
    line = course.line
    front, rear = line.at(distance + 2.0), line.at(distance - 2.0)
    here = line.at(distance)
    if front == rear:
        return Pose(here.east, here.north, line.heading_at(distance))
    heading = math.atan2(front.east - rear.east, front.north - rear.north)
    return Pose(here.east, here.north, heading)


def beside(pose: Pose, offset: float, angle: float) -> Pose:
    """Return a pose moved `offset` metres to its left and turned `angle` to the left."""
    sine, cosine = math.sin(pose.heading), math.cos(pose.heading)
    east, north = pose.east - cosine * offset, pose.north + sine * offset
    return Pose(east, north, pose.heading - angle)


def _approach(gap: float) -> float:
    """Return the speed from which comfortable braking ends `gap` metres ahead."""
    if gap <= 0.1:
        return 0.0
    return max(0.15, math.sqrt(2 * SERVICE_MPS2 * 0.8 * gap))
