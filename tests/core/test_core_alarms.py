from __future__ import annotations

import itertools

import msgspec
import pytest
from helpers_core import BUS, MS, OPERATOR, SECOND, World, of
from hypothesis import given
from hypothesis import strategies as st

from protocols.operator import AlarmState
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.alarms import LATCHING, NOT_LATCHING, AlarmBoard, Input
from supervisor.core.catalogue import CATALOGUE, Priority
from supervisor.core.effects import Record, ShowAlarm
from supervisor.core.events import StreamSample
from supervisor.core.ledger import Ledger

ROW = CATALOGUE[0]


@pytest.mark.parametrize("table", [LATCHING, NOT_LATCHING])
def test_the_transition_tables_are_total(table) -> None:
    for how, state in itertools.product(Input, AlarmState):
        assert isinstance(table[how][state], AlarmState)


def test_a_lost_link_is_one_alarm_and_suppresses_the_stale_telemetry_it_causes() -> None:
    world = World()
    world.online()
    world.run(5)
    assert world.alarm("link.lost") == "unacknowledged"
    assert world.alarm("telemetry.stale") == "suppressed_by_design"
    shown = [effect.alarm for effect in of(world.log, ShowAlarm)]
    assert [(a.key, str(a.state)) for a in shown] == [
        ("link.lost", "unacknowledged"),
        ("telemetry.stale", "suppressed_by_design"),
    ]


def test_every_alarm_change_is_recorded_before_it_is_shown() -> None:
    world = World()
    world.online()
    world.run(5)
    log = world.log
    for index, effect in enumerate(log):
        if isinstance(effect, ShowAlarm):
            before = log[index - 1]
            assert isinstance(before, Record)
            assert before.data["alarm"] == effect.alarm.id


def test_a_latched_alarm_ends_only_when_acknowledged_and_gone_in_either_order() -> None:
    for acknowledge_first in (True, False):
        world = World()
        world.online()
        world.run(4)
        if acknowledge_first:
            world.do(e.AlarmAcknowledged(OPERATOR, "link.lost@maebashi/bus-01"))
            assert world.alarm("link.lost") == "acknowledged"
            world.run(3, beats=True, telemetry=True)
        else:
            world.run(3, beats=True, telemetry=True)
            assert world.alarm("link.lost") == "returned_unacknowledged"
            world.run(60, beats=True, telemetry=True)
            assert world.alarm("link.lost") == "returned_unacknowledged"
            world.do(e.AlarmAcknowledged(OPERATOR, "link.lost@maebashi/bus-01"))
        assert world.alarm("link.lost") == "normal"
        assert world.alarm("telemetry.stale") == "normal"
        assert views.open_alarms(world.fleet) == []


def test_stale_telemetry_on_a_living_link_raises_its_own_alarm_and_ends_by_itself() -> None:
    world = World()
    world.online()
    world.run(1.4, beats=True)
    assert world.alarm("telemetry.stale") == "normal"
    world.run(0.4, beats=True)
    assert world.alarm("telemetry.stale") == "unacknowledged"
    world.run(2, beats=True, telemetry=True)
    assert world.alarm("telemetry.stale") == "normal"


def test_a_condition_that_only_flickers_raises_nothing() -> None:
    world = World()
    world.online()
    for _ in range(10):
        world.run(1.3, beats=True)
        world.telemetry()
    assert not of(world.log, ShowAlarm)


def test_a_broker_that_is_down_is_one_alarm_for_the_whole_hub() -> None:
    world = World()
    world.online()
    world.do(e.BrokerChanged(False))
    world.run(6)
    assert [(a.id, str(a.state)) for a in views.open_alarms(world.fleet)] == [
        ("broker.down@hub", "unacknowledged"),
        ("link.lost@maebashi/bus-01", "suppressed_by_design"),
        ("telemetry.stale@maebashi/bus-01", "suppressed_by_design"),
    ]
    world.do(e.BrokerChanged(True))
    world.run(8, beats=True, telemetry=True)
    assert [(a.id, str(a.state)) for a in views.open_alarms(world.fleet)] == [
        ("broker.down@hub", "returned_unacknowledged"),
    ]


def test_a_link_still_lost_when_the_broker_is_back_raises_its_own_alarm() -> None:
    world = World()
    world.online()
    world.do(e.BrokerChanged(False))
    world.run(6)
    world.do(e.BrokerChanged(True))
    world.run(6)
    assert world.alarm("link.lost") == "unacknowledged"


def test_an_alarm_suppressed_before_anyone_saw_it_is_still_owed_an_acknowledgement() -> None:
    world = World()
    world.online()
    world.run(4)
    world.do(e.BrokerChanged(False))
    world.run(2)
    assert world.alarm("link.lost") == "suppressed_by_design"
    world.do(e.BrokerChanged(True))
    world.run(8, beats=True, telemetry=True)
    assert world.alarm("link.lost") == "returned_unacknowledged"


