"""A share of `./enkan fuzz orders`: nothing hostile is obeyed, everything is counted."""

from __future__ import annotations

from typing import Any

import pytest

from support.hostile_orders import attack
from vehicle_stub import checker, drive_frames


def test_nothing_hostile_is_obeyed_and_each_refusal_is_counted_by_its_cause() -> None:
    outcome = attack(6_000, seed=3)
    assert outcome.held, str(outcome)
    assert len(outcome.refused) == 28
    assert outcome.genuine > 200


def test_the_same_seed_attacks_in_the_same_way() -> None:
    assert attack(500, 7).refused == attack(500, 7).refused


@pytest.mark.parametrize(
    "guard", [g for g in checker.GUARDS if g is not checker.guard_place], ids=lambda g: g.__name__
)
def test_without_one_of_its_guards_the_attack_on_the_checker_succeeds(guard: Any) -> None:
    guards = [other for other in checker.GUARDS if other is not guard]
    assert attack(4_000, guards=guards).obeyed


@pytest.mark.parametrize("guard", drive_frames.GUARDS, ids=lambda guard: guard.__name__)
def test_without_one_of_its_guards_the_attack_on_the_frames_succeeds(guard: Any) -> None:
    guards = [other for other in drive_frames.GUARDS if other is not guard]
    assert attack(4_000, frame_guards=guards).obeyed
