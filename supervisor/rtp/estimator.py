"""How much a publisher's uplink carries, from when its packets arrive.

For every publisher. Those that estimate themselves get transport-wide feedback too, and
take this as a cap: libwebrtc goes down to 85 % of what arrives and lets a queue of
seconds drain at the rest. What is watched is the *queue* in front of the bottleneck: the
delay of the newest packet above the least delay of the last half minute. Only
differences are used, so the clocks need not agree.

    queue over 100 ms, three samples in a row    cut: what arrives *is* the capacity
        150 ms   95 % of it                           (the knee); send less than that, the
        500 ms   17 %                                 less the longer the queue, so that a
        1 s      10 %                                 second's worth is gone in about one
    queue over 50 ms, and half arrives          the same, after two
    queue under 40 ms again                      go on at 90 % of the knee
    queue under 50 ms                            grow: 12 % a second near the knee,
                                                 50 % a second away from it
    much lost without a queue                    cut to what arrives, once; if as much is
                                                 lost then, the loss is the radio's and
                                                 sending less does not help

The shape is GCC's (draft-ietf-rmcat-gcc-02): increase, hold, decrease to a share of
what arrives. It differs in watching the queue itself and not its gradient, because
a limit of 500 ms is asked of us, and in cutting below the capacity in proportion to
the queue, because at 1 Mbit/s a queue made at 8 drains for ever at 85 %.
"""

from __future__ import annotations

from collections import deque
from typing import Final

OVER_NS: Final = 100_000_000
CALM_NS: Final = 50_000_000
CLEAR_NS: Final = 40_000_000
SAMPLES: Final = 3
"""Samples in a row that must agree: a stall of either machine makes one, not three."""

WINDOW_NS: Final = 15_000_000_000
"""Half of the time for which the least delay is remembered."""

RATE_NS: Final = 100_000_000
STALL_NS: Final = 100_000_000
"""Without any packet for so long, what arrived before says nothing of what comes."""

FOLLOWS_NS: Final = 100_000_000
"""Until what arrives was sent at the new rate, beyond the queue it stood in. Up to then
the queue is longer than its delay tells: what was sent since is in it, at the old rate."""

STUCK_NS: Final = 2_000_000_000
"""A queue that cuts do not shorten for so long is no queue but a longer way."""

NEAR: Final = (0.75, 1.2)
"""Around the knee growth is careful."""

CAREFUL_PER_S: Final = 0.12
FAST_PER_S: Final = 0.5
KNEE_NS: Final = 20_000_000_000
HEADROOM: Final = 3.0
"""Growth ends at so many times what arrives: more would be a guess."""

LOSS_NS: Final = 500_000_000
LOSS_HIGH: Final = 0.15
LOSS_IGNORED_NS: Final = 10_000_000_000

MIN_BPS: Final = 100_000


class PathDelay:
    """Delay of one stream's packets above their least delay.

    Args:
        bits: Width of the sender's timestamp before it wraps.
        ticks_per_s: Its unit.
    """

    __slots__ = ("_before_ns", "_least_ns", "_since_ns", "_stamp", "_ticks_per_s", "bits")

    def __init__(self, bits: int, ticks_per_s: int) -> None:
        self.bits = bits
        self._ticks_per_s = ticks_per_s
        self._stamp: int | None = None
        self._least_ns = self._before_ns = 0
        self._since_ns = 0

    def queue_ns(self, stamp: int, arrived_ns: int) -> int:
        """Return the delay above the least one, for one packet.

        Args:
            stamp: The sender's clock when it was sent (or captured), wrapping.
        """
        half = 1 << self.bits - 1
        known = self._stamp
        if known is not None:
            stamp = known + ((stamp - known + half) & (2 * half - 1)) - half
        transit_ns = arrived_ns - stamp * 1_000_000_000 // self._ticks_per_s
        if known is None:
            self._least_ns = self._before_ns = transit_ns
            self._since_ns = arrived_ns
        elif arrived_ns - self._since_ns > WINDOW_NS:
            self._before_ns, self._least_ns = self._least_ns, transit_ns
            self._since_ns = arrived_ns
        self._stamp = stamp
        if transit_ns < self._least_ns:
            self._least_ns = transit_ns
        return transit_ns - min(self._least_ns, self._before_ns)

    def restart(self) -> None:
        """Forget the least delay: the way is another one."""
        self._stamp = None


