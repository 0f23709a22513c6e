"""What the hub and a media worker say to each other: msgpack over a Unix socket.

Each message is a 4-byte big-endian length and one tagged Struct. The worker never
sees SDP or a token: the hub has read and decided both, and tells it plain facts.
Times are CLOCK_MONOTONIC, which all processes of one machine share on Linux, so a
worker's times are the hub's times.
"""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Final

import msgspec

from supervisor.core.events import StreamSample
from supervisor.rtp.codec import Codec
from supervisor.rtp.layers import Choice

MAX_MESSAGE: Final = 1 << 20
"""Bytes of one message; a sample of 20 streams is about 5 kB."""

MAX_HELLO: Final = 512
"""Bytes of a greeting."""

_LENGTH: Final = Struct(">I")


class IpcError(Exception):
    """The other process broke the schema: it is restarted."""


class _Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages."""


# ----------------------------------------------------------------- hub → worker


class InboundSpec(msgspec.Struct, frozen=True):
    """One m-line of a publisher, or one simulcast stream of one.

    Attributes:
        ssrcs: Announced in its SDP; may be empty (then MID or payload type decide).
        repairs: Announced RTX SSRCs, each to the one it repairs.
        layer: Which size of the camera this is; "" for the only one.
        rank: Its place among the sizes, smallest first; None: by its name.
        rid: Told from the m-line's other streams by this RID; "" for the only one.
    """

    camera: str
    kind: str
    mid: str
    codecs: list[Codec]
    ssrcs: list[int]
    repairs: dict[int, int] = {}
    layer: str = ""
    rank: int | None = None
    rid: str = ""


class OutboundSpec(msgspec.Struct, frozen=True):
    """One m-line of a watcher. `first_sequence` is random, in the lower half.

    Attributes:
        layer: Which size he wants, see `supervisor.rtp.layers.Choice`.
    """

    camera: str
    kind: str
    ssrc: int
    rtx_ssrc: int | None
    first_sequence: int
    codecs: list[Codec]
    layer: Choice = "high"


class Transport(msgspec.Struct, frozen=True):
    """ICE and DTLS of one peer: our credentials, its certificate fingerprints."""

    ufrag: str
    password: str
    fingerprints: list[tuple[str, str]]


class Hello(_Message, frozen=True):
    """A hub's first word to a worker it has not started, see `supervisor.media.adoption`."""

    token: str
    schema: str


class Begin(_Message, frozen=True):
    """The first message: which worker this is now.

    Attributes:
        ended: ICE user fragments and passwords of the sessions that ended with the
            worker before, see `supervisor.media.ended`.
        door: Path of the socket at which another hub may take it over; "": it ends with
            its hub.
        token: What that hub must say.
    """

    index: int
    ended: dict[str, str]
    door: str = ""
    token: str = ""


class Renew(_Message, frozen=True):
    """These sessions have their right for `valid_ms` more from now; the others' runs out."""

    sessions: list[str]
    valid_ms: int


class OpenPublisher(_Message, frozen=True):
    """Let a vehicle in.

    Attributes:
        mid_extension, rid_extension, repaired_rid_extension: Ids of the header
            extensions that carry MID and RIDs, 0 for none.
        sctp_port: Of its data channel, 0 for none.
        talk: How an operator's voice is sent to it.
        transport_cc, send_time: Ids of the header extensions transport-wide sequence
            number and abs-send-time, 0 for none.
        memo: The hub's own note, given back to the next hub; never read here.
    """

    session: str
    vehicle: str
    transport: Transport
    streams: list[InboundSpec]
    max_kbps: int
    mid_extension: int = 0
    rid_extension: int = 0
    repaired_rid_extension: int = 0
    sctp_port: int = 0
    talk: OutboundSpec | None = None
    transport_cc: int = 0
    send_time: int = 0
    memo: bytes = b""


class OpenWatcher(_Message, frozen=True):
    """Let a watcher in.

    Attributes:
        holder: The sign-in he belongs to, which a grant can name.
        sctp_port: Of his data channel; 0: none.
        talk: Codecs in which he may talk to the vehicle; empty: he may not.
        talk_rank: See `supervisor.media.talk`.
        may_stop: His frames on the channel "stop" reach the vehicle.
    """

    session: str
    vehicle: str
    transport: Transport
    streams: list[OutboundSpec]
    cname: str
    holder: str = ""
    sctp_port: int = 0
    talk: list[Codec] = []
    talk_rank: int = 1
    may_stop: bool = False
    memo: bytes = b""


class SetLayers(_Message, frozen=True):
    """A watcher asks for other sizes, by camera."""

    session: str
    layers: dict[str, Choice]


class SetGrant(_Message, frozen=True):
    """From now on only this sign-in's frames reach the vehicle; None: nobody's."""

    vehicle: str
    holder: str | None
    epoch: int


class ClosePeer(_Message, frozen=True):
    """End one session."""

    session: str


class RestartIce(_Message, frozen=True):
    """A session gets new ICE credentials; the old ones hold until the new are used."""

    session: str
    ufrag: str
    password: str
    memo: bytes = b""


HubMessage = (
    Begin | Renew | RestartIce | OpenPublisher | OpenWatcher | SetLayers | SetGrant | ClosePeer
)


