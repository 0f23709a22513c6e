"""Who had which vehicle on screen: proven by reports, with gaps as gaps."""

from __future__ import annotations

import pytest
from helpers_core import BUS, OPERATOR, SECOND, VIEWER, World, of
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.operator import PresentationReport, Presented, Role
from supervisor.core import coverage
from supervisor.core import events as e
from supervisor.core.effects import Record, ShowCoverage
from supervisor.core.snapshot import capture, restore

NAME = str(BUS)
OTHER = e.Operator("s3", "jiro", Role.SUPERVISOR)


class Room(World):
    """A bus in operation, and consoles that report."""

    def __init__(self) -> None:
        super().__init__()
        for who in (OPERATOR, VIEWER, OTHER):
            self.do(e.OperatorConnected(who))
        self.online()

    def report(
        self,
        who: e.Operator = OPERATOR,
        *,
        visible: bool = True,
        frames: int = 10,
        still_ms: float = 30.0,
        vehicle: str = NAME,
    ):
        tile = Presented(vehicle=vehicle, camera="front", frames=frames, still_ms=still_ms)
        return self.do(e.PresentationReported(who, PresentationReport(visible, [tile])))

    def watch(self, seconds: int, who: e.Operator = OPERATOR, **how: object):
        effects = []
        for _ in range(seconds):
            effects += self.run(1.0, beats=True)
            effects += self.report(who, **how)
        return effects

    def idle(self, seconds: float):
        return self.run(seconds, beats=True)


def told(effects, kind: str) -> list[str]:
    return [str(r.data["state"]) for r in of(effects, Record) if r.kind == f"coverage.{kind}"]


def test_reports_that_follow_each_other_are_one_interval_from_the_first_to_the_last() -> None:
    room = Room()
    effects = room.watch(10)
    last_ns = room.now_ns
    effects += room.idle(4.0)
    assert told(effects, "watched") == ["began", "ended"]
    ended = next(r for r in of(effects, Record) if r.data.get("state") == "ended")
    assert ended.actor == "hanako"
    assert ended.subject == NAME
    assert int(ended.data["to_ns"]) == last_ns
    assert int(ended.data["to_ns"]) - int(ended.data["from_ns"]) == 9 * SECOND
    assert ended.data["cameras"] == "front"


@pytest.mark.parametrize(
    "how",
    [
        {"visible": False},
        {"frames": 0},
        {"still_ms": 1_500.0},
        {"still_ms": float("nan")},
        {"who": VIEWER},
        {"vehicle": "no/such"},
    ],
    ids=["hidden", "no-frame", "still", "nonsense", "viewer", "unknown"],
)
def test_what_proves_nothing_covers_nothing(how: dict) -> None:
    room = Room()
    effects = room.watch(10, **how)
    assert told(effects, "watched") == []
    assert told(effects, "gap") == ["began"]


def test_a_vehicle_on_nobodys_screen_has_a_gap_from_the_last_proof_on() -> None:
    room = Room()
    room.watch(5)
    last_ns = room.now_ns
    effects = room.idle(5.0)
    gap = next(r for r in of(effects, Record) if r.kind == "coverage.gap")
    assert gap.data["reason"] == "nobody"
    assert gap.data["from_ns"] == last_ns
    assert coverage.view(room.bus).gap_since_ns == last_ns
    assert coverage.ratio(room.fleet) == {"maebashi": 0.0}
    effects = room.watch(1)
    assert told(effects, "gap") == ["ended"]
    assert coverage.ratio(room.fleet) == {"maebashi": 1.0}


def test_one_of_two_who_leaves_makes_no_gap() -> None:
    room = Room()
    for _ in range(4):
        room.watch(1)
        room.report(OTHER)
    assert coverage.view(room.bus).accounts == ["hanako", "jiro"]
    room.do(e.OperatorDisconnected(OPERATOR))
    effects = room.watch(6, OTHER)
    assert told(effects, "gap") == []
    assert coverage.view(room.bus).accounts == ["jiro"]


def test_a_console_that_goes_ends_its_interval_at_once() -> None:
    room = Room()
    room.watch(3)
    effects = room.do(e.OperatorDisconnected(OPERATOR))
    assert told(effects, "watched") == ["ended"]


def test_a_vehicle_that_said_goodbye_or_is_driven_from_aboard_has_no_gap() -> None:
    room = Room()
    room.idle(5.0)
    assert coverage.view(room.bus).reason == "nobody"
    effects = room.connection("OFFLINE") + room.idle(0.3)
    assert told(effects, "gap") == ["ended"]
    assert coverage.ratio(room.fleet) == {}


def test_a_lost_link_is_a_gap_that_says_so() -> None:
    room = Room()
    room.watch(3)
    room.run(8.0)
    assert coverage.view(room.bus).reason == "link"


def test_a_long_watch_is_recorded_once_a_minute() -> None:
    room = Room()
    assert told(room.watch(185), "watched") == ["began", "goes_on", "goes_on", "goes_on"]


def test_a_flickering_picture_cannot_flood_the_audit() -> None:
    room = Room()
    effects = []
    for _ in range(300):
        effects += room.run(0.1, beats=True)
        effects += room.report()
        effects += room.report(visible=False)
    assert told(effects, "watched") == ["began"]


def test_consoles_are_told_when_something_changed_and_not_else() -> None:
    room = Room()
    room.watch(1)
    assert of(room.watch(30), ShowCoverage) == []
    assert len(of(room.idle(4.0), ShowCoverage)) == 1


def test_coverage_is_part_of_the_state_a_replay_begins_with() -> None:
    room = Room()
    room.watch(4)
    twin = restore(capture(room.fleet))
    assert coverage.view(twin.vehicles[BUS]) == coverage.view(room.bus)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["report", "other", "hidden", "leave", "idle"]), max_size=40))
def test_at_any_time_a_vehicle_in_operation_is_watched_or_has_a_gap_or_three_seconds(
    acts: list[str],
) -> None:
    room = Room()
    proven_ns = room.now_ns
    effects = []
    for act in acts:
        effects += room.run(1.0, beats=True)
        if act in ("report", "other"):
            effects += room.report(OPERATOR if act == "report" else OTHER)
            proven_ns = room.now_ns
        elif act == "hidden":
            effects += room.report(visible=False)
        elif act == "leave":
            effects += room.do(e.OperatorDisconnected(OPERATOR))
            room.do(e.OperatorConnected(OPERATOR))
        view = coverage.view(room.bus)
        silent_ns = room.now_ns - proven_ns
        if silent_ns > coverage.JOIN_NS + SECOND // 5:
            assert view.accounts == []
            assert view.gap_since_ns is not None
            assert view.gap_since_ns <= proven_ns + SECOND // 10
        elif silent_ns < coverage.JOIN_NS:
            assert view.reason == ""
    states = told(effects, "watched")
    assert states.count("ended") <= states.count("began")
    gaps = told(effects, "gap")
    assert [s for s in gaps if s != "goes_on"] == (["began", "ended"] * len(gaps))[
        : len([s for s in gaps if s != "goes_on"])
    ]
