"""The rules of the vehicle contract that can be held from outside, in the order they are tried.

Each is a coroutine over `CheckingHub` that returns what is wrong (empty: kept), or
`NotApplicable`. What is sent does nothing even to a vehicle that wrongly obeys it: a
limit that is over at once, a stop, a wait for a request that nobody made, a path at a
thousandth of a metre a second.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import msgspec

from protocols.codec import encode
from protocols.topics import Stream, VehicleId
from protocols.vehicle import (
    PROTOCOL_VERSION,
    ConnectionState,
    EmergencyStop,
    OperationMode,
    RefusalReason,
    State,
    Stop,
)
from vehicle_stub.contract import control_rules
from vehicle_stub.contract.hub import (
    ANSWER_S,
    HARMLESS,
    CheckingHub,
    applied,
    changed_after_sealing,
    refused,
    with_tag_of,
)
from vehicle_stub.contract.rule import NotApplicable, Rule, lists

_R = RefusalReason


async def _stored(hub: CheckingHub, stream: Stream) -> bool:
    """Whether the broker has it stored, also if it came while we were there already."""
    if stream not in hub.heard.stored:
        await hub.way.ask_again()
        await hub.way.until(lambda: stream in hub.heard.stored, ANSWER_S)
    return stream in hub.heard.stored


# ----------------------------------------------------------------- what it says itself


async def connection(hub: CheckingHub) -> str:
    """It says ONLINE, stored, with the session of its heartbeats."""
    await hub.way.until(lambda: hub.heard.connection is not None, ANSWER_S)
    said = hub.heard.connection
    if said is None:
        return "no connection message"
    if said.state is not ConnectionState.ONLINE:
        return f"it says {said.state.value}"
    if not await _stored(hub, Stream.CONNECTION):
        return "its connection message is not retained"
    return "" if said.session_id == hub.session_id else "another session than its heartbeats"


async def factsheet(hub: CheckingHub) -> str:
    """It says, stored, what it is and obeys; a stop at least."""
    said = hub.heard.factsheet
    if said is None:
        return "no factsheet"
    if not await _stored(hub, Stream.FACTSHEET):
        return "its factsheet is not retained"
    if said.protocol_version != PROTOCOL_VERSION:
        return f"protocol version {said.protocol_version}, expected {PROTOCOL_VERSION}"
    return "" if "stop" in said.commands else "it does not obey stop"


async def state(hub: CheckingHub) -> str:
    """It says its state, stored, at least every 5 s, numbered one by one."""
    if not await _stored(hub, Stream.STATE):
        return "its state is not retained"

    first = len(hub.heard.all(Stream.STATE))

    def live() -> list[State]:
        return [m for _, m in hub.heard.all(Stream.STATE)[first:] if isinstance(m, State)]

    if not await hub.way.until(lambda: len(live()) >= 2, 12.0):
        return "less than two states in 12 s"
    numbers = [m.seq for m in live()]
    gaps = any(b != a + 1 for a, b in pairwise(numbers))
    return "seq does not rise by one" if gaps else ""


async def heartbeat(hub: CheckingHub) -> str:
    """It beats twice a second, numbered, on one monotonic clock, and echoes the hub's."""
    first = len(hub.heard.heartbeats())
    await hub.way.until(lambda: len(hub.heard.heartbeats()) >= first + 4, 5.0)
    beats = hub.heard.heartbeats()[first:]
    if len(beats) < 4:
        return f"{len(beats)} heartbeats in 5 s"
    if beats[3][0] - beats[0][0] > 2_500_000_000:
        return "slower than twice a second"
    pairs = list(pairwise(beats))
    if any(b.seq != a.seq + 1 or b.sent_ns <= a.sent_ns for (_, a), (_, b) in pairs):
        return "seq or sent_ns does not rise"
    return "" if beats[-1][1].echo is not None else "it does not echo the hub's heartbeat"


async def readable(hub: CheckingHub) -> str:
    """Whatever it says is in the form of the contract."""
    return "; ".join(hub.heard.wrong[:3])


# ------------------------------------------------------------------------------ stops


async def stop(hub: CheckingHub) -> str:
    """A stop needs its tag and nothing else: no session, no epoch, no time."""
    bare = {"session_id": "", "epoch": 0, "seq": 0, "issued_ns": 0, "ttl_ms": 1}
    return applied(await hub.order(Stop(), operator="", **bare))


async def stop_once(hub: CheckingHub) -> str:
    """A repeated stop is answered again."""
    command = hub.make(Stop())
    await hub.send(hub.sealed(command))
    await hub.answer(command.command_id)
    seen = len(hub.heard.results(command.command_id))
    await hub.send(hub.sealed(command))
    return applied(await hub.answer(command.command_id, seen))


async def emergency_stop(hub: CheckingHub) -> str:
    """An emergency stop needs no control and no fresh epoch either."""
    lists(hub, "emergency_stop")
    bare = {"session_id": "", "epoch": 0, "seq": 0, "issued_ns": 0, "ttl_ms": 1}
    return applied(await hub.order(EmergencyStop(), operator="", **bare))


