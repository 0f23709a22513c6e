"""One kind of finding: its level and its words."""

from __future__ import annotations

from typing import Final

import msgspec

from supervisor.doctor.finding import Level

LANGUAGES: Final = ("ja", "en")


class Row(msgspec.Struct, frozen=True):
    """A kind of finding.

    Attributes:
        level: How bad it is.
        means: What it means, by language.
        action: What to do, by language.
    """

    level: Level
    means: dict[str, str]
    action: dict[str, str]


def row(level: Level, ja: str, en: str, ja_do: str = "", en_do: str = "") -> Row:
    """Write a row down; what is well needs no action."""
    return Row(level, {"ja": ja, "en": en}, {"ja": ja_do, "en": en_do})
