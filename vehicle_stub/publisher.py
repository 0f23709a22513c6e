"""Keeps one media session to the hub alive: dial, watch, close, dial again.

A session is over when aiortc says so, or when the hub's RTCP has been silent for
`SILENCE_NS`: a receiver that lives reports at least once a second or two.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from vehicle_stub import clock
from vehicle_stub.backoff import Backoff
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.complaints import Complaints
from vehicle_stub.sound import Sound, SoundTrack
from vehicle_stub.webrtc import AnswerError, MediaSession
from vehicle_stub.whip import WhipClient, WhipError

log = logging.getLogger("enkan.vehicle.media")

SILENCE_NS: Final = 3_000_000_000
CONNECT_S: Final = 10.0
UNAUTHORIZED_RETRY_S: Final = 10.0
WATCH_EVERY_S: Final = 0.25
HEALTHY_NS: Final = 10_000_000_000
CLOSE_S: Final = 2.0


class _SessionOver(Exception):  # noqa: N818 -- it is an end, not an error
    """Why the session ended."""


class MediaPublisher:
    """One vehicle's pictures and sound.

    Attributes:
        sessions: How many were connected since the start.
        session: The present one.
    """

    def __init__(
        self,
        whip: WhipClient,
        cameras: list[CameraWorker],
        make_sound: Callable[[], Sound] | None,
        source: random.Random,
    ) -> None:
        self.sessions = 0
        self.session: MediaSession | None = None
        self._whip = whip
        self._cameras = cameras
        self._make_sound = make_sound
        self._random = source
        self._resource = ""

    async def run(self) -> None:
        """Publish until cancelled; ends the session at the hub then."""
        backoff = Backoff(self._random)
        complaints = Complaints()
        while True:
            try:
                await self._one_session(backoff)
            except WhipError as error:
                if error.unauthorized:
                    if complaints.worth_saying(str(error)):
                        log.error("whip: %s; trying every %.0f s", error, UNAUTHORIZED_RETRY_S)
                    await asyncio.sleep(UNAUTHORIZED_RETRY_S)
                    continue
                if complaints.worth_saying(str(error)):
                    log.warning("whip: %s; trying on", error)
            except AnswerError as error:
                log.warning("whip: the hub's answer cannot be used: %s", error)
            except _SessionOver as over:
                complaints.reset()
                log.warning("media: %s; dialling again", over)
            await asyncio.sleep(backoff.next_s())

    async def _one_session(self, backoff: Backoff) -> None:
        sound = SoundTrack(self._make_sound()) if self._make_sound else None
        session = MediaSession(self._cameras, sound)
        self.session = session
        try:
            answer, self._resource = await self._whip.publish(await session.offer())
            await session.accept(answer)
            await self._watch(session, backoff)
        finally:
            await self._end(session)

    async def _watch(self, session: MediaSession, backoff: Backoff) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                await session.connected.wait()
        except TimeoutError:
            raise _SessionOver(f"no connection within {CONNECT_S:.0f} s") from None
        self.sessions += 1
        since_ns = clock.monotonic_ns()
        log.info("media: connected, %d cameras", len(self._cameras))
        while not session.ended.is_set():
            try:
                async with asyncio.timeout(WATCH_EVERY_S):
                    await session.ended.wait()
            except TimeoutError:
                now_ns = clock.monotonic_ns()
                if now_ns - max(session.last_rtcp_ns, since_ns) > SILENCE_NS:
                    raise _SessionOver("the hub is silent (no RTCP for 3 s)") from None
                if now_ns - since_ns > HEALTHY_NS:
                    backoff.reset()
        raise _SessionOver(f"the connection is {session.state}")

    async def _end(self, session: MediaSession) -> None:
        resource, self._resource = self._resource, ""
        self.session = None
        closing = asyncio.ensure_future(self._close(session, resource))
        # Also when cancelled: a session left behind would hold the vehicle's place.
        await asyncio.shield(asyncio.wait({closing}, timeout=CLOSE_S))
        if not closing.done():
            closing.cancel()

    async def _close(self, session: MediaSession, resource: str) -> None:
        if resource:
            try:
                await self._whip.delete(resource)
            except WhipError as error:
                log.info("whip: session not ended at the hub: %s", error)
        await session.close()