async def stop_frame(hub: CheckingHub) -> str:
    """A stop frame over the hub is obeyed, and is one with the command of its id."""
    lists(hub, "emergency_stop")
    command_id = hub.new_id("frame")
    await hub.way.publish(Stream.DRIVE, hub.stop_frame(command_id))
    wrong = applied(await hub.answer(command_id))
    if wrong:
        return wrong
    seen = len(hub.heard.results(command_id))
    await hub.send(hub.sealed(hub.make(EmergencyStop(), command_id=command_id)))
    return applied(await hub.answer(command_id, seen))


# --------------------------------------------------------------------------- refusals


async def obeyed(hub: CheckingHub) -> str:
    """What is right in every way is applied: without this the refusals prove nothing."""
    lists(hub, "limit_speed")
    return applied(await hub.order(HARMLESS))


async def bad_tag(hub: CheckingHub) -> str:
    """A command made with another key, or changed on its way, is refused."""
    other_key = bytes(byte ^ 0xFF for byte in hub.key)
    command = hub.make(HARMLESS)
    await hub.send(with_tag_of(command, hub.vehicle_id, other_key))
    wrong = refused(await hub.answer(command.command_id), _R.BAD_TAG)
    if wrong:
        return wrong
    command = hub.make(HARMLESS)
    await hub.send(changed_after_sealing(hub, command))
    return refused(await hub.answer(command.command_id), _R.BAD_TAG)


async def misaddressed(hub: CheckingHub) -> str:
    """A command that was made for another vehicle is refused."""
    command = hub.make(HARMLESS)
    other = VehicleId(hub.vehicle_id.site, "another-vehicle")
    await hub.send(with_tag_of(command, other, hub.key))
    return refused(await hub.answer(command.command_id), _R.BAD_TAG)


async def wrong_session(hub: CheckingHub) -> str:
    """A command for another start of its client is refused."""
    return refused(await hub.order(HARMLESS, session_id="another-session"), _R.WRONG_SESSION)


async def old_epoch(hub: CheckingHub) -> str:
    """A command of an epoch that was fenced off is refused."""
    return refused(await hub.order(HARMLESS, epoch=hub.epoch - 1), _R.OLD_EPOCH)


async def replayed(hub: CheckingHub) -> str:
    """A seq that is not newer is refused, whatever its id."""
    command = hub.make(HARMLESS)
    await hub.send(hub.sealed(command))
    await hub.answer(command.command_id)
    return refused(await hub.order(HARMLESS, seq=command.seq), _R.OLD_SEQ)


async def reordered(hub: CheckingHub) -> str:
    """What was overtaken by a newer one is refused."""
    early, late = hub.make(HARMLESS), hub.make(HARMLESS)
    await hub.send(hub.sealed(late))
    await hub.answer(late.command_id)
    await hub.send(hub.sealed(early))
    return refused(await hub.answer(early.command_id), _R.OLD_SEQ)


async def overtaken_by_stop(hub: CheckingHub) -> str:
    """What was given before a stop and comes after it is refused."""
    early, halt = hub.make(HARMLESS), hub.make(Stop())
    await hub.send(hub.sealed(halt))
    await hub.answer(halt.command_id)
    await hub.send(hub.sealed(early))
    return refused(await hub.answer(early.command_id), _R.OLD_SEQ)


async def duplicated(hub: CheckingHub) -> str:
    """A repeated id is answered as before, not with a second effect or a refusal."""
    lists(hub, "limit_speed")
    command = hub.make(HARMLESS)
    await hub.send(hub.sealed(command))
    await hub.answer(command.command_id)
    seen = len(hub.heard.results(command.command_id))
    await hub.send(hub.sealed(command))
    return applied(await hub.answer(command.command_id, seen))


async def stale(hub: CheckingHub) -> str:
    """A command past its time on the vehicle's own clock is refused."""
    await hub.way.until(lambda: hub.vehicle_ns > 1_000_000_000, ANSWER_S)
    issued_ns = max(1, hub.vehicle_ns - 600_000_000)
    return refused(await hub.order(HARMLESS, issued_ns=issued_ns, ttl_ms=100), _R.EXPIRED)


async def future(hub: CheckingHub) -> str:
    """A command from more than a second ahead is refused."""
    issued_ns = hub.vehicle_ns + 5_000_000_000
    return refused(await hub.order(HARMLESS, issued_ns=issued_ns), _R.FROM_THE_FUTURE)


async def unknown_type(hub: CheckingHub) -> str:
    """A command of a type it does not know is refused as that."""
    command = hub.make(HARMLESS)
    data = hub.sealed(command).replace(b'"type":"limit_speed"', b'"type":"fly_away"')
    await hub.send(data)
    return refused(await hub.answer(command.command_id), _R.UNKNOWN_TYPE)


