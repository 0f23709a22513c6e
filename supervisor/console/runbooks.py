"""Runbooks: one page for each alarm, in Japanese and English, for whoever has to act.

The pages are plain text in `docs/runbooks`, in a small part of Markdown: headings, lists,
paragraphs. Their head (priority, time to respond, cause, consequence, action) comes from
the catalogue, so that no page can contradict it. Everything is escaped; no page brings a
script or a style of its own.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from protocols.alarms import AlarmSpecView, AlarmText

LANGUAGES: Final = ("ja", "en")

_WORDS: Final = {
    "ja": ("原因", "放置した場合", "対応", "優先度", "応答まで", "秒", "確認するまで残ります"),
    "en": ("Cause", "If ignored", "What to do", "Priority", "Respond within", "s",
           "Stays until it is acknowledged"),
}  # fmt: skip
_SHAPES: Final = {1: "◆1", 2: "▲2", 3: "■3"}


class Runbooks:
    """Serves the pages below one directory.

    Args:
        directory: Holds `ja/KEY.md` and `en/KEY.md`.
        catalogue: Returns the rows; only their keys are served.
    """

    def __init__(self, directory: Path, catalogue: Callable[[], list[AlarmSpecView]]) -> None:
        self._directory = directory
        self._catalogue = catalogue

    async def page(self, request: Request) -> Response:
        """Answer one page; what is not in the catalogue is 404."""
        language, key = request.path_params["language"], request.path_params["key"]
        row = next((row for row in self._catalogue() if row.key == key), None)
        if row is None or language not in LANGUAGES:
            raise HTTPException(404, "there is no such runbook")
        try:
            text = (self._directory / language / f"{key}.md").read_text(encoding="utf-8")
        except OSError as error:
            raise HTTPException(404, "this runbook is not installed") from error
        return HTMLResponse(document(row, language, text), headers={"Cache-Control": "no-cache"})


def document(row: AlarmSpecView, language: str, text: str) -> str:
    """Return a whole page."""
    words: AlarmText = row.ja if language == "ja" else row.en
    cause, ignored, action, priority, within, seconds, stays = _WORDS[language]
    facts = [
        (priority, f'<span class="chip p{row.priority}">{_SHAPES[row.priority]}</span>'),
        (within, f"{row.respond_within_s:g} {seconds}"),
        (cause, html.escape(words.cause)),
        (ignored, html.escape(words.consequence)),
        (action, f"<b>{html.escape(words.action)}</b>"),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    latch = f"<p>{stays}</p>" if row.latching else ""
    title = html.escape(words.title)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{title}</title>"
        '<link rel="stylesheet" href="/style/tokens.css">'
        '<link rel="stylesheet" href="/style/frame.css">'
        '<link rel="stylesheet" href="/style/alarms.css"></head>'
        f'<body class="runbook-page"><main class="runbook" data-key="{html.escape(row.key)}">'
        f"<h1>{title} <small>{html.escape(row.key)}</small></h1>"
        f"<dl>{rows}</dl>{latch}{render(text)}</main></body></html>\n"
    )


def render(text: str) -> str:
    """Return the HTML of a page's own text; its first heading is left to the catalogue."""
    return "".join(_blocks(text.splitlines()))


def _blocks(lines: Iterable[str]) -> Iterable[str]:
    kind = ""  # of the list that is open
    for line in lines:
        line = line.strip()
        item = re.match(r"(-|\d+\.) +(.*)", line)
        wanted = "" if item is None else ("ul" if item[1] == "-" else "ol")
        if wanted != kind:
            if kind:
                yield f"</{kind}>"
            if wanted:
                yield f"<{wanted}>"
            kind = wanted
        if item is not None:
            yield f"<li>{_inline(item[2])}</li>"
        elif line.startswith("## "):
            yield f"<h2>{_inline(line[3:])}</h2>"
        elif line and not line.startswith("# "):
            yield f"<p>{_inline(line)}</p>"
    if kind:
        yield f"</{kind}>"


def _inline(text: str) -> str:
    escaped = html.escape(text)
    escaped = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)
    escaped = re.sub(r"\*(.+?)\*", r"<em>\1</em>", escaped)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", escaped)
