"""Handing a shift over: what is on the list, who may what, what counts and from when."""

from __future__ import annotations

import msgspec
import pytest
from helpers_core import (
    BUS,
    OPERATOR,
    SECOND,
    SECOND_OPERATOR,
    SUPERVISOR,
    VIEWER,
    World,
    of,
)

from protocols import handover as p
from protocols.authority import ControlState
from protocols.duties import MarkDutyStep, StartDuty, StepState
from protocols.operator import AlarmState
from supervisor.core import events as e
from supervisor.core.effects import Count, Record, Refuse, ShowHandover
from supervisor.core.snapshot import Capture, capture, restore

NAME = str(BUS)
LEAVING, TAKING = OPERATOR, SECOND_OPERATOR


class Room(World):
    """A bus on its way, and two people at armed consoles."""

    def __init__(self) -> None:
        super().__init__()
        self.online()
        self.sitting = [LEAVING, TAKING]
        for who in self.sitting:
            self.seat(who)
        self.run(1, beats=True, telemetry=True)

    def say(self, ask: p.HandoverAsk, who: e.Operator = LEAVING):
        return self.do(e.HandoverAsked(who, ask))

    def pass_time(self, seconds: float = 1.0):
        return self.run(seconds, beats=True, telemetry=True)

    @property
    def board(self) -> p.HandoverBoardView:
        from supervisor.core.handover import view

        return view(self.fleet)

    @property
    def handover(self) -> p.HandoverView:
        return self.board.handovers[-1]

    def offer(self) -> p.HandoverView:
        self.say(p.OfferHandover(TAKING.account))
        return self.handover

    def see_all(self, who: e.Operator = TAKING) -> None:
        for item in self.board.items:
            self.say(p.SeeHandoverItem(self.handover.id, item.key, item.rev), who)

    def take_on(self, who: e.Operator = TAKING):
        return self.say(p.AcceptHandover(self.handover.id), who)

    def take_over(self) -> Record:
        """See everything, accept, and have it recorded."""
        self.see_all()
        (record,) = [r for r in of(self.take_on(), Record) if r.kind == "handover.accepted"]
        self.written(record.record_id)
        return record


def refusals(effects) -> list[str]:
    return [one.refusal.reason for one in of(effects, Refuse)]


def kinds(room: Room) -> list[str]:
    return [str(item.kind) for item in room.board.items]


# ---------------------------------------------------------------------- the list


def test_a_fleet_in_perfect_health_leaves_nothing_to_say() -> None:
    assert Room().board.items == []


def test_everything_open_is_on_the_list_in_the_order_in_which_it_is_read() -> None:
    room = Room()
    room.take(SUPERVISOR)
    room.event("takeover.requested", respond_within_s=30.0)
    room.do(e.LimitAsked(LEAVING, BUS, 12.5))
    room.do(e.DutyStartAsked(LEAVING, StartDuty("accident", NAME, ago_s=30.0)))
    room.fleet.alarms.set("vehicle.collision", NAME, True, room.now_ns)
    room.fleet.alarms.set("energy.low", NAME, True, room.now_ns)
    room.pass_time(60)
    room.do(e.AlarmShelved(LEAVING, f"energy.low@{NAME}", "charging at noon", 600.0))
    room.say(p.WriteNote("けやき並木で工事 / road works at Keyaki", NAME))
    room.say(p.WriteNote("phone 3 is broken"))
    room.pass_time()
    found = room.board.items
    wanted = ["control", "request", "alarm", "duty", "limit", "shelved", "note"]
    assert [kind for kind in dict.fromkeys(kinds(room)) if kind != "vehicle"] == wanted
    by_kind = {str(item.kind): item for item in found}
    assert (by_kind["control"].by, by_kind["control"].state) == ("mori", "held")
    assert by_kind["request"].until_ns is not None
    assert (by_kind["limit"].state, by_kind["limit"].by) == ("12.5", "hanako")
    assert (by_kind["duty"].state, by_kind["duty"].by) == ("0/4", "hanako")
    assert (by_kind["shelved"].detail, by_kind["shelved"].by) == ("charging at noon", "hanako")
    assert by_kind["shelved"].until_ns is not None
    assert all(item.since_ns is not None for item in found), "each has its age"


