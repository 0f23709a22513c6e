"""The core's part of the hub's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config import ConfigError, load

OBJECTIVE = '{ key = "a", purpose = "monitor", indicator = "g2g", limit = 300.0 }'


def written(folder: Path, text: str) -> Path:
    path = folder / "hub.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_objectives_segments_governor_and_ladder_are_configuration(tmp_path: Path) -> None:
    text = f"""
    [core]
    link_lost_s = 2.5
    objective = [{OBJECTIVE}]
    segment = [{{ name = "x", site = "s", area = [[1, 1], [2, 1], [2, 2]] }}]
    [core.governor]
    distance_m = 1.5
    [core.ladder]
    minimal_risk = true
    """
    core = load(written(tmp_path, text), {}).core
    assert core.link_lost_s == 2.5
    assert [o.key for o in core.objective] == ["a"]
    assert core.segment[0].holds(1.8, 1.5)
    assert core.governor.distance_m == 1.5
    assert core.ladder.minimal_risk


def test_the_environment_reaches_into_sections_of_sections(tmp_path: Path) -> None:
    environment = {
        "ENKAN_CORE__LINK_LOST_S": "9",
        "ENKAN_CORE__LADDER__HOLD_S": "3.5",
        "ENKAN_CORE__GOVERNOR__PURPOSES": '["drive"]',
    }
    core = load(written(tmp_path, "[core.ladder]\nhold_s = 1.0\n"), environment).core
    assert (core.link_lost_s, core.ladder.hold_s) == (9.0, 3.5)
    assert [str(p) for p in core.governor.purposes] == ["drive"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"[core]\nobjective = [{OBJECTIVE}, {OBJECTIVE}]", "'a' is there twice"),
        ("[core]\nnonsense = 1", "nonsense"),
        ("[core.ladder]\nnonsense = 1", "nonsense"),
        ("[core.governor]\nhold_s = 3.0", "hold_s must be at least twice renew_s"),
        ("[core]\nlink_lost_s = 0", "link_lost_s"),
        ('[core]\nobjective = [{ key = "a" }]', "purpose"),
    ],
)
def test_what_cannot_be_used_stops_the_start_and_is_named(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        load(written(tmp_path, text), {})


def test_a_variable_that_reaches_into_a_list_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"[core]\nobjective = [{OBJECTIVE}]")
    with pytest.raises(ConfigError, match="is a list"):
        load(path, {"ENKAN_CORE__OBJECTIVE__KEY": "b"})