def test_what_is_owed_survives_a_second_loss_under_the_same_suppression() -> None:
    world = World()
    world.online()
    world.run(4)
    assert world.alarm("link.lost") == "unacknowledged"
    world.do(e.BrokerChanged(False))
    world.run(2)
    assert world.alarm("link.lost") == "suppressed_by_design"
    world.do(e.BrokerChanged(True))
    world.run(3, beats=True, telemetry=True)  # back, but broker.down still holds
    world.do(e.BrokerChanged(False))
    world.run(4)
    world.do(e.BrokerChanged(True))
    world.run(8, beats=True, telemetry=True)
    assert world.alarm("link.lost") == "returned_unacknowledged"


def test_a_failed_audit_write_is_an_alarm_that_the_next_good_write_ends_after_its_delay() -> None:
    world = World()
    world.do(e.AuditWritten("x", False))
    assert world.alarm("audit.failed", "") == "unacknowledged"
    world.do(e.AuditWritten("y", False))
    assert len(of(world.log, ShowAlarm)) == 1
    world.do(e.AuditWritten("z", True))
    world.run(2.1)
    assert world.alarm("audit.failed", "") == "returned_unacknowledged"


def sample(world: World, frames: int, fresh: bool = True) -> StreamSample:
    last = world.now_ns if fresh else world.now_ns - 2 * SECOND
    return StreamSample(
        camera="front", kind="video", codec="H264", clock_rate=90_000, packets=frames * 10,
        lost=0, bytes=frames * 10_000, frames=frames, keyframes=1, jitter_ms=0.0,
        last_frame_ns=last if frames else None,
    )  # fmt: skip


def test_a_picture_that_stops_is_an_alarm_and_a_media_session_that_ends_too() -> None:
    world = World()
    world.online()
    world.do(e.PublisherChanged(BUS, "m1", True))
    for frames in range(10):
        world.run(0.1, beats=True, telemetry=True)
        world.do(e.LinkSampled(BUS, "m1", [sample(world, frames)]))
    assert world.alarm("video.frozen") == "normal"
    world.do(e.PublisherChanged(BUS, "m1", False))
    world.run(1.3, beats=True, telemetry=True)
    assert world.alarm("video.frozen") == "unacknowledged"
    assert views.open_alarms(world.fleet)[0].detail == "front"
    world.do(e.PublisherChanged(BUS, "m2", True))
    for frames in range(15):
        world.run(0.1, beats=True, telemetry=True)
        world.do(e.LinkSampled(BUS, "m2", [sample(world, frames + 1)]))
    assert world.alarm("video.frozen") == "normal"


def test_a_vehicle_that_never_published_owes_no_picture() -> None:
    world = World()
    world.online()
    world.run(20, beats=True, telemetry=True)
    assert views.open_alarms(world.fleet) == []


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["on", "off", "ack", "hold", "up", "down", "again"]),
        st.integers(0, 3_000),
    ),
    max_size=60,
)


@given(WORDS, st.booleans())
def test_whatever_happens_an_active_alarm_is_never_normal_and_a_latched_one_is_never_lost(
    words, latching: bool
) -> None:
    spec = msgspec.structs.replace(
        ROW, key="a", priority=Priority.LOW, on_delay_ms=500, off_delay_ms=500,
        latching=latching, suppressed_by=("b",),
    )  # fmt: skip
    other = msgspec.structs.replace(spec, key="b", suppressed_by=(), on_delay_ms=0, off_delay_ms=0)
    board = AlarmBoard([spec, other], Ledger())
    now_ns = 0
    seen = True
    for word, ms in words:
        now_ns += ms * MS
        board.on_time(now_ns)
        match word:
            case "on" | "off":
                board.set("a", "v", word == "on", now_ns)
            case "up" | "down":
                board.set("b", "", word == "up", now_ns)
            case "hold":
                board.hold("a", "v")
            case "again":
                board.raise_again("a", "v", now_ns, "x")
            case "ack":
                board.acknowledge("a@v", "me", now_ns)
        alarm = board.get("a", "v")
        if alarm is None:
            continue
        if alarm.state is AlarmState.UNACKNOWLEDGED:
            seen = False
        elif alarm.state is AlarmState.ACKNOWLEDGED or word == "ack":
            seen = True
        if alarm.active:
            assert alarm.state is not AlarmState.NORMAL
        if latching and alarm.state is AlarmState.NORMAL:
            assert seen
        if alarm.state is AlarmState.SUPPRESSED_BY_DESIGN:
            assert board.is_active("b")
        deadline = board.next_deadline_ns()
        assert deadline is None or deadline > now_ns - 3_000 * MS