# ----------------------------------------------------------------- worker → hub


class Ready(_Message, frozen=True):
    """The worker can take peers; `fingerprint` is its certificate's SHA-256."""

    fingerprint: str
    gro: bool
    gso: bool


class KnownSession(msgspec.Struct, frozen=True):
    """One session that a worker has. `memo`: the newest the hub gave it."""

    session: str
    connected: bool
    memo: bytes


class Known(_Message, frozen=True):
    """To a hub that took the worker over: what it has now."""

    sessions: list[KnownSession]


class GrantsDropped(_Message, frozen=True):
    """The hub was not heard for too long: nobody's frames reach any vehicle any more."""


class Alive(_Message, frozen=True):
    """Ten times a second: the worker's loop turns."""


class Opened(_Message, frozen=True):
    """A session exists: its first STUN check will be answered."""

    session: str


class PeerConnected(_Message, frozen=True):
    """DTLS is done and its certificate is the announced one."""

    session: str


class PeerClosed(_Message, frozen=True):
    """A session ended.

    `reason`: closed, replaced, half_open, silent, no_media, dtls_failed, right_expired.
    """

    session: str
    reason: str


class PublisherSampled(_Message, frozen=True):
    """Ten times a second for each connected publisher."""

    session: str
    streams: list[StreamSample]


class ClockExchanged(_Message, frozen=True):
    """A vehicle answered an ask on its data channel "link".

    Attributes:
        vehicle_session: The run of the vehicle's client whose clock it is.
        asked_ns, answered_ns: t1 and t4, this machine's CLOCK_MONOTONIC.
        received_ns, sent_ns: t2 and t3, the vehicle's monotonic clock.
    """

    session: str
    vehicle_session: str
    asked_ns: int
    received_ns: int
    sent_ns: int
    answered_ns: int


class Unheard(_Message, frozen=True):
    """A vehicle says on that channel that it hears nothing of the hub; `at_ns`: when."""

    session: str
    vehicle_session: str
    at_ns: int


class TalkRefused(_Message, frozen=True):
    """A watcher speaks and is not heard. `reason`: busy, preempted, unheard."""

    session: str
    reason: str


class Stats(_Message, frozen=True):
    """Once a second. `totals`: (name, reason, total) of this worker process's counters."""

    pid: int
    cpu_s: float
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    peers: int
    totals: list[tuple[str, str, int]]

    @property
    def drops(self) -> dict[str, int]:
        """Packets dropped, by reason."""
        return {reason: total for name, reason, total in self.totals if name == "media_dropped"}


WorkerMessage = (
    Ready
    | Known
    | Alive
    | GrantsDropped
    | Opened
    | PeerConnected
    | PeerClosed
    | TalkRefused
    | ClockExchanged
    | Unheard
    | PublisherSampled
    | Stats
)


_encoder = msgspec.msgpack.Encoder()
_hub_decoder: msgspec.msgpack.Decoder[HubMessage] = msgspec.msgpack.Decoder(HubMessage)
_worker_decoder: msgspec.msgpack.Decoder[WorkerMessage] = msgspec.msgpack.Decoder(WorkerMessage)
_hello_decoder: msgspec.msgpack.Decoder[Hello] = msgspec.msgpack.Decoder(Hello)
_BROKEN: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def frame(message: HubMessage | WorkerMessage | Hello) -> bytes:
    """Return one message with its length."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


async def _read_body(reader: asyncio.StreamReader) -> bytes | None:
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(4))
        if length > MAX_MESSAGE:
            raise IpcError(f"message of {length} bytes, at most {MAX_MESSAGE}")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def parse_hub_message(body: bytes) -> HubMessage:
    """Return the message of the hub in `body`.

    Raises:
        IpcError: Not of this schema.
    """
    try:
        return _hub_decoder.decode(body)
    except _BROKEN as error:
        raise IpcError(str(error)) from error


def parse_hello(data: bytes) -> Hello | None:
    """Return the greeting that `data` begins with, None if there has to come more.

    Raises:
        IpcError: It is none, or too long for one.
    """
    if len(data) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(data)
    if length > MAX_HELLO:
        raise IpcError(f"a greeting of {length} bytes, at most {MAX_HELLO}")
    if len(data) < _LENGTH.size + length:
        return None
    try:
        return _hello_decoder.decode(data[_LENGTH.size :])
    except _BROKEN as error:
        raise IpcError(str(error)) from error


def parse_worker_message(body: bytes) -> WorkerMessage:
    """Return the message of a worker in `body`.

    Raises:
        IpcError: Not of this schema.
    """
    try:
        return _worker_decoder.decode(body)
    except _BROKEN as error:
        raise IpcError(str(error)) from error


async def read_hub_message(reader: asyncio.StreamReader) -> HubMessage | None:
    """Return the hub's next message, None when the hub is gone.

    Raises:
        IpcError: Not of this schema.
    """
    body = await _read_body(reader)
    return None if body is None else parse_hub_message(body)


async def read_worker_message(reader: asyncio.StreamReader) -> WorkerMessage | None:
    """Return the worker's next message, None when the worker is gone.

    Raises:
        IpcError: Not of this schema.
    """
    body = await _read_body(reader)
    return None if body is None else parse_worker_message(body)
