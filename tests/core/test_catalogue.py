"""The catalogue as data: nothing missing, nothing that nobody can raise."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from protocols.alarms import AlarmText
from supervisor.core import catalogue
from supervisor.core.catalogue import BY_KEY, CATALOGUE, AlarmSpec, Priority, Source, keys

FIRST_CATALOGUE = (
    "takeover.requested takeover.unanswered link.lost link.degraded telemetry.stale "
    "clock.untrusted video.frozen video.late video.poor camera.blocked audio.lost "
    "command.late command.refused authority.lost deadman.released odd.near_exit odd.exit "
    "mrm.operating mrm.failed vehicle.stopped_in_lane vehicle.collision passenger.stop_button "
    "passenger.call door.fault energy.low geofence.left person.near_machine implement.fault "
    "gate.level_high gate.level_rising robot.gas_detected trap.triggered "
    "wearer.vital_abnormal wearer.silent broker.down recorder.gap storage.low seat.not_armed "
    "supervision.overload audit.failed journal.failed "
    "duty.overdue "
)

ROW = CATALOGUE[0]
FIELDS = [field.name for field in msgspec.structs.fields(AlarmSpec)]
LANGUAGES = ("ja", "en")


def problems(spec: AlarmSpec) -> list[str]:
    """What is wrong with a row, in words."""
    found = []
    for language in LANGUAGES:
        text = getattr(spec, language)
        for field in msgspec.structs.fields(AlarmText):
            if not getattr(text, field.name).strip():
                found.append(f"{language}.{field.name} is empty")
    if spec.respond_within_s <= 0:
        found.append("no time to respond")
    if spec.on_delay_ms < 0 or spec.off_delay_ms < 0:
        found.append("negative delay")
    if spec.safety and not spec.latching:
        found.append("a safety alarm that does not latch")
    if spec.shelvable and spec.priority is Priority.URGENT:
        found.append("an urgent alarm that can be shelved")
    if spec.waits_for and spec.source == "vehicle":
        found.append("a vehicle can raise what waits for something else")
    if not any("\u3040" <= c <= "\u9fff" for c in spec.ja.title):
        found.append("the Japanese title is not Japanese")
    found += [f"suppressed by unknown {key}" for key in spec.suppressed_by if key not in BY_KEY]
    if spec.key in spec.suppressed_by:
        found.append("suppresses itself")
    return found


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.key)
def test_every_row_is_complete(spec: AlarmSpec) -> None:
    assert problems(spec) == []


@pytest.mark.parametrize("missing", FIELDS)
def test_a_row_with_a_missing_field_does_not_exist(missing: str) -> None:
    values = {name: getattr(ROW, name) for name in FIELDS if name != missing}
    with pytest.raises(TypeError, match=missing):
        AlarmSpec(**values)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["title", "cause", "consequence", "action"])
def test_a_row_with_an_empty_text_is_refused(language: str, text: str) -> None:
    empty = msgspec.structs.replace(getattr(ROW, language), **{text: " "})
    row = msgspec.structs.replace(ROW, **{language: empty})
    assert f"{language}.{text} is empty" in problems(row)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"safety": True, "latching": False}, "a safety alarm that does not latch"),
        ({"priority": Priority.URGENT, "shelvable": True}, "an urgent alarm that can be shelved"),
        ({"respond_within_s": 0.0}, "no time to respond"),
        ({"suppressed_by": ("nothing.known",)}, "suppressed by unknown nothing.known"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_breaks_the_discipline_is_refused(change: dict, problem: str) -> None:
    assert problem in problems(msgspec.structs.replace(ROW, **change))


def test_the_whole_first_catalogue_is_there_once_and_every_key_has_its_name() -> None:
    listed = [spec.key for spec in CATALOGUE]
    assert sorted(listed) == sorted(FIRST_CATALOGUE.split())
    named = {value for name, value in vars(keys).items() if name.isupper()}
    assert named == set(listed)


def test_the_priorities_keep_about_five_fifteen_and_eighty_per_cent() -> None:
    counted = Counter(spec.priority for spec in CATALOGUE)
    share = {priority: counted[priority] / len(CATALOGUE) for priority in Priority}
    assert 0.03 <= share[Priority.URGENT] <= 0.08
    assert 0.10 <= share[Priority.HIGH] <= 0.22
    assert 0.70 <= share[Priority.LOW] <= 0.85


def test_suppression_has_no_circle() -> None:
    def causes(key: str, seen: tuple[str, ...] = ()) -> None:
        assert key not in seen, f"{seen} → {key}"
        for cause in BY_KEY[key].suppressed_by:
            causes(cause, (*seen, key))

    for spec in CATALOGUE:
        causes(spec.key)


# ---------------------------------------------------------------- who raises what

CORE = Path(catalogue.__file__).parent.parent
SAID_ELSEWHERE = re.compile(r"^from supervisor\.core\.catalogue import|^ +[A-Z_]+,$")


def raised_in_the_core() -> set[str]:
    """Keys whose constant is used by a module of the core outside the catalogue."""
    names = {name: value for name, value in vars(keys).items() if name.isupper()}
    found = set()
    for path in CORE.glob("*.py"):
        lines = [
            line
            for line in path.read_text(encoding="utf-8").splitlines()
            if not SAID_ELSEWHERE.match(line)
        ]
        text = "\n".join(lines)
        found |= {value for name, value in names.items() if re.search(rf"\b{name}\b", text)}
    return found


def test_every_row_is_raised_by_somebody_or_names_what_it_waits_for() -> None:
    raised = raised_in_the_core()
    for spec in CATALOGUE:
        if spec.source is Source.VEHICLE:
            assert spec.key not in raised, f"{spec.key} is the vehicle's to raise"
        elif spec.waits_for:
            assert spec.key not in raised, f"{spec.key} waits for nothing any more"
        else:
            assert spec.key in raised, f"nobody raises {spec.key}"


def test_rows_that_wait_name_the_part_of_the_system_they_wait_for() -> None:
    waiting = {spec.key for spec in CATALOGUE if spec.waits_for}
    assert waiting == {
        "gate.level_high",
        "gate.level_rising",
        "trap.triggered",
        "wearer.vital_abnormal",
        "wearer.silent",
        "recorder.gap",
    }


# ------------------------------------------------------------------- runbooks

RUNBOOKS = CORE.parent.parent / "docs" / "runbooks"
SECTIONS = {
    "ja": ["意味", "見るところ", "手順", "終わり方", "記録されること"],
    "en": [
        "What it means",
        "What to look at",
        "What to do",
        "How it ends",
        "What is recorded",
    ],
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", [spec.key for spec in CATALOGUE])
def test_every_alarm_has_its_runbook_page(language: str, key: str) -> None:
    spec = BY_KEY[key]
    text = (RUNBOOKS / language / f"{key}.md").read_text(encoding="utf-8")
    words: AlarmText = getattr(spec, language)
    assert text.splitlines()[0] == f"# {words.title} ({key})"
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS[language]
    sections = re.split(r"^## .*$", text, flags=re.M)[1:]
    assert all(section.strip() for section in sections)
    assert words.cause in sections[0] and words.consequence in sections[0]
    assert len(re.findall(r"^- ", sections[1], re.M)) >= 1
    assert len(re.findall(r"^\d+\. ", sections[2], re.M)) >= 2


def test_no_page_is_left_of_an_alarm_that_is_gone() -> None:
    for language in LANGUAGES:
        pages = {path.stem for path in (RUNBOOKS / language).glob("*.md")}
        assert pages == set(BY_KEY)
