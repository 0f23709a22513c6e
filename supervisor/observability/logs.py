"""One event a line: for people on a terminal, as JSON otherwise. Never a secret.

Rooms do not put secrets into messages; the filter here is the second lock, for the
library that one day does.
"""

from __future__ import annotations

import datetime
import logging
import re
import sys
import traceback
from typing import Final, TextIO

import msgspec

_SECRET: Final = re.compile(
    r"""(?ix)
    (?P<name> \b bearer \s+
      | \b (?: password | passwd | token | secret | command_key | cookie | authorization
             | (?:__Host-)?enkan | ice-?pwd )
        ["']? \s* [=:] \s* (?: bearer \s+ )? ["']? )
    (?P<value> [^\s"',;}&]{4,} )
    """
)
_URL_PASSWORD: Final = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/:@]+):[^\s/@]+@")
_LINE_BREAKS: Final = str.maketrans({"\n": " ⏎ ", "\r": "", "\x1b": "␛"})


def redact(text: str) -> str:
    """Return `text` with what looks like a secret replaced by `***`."""
    return _URL_PASSWORD.sub(r"\1:***@", _SECRET.sub(r"\g<name>***", text))


class LineFormatter(logging.Formatter):
    """`12:34:56.789 INFO    enkan.hub  message`, one line whatever happened (UTC).

    Args:
        tracebacks: Append an exception's whole traceback to its line; else only its
            type, text and place.
    """

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record."""
        at = _at(record).strftime("%H:%M:%S.%f")[:-3]
        text = record.getMessage() + self._exception(record)
        line = f"{at} {record.levelname:<7} {record.name}  {text}"
        return redact(line).translate(_LINE_BREAKS)

    def _exception(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return ""
        if self._tracebacks:
            return "\n" + "".join(traceback.format_exception(error)).strip()
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
        return f": {type(error).__name__}: {error}{place}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at` (UTC), `level`, `logger`, `message`, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record."""
        entry = {
            "at": _at(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        return msgspec.json.encode(entry).decode("utf-8", "replace")


def configure(
    style: str = "auto", *, level: int = logging.INFO, stream: TextIO | None = None
) -> None:
    """Send all log records to one stream.

    Args:
        style: "text", "json", or "auto": text on a terminal, JSON otherwise.
        level: Of the hub's own records; libraries are heard from WARNING on.
        stream: Standard error if None.
    """
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    handler = logging.StreamHandler(stream)
    if style == "json" or (style == "auto" and not terminal):
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(LineFormatter(tracebacks=not terminal))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("enkan").setLevel(level)


def _at(record: logging.LogRecord) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(record.created, datetime.UTC)
