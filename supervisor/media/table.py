"""The sessions a hub has open, and what their workers say about them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from protocols.topics import VehicleId
from supervisor import clock
from supervisor.core.events import (
    AnyEvent,
    ClockExchanged,
    HubUnheard,
    LinkSampled,
    PublisherChanged,
    StreamSample,
)
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.errors import UnavailableError, WorkerLostError
from supervisor.media.link import WorkerLink
from supervisor.media.session import Session

log = logging.getLogger("enkan.media")

SILENT_NS: Final = 400_000_000
"""Silence of a whole publisher that is told; seen at the next sample, 100 ms later at most."""

OPEN_S: Final = 5.0
"""How long a worker may take to acknowledge a session."""


class SessionTable:
    """All sessions of this hub.

    Args:
        on_event: Takes the events of `core.events` about media.

    Attributes:
        by_id: Half-open ones too.
        publishers: The connected one of each vehicle.
        handlers: What to do with a worker's message about a session, by its type.
    """

    def __init__(self, counters: Counters, on_event: Callable[[AnyEvent], None]) -> None:
        self.by_id: dict[str, Session] = {}
        self.publishers: dict[VehicleId, Session] = {}
        self.handlers: dict[type, Callable[[Any], None]] = {
            ipc.Opened: self._on_opened,
            ipc.PeerConnected: self._on_connected,
            ipc.PeerClosed: self._on_closed,
            ipc.PublisherSampled: self._on_sampled,
            ipc.ClockExchanged: self._on_clock,
            ipc.Unheard: self._on_unheard,
        }
        self.counters = counters
        self._on_event = on_event
        self._opening: dict[str, asyncio.Future[bool]] = {}

    async def open(self, session: Session, message: ipc.HubMessage) -> None:
        """Have the session's worker open it; return when its first check will be answered.

        Raises:
            UnavailableError: The worker does not; `WorkerLostError`: it ended meanwhile.
        """
        self.by_id[session.id] = session
        session.link.opened(clock.monotonic_ns())
        opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._opening[session.id] = opened
        try:
            if not session.link.send(message):
                raise UnavailableError("the media worker does not take sessions now")
            if not await asyncio.wait_for(opened, OPEN_S):
                raise WorkerLostError("the media worker is starting again")
        except (UnavailableError, TimeoutError, asyncio.CancelledError) as error:
            self.close(session)
            if isinstance(error, TimeoutError):
                raise UnavailableError("the media worker did not answer") from error
            raise
        finally:
            del self._opening[session.id]

    def close(self, session: Session, reason: str = "closed") -> None:
        """End a session; a second call does nothing."""
        if session.id in self.by_id:
            session.link.send(ipc.ClosePeer(session.id))
            self._forget(session, reason)

    def close_watchers_of(self, account: str) -> int:
        """End every session of an account whose right is revoked; return how many."""
        mine = [
            session
            for session in self.by_id.values()
            if not session.publisher and session.account == account
        ]
        for session in mine:
            self.close(session, "revoked")
        return len(mine)

    def keep(self, session: Session) -> None:
        """Go on with a session of an earlier hub."""
        self.by_id[session.id] = session
        session.link.opened(clock.monotonic_ns())
        if session.publisher and session.connected and session.vehicle_id not in self.publishers:
            self.publishers[session.vehicle_id] = session
            log.info("%s goes on publishing", session.vehicle_id)
            self._on_event(PublisherChanged(session.vehicle_id, session.id, True))

    def drop(self, link: WorkerLink) -> None:
        """A worker ended, and all its sessions with it."""
        ended = [entry for entry in self.by_id.values() if entry.link is link]
        link.ended = dict(session.ice for session in ended)
        for session in ended:
            opened = self._opening.get(session.id)
            if opened is not None and not opened.done():
                opened.set_result(False)
            self._forget(session, "worker_died")

    def _forget(self, session: Session, reason: str) -> None:
        if self.by_id.pop(session.id, None) is None:
            return
        session.link.sessions -= 1
        self.counters.add("media_sessions_ended", reason)
        if not session.publisher:
            return
        if self.publishers.get(session.vehicle_id) is session:
            del self.publishers[session.vehicle_id]
        if session.connected:
            session.connected = False
            log.info("%s stopped publishing: %s", session.vehicle_id, reason)
            self._on_event(PublisherChanged(session.vehicle_id, session.id, False))

    # -------------------------------------------------------------- messages

    def _on_opened(self, message: ipc.Opened) -> None:
        opened = self._opening.get(message.session)
        if opened is not None and not opened.done():
            opened.set_result(True)

    def _on_connected(self, message: ipc.PeerConnected) -> None:
        session = self.by_id.get(message.session)
        if session is None:
            return
        session.connected = True
        self.counters.add("media_sessions", "publisher" if session.publisher else "watcher")
        if not session.publisher:
            return
        earlier = self.publishers.get(session.vehicle_id)
        if earlier is not None:
            self.close(earlier, "replaced")
        self.publishers[session.vehicle_id] = session
        log.info("%s publishes", session.vehicle_id)
        self._on_event(PublisherChanged(session.vehicle_id, session.id, True))

    def _on_closed(self, message: ipc.PeerClosed) -> None:
        session = self.by_id.get(message.session)
        if session is not None:
            self._forget(session, message.reason)

    def _on_sampled(self, message: ipc.PublisherSampled) -> None:
        session = self.by_id.get(message.session)
        if session is None or not session.connected:
            return
        self._notice_silence(session, message.streams)
        self._on_event(LinkSampled(session.vehicle_id, session.id, message.streams))

    def _on_clock(self, message: ipc.ClockExchanged) -> None:
        session = self.by_id.get(message.session)
        if session is not None:
            facts = msgspec.structs.astuple(message)
            self._on_event(ClockExchanged(session.vehicle_id, *facts))

    def _on_unheard(self, message: ipc.Unheard) -> None:
        session = self.by_id.get(message.session)
        if session is not None:
            facts = msgspec.structs.astuple(message)
            self._on_event(HubUnheard(session.vehicle_id, *facts))

    def _notice_silence(self, session: Session, streams: list[StreamSample]) -> None:
        newest = [stream.last_packet_ns for stream in streams if stream.last_packet_ns is not None]
        if not newest:
            return
        silent = clock.monotonic_ns() - max(newest) > SILENT_NS
        if silent == session.silent:
            return
        session.silent = silent
        if silent:
            self.counters.add("media_silences")
        log.info("%s %s", session.vehicle_id, "sends no media" if silent else "sends media again")
