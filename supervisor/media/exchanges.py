"""Clock exchanges with one vehicle over the data channel "link". Sans-I/O.

`due` says when to ask and notes t1; `on_frame` matches an answer to its ask. Several
asks may be under way on a long path; each is answered at most once, and only a number
that was asked counts, so t1 and t4 are never the vehicle's to choose. All times are
CLOCK_MONOTONIC of this machine, which the hub reads too.

While a vehicle says that it hears nothing it is asked more often: the first answer to
an ask made after that proves both ways open.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from protocols.codec import ProtocolError, decode, encode
from protocols.link import MAX_LINK_FRAME, FromVehicle, LinkAnswer, LinkAsk, LinkUnheard
from supervisor.media.pace import Pace

QUICK_NS: Final = 300_000_000
QUICK_ASKS: Final = 8
"""A new channel is asked so often at first: trust needs several exchanges."""

STEADY_NS: Final = 1_000_000_000
MAX_OPEN: Final = 16
"""Asks that may be answered; older ones are forgotten."""

FRAMES_PER_S: Final = 10.0
BURST: Final = 20


class Exchanged(NamedTuple):
    """One exchange: t1 to t4, and whose clock t2 and t3 are of."""

    vehicle_session: str
    asked_ns: int
    received_ns: int
    sent_ns: int
    answered_ns: int


class Unheard(NamedTuple):
    """A vehicle session says that it hears nothing of the hub; `at_ns`: when that came."""

    vehicle_session: str
    at_ns: int


class Exchanges:
    """With one publisher, while its channel is open."""

    __slots__ = ("_asked", "_next_ns", "_number", "_pace", "_quick", "unheard")

    def __init__(self, now_ns: int) -> None:
        self.unheard = False
        self._asked: OrderedDict[int, int] = OrderedDict()
        self._number = 0
        self._quick = QUICK_ASKS
        self._next_ns = now_ns
        self._pace = Pace(FRAMES_PER_S, BURST)

    def due(self, now_ns: int) -> bytes | None:
        """Return the next ask, to be sent now; None: not yet."""
        if now_ns < self._next_ns:
            return None
        quick = self.unheard or self._quick > 0
        self._quick = max(0, self._quick - 1)
        self._next_ns = now_ns + (QUICK_NS if quick else STEADY_NS)
        self._number += 1
        self._asked[self._number] = now_ns
        while len(self._asked) > MAX_OPEN:
            self._asked.popitem(last=False)
        return encode(LinkAsk(self._number))

    def on_frame(self, frame: bytes | str, now_ns: int) -> Exchanged | Unheard:
        """Take what the vehicle says.

        Raises:
            ProtocolError: `oversize`, `malformed`; `rate`: too many frames; `unasked`: an
                answer to nothing that was asked, or a second one.
        """
        if self._pace.wait_s("", now_ns):
            raise ProtocolError("rate", "too many frames")
        raw = frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")
        said: FromVehicle = decode(raw, FromVehicle, limit=MAX_LINK_FRAME)
        match said:
            case LinkAnswer():
                asked_ns = self._asked.pop(said.number, None)
                if asked_ns is None:
                    raise ProtocolError("unasked", f"an answer to ask {said.number}")
                self.unheard = False
                return Exchanged(said.session_id, asked_ns, said.received_ns, said.sent_ns, now_ns)
            case LinkUnheard():
                if not self.unheard:
                    self.unheard = True
                    self._asked.clear()
                    self._next_ns = now_ns
                return Unheard(said.session_id, now_ns)
