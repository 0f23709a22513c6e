"""The data channel "link" of a worker's publishers: asked in time, told to the hub."""

from __future__ import annotations

from collections.abc import Callable

from protocols.codec import ProtocolError
from protocols.link import LINK_LABEL
from supervisor import clock
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.dtls import Frame, Lane
from supervisor.media.exchanges import Exchanged, Exchanges, Unheard
from supervisor.media.peer import Publisher


class LinkLane:
    """Of one worker.

    Args:
        counters: Gets `media_link_refused` by reason.
        tell: Takes what the hub is told.
    """

    def __init__(
        self, counters: Counters, tell: Callable[[ipc.ClockExchanged | ipc.Unheard], None]
    ) -> None:
        self._counters = counters
        self._tell = tell

    def of(self, peer: Publisher) -> Lane:
        """Return what is done with this publisher's channel."""
        return Lane(
            lambda frame: self._on_frame(peer, frame, clock.monotonic_ns()),
            lambda is_open: self._on_open(peer, is_open, clock.monotonic_ns()),
        )

    def ask(self, peer: Publisher, now_ns: int) -> None:
        """Ask for its clock, if it is time and it has the channel."""
        if peer.exchanges is None or peer.channel is None:
            return
        frame = peer.exchanges.due(now_ns)
        if frame is not None:
            peer.channel.send(frame, LINK_LABEL)

    def _on_open(self, peer: Publisher, is_open: bool, now_ns: int) -> None:
        peer.exchanges = Exchanges(now_ns) if is_open else None

    def _on_frame(self, peer: Publisher, frame: Frame, now_ns: int) -> None:
        if peer.exchanges is None:
            return
        try:
            said = peer.exchanges.on_frame(frame, now_ns)
        except ProtocolError as error:
            self._counters.add("media_link_refused", error.reason)
            return
        match said:
            case Exchanged():
                self._tell(ipc.ClockExchanged(peer.session, *said))
            case Unheard():
                self._tell(ipc.Unheard(peer.session, *said))
