"""What hub and vehicle say on the data channel "link": clocks, and who hears whom.

The channel belongs to the vehicle's media session, is opened by the vehicle, unordered
and never repeated: an old exchange is of no use. JSON, one message a frame.

    hub ──LinkAsk──▶ vehicle ──LinkAnswer──▶ hub      one clock exchange (RFC 5905 §8)
                     vehicle ──LinkUnheard──▶ hub     it hears nothing of the hub any more

The hub notes itself when it asked (t1) and when the answer came (t4), both on the
machine's CLOCK_MONOTONIC; the vehicle tells t2 and t3 on its own. An answer names the
session its clock belongs to, so one of an earlier run never sets the clock of a later.
"""

from __future__ import annotations

from typing import Final

import msgspec

from protocols.vehicle import Counter, Nanoseconds, Token

LINK_LABEL: Final = "link"
MAX_LINK_FRAME: Final = 256
"""Bytes of one message; the longest has some 220."""


class LinkAsk(msgspec.Struct, frozen=True, tag="ask"):
    """H→V, about once a second: what time is it there?

    Attributes:
        number: Given back in the answer; rises by one.
    """

    number: Counter


class LinkAnswer(msgspec.Struct, frozen=True, tag="answer", forbid_unknown_fields=True):
    """V→H, at once: half of a clock exchange.

    Attributes:
        number: Of the ask.
        session_id: The vehicle session, as in `Heartbeat`, whose monotonic clock this is.
        received_ns: When the ask came (vehicle monotonic).
        sent_ns: When this answer left (vehicle monotonic).
    """

    number: Counter
    session_id: Token
    received_ns: Nanoseconds
    sent_ns: Nanoseconds


class LinkUnheard(msgspec.Struct, frozen=True, tag="unheard", forbid_unknown_fields=True):
    """V→H, a few times a second while it is so: nothing of the hub comes any more.

    Said as soon as the vehicle's own watch over its path finds it silent. If it arrives,
    the way to the hub is open and the other one is cut. It holds until a later ask is
    answered, or another media session begins.
    """

    session_id: Token


FromVehicle = LinkAnswer | LinkUnheard
