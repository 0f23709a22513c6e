"""The hub's side of the media plane: sessions, placement, and what the core is told.

A vehicle and all its watchers live on one worker, so nothing crosses workers. The
workers' clock is the hub's: CLOCK_MONOTONIC is one clock for all processes of a machine.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import BaseRoute

from protocols.topics import VehicleId
from supervisor.core.events import AnyEvent
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.answer import (
    Local,
    accept_publisher,
    accept_watcher,
    build_answer,
    candidate_lines,
    data_port,
    peer_transport,
    rate_extensions,
    talk_codecs,
)
from supervisor.media.errors import NotPublishingError, UnavailableError, WorkerLostError
from supervisor.media.fragment import build_fragment
from supervisor.media.http import build_routes
from supervisor.media.link import WorkerLink
from supervisor.media.pace import Pace
from supervisor.media.pool import MediaConfig, WorkerPool, WorkerView
from supervisor.media.preferences import Preference, Preferences, Wishes
from supervisor.media.sdp import parse_offer
from supervisor.media.session import Session, recall
from supervisor.media.table import SessionTable
from supervisor.rtp.layers import Choice

log = logging.getLogger("enkan.media")

PER_ADDRESS: Final = (100.0, 500)
PER_VEHICLE: Final = (5.0, 30)
PER_SEAT: Final = (5.0, 50)
"""Requests a second and at once: of one address (a whole site may be behind it), of one
vehicle, of one sign-in for one vehicle."""

RIGHT_MS: Final = 10_000
"""A session goes on for so long without this hub, see `supervisor.media.adoption`."""


class MediaPlane:
    """Media sessions of this node.

    Args:
        on_event: Takes the events of `core.events` about media.
        authorise_publisher: May this bearer token publish this vehicle?
        authorise_watcher: Returns the sign-in that asks, None if nobody is signed in.
        talk_rank: Returns how far a sign-in may talk to vehicles, see `media.talk`.
        may_stop: Returns whether a sign-in may stop vehicles, whoever has control.
        on_talk_refused: Takes a sign-in, the vehicle he talks to, and why he is not
            heard: `busy`, `preempted`, `unheard`.
        state_dir: Where workers listen for the next hub; None: they end with this one.
        publisher_right: Returns a name for the secret that lets a vehicle publish now,
            None if nothing does. A session taken over from an earlier hub stays if it
            is the name it came in with.
        sign_in_valid: Is this sign-in still one?
    """

    def __init__(
        self,
        config: MediaConfig,
        *,
        counters: Counters,
        on_event: Callable[[AnyEvent], None],
        authorise_publisher: Callable[[VehicleId, str], bool],
        authorise_watcher: Callable[[Request], Awaitable[str | None]],
        talk_rank: Callable[[str], int] = lambda sign_in: 1,
        may_stop: Callable[[str], bool] = lambda sign_in: False,
        on_talk_refused: Callable[[str, VehicleId, str], None] = lambda who, vehicle, why: None,
        state_dir: Path | None = None,
        publisher_right: Callable[[VehicleId], str | None] = lambda vehicle_id: None,
        sign_in_valid: Callable[[str], bool] = lambda sign_in: False,
    ) -> None:
        self.config = config
        self.counters = counters
        self.authorise_publisher = authorise_publisher
        self.authorise_watcher = authorise_watcher
        self._talk_rank = talk_rank
        self._may_stop = may_stop
        self._on_talk_refused = on_talk_refused
        self._publisher_right = publisher_right
        self._sign_in_valid = sign_in_valid
        self.pace_of_address = Pace(*PER_ADDRESS)
        self.pace_of_vehicle = Pace(*PER_VEHICLE)
        self.pace_of_seat = Pace(*PER_SEAT)
        self.table = SessionTable(counters, on_event)
        self.sessions = self.table.by_id
        self._draining = False
        self._publishers = self.table.publishers
        self.pool = WorkerPool(
            config,
            counters=counters,
            on_message=self._on_message,
            on_gone=self.table.drop,
            on_ready=self._on_ready,
            renew=self._renew,
            state_dir=state_dir,
        )
        self.ready = self.pool.ready
        self._grants: dict[VehicleId, ipc.SetGrant] = {}
        self._preferences = Preferences()
        self._handlers: dict[type, Callable[[Any], None]] = {
            **self.table.handlers,
            ipc.TalkRefused: self._on_unheard,
            ipc.GrantsDropped: self._on_grants_dropped,
        }

    async def run(self) -> None:
        """Keep the workers running until cancelled.

        Raises:
            MediaError: A UDP port is taken, the address is not this machine's, or no
                address to announce is known.
        """
        await self.pool.run()

    def begin_drain(self) -> None:
        """Take no new sessions; those that are there go on."""
        self._draining = True

    def _renew(self, link: WorkerLink) -> None:
        """Renew the right of every session of a worker; the pool asks for it in time."""
        mine = [session.id for session in self.sessions.values() if session.link is link]
        link.send(ipc.Renew(mine, RIGHT_MS), always=True)

    def routes(self) -> list[BaseRoute]:
        """Return the WHIP and WHEP routes."""
        return build_routes(self)

    def worker_stats(self) -> list[WorkerView]:
        """Return the state and the newest totals of each worker."""
        return self.pool.views()

    def publishing(self, vehicle_id: VehicleId) -> bool:
        """Tell whether the vehicle has a connected publisher."""
        return vehicle_id in self._publishers

    # -------------------------------------------------------------- sessions

    async def open_publisher(
        self, vehicle_id: VehicleId, sdp: bytes, cameras: Sequence[str]
    ) -> tuple[Session, str]:
        """Open a publisher session and return it with the SDP answer.

        Make before break: an earlier connected session of the vehicle goes on until
        this one is connected; of earlier half-open ones the newest goes on beside it
        (a vehicle on a lossy path uses whichever connects first), the others end now.

        Raises:
            ProtocolError: The offer cannot be served.
            UnavailableError: No worker.
        """
        offer = parse_offer(sdp)
        peer = peer_transport(offer)
        accepted = accept_publisher(offer, cameras, _distinct_numbers(2), secrets.token_urlsafe(12))
        rate = rate_extensions(offer)
        for last_try in (False, True):
            link = await self._place(vehicle_id)
            half_open = [
                other
                for other in self.sessions.values()
                if other.publisher and other.vehicle_id == vehicle_id and not other.connected
            ]
            for other in half_open[:-1]:
                self.close(other, "replaced")
            session, local = self._new_session(vehicle_id, link, peer.ufrag, publisher=True)
            session.streams = accepted.streams
            session.talk = accepted.talk is not None
            session.mid = offer.media[0].mid
            session.right = self._publisher_right(vehicle_id) or ""
            message = ipc.OpenPublisher(
                session.id,
                str(vehicle_id),
                ipc.Transport(local.ufrag, local.password, peer.fingerprints),
                accepted.streams,
                self.config.max_publisher_kbps,
                accepted.mid_extension,
                accepted.rid_extension,
                accepted.repaired_rid_extension,
                data_port(accepted.served),
                accepted.talk,
                transport_cc=rate.transport_cc,
                send_time=rate.send_time,
                memo=session.memo(),
            )
            try:
                await self.table.open(session, message)
                break
            except WorkerLostError:
                if last_try:
                    raise
        return session, build_answer(offer, accepted.served, local)

    async def open_watcher(
        self,
        vehicle_id: VehicleId,
        account: str,
        sdp: bytes,
        cameras: Sequence[str],
        layer: Choice = "high",
    ) -> tuple[Session, str]:
        """Open a watcher session and return it with the SDP answer.

        Args:
            layer: Which size he wants of every camera.

        Raises:
            ProtocolError: The offer cannot be served, or a camera is unknown.
            NotPublishingError: The vehicle sends nothing now.
            UnavailableError: No worker.
        """
        offer = parse_offer(sdp)
        peer = peer_transport(offer)
        publisher = self._publishers.get(vehicle_id)
        if publisher is None:
            raise NotPublishingError(str(vehicle_id))
        cname = secrets.token_urlsafe(12)
        numbers = _distinct_numbers(3 * len(offer.media))
        rank = self._talk_rank(account) if publisher.talk else 0
        served, streams = accept_watcher(
            offer, cameras, publisher.streams, numbers, cname, layer, talk=rank > 0
        )
        session, local = self._new_session(
            vehicle_id, publisher.link, peer.ufrag, publisher=False, account=account
        )
        session.mid = offer.media[0].mid
        session.wishes = Wishes(tuple(s.camera for s in streams if s.kind == "video"), layer)
        await self.table.open(
            session,
            ipc.OpenWatcher(
                session.id,
                str(vehicle_id),
                ipc.Transport(local.ufrag, local.password, peer.fingerprints),
                streams,
                cname,
                account,
                data_port(served),
                talk_codecs(served),
                rank,
                self._may_stop(account),
                session.memo(),
            ),
        )
        if self._preferences.prefers(vehicle_id):
            session.link.send(
                ipc.SetLayers(session.id, self._preferences.effective(vehicle_id, session.wishes))
            )
        return session, build_answer(offer, served, local)

    def set_grant(self, vehicle_id: VehicleId, sign_in: str | None, epoch: int) -> None:
        """Say whose command frames pass to a vehicle, and to whom its own ones go.

        It holds for all sessions of the sign-in with this vehicle, present and later,
        and for a worker that is started again. Until the first call nothing passes.

        Args:
            sign_in: What `authorise_watcher` returns for the holder; None: nobody.
            epoch: The grant's fencing token; an older one than the last changes nothing.
        """
        known = self._grants.get(vehicle_id)
        if known is not None and epoch < known.epoch:
            self.counters.add("media_command_refused", "old_epoch")
            return
        grant = self._grants[vehicle_id] = ipc.SetGrant(str(vehicle_id), sign_in, epoch)
        self.pool.tell_all(grant)

    def set_layers(self, session: Session, wishes: dict[str, Choice]) -> None:
        """Let a watcher have other sizes, by camera, unless others are preferred.

        Raises:
            UnavailableError: The worker does not listen now.
        """
        session.wishes.add(wishes)
        sizes = self._preferences.effective(session.vehicle_id, session.wishes, wishes)
        if not session.link.send(ipc.SetLayers(session.id, sizes)):
            raise UnavailableError("the media worker is busy")

    def prefer_layers(
        self, vehicle_id: VehicleId, focused: str, focus: Choice | None, others: Choice | None
    ) -> None:
        """Prefer sizes over the wishes of a vehicle's watchers, now and of later ones.

        Args:
            focused: The camera to protect; "": none.
            focus: Its size; None: as each watcher wishes.
            others: The size of the other cameras, likewise.
        """
        self._preferences.set(vehicle_id, Preference(focused, focus, others))
        for session in self.sessions.values():
            if session.publisher or session.vehicle_id != vehicle_id:
                continue
            sizes = self._preferences.effective(vehicle_id, session.wishes)
            if not session.link.send(ipc.SetLayers(session.id, sizes)):
                self.counters.add("media_preference_dropped")

    def close(self, session: Session, reason: str = "closed") -> None:
        """End a session; a second call does nothing."""
        self.table.close(session, reason)

    def close_watchers_of(self, account: str) -> int:
        """End every session of an account whose right is revoked; return how many."""
        return self.table.close_watchers_of(account)

    async def _place(self, vehicle_id: VehicleId) -> WorkerLink:
        for session in self.sessions.values():
            if session.vehicle_id == vehicle_id:
                await self.pool.wait_for(session.link)
                return session.link
        return await self.pool.least_loaded()

    def _new_session(
        self,
        vehicle_id: VehicleId,
        link: WorkerLink,
        remote_ufrag: str,
        *,
        publisher: bool,
        account: str = "",
    ) -> tuple[Session, Local]:
        if self._draining:
            raise UnavailableError("the hub is about to end")
        if link.ready is None:
            raise UnavailableError("the media worker is starting")
        if len(self.sessions) >= self.config.max_sessions:
            raise UnavailableError(f"{len(self.sessions)} media sessions are open")
        local = self._local(link, link.ready.fingerprint)
        session = Session(
            id=secrets.token_urlsafe(24),
            vehicle_id=vehicle_id,
            publisher=publisher,
            link=link,
            etag=secrets.token_urlsafe(9),
            remote_ufrag=remote_ufrag,
            ice=(local.ufrag, local.password),
            account=account,
        )
        return session, local

    def _local(self, link: WorkerLink, fingerprint: str) -> Local:
        return Local(
            ufrag=secrets.token_hex(8),
            password=secrets.token_hex(16),
            fingerprint=fingerprint,
            addresses=list(self.config.announce) or [self.config.listen],
            port=link.port,
            identity=str(secrets.randbits(62)),
        )

    def restart_ice(self, session: Session, remote_ufrag: str) -> str:
        """Give a session new ICE credentials and a new ETag; return our SDP fragment.

        DTLS and SRTP go on, and the old credentials hold until the new ones are used.

        Raises:
            UnavailableError: The worker does not listen now.
        """
        ready = session.link.ready
        if ready is None:
            raise UnavailableError("the media worker is starting")
        local = self._local(session.link, ready.fingerprint)
        before = session.remote_ufrag, session.ice, session.etag
        session.remote_ufrag = remote_ufrag
        session.ice = (local.ufrag, local.password)
        session.etag = secrets.token_urlsafe(9)
        message = ipc.RestartIce(session.id, local.ufrag, local.password, session.memo())
        if not session.link.send(message):
            session.remote_ufrag, session.ice, session.etag = before
            raise UnavailableError("the media worker is busy")
        self.counters.add("media_ice_restarts")
        return build_fragment(local.ufrag, local.password, session.mid, candidate_lines(local))

    # -------------------------------------------------------------- messages

    def _on_message(self, link: WorkerLink, message: ipc.WorkerMessage) -> None:
        if isinstance(message, ipc.Known):
            self._on_known(link, message)
            return
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message)

    def _on_ready(self, link: WorkerLink) -> None:
        for grant in self._grants.values():
            link.send(grant)

    def _on_known(self, link: WorkerLink, message: ipc.Known) -> None:
        """Judge the sessions of an earlier hub: keep who still may, close the others."""
        found = [recall(known, link) for known in message.sessions]
        allowed = {
            session.id: session
            for session in found
            if session is not None and self._may_go_on(session)
        }
        seen = {session.vehicle_id for session in allowed.values() if session.publisher}
        for known in message.sessions:
            session = allowed.get(known.session)
            if session is not None and session.vehicle_id in seen:
                self.table.keep(session)
            else:
                link.send(ipc.ClosePeer(known.session), always=True)
                self.counters.add("media_sessions_ended", "not_adopted")
        self._renew(link)
        log.info("took over %d of %d media sessions", link.sessions, len(message.sessions))

    def _may_go_on(self, session: Session) -> bool:
        if session.publisher:
            right = self._publisher_right(session.vehicle_id)
            return bool(session.right) and session.right == right
        return self._sign_in_valid(session.account)

    def _on_grants_dropped(self, message: ipc.GrantsDropped) -> None:
        """The hub was too slow for its own grants: nothing is armed again by itself."""
        self.counters.add("media_grants_dropped")
        self._grants.clear()

    def _on_unheard(self, message: ipc.TalkRefused) -> None:
        session = self.sessions.get(message.session)
        if session is not None:
            self.counters.add("media_talk_refused", message.reason)
            self._on_talk_refused(session.account, session.vehicle_id, message.reason)


def _distinct_numbers(count: int) -> list[int]:
    """Return random numbers from 1 to 2^32 - 1, no two the same."""
    numbers: set[int] = set()
    while len(numbers) < count:
        numbers.add(secrets.randbits(32) or 1)
    return list(numbers)
