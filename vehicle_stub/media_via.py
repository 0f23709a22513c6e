"""Media over a forwarded port or a relay: an answer whose candidates name that place.

The hub's answer says where its own ports are (`a=candidate`, RFC 8839 §5.1). Behind a
forwarded port it cannot know under which address it is reached; the vehicle can be told.
"""

from __future__ import annotations

from typing import Final

FOUNDATION: Final = "via"
PRIORITY: Final = 2_130_706_431
"""Of a host candidate (RFC 8445 §5.1.2.1), component 1."""


def redirected(answer: str, via: tuple[str, int] | None) -> str:
    """Return an answer in which every candidate of a section is replaced by `via`.

    >>> redirected("a=mid:0\\r\\na=candidate:1 1 udp 9 10.0.0.1 4000 typ host\\r\\n", ("h", 5))
    'a=mid:0\\r\\na=candidate:via 1 udp 2130706431 h 5 typ host\\r\\n'
    """
    if via is None:
        return answer
    host, port = via
    ours = f"a=candidate:{FOUNDATION} 1 udp {PRIORITY} {host} {port} typ host"
    lines: list[str] = []
    replaced = False
    for line in answer.split("\r\n"):
        if line.startswith("m="):
            replaced = False
        if not line.startswith("a=candidate:"):
            lines.append(line)
        elif not replaced:
            lines.append(ours)
            replaced = True
    return "\r\n".join(lines)
