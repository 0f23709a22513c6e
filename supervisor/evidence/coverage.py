"""Who watched which vehicle, when, and when nobody did: read back from the audit.

`supervisor.core.coverage` says what an interval and a gap are. Each is recorded when it
begins, every minute, and when it ends; here the records of one become one again. Where a
hub was killed the last record counts: the end is then up to a minute too early, and such
an interval is marked as cut.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NamedTuple

from supervisor.evidence.reading import Row

WATCHED: Final = "coverage.watched"
GAP: Final = "coverage.gap"
KINDS: Final = (WATCHED, GAP)
ANOTHER_BOOT_NS: Final = 600_000_000_000
"""The same monotonic instant this far apart on the wall clock is of another boot."""
JST: Final = timezone(timedelta(hours=9), "JST")


class Span(NamedTuple):
    """One interval, or one gap.

    Attributes:
        account: Who watched; empty: a gap.
        from_ns, to_ns: Wall clock, nanoseconds since 1970.
        detail: Cameras that were shown; of a gap its reason.
        cut: Its end was never recorded: it lasted up to a minute longer.
    """

    vehicle: str
    account: str
    from_ns: int
    to_ns: int
    detail: str
    cut: bool

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.to_ns - self.from_ns) / 1e9


class Sum(NamedTuple):
    """One vehicle over the whole time asked for; seconds.

    Attributes:
        watched_s: At least one person had it on screen.
        gap_s: It was in operation and nobody had.
    """

    vehicle: str
    watched_s: float
    gap_s: float

    @property
    def ratio(self) -> float | None:
        """Return the share that was watched; None: it was not in operation."""
        whole = self.watched_s + self.gap_s
        return self.watched_s / whole if whole > 0 else None


def spans(
    rows: Iterable[Row], from_utc_ns: int | None = None, to_utc_ns: int | None = None
) -> list[Span]:
    """Return intervals and gaps within a time, in the order in which they began.

    Raises:
        AuditError: A record lacks what belongs into it.
    """
    found: dict[tuple[str, str, int], Span] = {}
    for row in rows:
        start = row.integer("from_ns")
        is_gap = row.kind == GAP
        session = "" if is_gap else row.text("session")
        begin_ns, end_ns = row.utc_of(start), row.utc_of(row.integer("to_ns"))
        place = (row.subject, session, start)
        before = found.get(place)
        if before is not None and abs(before.from_ns - begin_ns) > ANOTHER_BOOT_NS:
            found[row.subject, f"before {row.seq}", start] = before
            before = None
        found[place] = Span(
            vehicle=row.subject,
            account="" if is_gap else row.actor,
            from_ns=begin_ns if before is None else before.from_ns,
            to_ns=end_ns,
            detail=row.text("reason" if is_gap else "cameras"),
            cut=row.text("state") != "ended",
        )
    clipped = (
        one._replace(
            from_ns=one.from_ns if from_utc_ns is None else max(one.from_ns, from_utc_ns),
            to_ns=one.to_ns if to_utc_ns is None else min(one.to_ns, to_utc_ns),
        )
        for one in found.values()
    )
    kept = [one for one in clipped if one.to_ns > one.from_ns]
    return sorted(kept, key=lambda one: (one.from_ns, one.vehicle, one.account))


def sums(found: Iterable[Span]) -> list[Sum]:
    """Return watched and unwatched time of each vehicle; who watches together counts once."""
    by_vehicle: dict[str, list[Span]] = {}
    for one in found:
        by_vehicle.setdefault(one.vehicle, []).append(one)
    return [
        Sum(
            vehicle,
            _union_s(one for one in many if one.account),
            _union_s(one for one in many if not one.account),
        )
        for vehicle, many in sorted(by_vehicle.items())
    ]


def _union_s(found: Iterable[Span]) -> float:
    total, reached = 0, 0
    for one in sorted(found, key=lambda one: one.from_ns):
        total += max(0, one.to_ns - max(one.from_ns, reached))
        reached = max(reached, one.to_ns)
    return total / 1e9


# ---------------------------------------------------------------------- for people

_WORDS: Final = {
    "ja": {
        "title": "監視の記録",
        "vehicle": "車両",
        "who": "監視者",
        "from": "開始",
        "to": "終了",
        "seconds": "時間(秒)",
        "detail": "カメラ・理由",
        "gap": "— 誰も見ていない —",
        "cut": "(終わりの記録なし)",
        "nobody": "表示した席がない",
        "no_picture": "映像が動いていない",
        "link": "通信断",
        "sum": "車両ごとの合計",
        "watched": "監視あり(秒)",
        "gaps": "空白(秒)",
        "ratio": "監視率",
        "none": "この期間の監視の記録はありません。",
    },
    "en": {
        "title": "Monitoring coverage",
        "vehicle": "vehicle",
        "who": "watched by",
        "from": "from",
        "to": "to",
        "seconds": "seconds",
        "detail": "cameras / reason",
        "gap": "- nobody -",
        "cut": "(end not recorded)",
        "nobody": "no seat shows it",
        "no_picture": "no moving picture",
        "link": "link lost",
        "sum": "By vehicle",
        "watched": "watched s",
        "gaps": "gap s",
        "ratio": "coverage",
        "none": "Nothing is on record for this time.",
    },
}


def lines(found: list[Span], language: str) -> Iterator[str]:
    """Yield a report for people; times in JST (ja) or UTC (en)."""
    words = _WORDS[language]
    yield words["title"]
    if not found:
        yield words["none"]
        return
    heads = [words[name] for name in ("vehicle", "who", "from", "to", "seconds", "detail")]
    yield from _table([heads, *(_cells(one, language) for one in found)])
    yield ""
    yield words["sum"]
    table = [[words[name] for name in ("vehicle", "watched", "gaps", "ratio")]]
    for one in sums(found):
        share = "-" if one.ratio is None else f"{one.ratio:.2%}"
        table.append([one.vehicle, f"{one.watched_s:.1f}", f"{one.gap_s:.1f}", share])
    yield from _table(table)


def comma_separated(found: list[Span]) -> str:
    """Return the same as CSV (RFC 4180), machine-readable: UTC, kinds in English."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["kind", "vehicle", "account", "from", "to", "seconds", "detail", "cut"])
    for one in found:
        kind = "watched" if one.account else "gap"
        times = [_iso(one.from_ns), _iso(one.to_ns), f"{one.seconds:.3f}"]
        detail = [_harmless(one.detail), int(one.cut)]
        writer.writerow([kind, one.vehicle, _harmless(one.account), *times, *detail])
    return out.getvalue()


def _harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _cells(one: Span, language: str) -> list[str]:
    words = _WORDS[language]
    detail = one.detail if one.account else words.get(one.detail, one.detail)
    if one.cut:
        detail = f"{detail} {words['cut']}"
    zone = JST if language == "ja" else UTC
    times = [_clock(one.from_ns, zone), _clock(one.to_ns, zone)]
    return [one.vehicle, one.account or words["gap"], *times, f"{one.seconds:.1f}", detail]


def _table(table: list[list[str]]) -> Iterator[str]:
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clock(utc_ns: int, zone: timezone) -> str:
    moment = datetime.fromtimestamp(utc_ns // 1_000_000_000, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname()}"


def _iso(utc_ns: int) -> str:
    moment = datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{utc_ns // 1_000_000 % 1_000:03d}Z"
