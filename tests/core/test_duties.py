"""Statutory checklists: what starts them, whose clock runs, what stays on record."""

from __future__ import annotations

import msgspec
import pytest
from helpers_core import BUS, OPERATOR, SECOND, VIEWER, World, of

from protocols.duties import (
    AbandonDuty,
    Contact,
    DutySpec,
    DutyStep,
    DutyView,
    MarkDutyStep,
    StartDuty,
    StepState,
)
from supervisor.core import events as e
from supervisor.core.catalogue import BY_KEY
from supervisor.core.config import CoreConfig
from supervisor.core.duty_rows import (
    BUILT_IN,
    contact_for,
    effective,
    not_configured,
    problems,
)
from supervisor.core.effects import Record, Refuse, ShowDuty
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import capture, restore

NAME = str(BUS)
MINE = DutySpec(
    key="mine",
    ja="a",
    en="a",
    steps=[DutyStep(key="one", ja="b", en="b", within_s=10.0)],
)


class Room(World):
    """A bus, and somebody who presses buttons."""

    def __init__(self, config: CoreConfig | None = None) -> None:
        super().__init__()
        if config is not None:
            self.fleet = Fleet(config)
            self.do(e.VehicleConfigured(BUS, "bus", "Bus 1", 7))

    def start(self, key: str = "accident", who: e.Operator = OPERATOR, **changes: object):
        return self.do(e.DutyStartAsked(who, StartDuty(key, NAME, **changes)))

    def mark(self, step: str, state: str = "done", note: str = "", who: e.Operator = OPERATOR):
        mark = MarkDutyStep(self.duty.id, step, StepState(state), note)
        return self.do(e.DutyStepMarked(who, mark))

    @property
    def duty(self) -> DutyView:
        return list(self.fleet.duties.duties.values())[-1]

    def step(self, key: str):
        return next(step for step in self.duty.steps if step.key == key)

    def collide(self) -> None:
        self.fleet.alarms.set("vehicle.collision", NAME, True, self.now_ns)
        self.fleet.alarms.on_time(self.now_ns + SECOND)


def kinds(effects) -> list[str]:
    return [record.kind for record in of(effects, Record)]


# ---------------------------------------------------------------------- the rows


def test_every_built_in_trigger_is_a_row_of_the_alarm_catalogue() -> None:
    for spec in BUILT_IN:
        assert set(spec.alarms) <= set(BY_KEY), spec.key


def test_no_number_is_made_up() -> None:
    assert not_configured([], [], ["a", "a"]) == [
        "fire@a",
        "field_team@a",
        "police@a",
        "railway@a",
    ]
    room = Room()
    room.start()
    assert [step.phone for step in room.duty.steps] == ["", "", "", ""]
    assert [step.contact for step in room.duty.steps] == ["fire", "field_team", "police", ""]


FIRE = [
    Contact(role="fire", name="all", phone="1"),
    Contact(role="fire", name="site", phone="2", site="a"),
    Contact(role="fire", name="crossing", phone="3", site="a", segment="x"),
    Contact(role="fire", name="other", phone="4", site="b"),
]


@pytest.mark.parametrize(
    ("site", "segment", "phone"),
    [("a", "", "2"), ("a", "x", "3"), ("a", "y", "2"), ("b", "", "4"), ("c", "", "1")],
)
def test_the_most_particular_contact_of_a_place_is_called(
    site: str, segment: str, phone: str
) -> None:
    for contacts in (FIRE, FIRE[::-1]):
        found = contact_for(contacts, "fire", site, segment)
        assert found is not None
        assert found.phone == phone
    assert contact_for(FIRE, "police", site, segment) is None


def test_a_configured_duty_replaces_the_built_in_one_of_its_key_and_joins_the_others() -> None:
    off = msgspec.structs.replace(MINE, key="level_crossing", enabled=False)
    own = msgspec.structs.replace(MINE, key="accident")
    assert effective([MINE, off, own]) == {
        "accident": own,
        "end_of_operation": BUILT_IN[1],
        "mine": MINE,
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"alarms": ["no.such"]}, "no row 'no.such'"),
        ({"segments": ["x"]}, "no segment 'x'"),
        ({"steps": MINE.steps * 2}, "two steps of one key"),
    ],
)
def test_a_duty_that_does_not_fit_is_named(changes: dict[str, object], says: str) -> None:
    spec = msgspec.structs.replace(MINE, **changes)
    assert says in problems([spec], [], [], BY_KEY)
    assert "there twice" in problems([MINE, MINE], [], [], BY_KEY)
    assert not problems([MINE], FIRE[:2], [], BY_KEY)
    assert "no segment" in problems([], FIRE, [], BY_KEY)