class UplinkEstimator:
    """Rate control of one publisher's uplink; call `on_time` every 20 ms.

    Attributes:
        bps: The estimate, bit/s.
        queue_ns: Least of the newest samples.
        moved: The way became longer; the caller restarts its `PathDelay`s and clears it.
    """

    __slots__ = (
        "_began_ns",
        "_bytes",
        "_cutting_ns",
        "_knee",
        "_knee_ns",
        "_last_ns",
        "_loss_before",
        "_loss_cut",
        "_loss_ignored_ns",
        "_loss_ns",
        "_quiet_ns",
        "_samples",
        "_sent_bps",
        "_stuck_queue_ns",
        "bps",
        "max_bps",
        "moved",
        "queue_ns",
    )

    def __init__(self, max_bps: int) -> None:
        self.max_bps = max_bps
        self.bps = max_bps
        self.queue_ns = 0
        self.moved = False
        self._samples: deque[int] = deque(maxlen=SAMPLES)
        self._bytes: deque[tuple[int, int]] = deque(maxlen=64)
        self._last_ns: int | None = None
        self._quiet_ns = 0
        self._cutting_ns: int | None = None
        self._stuck_queue_ns = 0
        self._began_ns = 0
        self._sent_bps = 0
        self._knee = 0
        self._knee_ns = 0
        self._loss_ns = 0
        self._loss_before = (0, 0)
        self._loss_cut: tuple[float, int] | None = None
        self._loss_ignored_ns: int | None = None

    def on_time(
        self, now_ns: int, queue_ns: int | None, received: int, packets: int, lost: int
    ) -> int:
        """Take in what arrived since the last call; return the estimate, bit/s.

        Args:
            queue_ns: Delay of the newest packet above the least; None if none came.
            received: Total bytes.
            packets, lost: Totals, for the loss.
        """
        if queue_ns is None:
            return self.bps
        elapsed_ns = 0 if self._last_ns is None else now_ns - self._last_ns
        self._last_ns = now_ns
        self._note(now_ns, received)
        samples = self._samples
        samples.append(queue_ns)
        self.queue_ns = min(samples)
        at_ease = queue_ns <= CALM_NS and self.bps == self.max_bps and self._cutting_ns is None
        if len(samples) < SAMPLES or (at_ease and now_ns - self._loss_ns < LOSS_NS):
            return self.bps
        newest_ns = min(samples[-1], samples[-2])
        collapsed = newest_ns > CALM_NS and self._collapsed()
        if collapsed or self.queue_ns > OVER_NS:
            if collapsed:
                self.queue_ns = newest_ns
            self._cut(now_ns)
        else:
            if self._cutting_ns is not None and self.queue_ns < CLEAR_NS:
                self._cutting_ns = None
                self.bps = max(self.bps, self._knee * 9 // 10)
            growing = self._judge_loss(now_ns, packets, lost)
            if growing and self._cutting_ns is None and self.queue_ns < CALM_NS:
                self._grow(now_ns, min(elapsed_ns, STALL_NS))
        self.bps = max(MIN_BPS, min(self.bps, self.max_bps))
        return self.bps

    def _note(self, now_ns: int, received: int) -> None:
        rates = self._bytes
        if rates and now_ns - self._quiet_ns > STALL_NS:
            rates.clear()
            self._samples.clear()
        self._quiet_ns = now_ns
        rates.append((now_ns, received))

    def _rate(self, span_ns: int) -> int | None:
        """Return bit/s of about the last `span_ns`, None if too little is known."""
        now_ns, received = self._bytes[-1]
        since_ns, before = next(
            (entry for entry in reversed(self._bytes) if now_ns - entry[0] >= span_ns),
            self._bytes[0],
        )
        spent_ns = now_ns - since_ns
        if spent_ns < span_ns // 4:
            return None
        return (received - before) * 8_000_000_000 // spent_ns

    def _collapsed(self) -> bool:
        """Tell whether suddenly less than half arrives."""
        rate, usual = self._rate(RATE_NS), self._rate(10 * RATE_NS)
        return rate is not None and usual is not None and 2 * rate < usual

    def _cut(self, now_ns: int) -> None:
        rate = self._rate(RATE_NS)
        if rate is None:
            return
        if self._cutting_ns is None:
            self._began_ns = now_ns
            self._sent_bps = self._rate(10 * RATE_NS) or rate
        if self._cutting_ns is None or self.queue_ns < self._stuck_queue_ns * 4 // 5:
            self._cutting_ns = now_ns
            self._stuck_queue_ns = self.queue_ns
        elif now_ns - self._cutting_ns > STUCK_NS:
            self._cutting_ns = None
            self._samples.clear()
            self.moved = True
            return
        queue_ns = self.queue_ns
        if now_ns - queue_ns < self._began_ns + FOLLOWS_NS:
            queue_ns = queue_ns * max(self._sent_bps, rate) // max(rate, MIN_BPS // 10)
        share = 95 - max(0, queue_ns - 150_000_000) // 4_500_000
        # A queue that empties lets less through than the way carries.
        settled = now_ns - self._began_ns > 2 * RATE_NS
        self._knee = max(self._knee, rate) if settled else rate
        self._knee_ns = now_ns
        self.bps = min(self.bps, rate * max(share, 10) // 100)

    def _grow(self, now_ns: int, elapsed_ns: int) -> None:
        if self.bps >= self.max_bps:
            return
        rate = self._rate(10 * RATE_NS)
        if rate is None or self.bps > HEADROOM * rate:
            return
        known = self._knee and now_ns - self._knee_ns < KNEE_NS
        near = known and NEAR[0] * self._knee < self.bps < NEAR[1] * self._knee
        per_s = CAREFUL_PER_S if near else FAST_PER_S
        self.bps += int(self.bps * per_s * elapsed_ns / 1e9) + 1

    def _judge_loss(self, now_ns: int, packets: int, lost: int) -> bool:
        """Cut if much is lost; return whether the rate may grow."""
        if now_ns - self._loss_ns < LOSS_NS:
            return self._loss_cut is None
        came = packets - self._loss_before[0]
        missed = lost - self._loss_before[1]
        self._loss_ns = now_ns
        self._loss_before = (packets, lost)
        if came + missed < 20:
            return True
        ratio = missed / (came + missed)
        ignored = self._loss_ignored_ns is not None and (
            now_ns - self._loss_ignored_ns < LOSS_IGNORED_NS
        )
        if ratio < LOSS_HIGH or ignored:
            self._loss_cut = None
            return True
        rate = self._rate(RATE_NS)
        if self._loss_cut is not None and ratio > 0.7 * self._loss_cut[0]:
            self.bps = max(self.bps, self._loss_cut[1])
            self._loss_cut = None
            self._loss_ignored_ns = now_ns
        elif rate is not None:
            self._loss_cut = (ratio, self.bps)
            self.bps = min(self.bps, rate * 9 // 10)
        return False
