"""Retransmissions that a publisher sends on an SSRC of their own (RFC 4588 §4).

    RTX packet      header of the RTX stream │ OSN (2 bytes) │ original payload
    what it repairs original SSRC and payload type, sequence number = OSN,
                    the same timestamp and marker

A sender also uses this stream to probe for more bandwidth, with padding alone or with
packets that arrived long ago: the first hold nothing, the second are duplicates.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from supervisor.rtp.packet import HEADER, payload_offset

_OSN: Final = Struct(">H")


def unwrap(data: bytes, payload_type: int, ssrc: int) -> bytes | None:
    """Return the original packet inside an RTX packet, None if it is padding alone.

    The header comes back without extensions and CSRCs, which were the RTX stream's.

    >>> rtx = HEADER.pack(0x80, 97, 5, 900, 7) + bytes((1, 2)) + b"payload"
    >>> unwrap(rtx, 96, 3) == HEADER.pack(0x80, 96, 0x0102, 900, 3) + b"payload"
    True

    Args:
        payload_type: Of the original: the `apt` of the RTX payload type.
        ssrc: Of the original.

    Raises:
        ProtocolError: `malformed`.
    """
    offset = payload_offset(data)
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)
    if end < offset + 2:
        return None
    _, second, _, timestamp, _ = HEADER.unpack_from(data)
    (sequence,) = _OSN.unpack_from(data, offset)
    header = HEADER.pack(0x80, second & 0x80 | payload_type, sequence, timestamp, ssrc)
    return header + data[offset + 2 : end]
