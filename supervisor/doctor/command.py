"""`enkan doctor` itself: its options, its report as text and as JSON."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from supervisor import __version__
from supervisor.config import ConfigError, load
from supervisor.doctor import rows
from supervisor.doctor.checks import CHECKS, Check, run
from supervisor.doctor.finding import EXIT_NOT_CHECKED, Level, Result, Subject, exit_code

SCHEMA: Final = 1
"""Of the JSON report: changes when a key is renamed or goes away, not when one is added."""

SIGNS: Final = {
    Level.OK: "✓",
    Level.INFO: "i",
    Level.WARNING: "!",
    Level.FAILURE: "✗",
    Level.UNKNOWN: "?",
}


class Language(enum.StrEnum):
    """Of the report."""

    JA = "ja"
    EN = "en"


def doctor_command(
    config: Annotated[Path, typer.Option("--config", help="The hub's configuration file.")] = Path(
        "hub.toml"
    ),
    lang: Annotated[Language, typer.Option(help="Language of the report.")] = Language.JA,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this check; may be given again.")
    ] = None,
    stun: Annotated[
        list[str] | None, typer.Option(help="Ask this STUN or TURN server, host:port.")
    ] = None,
) -> None:
    """Say what is wrong with this machine or configuration for a hub, and what to do.

    Ends with 0 if all is well, 1 with warnings, 2 with failures, 4 if the configuration
    cannot be used or something essential could not be checked.
    """
    wanted = chosen(only or [])
    subject = examined(config, tuple(stun or ()))
    results = run(subject, wanted)
    code = exit_code(results)
    if as_json:
        typer.echo(as_document(results, subject, lang.value, code))
    else:
        for line in lines(results, lang.value, code):
            typer.echo(line)
    raise SystemExit(code)


def chosen(names: list[str]) -> list[Check]:
    """Return the checks of these names, in the order of the report; all if none is named."""
    known = [check.name for check in CHECKS]
    strange = [name for name in names if name not in known]
    if strange:
        typer.echo(
            f"enkan: there is no check {', '.join(strange)}; there are {', '.join(known)}", err=True
        )
        raise SystemExit(EXIT_NOT_CHECKED)
    return [check for check in CHECKS if not names or check.name in names]


def examined(config: Path, stun: tuple[str, ...]) -> Subject:
    """Load the configuration; one that cannot be used is a finding like others."""
    try:
        return Subject(str(config), load(config), "", stun)
    except ConfigError as error:
        return Subject(str(config), None, str(error), stun)


def lines(results: Iterable[Result], language: str, code: int) -> list[str]:
    """Return the report for people: a sign and a word for each finding, then what to do."""
    found = list(results)
    told = []
    width = max(_width(words[language]) for words in rows.LEVELS.values())
    check = ""
    for result in found:
        if result.check != check:
            check = result.check
            told.append(f"{rows.CHECKS[check][language]} [{check}]")
        word = rows.LEVELS[result.level][language]
        gap = " " * (width - _width(word))
        told.append(f"  {SIGNS[result.level]} {word}{gap}  {rows.means(result.finding, language)}")
        to_do = rows.action(result.finding, language)
        if to_do:
            indent = " " * (width + 6)
            told.append(f"{indent}→ {rows.WORDS['do'][language]}: {to_do}")
    counts = [
        f"{rows.LEVELS[level][language]} {number}"
        for level, number in _counts(found).items()
        if number
    ]
    told += ["", f"{', '.join(counts)}; {rows.WORDS['end'][language]} {code}"]
    return told


def as_document(results: Sequence[Result], subject: Subject, language: str, code: int) -> str:
    """Return the report as JSON (docs/doctor.md says what is in it)."""
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "config": subject.config_file,
        "language": language,
        "exit_code": code,
        "counts": {level.value: number for level, number in _counts(results).items()},
        "findings": [
            {
                "check": result.check,
                "essential": result.essential,
                "level": result.level.value,
                "code": result.finding.code,
                "about": result.finding.about,
                "value": result.finding.value,
                "unit": result.finding.unit,
                "means": rows.means(result.finding, language),
                "do": rows.action(result.finding, language),
            }
            for result in results
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _counts(results: Iterable[Result]) -> dict[Level, int]:
    counts = dict.fromkeys(Level, 0)
    for result in results:
        counts[result.level] += 1
    return counts


def _width(text: str) -> int:
    """Columns on a terminal: a wide character has two (UAX #11)."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
