"""How many bits and pictures a second a camera may use now. Pure.

Down at once, up smoothly (`RateFollower`). What an
estimate leaves is shared between the streams by their configured rates. Where a
picture would get too few bits to be read, there are fewer pictures instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

FLOOR_KBPS: Final = 150
"""The rate never follows an estimate below this; a picture of use costs that much."""

HEADROOM: Final = 0.9
"""Share of the estimate that new pictures may use; the rest is for headers, sound, repair."""

RISE_PER_S: Final = 1.5
"""The rate grows at most by this factor in a second, near the target."""

RISE_FAR_PER_S: Final = 3.0
"""The same below half of the target: after a queue has been emptied, and on a link that
has become wide again. 1 to 8 Mbit/s takes 3 s."""

HOLD_NS: Final = 400_000_000
"""After a fall the rate does not rise for so long."""

ESTIMATE_LASTS_NS: Final = 5_000_000_000
"""While an estimate is younger than this, reported loss alone changes nothing."""

LOSS_FALLS: Final = 0.10
LOSS_RISES: Final = 0.02

LEAST_BITS_PER_PIXEL: Final = 0.035
"""Below it H.264 baseline smears a street: fewer pictures are better then."""

BACK_ABOVE: Final = 1.3
LEAST_FPS: Final = 10.0
_DIVISORS: Final = (1, 2, 3, 4, 6)


class Rate(NamedTuple):
    """What the encoder uses: `kbps`, and one picture of every `divisor`."""

    kbps: int
    divisor: int


def share(total_kbps: float, ceilings: Mapping[int, int], key: int) -> float:
    """Return the part of `total_kbps` for stream `key`, in proportion to the ceilings.

    >>> share(1400, {1: 2500, 2: 300}, 2)
    150.0
    """
    return total_kbps * ceilings[key] / max(1, sum(ceilings.values()))


class RateFollower:
    """Of one stream.

    REMB (draft-alvestrand-rmcat-remb) is followed: down at once, up smoothly.
    Where none comes, the loss of receiver reports (RFC 3550 §6.4.1) is, in the manner of
    draft-ietf-rmcat-gcc-02 §6: above 10 % the rate falls by half the loss, below 2 % it
    rises by 5 % a report.

    Attributes:
        ceiling_kbps: The configured rate.
        estimate_kbps: This stream's part of the newest estimate; None before the first.
    """

    def __init__(self, ceiling_kbps: int, width: int, height: int, fps: int) -> None:
        self.ceiling_kbps = ceiling_kbps
        self.estimate_kbps: float | None = None
        self._floor = min(FLOOR_KBPS, ceiling_kbps)
        self._kbits_per_fps = LEAST_BITS_PER_PIXEL * width * height / 1000
        self._fps = fps
        self._divisors = [d for d in _DIVISORS if d == 1 or fps / d >= LEAST_FPS]
        self._kbps = float(ceiling_kbps)
        self._target = float(ceiling_kbps)
        self._divisor = 1
        self._at_ns: int | None = None
        self._hold_until_ns = 0
        self._estimated_ns: int | None = None

    def on_estimate(self, kbps: float, now_ns: int) -> None:
        """The receiver can take so much from this stream."""
        self._estimated_ns = now_ns
        self.estimate_kbps = kbps
        self._aim(kbps * HEADROOM, now_ns)

    def on_loss(self, fraction: float, now_ns: int) -> None:
        """A receiver report: this share of the last interval's packets was lost."""
        estimated = self._estimated_ns
        if estimated is not None and now_ns - estimated < ESTIMATE_LASTS_NS:
            return
        if fraction > LOSS_FALLS:
            self._aim(self._kbps * (1 - fraction / 2), now_ns)
        elif fraction < LOSS_RISES:
            self._aim(max(self._target, self._kbps) * 1.05, now_ns)

    def _aim(self, kbps: float, now_ns: int) -> None:
        self.at(now_ns)
        self._target = max(self._floor, min(kbps, self.ceiling_kbps))
        if self._target < self._kbps:
            self._kbps = self._target
            self._hold_until_ns = now_ns + HOLD_NS

    def at(self, now_ns: int) -> Rate:
        """Return the rate to use from now on."""
        since_ns = self._at_ns if self._at_ns is not None else now_ns
        self._at_ns = now_ns
        if self._kbps < self._target:
            rising_ns = now_ns - max(since_ns, self._hold_until_ns)
            if rising_ns > 0:
                far = 2 * self._kbps < self._target
                rise = RISE_FAR_PER_S if far else RISE_PER_S
                self._kbps = min(self._target, self._kbps * rise ** (rising_ns / 1e9))
        self._divide()
        return Rate(round(self._kbps), self._divisor)

    def _divide(self) -> None:
        """Choose the least divisor that leaves a readable picture; back up with hysteresis."""
        for divisor in self._divisors:
            least = self._kbits_per_fps * self._fps / divisor
            if divisor < self._divisor:
                least *= BACK_ABOVE
            least = min(least, self.ceiling_kbps) if divisor == 1 else least
            if self._kbps >= least:
                self._divisor = divisor
                return
        self._divisor = self._divisors[-1]
