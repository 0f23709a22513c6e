"""Deltas and outboxes: nothing that matters is lost, nothing grows."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from protocols import vehicle
from protocols.operator import (
    AlarmState,
    AlarmView,
    Delta,
    LinkState,
    Refusal,
    Role,
    Snapshot,
    ToConsole,
    VehicleView,
    Welcome,
)
from supervisor.console.changes import MAX_KEPT, MAX_REFUSALS, Changes, Outbox, Tick


def an_alarm(
    key: str, state: AlarmState = AlarmState.UNACKNOWLEDGED, changed: int = 1
) -> AlarmView:
    return AlarmView(
        id=key, key=key, vehicle="a/b", priority=1, state=state, raised_ns=1, changed_ns=changed
    )


def a_bus(name: str, reason: str) -> VehicleView:
    return VehicleView(
        id=name, kind=vehicle.Kind.BUS, name="", cameras=[], commands=[],
        link=LinkState.ONLINE, link_at_ns=None, mode=None, mrm=None, behaviour=None, odd=None,
        fallback=None, reason=reason, state_at_ns=None, pose=None, media=False, streams=[],
        clock_offset_ns=None, clock_uncertainty_ns=None, telemetry_gaps=0,
    )  # fmt: skip


def tick(
    now_ns: int, *, buses: dict[str, str] | None = None, alarms: tuple[AlarmView, ...] = ()
) -> Tick:
    changes = Changes()
    changes.vehicles = {name: a_bus(name, reason) for name, reason in (buses or {}).items()}
    changes.alarms = {alarm.id: alarm for alarm in alarms}
    return Tick(changes, now_ns)


def outbox() -> Outbox:
    return Outbox(
        Welcome(
            protocol_version=1, hub_version="", site_name="", account="", role=Role.VIEWER,
            demo=False, hub_now_ns=0, hub_utc_ns=0, alarm_catalogue=[],
        ),
        Snapshot(seq=1, hub_now_ns=0, vehicles=[], alarms=[], requests=[], commands=[]),
    )  # fmt: skip


def drained(box: Outbox) -> list[ToConsole]:
    messages = []
    while (text := box.next_text()) is not None:
        messages.append(msgspec.json.decode(text, type=ToConsole))
    return messages


def test_the_first_messages_are_welcome_and_snapshot() -> None:
    assert [type(message) for message in drained(outbox())] == [Welcome, Snapshot]


def test_a_tick_is_encoded_once_and_each_console_has_its_own_seq() -> None:
    shared = tick(7, buses={"a/b": "x"})
    one, two = shared.text(2), shared.text(41)
    first = msgspec.json.decode(one, type=Delta)
    second = msgspec.json.decode(two, type=Delta)
    assert (first.seq, second.seq) == (2, 41)
    assert first.hub_now_ns == second.hub_now_ns == 7
    assert first.vehicles == second.vehicles == [a_bus("a/b", "x")]


def test_an_empty_tick_is_a_valid_delta() -> None:
    assert msgspec.json.decode(tick(3).text(9), type=Delta) == Delta(seq=9, hub_now_ns=3)


def test_a_console_that_reads_gets_every_tick() -> None:
    box = outbox()
    drained(box)
    for number in range(3):
        box.offer(tick(number, buses={"a/b": str(number)}))
        (delta,) = drained(box)
        assert isinstance(delta, Delta)
        assert (delta.seq, delta.vehicles[0].reason) == (2 + number, str(number))


def test_a_console_that_sleeps_gets_the_newest_of_each_object_in_one_delta() -> None:
    box = outbox()
    drained(box)
    box.offer(tick(1, buses={"a/1": "old", "a/2": "only"}, alarms=(an_alarm("p"), an_alarm("q"))))
    box.offer(tick(2, buses={"a/1": "new"}, alarms=(an_alarm("q", AlarmState.NORMAL, 2),)))
    (delta,) = drained(box)
    assert isinstance(delta, Delta)
    assert delta.seq == 2 and delta.hub_now_ns == 2
    assert {v.id: v.reason for v in delta.vehicles} == {"a/1": "new", "a/2": "only"}
    assert {a.id: a.state for a in delta.alarms} == {
        "p": AlarmState.UNACKNOWLEDGED,
        "q": AlarmState.NORMAL,
    }


def test_folding_for_one_console_does_not_change_what_others_get() -> None:
    shared = tick(1, buses={"a/1": "old"})
    sleepy, awake = outbox(), outbox()
    for box in (sleepy, awake):
        drained(box)
        box.offer(shared)
    (first,) = drained(awake)
    sleepy.offer(tick(2, buses={"a/1": "new"}))
    assert isinstance(first, Delta) and first.vehicles[0].reason == "old"
    assert msgspec.json.decode(shared.text(1), type=Delta).vehicles[0].reason == "old"


def test_refusals_go_before_changes() -> None:
    box = outbox()
    drained(box)
    box.offer(tick(1, buses={"a/1": ""}))
    box.refuse(Refusal("c1", "link"))
    assert [type(message) for message in drained(box)] == [Refusal, Delta]


def test_more_alarms_than_may_wait_close_the_console_instead_of_dropping_one() -> None:
    box = outbox()
    for number in range(MAX_KEPT + 1):
        assert not box.full
        box.offer(tick(number, alarms=(an_alarm(f"a{number}"),)))
    assert box.full


def test_vehicle_views_alone_never_fill_an_outbox() -> None:
    box = outbox()
    for number in range(2_000):
        box.offer(tick(number, buses={f"a/{number % 10}": str(number)}))
    assert not box.full
    assert len(drained(box)) == 3


def test_refusals_are_bounded() -> None:
    box = outbox()
    for _ in range(MAX_REFUSALS):
        box.refuse(Refusal("c", "x"))
    assert not box.full
    box.refuse(Refusal("c", "x"))
    assert box.full


@given(
    st.lists(
        st.one_of(
            st.none(),  # the console reads
            st.dictionaries(st.sampled_from("abc"), st.integers(0, 99).map(str), max_size=3),
        ),
        max_size=40,
    )
)
def test_whenever_a_console_reads_it_ends_with_the_newest_state(
    steps: list[dict[str, str] | None],
) -> None:
    box = outbox()
    truth: dict[str, str] = {}
    shown: dict[str, str] = {}
    last_seq = 1
    for number, step in enumerate([*steps, None]):
        if step is not None:
            truth |= step
            box.offer(tick(number, buses=step))
            continue
        for message in drained(box):
            if isinstance(message, Delta):
                assert message.seq == last_seq + 1
                last_seq = message.seq
                shown |= {view.id: view.reason for view in message.vehicles}
    assert shown == truth
