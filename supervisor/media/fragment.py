"""Pieces of SDP that a session's PATCH carries (RFC 8840 §9, RFC 9725 §4.3).

What is needed of the peer's is its user fragment and password: as we are ICE-lite, its
candidates change nothing, we answer wherever a check comes from.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from protocols.codec import ProtocolError

MAX_FRAGMENT: Final = 12_000
"""Bytes of one fragment: some forty candidates."""

_LINE: Final = re.compile(r"a=ice-(ufrag|pwd):([A-Za-z0-9+/=_-]{4,256})")


class Fragment(msgspec.Struct, frozen=True):
    """What one fragment says of the peer's ICE; "" where it says nothing."""

    ufrag: str = ""
    password: str = ""


def parse_fragment(data: bytes) -> Fragment:
    """Return the ICE credentials of a fragment.

    Raises:
        ProtocolError: `oversize`; `bad_fragment`: not UTF-8, malformed or two different
            credentials.
    """
    if len(data) > MAX_FRAGMENT:
        raise ProtocolError("oversize", f"more than {MAX_FRAGMENT} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("bad_fragment", "not UTF-8") from error
    found: dict[str, str] = {}
    for line in text.split("\n"):
        line = line.strip()
        if not line.startswith(("a=ice-ufrag:", "a=ice-pwd:")):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ProtocolError("bad_fragment", "a=ice-ufrag or a=ice-pwd is malformed")
        if found.setdefault(match[1], match[2]) != match[2]:
            raise ProtocolError("bad_fragment", "two different ICE credentials")
    return Fragment(found.get("ufrag", ""), found.get("pwd", ""))


def build_fragment(ufrag: str, password: str, mid: str, candidates: list[str]) -> str:
    """Return our side after an ICE restart.

    Args:
        mid: Of the bundle's first m-line.
        candidates: `a=` lines, the end-of-candidates one included.
    """
    lines = ["a=ice-lite", f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{password}"]
    lines.append("m=audio 9 UDP/TLS/RTP/SAVPF 0")
    if mid:
        lines.append(f"a=mid:{mid}")
    return "\r\n".join(lines + candidates) + "\r\n"
