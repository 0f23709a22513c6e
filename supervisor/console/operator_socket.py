"""One console's WebSocket: read, check, answer, write.

Reading never waits for writing: a console whose downlink is stalled can still stop a
vehicle. Writing has a deadline: a console that does not take its messages for
`TOO_SLOW_S` is cut, and the others never notice.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from protocols.authority import DriveKey, DriveRelay, StopKeys
from protocols.codec import ProtocolError, encode
from protocols.operator import (
    AskStop,
    ClockPing,
    ClockPong,
    Goodbye,
    Refusal,
    Snapshot,
    Welcome,
)
from protocols.session import SessionView
from supervisor import clock
from supervisor.console.changes import Outbox, Tick
from supervisor.console.incoming import parse, reference, to_event
from supervisor.console.listening import Wire
from supervisor.core.events import AnyEvent, Operator
from supervisor.counters import Counters

log = logging.getLogger("enkan.console")

TOO_SLOW_S: Final = 5.0
CLOSE_WITHIN_S: Final = 0.8
"""How long a farewell may take before the connection is cut."""

FAULTS_PER_MINUTE: Final = 10
MESSAGES_PER_S: Final = 30
MESSAGES_BURST: Final = 120

_CODES: Final = {"shutdown": 1001, "too_slow": 1013}
_POLICY: Final = 1008


class OperatorSocket:
    """One open console.

    Args:
        websocket: Accepted; its scope has the `wire`.
        operator: Who sits there; `session` is unique to this socket.
        sign_in: `Operator.session` of the sign-in it belongs to.
        session: How long the sign-in lasts; sent after the snapshot.
        is_proved: Says whether its password was given lately enough for driving.
        stop_keys: Sent after the snapshot, if given.
        on_event: Takes core events.
        on_drive: Takes relayed control frames: returns "" or why one was not passed on.
        on_activity: Called for each message, keeps the sign-in from idling.
        counters: `console_message`, `console_fault`, `console_closed`.
    """

    def __init__(
        self,
        websocket: WebSocket,
        *,
        operator: Operator,
        sign_in: str,
        welcome: Welcome,
        snapshot: Snapshot,
        session: SessionView,
        is_proved: Callable[[], bool] = lambda: False,
        stop_keys: StopKeys | None = None,
        on_event: Callable[[AnyEvent], None],
        on_drive: Callable[[str, DriveRelay], str] = lambda session, message: "not_granted",
        on_activity: Callable[[], object],
        counters: Counters,
    ) -> None:
        self.operator = operator
        self.sign_in = sign_in
        self._websocket = websocket
        self._wire: Wire = websocket.scope["state"]["wire"]
        self._outbox = Outbox(welcome, snapshot, stop_keys, session)
        self._is_proved = is_proved
        self._on_event = on_event
        self._on_drive = on_drive
        self._on_activity = on_activity
        self._counters = counters
        self._wake = asyncio.Event()
        self._wake.set()
        self._goodbye = ""
        self._cut: asyncio.TimerHandle | None = None
        self._faults: collections.deque[int] = collections.deque(maxlen=FAULTS_PER_MINUTE)
        self._tokens = float(MESSAGES_BURST)
        self._tokens_at_ns = clock.monotonic_ns()

    # ------------------------------------------------------- from the console room

    def offer(self, tick: Tick) -> None:
        """Take the changes of one tick; never waits."""
        self._outbox.offer(tick)
        self._after_put()

    def refuse(self, refusal: Refusal) -> None:
        """Take a refusal; never waits."""
        self._outbox.refuse(refusal)
        self._after_put()

    def give_key(self, key: DriveKey) -> None:
        """Take the key of the control that this console holds; never waits."""
        self._outbox.give_key(key)
        self._after_put()

    def give_session(self, session: SessionView) -> None:
        """Take how long the sign-in lasts now; never waits."""
        self._outbox.session = session
        self._after_put()

    def close(self, reason: str) -> None:
        """Say goodbye and end; within a second even if the console does not read."""
        if self._goodbye:
            return
        self._goodbye = reason
        self._cut = asyncio.get_running_loop().call_later(CLOSE_WITHIN_S, self._wire.abort)
        self._wake.set()

    def _after_put(self) -> None:
        if self._outbox.full:
            self.close("too_slow")
        self._wake.set()

    # ------------------------------------------------------------------- its life

    async def run(self) -> None:
        """Serve until either side ends."""
        reason = "gone"
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write(), name="console writer")
                await self._read()
                writer.cancel()
        finally:
            if self._cut is not None:
                self._cut.cancel()
            if self._goodbye:
                reason = self._goodbye
            elif self._wire.silent:
                reason = "too_slow"
            self._counters.add("console_closed", reason)
            log.info("console of %s closed: %s", self.operator.account, reason)

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while not self._goodbye and (text := self._next_text()) is not None:
                    async with asyncio.timeout(TOO_SLOW_S):
                        await self._websocket.send_text(text)
                if self._goodbye:
                    await self._websocket.send_text(encode(Goodbye(self._goodbye)).decode())
                    await self._websocket.close(_CODES.get(self._goodbye, _POLICY), self._goodbye)
                    return
        except TimeoutError:
            self._goodbye = "too_slow"
            self._wire.abort()
        except WebSocketDisconnect:
            return  # the reader sees it as well and ends

    def _next_text(self) -> str | None:
        if self._outbox.ping is not None:
            (t1_ms, received_ns), self._outbox.ping = self._outbox.ping, None
            return encode(ClockPong(t1_ms, received_ns, clock.monotonic_ns())).decode()
        return self._outbox.next_text()

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if self._goodbye:
                continue
            received_ns = clock.monotonic_ns()
            self._on_activity()
            text = message.get("text")
            try:
                if text is None:
                    raise ProtocolError("malformed", "messages are text, not binary")
                self._take(text, received_ns)
            except ProtocolError as error:
                self._counters.add("console_fault", error.reason)
                self.refuse(Refusal("", error.reason, error.detail))
                self._note_fault(received_ns)

    def _take(self, text: str, received_ns: int) -> None:
        message = parse(text)
        self._counters.add("console_message", type(message).__name__)
        if isinstance(message, DriveRelay):
            self._take_drive(message)
            return
        within_rate = self._within_rate(received_ns)
        if not within_rate and not isinstance(message, AskStop):  # a stop is never refused for rate
            raise ProtocolError("rate", f"more than {MESSAGES_PER_S} messages a second")
        if isinstance(message, ClockPing):
            self._outbox.ping = (message.t1_ms, received_ns)
            self._wake.set()
            return
        result = to_event(message, self.operator, is_proved=self._is_proved())
        if isinstance(result, Refusal):
            self._counters.add("console_fault", result.reason)
            self.refuse(result)
        elif result is not None:
            self._on_event(result)
        else:
            raise AssertionError(f"{reference(message)} has no event and no answer")

    def _take_drive(self, message: DriveRelay) -> None:
        """A control frame has its own rate, and never waits behind anything.

        What is not passed on is counted where it is checked, and not answered: the next
        frame is a twentieth of a second away, and the vehicle tells how far they come.
        """
        result = to_event(message, self.operator)
        if isinstance(result, Refusal):
            self._counters.add("console_fault", result.reason)
            self.refuse(result)
            return
        self._on_drive(self.operator.session, message)

    def _within_rate(self, now_ns: int) -> bool:
        elapsed_s = (now_ns - self._tokens_at_ns) / 1e9
        self._tokens_at_ns = now_ns
        self._tokens = min(self._tokens + elapsed_s * MESSAGES_PER_S, MESSAGES_BURST)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _note_fault(self, now_ns: int) -> None:
        self._faults.append(now_ns)
        if len(self._faults) == FAULTS_PER_MINUTE and now_ns - self._faults[0] < 60_000_000_000:
            self.close("protocol")
