"""What arrives of one camera or microphone, from the media worker's totals."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from protocols.operator import CameraView
from supervisor.core.clocksync import DRIFT_PPM, ClockSync, Mapped
from supervisor.core.events import StreamSample

WINDOW_NS: Final = 1_000_000_000
OLDEST_REPORT_NS: Final = 60_000_000_000
FUTURE_TOLERANCE_NS: Final = 50_000_000
"""A frame may be stamped this much after its sender report left; not more."""


class _Totals(NamedTuple):
    at_ns: int
    packets: int
    lost: int
    bytes: int
    frames: int


class StreamTrack:
    """One stream of one publisher session.

    Attributes:
        last_packet_ns: When the last packet arrived or, where the sample does not say it,
            when packets were last seen to rise; None before.
        last_frame_ns: When the last complete frame arrived; None before.
    """

    __slots__ = (
        "_blocked_ntp",
        "_captured",
        "_history",
        "_rtp",
        "last_frame_ns",
        "last_packet_ns",
        "sample",
    )

    def __init__(self, sample: StreamSample, now_ns: int) -> None:
        self.sample = sample
        self.last_frame_ns = sample.last_frame_ns
        self.last_packet_ns: int | None = sample.last_packet_ns
        if self.last_packet_ns is None and sample.packets:
            self.last_packet_ns = now_ns
        self._history: deque[_Totals] = deque(maxlen=64)
        self._history.append(_totals(sample, now_ns))
        self._rtp: int | None = None
        self._captured: Mapped | None = None
        self._blocked_ntp: int | None = None

    def on_sample(self, sample: StreamSample, now_ns: int) -> None:
        """Take in the next totals; totals that fall begin a new history."""
        old = self.sample
        if sample.packets < old.packets or sample.bytes < old.bytes or sample.frames < old.frames:
            self._history.clear()
            self.last_packet_ns = None
        if sample.last_packet_ns is not None:
            self.last_packet_ns = sample.last_packet_ns
        elif sample.packets > old.packets or (self.last_packet_ns is None and sample.packets):
            self.last_packet_ns = now_ns
        self.sample = sample
        self.last_frame_ns = sample.last_frame_ns
        history = self._history
        history.append(_totals(sample, now_ns))
        while len(history) > 2 and history[1].at_ns <= now_ns - WINDOW_NS:
            history.popleft()

    def map_clock(self, clock: ClockSync, now_ns: int) -> bool:
        """Map the newest sender report; return False when it is implausible."""
        self._captured = self._rtp = None
        sample = self.sample
        if sample.sender_ntp is None or sample.sender_rtp is None:
            return True
        if sample.sender_ntp == self._blocked_ntp:
            return True
        mapped = clock.map_ntp(sample.sender_ntp, now_ns)
        if mapped is None:
            return True
        age_ns = now_ns - mapped.at_ns
        if not -(mapped.uncertainty_ns + FUTURE_TOLERANCE_NS) <= age_ns <= OLDEST_REPORT_NS:
            return False
        self._rtp = sample.sender_rtp
        drift_ns = max(0, age_ns) * DRIFT_PPM // 1_000_000
        self._captured = Mapped(mapped.at_ns, mapped.uncertainty_ns + drift_ns)
        return True

    def distrust_report(self) -> None:
        """The vehicle's wall clock was stepped: wait for the next sender report."""
        self._blocked_ntp = self.sample.sender_ntp
        self._captured = self._rtp = None

    def is_live(self, now_ns: int, live_ns: int) -> bool:
        """Return whether packets arrived within the last `live_ns`."""
        return self.last_packet_ns is not None and now_ns - self.last_packet_ns <= live_ns

    def view(self, now_ns: int, live_ns: int) -> CameraView:
        """Return what a console shows of this stream."""
        live = self.is_live(now_ns, live_ns)
        fps = kbps = loss = 0.0
        first, last = self._history[0], self._history[-1]
        span_s = (last.at_ns - first.at_ns) / 1e9
        if live and span_s > 0:
            fps = (last.frames - first.frames) / span_s
            kbps = (last.bytes - first.bytes) * 8 / 1_000 / span_s
            lost = max(0, last.lost - first.lost)
            came = last.packets - first.packets
            loss = lost / (lost + came) if lost + came else 0.0
        captured = self._captured
        return CameraView(
            name=self.sample.camera,
            kind=self.sample.kind,
            codec=self.sample.codec,
            live=live,
            fps=round(fps, 2),
            kbps=round(kbps, 1),
            loss=round(loss, 5),
            last_frame_ns=self.last_frame_ns,
            clock_rtp=self._rtp,
            clock_captured_ns=None if captured is None else captured.at_ns,
            clock_uncertainty_ns=None if captured is None else captured.uncertainty_ns,
            arrival_ms=self._arrival_ms(),
            forward_ms=self.sample.forward_ms,
        )

    def _arrival_ms(self) -> float | None:
        """Capture to complete arrival of the newest whole frame; None while unknown."""
        sample, captured = self.sample, self._captured
        if captured is None or self._rtp is None:
            return None
        if sample.arrived_rtp is None or sample.arrived_ns is None:
            return None
        ticks = (sample.arrived_rtp - self._rtp) & 0xFFFF_FFFF
        if ticks & 0x8000_0000:
            ticks -= 1 << 32
        captured_ns = captured.at_ns + ticks * 1_000_000_000 // sample.clock_rate
        return round((sample.arrived_ns - captured_ns) / 1e6, 2)


def _totals(sample: StreamSample, now_ns: int) -> _Totals:
    return _Totals(now_ns, sample.packets, sample.lost, sample.bytes, sample.frames)
