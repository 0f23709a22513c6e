from __future__ import annotations

import random
import time
import typing

import msgspec
from helpers_core import BUS, FACTSHEET, MS, OPERATOR, SECOND, World, of

from protocols import operator, vehicle
from protocols.codec import decode, encode
from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.catalogue import CATALOGUE
from supervisor.core.counts import COUNTS, OBSERVATIONS
from supervisor.core.effects import Count, Observe, SendCommand
from supervisor.core.fleet import Fleet
from supervisor.core.step import HANDLERS, step


def test_every_event_has_a_handler() -> None:
    assert set(HANDLERS) == set(typing.get_args(e.AnyEvent))


def story(seed: int) -> list[tuple[int, e.AnyEvent]]:
    """A random but reproducible hour of trouble."""
    rng = random.Random(seed)
    names = [VehicleId("maebashi", f"bus-{n:02d}") for n in range(3)]
    now_ns = SECOND
    events: list[tuple[int, e.AnyEvent]] = [
        (now_ns, e.VehicleConfigured(name, vehicle.Kind.BUS, "Bus", 1)) for name in names
    ]
    for n in range(1_500):
        now_ns += rng.randrange(200) * MS
        name = rng.choice([*names, VehicleId("other", "x")])
        session = f"run-{rng.randrange(3)}"
        roll = rng.randrange(12)
        choice: e.AnyEvent
        if roll == 0:
            state = rng.choice(list(vehicle.ConnectionState))
            choice = e.ConnectionReceived(name, vehicle.Connection(state, session))
        elif roll <= 2:
            echo = vehicle.Echo(rng.randrange(now_ns), rng.randrange(now_ns))
            sent = rng.randrange(now_ns)
            choice = e.HeartbeatReceived(name, vehicle.Heartbeat(session, n, sent, sent, echo))
        elif roll <= 4:
            choice = e.TelemetryReceived(
                name,
                vehicle.Telemetry(
                    session, rng.randrange(n + 1), 1, 1.0, 1.0, 1.0, 1.0,
                    vehicle.OperationMode.AUTONOMOUS,
                ),
            )  # fmt: skip
        elif roll == 5:
            body = rng.choice([vehicle.Stop(), vehicle.Resume(), vehicle.Resume(f"e{n % 7}")])
            choice = e.CommandAsked(
                OPERATOR, f"c{rng.randrange(n + 1)}", name, body, rng.choice([None, 50.0, 5e3])
            )
        elif roll == 6:
            choice = e.AuditWritten(f"r{rng.randrange(n + 1)}", rng.random() < 0.8)
        elif roll == 7:
            choice = e.VehicleEventReceived(
                name,
                vehicle.VehicleEvent(
                    session, f"e{n % 7}", rng.choice(list(vehicle.EventKind)), 1,
                    respond_within_s=float(rng.randrange(5)), subject_id=f"e{rng.randrange(7)}",
                ),
            )  # fmt: skip
        elif roll == 8:
            choice = e.CommandResultReceived(
                name,
                vehicle.CommandResult(
                    session, f"c{rng.randrange(n + 1)}", rng.choice(list(vehicle.ResultState)), 1
                ),
            )
        elif roll == 9:
            choice = e.BrokerChanged(rng.random() < 0.5)
        elif roll == 10:
            choice = e.FactsheetReceived(name, FACTSHEET)
        else:
            choice = e.Tick()
        events.append((now_ns, choice))
    return events


def test_the_same_events_give_the_same_effects_also_after_a_journey_through_bytes() -> None:
    for seed in range(20):
        events = story(seed)
        packed = msgspec.msgpack.encode(events)
        unpacked = msgspec.msgpack.decode(packed, type=list[tuple[int, e.AnyEvent]])
        assert unpacked == events
        first, second = Fleet(), Fleet()
        for (now_ns, one), (_, two) in zip(events, unpacked, strict=True):
            assert step(first, one, now_ns) == step(second, two, now_ns)
        last = events[-1][0]
        assert views.all_vehicles(first, last) == views.all_vehicles(second, last)
        assert views.open_alarms(first) == views.open_alarms(second)


