"""Every parser of foreign bytes against damaged real inputs: only the declared error.

This is a quick share of what `./enkan fuzz` does. Inputs that once broke a parser are
files `crash-PARSER-….bin` here, and are tried for ever.
"""

from __future__ import annotations

import pytest

from support import fuzzing
from support.parsers import PACKETS, TARGETS

FEWER = {"sdp": 1_000, "hub_config": 500, "vehicle_config": 500, "audit": 500, "journal": 1_000}
NEVER_WHOLE = ("audit", "drive_frame")
"""Hardly any damage leaves these acceptable."""


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_raise_only_the_declared_error(name):
    found = fuzzing.run(name, FEWER.get(name, 3_000), keep=None)
    assert found.findings == []
    assert found.inputs > found.accepted
    assert found.accepted > 0 or name in NEVER_WHOLE


@pytest.mark.parametrize("name", TARGETS)
def test_undamaged_inputs_are_accepted_in_time(name):
    target = TARGETS[name]
    reasons = [fuzzing.attempt(target, data)[0] for data in target.seeds()]
    assert "accepted" in reasons


@pytest.mark.parametrize("path", sorted(PACKETS.glob("crash-*.bin")), ids=lambda path: path.stem)
def test_inputs_that_once_broke_a_parser_no_longer_do(path):
    target = TARGETS[path.stem.split("-")[1]]
    took = min(fuzzing.attempt(target, path.read_bytes())[1] for _ in range(fuzzing.RETRIES))
    assert took < fuzzing.SLOWEST_S


@pytest.mark.parametrize("path", sorted(PACKETS.glob("rt*.bin")) + sorted(PACKETS.glob("s*.bin")))
def test_each_truncation_of_a_real_packet_is_taken_or_refused_but_never_breaks(path):
    target = TARGETS[path.name.partition("-")[0]]
    data = path.read_bytes()
    assert fuzzing.attempt(target, data)[0] == "accepted"
    for length in range(len(data)):
        fuzzing.attempt(target, data[:length])


def test_the_same_seed_damages_in_the_same_way():
    first, second = (fuzzing.run("rtcp", 200, 7, keep=None) for _ in range(2))
    assert first.outcomes == second.outcomes


def test_an_undeclared_error_and_a_slow_input_are_found_and_kept(tmp_path, monkeypatch):
    def parse(data):
        if b"!" in data:
            raise KeyError("undeclared")

    monkeypatch.setitem(TARGETS, "broken", TARGETS["layers"]._replace(
        parse=parse, seeds=lambda: [b"!"]
    ))  # fmt: skip
    found = fuzzing.run("broken", 50, keep=tmp_path)
    assert found.findings[0].startswith("KeyError")
    assert len(list(tmp_path.glob("crash-broken-*.bin"))) >= 1
    monkeypatch.setattr(fuzzing, "SLOWEST_S", -1.0)
    assert "ms" in fuzzing.run("rtcp", 1, keep=None).findings[0]


def test_memory_that_goes_on_growing_is_found(monkeypatch):
    kept = []

    def parse(data):
        kept.append(b"x" * 20_000)  # more than earlier tests can have left free

    monkeypatch.setitem(TARGETS, "broken", TARGETS["layers"]._replace(parse=parse))
    found = fuzzing.run("broken", 4_000, keep=None, every=1_000)
    assert found.findings == [f"memory grew by {found.growth >> 20} MiB"]