def test_a_lost_vehicle_is_on_the_list_since_it_was_last_heard() -> None:
    room = Room()
    heard_ns = room.bus.link.last_beat_ns
    room.run(10)
    (item,) = [item for item in room.board.items if item.kind is p.ItemKind.VEHICLE]
    assert (item.what, item.state, item.since_ns) == ("link", "lost", heard_ns)
    room.beat()
    room.pass_time()
    assert "vehicle" not in kinds(room)


def test_an_item_has_a_new_rev_when_its_meaning_changes_and_only_then() -> None:
    room = Room()
    room.fleet.alarms.set("energy.low", NAME, True, room.now_ns)
    room.pass_time(15)
    (before,) = room.board.items
    room.fleet.alarms.set("energy.low", NAME, True, room.now_ns, "4.2 g")
    assert of(room.pass_time(), ShowHandover) == []
    room.do(e.AlarmAcknowledged(LEAVING, f"energy.low@{NAME}"))
    assert of(room.pass_time(), ShowHandover) == [ShowHandover()]
    (after,) = room.board.items
    assert (before.state, after.state) == (
        str(AlarmState.UNACKNOWLEDGED),
        str(AlarmState.ACKNOWLEDGED),
    )
    assert after.rev > before.rev
    assert after.since_ns == before.since_ns


def test_more_than_anybody_reads_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.core.handover.MAX_ITEMS", 2)
    room = Room()
    for number in range(5):
        room.say(p.WriteNote(f"note {number}"))
    assert (len(room.board.items), room.board.omitted) == (2, 3)


# ------------------------------------------------------------------------- notes


def test_notes_are_written_by_who_works_there_kept_and_removed() -> None:
    room = Room()
    (record,) = of(room.say(p.WriteNote(" wet leaves ", NAME)), Record)
    assert (record.kind, record.actor, record.subject) == ("handover.note", "hanako", NAME)
    (note,) = room.board.notes
    assert (note.text, note.by, note.vehicle) == ("wet leaves", "hanako", NAME)
    assert msgspec.json.decode(record.data["view"], type=p.NoteView) == note
    (gone,) = of(room.say(p.RemoveNote(note.id), TAKING), Record)
    assert (gone.kind, gone.actor) == ("handover.note_removed", "jiro")
    assert room.board.notes == []
    assert refusals(room.say(p.RemoveNote(note.id))) == ["unknown_note"]
    assert refusals(room.say(p.WriteNote("x", "nowhere/bus"))) == ["unknown_vehicle"]
    assert refusals(room.say(p.WriteNote("   "))) == ["no_text"]
    assert refusals(room.say(p.WriteNote("x"), VIEWER)) == ["role"]


def test_notes_are_bounded_and_none_is_dropped_silently() -> None:
    room = Room()
    for _ in range(p.MAX_NOTES):
        room.say(p.WriteNote("x"))
    assert refusals(room.say(p.WriteNote("one more"))) == ["too_many_notes"]
    assert len(room.board.notes) == p.MAX_NOTES


# ---------------------------------------------------------------------- offering


def test_an_offer_is_on_record_with_its_content_and_names_one_person() -> None:
    room = Room()
    room.say(p.WriteNote("wet leaves"))
    effects = room.say(p.OfferHandover(TAKING.account))
    (record,) = of(effects, Record)
    assert (record.kind, record.actor, record.subject) == ("handover.offered", "hanako", "jiro")
    kept = msgspec.json.decode(record.data["view"], type=p.HandoverRecord)
    assert kept.handover == room.handover
    assert kept.items == room.board.items
    assert Count("handover", "offered") in effects
    assert refusals(room.say(p.OfferHandover(TAKING.account))) == ["offered_already"]


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (p.OfferHandover(LEAVING.account), "same_account"),
        (p.OfferHandover("nobody"), "no_taker"),
        (p.OfferHandover(TAKING.account, "seat-99"), "no_taker"),
    ],
)
def test_a_shift_is_offered_to_somebody_who_is_there(ask: p.OfferHandover, reason: str) -> None:
    room = Room()
    assert refusals(room.say(ask)) == [reason]
    assert room.board.handovers == []


