"""A feed: one camera of one vehicle, longer-lived than its publisher.

A publisher that dials again comes with a new SSRC, other sequence numbers and
another timestamp origin. Watchers must not notice: the feed has a timeline of its
own, and each publisher stream is laid on it by two offsets.

    first publisher     offsets 0: the feed's timeline *is* the publisher's
    each later one      sequence: directly after the last packet forwarded;
                        timestamp: the last one plus the time that has passed since,
                        at least one tick, so that players wait neither too long nor
                        see time stand still

Sender reports go through the same timestamp offset, so `sender_rtp`/`sender_ntp`
always hold in the timeline that watchers see. Header extensions and CSRCs are left
behind: their ids were negotiated with the publisher alone, and a MID meant for us
would misroute at a watcher. Dropping them costs nothing, as the header is rewritten
anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.rtp.asker import KeyframeAsker
from supervisor.rtp.cache import Outgoing, PacketCache
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.rtcp import SenderReport
from supervisor.rtp.sequence import unwrap16

if TYPE_CHECKING:
    from supervisor.rtp.inbound import Inbound
    from supervisor.rtp.layers import LayerSet


class Feed:
    """What watchers subscribe to.

    Attributes:
        tracks: One per watcher.
        batch: Packets received since `take` was last called, in order of arrival.
        highest: Newest sequence number forwarded, unwrapped; -1 before the first.
        source: The publisher stream that feeds it now.
        group: The camera's layers, if this is one of several.
        keyframe_sequence, keyframe_ns: First packet of the newest keyframe and when it
            came; -1 before the first.
        last_timestamp, last_ns: Of the newest packet.
    """

    __slots__ = (
        "batch",
        "cache",
        "camera",
        "group",
        "highest",
        "keyframe_ns",
        "keyframe_sequence",
        "keyframes",
        "kind",
        "last_ns",
        "last_timestamp",
        "sender_report",
        "source",
        "tracks",
    )

    def __init__(self, camera: str, kind: str) -> None:
        self.camera = camera
        self.kind = kind
        self.tracks: list[DownTrack] = []
        self.batch: list[Outgoing] = []
        self.cache = PacketCache()
        self.keyframes = KeyframeAsker()
        self.highest = -1
        self.source: Inbound | None = None
        self.sender_report: SenderReport | None = None
        self.group: LayerSet | None = None
        self.keyframe_sequence = -1
        self.keyframe_ns = 0
        self.last_timestamp = 0
        self.last_ns = 0

    def join(self, track: DownTrack) -> None:
        """Let a watcher in; a picture needs a keyframe to begin with."""
        self.tracks.append(track)
        if self.kind == "video":
            self.keyframes.ask()

    def leave(self, track: DownTrack) -> None:
        """Let a watcher go."""
        if track in self.tracks:
            self.tracks.remove(track)

    def lay(self, source: Inbound, sequence: int, timestamp: int, now_ns: int) -> tuple[int, int]:
        """Return the (sequence, timestamp) offsets for a new source's first packet."""
        previous = self.source
        self.source = source
        self.sender_report = None
        for track in self.tracks:
            track.on_source_changed()
        if self.group is not None:
            self.group.restarted(self)
        if previous is None and self.highest < 0:
            if self.group is None:
                return (0, 0)
            begin = self.group.first_timestamp(self, source.clock_rate, now_ns)
            return (0, 0 if begin is None else begin - timestamp)
        elapsed = max(1, (now_ns - self.last_ns) * source.clock_rate // 1_000_000_000)
        if self.kind == "video":
            self.keyframes.ask()
        return (self.highest + 1 - sequence, self.last_timestamp + elapsed - timestamp)

    def on_timeline_moved(self, ticks: int) -> None:
        """What follows has other timestamps; watchers must not see time go back."""
        for track in self.tracks:
            track.hold_time(self.last_timestamp)
        self.last_timestamp = (self.last_timestamp + ticks) & 0xFFFF_FFFF

    def push(self, packets: Outgoing, now_ns: int) -> None:
        """Take packets that are already in the feed's timeline."""
        newest = packets.sequence + len(packets.payloads) - 1
        if newest > self.highest:
            self.highest = newest
            self.last_timestamp = packets.timestamp
            self.last_ns = now_ns
        self.cache.add(packets)
        self.batch.append(packets)

    def take(self) -> list[Outgoing]:
        """Return the packets to forward now and begin a new batch."""
        batch = self.batch
        self.batch = []
        return batch

    def find(self, sequence: int) -> Outgoing | None:
        """Return a cached packet by the lower 16 bits of its sequence number."""
        if self.highest < 0:
            return None
        return self.cache.get(unwrap16(sequence, self.highest))
