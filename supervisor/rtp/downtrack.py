"""One watcher's side of a feed: what changes in a packet for him, and nothing else.

Changed: SSRC, payload type and the sequence number by a constant offset, so that a
watcher's numbers begin in the lower half of their range: a receiver that misses the
first packets just before a wrap would guess the wrong SRTP rollover counter and
hear nothing ever after (RFC 3711 §3.3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from supervisor.rtp.codec import Codec, match
from supervisor.rtp.rtcp import SenderReport
from supervisor.rtp.squeeze import Squeeze

if TYPE_CHECKING:
    from supervisor.rtp.cache import Outgoing
    from supervisor.rtp.feed import Feed

RETRANSMISSIONS_PER_INTERVAL: Final = 200
"""Packets one watcher may get again between two calls of `on_interval` (100 ms), if he
has saved them up: an outage of 200 ms at 8 Mbit/s."""

RETRANSMITTED_SHARE: Final = 0.3
"""Of what he is sent; so much is saved. On a link that is too small every packet sent
again displaces another one, and what it displaces is asked for again."""

LEAST_PER_INTERVAL: Final = 2

NOT_BEFORE_NS: Final = 15_000_000
"""The same packet is not sent again within this time: NACKs cross on the way."""

AGAIN_NS: Final = 1_000_000_000
"""Asked again within this time, what was sent again is lost too: it goes out twice."""

MAX_RESENT: Final = 1_024
"""Packets sent again that are remembered."""

SQUEEZE_INTERVALS: Final = 40
"""Intervals for which changed timestamps are remembered: longer than repairs take."""


class DownTrack:
    """State of one feed towards one watcher.

    Attributes:
        sequence_offset: Added to the feed's sequence number.
        started_at: First sequence number of the feed that he gets; None before.
        payload_types: Publisher's payload type to (his, his RTX), or None.
        target: The feed whose next keyframe he waits for; None: none.
        target_from: That keyframe's sequence number is at least this.
        last_sequence, last_timestamp: What he got last, while he is on no feed.
        squeeze: Timestamps being changed behind a switch; None almost always.
        switches: How often he changed feeds.
    """

    __slots__ = (
        "_budget",
        "_counted",
        "_resent_ns",
        "_squeeze_left",
        "codecs",
        "feed",
        "first_sequence",
        "last_sequence",
        "last_timestamp",
        "octets",
        "packets",
        "payload_types",
        "retransmitted",
        "rtx_sequence",
        "rtx_ssrc",
        "sequence_offset",
        "squeeze",
        "ssrc",
        "started_at",
        "switches",
        "target",
        "target_from",
        "unmatched",
    )

    def __init__(
        self,
        feed: Feed,
        ssrc: int,
        codecs: list[Codec],
        *,
        rtx_ssrc: int | None = None,
        first_sequence: int = 1,
    ) -> None:
        self.feed = feed
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.codecs = codecs
        self.first_sequence = first_sequence & 0x7FFF
        self.sequence_offset = 0
        self.started_at: int | None = None
        self.payload_types: dict[int, tuple[int, int | None] | None] = {}
        self.packets = 0
        self.octets = 0
        self.unmatched = 0
        self.retransmitted = 0
        self.rtx_sequence = self.first_sequence
        self.target: Feed | None = None
        self.target_from = 0
        self.last_sequence: int | None = None
        self.last_timestamp: int | None = None
        self.squeeze: Squeeze | None = None
        self.switches = 0
        self._squeeze_left = 0
        self._budget = float(RETRANSMISSIONS_PER_INTERVAL)
        self._counted = 0
        self._resent_ns: dict[int, int] = {}

    def on_source_changed(self) -> None:
        """Another publisher: its payload types mean something else."""
        self.payload_types.clear()

    def start(self, sequence: int) -> None:
        """The first packet he gets has this sequence number in the feed."""
        self.started_at = sequence
        self.sequence_offset = self.first_sequence - sequence

    def payload_type(self, publisher: int) -> tuple[int, int | None] | None:
        """Return his (payload type, RTX payload type) for a publisher's, None if none fits."""
        found = self.payload_types.get(publisher, False)
        if found is not False:
            return found  # type: ignore[return-value]
        source = self.feed.source
        codec = source.codecs.get(publisher) if source is not None else None
        chosen = match(codec, self.codecs) if codec is not None else None
        result = None if chosen is None else (chosen.payload_type, chosen.rtx)
        self.payload_types[publisher] = result
        return result

    def hold_time(self, last: int) -> None:
        """Let nothing that he gets from now on have a timestamp up to `last` (see `switch`)."""
        self.squeeze = Squeeze(last)
        self._squeeze_left = SQUEEZE_INTERVALS

    def squeezed(self, batch: list[Outgoing]) -> list[Outgoing]:
        """Return a batch with his timestamps; call only while `squeeze` is there."""
        if self.squeeze is None:
            return batch
        batch, over = self.squeeze.apply(batch)
        if over and not self.squeeze.given:
            self.squeeze = None
        return batch

    def on_interval(self) -> None:
        """Give back the retransmission budget; call every 100 ms."""
        if self.squeeze is not None:
            self._squeeze_left -= 1
            if self._squeeze_left <= 0:
                self.squeeze = None
        earned = max(LEAST_PER_INTERVAL, RETRANSMITTED_SHARE * (self.packets - self._counted))
        self._counted = self.packets
        self._budget = min(self._budget + earned, RETRANSMISSIONS_PER_INTERVAL)
        if self._resent_ns:
            self._forget()

    def _forget(self) -> None:
        """Forget what was sent again long ago; it is in the order of sending."""
        resent = self._resent_ns
        before_ns = next(reversed(resent.values())) - AGAIN_NS
        for sequence in [number for number, at_ns in resent.items() if at_ns < before_ns]:
            del resent[sequence]
        while len(resent) > MAX_RESENT:
            del resent[next(iter(resent))]

    def repair(self, sequence: int, now_ns: int) -> list[Outgoing]:
        """Return the packet he lost, if it is his, still there and within the budget.

        Asked for again it is there twice: what was sent again was lost as well, and the
        next time would be a round trip later.
        """
        if self.started_at is None or self._budget < 1:
            return []
        packet = self.feed.find((sequence - self.sequence_offset) & 0xFFFF)
        if packet is None or packet.sequence < self.started_at:
            return []
        before_ns = self._resent_ns.pop(packet.sequence, None)
        if before_ns is not None and now_ns - before_ns < NOT_BEFORE_NS:
            self._resent_ns[packet.sequence] = before_ns
            return []
        self._resent_ns[packet.sequence] = now_ns
        again = before_ns is not None and now_ns - before_ns < AGAIN_NS
        copies = 2 if again and self._budget > RETRANSMISSIONS_PER_INTERVAL // 2 else 1
        self._budget -= copies
        self.retransmitted += copies
        if self.squeeze is not None:
            given = self.squeeze.given.get(packet.timestamp, packet.timestamp)
            packet = packet._replace(timestamp=given)
        return [packet] * copies

    def sender_report(self, report: SenderReport) -> SenderReport:
        """Return the feed's sender report as his: own SSRC and counts, same clock pair."""
        return SenderReport(self.ssrc, report.ntp, report.rtp, self.packets, self.octets)
