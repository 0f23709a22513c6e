"""Motion along a course: one number along the line, one speed. Pure.

The demand says what is wanted, the plan says what comes (bends, stops, obstacles),
and the speed follows with bounded acceleration. Steps are integrated with the
trapezoidal rule, so distance and speed agree whatever the step length.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Final

from vehicle_stub.course import SERVICE_MPS2, Course, Stop
from vehicle_stub.geo import Pose

STOP_MPS2: Final = 2.5
"""Braking after a stop command, m/s². Standing passengers keep their feet."""

OBSTACLE_GAP_M: Final = 7.0
"""Where it stands before an obstacle, from the pose's reference point."""

SIGHT_M: Final = 60.0
"""How far ahead an obstacle is perceived."""

MAX_STEP_S: Final = 0.25
"""A longer gap (suspended process) is integrated as this; it never jumps ahead."""


class Demand(enum.Enum):
    """What the vehicle is asked to do by its own rules or a person."""

    GO = "go"
    COMFORTABLE = "comfortable"
    HARD = "hard"


class Drive:
    """Where the vehicle is and how fast.

    Attributes:
        course: The way.
        distance: Metres along the line, within one lap.
        speed: m/s, never negative.
        travelled: Metres since the start.
        done: The end of an open line is reached.
        doors_open: Standing at a stop.
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
        self.done = False
        self.doors_open = False
        self._obstacles = sorted(course.line.wrap(at) for at in obstacles)
        self._passed: set[float] = set()
        self._dwell_ns = round(dwell_s * 1e9)
        self._loop = loop and course.line.closed
        self._leave_ns = 0
        self._served: Stop | None = None
        self._at_ns = now_ns
        self._laps = 0

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
        return pose_at(self.course, self.distance)

    def obstacle_ahead(self) -> float | None:
        """Return metres to the nearest obstacle in sight, if any."""
        gaps = [
            gap
            for at in self._obstacles
            if at not in self._passed and 0.0 <= (gap := self._ahead(at)) <= SIGHT_M
        ]
        return min(gaps, default=None)

    @property
    def blocked(self) -> bool:
        """Standing right before an obstacle."""
        gap = self.obstacle_ahead()
        return gap is not None and self.standing and gap < OBSTACLE_GAP_M + 1.5

    def pass_obstacle(self) -> None:
        """A person decided that the way is free: forget the obstacle right ahead."""
        for at in self._obstacles:
            if 0.0 <= self._ahead(at) <= OBSTACLE_GAP_M + 3.0:
                self._passed.add(at)

    def speed_limit(self) -> float:
        """Return the speed the plan allows here, m/s."""
        return self.course.comfortable_mps(self.distance)

    def step(self, now_ns: int, demand: Demand, limit_mps: float = math.inf) -> None:
        """Move on to `now_ns`, at most `limit_mps` fast. Calling it late, early or twice is
        safe; a limit that falls is reached by ordinary braking."""
        seconds = min(MAX_STEP_S, max(0.0, (now_ns - self._at_ns) / 1e9))
        self._at_ns = max(self._at_ns, now_ns)
        if seconds <= 0.0:
            return
        self._doors(now_ns, demand)
        wanted, braking = self._wanted(demand)
        wanted = min(wanted, limit_mps)
        before = self.speed
        if wanted < before:
            self.speed = max(wanted, before - braking * seconds)
        else:
            self.speed = min(wanted, before + SERVICE_MPS2 * seconds)
        moved = (before + self.speed) / 2 * seconds
        self.travelled += moved
        self._move(moved)

    def _wanted(self, demand: Demand) -> tuple[float, float]:
        if demand is Demand.HARD:
            return 0.0, STOP_MPS2
        if demand is Demand.COMFORTABLE or self.done or self.doors_open:
            return 0.0, SERVICE_MPS2
        wanted = self.speed_limit()
        stop = self._stop_ahead()
        if stop is not None and stop is not self._served:
            wanted = min(wanted, _approach(self._ahead(stop.at)))
        gap = self.obstacle_ahead()
        if gap is not None:
            wanted = min(wanted, _approach(gap - OBSTACLE_GAP_M))
        if not self._loop:
            wanted = min(wanted, _approach(self.course.line.length - self.distance))
        # The plan is followed closely, so a little more than the plan's own braking.
        return wanted, SERVICE_MPS2 * 1.5

    def _doors(self, now_ns: int, demand: Demand) -> None:
        if self.doors_open:
            if now_ns >= self._leave_ns and demand is Demand.GO:
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


def _approach(gap: float) -> float:
    """Return the speed from which comfortable braking ends `gap` metres ahead."""
    if gap <= 0.1:
        return 0.0
    return max(0.15, math.sqrt(2 * SERVICE_MPS2 * 0.8 * gap))
