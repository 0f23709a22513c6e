"""The contract test kit: our vehicle keeps every rule; one that breaks a rule is found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocols.codec import encode
from protocols.drive import DriveEcho
from protocols.topics import Stream
from protocols.vehicle import (
    Command,
    CommandResult,
    Connection,
    ConnectionState,
    Factsheet,
    FollowPath,
    HubHeartbeat,
    Kind,
    RefusalReason,
    ResultState,
    State,
)
from support.vehicle_world import BUS, KEY, MS, World
from vehicle_stub import checker
from vehicle_stub.checker import GUARDS, Accepted, Refused
from vehicle_stub.contract import report
from vehicle_stub.contract.heard import Heard
from vehicle_stub.contract.hub import CheckingHub
from vehicle_stub.contract.mqtt import CheckError, parse_account
from vehicle_stub.contract.rules import RULES
from vehicle_stub.contract.run import CannotCheckError, Finding, Verdict, run
from vehicle_stub.control import Control
from vehicle_stub.equipment import OF_KIND

ROOT = Path(__file__).parents[2]


class VirtualWay:
    """A vehicle in virtual time, reached as over a broker.

    Attributes:
        hears: What is done to a command's bytes before the vehicle sees them.
        says: What is done to what it says before we see it; None: it does not say it.
    """

    def __init__(self, world: World, says: Callable[[Any], Any] = lambda message: message) -> None:
        self.heard = Heard("run")
        self.world = world
        self.hub: CheckingHub | None = None
        self.says = says
        self.hears: Callable[[bytes], bytes] = lambda data: data
        self.stored: dict[Stream, bytes] = {}
        self.came_back = self.stores = True
        self._hear(Connection(ConnectionState.ONLINE, "s-1"), Stream.CONNECTION)
        self._hear(
            Factsheet(world.vehicle.kind, "Bus", [], False, list(OF_KIND[world.vehicle.kind]), 5.5),
            Stream.FACTSHEET,
        )

    def now_ns(self) -> int:
        return self.world.now + 7_000 * MS  # our clock is not the vehicle's

    async def publish(self, stream: Stream, data: bytes, *, retain: bool = False) -> None:
        if retain:
            self.stored[stream] = data
        vehicle = self.world.vehicle
        if stream is Stream.CMD and data:
            vehicle.on_command(self.hears(data), False, self.world.now)
        elif stream is Stream.DRIVE:
            vehicle.on_frame(data, self.world.now, by_hub=True)
        self._drain()

    async def ask_again(self) -> None:
        for stream in (Stream.CONNECTION, Stream.FACTSHEET, Stream.STATE):
            said = self.heard.all(stream)
            if said and self.stores:
                self.heard.take(stream, encode(said[-1][1]), True, self.now_ns())

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        until = self.world.now + round(seconds * 1e9)
        while not condition() and self.world.now < until:
            self._step()
        return condition()

    def _step(self) -> None:
        world, vehicle = self.world, self.world.vehicle
        world.tick()
        if world.now % (100 * MS) == 0:
            if self.hub is not None and self.hub.beating:
                beat = msgspec.json.decode(self.hub.beat(), type=HubHeartbeat)
                vehicle.on_hub_heartbeat(beat, world.now)
            self._hear(vehicle.telemetry(world.now), Stream.TELEMETRY)
            if vehicle.control.is_held or world.now % (500 * MS) == 0:
                self._hear(vehicle.heartbeat(world.now, 0), Stream.HEARTBEAT)
        if world.now % (3_000 * MS) == 0 and self.stored.get(Stream.CMD) and self.came_back:
            self._hear(Connection(ConnectionState.ONLINE, "s-1"), Stream.CONNECTION)
            vehicle.on_command(self.stored[Stream.CMD], True, world.now)
        self._drain()

    def _drain(self) -> None:
        self.world.drain()
        self.world.keep_epochs()
        for message in self.world.said:
            stream = {State: Stream.STATE, CommandResult: Stream.CMD_RESULT}.get(type(message))
            if stream is not None:
                self._hear(message, stream)
        self.world.said.clear()

    def _hear(self, message: Any, stream: Stream) -> None:
        said = self.says(message)
        if said is not None:
            data = said if isinstance(said, bytes) else encode(said)
            self.heard.take(stream, data, False, self.now_ns())


def way_to(
    kind: Kind = Kind.BUS, says: Callable[[Any], Any] = lambda message: message, **made: Any
) -> VirtualWay:
    """A vehicle that stands; nobody else talks to it."""
    world = World(kind, made=made)
    world.hub_there = False
    world.vehicle.drive.open_doors(opened=True)
    return VirtualWay(world, says)


async def checked(way: VirtualWay, reconnect_s: float = 5.0) -> dict[str, Finding]:
    hub = CheckingHub(way, BUS, KEY, 1_000, "run", reconnect_s)
    way.hub = hub
    return {finding.rule.key: finding for finding in await run(hub)}


# ------------------------------------------------------------------------- our vehicle


@pytest.mark.parametrize("kind", [Kind.BUS, Kind.TRACTOR])
async def test_our_vehicle_keeps_every_rule_and_does_not_move(kind: Kind) -> None:
    way = way_to(kind)
    findings = await checked(way)
    assert {key: (f.verdict, f.why) for key, f in findings.items()} == dict.fromkeys(
        (rule.key for rule in RULES), (Verdict.KEPT, "")
    )
    assert way.world.vehicle.drive.travelled == 0.0
    assert not way.world.vehicle.control.is_held


async def test_what_cannot_be_tried_is_said_to_be_not_applicable() -> None:
    way = way_to(says=_if(Factsheet, lambda m: msgspec.structs.replace(m, commands=["stop"])))
    way.came_back = False
    findings = await checked(way, reconnect_s=1.0)
    skipped = {key for key, f in findings.items() if f.verdict is Verdict.NOT_APPLICABLE}
    assert {"retained", "take", "lapse", "envelope", "emergency-stop"} <= skipped
    assert all(findings[key].why for key in skipped)


# --------------------------------------------------------------------- broken vehicles


def without(*left_out: checker.Guard) -> dict[str, Any]:
    return {"guards": [guard for guard in GUARDS if guard not in left_out]}


def _loose_checker(way: VirtualWay, change: Callable[[Any, bytes, bool], Any]) -> None:
    made = way.world.vehicle.checker
    check = made.check

    def checked_loosely(data: bytes, retained: bool, now_ns: int, held: Any = None) -> Any:
        verdict = check(data, retained, now_ns, held)
        return change(verdict, data, retained)

    made.check = checked_loosely  # type: ignore[method-assign]


def _obeys(*reasons: RefusalReason) -> Callable[[VirtualWay], None]:
    """A vehicle that obeys what it should refuse for these reasons."""

    def change(verdict: Any, data: bytes, retained: bool) -> Any:
        if isinstance(verdict, Refused) and verdict.reason in reasons:
            return Accepted(msgspec.json.decode(data, type=Command))
        return verdict

    return lambda way: _loose_checker(way, change)


def _refuses_unknown_types_as(reason: RefusalReason) -> Callable[[VirtualWay], None]:
    def change(verdict: Any, data: bytes, retained: bool) -> Any:
        known = RefusalReason.UNKNOWN_TYPE
        if isinstance(verdict, Refused) and verdict.reason is known:
            return verdict._replace(reason=reason)
        return verdict

    return lambda way: _loose_checker(way, change)


def _ignores_malformed(way: VirtualWay) -> None:
    def change(verdict: Any, data: bytes, retained: bool) -> Any:
        if isinstance(verdict, Refused) and verdict.reason is RefusalReason.MALFORMED:
            return verdict._replace(command_id=None)
        return verdict

    _loose_checker(way, change)


def _takes_unknown_fields(way: VirtualWay) -> None:
    way.hears = lambda data: data.replace(b',"unless":"raining"}', b"}")


def _forgets_answers(way: VirtualWay) -> None:
    way.world.vehicle._answers.again = lambda command_id: None  # type: ignore[method-assign]


def _needs_a_session_to_stop(way: VirtualWay) -> None:
    check = way.world.vehicle.checker.check

    def strict(data: bytes, retained: bool, now_ns: int, held: Any = None) -> Any:
        verdict = check(data, retained, now_ns, held)
        if isinstance(verdict, Accepted) and not verdict.command.session_id:
            return Refused(verdict.command.command_id, RefusalReason.WRONG_SESSION, "")
        return verdict

    way.world.vehicle.checker.check = strict  # type: ignore[method-assign]


def _says(change: Callable[[Any], Any]) -> Callable[[VirtualWay], None]:
    def break_it(way: VirtualWay) -> None:
        way.says = change

    return break_it


def _if(kind: type, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda message: change(message) if isinstance(message, kind) else message


def _as_is(way: VirtualWay) -> None:
    """It was made broken."""


def _frames_say_driving(way: VirtualWay) -> None:
    vehicle = way.world.vehicle
    on_frame = vehicle.on_frame

    def gullible(data: Any, now_ns: int, **how: Any) -> None:
        on_frame(data, now_ns, **how)
        vehicle.drive_echo = lambda: DriveEcho(1, driving=True)  # type: ignore[method-assign]

    vehicle.on_frame = gullible  # type: ignore[method-assign]


def _deaf_to_frames(way: VirtualWay) -> None:
    way.world.vehicle.on_frame = lambda *a, **k: None  # type: ignore[method-assign]


def _control(name: str, change: Callable[[Any], Any]) -> Callable[[VirtualWay], None]:
    def break_it(way: VirtualWay) -> None:
        control = way.world.vehicle.control
        setattr(control, name, change(getattr(control, name)))

    return break_it


class _Rearming(Control):
    def on_lease(self, epoch: int, leased: bool, now_ns: int) -> None:
        if self.held.epoch:
            self.last = self.held
        if leased and not self.is_held and getattr(self, "last", None):
            self.held = self.last
        super().on_lease(epoch, leased, now_ns)


def _rearms(way: VirtualWay) -> None:
    way.world.vehicle.control = _Rearming()


def _follows_any_path(way: VirtualWay) -> None:
    orders = way.world.vehicle._orders
    perform = orders._perform

    def loose(command: Command, now_ns: int) -> Any:
        from vehicle_stub.orders import APPLIED

        return APPLIED if isinstance(command.body, FollowPath) else perform(command, now_ns)

    orders._perform = loose  # type: ignore[method-assign]


def _never_releases(way: VirtualWay) -> None:
    way.world.vehicle._orders._release = lambda body: report and _impossible()  # type: ignore


def _impossible() -> Any:
    from vehicle_stub.answers import Impossible

    return Impossible("no")


def _creeps(way: VirtualWay) -> None:
    drive = way.world.vehicle.drive
    began = way.world.now
    step = drive.step

    def creeping(now_ns: int, *rest: Any) -> None:
        step(now_ns, *rest)
        if now_ns - began > 10_000 * MS:
            drive.speed = 0.3

    drive.step = creeping  # type: ignore[method-assign]


_A = RefusalReason
BROKEN: list[tuple[str, dict[str, Any], Callable[[VirtualWay], object]]] = [
    ("connection", {"says": _if(Connection, lambda m: Connection(m.state, "another"))}, _as_is),
    ("factsheet", {"says": _if(Factsheet, lambda m: encode(m).replace(b"stop", b"go"))}, _as_is),
    ("stop", {}, _needs_a_session_to_stop),
    ("stop-repeated", {}, _forgets_answers),
    ("heartbeat", {}, lambda way: setattr(way.world.vehicle, "_heartbeat_seq", 0)),
    ("state", {}, _says(_if(State, lambda m: msgspec.structs.replace(m, seq=2 * m.seq)))),
    ("obeyed", {}, _control("on_epoch", lambda real: real)),
    ("bad-tag", {}, _obeys(_A.BAD_TAG)),
    ("misaddressed", {}, _obeys(_A.BAD_TAG)),
    ("wrong-session", without(checker.guard_session), _as_is),
    ("old-epoch", without(checker.guard_epoch), _as_is),
    ("replayed", without(checker.guard_seq), _as_is),
    ("reordered", without(checker.guard_seq), _as_is),
    ("overtaken-by-stop", without(checker.guard_seq), _as_is),
    ("duplicated", {}, _forgets_answers),
    ("stale", without(checker.guard_expiry), _as_is),
    ("future", without(checker.guard_future), _as_is),
    ("unknown-type", {}, _refuses_unknown_types_as(_A.MALFORMED)),
    ("malformed", {}, _ignores_malformed),
    ("unknown-field", {}, _takes_unknown_fields),
    ("retained", {}, _obeys(_A.RETAINED)),
    ("emergency-stop", {}, _needs_a_session_to_stop),
    ("stop-frame", {}, _deaf_to_frames),
    ("frame-without-control", {}, _frames_say_driving),
    ("no-control", without(checker.guard_holder), _as_is),
    ("take", {}, _says(_if(State, lambda m: msgspec.structs.replace(m, holder="")))),
    ("same-epoch", without(checker.guard_take), _as_is),
    ("not-holder", without(checker.guard_holder), _as_is),
    ("envelope", {}, _follows_any_path),
    ("kept", {}, _control("on_lease", lambda real: lambda *a: None)),
    ("lapse", {}, _control("on_time", lambda real: lambda now_ns: None)),
    ("not-rearmed", {}, _rearms),
    ("release", {}, _never_releases),
    ("fence", {}, _control("on_epoch", lambda real: lambda epoch: None)),
    ("readable", {}, _says(_if(State, lambda m: b'{"mode":"FLYING"}' if m.seq == 3 else m))),
    ("still", {}, _creeps),
]
_NOT_BROKEN_HERE = {"obeyed", "heartbeat", "fast-heartbeats"}


@pytest.mark.parametrize(
    ("key", "made", "break_it"),
    [row for row in BROKEN if row[0] not in _NOT_BROKEN_HERE],
    ids=[row[0] for row in BROKEN if row[0] not in _NOT_BROKEN_HERE],
)
async def test_a_vehicle_that_breaks_a_rule_is_found(
    key: str, made: dict[str, Any], break_it: Callable[[VirtualWay], object]
) -> None:
    way = way_to(**made)
    break_it(way)
    findings = await checked(way)
    assert findings[key].verdict is Verdict.BROKEN, findings[key]
    assert findings[key].why


async def test_what_is_not_stored_is_found() -> None:
    way = way_to()
    way.stores = False
    findings = await checked(way)
    for key in ("connection", "factsheet", "state"):
        assert findings[key].verdict is Verdict.BROKEN


async def test_slow_or_missing_heartbeats_are_found() -> None:
    way = way_to()
    beats = iter(range(10_000))
    from protocols.vehicle import Heartbeat

    way.says = _if(Heartbeat, lambda m: m if next(beats) % 3 == 0 else None)
    findings = await checked(way)
    assert findings["heartbeat"].verdict is Verdict.BROKEN
    way = way_to()
    way.says = _if(Heartbeat, lambda m: m if m.sent_ns % (500 * MS) == 0 else None)
    findings = await checked(way)
    assert findings["fast-heartbeats"].verdict is Verdict.BROKEN


async def test_a_vehicle_that_obeys_nothing_is_not_taken_for_a_careful_one() -> None:
    way = way_to()
    _loose_checker(
        way,
        lambda verdict, data, retained: (
            Refused(verdict.command.command_id, RefusalReason.OLD_EPOCH, "")
            if isinstance(verdict, Accepted)
            and verdict.command.body.__struct_config__.tag != "stop"
            else verdict
        ),
    )
    findings = await checked(way)
    assert findings["obeyed"].verdict is Verdict.BROKEN


# ------------------------------------------------------------------- when not to check


async def test_a_vehicle_that_moves_is_not_checked() -> None:
    world = World()
    way = VirtualWay(world)
    with pytest.raises(CannotCheckError, match="moves"):
        await checked(way)


async def test_a_vehicle_that_waits_for_a_hub_is_not_set_off_by_the_check() -> None:
    world = World(Kind.TRACTOR)
    world.hub_there = False
    findings = await checked(VirtualWay(world))
    assert {finding.verdict for finding in findings.values()} == {Verdict.KEPT}
    assert world.vehicle.drive.travelled == 0.0


async def test_a_vehicle_that_does_not_stop_is_not_checked() -> None:
    way = way_to()
    way.hears = lambda data: data[:-1]
    with pytest.raises(CannotCheckError, match="does_not_stop"):
        await checked(way)


async def test_a_silent_vehicle_is_not_checked() -> None:
    way = way_to()
    way.says = lambda message: None
    with pytest.raises(CannotCheckError, match="not_heard"):
        await checked(way)


async def test_a_vehicle_that_another_hub_talks_to_is_not_checked() -> None:
    way = way_to()
    beat = encode(HubHeartbeat("another-hub", 1, 1))
    way.heard.take(Stream.HEARTBEAT_HUB, beat, False, 0)
    with pytest.raises(CannotCheckError, match="another-hub"):
        await checked(way)


# ------------------------------------------------------------------------------- words


def test_every_rule_has_words_a_row_of_a_broken_vehicle_and_a_section_of_the_contract() -> None:
    keys = [rule.key for rule in RULES]
    assert len(set(keys)) == len(keys)
    assert list(report.RULE_TEXTS) and set(report.RULE_TEXTS) == set(keys)
    assert {row[0] for row in BROKEN} | {"fast-heartbeats"} == set(keys)
    contract = (ROOT / report.DOCUMENT).read_text()
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", contract, re.MULTILINE))
    assert {rule.section for rule in RULES} <= sections
    assert all(f"`{key}`" in contract for key in keys)


def test_a_finding_is_told_in_both_languages_and_as_data() -> None:
    found = Finding(RULES[0], Verdict.BROKEN, "no connection message")
    for language, word in ((report.Language.JA, "違反"), (report.Language.EN, "BROKEN")):
        line = report.line(found, language)
        assert word in line
        assert "docs/vehicle-contract.md §2" in line
        assert "no connection message" in line
        assert word in report.summary([found], language)
    assert json.loads(json.dumps(report.as_data([found])))[0]["verdict"] == "broken"


@pytest.mark.parametrize("url", ["x", "http://h:1", "mqtt://", "mqtt://h:x", "mqtt://[::1"])
def test_a_wrong_broker_is_said_without_its_password(url: str) -> None:
    with pytest.raises(CheckError) as failed:
        parse_account(url.replace("//", "//u:secret@"))
    assert "secret" not in str(failed.value)


def test_the_broker_is_taken_apart() -> None:
    assert parse_account("mqtt://u:p%40ss@h:7") == ("h", 7, "u", "p@ss", False)
    assert parse_account("mqtts://h") == ("h", 8883, None, None, True)


def test_the_answer_that_is_wanted_is_the_answer() -> None:
    from vehicle_stub.contract.hub import applied, refused

    no = CommandResult("s", "c", ResultState.REFUSED, 1, RefusalReason.OLD_SEQ, "text")
    yes = CommandResult("s", "c", ResultState.APPLIED, 1)
    assert refused(no, RefusalReason.OLD_SEQ) == "" == applied(yes)
    assert refused(None, RefusalReason.OLD_SEQ) == "not answered" == applied(None)
    assert refused(yes, RefusalReason.OLD_SEQ) == "applied, not refused"
    assert refused(no, RefusalReason.BAD_TAG) == "refused as old_seq, not as bad_tag"
    assert applied(no) == "refused old_seq text"
