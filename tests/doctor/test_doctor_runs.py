"""Checks side by side: each ends in time, and what was not looked at is never well."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.config import HubConfig
from supervisor.doctor.checks import CHECKS, LIMIT_S, Check, run
from supervisor.doctor.command import as_document, chosen, examined, lines
from supervisor.doctor.finding import Finding, Level, Result, Subject, exit_code

SUBJECT = Subject("hub.toml", HubConfig())
NO_CONFIG = Subject("hub.toml", None, "telemetry.mqtt_port: expected int")


def found(check: Check, subject: Subject = SUBJECT) -> list[tuple[Level, str]]:
    return [(one.level, one.finding.code) for one in run(subject, [check])]


def returning(code: str) -> Callable[[Subject], list[Finding]]:
    return lambda subject: [Finding(code)]


def test_a_check_that_hangs_is_unknown_and_does_not_hold_the_others() -> None:
    never = threading.Event()

    def hang(subject: Subject) -> list[Finding]:
        never.wait(60)
        return []

    results = run(
        SUBJECT,
        [
            Check("fsync", hang, essential=True, limit_s=0.1),
            Check("ports", returning("ports.free")),
        ],
    )
    never.set()
    assert [one.finding.code for one in results] == ["check.timeout", "ports.free"]
    assert results[0].level is Level.UNKNOWN
    assert exit_code(results) == 4


def test_all_limits_leave_time_for_the_report() -> None:
    assert max(check.limit_s for check in CHECKS) <= LIMIT_S < 12


def test_what_the_system_refuses_is_unknown_with_its_reason() -> None:
    def refused(subject: Subject) -> list[Finding]:
        raise PermissionError(13, "Permission denied")

    (result,) = run(SUBJECT, [Check("disk", refused)])
    assert result.level is Level.UNKNOWN
    assert result.finding.fill == {"reason": "Permission denied"}


def test_a_fault_of_a_check_is_not_hidden() -> None:
    def faulty(subject: Subject) -> list[Finding]:
        raise KeyError("state")

    with pytest.raises(KeyError):
        run(SUBJECT, [Check("disk", faulty)])


def test_without_a_configuration_only_the_machine_is_examined() -> None:
    assert found(Check("ports", returning("ports.free")), NO_CONFIG) == [
        (Level.UNKNOWN, "check.needs_config")
    ]
    machine = Check("clock", returning("clock.kept"), needs_config=False)
    assert found(machine, NO_CONFIG) == [(Level.OK, "clock.kept")]


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        (["ok", "info"], 0),
        (["ok", "warning"], 1),
        (["warning", "failure", "unknown"], 2),
        (["warning", "unknown"], 4),
        (["warning", "unknown-minor"], 1),
        (["unknown-minor"], 0),
    ],
)
def test_the_exit_code_is_the_first_that_holds(levels: list[str], code: int) -> None:
    results = [
        Result("x", not level.endswith("minor"), Level(level.partition("-")[0]), Finding("x.y"))
        for level in levels
    ]
    assert exit_code(results) == code


def test_a_refused_configuration_ends_with_4_whatever_else_is_wrong() -> None:
    results = run(NO_CONFIG, [CHECKS[0]])
    failed = Result("ports", True, Level.FAILURE, Finding("ports.taken"))
    assert exit_code([failed, *results]) == 4
    assert "telemetry.mqtt_port: expected int" in "\n".join(lines(results, "en", 4))


def test_the_report_says_each_level_by_a_sign_and_a_word() -> None:
    results = [
        Result("ports", True, Level.FAILURE, Finding("ports.taken", "a", fill={"who": "nc (7)"})),
        Result("clock", False, Level.OK, Finding("clock.kept", value=3.5, unit="ms")),
    ]
    english = "\n".join(lines(results, "en", 2))
    assert "✗ FAILURE" in english
    assert "nc (7)" in english
    assert "✓ OK" in english
    assert "→ do: " in english
    japanese = "\n".join(lines(results, "ja", 2))
    assert "✗ 異常" in japanese
    assert "終了コード 2" in japanese


def test_the_document_has_the_keys_that_others_rely_on() -> None:
    finding = Finding("clock.kept", value=3.5, unit="ms")
    document = json.loads(
        as_document([Result("clock", False, Level.OK, finding)], SUBJECT, "en", 0)
    )
    assert document["schema"] == 1
    assert sorted(document) == sorted(
        ["schema", "version", "config", "language", "exit_code", "counts", "findings"]
    )
    assert document["counts"] == {"ok": 1, "info": 0, "warning": 0, "failure": 0, "unknown": 0}
    assert document["findings"] == [
        {
            "check": "clock",
            "essential": False,
            "level": "ok",
            "code": "clock.kept",
            "about": "",
            "value": 3.5,
            "unit": "ms",
            "means": "The clock is kept (error at most 3.5 ms).",
            "do": "",
        }
    ]


def test_checks_are_chosen_by_name_and_a_strange_name_ends_with_4() -> None:
    assert [check.name for check in chosen(["disk", "ports"])] == ["ports", "disk"]
    with pytest.raises(SystemExit) as ended:
        chosen(["teapot"])
    assert ended.value.code == 4


def test_a_missing_configuration_is_told_in_its_own_words(tmp_path: Path) -> None:
    subject = examined(tmp_path / "none.toml", ())
    assert subject.config is None
    assert "sample-config" in subject.config_error
