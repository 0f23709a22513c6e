"""The words of the doctor are whole: every code has a level and both languages."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

from supervisor import doctor
from supervisor.doctor import rows
from supervisor.doctor.checks import CHECKS
from supervisor.doctor.finding import Finding, Level
from supervisor.doctor.row import LANGUAGES

SOURCES = sorted(Path(doctor.__file__).parent.glob("*.py"))


def codes_in_the_source() -> set[str]:
    """Every text in the sources that looks like a code of one of the checks."""
    begins = tuple(f"{name}." for name in [*rows.CHECKS, "check"])
    settings = {"console.port", "metrics.port", "telemetry.mqtt_port", "media.udp_port"}
    found = set()
    for source in SOURCES:
        if source.name.startswith("rows"):
            continue
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                if text.startswith(begins) and text.replace(".", "").replace("_", "").isalpha():
                    found.add(text)
    return found - settings


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_code_has_a_row_and_every_row_a_code() -> None:
    assert codes_in_the_source() == set(rows.ROWS)


@pytest.mark.parametrize("code", sorted(rows.ROWS))
def test_every_row_speaks_both_languages_about_the_same_things(code: str) -> None:
    row = rows.ROWS[code]
    assert set(row.means) == set(row.action) == set(LANGUAGES)
    assert all(row.means.values())
    assert fields(row.means["ja"]) == fields(row.means["en"])
    assert fields(row.action["ja"]) == fields(row.action["en"])
    assert bool(row.action["ja"]) == bool(row.action["en"])
    if row.level in (Level.WARNING, Level.FAILURE, Level.UNKNOWN) and code != "processors.unsaid":
        assert row.action["en"], "what is wrong needs something to do"
    if row.level is Level.OK:
        assert not row.action["en"]


def test_every_check_level_and_word_has_both_languages() -> None:
    assert [check.name for check in CHECKS] == list(rows.CHECKS)
    assert set(rows.LEVELS) == set(Level)
    for words in (*rows.CHECKS.values(), *rows.LEVELS.values(), *rows.WORDS.values()):
        assert set(words) == set(LANGUAGES)
        assert all(words.values())


def test_a_value_that_is_missing_is_a_dash_and_never_a_number() -> None:
    told = rows.means(Finding("clock.kept", unit="ms"), "en")
    assert "—" in told
