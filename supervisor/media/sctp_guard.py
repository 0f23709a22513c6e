"""What an SCTP packet may look like before aiortc's association sees it (RFC 9260 §3).

The peer is bound and encrypted, but not thereby well-meaning: a few bytes of gap
blocks can make a receiver walk through millions of numbers, and fragments without an
end fill its memory. So form and spans are checked here, in time linear in the bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from protocols.codec import ProtocolError

MAX_SCTP: Final = 1_500
"""Bytes of one packet."""

MAX_CHUNKS: Final = 64
MAX_GAPS: Final = 64
MAX_GAP_SPAN: Final = 4_096
"""Largest offset of a gap block from the cumulative TSN."""

MAX_FORWARDED: Final = 16
"""Streams in one FORWARD-TSN."""

_CHUNK: Final = Struct(">BBH")
_SACK: Final = Struct(">HH")
_GAP: Final = Struct(">HH")

_INIT: Final = 1
_SACK_TYPE: Final = 3
_FORWARD_TSN: Final = 192


def _bad(detail: str) -> ProtocolError:
    return ProtocolError("malformed", f"SCTP: {detail}")


def _check_sack(data: bytes, start: int, end: int) -> None:
    if end - start < 16:
        raise _bad("SACK cut off")
    gaps, duplicates = _SACK.unpack_from(data, start + 12)
    if gaps > MAX_GAPS or 16 + 4 * (gaps + duplicates) > end - start:
        raise _bad("SACK with more blocks than it has room for")
    for index in range(gaps):
        first, last = _GAP.unpack_from(data, start + 16 + 4 * index)
        if not 0 < first <= last <= MAX_GAP_SPAN:
            raise _bad("gap block out of range")


def check_sctp(data: bytes) -> None:
    """Refuse a packet that is damaged or built to keep its reader busy.

    Raises:
        ProtocolError: `oversize`, `malformed`.
    """
    length = len(data)
    if length > MAX_SCTP:
        raise ProtocolError("oversize", f"SCTP of {length} bytes, at most {MAX_SCTP}")
    if length < 16:
        raise _bad(f"{length} bytes")
    position, chunks, alone = 12, 0, False
    while position < length:
        if position + 4 > length:
            raise _bad("chunk header cut off")
        kind, _, size = _CHUNK.unpack_from(data, position)
        end = position + size
        if size < 4 or end > length:
            raise _bad("chunk longer than its packet")
        chunks += 1
        alone = alone or kind == _INIT
        if chunks > (1 if alone else MAX_CHUNKS):
            raise _bad("too many chunks")
        if kind == _SACK_TYPE:
            _check_sack(data, position, end)
        elif kind == _FORWARD_TSN and size > 8 + 4 * MAX_FORWARDED:
            raise _bad("FORWARD-TSN of too many streams")
        position = end + (-size % 4)
