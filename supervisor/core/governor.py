"""The blind-distance governor: how fast may it go, given how late we are.

    v_max = D / (closed loop + its uncertainty)

With D = 2.78 m and 250 ms in all that is 11.1 m/s, 40 km/h: the vehicle never moves
further than D between what is seen and what is done about it. The limit is a multiple
of `step_kmh`, falls at once, and rises by one step when the rule has allowed that step
and `hysteresis_kmh` more throughout `rise_s`.
"""

from __future__ import annotations

import math

from supervisor.core.objectives import GovernorConfig

KMH: float = 3.6


def allowed_kmh(distance_m: float, loop_ms: float, uncertainty_ms: float) -> float:
    """Return the rule's speed, km/h.

    >>> round(allowed_kmh(2.78, 220.0, 30.0), 2)
    40.03
    """
    late_s = (loop_ms + uncertainty_ms) / 1e3
    if not late_s > 0.0:
        raise ValueError(f"a loop of {loop_ms} ± {uncertainty_ms} ms is no measurement")
    return distance_m / late_s * KMH


class Governor:
    """The limit of one vehicle.

    Attributes:
        kmh: The limit now; None before the first.
    """

    __slots__ = ("_config", "_rise_ns", "_rising_ns", "kmh")

    def __init__(self, config: GovernorConfig) -> None:
        self._config = config
        self._rise_ns = int(config.rise_s * 1e9)
        self.kmh: float | None = None
        self._rising_ns: int | None = None

    def limit(self, allowed: float, ceiling_kmh: float, now_ns: int) -> float:
        """Return the limit for what is allowed now.

        Args:
            allowed: What the rule (or the fallback) gives, km/h; infinite: no rule holds.
            ceiling_kmh: The vehicle's own maximum: never more than this, and this itself
                although it may be no multiple of a step.
            now_ns: Never before that of the last call.
        """
        config = self._config
        step = config.step_kmh
        reachable = self._floor(allowed, ceiling_kmh)
        before = self.kmh
        if before is None or reachable < before or before > ceiling_kmh:
            self.kmh = reachable if before is None else min(before, reachable)
            self._rising_ns = None
            return self.kmh
        following = min(ceiling_kmh, (math.floor(before / step + 1e-9) + 1) * step)
        if before >= ceiling_kmh or allowed < following + config.hysteresis_kmh:
            self._rising_ns = None
            return before
        if self._rising_ns is None:
            self._rising_ns = now_ns
        if now_ns - self._rising_ns >= self._rise_ns:
            self.kmh = following
            self._rising_ns = None
            return following
        return before

    def _floor(self, allowed: float, ceiling_kmh: float) -> float:
        if allowed >= ceiling_kmh:
            return ceiling_kmh
        step = self._config.step_kmh
        return max(0.0, math.floor(allowed / step + 1e-9) * step)
