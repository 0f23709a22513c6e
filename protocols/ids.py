"""Names that appear in topics, URLs, files and labels.

One grammar for all of them, so that a name never needs escaping anywhere: it
holds no MQTT wildcard (`+`, `#`), no separator (`/`, `.`), no white space and no
upper case.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.codec import ProtocolError

MAX_NAME_LENGTH: Final = 32
"""Characters in one name; five of them still fit any MQTT or file-name limit."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def check_name(value: str, what: str) -> str:
    """Return `value` if it is a valid name.

    Args:
        value: The name as received.
        what: What it names, for the error text ("site", "vehicle", "camera").

    Raises:
        ProtocolError: With reason `bad_name`.
    """
    if len(value) > MAX_NAME_LENGTH or _NAME.fullmatch(value) is None:
        raise ProtocolError(
            "bad_name",
            f"{what} {value[:64]!r}: use 1 to {MAX_NAME_LENGTH} of a-z, 0-9 and '-', "
            "beginning and ending with a letter or digit",
        )
    return value
