"""What the vehicle says on the data channel "link": its clock, and that it hears nothing.

Sans-I/O. An ask is answered at once with this vehicle's monotonic clock and the session
that clock belongs to; what is no ask is counted and dropped. `unheard` is said when the
vehicle's own watch over the path finds it silent, and again every `REPEAT_NS`.
"""

from __future__ import annotations

from typing import Final

from protocols.codec import ProtocolError, decode, encode
from protocols.link import MAX_LINK_FRAME, LinkAnswer, LinkAsk, LinkUnheard

REPEAT_NS: Final = 200_000_000


class LinkFrames:
    """Of one vehicle session, over all its media sessions.

    Attributes:
        answered: Asks that were answered.
        refused: Frames that were none, by reason.
    """

    def __init__(self, session_id: str) -> None:
        self.answered = 0
        self.refused: dict[str, int] = {}
        self._session_id = session_id
        self._said_ns: int | None = None

    def on_frame(self, data: bytes | str, now_ns: int) -> bytes | None:
        """Take one frame of the hub; return the answer, to be sent now."""
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        try:
            ask: LinkAsk = decode(raw, LinkAsk, limit=MAX_LINK_FRAME)
        except ProtocolError as error:
            self.refused[error.reason] = self.refused.get(error.reason, 0) + 1
            return None
        self.answered += 1
        return encode(LinkAnswer(ask.number, self._session_id, now_ns, now_ns))

    def unheard(self, now_ns: int) -> bytes | None:
        """Nothing of the hub comes; return what to say of it now, if it is time again."""
        if self._said_ns is not None and now_ns - self._said_ns < REPEAT_NS:
            return None
        self._said_ns = now_ns
        return encode(LinkUnheard(self._session_id))
