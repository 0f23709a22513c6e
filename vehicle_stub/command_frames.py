"""What comes over the data channel "command". Pure; nothing moves because of it.

Drive commands by data channel are not obeyed yet: each frame is read within its size
limit, counted by what it is, and refused. What a vehicle obeys comes by MQTT and through
`checker`.
"""

from __future__ import annotations

from typing import Final

from protocols.codec import ProtocolError, decode
from protocols.vehicle import Command

LABEL: Final = "command"
MAX_FRAME_BYTES: Final = 1_200
"""About one SCTP packet; what is longer is no command."""

NOT_BY_CHANNEL: Final = "not_by_channel"


class CommandFrames:
    """Counts the frames of one vehicle, over all its sessions.

    Attributes:
        frames: All of them.
        newest_ns: When the last one came (vehicle monotonic), 0 before.
        refused: By reason: `oversize`, `malformed` and the like, and `not_by_channel` for
            those that are commands.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.newest_ns = 0
        self.refused: dict[str, int] = {}

    def on_frame(self, data: bytes | str, now_ns: int) -> str:
        """Take one frame; return why it is refused."""
        self.frames += 1
        self.newest_ns = now_ns
        reason = _reason(data)
        self.refused[reason] = self.refused.get(reason, 0) + 1
        return reason


def _reason(data: bytes | str) -> str:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_FRAME_BYTES:
        return "oversize"
    try:
        decode(raw, Command)
    except ProtocolError as error:
        return error.reason
    return NOT_BY_CHANNEL
