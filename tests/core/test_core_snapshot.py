from __future__ import annotations

import msgspec
import pytest
from helpers_core import BUS, SECOND, World

from protocols import vehicle
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core.snapshot import Capture, SnapshotError, capture, restore
from supervisor.core.step import step


def busy_world() -> World:
    """A fleet with something in every corner."""
    world = World()
    world.online()
    world.take()
    world.do(e.PublisherChanged(BUS, "m1", True))
    for frames in range(20):
        world.run(0.1, beats=True, telemetry=True)
        world.exchange(20)
        sample = e.StreamSample(
            camera="front", kind="video", codec="H264", clock_rate=90_000, packets=frames * 10,
            lost=0, bytes=frames * 10_000, frames=frames, keyframes=1, jitter_ms=0.5,
            last_frame_ns=world.now_ns, sender_ntp=(1 << 64) - 1, sender_rtp=17,
        )  # fmt: skip
        world.do(e.LinkSampled(BUS, "m1", [sample]))
    world.event("takeover.requested", respond_within_s=30.0)
    world.ask(vehicle.Resume(), "c1")
    world.ask(vehicle.Stop(), "c2")
    world.ask(vehicle.Resume("e1"), "c3")
    world.do(e.BrokerChanged(False))
    world.do(e.OperatorConnected(e.Operator("s9", "hanako", e.Role.VIEWER)))
    return world


def test_the_same_state_gives_the_same_bytes() -> None:
    assert capture(busy_world().fleet) == capture(busy_world().fleet)


def test_a_restored_fleet_goes_on_as_if_nothing_had_happened() -> None:
    world = busy_world()
    twin = restore(capture(world.fleet))
    following = [
        e.AuditWritten("r3", True),
        *(e.AuditWritten(f"r{number}", True) for number in range(1, 40)),
        e.CommandSent(BUS, "c2", True),
        *[e.Tick()] * 60,
        e.BrokerChanged(True),
        *[e.Tick()] * 60,
    ]
    effects = 0
    for index, event in enumerate(following):
        now_ns = world.now_ns + index * SECOND // 10
        got = step(twin, event, now_ns)
        assert got == step(world.fleet, event, now_ns), event
        effects += len(got)
    assert effects > 20
    assert capture(twin) == capture(world.fleet)


def test_what_was_one_object_is_one_object_again() -> None:
    world = busy_world()
    twin = restore(capture(world.fleet))
    record = twin.vehicles[BUS]
    assert record.in_flight["c3"] is record.commands["c3"]
    alarm = twin.alarms.get("takeover.requested", "maebashi/bus-01")
    assert alarm is not None
    assert twin.alarms.acknowledge(alarm.alarm_id, "hanako", world.now_ns)
    assert twin.alarms.get("takeover.requested", "maebashi/bus-01") is alarm


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(["O", 0, "supervisor.core.fleet:Fleet"]),
        msgspec.msgpack.encode(["O", 0, "subprocess:Popen", {"args": "x"}]),
        msgspec.msgpack.encode(["O", 0, "supervisor.core.fleet:deque", {}]),
        msgspec.msgpack.encode(["S", "protocols.vehicle:Stop", b""]),
        msgspec.msgpack.encode(["a", "no.such.row"]),
        msgspec.msgpack.encode(["P", "supervisor.core.links:Link", 1]),
        msgspec.msgpack.encode(["P", "supervisor.core.windows:SlidingCounts", 1]),
        msgspec.msgpack.encode(["P", "supervisor.core.windows:SlidingCounts", *[[]] * 9]),
        msgspec.msgpack.encode(["x"]),
        msgspec.msgpack.encode(["r", 4]),
        msgspec.msgpack.encode([]),
        msgspec.msgpack.encode(3),
    ],
)
def test_bytes_that_are_no_state_are_refused_and_make_nothing(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        restore(data)


def test_something_foreign_in_the_fleet_is_named() -> None:
    world = World()
    world.bus.factsheet = object()  # type: ignore[assignment]
    with pytest.raises(SnapshotError, match="object"):
        capture(world.fleet)


def test_windows_go_on_counting_where_they_were() -> None:
    world = busy_world()
    tracks = world.bus.supervised.tracks.values()
    twins = restore(capture(world.fleet)).vehicles[BUS].supervised.tracks.values()
    counted = 0
    for track, twin in zip(tracks, twins, strict=True):
        for name in ("_window", "_short", "_long"):
            window, copy = getattr(track, name), getattr(twin, name)
            assert isinstance(copy._finished, bytearray)
            for second in range(120):
                for one in (window, copy):
                    one.add(second % 3, 1, 0, world.now_ns + second * SECOND)
                assert (window.good, window.bad) == (copy.good, copy.bad)
                counted += window.samples
    assert counted > 0


def two_buses() -> tuple[World, VehicleId]:
    other = VehicleId("maebashi", "bus-02")
    world = busy_world()
    world.do(e.VehicleConfigured(other, vehicle.Kind.BUS, "Bus 2", 7))
    for _ in range(5):
        world.tick()
    return world, other


def test_a_state_written_beside_the_steps_is_that_of_the_instant_it_began() -> None:
    world, _ = two_buses()
    at_once = capture(world.fleet)
    beside = Capture(world.fleet)
    for event in (e.AuditWritten("r2", True), e.Tick(), e.CommandSent(BUS, "c2", True), e.Tick()):
        world.now_ns += SECOND // 10
        beside.before(event, world.now_ns)
        world.do(event)
    assert capture(world.fleet) != at_once
    assert capture(restore(beside.finish())) == at_once


def test_an_event_of_one_vehicle_has_that_one_written_and_no_other() -> None:
    world, other = two_buses()
    beside = Capture(world.fleet)
    beat = vehicle.Heartbeat("run-1", 99, world.vehicle_ns, 1)
    beside.before(e.HeartbeatReceived(other, beat), world.now_ns)
    assert not beside.done
    beside.before(e.HeartbeatReceived(BUS, beat), world.now_ns)
    assert beside.done


def test_an_event_that_may_change_anybody_has_everything_written_first() -> None:
    world, _ = two_buses()
    beside = Capture(world.fleet)
    beside.before(e.BrokerChanged(True), world.now_ns)
    assert beside.done


def test_a_state_whose_vehicle_is_missing_is_refused() -> None:
    mark, root, parts = msgspec.msgpack.decode(capture(busy_world().fleet))
    for broken in ([mark, root, []], [mark, root, parts + parts], ["W", root, parts]):
        with pytest.raises(SnapshotError):
            restore(msgspec.msgpack.encode(broken))
