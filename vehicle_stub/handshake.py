"""Connecting where much is lost: checks and DTLS flights again before the libraries do.

aioice sends a STUN check again after 0.5, 1, 2 s (RFC 8489 §6.2.1), OpenSSL a DTLS
flight after 1, 2, 4 s. With 30 % of datagrams lost each way an exchange succeeds in
half of the cases, a connection needs four of them, and 10 s are soon gone. Here the
same bytes go out again after 50 ms and then every 50 to 200 ms:

    STUN    the same request, same transaction: its answer is the same
    DTLS    the datagrams of the present flight (RFC 6347 §4.2.4), until the hub's next
            flight made us send another one; copies are dropped by its replay window

The hub repeats its own flights in the same way. What is touched of aioice and aiortc
is held by a contract test.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aioice import Connection, stun
from aioice.ice import StunProtocol

from vehicle_stub import clock

COMPONENT: Final = 1
FIRST_NS: Final = 50_000_000
STEP_NS: Final = 50_000_000
LONGEST_NS: Final = 200_000_000
MAX_TURNS: Final = 16
"""Of one flight: three seconds. OpenSSL's own timer makes new ones meanwhile."""

MAX_DATAGRAMS: Final = 4
CHECK_S: Final = 0.05
QUICK_CHECKS: Final = 20
SLOW_CHECK_S: Final = 0.2
MAX_CHECKS: Final = 60
"""Of one transaction: 9 s; the hub ends what is half open after 10 s."""

_CHANGE_CIPHER_SPEC: Final = 20
_HANDSHAKE: Final = 22
_SEND_STUN: Final = "send_stun"


class Flight:
    """The DTLS flight that is on its way. Pure."""

    def __init__(self) -> None:
        self._datagrams: list[bytes] = []
        self._answered = True
        self._turn = 0
        self._next_ns: int | None = None

    def on_sent(self, data: bytes, now_ns: int) -> None:
        """A datagram of DTLS left; what is no handshake is not repeated."""
        if data[0] not in (_HANDSHAKE, _CHANGE_CIPHER_SPEC):
            return
        if self._answered:
            self._datagrams.clear()
            self._answered = False
        self._datagrams.append(data)
        del self._datagrams[:-MAX_DATAGRAMS]
        self._turn = 0
        self._next_ns = now_ns + FIRST_NS

    def on_received(self) -> None:
        """A datagram of DTLS came: what we send next is another flight."""
        self._answered = True

    def on_time(self, now_ns: int) -> list[bytes]:
        """Return what to send again now; safe early, late or twice."""
        if self._next_ns is None or now_ns < self._next_ns:
            return []
        self._turn += 1
        if self._turn >= MAX_TURNS:
            self._next_ns = None
        else:
            self._next_ns = now_ns + min(FIRST_NS + self._turn * STEP_NS, LONGEST_NS)
        return list(self._datagrams)

    def end(self) -> None:
        """The handshake is done."""
        self._next_ns = None
        self._datagrams.clear()

    def next_deadline_ns(self) -> int | None:
        """When to call `on_time` next; None: not needed."""
        return self._next_ns


class Handshake:
    """Hurries one session's connection; `end` it when that stands or is given up.

    Args:
        ice: aiortc's RTCIceTransport of the session, with its candidates gathered.
    """

    def __init__(self, ice: Any) -> None:
        self._ice = ice
        self._connection: Connection = ice._connection
        self._flight = Flight()
        self._timers: set[asyncio.TimerHandle] = set()
        self._loop = asyncio.get_running_loop()
        self._ended = False
        self._send, self._recv = ice._send, ice._recv
        ice._send, ice._recv = self._send_dtls, self._recv_dtls
        for protocol in self._connection._protocols:
            self._hurry(protocol)

    def end(self) -> None:
        """Touch nothing any more; a second call does nothing."""
        if self._ended:
            return
        self._ended = True
        self._ice._send, self._ice._recv = self._send, self._recv
        for protocol in self._connection._protocols:
            vars(protocol).pop(_SEND_STUN, None)
        self._flight.end()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    # -------------------------------------------------------------------------- STUN

    def _hurry(self, protocol: StunProtocol) -> None:
        send = protocol.send_stun
        hurried: set[bytes] = set()

        def send_stun(message: stun.Message, address: tuple[str, int]) -> None:
            send(message, address)
            if self._ended or message.message_class != stun.Class.REQUEST:
                return
            if message.transaction_id not in hurried:  # aioice's own repetition begins none
                hurried.add(message.transaction_id)
                self._check_later(protocol, send, message, address, 1)

        setattr(protocol, _SEND_STUN, send_stun)

    def _check_later(
        self, protocol: StunProtocol, send: Any, message: Any, address: tuple[str, int], turn: int
    ) -> None:
        def again() -> None:
            waiting = message.transaction_id in protocol.transactions
            if self._ended or not waiting or protocol.transport.is_closing():
                return
            send(message, address)
            if turn < MAX_CHECKS:
                self._check_later(protocol, send, message, address, turn + 1)

        self._call_later(CHECK_S if turn <= QUICK_CHECKS else SLOW_CHECK_S, again)

    # -------------------------------------------------------------------------- DTLS

    async def _send_dtls(self, data: bytes) -> None:
        await self._send(data)
        if not self._ended:
            self._flight.on_sent(data, clock.monotonic_ns())
            self._arm()

    async def _recv_dtls(self) -> bytes:
        data: bytes = await self._recv()
        if data and 19 < data[0] < 64:
            self._flight.on_received()
        return data

    def _arm(self) -> None:
        deadline_ns = self._flight.next_deadline_ns()
        if deadline_ns is not None:
            self._call_later(max(0, deadline_ns - clock.monotonic_ns()) / 1e9, self._repeat)

    def _repeat(self) -> None:
        again = self._flight.on_time(clock.monotonic_ns())
        pair = self._connection._nominated.get(COMPONENT)
        if pair is None or pair.protocol.transport.is_closing():
            return
        for data in again:
            pair.protocol.transport.sendto(data, pair.remote_addr)
        if again:
            self._arm()

    def _call_later(self, delay_s: float, what: Any) -> None:
        def call() -> None:
            self._timers.discard(timer)
            what()

        timer = self._loop.call_later(delay_s, call)
        self._timers.add(timer)
