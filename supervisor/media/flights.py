"""Sends a DTLS flight again before OpenSSL does (RFC 6347 §4.2.4). Pure.

OpenSSL waits a second before it sends a flight again, then two, four: with 30 % of
datagrams lost a handshake takes many seconds. Here the same datagrams go out again
after 50, 100, 150 ms, then every 200 ms, until the peer's next flight made us send
another one. A copy of what has arrived is dropped by OpenSSL's replay window, so
nothing is counted twice.

The last flight (our Finished) has no answer in the handshake. Nobody asks for it in
time: the peer's own copies are the same records, which our replay window drops. So it
is repeated until the peer shows by media or data that it has it, or `MAX_TURNS` times.
"""

from __future__ import annotations

from typing import Final

FIRST_NS: Final = 50_000_000
STEP_NS: Final = 50_000_000
LONGEST_NS: Final = 200_000_000
MAX_TURNS: Final = 16
"""Three seconds; then OpenSSL's own timer makes new flights."""

MAX_DATAGRAMS: Final = 4
"""Of one flight; ours has one or two."""

_CHANGE_CIPHER_SPEC: Final = 20
_HANDSHAKE: Final = 22


class Flights:
    """The flight that is on its way.

    >>> flights = Flights()
    >>> flights.on_sent(bytes((22,)), 0)
    >>> flights.on_time(FIRST_NS - 1), flights.on_time(FIRST_NS)
    ([], [b'\\x16'])
    """

    __slots__ = ("_answered", "_datagrams", "_next_ns", "_turn")

    def __init__(self) -> None:
        self._datagrams: list[bytes] = []
        self._answered = True
        self._turn = 0
        self._next_ns: int | None = None

    def on_sent(self, data: bytes, now_ns: int) -> None:
        """A datagram of DTLS left; what is no handshake is not ours to repeat."""
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
        """The peer has it: nothing more to repeat."""
        self._next_ns = None
        self._datagrams.clear()

    def next_deadline_ns(self) -> int | None:
        """When to call `on_time` next; None: not needed."""
        return self._next_ns
