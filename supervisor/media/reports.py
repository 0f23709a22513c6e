"""One report of a camera that is sent in several sizes.

Nobody outside the media plane knows layers: packets, bytes and losses are those of
all sizes together, pictures those of the largest size that flows at the moment.
"""

from __future__ import annotations

from typing import Final

import msgspec

from supervisor.core.events import StreamSample
from supervisor.rtp.feed import Feed
from supervisor.rtp.layers import LayerSet

_SUMMED: Final = ("packets", "bytes", "lost", "lost_for_good", "repaired", "duplicates")


class LayeredReport:
    """Totals of one camera of one publisher session, which never go back."""

    def __init__(self, layers: LayerSet) -> None:
        self._layers = layers
        self._frames = 0
        self._keyframes = 0
        self._seen: dict[int, tuple[int, int]] = {}

    def merge(self, entries: list[tuple[Feed, StreamSample]], now_ns: int) -> StreamSample:
        """Return one report of the newest reports of all layers.

        Args:
            entries: At least one, each of another layer.
            now_ns: When the publisher's newest packet came: a silent publisher must
                not look as if its small layer alone had remained.
        """
        best = self._layers.best(now_ns)
        main = next((report for feed, report in entries if feed is best), entries[0][1])
        timed = main if main.sender_ntp is not None else None
        for feed, report in entries:
            frames, keyframes = self._seen.get(id(feed), (0, 0))
            if report is main:
                self._frames += max(0, report.frames - frames)
                self._keyframes += max(0, report.keyframes - keyframes)
            self._seen[id(feed)] = (report.frames, report.keyframes)
            if timed is None and report.sender_ntp is not None:
                timed = report
        return msgspec.structs.replace(
            main,
            **{name: sum(getattr(report, name) for _, report in entries) for name in _SUMMED},
            frames=self._frames,
            keyframes=self._keyframes,
            sender_rtp=None if timed is None else timed.sender_rtp,
            sender_ntp=None if timed is None else timed.sender_ntp,
        )
