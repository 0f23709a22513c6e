"""Plain data as YAML 1.2, for files that people read: block style, long texts as blocks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Data = str | int | float | bool | Sequence["Data"] | Mapping[str, "Data"]

_PLAIN: Final = re.compile(r"[A-Za-z_][\w./-]*")
"""Texts that need no quotes, but for the words below."""
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def dump(data: Data, comment: str = "") -> str:
    """Return a document; `comment` are lines of its head."""
    head = [f"# {line}".rstrip() for line in comment.splitlines()]
    return "\n".join([*head, *_lines(data, "")]) + "\n"


def _lines(data: Data, indent: str) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _entry(f"{indent}{_scalar(key)}:", value, indent + "  ")
    elif isinstance(data, Sequence) and not isinstance(data, str):
        for value in data:
            inner = list(_lines(value, indent + "  "))
            yield f"{indent}- {inner[0].lstrip()}"
            yield from inner[1:]
    else:
        yield f"{indent}{_scalar(data)}"


def _entry(head: str, value: Data, indent: str) -> Iterator[str]:
    if isinstance(value, str) and ("\n" in value or '"' in value):
        yield f"{head} |-"
        yield from (f"{indent}{line}".rstrip() for line in value.split("\n"))
    elif isinstance(value, str | int | float):
        yield f"{head} {_scalar(value)}"
    else:
        yield head
        yield from _lines(value, indent)


def _scalar(value: str | int | float | bool) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
