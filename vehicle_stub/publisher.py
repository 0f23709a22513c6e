"""Keeps one media session to the hub alive: dial, watch the path, dial again.

Two tasks. The *watcher* asks for signs of life on the session's path (`liveness`). A
silent path is first mended below the session (`ice_path`); if that does not help
soon, or the session ended, the *dialler* makes a new one while the old one goes on
being tried. Whichever lives first is used: an old one that answers again ends the
dialling, a new one that stands takes the cameras, with a keyframe first, and only then
the old one is closed (make before break).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import Final

from vehicle_stub import clock
from vehicle_stub.backoff import Backoff
from vehicle_stub.camera_worker import CameraWorker
from vehicle_stub.complaints import Complaints
from vehicle_stub.link_frames import LinkFrames
from vehicle_stub.liveness import Act, Liveness
from vehicle_stub.media_via import redirected
from vehicle_stub.sound import Sound, SoundTrack
from vehicle_stub.speaker import Speaker
from vehicle_stub.webrtc import AnswerError, FrameSink, MediaSession
from vehicle_stub.whip import WhipClient, WhipError

log = logging.getLogger("enkan.vehicle.media")

RTCP_SILENCE_NS: Final = 3_000_000_000
"""Checks are answered but no RTCP comes for so long: the receiver behind is gone."""

CONNECT_S: Final = 8.0
"""For ICE and DTLS of one attempt; the hub ends what is half open after 10 s."""

BESIDE_S: Final = 2.0
"""An attempt that does not stand so long after the hub's answer gets another one beside
it, but not before `BESIDE_POSTS` times what the answer took: a long way is no loss."""

BESIDE_POSTS: Final = 4

UNAUTHORIZED_RETRY_S: Final = 10.0
LONGEST_RETRY_S: Final = 2.0
HEALTHY_NS: Final = 10_000_000_000
LOOP_NS: Final = 1_000_000_000
"""A hub that says that a session has ended is there, so dialling at once makes sense,
unless it ends each one as soon as it stands."""

CLOSE_S: Final = 1.0


class _NoConnection(Exception):  # noqa: N818 -- it is an outcome, not an error
    """The hub answered, but the session did not come to stand."""


def _stands(attempt: asyncio.Task[None]) -> bool:
    return attempt.done() and not attempt.cancelled() and attempt.exception() is None


class MediaPublisher:
    """One vehicle's pictures and sound.

    Attributes:
        sessions: How many were connected since the start.
        session: The present one.
        noticed: How often its path was found silent, or the own address changed.
    """

    def __init__(
        self,
        whip: WhipClient,
        cameras: list[CameraWorker],
        make_sound: Callable[[], Sound] | None,
        source: random.Random,
        speaker: Speaker | None = None,
        on_frame: FrameSink | None = None,
        link_frames: LinkFrames | None = None,
        via: tuple[str, int] | None = None,
    ) -> None:
        self.sessions = 0
        self.noticed = 0
        self.session: MediaSession | None = None
        self._whip = whip
        self._encodings = [encoding for camera in cameras for encoding in camera.encodings]
        self._make_sound = make_sound
        self._random = source
        self._speaker = speaker
        self._on_frame = on_frame
        self._link_frames = link_frames
        self._via = via
        self._resource = ""
        self._since_ns = 0
        self._wanted = asyncio.Event()
        self._standing = asyncio.Event()
        self._hurry = asyncio.Event()
        self._attempt: asyncio.Task[None] | None = None
        self._answered = False
        self._backoff = Backoff(source, LONGEST_RETRY_S)
        self._complaints = Complaints()
        self._pause_s = 0.0
        self._endings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Publish until cancelled; ends the session at the hub then."""
        self._wanted.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_dialling(), name="media-dialler")
                tasks.create_task(self._keep_watching(), name="media-watcher")
        finally:
            if self.session is not None:
                self._retire(self.session, self._resource)
                self.session = None
            # Also when cancelled: a session left behind would hold the vehicle's place.
            if self._endings:
                await asyncio.shield(asyncio.wait(set(self._endings), timeout=CLOSE_S))
            for ending in self._endings:
                ending.cancel()

    def say(self, data: bytes) -> bool:
        """Send one message to whoever has the command channel; False: nobody can hear it."""
        return self.session is not None and self.session.say(data)

    # ---------------------------------------------------------------------- dialling

    async def _keep_dialling(self) -> None:
        while True:
            await self._wanted.wait()
            self._answered = False
            async with asyncio.TaskGroup() as tasks:
                self._attempt = tasks.create_task(self._try_to_dial(), name="media-dial")
            self._attempt = None

    async def _try_to_dial(self) -> None:
        wait_s = None
        if self._pause_s:
            pause_s, self._pause_s = self._pause_s, 0.0
            await self._rest(pause_s)
        try:
            await self._dial()
        except WhipError as error:
            what = f"{error}; trying on"
            if error.unauthorized:
                wait_s = UNAUTHORIZED_RETRY_S
                what = f"{error}; trying every {wait_s:.0f} s"
            if self._complaints.worth_saying(str(error)):
                log.warning("whip: %s", what)
        except AnswerError as error:
            log.warning("whip: the hub's answer cannot be used: %s", error)
        except _NoConnection as error:
            if self._complaints.worth_saying(str(error)):
                log.warning("media: %s; trying on", error)
        else:
            return
        await self._rest(self._backoff.next_s() if wait_s is None else wait_s)

    async def _rest(self, longest_s: float) -> None:
        """Wait before the next try, or until the hub is known to be there."""
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), longest_s)

    async def _dial(self) -> None:
        """Connect; a second attempt begins beside a slow first one, and the faster is used.

        The manner of RFC 8305: what is lost of one is not lost of the other, and what the
        first has reached already is not thrown away.

        Raises:
            WhipError: The hub did not take the offer.
            AnswerError: Its answer cannot be used.
            _NoConnection: No attempt came to stand.
        """
        answered = asyncio.Event()
        attempts = [asyncio.create_task(self._connect(answered), name="media-connect")]
        try:
            if await self._is_slow(attempts[0], answered):
                attempts.append(asyncio.create_task(self._connect(answered), name="media-beside"))
            for _ in range(len(attempts)):
                pending = [attempt for attempt in attempts if not attempt.done()]
                if pending and not any(map(_stands, attempts)):
                    await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if not any(map(_stands, attempts)):
                attempts[0].result()
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    async def _is_slow(self, attempt: asyncio.Task[None], answered: asyncio.Event) -> bool:
        """Wait until the attempt is done, or should be; tell whether it is not."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        waiting = asyncio.create_task(answered.wait(), name="media-answer")
        try:
            await asyncio.wait([attempt, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        patience_s = max(BESIDE_S, BESIDE_POSTS * (loop.time() - begun))
        done, _ = await asyncio.wait([attempt], timeout=patience_s)
        return not done

    async def _connect(self, answered: asyncio.Event) -> None:
        sound = SoundTrack(self._make_sound()) if self._make_sound else None
        session = MediaSession(
            self._encodings, sound, self._random, self._speaker, self._on_frame, self._link_frames
        )
        resource = ""
        try:
            answer, resource = await self._whip.publish(await session.offer())
            self._answered = True  # from here on the hub may prefer the new one
            answered.set()
            await session.accept(redirected(answer, self._via))
            async with asyncio.timeout(CONNECT_S):
                await session.connected.wait()
            if session.ended.is_set():
                raise _NoConnection(f"the connection is {session.state}")
            self._adopt(session, resource)
        except TimeoutError:
            raise _NoConnection(f"no connection within {CONNECT_S:.0f} s") from None
        finally:
            if self.session is not session:
                self._retire(session, resource)

    def _adopt(self, session: MediaSession, resource: str) -> None:
        """The new session takes over; the old one ends."""
        old, old_resource = self.session, self._resource
        session.open()
        self.session, self._resource = session, resource
        self.sessions += 1
        self._since_ns = clock.monotonic_ns()
        self._complaints.reset()
        self._wanted.clear()
        self._standing.set()
        log.info("media: connected, %d pictures", len(self._encodings))
        if old is not None:
            self._retire(old, old_resource)

    # ---------------------------------------------------------------------- watching

    async def _keep_watching(self) -> None:
        while True:
            await self._standing.wait()
            session = self.session
            if session is None or session.liveness is None:
                self._standing.clear()
                continue
            delay_ns = session.liveness.next_deadline_ns() - clock.monotonic_ns()
            try:
                async with asyncio.timeout(max(0, delay_ns) / 1e9):
                    await session.ended.wait()
            except TimeoutError:
                await self._look_after(session, session.liveness)
            if session.ended.is_set() and self.session is session:
                self._lose(session, f"the connection is {session.state}")

    async def _look_after(self, session: MediaSession, liveness: Liveness) -> None:
        path = session.path
        if path is None or self.session is not session:
            return
        now_ns = clock.monotonic_ns()
        if path.own_address_changed():
            log.info("media: the own address changed")
            liveness.on_moved(now_ns)
        for act in liveness.on_time(now_ns):
            match act:
                case Act.NOTICED:
                    self.noticed += 1
                    log.info("media: the path is silent or changed; trying others")
                    await path.try_others()
                case Act.CHECK:
                    path.check()
                case Act.DIAL if liveness.refused:
                    log.warning("media: the hub has lost the session; dialling again")
                    self._want_another(LOOP_NS)
                    if not self._pause_s:
                        self._hurry.set()
                case Act.DIAL:
                    log.warning("media: the hub does not answer; dialling again")
                    self._want_another()
                case Act.RESUMED:
                    self._resume(session, now_ns)
                case Act.RESTART:
                    log.info("media: the pictures begin again")
                    session.restart_pictures()
        if liveness.is_unheard(now_ns):
            session.say_unheard(now_ns)
        if now_ns - self._since_ns > HEALTHY_NS:
            self._backoff.reset()
        if not liveness.silent and (
            now_ns - max(session.last_rtcp_ns, self._since_ns) > RTCP_SILENCE_NS
        ):
            self._lose(session, "the hub sends no RTCP for 3 s")

    def _resume(self, session: MediaSession, now_ns: int) -> None:
        log.info("media: the path answers again")
        # RTCP could not come while it was silent.
        session.last_rtcp_ns = max(session.last_rtcp_ns, now_ns)
        if self._wanted.is_set() and not self._answered:
            self._wanted.clear()
            if self._attempt is not None:
                self._attempt.cancel()

    def _want_another(self, healthy_ns: int = HEALTHY_NS) -> None:
        """Dial: at once after a long session, later and later after short ones."""
        young = clock.monotonic_ns() - self._since_ns < healthy_ns
        self._pause_s = self._backoff.next_s() if young else 0.0
        self._wanted.set()

    def _lose(self, session: MediaSession, why: str) -> None:
        log.warning("media: %s; dialling again", why)
        self.session = None
        self._standing.clear()
        self._retire(session, self._resource)
        self._resource = ""
        self._want_another()

    # ------------------------------------------------------------------------ ending

    def _retire(self, session: MediaSession, resource: str) -> None:
        """End a session beside; owned here until it is done."""
        session.stop_filming()
        task = asyncio.create_task(self._end(session, resource), name="media-end")
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _end(self, session: MediaSession, resource: str) -> None:
        if resource:
            try:
                await self._whip.delete(resource)
            except WhipError as error:
                log.info("whip: session not ended at the hub: %s", error)
        await session.close()