# ------------------------------------------------------------------- how it begins


def test_a_collision_starts_the_accident_duty_and_its_clocks_run_from_the_event() -> None:
    room = Room()
    room.online()
    room.collide()
    raised_ns = room.fleet.alarms.get("vehicle.collision", NAME).raised_ns
    shown = of(room.run(0.3), ShowDuty)
    assert [effect.duty.key for effect in shown] == ["accident"]
    assert room.duty.trigger == f"vehicle.collision@{NAME}"
    assert room.duty.event_ns == raised_ns
    assert room.step("fire").due_ns == raised_ns + 60 * SECOND
    assert not of(room.run(1.0), ShowDuty), "once"


def test_an_alarm_that_rises_again_does_not_start_the_duty_twice_while_it_is_open() -> None:
    room = Room()
    room.online()
    room.collide()
    room.run(0.3)
    alarm = room.fleet.alarms.get("vehicle.collision", NAME)
    alarm.raised_ns = room.now_ns + 2 * SECOND
    assert kinds(room.run(0.3)).count("duty.triggered_again") == 1
    assert len(room.fleet.duties.duties) == 1


def test_by_hand_the_clocks_run_from_when_the_event_is_said_to_have_been() -> None:
    room = Room()
    effects = room.start(ago_s=45.0, note="seen in the picture")
    assert room.duty.event_ns == room.now_ns - 45 * SECOND
    assert room.duty.started_by == "hanako"
    assert kinds(effects) == ["duty.started"]
    late = room.run(16.0)
    assert "duty.overdue" in kinds(late)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (e.DutyStartAsked(VIEWER, StartDuty("accident", NAME)), "role"),
        (e.DutyStartAsked(OPERATOR, StartDuty("none", NAME)), "unknown_duty"),
        (e.DutyStartAsked(OPERATOR, StartDuty("accident", "x/y")), "unknown_vehicle"),
        (e.DutyStartAsked(OPERATOR, StartDuty("accident", NAME)), "already_open"),
        (e.DutyStepMarked(OPERATOR, MarkDutyStep("x", "fire", StepState.DONE)), "unknown_duty"),
        (e.DutyStepMarked(VIEWER, MarkDutyStep("x", "fire", StepState.DONE)), "role"),
        (e.DutyAbandoned(OPERATOR, AbandonDuty("x", "why")), "unknown_duty"),
        (e.DutyAbandoned(VIEWER, AbandonDuty("x", "why")), "role"),
    ],
)
def test_what_is_not_possible_is_refused_with_its_reason(event: e.AnyEvent, reason: str) -> None:
    room = Room()
    room.start()
    before = room.duty
    refusals = of(room.do(event), Refuse)
    assert [one.refusal.reason for one in refusals] == [reason]
    assert room.duty is before


# ----------------------------------------------------------------------- its steps


def test_a_step_is_marked_by_whom_and_when_and_the_first_mark_stays() -> None:
    room = Room()
    room.start()
    room.run(5.0)
    assert kinds(room.mark("fire", note="unit 3 on its way")) == ["duty.step"]
    step = room.step("fire")
    assert (step.state, step.by, step.at_ns) == (StepState.DONE, "hanako", room.now_ns)
    assert step.note == "unit 3 on its way"
    assert room.mark("fire", who=e.Operator("s9", "ken", OPERATOR.role)) == []
    assert room.step("fire").by == "hanako"


def test_a_step_is_left_out_only_with_a_reason() -> None:
    room = Room()
    room.start()
    for note in ("", "  "):
        assert of(room.mark("police", "skipped", note), Refuse)[0].refusal.reason == "no_reason"
    room.mark("police", "skipped", "was there already")
    assert room.step("police").state is StepState.SKIPPED


def test_a_mark_made_by_mistake_is_taken_back_and_the_clock_runs_on() -> None:
    room = Room()
    room.start()
    due_ns = room.step("fire").due_ns
    room.mark("fire")
    room.run(61.0)
    assert not room.step("fire").overdue
    assert of(room.mark("fire", "open"), Refuse)
    room.mark("fire", "open", "wrong line")
    step = room.step("fire")
    assert (step.state, step.by, step.at_ns, step.due_ns) == (StepState.OPEN, "", None, due_ns)
    assert step.overdue


