"""Who needs a person, and whose turn it is: nothing is lost, nobody is asked who cannot be."""

from __future__ import annotations

import msgspec
import pytest
from helpers_core import BUS, FACTSHEET, SECOND, World, of
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import vehicle
from protocols.authority import AttentionView, ControlState, SeatReport
from protocols.operator import PresentationReport, Presented, Role
from protocols.supervision import Purpose
from protocols.topics import VehicleId
from supervisor.core import attention, authority
from supervisor.core import events as e
from supervisor.core.config import AttentionConfig, CoreConfig
from supervisor.core.effects import Record, SendCommand, ShowAttention
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import capture, restore
from supervisor.core.step import step

NAME = str(BUS)
ARMED = SeatReport(visible=True, focused=True, sound=True, ready=True)
UNARMED = SeatReport(visible=True, focused=False, sound=True, ready=True)
FLEET = [VehicleId("maebashi", f"bus-{number:02d}") for number in range(1, 6)]


def person(name: str, role: Role = Role.OPERATOR) -> e.Operator:
    return e.Operator(f"session-{name}", name, role, f"seat-{name}")


A, B, C = person("a"), person("b"), person("c")
S = person("s", Role.SUPERVISOR)


@pytest.fixture(autouse=True)
def _control_is_what_the_test_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but `hold` and `release` changes who has control here."""
    monkeypatch.setattr(authority, "on_time", lambda fleet, record, now_ns: [])


class Room(World):
    """Five buses and some seats; armed ones go on reporting by themselves."""

    def __init__(self, *people: e.Operator, config: CoreConfig | None = None) -> None:
        super().__init__()
        if config is not None:
            self.fleet = Fleet(config)
        for name in FLEET:
            self.do(e.VehicleConfigured(name, vehicle.Kind.BUS, str(name), 7))
        self.armed: dict[str, e.Operator] = {}
        self.events = 0
        for who in people:
            self.come(who)

    def come(self, who: e.Operator, *, armed: bool = True) -> None:
        self.do(e.OperatorConnected(who))
        if armed:
            self.arm(who)

    def arm(self, who: e.Operator) -> None:
        self.armed[who.session] = who
        self.do(e.SeatReported(who, ARMED))

    def disarm(self, who: e.Operator) -> None:
        self.armed.pop(who.session, None)
        self.do(e.SeatReported(who, UNARMED))

    def leave(self, who: e.Operator) -> None:
        self.armed.pop(who.session, None)
        self.do(e.OperatorDisconnected(who))

    def tick(self, ms: float = 100):
        effects = super().tick(ms)
        for who in self.armed.values():
            effects += self.do(e.SeatReported(who, ARMED))
        return effects

    def ask(self, name: VehicleId = BUS, within_s: float = 40.0) -> str:
        """The vehicle asks for a person; return the id of the entry."""
        self.events += 1
        session = f"run-{name.vehicle}"
        self.do(e.ConnectionReceived(name, vehicle.Connection("ONLINE", session)))
        self.do(
            e.VehicleEventReceived(
                name,
                vehicle.VehicleEvent(
                    session_id=session,
                    event_id=f"e{self.events}",
                    kind=vehicle.EventKind.TAKEOVER_REQUESTED,
                    sent_ns=1,
                    reason="obstacle",
                    respond_within_s=within_s,
                ),
            )
        )
        self.tick()
        return f"{name}#e{self.events}"

    def withdraw(self, entry: str) -> None:
        name, _, event_id = entry.partition("#")
        found = VehicleId.parse(name)
        self.events += 1
        self.do(
            e.VehicleEventReceived(
                found,
                vehicle.VehicleEvent(
                    session_id=f"run-{found.vehicle}",
                    event_id=f"e{self.events}",
                    kind=vehicle.EventKind.TAKEOVER_CLEARED,
                    sent_ns=1,
                    subject_id=event_id,
                ),
            )
        )
        self.tick()

    def show(self, who: e.Operator, *names: VehicleId) -> None:
        tiles = [
            Presented(vehicle=str(name), camera="front", frames=9, still_ms=20.0) for name in names
        ]
        self.do(e.PresentationReported(who, PresentationReport(True, tiles)))

    def hold(self, who: e.Operator, name: VehicleId, purpose: Purpose = Purpose.ASSIST) -> None:
        announced = vehicle.Connection("ONLINE", f"run-{name.vehicle}")
        self.do(e.ConnectionReceived(name, announced))
        control = self.fleet.vehicles[name].control
        control.view = msgspec.structs.replace(
            control.view,
            state=ControlState.HELD,
            holder=who.account,
            seat=who.seat,
            purpose=purpose,
            since_ns=self.now_ns,
        )
        self.tick()

    def release(self, name: VehicleId) -> None:
        control = self.fleet.vehicles[name].control
        control.view = msgspec.structs.replace(
            control.view, state=ControlState.FREE, holder="", seat=""
        )
        self.tick()

    @property
    def queue(self) -> list[AttentionView]:
        return attention.views(self.fleet, self.now_ns)

    def entry(self, entry_id: str) -> AttentionView:
        return next(view for view in self.queue if view.id == entry_id)

    def seats_of(self, entry_id: str) -> list[str]:
        return [seat.removeprefix("seat-") for seat in self.entry(entry_id).seats]

    def load(self, who: e.Operator) -> float:
        return self.fleet.seats[who.session].load


# --------------------------------------------------------------------------- routing


@pytest.mark.parametrize(
    ("reports", "asked"),
    [
        ({"a": ARMED}, ["a"]),
        ({"a": UNARMED, "b": ARMED}, ["b"]),
        ({"a": SeatReport(True, True, False, True), "b": ARMED}, ["b"]),
        ({"a": SeatReport(True, True, True, False), "b": ARMED}, ["b"]),
        ({"a": SeatReport(False, False, True, True), "b": ARMED}, ["b"]),
        ({"a": UNARMED}, []),
        ({}, []),
    ],
    ids=["armed", "unfocused", "silent", "unchecked", "hidden", "nobody-armed", "nobody"],
)
def test_only_armed_seats_are_asked(reports: dict[str, SeatReport], asked: list[str]) -> None:
    room = Room()
    for name, report in reports.items():
        room.come(person(name), armed=False)
        if report is ARMED:
            room.arm(person(name))
        room.do(e.SeatReported(person(name), report))
    assert room.seats_of(room.ask()) == asked


def test_a_viewer_has_no_seat_and_is_never_asked() -> None:
    room = Room()
    room.do(e.OperatorConnected(e.Operator("v", "v", Role.VIEWER, "")))
    assert room.seats_of(room.ask()) == []


def test_the_least_loaded_seat_is_asked_first_and_requests_spread() -> None:
    room = Room(A, B)
    entries = [room.ask(name) for name in FLEET[:4]]
    assert [room.seats_of(entry) for entry in entries] == [["a"], ["b"], ["a"], ["b"]]
    assert room.fleet.seats[A.session].requests == 2


def test_a_seat_that_shows_the_vehicle_is_preferred_while_it_is_not_much_busier() -> None:
    room = Room(A, B)
    room.show(B, FLEET[0], FLEET[1], FLEET[2])
    assert room.seats_of(room.ask(FLEET[0])) == ["b"]
    assert room.seats_of(room.ask(FLEET[1])) == ["a"], "b has one already"


def test_who_has_control_of_the_vehicle_is_asked_and_named() -> None:
    room = Room(A, B)
    room.hold(B, BUS)
    entry = room.ask()
    assert room.seats_of(entry) == ["b"]
    assert room.entry(entry).taken_by == "b"


def test_a_supervisor_is_asked_first_only_when_no_operator_is_armed() -> None:
    room = Room(S, A)
    first = room.ask(FLEET[0])
    assert room.seats_of(first) == ["a"]
    room.disarm(A)
    room.tick()
    assert room.seats_of(first) == ["s"]


def test_a_seat_that_disarms_falls_silent_or_goes_loses_its_entries_at_once() -> None:
    for lose in ("disarm", "leave"):
        room = Room(A, B)
        entry = room.ask()
        assert room.seats_of(entry) == ["a"]
        getattr(room, lose)(A)
        room.tick()
        assert room.seats_of(entry) == ["b"], lose
    room = Room(A, B)
    entry = room.ask()
    del room.armed[A.session]  # it says nothing any more
    room.run(1.6)
    assert room.seats_of(entry) == ["b"]


def test_a_seat_that_comes_back_does_not_take_entries_away_again() -> None:
    room = Room(A, B)
    entry = room.ask()
    room.disarm(A)
    room.tick()
    room.arm(A)
    room.run(1.0)
    assert room.seats_of(entry) == ["b"]


def test_without_an_armed_seat_everybody_sees_it_and_the_alarm_says_what_to_do() -> None:
    room = Room()
    room.come(A, armed=False)
    entry = room.ask(within_s=0.0)
    room.run(11.0)
    assert room.seats_of(entry) == []
    assert room.alarm("seat.not_armed", "") == "unacknowledged"
    room.arm(A)
    room.run(3.0)
    assert room.seats_of(entry) == ["a"]
    assert room.alarm("seat.not_armed", "") == "normal"


# ------------------------------------------------------------------------ escalation


@pytest.mark.parametrize(
    ("gone_s", "step_name", "asked"),
    [
        (0.0, "routed", ["a"]),
        (19.8, "routed", ["a"]),
        (20.0, "neighbour", ["a", "b"]),
        (29.8, "neighbour", ["a", "b"]),
        (30.0, "supervisor", ["a", "b", "s"]),
        (39.8, "supervisor", ["a", "b", "s"]),
        (40.1, "unanswered", ["a", "b", "c", "s"]),
    ],
)
def test_time_calls_the_neighbour_the_supervisors_and_in_the_end_everybody(
    gone_s: float, step_name: str, asked: list[str]
) -> None:
    room = Room(A, B, C, S)
    entry = room.ask(within_s=40.0)
    raised_ns = room.entry(entry).raised_ns
    room.run((gone_s * SECOND - (room.now_ns - raised_ns)) / SECOND)
    assert room.entry(entry).step == step_name
    assert sorted(room.seats_of(entry)) == asked
    assert room.seats_of(entry)[0] == "a"


def test_what_somebody_has_taken_is_not_escalated_until_he_lets_go() -> None:
    room = Room(A, B, S)
    entry = room.ask(within_s=40.0)
    room.hold(A, BUS)
    room.run(35.0)
    assert (room.entry(entry).step, room.seats_of(entry)) == ("routed", ["a"])
    room.release(BUS)
    assert room.entry(entry).step == "supervisor"


def test_an_unanswered_request_asks_for_the_minimal_risk_manoeuvre_once_on_record() -> None:
    room = Room(A)
    room.fleet.vehicles[BUS].factsheet = msgspec.structs.replace(
        FACTSHEET, commands=["stop", "resume", "minimal_risk"]
    )
    room.connection("ONLINE", "run-bus-01")
    room.session = "run-bus-01"
    room.beat()
    entry = room.ask(within_s=5.0)
    effects = []
    for _ in range(52):
        effects += room.tick()
        effects += room.beat()
    ordered = [r for r in of(effects, Record) if r.kind == "minimal_risk.ordered"]
    assert len(ordered) == 1
    assert ordered[0].data["why"] == f"unanswered:{entry.partition('#')[2]}"
    assert room.alarm("takeover.unanswered") == "unacknowledged"
    sent = of(room.written(ordered[0].record_id), SendCommand)
    assert [type(one.command.body) for one in sent] == [vehicle.MinimalRisk]
    room.result("applied", sent[0].command.command_id)
    more = []
    for _ in range(60):
        more += room.tick()
        more += room.beat()
    assert not [s for s in of(more, SendCommand) if isinstance(s.command.body, vehicle.MinimalRisk)]
    room.withdraw(entry)
    room.tick()
    assert room.alarm("takeover.unanswered") == "returned_unacknowledged"


def test_who_has_taken_it_is_not_overruled_when_the_time_is_over() -> None:
    room = Room(A)
    room.fleet.vehicles[BUS].factsheet = msgspec.structs.replace(
        FACTSHEET, commands=["stop", "resume", "minimal_risk"]
    )
    room.ask(within_s=5.0)
    room.hold(A, BUS)
    effects = room.run(10.0)
    assert not [r for r in of(effects, Record) if r.kind == "minimal_risk.ordered"]


@pytest.mark.parametrize(("arrives", "sent"), [(False, 1), (True, 0)])
def test_a_stop_that_never_arrives_is_no_answer_and_one_that_does_is(
    arrives: bool, sent: int
) -> None:
    room = Room(A)
    room.fleet.vehicles[BUS].factsheet = msgspec.structs.replace(
        FACTSHEET, commands=["stop", "resume", "minimal_risk"]
    )
    room.session = "run-bus-01"
    room.connection("ONLINE")
    room.beat()
    room.ask(within_s=2.0)
    effects = []
    for _ in range(22):
        effects += room.tick()
        effects += room.beat()
    (ordered,) = [r for r in of(effects, Record) if r.kind == "minimal_risk.ordered"]
    room.do(e.CommandAsked(A, "c1", BUS, vehicle.Stop(), None))
    room.do(e.CommandSent(BUS, "c1", True))
    if arrives:
        room.result("applied", "c1")
    effects = []
    for _ in range(100):
        effects += room.tick()
        effects += room.beat()
        if "c1" not in room.bus.in_flight:
            effects += room.written(ordered.record_id)
    orders = [
        s for s in of(effects, SendCommand) if isinstance(s.command.body, vehicle.MinimalRisk)
    ]
    assert bool(orders) is bool(sent)


def test_an_entry_that_moves_to_another_seat_keeps_a_neighbour() -> None:
    room = Room(A)
    entries = [room.ask(name, within_s=90.0) for name in FLEET[:4]]
    room.run(50.0)
    room.come(B)
    for _ in range(20):
        room.tick()
        asked = [room.seats_of(entry) for entry in entries]
        assert all(sorted(seats) == ["a", "b"] for seats in asked)
    assert {seats[0] for seats in asked} == {"a", "b"}


def test_the_manoeuvre_is_configuration() -> None:
    room = Room(A, config=CoreConfig(attention=AttentionConfig(minimal_risk=False)))
    room.fleet.vehicles[BUS].factsheet = msgspec.structs.replace(
        FACTSHEET, commands=["stop", "resume", "minimal_risk"]
    )
    room.ask(within_s=2.0)
    effects = room.run(5.0)
    assert not [r for r in of(effects, Record) if r.kind == "minimal_risk.ordered"]


# ----------------------------------------------------------------------------- order


def test_urgent_alarms_and_unanswered_requests_come_before_what_has_the_least_time_left() -> None:
    room = Room(A, B)
    slow = room.ask(FLEET[0], within_s=60.0)
    quick = room.ask(FLEET[1], within_s=30.0)
    never = room.ask(FLEET[2], within_s=0.0)
    assert [view.id for view in room.queue] == [quick, slow, never]
    room.fleet.alarms.set("vehicle.collision", str(FLEET[3]), True, room.now_ns)
    room.run(1.0)
    urgent = f"vehicle.collision@{FLEET[3]}"
    assert [view.id for view in room.queue] == [urgent, quick, slow, never]
    room.run(32.0)
    ranked = [view.id for view in room.queue if view.request_id or view.id == urgent]
    assert set(ranked[:2]) == {urgent, quick}
    assert [view.rank for view in room.queue] == list(range(1, len(room.queue) + 1))


def test_an_acknowledged_alarm_leaves_the_queue_and_a_low_one_never_enters_it() -> None:
    room = Room(A)
    room.fleet.alarms.set("vehicle.collision", NAME, True, room.now_ns)
    room.fleet.alarms.set("video.poor", NAME, True, room.now_ns)
    room.run(8.0)
    assert [view.reason for view in room.queue] == ["vehicle.collision"]
    room.do(e.AlarmAcknowledged(A, f"vehicle.collision@{NAME}"))
    room.tick()
    assert room.queue == []


def test_alarms_of_one_group_are_one_entry() -> None:
    room = Room(A, B)
    for name in FLEET:
        room.fleet.alarms.set("link.lost", str(name), True, room.now_ns)
        room.tick()
    room.run(3.0)
    grouped = [view for view in room.queue if view.reason == "link.lost"]
    groups = {alarm.group for alarm in room.fleet.alarms.standing() if alarm.group}
    assert groups, "the board has grouped them"
    assert [view.id for view in grouped] == sorted(groups)
    assert grouped[0].vehicle == str(FLEET[0]), "the first of them"


# ------------------------------------------------------------------------------ load


def test_load_counts_entries_control_and_what_came_lately() -> None:
    room = Room(A, B)
    assert room.load(A) == 0.0
    entry = room.ask(FLEET[0])
    assert room.load(A) == pytest.approx(0.3)
    room.withdraw(entry)
    assert room.load(A) == pytest.approx(0.05)
    room.hold(A, FLEET[1])
    assert room.load(A) == pytest.approx(0.55)
    room.hold(A, FLEET[1], Purpose.DRIVE)
    assert room.load(A) == pytest.approx(1.05)
    room.release(FLEET[1])
    room.run(601.0)
    assert room.load(A) == 0.0


def test_a_window_that_loses_and_gets_the_focus_again_and_again_is_no_load_of_its_own() -> None:
    room = Room(A, B)
    room.ask(within_s=3_000.0)
    for _ in range(15):
        for one, other in ((A, B), (B, A)):
            room.disarm(one)
            room.tick()
            room.arm(one)
            room.disarm(other)
            room.tick()
            room.arm(other)
    room.run(1.0)
    assert room.load(A) + room.load(B) == pytest.approx(0.35)


def test_who_drives_is_asked_nothing_more_while_somebody_else_can_be() -> None:
    room = Room(A, B)
    room.hold(A, FLEET[0], Purpose.DRIVE)
    for name in FLEET[1:4]:
        assert room.seats_of(room.ask(name, within_s=600.0)) == ["b"]


def test_an_overloaded_seat_raises_the_alarm_and_hands_over_what_it_has_not_begun() -> None:
    room = Room(A)
    entries = [room.ask(name, within_s=900.0) for name in FLEET[:4]]
    assert room.load(A) >= 1.0
    room.run(60.0)
    assert room.alarm("supervision.overload", "") == "unacknowledged"
    room.hold(A, FLEET[0])
    room.come(B)
    room.run(2.0)
    asked = [room.seats_of(entry)[0] for entry in entries]
    assert asked[0] == "a", "he has taken it"
    assert "b" in asked
    assert room.load(A) < 1.0


def test_relief_does_not_pass_entries_to_and_fro() -> None:
    room = Room(A, B)
    entries = [room.ask(name, within_s=3_000.0) for name in FLEET]
    room.run(2.0)
    before = [room.seats_of(entry) for entry in entries]
    assert not of(room.run(30.0), ShowAttention)
    assert [room.seats_of(entry) for entry in entries] == before


# --------------------------------------------------------------------- what always holds


ACTS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 4)),
    st.tuples(st.just("withdraw"), st.integers(0, 20)),
    st.tuples(st.sampled_from(["come", "leave", "arm", "disarm"]), st.integers(0, 3)),
    st.tuples(st.sampled_from(["hold", "release"]), st.integers(0, 4)),
    st.tuples(st.just("wait"), st.integers(1, 300)),
)


def check(room: Room, before: list[str], opened: set[str]) -> None:
    armed = {
        seat.operator.seat: session
        for session, seat in room.fleet.seats.items()
        if not seat.why_not
    }
    shown = {view.id: view for view in room.queue}
    open_now = {
        f"{name}#{request}"
        for name, record in room.fleet.by_name.items()
        for request in record.open_requests
    }
    assert {i for i, view in shown.items() if view.request_id} == open_now, "nothing is lost"
    assert open_now <= opened
    for view in shown.values():
        assert set(view.seats) <= set(armed), "only armed seats"
        assert bool(view.seats) is bool(armed), "at least one whenever there is one"
        assert len(set(view.seats)) == len(view.seats)
    late = {i for i, view in shown.items() if view.step == "unanswered"}
    now = [view.id for view in room.queue]
    both = [i for i in now if i in before and i not in late]
    assert both == [i for i in before if i in both], "those that stay keep their order"
    for session, seat in room.fleet.seats.items():
        mine = [x for x in room.fleet.attention.entries.values() if x.owner == session]
        assert seat.requests == len(mine)
        assert seat.load >= 0.0


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=30))
def test_every_entry_is_shown_to_an_armed_seat_whenever_there_is_one(
    acts: list[tuple[str, int]],
) -> None:
    room = Room()
    people = [A, B, C, S]
    opened: set[str] = set()
    order: list[str] = []
    for act, which in acts:
        match act:
            case "ask":
                opened.add(room.ask(FLEET[which], within_s=20.0))
            case "withdraw":
                if opened:
                    room.withdraw(sorted(opened)[which % len(opened)])
            case "come":
                if people[which].session not in room.fleet.seats:
                    room.come(people[which])
            case "leave":
                room.leave(people[which])
            case "arm" | "disarm":
                if people[which].session in room.fleet.seats:
                    getattr(room, act)(people[which])
            case "hold":
                seats = list(room.fleet.seats.values())
                if seats:
                    room.hold(seats[0].operator, FLEET[which])
            case "release":
                room.release(FLEET[which])
            case _:
                room.run(which / 10)
        room.tick()
        check(room, order, opened)
        order = [view.id for view in room.queue]


def test_the_queue_is_part_of_the_state_a_replay_begins_with() -> None:
    room = Room(A, B, S)
    for name in FLEET:
        room.ask(name, within_s=20.0)
    room.run(12.0)
    twin = restore(capture(room.fleet))
    for _ in range(100):
        room.now_ns += SECOND // 10
        assert step(twin, e.Tick(), room.now_ns) == step(room.fleet, e.Tick(), room.now_ns)
    assert capture(twin) == capture(room.fleet)