def test_who_has_control_cannot_offer_and_control_taken_later_blocks_accepting() -> None:
    room = Room()
    room.take(LEAVING)
    assert refusals(room.say(p.OfferHandover(TAKING.account))) == ["holds_control"]
    room.do(e.ControlGivenBack(LEAVING, BUS))
    room.result("applied", room.bus.control.release_ids[-1])
    room.pass_time(10)
    room.offer()
    room.take(LEAVING)
    room.pass_time()
    assert room.handover.holds == [NAME]
    room.see_all()
    assert refusals(room.take_on()) == ["holds_control"]
    assert room.control.state is ControlState.HELD, "handing over never moves control"
    assert room.control.holder == LEAVING.account


# --------------------------------------------------------------------- accepting


def test_everything_has_to_be_seen_as_it_is_and_what_changed_again() -> None:
    room = Room()
    room.fleet.alarms.set("energy.low", NAME, True, room.now_ns)
    room.pass_time(15)
    room.say(p.WriteNote("wet leaves"))
    offer = room.offer()
    alarm, note = room.board.items
    room.say(p.SeeHandoverItem(offer.id, alarm.key, alarm.rev), TAKING)
    assert refusals(room.take_on()) == ["unseen"]
    room.say(p.SeeHandoverItem(offer.id, note.key, note.rev), TAKING)
    room.do(e.AlarmAcknowledged(LEAVING, f"energy.low@{NAME}"))
    assert refusals(room.take_on()) == ["unseen"]
    old = p.SeeHandoverItem(offer.id, alarm.key, alarm.rev)
    assert refusals(room.say(old, TAKING)) == ["changed"]
    room.see_all()
    assert refusals(room.take_on()) == []
    assert room.handover.state is p.HandoverState.CONFIRMING


def test_both_confirmations_and_the_exact_content_are_one_record_before_anything_moves() -> None:
    room = Room()
    room.event("takeover.requested", respond_within_s=300.0)
    room.pass_time()
    room.do(e.DutyStartAsked(LEAVING, StartDuty("accident", NAME)))
    (entry,) = room.fleet.attention.entries.values()
    assert entry.owner == LEAVING.session
    offer = room.offer()
    room.pass_time()
    room.see_all()
    items = room.board.items
    effects = room.take_on()
    (record,) = of(effects, Record)
    assert (record.kind, record.actor, record.subject) == ("handover.accepted", "jiro", "hanako")
    kept = msgspec.json.decode(record.data["view"], type=p.HandoverRecord)
    assert kept.items == items
    assert kept.handover.state is p.HandoverState.ACCEPTED
    assert (kept.handover.leaving, kept.handover.offered_ns) == ("hanako", offer.offered_ns)
    assert (kept.handover.taking, kept.handover.since_ns) == ("jiro", room.now_ns)
    assert kept.handover.seen == {item.key: item.rev for item in items}

    duty = next(iter(room.fleet.duties.duties.values()))
    assert (entry.owner, duty.in_charge) == (LEAVING.session, "hanako"), "not durable yet"
    done = room.written(record.record_id)
    duty = next(iter(room.fleet.duties.duties.values()))
    assert (entry.owner, duty.in_charge) == (TAKING.session, "jiro")
    assert [r.kind for r in of(done, Record)] == ["duty.handed_over"]
    assert room.handover.state is p.HandoverState.ACCEPTED
    room.pass_time(2)
    assert entry.owner == TAKING.session


def test_a_record_that_was_not_written_hands_nothing_over() -> None:
    room = Room()
    room.offer()
    (record,) = of(room.take_on(), Record)
    effects = room.written(record.record_id, ok=False)
    assert refusals(effects) == ["audit"]
    assert room.handover.state is p.HandoverState.OFFERED
    assert not room.fleet.seats[LEAVING.session].handed_over


