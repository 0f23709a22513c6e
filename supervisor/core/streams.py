"""What arrives of one camera or microphone, from the media worker's totals."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from protocols.operator import CameraView
from supervisor.core.clocksync import DRIFT_PPM, ClockSync, Mapped
from supervisor.core.events import StreamSample
from supervisor.core.freeze import ContentWatch

WINDOW_NS: Final = 1_000_000_000
ARRIVAL_FRESH_NS: Final = 2_000_000_000
KEPT_ARRIVALS: Final = 20
"""Frames whose age at the hub is remembered: two seconds of samples."""
OLDEST_REPORT_NS: Final = 60_000_000_000
FUTURE_TOLERANCE_NS: Final = 50_000_000
"""A frame may be stamped this much after its sender report left; not more."""


class _Totals(NamedTuple):
    at_ns: int
    packets: int
    lost: int
    bytes: int
    frames: int
    lost_for_good: int


class Losses(NamedTuple):
    """Packets of the last second.

    Attributes:
        came: Arrived in the first place.
        lost: Did not, before repair.
        lost_for_good: Were given up.
    """

    came: int
    lost: int
    lost_for_good: int


NOTHING: Final = Losses(0, 0, 0)


class Arrival(NamedTuple):
    """Capture to complete arrival at the hub.

    Attributes:
        ms: Median of the frames looked at during the last second.
        least_ms: The least of the last frames looked at.
        uncertainty_ms: Half-width of the error bar of both.
    """

    ms: float
    least_ms: float
    uncertainty_ms: float


class StreamTrack:
    """One stream of one publisher session.

    Attributes:
        last_packet_ns: When the last packet arrived or, where the sample does not say it,
            when packets were last seen to rise; None before.
        last_frame_ns: When the last complete frame arrived; None before.
    """

    __slots__ = (
        "_arrivals",
        "_captured",
        "_content",
        "_history",
        "_rtp",
        "_used",
        "_waiting",
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
        self._used: tuple[int, int] | None = None  # (NTP, RTP) of the report in use
        self._waiting: tuple[int, int] | None = None  # of one not confirmed yet
        self._content = ContentWatch()
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=KEPT_ARRIVALS)

    def on_sample(self, sample: StreamSample, now_ns: int, moved_s: float = 0.0) -> None:
        """Take in the next totals; totals that fall begin a new history. `moved_s`: for how
        long the vehicle has been moving; 0: it stands, or nobody knows."""
        old = self.sample
        if sample.packets < old.packets or sample.bytes < old.bytes or sample.frames < old.frames:
            self._history.clear()
            self.last_packet_ns = None
        elif sample.kind == "video":
            self._content.on_sample(
                sample.bytes - old.bytes,
                sample.frames - old.frames,
                sample.keyframes - old.keyframes,
                moved_s,
            )
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
        """Map the newest confirmed sender report; return False when one is implausible."""
        self._captured = self._rtp = None
        sample = self.sample
        plausible = True
        newest = mapped = None
        if sample.sender_ntp is not None and sample.sender_rtp is not None:
            newest = (sample.sender_ntp, sample.sender_rtp)
            mapped = clock.map_ntp(newest[0], now_ns)
            plausible = mapped is None or _is_plausible(mapped, now_ns)
            # One waits for its heartbeat at a time: reports may come faster than beats.
            if self._waiting is None and mapped is not None and plausible and newest != self._used:
                self._waiting = newest
        if self._waiting is not None:
            confirmed = clock.confirms(self._waiting[0])
            if confirmed:
                self._used = self._waiting
            if confirmed is not None:
                self._waiting = None
        if self._used is None:
            return plausible
        ntp, rtp = self._used
        if not clock.confirms(ntp):
            self._used = None
            return plausible
        if self._used != newest:
            mapped = clock.map_ntp(ntp, now_ns)
        if mapped is None:
            return plausible
        if not _is_plausible(mapped, now_ns):
            return False
        self._rtp = rtp
        drift_ns = max(0, now_ns - mapped.at_ns) * DRIFT_PPM // 1_000_000
        self._captured = Mapped(mapped.at_ns, mapped.uncertainty_ns + drift_ns)
        self._note_arrival()
        return plausible

    def distrust_report(self) -> None:
        """The vehicle's wall clock was stepped: wait for a confirmed sender report."""
        self._used = self._waiting = None
        self._captured = self._rtp = None
        self._arrivals.clear()

    def arrival(self, now_ns: int) -> Arrival | None:
        """Return how old frames were when they had reached the hub; None: not known."""
        arrivals, captured = self._arrivals, self._captured
        if not arrivals or captured is None:
            return None
        if now_ns - arrivals[-1][0] > ARRIVAL_FRESH_NS:
            return None
        recent = [age for at_ns, age in arrivals if arrivals[-1][0] - at_ns <= WINDOW_NS]
        return Arrival(
            sorted(recent)[len(recent) // 2],
            min(age for _, age in arrivals),
            captured.uncertainty_ns / 1e6,
        )

    def _note_arrival(self) -> None:
        """Note how old the newest frame was when it was complete here."""
        sample, captured, rtp = self.sample, self._captured, self._rtp
        at_ns, frame_rtp = sample.arrived_ns, sample.arrived_rtp
        if captured is None or rtp is None or at_ns is None or frame_rtp is None:
            return
        if self._arrivals and self._arrivals[-1][0] == at_ns:
            return
        ticks = (frame_rtp - rtp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        age_ns = at_ns - captured.at_ns - ticks * 1_000_000_000 // sample.clock_rate
        if -captured.uncertainty_ns <= age_ns <= OLDEST_REPORT_NS:
            self._arrivals.append((at_ns, age_ns / 1e6))

    @property
    def repeats_one_picture(self) -> bool:
        """Frames come, but show one picture although the vehicle moves."""
        return self._content.frozen

    def rates(self, now_ns: int, live_ns: int) -> tuple[float, float]:
        """Return frames a second and kbit/s over the last second; 0 when it is not live."""
        first, last = self._history[0], self._history[-1]
        span_s = (last.at_ns - first.at_ns) / 1e9
        if span_s <= 0 or not self.is_live(now_ns, live_ns):
            return 0.0, 0.0
        return (
            (last.frames - first.frames) / span_s,
            (last.bytes - first.bytes) * 8 / 1_000 / span_s,
        )

    def losses(self) -> Losses:
        """Return what came and what did not over the last second."""
        first, last = self._history[0], self._history[-1]
        return Losses(
            last.packets - first.packets,
            max(0, last.lost - first.lost),
            max(0, last.lost_for_good - first.lost_for_good),
        )

    def is_live(self, now_ns: int, live_ns: int) -> bool:
        """Return whether packets arrived within the last `live_ns`."""
        return self.last_packet_ns is not None and now_ns - self.last_packet_ns <= live_ns

    def view(self, now_ns: int, live_ns: int, encode_ms: float | None = None) -> CameraView:
        """Return what a console shows of this stream; `encode_ms` as the vehicle says."""
        live = self.is_live(now_ns, live_ns)
        fps, kbps = self.rates(now_ns, live_ns)
        came, lost, _ = self.losses() if live else NOTHING
        loss = lost / (lost + came) if lost + came else 0.0
        captured = self._captured
        arrival = self.arrival(now_ns)
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
            forward_ms=self.sample.forward_ms,
            width=self.sample.width,
            height=self.sample.height,
            encode_ms=encode_ms,
            arrival_ms=None if arrival is None else round(arrival.ms, 2),
        )


def _is_plausible(mapped: Mapped, now_ns: int) -> bool:
    age_ns = now_ns - mapped.at_ns
    return -(mapped.uncertainty_ns + FUTURE_TOLERANCE_NS) <= age_ns <= OLDEST_REPORT_NS


def _totals(sample: StreamSample, now_ns: int) -> _Totals:
    return _Totals(
        now_ns, sample.packets, sample.lost, sample.bytes, sample.frames, sample.lost_for_good
    )
