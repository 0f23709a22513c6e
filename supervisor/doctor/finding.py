"""What a check found, and what all of them together mean for the exit code."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

import msgspec

from supervisor.config import HubConfig

EXIT_WELL: Final = 0
EXIT_WARNING: Final = 1
EXIT_FAILURE: Final = 2
EXIT_NOT_CHECKED: Final = 4

CONFIG_REFUSED: Final = "config.refused"
"""The code of a configuration that cannot be used."""


class Level(enum.StrEnum):
    """How bad a finding is.

    Attributes:
        OK: Measured just now, and well.
        INFO: Worth knowing, nothing to do.
        WARNING: The hub runs, but worse than it should.
        FAILURE: The hub does not start like this, or fails at its work.
        UNKNOWN: Not checked; neither well nor ill.
    """

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True):
    """One thing that a check found.

    Attributes:
        code: Key of its row in `rows.ROWS`, which has its level and its words.
        about: Which of several (a port, an address, a file); empty if there is one only.
        value: What was measured, None if nothing could be.
        unit: Of `value`: "ms", "days", "MiB", …; empty for a count or a word.
        fill: What the words of the row name beside `about` and `value`.
    """

    code: str
    about: str = ""
    value: int | float | str | None = None
    unit: str = ""
    fill: dict[str, str] = {}


class Subject(msgspec.Struct, frozen=True):
    """What is examined.

    Attributes:
        config_file: As it was given.
        config: None if it cannot be used.
        config_error: Why not.
        stun: Servers, `host:port`, whose answer is asked for.
    """

    config_file: str
    config: HubConfig | None
    config_error: str = ""
    stun: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """A finding with what is known of its check.

    Attributes:
        check: Name of the check.
        essential: Without it nobody can say that the hub will work.
        level: Of the finding's row.
    """

    check: str
    essential: bool
    level: Level
    finding: Finding


def exit_code(results: Iterable[Result]) -> int:
    """Return the exit code; the first of these that holds.

    A configuration that cannot be used: 4. A failure: 2. Something essential that could
    not be checked: 4. A warning: 1. Else 0.
    """
    found = list(results)
    if any(result.finding.code == CONFIG_REFUSED for result in found):
        return EXIT_NOT_CHECKED
    levels = {result.level for result in found}
    if Level.FAILURE in levels:
        return EXIT_FAILURE
    if any(result.essential and result.level is Level.UNKNOWN for result in found):
        return EXIT_NOT_CHECKED
    return EXIT_WARNING if Level.WARNING in levels else EXIT_WELL
