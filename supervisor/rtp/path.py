"""What one watcher's path can carry, judged by his own receiver reports.

Three witnesses, each with its own weight:

    estimate   REMB below 0.8 of what he is sent, and it has just fallen: too much. (An
               estimate that only lags behind a scene which became lively still rises.)
    delay      the round trip 300 ms above its least, in two reports: a queue grows
    loss       a fifth or more lost, in three reports: a smaller layer has a better
               chance to be repaired; but loss alone never stops a picture

`reduced` counts the steps down from what he asked. A step up is tried after a clean
while, which doubles each time the step up failed at once.
"""

from __future__ import annotations

from typing import Final

_BAD_LOSS: Final = 51
"""Of 256."""

_BAD_LOSSES: Final = 3
_BAD_DELAYS: Final = 2
_DELAY_NS: Final = 300_000_000
_FRESH_NS: Final = 3_000_000_000
_SETTLE_NS: Final = 2_000_000_000
"""After a step its effect must show before the next one down."""

_FIRST_CLEAN_NS: Final = 2_000_000_000
_LONGEST_CLEAN_NS: Final = 60_000_000_000
_FAILED_WITHIN_NS: Final = 10_000_000_000
_MIN_RATE_BPS: Final = 50_000
"""Below this rate an estimate says more about the estimator than about the path."""

_FALL: Final = 0.95
"""An estimate that becomes smaller than this share of the last one has fallen."""

_HEADROOM: Final = 0.9


class Path:
    """One watcher's path.

    Attributes:
        reduced: Steps below what he asked for.
        sent_bps: What he was sent in the last second.
        estimate_bps: His newest estimate, None if there is none or it is old.
    """

    __slots__ = (
        "_changed_ns",
        "_clean_ns",
        "_clean_since_ns",
        "_delays",
        "_estimate_ns",
        "_fell_ns",
        "_least_rtt_ns",
        "_losses",
        "_octets",
        "_octets_ns",
        "_reports",
        "_tried_ns",
        "estimate_bps",
        "reduced",
        "sent_bps",
    )

    def __init__(self) -> None:
        self.reduced = 0
        self.sent_bps = 0
        self.estimate_bps: int | None = None
        self._estimate_ns = 0
        self._fell_ns: int | None = None
        self._losses = 0
        self._delays = 0
        self._least_rtt_ns: int | None = None
        self._reports: dict[int, int] = {}
        self._octets = 0
        self._octets_ns: int | None = None
        self._changed_ns = 0
        self._tried_ns: int | None = None
        self._clean_ns = _FIRST_CLEAN_NS
        self._clean_since_ns: int | None = None

    def on_report_sent(self, middle: int, now_ns: int) -> None:
        """Remember when a sender report left: `middle` is what comes back as LSR."""
        self._reports[middle] = now_ns
        while len(self._reports) > 16:
            del self._reports[next(iter(self._reports))]

    def on_reception(self, fraction_lost: int, lsr: int, dlsr: int, now_ns: int) -> None:
        """Take one of his report blocks (RFC 3550 §6.4.1)."""
        self._losses = self._losses + 1 if fraction_lost >= _BAD_LOSS else 0
        sent_ns = self._reports.get(lsr)
        if sent_ns is None or not lsr:
            return
        rtt_ns = now_ns - sent_ns - dlsr * 1_000_000_000 // 65_536
        if rtt_ns < 0:
            return
        if self._least_rtt_ns is None or rtt_ns < self._least_rtt_ns:
            self._least_rtt_ns = rtt_ns
        self._delays = self._delays + 1 if rtt_ns > self._least_rtt_ns + _DELAY_NS else 0

    def on_estimate(self, bits_per_second: int, now_ns: int) -> None:
        """Take his REMB."""
        before = self.estimate_bps
        if before is not None and bits_per_second < before * _FALL:
            self._fell_ns = now_ns
        self.estimate_bps = bits_per_second
        self._estimate_ns = now_ns

    def narrow(self, now_ns: int) -> bool:
        """Tell whether more is sent than estimate or delay say the path carries."""
        estimate = self.estimate_bps
        fell = self._fell_ns is not None and now_ns - self._fell_ns < _FRESH_NS
        if fell and estimate is not None and self.sent_bps > max(_MIN_RATE_BPS, estimate / 0.8):
            return True
        return self._delays >= _BAD_DELAYS

    def budget_bps(self) -> int:
        """Return what may be sent while pictures are left out."""
        if self.estimate_bps is not None:
            return int(self.estimate_bps * _HEADROOM)
        return max(_MIN_RATE_BPS, self.sent_bps // 2)

    def on_time(self, octets: int, most: int, now_ns: int) -> None:
        """Judge; call every 100 ms.

        Args:
            octets: Sent to him in all.
            most: Steps that can be taken down now.
        """
        if self._octets_ns is None:
            self._octets_ns, self._octets = now_ns, octets
        elif now_ns - self._octets_ns >= 1_000_000_000:
            self.sent_bps = (octets - self._octets) * 8_000_000_000 // (now_ns - self._octets_ns)
            self._octets_ns, self._octets = now_ns, octets
        if self.estimate_bps is not None and now_ns - self._estimate_ns > _FRESH_NS:
            self.estimate_bps = None
        narrow = self.narrow(now_ns)
        self.reduced = min(self.reduced, most)
        if narrow or self._losses >= _BAD_LOSSES:
            self._clean_since_ns = None
            last_by_loss = not narrow and self.reduced >= most - 1
            if now_ns - self._changed_ns > _SETTLE_NS and self.reduced < most and not last_by_loss:
                self._step_down(now_ns)
            return
        if self.reduced == 0:
            return
        if self._clean_since_ns is None:
            self._clean_since_ns = now_ns
        elif now_ns - self._clean_since_ns >= self._clean_ns:
            self.reduced -= 1
            self._changed_ns = self._tried_ns = now_ns
            self._clean_since_ns = None

    def _step_down(self, now_ns: int) -> None:
        if self._tried_ns is not None and now_ns - self._tried_ns < _FAILED_WITHIN_NS:
            self._clean_ns = min(self._clean_ns * 2, _LONGEST_CLEAN_NS)
        else:
            self._clean_ns = _FIRST_CLEAN_NS
        self._tried_ns = None
        self.reduced += 1
        self._changed_ns = now_ns
        self._losses = self._delays = 0
