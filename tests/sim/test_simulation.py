"""The simulation itself: it holds, it is the same every time, and it finds what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim.control_sim import run_control
from sim.mutants import MUTANTS
from sim.simulation import run_seed

RUN = Path(__file__).with_name("run.py")
SEEDS = 40
"""`./enkan test` simulates a thousand in a step of its own and says how many it was."""

pytestmark = pytest.mark.timeout(600)


def sim(*arguments: str, hash_seed: str = "random") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, str(RUN), *arguments], capture_output=True, text=True, env=environment
    )


@pytest.mark.integration
def test_nothing_that_must_hold_is_violated_in_any_seed() -> None:
    done = sim("--seeds", str(SEEDS), "--first", "5000", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["seeds"] == SEEDS
    # A simulation in which nothing happens proves nothing.
    assert facts["resumes"] > 2 * facts["seeds"]
    assert facts["stops"] > 2 * facts["seeds"]
    assert facts["grants"] > 2 * facts["seeds"]


def test_one_seed_is_the_same_in_every_process_whatever_python_hashes() -> None:
    here = [run_seed(seed).digest for seed in (1, 2)]
    for hash_seed in ("1", "77"):
        for seed, digest in zip((1, 2), here, strict=True):
            done = sim("--seed", str(seed), hash_seed=hash_seed)
            assert f"trace {digest}" in done.stdout


def test_two_seeds_are_two_histories() -> None:
    assert run_seed(3, 20).digest != run_seed(4, 20).digest


def test_a_violation_tells_its_time_what_led_to_it_and_how_to_see_it_again() -> None:
    done = sim("--mutant", "stale-shown-live", "--seed", "1")
    assert done.returncode == 1
    assert "shown live without packets" in done.stdout
    assert " s: " in done.stdout.splitlines()[0]
    assert "hub starts" in done.stdout
    traced = sim("--mutant", "stale-shown-live", "--seed", "1", "--trace")
    assert len(traced.stdout.splitlines()) > len(done.stdout.splitlines())


def test_control_alone_holds_in_every_seed() -> None:
    """Some of them; `./enkan sim --control --seeds 100000` runs all."""
    held = 0
    for seed in range(100):
        grants, problem = run_control(seed)
        assert not problem, f"seed {seed}: {problem}"
        held += grants
    assert held > 200


QUICK = (
    "grant-kept",
    "orders-without-control",
    "epoch-not-raised",
    "ttl-unchecked",
    "link-lost-late",
    "fsync-skipped",
    "duplicates-obeyed",
    "stale-shown-live",
)


@pytest.mark.integration
def test_seeded_bugs_are_found() -> None:
    """Some of them; `./enkan sim --mutants` runs all."""
    done = sim("--mutants", "--only", ",".join(QUICK))
    assert done.returncode == 0, done.stdout
    assert f"{len(QUICK)} seeded bugs, {len(QUICK)} found" in done.stdout


def test_every_seeded_bug_still_fits_the_code() -> None:
    for mutant in MUTANTS:
        for change in mutant.changes:
            path = Path(__file__).parents[2] / (change.module.replace(".", "/") + ".py")
            if not path.exists():
                path = Path(__file__).parents[1] / (change.module.replace(".", "/") + ".py")
            assert path.read_text(encoding="utf-8").count(change.old) == 1, mutant.name


def test_a_bug_that_fits_nothing_stops_the_run() -> None:
    done = sim("--mutants", "--only", "no-such-bug")
    assert done.returncode == 2
    assert "unknown" in done.stdout
