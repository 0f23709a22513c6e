"""One camera in several sizes: which feed a watcher gets, on one common timeline.

Each size ("layer") is a `Feed` of its own. All feeds of a camera are laid on *one*
RTP timeline, so that one sender-report mapping holds for the camera whatever layer a
watcher is shown, before and after a switch:

    first packet of a layer   by arrival: another layer's last timestamp plus the time
                              that has passed
    both have sender reports  exactly: the same capture time has the same timestamp
                              (RFC 3550 §6.4.1), because both reports come from one
                              vehicle's wall clock

Worked number: the large layer reports RTP 900 000 at NTP 10.0 s, the small one, as
laid by arrival, 945 900 at 10.5 s. By the large one 10.5 s is 945 000, so the small
one's offset shrinks by 900 ticks: its first packet had come 10 ms late.

A size that has sent nothing for `QUIET_NS` is not chosen: senders switch their large
layers off when the uplink is weak.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, Literal

from supervisor.rtp.feed import Feed

if TYPE_CHECKING:
    from supervisor.rtp.rtcp import SenderReport

Choice = Literal["low", "high", "auto"]
"""Smallest; largest the path carries, at once; the same, beginning with the smallest."""

MAX_LAYERS: Final = 4
"""Sizes of one camera."""

QUIET_NS: Final = 1_000_000_000
RANKS: Final = {"low": 0, "mid": 1, "": 2, "high": 2}
"""Places of layer names that say their size."""

_WINDOW_NS: Final = 1_000_000_000
_SWAP_AFTER: Final = 3
"""Windows in a row in which the assumed order of sizes must be wrong by half."""

_MAX_SHIFT_S: Final = 2
"""A larger disagreement of two reports is a stepped wall clock, not a delay."""

_RESHIFT_PER_S: Final = 100
"""Once aligned, only a disagreement above 1/100 s moves a timeline again."""


class LayerSet:
    """The feeds of one camera (or the one of a sound).

    Attributes:
        feeds: By layer name; "" for a camera that has one size.
    """

    __slots__ = ("_aligned", "_bytes", "_measured_ns", "_rank", "_wrong", "camera", "feeds", "kind")

    def __init__(self, camera: str, kind: str) -> None:
        self.camera = camera
        self.kind = kind
        self.feeds: dict[str, Feed] = {}
        self._rank: dict[str, int] = {}
        self._aligned: set[int] = set()
        self._bytes: dict[str, int] = {}
        self._measured_ns = 0
        self._wrong = 0

    @property
    def layered(self) -> bool:
        """There is something to choose."""
        return len(self.feeds) > 1

    def feed(self, layer: str, rank: int | None = None) -> Feed:
        """Return the feed of one layer, new if need be.

        Args:
            layer: Its name: a RID, or what follows `--` in a sibling's stream id.
            rank: Its place among the sizes, smallest first; None: by its name.
        """
        self._rank[layer] = RANKS.get(layer, 1) if rank is None else rank
        found = self.feeds.get(layer)
        if found is None:
            if len(self.feeds) >= MAX_LAYERS:
                self._forget_one()
            found = self.feeds[layer] = Feed(self.camera, self.kind)
        if self.layered:
            for feed in self.feeds.values():
                feed.group = self
        return found

    def _forget_one(self) -> None:
        """A publisher before this one had other layers: drop the one silent longest."""
        unused = [name for name, feed in self.feeds.items() if not feed.tracks] or list(self.feeds)
        oldest = min(unused, key=lambda name: self.feeds[name].last_ns)
        del self.feeds[oldest]
        self._rank.pop(oldest, None)

    def active(self, now_ns: int) -> list[Feed]:
        """Return the feeds that flow, smallest first; all of them if none does."""
        names = sorted(self.feeds, key=lambda name: self._rank[name])
        flowing = [
            self.feeds[name]
            for name in names
            if self.feeds[name].highest >= 0 and now_ns - self.feeds[name].last_ns < QUIET_NS
        ]
        return flowing or [self.feeds[name] for name in names]

    def choose(self, choice: Choice, reduced: int, now_ns: int) -> Feed:
        """Return the feed for a watcher who wants `choice` and whose path is `reduced` steps."""
        flowing = self.active(now_ns)
        if choice == "low":
            return flowing[0]
        return flowing[max(0, len(flowing) - 1 - reduced)]

    def best(self, now_ns: int) -> Feed:
        """Return the largest feed that flows: what is said of the camera."""
        return self.active(now_ns)[-1]

    # -------------------------------------------------------------- timeline

    def first_timestamp(self, newcomer: Feed, clock_rate: int, now_ns: int) -> int | None:
        """Return where a layer that begins now belongs; None if it is the camera's first."""
        known = [feed for feed in self.feeds.values() if feed is not newcomer and feed.highest >= 0]
        if not known:
            return None
        newest = max(known, key=lambda feed: feed.last_ns)
        elapsed = (now_ns - newest.last_ns) * clock_rate // 1_000_000_000
        return newest.last_timestamp + elapsed

    def correction(self, feed: Feed, moved: SenderReport, clock_rate: int) -> int:
        """Return the ticks by which a feed's timeline is off the camera's; 0: leave it.

        Args:
            feed: Whose report it is.
            moved: The report in the feed's timeline.
        """
        reference = self._reference(feed)
        if reference is None or reference.sender_report is None:
            return 0
        known = reference.sender_report
        ticks = ((moved.ntp - known.ntp) * clock_rate + (1 << 31)) >> 32
        off = (known.rtp + ticks - moved.rtp) & 0xFFFF_FFFF
        if off & 0x8000_0000:
            off -= 1 << 32
        limit = clock_rate // _RESHIFT_PER_S if id(feed) in self._aligned else 1
        if abs(off) > clock_rate * _MAX_SHIFT_S:
            return 0
        self._aligned.add(id(feed))
        return off if abs(off) > limit else 0

    def _reference(self, feed: Feed) -> Feed | None:
        """The largest other layer with a report leads; the largest of all follows nobody."""
        names = sorted(self.feeds, key=lambda name: -self._rank[name])
        for name in names:
            candidate = self.feeds[name]
            if candidate is feed:
                return None
            if candidate.sender_report is not None:
                return candidate
        return None

    def restarted(self, feed: Feed) -> None:
        """Another publisher feeds this layer: its timeline has to be aligned anew."""
        self._aligned.discard(id(feed))

    # ----------------------------------------------------------------- sizes

    def on_time(self, now_ns: int) -> None:
        """Check the assumed order of sizes by what they weigh; cheap to call often.

        The names of RIDs say nothing of sizes (RFC 8853 §5.2 orders them by the
        sender's preference), so a wrong guess is put right after three seconds.
        """
        if not self.layered or now_ns - self._measured_ns < _WINDOW_NS:
            return
        self._measured_ns = now_ns
        weights: dict[str, int] = {}
        for name, feed in self.feeds.items():
            total = feed.source.stats.bytes if feed.source is not None else 0
            weights[name] = max(0, total - self._bytes.get(name, total))
            self._bytes[name] = total
        names = [name for name in sorted(self.feeds, key=lambda n: self._rank[n]) if weights[name]]
        wrong = any(
            weights[smaller] * 2 > weights[larger] * 3
            for smaller, larger in itertools.pairwise(names)
        )
        self._wrong = self._wrong + 1 if wrong else 0
        if self._wrong >= _SWAP_AFTER:
            self._wrong = 0
            places = sorted(self._rank[name] for name in names)
            for place, name in zip(places, sorted(names, key=lambda n: weights[n]), strict=True):
                self._rank[name] = place
