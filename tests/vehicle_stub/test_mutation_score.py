"""A quick share of `./enkan mutate`, and proof that it can fail."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from support import mutants

ROOT = Path(__file__).parents[2]


def mutate(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = str(ROOT / "tests" / "mutate.py")
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, timeout=110, cwd=ROOT
    )


def test_the_tests_notice_some_changes_of_the_checker_and_see_every_decision() -> None:
    done = mutate("checker", "--sample", "3", "--seed", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100.0 %" in done.stdout


def test_too_few_tests_are_found_out(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import vehicle_stub.control\n\ndef test_nothing():\n    pass\n"
    )
    code = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from support import mutants
mutants.GUARDED["control"] = ("vehicle_stub.control", ({nothing!r},))
sys.argv = ["mutate", "control", "--sample", "2"]
import mutate
raise SystemExit(mutate.main())
""".format(root=str(ROOT), tests=str(ROOT / "tests"), nothing=str(tmp_path / "test_nothing.py"))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=110, cwd=ROOT
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not noticed" in done.stderr
    assert "never true" in done.stderr


@pytest.mark.parametrize("name", mutants.GUARDED)
def test_every_change_is_a_change_and_can_be_compiled(name: str) -> None:
    found = mutants.changes(name)
    assert len(found) > 30
    _, tree = mutants._source(mutants.GUARDED[name][0])
    before = ast.unparse(tree)
    for change in mutants.some(found, 25, 1):
        _, tree = mutants._source(mutants.GUARDED[name][0])
        changed = ast.fix_missing_locations(mutants._Changer(change.number).visit(tree))
        assert ast.unparse(changed) != before, change
        compile(changed, name, "exec")
    guards = {change.what for change in found if change.what.startswith("guard_")}
    assert bool(guards) == (name in ("checker", "drive_frames"))
