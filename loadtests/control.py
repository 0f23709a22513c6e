"""Messages between the bench and its peer processes: one JSON line each.

The bench speaks first. `Make` is answered by `Offered`, `Answer` by `Connected` or
`Failed`, `Begin` by `Begun`, `Mark` by `Marked`, `Settle` by `Settled`; `Finish` by
`Finished`, after which the process ends. It also ends when its standard input does.
"""

from __future__ import annotations

from typing import Final

import msgspec

MAX_LINE: Final = 1 << 20


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages."""


# ------------------------------------------------------------------ bench → process


class Make(Message, frozen=True):
    """Make a peer for `stream` and return its offer.

    Attributes:
        peer: A number chosen by the bench.
        watch: A watcher; a publisher otherwise.
    """

    peer: int
    stream: int
    watch: bool


class Answer(Message, frozen=True):
    """The forwarder's answer for a peer: connect now.

    A publisher sends a trickle at once, so that it counts as publishing, and pictures
    from `Begin` on: handshakes need not compete with all the media of those before.
    """

    peer: int
    sdp: str


class Begin(Message, frozen=True):
    """Publishers: send pictures from now on."""


class Mark(Message, frozen=True):
    """Say how much was sent or received until now."""


class Settle(Message, frozen=True):
    """Publishers: stop sending pictures, keep connections."""


class Window(Message, frozen=True):
    """The packets of one stream that count: `first` (included) to `end` (excluded)."""

    stream: int
    first: int
    end: int


class Finish(Message, frozen=True):
    """Say what was measured within the windows, then end."""

    windows: list[Window]


# ------------------------------------------------------------------ process → bench


class Offered(Message, frozen=True):
    """A peer's offer."""

    peer: int
    sdp: str


class Connected(Message, frozen=True):
    """A peer has its keys. `profile`: SRTP protection profile."""

    peer: int
    profile: str


class Failed(Message, frozen=True):
    """A peer could not connect."""

    peer: int
    why: str


class PeerMark(Message, frozen=True):
    """One peer's progress.

    Attributes:
        packets, octets: Sent or received until now; octets of payload.
        index: Publisher: index of the next packet.
        frames: Publisher: pictures sent.
    """

    peer: int
    stream: int
    packets: int
    octets: int
    index: int = 0
    frames: int = 0


class Marked(Message, frozen=True):
    """Progress of all peers, and when (CLOCK_MONOTONIC)."""

    at_ns: int
    cpu_ns: int
    peers: list[PeerMark]


class Begun(Message, frozen=True):
    """Pictures are sent."""


class Settled(Message, frozen=True):
    """No more pictures are sent."""


class Published(Message, frozen=True):
    """What the publishers did, all together, since they began.

    Attributes:
        skipped: Pictures left out because this process was too slow.
        refused: Runs the kernel had no room for.
        resent: Packets sent again for a NACK.
        keyframes, nacks, receiver_reports, remb, transport_cc: Feedback received.
    """

    skipped: int = 0
    refused: int = 0
    resent: int = 0
    keyframes: int = 0
    nacks: int = 0
    receiver_reports: int = 0
    remb: int = 0
    transport_cc: int = 0


class Watched(Message, frozen=True):
    """What the watchers saw of the windows, all together.

    Attributes:
        received, lost, duplicates, reordered: See `statistics.Account`.
        by_sequence: Accounted by RTP sequence number, because the forwarder makes new
            packets; there are no delays then.
        unreadable: SRTP packets that did not authenticate.
        dropped_here: Datagrams our own sockets had no room for.
        delay_p50_ns, delay_p99_ns, delay_max_ns: Publisher to watcher's socket, exact;
            None if unknown.
    """

    received: int = 0
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0
    by_sequence: bool = False
    unreadable: int = 0
    dropped_here: int = 0
    delay_p50_ns: int | None = None
    delay_p99_ns: int | None = None
    delay_max_ns: int | None = None


class Finished(Message, frozen=True):
    """The result; one part is empty."""

    published: Published
    watched: Watched


ToProcess = Make | Answer | Begin | Mark | Settle | Finish
FromProcess = Offered | Connected | Failed | Begun | Marked | Settled | Finished

to_process = msgspec.json.Decoder(ToProcess)
from_process = msgspec.json.Decoder(FromProcess)
encode = msgspec.json.Encoder().encode