async def malformed(hub: CheckingHub) -> str:
    """What cannot be read is refused, and what cannot even be named harms nothing."""
    for data in (b"", b"\xff\xfe", b"[" * 5_000, b"{}", b'{"command_id":7}'):
        await hub.send(data)
    command_id = hub.new_id("malformed")
    await hub.send(b'{"command_id":"%s","body":{"type":"stop","now":1}}' % command_id.encode())
    wrong = refused(await hub.answer(command_id), _R.MALFORMED)
    if wrong:
        return wrong
    return applied(await hub.order(Stop()))


async def unknown_field(hub: CheckingHub) -> str:
    """A field that the contract does not have is refused: it may change what is meant."""
    command = hub.make(HARMLESS)
    data = hub.sealed(command)[:-1] + b',"unless":"raining"}'
    await hub.send(data)
    return refused(await hub.answer(command.command_id), _R.MALFORMED, _R.BAD_TAG)


async def retained(hub: CheckingHub) -> str:
    """A stored command, met when it comes back to the broker, is refused."""
    command = hub.make(Stop())
    came = len(hub.heard.all(Stream.CONNECTION))
    await hub.send(hub.sealed(command), retain=True)
    try:
        await hub.answer(command.command_id)
        seen = len(hub.heard.results(command.command_id))

        def came_back() -> bool:
            return len(hub.heard.all(Stream.CONNECTION)) > came

        if not await hub.way.until(came_back, hub.reconnect_s):
            raise NotApplicable(
                "it did not come back to the broker meanwhile: restart its client within "
                "--reconnect seconds"
            )
        return refused(await hub.answer(command.command_id, seen), _R.RETAINED)
    finally:
        await hub.way.publish(Stream.CMD, b"", retain=True)


# ------------------------------------------------------------------------ being driven


async def frame_without_control(hub: CheckingHub) -> str:
    """A control frame of somebody who has no control for driving changes nothing."""
    for data in (hub.frame(), hub.frame()[:-1], encode(HARMLESS), bytes(2_000)):
        await hub.way.publish(Stream.DRIVE, data)

    def is_driven() -> bool:
        said = hub.heard.state
        beats = hub.heard.heartbeats()
        remote = said is not None and said.mode is OperationMode.REMOTE_DRIVE
        echo = beats[-1][1].drive if beats else None
        return remote or (echo is not None and echo.driving)

    driven = await hub.way.until(is_driven, 1.0)
    return "it is driven" if driven else ""


async def still(hub: CheckingHub) -> str:
    """It has stood all the while: nothing of this has moved it."""
    speeds = [
        abs(message.speed_mps)
        for _, message in hub.heard.all(Stream.TELEMETRY)
        if isinstance(message, msgspec.Struct) and hasattr(message, "speed_mps")
    ]
    return f"it moved at {max(speeds):.2f} m/s" if max(speeds, default=0.0) > 0.1 else ""


RULES: Final = (
    Rule("connection", "2", connection),
    Rule("factsheet", "2", factsheet),
    Rule("stop", "4.1", stop),
    Rule("stop-repeated", "4.1", stop_once),
    Rule("heartbeat", "2", heartbeat),
    Rule("state", "2", state),
    Rule("obeyed", "3", obeyed),
    Rule("bad-tag", "3.1", bad_tag),
    Rule("misaddressed", "3.1", misaddressed),
    Rule("wrong-session", "3.1", wrong_session),
    Rule("old-epoch", "3.1", old_epoch),
    Rule("replayed", "3.1", replayed),
    Rule("reordered", "3.1", reordered),
    Rule("overtaken-by-stop", "3.1", overtaken_by_stop),
    Rule("duplicated", "3.2", duplicated),
    Rule("stale", "3.1", stale),
    Rule("future", "3.1", future),
    Rule("unknown-type", "3.1", unknown_type),
    Rule("malformed", "3.1", malformed),
    Rule("unknown-field", "3.1", unknown_field),
    Rule("retained", "3.1", retained),
    Rule("emergency-stop", "4.1", emergency_stop),
    Rule("stop-frame", "4.2", stop_frame),
    Rule("frame-without-control", "6.1", frame_without_control),
    Rule("no-control", "5.2", control_rules.no_control),
    Rule("take", "5.1", control_rules.take),
    Rule("same-epoch", "5.1", control_rules.same_epoch),
    Rule("not-holder", "5.2", control_rules.not_holder),
    Rule("fast-heartbeats", "5.1", control_rules.fast_beats),
    Rule("envelope", "3.3", control_rules.envelope),
    Rule("kept", "5.3", control_rules.kept),
    Rule("lapse", "5.3", control_rules.lapse),
    Rule("not-rearmed", "5.3", control_rules.not_rearmed),
    Rule("release", "5.4", control_rules.release),
    Rule("fence", "5.3", control_rules.fence),
    Rule("readable", "2", readable),
    Rule("still", "1", still),
)