def test_everything_counted_or_observed_is_in_the_closed_list() -> None:
    seen: set[tuple[str, str]] = set()
    for seed in range(20):
        fleet = Fleet()
        for now_ns, event in story(seed):
            for effect in step(fleet, event, now_ns):
                if isinstance(effect, Count):
                    seen.add((effect.name, effect.reason))
                elif isinstance(effect, Observe):
                    assert effect.name in OBSERVATIONS
    assert {name for name, _ in seen} <= set(COUNTS)
    assert [pair for pair in seen if pair[1] not in COUNTS[pair[0]]] == []
    assert len(seen) > 25


def test_whatever_happens_no_command_but_stop_is_sent_before_its_record_is_durable() -> None:
    for seed in range(20):
        fleet = Fleet()
        durable: set[str] = set()
        record_of: dict[str, str] = {}
        for now_ns, event in story(seed):
            if isinstance(event, e.AuditWritten) and event.ok:
                durable.add(event.record_id)
            for effect in step(fleet, event, now_ns):
                match effect:
                    case SendCommand(command=command):
                        record = record_of[command.command_id]
                        stop = isinstance(command.body, vehicle.Stop)
                        assert stop or record in durable
                    case _ if getattr(effect, "kind", "") == "command.asked":
                        record_of[effect.data["command_id"]] = effect.record_id


def test_views_become_messages_of_the_console() -> None:
    world = World()
    world.online()
    world.ask(vehicle.Stop())
    world.event("takeover.requested", respond_within_s=5.0)
    snapshot = operator.Snapshot(
        seq=1,
        hub_now_ns=world.now_ns,
        vehicles=views.all_vehicles(world.fleet, world.now_ns),
        alarms=views.open_alarms(world.fleet),
        requests=views.requests(world.fleet),
        commands=views.commands(world.fleet),
    )
    assert decode(encode(snapshot), operator.Snapshot) == snapshot
    assert len(views.catalogue_view()) == len(CATALOGUE)


def test_nonsense_from_a_console_is_counted_and_never_an_observation() -> None:
    world = World()
    world.do(e.OperatorConnected(OPERATOR))
    world.online()
    world.publish(1)
    tiles = [
        operator.Presented(str(BUS), camera, 30, still, age, bar)
        for camera, still, age, bar in (
            ("front", 1.0, 5.0, 2.0),
            ("front", -1.0, 5.0, 2.0),
            ("front", 1.0, float("nan"), 2.0),
            ("front", 1.0, 5.0, None),
            ("front", 1.0, 5.0, float("nan")),
            ("front", 1.0, 5.0, -1.0),
            ("roof", 1.0, 5.0, 2.0),
            ("front", float("inf"), None, None),
        )
    ] + [operator.Presented("no/where", "front", 1, 1.0)]
    effects = world.do(e.PresentationReported(OPERATOR, operator.PresentationReport(True, tiles)))
    assert of(effects, Observe) == [Observe("picture_age", 0.005, ("maebashi", "bus"))]
    assert [effect.reason for effect in of(effects, Count)] == [
        "accepted", "implausible", "implausible", "implausible", "implausible", "implausible",
        "unknown_camera", "implausible", "unknown_vehicle",
    ]  # fmt: skip
    world.do(e.OperatorDisconnected(OPERATOR))
    assert world.fleet.presentations == {}


def test_telemetry_is_decoded_checked_and_stepped_fast_enough() -> None:
    """The goal is 20,000 a second on one core; this only guards against a collapse."""
    fleet = Fleet()
    names = [VehicleId("maebashi", f"bus-{n:03d}") for n in range(200)]
    for name in names:
        step(fleet, e.VehicleConfigured(name, vehicle.Kind.BUS, "Bus", 1), 1)
    radio = vehicle.Radio("cell-1", -90.0, 12.0, 20_000.0, 50_000.0)
    payloads = [
        encode(
            vehicle.Telemetry(
                "run-1", seq, seq, 139.06, 36.39, 90.0, 4.0, vehicle.OperationMode.AUTONOMOUS,
                5.5, 0.5, "Station", 0.8, radio,
            )
        )
        for seq in range(20)
    ]  # fmt: skip
    started = time.perf_counter()
    for seq, payload in enumerate(payloads):
        for name in names:
            message = decode(payload, vehicle.Telemetry)
            message.check()
            step(fleet, e.TelemetryReceived(name, message), seq * 100 * MS + 2)
    rate = len(payloads) * len(names) / (time.perf_counter() - started)
    print(f"{rate:.0f} telemetry events/s")
    assert rate > 5_000
