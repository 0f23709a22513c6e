"""The operator's voice to the vehicle's speaker, one operator at a time.

    rank 0    may not talk: nothing of his is decrypted
         1    who may talk to vehicles
         2    the holder of this vehicle's grant
         3    a supervisor of the operators

The floor is his who speaks first; it is free again after a second of silence or when
he leaves. Only a higher rank takes it from one who speaks. What everybody else sends
meanwhile is dropped and counted, and he is told why, at once and then once in two
seconds: `busy`, `preempted`, `unheard`. Who has no microphone open keeps sending frames
of silence, which neither take the floor nor hold it.

The vehicle sees one stream that goes on, whoever speaks: each operator's stream is laid
on one `Feed`, as each publisher's is on a camera's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.codec import ProtocolError
from supervisor.media.peer import Publisher, Watcher
from supervisor.rtp.cache import Outgoing
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.feed import Feed
from supervisor.rtp.inbound import Inbound
from supervisor.rtp.packet import parse_rtp

SILENCE_NS: Final = 1_000_000_000
TELL_AGAIN_NS: Final = 2_000_000_000
SILENT_BYTES: Final = 3
"""An Opus frame of so few bytes is silence: discontinuous transmission, or an encoder
that is given zeros (RFC 6716 §2.1.9, RFC 7587 §3.1.3)."""

GRANT_RANK: Final = 2
MAX_NOTICES: Final = 64
MAX_TALK_SSRCS: Final = 4
"""Streams one operator may use in a session."""


class Floor:
    """Who speaks to one vehicle.

    Args:
        granted: Returns the sign-in that holds this vehicle's grant, None for nobody.

    Attributes:
        holder: Who speaks.
        listener: The vehicle's session that hears him.
        notices: Who has to be told why he is not heard; the owner takes them out.
    """

    __slots__ = (
        "_granted",
        "_heard_ns",
        "_told_ns",
        "feed",
        "holder",
        "listener",
        "notices",
        "track",
    )

    def __init__(self, granted: Callable[[], str | None] = lambda: None) -> None:
        self.feed = Feed("talk", "audio")
        self.holder: Watcher | None = None
        self.notices: list[tuple[str, str]] = []
        self._granted = granted
        self._told_ns: dict[str, int] = {}
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
        self._told_ns.pop(peer.session, None)
        if self.holder is peer:
            self.holder = None
        if self.listener is peer and self.track is not None:
            self.feed.leave(self.track)
            self.listener = self.track = None

    def hear(self, watcher: Watcher, data: bytes, now_ns: int) -> list[Outgoing]:
        """Take one RTP packet of an operator; return what goes to the vehicle.

        Raises:
            ProtocolError: `malformed`; `unknown_type`, `ssrc_cap`; `busy`: somebody
                else speaks; `unheard`: the vehicle does not listen now; `silence`: he
                says nothing and has not the floor.
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
            self._notice(watcher, "unheard", now_ns)
            raise ProtocolError("unheard", "the vehicle does not listen")
        silent = len(data) - header.payload_offset - header.padding <= SILENT_BYTES
        if self.holder is not watcher:
            if silent:
                raise ProtocolError("silence", "nothing is said")
            self._take(watcher, now_ns)
        if not silent:
            self._heard_ns = now_ns
        if self.feed.source is not None and self.feed.source is not inbound:
            inbound = watcher.talking[header.ssrc] = Inbound(
                self.feed, header.ssrc, watcher.spec.talk
            )
        inbound.receive(data, now_ns)
        return self.feed.take()

    def _take(self, watcher: Watcher, now_ns: int) -> None:
        """Let him have the floor, or say why not."""
        holder = self.holder
        if holder is not None and now_ns - self._heard_ns < SILENCE_NS:
            if self._rank(watcher) <= self._rank(holder):
                self._notice(watcher, "busy", now_ns)
                raise ProtocolError("busy", "somebody else speaks")
            self._notice(holder, "preempted", now_ns)
        self.holder = watcher

    def _rank(self, watcher: Watcher) -> int:
        granted = bool(watcher.holder) and watcher.holder == self._granted()
        return max(watcher.spec.talk_rank, GRANT_RANK if granted else 0)

    def _notice(self, watcher: Watcher, reason: str, now_ns: int) -> None:
        told_ns = self._told_ns.get(watcher.session)
        again = told_ns is None or now_ns - told_ns >= TELL_AGAIN_NS
        if (again or reason == "preempted") and len(self.notices) < MAX_NOTICES:
            self._told_ns[watcher.session] = now_ns
            self.notices.append((watcher.session, reason))

    def take_notices(self) -> list[tuple[str, str]]:
        """Return who has to be told what, once: session and reason."""
        taken, self.notices = self.notices, []
        return taken
