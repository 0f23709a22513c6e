"""One session of the media plane, and the note by which another hub knows it again."""

from __future__ import annotations

import hashlib

import msgspec

from protocols.topics import VehicleId
from supervisor.media import ipc
from supervisor.media.link import WorkerLink
from supervisor.media.preferences import Wishes


class _Memo(msgspec.Struct, frozen=True):
    """The facts of a `Session` that only its hub knows."""

    id: str
    vehicle_id: VehicleId
    publisher: bool
    etag: str
    remote_ufrag: str
    ice: tuple[str, str]
    account: str
    streams: list[ipc.InboundSpec]
    talk: bool
    mid: str
    right: str


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[_Memo] = msgspec.msgpack.Decoder(_Memo)


class Session(msgspec.Struct):
    """One publisher or watcher.

    Attributes:
        account: Who watches; "" for a publisher.
        streams: What a publisher sends.
        talk: A publisher takes an operator's voice.
        etag: Of its present ICE session (RFC 9725 §4.3.1).
        remote_ufrag: The peer's ICE user fragment, to notice an ICE restart.
        ice: Our user fragment and password.
        mid: Of its first m-line.
        silent: Nothing of any of its streams came for `SILENT_NS`.
        wishes: Which sizes a watcher asked for.
        right: Names the secret by which a publisher came in, see `MediaPlane`.
    """

    id: str
    vehicle_id: VehicleId
    publisher: bool
    link: WorkerLink
    etag: str
    remote_ufrag: str
    ice: tuple[str, str]
    account: str = ""
    streams: list[ipc.InboundSpec] = []
    talk: bool = False
    connected: bool = False
    mid: str = ""
    silent: bool = False
    wishes: Wishes = msgspec.field(default_factory=Wishes)
    right: str = ""

    def memo(self) -> bytes:
        """Return what the next hub has to know of this session."""
        note = {name: getattr(self, name) for name in _Memo.__struct_fields__}
        return _encoder.encode(_Memo(**note))


def right_of(token: str) -> str:
    """Return a name for a secret, from which the secret cannot be found."""
    return hashlib.sha256(b"enkan right " + token.encode()).hexdigest()


def recall(known: ipc.KnownSession, link: WorkerLink) -> Session | None:
    """Return the session that an earlier hub noted down, None if it is not readable."""
    try:
        memo = _decoder.decode(known.memo)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    facts = msgspec.structs.asdict(memo)
    return Session(**facts, link=link, connected=known.connected)
