"""What the audit says of duties and of who watched, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.duties import (
    AbandonDuty,
    DutyStepView,
    DutyView,
    MarkDutyStep,
    StartDuty,
    StepState,
)
from protocols.operator import PresentationReport, Presented, Role
from protocols.topics import VehicleId
from protocols.vehicle import Connection, ConnectionState, Heartbeat, Kind
from supervisor.core import events as e
from supervisor.core.effects import Record
from supervisor.core.fleet import Fleet
from supervisor.core.step import step
from supervisor.evidence import coverage
from supervisor.evidence.audit import AuditError, AuditStore, Entry
from supervisor.evidence.duties import moved, restored
from supervisor.evidence.reading import rows

SECOND = 1_000_000_000
BUS = VehicleId("maebashi", "bus-01")
BEGAN = 1_780_000_000 * SECOND
"""Wall clock at the instant 0 of the hub that wrote."""
AOKI = e.Operator("s1", "aoki", Role.OPERATOR)
MORI = e.Operator("s2", "mori", Role.SUPERVISOR)


class Hub:
    """A core whose records go to a real store."""

    def __init__(self, path: Path) -> None:
        self.store = AuditStore.open(path)
        self.fleet = Fleet()
        self.now_ns = 1_000 * SECOND
        self.beats = 0
        self.do(e.VehicleConfigured(BUS, Kind.BUS, "1", 1))
        self.do(e.ConnectionReceived(BUS, Connection(ConnectionState.ONLINE, "run-1")))

    def do(self, event: e.AnyEvent) -> None:
        records = [x for x in step(self.fleet, event, self.now_ns) if isinstance(x, Record)]
        self.store.append([Entry(BEGAN + self.now_ns, record) for record in records])

    def run(self, seconds: int, *watchers: e.Operator) -> None:
        """Let time pass; these show the vehicle, one report a second."""
        tile = Presented(vehicle=str(BUS), camera="front", frames=9, still_ms=20.0)
        for tenth in range(seconds * 10):
            self.now_ns += SECOND // 10
            self.beats += 1
            self.do(e.HeartbeatReceived(BUS, Heartbeat("run-1", self.beats, self.now_ns, 0)))
            self.do(e.Tick())
            if tenth % 10 == 9:
                for who in watchers:
                    self.do(e.PresentationReported(who, PresentationReport(True, [tile])))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.sqlite"


def watched_by_two(path: Path) -> None:
    hub = Hub(path)
    for who in (AOKI, MORI):
        hub.do(e.OperatorConnected(who))
    hub.run(70, AOKI)
    hub.run(20, AOKI, MORI)
    hub.run(30)
    hub.run(10, MORI)
    hub.store.close()


# ---------------------------------------------------------------------- coverage


def test_the_records_of_an_interval_become_one_and_gaps_stay_gaps(path: Path) -> None:
    watched_by_two(path)
    found = coverage.spans(rows(path, coverage.KINDS))
    told = [(one.account, round(one.seconds), one.detail, one.cut) for one in found]
    assert (
        told
        == [
            ("aoki", 89, "front", False),
            ("mori", 19, "front", False),
            ("", 31, "nobody", False),
            ("mori", 0, "front", True),
        ][: len(told)]
    )
    start = BEGAN + 1_001 * SECOND
    assert (found[0].from_ns, found[0].to_ns) == (start, start + 89 * SECOND)


def test_who_watches_together_counts_once(path: Path) -> None:
    watched_by_two(path)
    (total,) = coverage.sums(coverage.spans(rows(path, coverage.KINDS)))
    assert round(total.watched_s) == 89
    assert round(total.gap_s) == 31
    assert total.ratio == pytest.approx(89 / 120, abs=0.01)


def test_only_the_time_asked_for_counts(path: Path) -> None:
    watched_by_two(path)
    start = BEGAN + 1_000 * SECOND
    found = coverage.spans(rows(path, coverage.KINDS), start + 80 * SECOND, start + 100 * SECOND)
    assert [(one.account, one.seconds) for one in found] == [
        ("aoki", 10.0),
        ("mori", 10.0),
        ("", 10.0),
    ]


@pytest.mark.parametrize(("language", "nobody"), [("ja", "誰も見ていない"), ("en", "nobody")])
def test_the_report_names_people_and_gaps_in_both_languages(
    path: Path, language: str, nobody: str
) -> None:
    watched_by_two(path)
    text = "\n".join(coverage.lines(coverage.spans(rows(path, coverage.KINDS)), language))
    assert "aoki" in text
    assert nobody in text
    assert "%" in text
    assert list(coverage.lines([], language))[1:]


def test_csv_is_for_machines_and_no_name_is_a_formula(path: Path) -> None:
    hub = Hub(path)
    odd = e.Operator("s", "=cmd", Role.OPERATOR)
    hub.do(e.OperatorConnected(odd))
    hub.run(65, odd)
    hub.store.close()
    found = coverage.spans(rows(path, coverage.KINDS))
    head, *lines = coverage.comma_separated(found).splitlines()
    assert head == "kind,vehicle,account,from,to,seconds,detail,cut"
    assert lines == [
        "watched,maebashi/bus-01,'=cmd,2026-05-28T20:43:21.000Z,2026-05-28T20:44:20.000Z,"
        "59.000,front,1"
    ]


# ------------------------------------------------------------------------ duties


def a_duty(**changes: object) -> DutyView:
    step_view = DutyStepView(key="fire", ja="a", en="a", due_ns=1_060 * SECOND)
    values: dict[str, object] = {
        "id": "accident@maebashi/bus-01#1", "key": "accident", "ja": "a", "en": "a", "law": "",
        "vehicle": str(BUS), "steps": [step_view], "event_ns": 1_000 * SECOND,
        "started_ns": 1_001 * SECOND,
    }  # fmt: skip
    return DutyView(**values | changes)


def test_an_open_duty_is_found_again_with_its_times_on_the_new_clock(path: Path) -> None:
    hub = Hub(path)
    hub.do(e.DutyStartAsked(AOKI, StartDuty("accident", str(BUS))))
    name = next(iter(hub.fleet.duties.duties))
    hub.run(5)
    hub.do(e.DutyStepMarked(AOKI, MarkDutyStep(name, "fire", StepState.DONE, "told")))
    hub.run(5)
    hub.store.close()
    utc_ns = BEGAN + hub.now_ns + 20 * SECOND
    (found,) = restored(path, now_ns=7 * SECOND, utc_ns=utc_ns).duties
    assert found.event_ns == 7 * SECOND - 30 * SECOND, "thirty seconds ago, before this boot"
    fire, field_team, *_ = found.steps
    assert (fire.state, fire.by, fire.note) == (StepState.DONE, "aoki", "told")
    assert fire.at_ns == found.event_ns + 5 * SECOND
    assert field_team.due_ns == found.event_ns + 120 * SECOND


def test_what_ended_is_over_and_what_nobody_touched_for_a_week_too(path: Path) -> None:
    hub = Hub(path)
    for key in ("accident", "level_crossing"):
        hub.do(e.DutyStartAsked(AOKI, StartDuty(key, str(BUS))))
    first = next(iter(hub.fleet.duties.duties))
    hub.do(e.DutyAbandoned(AOKI, AbandonDuty(first, "a test")))
    hub.store.close()
    utc_ns = BEGAN + hub.now_ns
    found = restored(path, now_ns=hub.now_ns, utc_ns=utc_ns).duties
    assert [duty.key for duty in found] == ["level_crossing"]
    later = utc_ns + 8 * 86_400 * SECOND
    assert restored(path, now_ns=hub.now_ns, utc_ns=later).duties == []


def test_an_alarm_that_outlives_the_hub_does_not_start_its_duty_again(path: Path) -> None:
    hub = Hub(path)
    hub.fleet.alarms.set("vehicle.collision", str(BUS), True, hub.now_ns)
    hub.fleet.alarms.on_time(hub.now_ns + SECOND)
    hub.run(1)
    name = next(iter(hub.fleet.duties.duties))
    hub.do(e.DutyAbandoned(AOKI, AbandonDuty(name, "done by telephone")))
    hub.store.close()
    event = restored(path, now_ns=hub.now_ns, utc_ns=BEGAN + hub.now_ns)
    assert event.duties == []
    ids = [f"vehicle.collision@{BUS}"]
    assert list(event.handled) == ids
    again = Hub(path.with_name("next.sqlite"))
    again.now_ns = hub.now_ns
    again.do(event)
    again.fleet.alarms.set("vehicle.collision", str(BUS), True, again.now_ns)
    again.fleet.alarms.on_time(again.now_ns + SECOND)
    alarm = again.fleet.alarms.get("vehicle.collision", str(BUS))
    assert alarm is not None
    alarm.raised_ns = event.handled[ids[0]] + 3_000_000  # as the audit's clocks tell it
    again.run(1)
    assert again.fleet.duties.duties == {}
    alarm.raised_ns = again.now_ns
    again.run(1)
    assert len(again.fleet.duties.duties) == 1, "a new collision is a new duty"
    again.store.close()


def test_moving_a_duty_there_and_back_changes_nothing() -> None:
    duty = a_duty()
    assert moved(moved(duty, 5), -5) == duty
    assert moved(duty, 5).steps[0].due_ns == duty.steps[0].due_ns + 5


def test_no_store_means_no_duties_and_a_damaged_record_is_named(path: Path) -> None:
    assert restored(path, now_ns=1, utc_ns=1) == e.DutiesRestored([])
    store = AuditStore.open(path)
    for data in ({"duty": "x"}, {"duty": "x", "view": "{}", "at_ns": 1}):
        store.append([Entry(1, Record("r", "duty.step", "a", "b", data))])
        with pytest.raises(AuditError, match=r"record [12] of the audit"):
            restored(path, now_ns=1, utc_ns=1)
    store.close()