def test_a_step_not_done_in_time_is_overdue_once_and_raises_the_alarm_until_it_is_done() -> None:
    room = Room()
    room.start()
    assert "duty.overdue" not in kinds(room.run(59.9))
    effects = room.run(0.3)
    assert kinds(effects).count("duty.overdue") == 1
    assert room.alarm("duty.overdue") == "unacknowledged"
    assert kinds(room.run(10.0)).count("duty.overdue") == 0
    room.mark("fire")
    assert room.alarm("duty.overdue") == "normal"
    assert room.step("fire").overdue, "it stays on record that it was late"


def test_with_the_last_step_it_is_finished_and_one_record_holds_all_times() -> None:
    room = Room()
    room.online()
    room.collide()
    room.run(0.2)
    for seconds, step in ((20.0, "fire"), (10.0, "field_team"), (15.0, "police")):
        room.run(seconds)
        room.mark(step, note="done")
    assert room.duty.ended_ns is None
    effects = room.mark("passengers", "skipped", "nobody aboard")
    assert kinds(effects) == ["duty.step", "duty.finished"]
    assert room.duty.ended_by == "hanako"
    record = of(effects, Record)[-1]
    data = record.data
    assert (record.actor, record.subject) == ("hanako", NAME)
    assert str(data["step.fire"]).startswith("done +2")
    assert str(data["step.passengers"]).startswith("skipped +4")
    assert data["trigger"] == f"vehicle.collision@{NAME}"
    assert msgspec.json.decode(str(data["view"]), type=DutyView) == room.duty


def test_a_finished_duty_can_be_taken_up_again_for_ten_minutes_and_then_is_forgotten() -> None:
    room = Room(CoreConfig(duty=[MINE]))
    room.start("mine")
    room.mark("one")
    assert room.duty.ended_ns is not None
    room.mark("one", "open", "it was not")
    assert room.duty.ended_ns is None
    room.mark("one")
    room.run(601.0)
    assert room.fleet.duties.duties == {}


def test_a_false_alarm_is_given_up_with_a_reason_and_cannot_be_marked_any_more() -> None:
    room = Room()
    room.start()
    room.run(61.0)
    assert room.alarm("duty.overdue") == "unacknowledged"
    asked = AbandonDuty(room.duty.id, "sensor fault, checked by picture")
    effects = room.do(e.DutyAbandoned(OPERATOR, asked))
    assert kinds(effects)[0] == "duty.abandoned"
    assert room.alarm("duty.overdue") == "normal"
    assert of(room.mark("fire"), Refuse)
    assert "duty.overdue" not in kinds(room.run(300.0))
    room.start()
    assert room.duty.ended_ns is None, "the next one is another one"


def test_a_trigger_counts_only_on_the_segments_of_its_duty() -> None:
    spec = msgspec.structs.replace(MINE, alarms=["vehicle.collision"], segments=["crossing"])
    room = Room(CoreConfig(duty=[spec]))
    room.online()
    room.collide()
    room.run(0.3)
    assert [duty.key for duty in room.fleet.duties.duties.values()] == ["accident"]


# ------------------------------------------------------------------ over a restart


def test_a_restored_duty_goes_on_and_is_overdue_at_its_own_time() -> None:
    room = Room()
    room.start()
    room.mark("field_team")
    open_one = room.duty
    other = Room()
    other.now_ns = room.now_ns + 30 * SECOND
    shown = of(other.do(e.DutiesRestored([open_one])), ShowDuty)
    assert [effect.duty for effect in shown] == [open_one]
    assert "duty.overdue" not in kinds(other.run(29.8))
    assert "duty.overdue" in kinds(other.run(0.4))
    assert other.step("field_team").by == "hanako"


def test_what_the_disk_refused_is_recorded_again_when_it_works() -> None:
    room = Room()
    room.start()
    room.written("r1")
    marked = of(room.mark("field_team"), Record)
    assert "duty.restated" not in kinds(room.written(marked[0].record_id, ok=False))
    after = room.written("another")
    (restated,) = [record for record in of(after, Record) if record.kind == "duty.restated"]
    assert "hanako" in str(restated.data["view"])
    assert "duty.restated" not in kinds(room.written(restated.record_id))


def test_duties_are_part_of_the_state_a_replay_begins_with() -> None:
    room = Room()
    room.online()
    room.collide()
    room.run(1.0)
    room.mark("fire")
    twin = restore(capture(room.fleet))
    assert twin.duties.duties == room.fleet.duties.duties
    assert capture(twin) == capture(room.fleet)
