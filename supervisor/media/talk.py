"""The operator's voice to the vehicle's speaker, one operator at a time.

The floor is his who speaks first; it is free again after a second of silence or when
he leaves. What everybody else sends meanwhile is dropped and counted. The vehicle sees
one stream that goes on, whoever speaks: each operator's stream is laid on one `Feed`,
as each publisher's is on a camera's.
"""

from __future__ import annotations

from typing import Final

from protocols.codec import ProtocolError
from supervisor.media.peer import Publisher, Watcher
from supervisor.rtp.cache import Outgoing
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.packet import parse_rtp

SILENCE_NS: Final = 1_000_000_000
MAX_TALK_SSRCS: Final = 4
"""Streams one operator may use in a session."""


class Floor:
    """Who speaks to one vehicle."""

    __slots__ = ("_heard_ns", "feed", "holder", "listener", "track")

    def __init__(self) -> None:
        self.feed = Feed("talk", "audio")
        self.holder: Watcher | None = None
        self.listener: Publisher | None = None
        self.track: DownTrack | None = None
        self._heard_ns = 0

    def listen(self, vehicle: Publisher) -> None:
        """A session of the vehicle that takes a voice: the newest gets it."""
        spec = vehicle.spec.talk
        if spec is None:
            return
        if self.track is not None:
            self.feed.leave(self.track)
        self.listener = vehicle
        self.track = DownTrack(
            self.feed, spec.ssrc, spec.codecs, first_sequence=spec.first_sequence
        )
        self.feed.join(self.track)

    def leave(self, peer: Publisher | Watcher) -> None:
        """Forget a session."""
        if self.holder is peer:
            self.holder = None
        if self.listener is peer and self.track is not None:
            self.feed.leave(self.track)
            self.listener = self.track = None

    def hear(self, watcher: Watcher, data: bytes, now_ns: int) -> list[Outgoing]:
        """Take one RTP packet of an operator; return what goes to the vehicle.

        Raises:
            ProtocolError: `malformed`; `unknown_type`, `ssrc_cap`; `busy`: somebody
                else speaks; `unheard`: the vehicle does not listen now.
        """
        header = parse_rtp(data)
        inbound = watcher.talking.get(header.ssrc)
        if inbound is None:
            if not any(codec.payload_type == header.payload_type for codec in watcher.spec.talk):
                raise ProtocolError("unknown_type", "not the negotiated sound")
            if len(watcher.talking) >= MAX_TALK_SSRCS:
                raise ProtocolError("ssrc_cap", f"{MAX_TALK_SSRCS} streams already")
            inbound = Inbound(self.feed, header.ssrc, watcher.spec.talk)
            watcher.talking[header.ssrc] = inbound
        if self.track is None:
            raise ProtocolError("unheard", "the vehicle does not listen")
        if self.holder is not watcher:
            if self.holder is not None and now_ns - self._heard_ns < SILENCE_NS:
                raise ProtocolError("busy", "somebody else speaks")
            self.holder = watcher
        self._heard_ns = now_ns
        if self.feed.source is not None and self.feed.source is not inbound:
            inbound = watcher.talking[header.ssrc] = Inbound(
                self.feed, header.ssrc, watcher.spec.talk
            )
        inbound.receive(data, now_ns)
        return self.feed.take()