def test_who_has_left_is_asked_nothing_until_the_next_check_of_a_shift() -> None:
    room = Room()
    room.offer()
    room.take_over()
    room.pass_time()
    seat = room.fleet.seats[LEAVING.session]
    assert seat.why_not == ("handed_over",)
    assert refusals(room.ask_control(LEAVING)) == ["seat"]
    room.event("takeover.requested", "e2", respond_within_s=300.0)
    room.pass_time()
    (entry,) = room.fleet.attention.entries.values()
    assert entry.owner == TAKING.session
    room.seat(LEAVING, ready=False)
    room.seat(LEAVING)
    assert seat.why_not == ()


def test_an_unarmed_seat_takes_nothing_over() -> None:
    room = Room()
    room.offer()
    room.seat(TAKING, sound=False)
    room.sitting = []
    assert refusals(room.take_on()) == ["seat"]


@pytest.mark.parametrize("kind", ["see", "accept", "decline", "withdraw"])
def test_only_the_two_of_them_have_a_say(kind: str) -> None:
    room = Room()
    room.seat(SUPERVISOR)
    offer = room.offer()
    ask = {
        "see": p.SeeHandoverItem(offer.id, "x", 1),
        "accept": p.AcceptHandover(offer.id),
        "decline": p.DeclineHandover(offer.id, "no"),
        "withdraw": p.WithdrawHandover(offer.id),
    }[kind]
    wrong = TAKING if kind == "withdraw" else LEAVING
    for who in (wrong, SUPERVISOR):
        assert refusals(room.say(ask, who)) == ["not_yours"]
    assert refusals(room.say(ask, VIEWER)) == ["role"]
    assert room.handover.state is p.HandoverState.OFFERED


@pytest.mark.parametrize(
    ("who", "ask", "state"),
    [
        (LEAVING, p.WithdrawHandover, p.HandoverState.WITHDRAWN),
        (TAKING, lambda found: p.DeclineHandover(found, "ill"), p.HandoverState.DECLINED),
    ],
    ids=["withdrawn", "declined"],
)
def test_an_offer_ends_by_one_of_them_and_is_shown_for_ten_minutes(who, ask, state) -> None:
    room = Room()
    offer = room.offer()
    (record,) = of(room.say(ask(offer.id), who), Record)
    assert (record.kind, record.actor) == (f"handover.{state}", who.account)
    assert room.handover.state is state
    assert refusals(room.take_on()) == ["unknown_handover"]
    room.now_ns += 600 * SECOND
    room.tick()
    assert room.board.handovers == []


def test_an_offer_that_nobody_answers_lapses() -> None:
    room = Room()
    offer = room.offer()
    room.now_ns = offer.until_ns
    (record,) = [r for r in of(room.tick(), Record) if r.kind.startswith("handover")]
    assert record.kind == "handover.lapsed"


# --------------------------------------------------------------------- its state


def test_the_whole_of_it_is_part_of_the_fleets_state_also_beside_steps() -> None:
    room = Room()
    room.say(p.WriteNote("wet leaves"))
    room.offer()
    room.see_all()
    assert capture(restore(capture(room.fleet))) == capture(room.fleet)
    at_once, beside = capture(room.fleet), Capture(room.fleet)
    event = e.HandoverAsked(TAKING, p.AcceptHandover(room.handover.id))
    beside.before(event, room.now_ns)
    (record,) = of(room.do(event), Record)
    written = e.AuditWritten(record.record_id, True)
    beside.before(written, room.now_ns)
    room.do(written)
    assert capture(restore(beside.finish())) == at_once


def test_a_marked_step_puts_somebody_in_charge_of_a_duty_that_an_alarm_began() -> None:
    room = Room()
    room.fleet.alarms.set("vehicle.collision", NAME, True, room.now_ns)
    room.pass_time(2)
    duty = next(iter(room.fleet.duties.duties.values()))
    assert duty.in_charge == ""
    room.do(e.DutyStepMarked(LEAVING, MarkDutyStep(duty.id, "fire", StepState.DONE)))
    room.do(e.DutyStepMarked(TAKING, MarkDutyStep(duty.id, "police", StepState.DONE)))
    assert room.fleet.duties.duties[duty.id].in_charge == "hanako"
