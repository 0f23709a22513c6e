"""What a simulated hub decided, with duties and attention in it, is decided again from its
journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import hub as sim_hub
from sim.simulation import Simulation
from supervisor import __version__
from supervisor.core import effects as f
from supervisor.core import events as e
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import Capture
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.evidence.journal import About, Journal, JournalConfig
from supervisor.evidence.replay import Replay, find_segments
from supervisor.evidence.segments import core_fingerprint

SEEDS = (3, 14)


class Journals:
    """One journal for each fleet: for each life of the hub, and each restored state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[tuple[Path, Journal]] = []
        self.seen: set[type] = set()
        self._fleet: Fleet | None = None

    def step(self, fleet: Fleet, event: e.AnyEvent, now_ns: int) -> list[f.AnyEffect]:
        """Decide, and write it down."""
        if fleet is not self._fleet:
            self._fleet = fleet
            folder = self.folder / f"{len(self.all):02d}"
            folder.mkdir()
            about = About(__version__, core_fingerprint(), "hub-1", "{}")
            journal = Journal(
                JournalConfig(), folder, about=about,
                capture=lambda: Capture(fleet), counters=Counters(),
            )  # fmt: skip
            self.all.append((folder, journal))
        journal = self.all[-1][1]
        journal.before(now_ns, event)
        following = step(fleet, event, now_ns)
        journal.put(now_ns, event, following)
        self.seen.add(type(event))
        self.seen.update(map(type, following))
        if len(journal._waiting) > 1_000:
            journal.flush()
        return following


@pytest.mark.parametrize("seed", SEEDS)
def test_a_simulated_hub_decides_the_same_again_from_its_journal(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = Journals(tmp_path)
    monkeypatch.setattr(sim_hub, "step", journals.step)
    Simulation(seed).run()
    assert {f.ShowDuty, f.ShowAttention, f.ShowCoverage, e.DutyStepMarked} <= journals.seen
    for folder, journal in journals.all:
        journal.flush()
        found = Replay(find_segments(folder)).run()
        assert found.difference is None, (folder.name, found.difference)
        assert found.events
