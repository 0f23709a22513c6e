"""One objective of one vehicle: samples in, verdict out.

A sample has a value and an error bar. It is *good* if the whole bar keeps the limit,
*bad* if no part of it does, and *doubtful* in between: a doubtful sample never helps to
call an objective met, and never proves it violated.

What the samples of the window say (the *finding*), with `allowed = (1 - share) * n`:

    unknown    no fresh, trusted evidence, or too few samples
    violated   bad > allowed
    at risk    bad + doubtful > allowed, or half of what is allowed is used
    met        otherwise

What is shown (the *verdict*) falls with the finding at once, and rises only to what has
been true throughout `recover_s`; `unknown` is shown at once, and left at once for
anything but `met`. `TABLE` has every case.

Budget and burn rate look at two longer windows: burn 1 uses up exactly what is allowed
(Beyer et al., The Site Reliability Workbook, chapter 5).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from protocols.supervision import ObjectiveView, Verdict, Why
from supervisor.core.objectives import PURPOSES, RUNGS, Objective
from supervisor.core.windows import SlidingCounts

PPM: Final = 1_000_000
RISK: Final = 2
"""At risk from the 1/RISK part of the allowed samples on."""
SETTLE_NS: Final = 1_000_000_000
"""The two long windows are brought up to date this often; their slices are longer."""
LARGEST_BURN: Final = 1e6
"""Burn rate where nothing at all is allowed."""

_U, _V, _R, _M = Verdict.UNKNOWN, Verdict.VIOLATED, Verdict.AT_RISK, Verdict.MET

GOODNESS: Final[Mapping[Verdict, int]] = {_V: 0, _R: 1, _M: 2}

TABLE: Final[Mapping[tuple[Verdict, Verdict, bool], Verdict]] = {
    (_U, _U, False): _U, (_U, _U, True): _U,
    (_U, _V, False): _V, (_U, _V, True): _V,
    (_U, _R, False): _R, (_U, _R, True): _R,
    (_U, _M, False): _U, (_U, _M, True): _M,
    (_V, _U, False): _U, (_V, _U, True): _U,
    (_V, _V, False): _V, (_V, _V, True): _V,
    (_V, _R, False): _V, (_V, _R, True): _R,
    (_V, _M, False): _V, (_V, _M, True): _M,
    (_R, _U, False): _U, (_R, _U, True): _U,
    (_R, _V, False): _V, (_R, _V, True): _V,
    (_R, _R, False): _R, (_R, _R, True): _R,
    (_R, _M, False): _R, (_R, _M, True): _M,
    (_M, _U, False): _U, (_M, _U, True): _U,
    (_M, _V, False): _V, (_M, _V, True): _V,
    (_M, _R, False): _R, (_M, _R, True): _R,
    (_M, _M, False): _M, (_M, _M, True): _M,
}  # fmt: skip
"""(verdict, finding, the finding or better has lasted `recover_s`) → verdict."""


NUMBERS: Final[Mapping[Why, tuple[str, ...]]] = {
    Why.WITHIN: ("over", "samples"),
    Why.BUDGET_USED: ("over", "samples"),
    Why.IN_DOUBT: ("doubtful", "samples"),
    Why.OVER_LIMIT: ("over", "samples", "allowed"),
    Why.RECOVERING: ("in_ms",),
    Why.STALE: ("age_ms",),
    Why.TOO_FEW: ("samples", "needed"),
}
"""What the numbers of each reason are, in the order of `Finding.numbers`."""


class Finding(NamedTuple):
    """What the samples say now. `numbers`: as `NUMBERS` names them."""

    verdict: Verdict
    why: Why
    numbers: tuple[float, ...]


class ObjectiveTrack:
    """One objective of one vehicle.

    Attributes:
        objective: What is promised.
        verdict: What is shown.
        since_ns: Since when.
        why: Of the newest look.
        purpose_rank, height: How demanding its purpose is, and how far the ladder may climb
            because of it.
        value, uncertainty, measured_ns: The newest sample; None before the first.
        counts: Its samples go into the totals.
        good, bad, doubtful: Totals of the hub's run; brought up to date once a second.
    """

    __slots__ = (
        "_at_least",
        "_long",
        "_numbers",
        "_recover_ns",
        "_rising",
        "_rising_ns",
        "_settle_ns",
        "_short",
        "_spare_ppm",
        "_stale_ns",
        "_waiting",
        "_window",
        "bad",
        "counts",
        "doubtful",
        "good",
        "height",
        "measured_ns",
        "objective",
        "purpose_rank",
        "since_ns",
        "uncertainty",
        "value",
        "verdict",
        "why",
    )

    def __init__(self, objective: Objective, burn_short_s: float, burn_long_s: float) -> None:
        self.objective = objective
        self.verdict = Verdict.UNKNOWN
        self.since_ns = 0
        self.why = Why.NO_EVIDENCE
        self.purpose_rank = PURPOSES.index(objective.purpose)
        self.height = RUNGS.index(objective.enforce)
        self._numbers: tuple[float, ...] = ()
        self.value: float | None = None
        self.uncertainty: float | None = None
        self.measured_ns: int | None = None
        self.counts = False
        self.good = self.bad = self.doubtful = 0
        self._at_least = objective.at_least
        self._spare_ppm = PPM - round(objective.share * PPM)
        self._stale_ns = int(objective.stale_s * 1e9)
        self._recover_ns = int(objective.recover_s * 1e9)
        self._window = SlidingCounts(int(objective.window_s * 1e9))
        self._short = SlidingCounts(int(burn_short_s * 1e9))
        self._long = SlidingCounts(int(burn_long_s * 1e9))
        self._settle_ns = 0
        self._waiting = [0, 0, 0]  # good, bad, doubtful: not yet in the two long windows
        self._rising: Verdict | None = None
        self._rising_ns = 0

    def add(self, value: float, uncertainty: float, now_ns: int) -> bool:
        """Take one sample; return whether it is anything but good."""
        limit = self.objective.limit
        if not self._at_least and value + uncertainty <= limit and uncertainty >= 0.0:
            self._window.add_good(now_ns)
            self._waiting[0] += 1
            self.value, self.uncertainty, self.measured_ns = value, uncertainty, now_ns
            return False
        return self.add_all((value,), uncertainty, now_ns)

    def add_all(self, values: Iterable[float], uncertainty: float, now_ns: int) -> bool:
        """Take samples with one error bar; return whether any is not good.

        Values that are no number, or an error bar that is none, are doubtful at best.
        """
        limit = self.objective.limit
        good = bad = 0
        count = 0
        value = None
        if not (uncertainty >= 0.0):
            uncertainty = math.inf
        at_least = self._at_least
        for value in values:
            count += 1
            if at_least:
                if value - uncertainty >= limit:
                    good += 1
                elif value + uncertainty < limit:
                    bad += 1
            elif value + uncertainty <= limit:
                good += 1
            elif value - uncertainty > limit:
                bad += 1
        if value is None:
            return False
        doubtful = count - good - bad
        self._window.add(good, bad, doubtful, now_ns)
        waiting = self._waiting
        waiting[0] += good
        waiting[1] += bad
        waiting[2] += doubtful
        self.value, self.uncertainty, self.measured_ns = value, uncertainty, now_ns
        return good != count

    def find(self, now_ns: int, missing: Why | None) -> Finding:
        """Return what the samples say; `missing`: why nothing can be known now."""
        return Finding(*self._find(now_ns, missing))

    def _find(self, now_ns: int, missing: Why | None) -> tuple[Verdict, Why, tuple[float, ...]]:
        window = self._window
        window.roll(now_ns)
        if missing is not None:
            return _U, missing, ()
        at_ns = self.measured_ns
        if at_ns is None:
            return _U, Why.NO_EVIDENCE, ()
        if now_ns - at_ns > self._stale_ns:
            return _U, Why.STALE, ((now_ns - at_ns) / 1e6,)
        samples, over = window.samples, window.bad
        allowed = self._spare_ppm * samples  # in millionths, like `over * PPM` below
        if over * PPM > allowed:
            return _V, Why.OVER_LIMIT, (over, samples, allowed / PPM)
        if samples < self.objective.samples:
            return _U, Why.TOO_FEW, (samples, self.objective.samples)
        if (over + window.doubtful) * PPM > allowed:
            return _R, Why.IN_DOUBT, (window.doubtful, samples)
        if over and over * PPM * RISK >= allowed:
            return _R, Why.BUDGET_USED, (over, samples)
        return _M, Why.WITHIN, (over, samples)

    def judge(self, now_ns: int, missing: Why | None = None) -> bool:
        """Bring the verdict up to date; return whether it changed. Safe early, late, twice."""
        if now_ns >= self._settle_ns:
            self._settle_ns = now_ns + SETTLE_NS
            self._settle(now_ns)
        found, self.why, self._numbers = self._find(now_ns, missing)
        before = self.verdict
        if found is before:  # what has been found so far is not better for longer than that
            self._rising = None
            return False
        after = TABLE[before, *self._lasting(found, now_ns)]
        if after is not before:
            self.verdict = after
            self.since_ns = now_ns
            self._rising = None
            self._lasting(found, now_ns)  # the next rise has a time of its own
        if self._rising is not None:
            left_ns = self._recover_ns - (now_ns - self._rising_ns)
            self.why = Why.RECOVERING
            self._numbers = (max(0, left_ns) / 1e6,)
        return after is not before

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers behind `why`, by name."""
        return dict(zip(NUMBERS.get(self.why, ()), map(float, self._numbers), strict=True))

    def _lasting(self, finding: Verdict, now_ns: int) -> tuple[Verdict, bool]:
        """Return the finding to go by, and whether it has lasted `recover_s`: while all
        findings are better than the verdict, the worst of them."""
        before = self.verdict
        rises = finding is Verdict.MET if before is Verdict.UNKNOWN else False
        if before is not Verdict.UNKNOWN and finding is not Verdict.UNKNOWN:
            rises = GOODNESS[finding] > GOODNESS[before]
        if not rises:
            self._rising = None
            return finding, False
        if self._rising is None:
            self._rising, self._rising_ns = finding, now_ns
        elif GOODNESS[finding] < GOODNESS[self._rising]:
            self._rising = finding
        return self._rising, now_ns - self._rising_ns >= self._recover_ns

    def view(self) -> ObjectiveView:
        """Return what a console shows; `judge` brings it up to date."""
        objective = self.objective
        uncertainty = self.uncertainty
        return ObjectiveView(
            key=objective.key,
            purpose=objective.purpose,
            indicator=objective.indicator,
            verdict=self.verdict,
            value=_shown(self.value),
            uncertainty=_shown(uncertainty),
            limit=objective.limit,
            share=objective.share,
            window_s=objective.window_s,
            reason=self.why,
            numbers={name: round(number, 1) for name, number in self.numbers.items()},
            since_ns=self.since_ns,
            measured_ns=self.measured_ns,
            budget_left=self._budget_left(),
            burn_short=self._burn(self._short),
            burn_long=self._burn(self._long),
        )

    def _settle(self, now_ns: int) -> None:
        """Bring the two long windows up to date; their slices are seconds wide."""
        good, bad, doubtful = waiting = self._waiting
        self._short.add(good, bad, doubtful, now_ns)
        self._long.add(good, bad, doubtful, now_ns)
        if good or bad or doubtful:
            if self.counts:
                self.good += good
                self.bad += bad
                self.doubtful += doubtful
            waiting[0] = waiting[1] = waiting[2] = 0

    def _burn(self, counts: SlidingCounts) -> float | None:
        samples = counts.samples
        if not samples:
            return None
        if not self._spare_ppm:
            return LARGEST_BURN if counts.bad else 0.0
        return round(counts.bad * PPM / (samples * self._spare_ppm), 3)

    def _budget_left(self) -> float | None:
        burn = self._burn(self._long)
        return None if burn is None else round(max(0.0, 1.0 - burn), 4)


def _shown(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 2)
