"""Seeded bugs: each must be found by the simulation, or the simulation proves nothing.

A mutant replaces text in the source of a module before anything imports it, in a
process of its own. Text that is not there exactly once stops the run: the mutant has
to follow the code.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Final, NamedTuple


class Change(NamedTuple):
    """In `module`, `old` becomes `new`."""

    module: str
    old: str
    new: str


class Mutant(NamedTuple):
    """One bug. Changed modules are loaded in this order: what is imported, before who does."""

    name: str
    what: str
    changes: tuple[Change, ...]


def _one(name: str, what: str, module: str, old: str, new: str) -> Mutant:
    return Mutant(name, what, (Change(module, old, new),))


CHECKER: Final = "vehicle_stub.checker"
COMMANDS: Final = "supervisor.core.commands"
CONTROL: Final = "supervisor.core.control"
HOLDING: Final = "supervisor.core.holding"
ATTENTION: Final = "supervisor.core.attention"
DUTIES: Final = "supervisor.core.duties"
COVERAGE: Final = "supervisor.core.coverage"
ALARMS: Final = "supervisor.core.alarms"

MUTANTS: Final = (
    _one(
        "epoch-not-raised", "a restarted hub keeps its epochs",
        "supervisor.evidence.audit",
        "return max(highest + 1, utc_ns // 1_000_000_000)",
        "return highest or utc_ns // 1_000_000_000",
    ),
    _one(
        "epoch-by-wall-clock", "the epoch follows a clock that goes back",
        "supervisor.evidence.audit",
        "return max(highest + 1, utc_ns // 1_000_000_000)",
        "return utc_ns // 1_000_000_000",
    ),
    _one(
        "ttl-unchecked", "the vehicle obeys whatever the age",
        CHECKER, "    guard_expiry,\n    guard_future,", "    guard_future,",
    ),
    _one(
        "seq-unchecked", "a resume from before a stop is obeyed after it",
        CHECKER, "    guard_seq,\n    guard_expiry,", "    guard_expiry,",
    ),
    Mutant(
        "duplicates-obeyed", "a repetition has its effect again",
        (
            Change(CHECKER, "if command.command_id in self._known:", "if False:"),
            Change(CHECKER, "command.seq > marks.seq:", "command.seq >= marks.seq:"),
        ),
    ),
    _one(
        "epoch-unchecked", "a hub that was fenced off is obeyed",
        CHECKER, "    guard_epoch,\n    guard_seq,", "    guard_seq,",
    ),
    _one(
        "hub-epoch-unheard", "a command under way outlives the hub that sent it",
        CHECKER, "highest = max(marks.epoch, marks.fence)", "highest = marks.epoch",
    ),
    _one(
        "request-forgotten", "a restarted hub is not told of an open request",
        "vehicle_stub.vehicle",
        "if self.checker.fence_off(message.epoch):",
        "if self.checker.fence_off(message.epoch) and False:",
    ),
    Mutant(
        "epoch-not-kept", "a restarted vehicle has forgotten the epoch (its neighbours are off)",
        (
            Change(CHECKER, "    guard_session,\n", ""),
            Change(CHECKER, "    guard_seq,\n    guard_expiry,", "    guard_seq,"),
            Change("sim.car", "self.disk_epoch = max(self.disk_epoch, epoch)", "pass"),
        ),
    ),
    _one(
        "tag-unchecked", "the vehicle trusts the broker",
        CHECKER, "if not tags.verify(command, self._vehicle_id, self._key):", "if False:",
    ),
    _one(
        "stored-obeyed", "the vehicle obeys retained commands",
        CHECKER, "        if retained:\n", "        if False:\n",
    ),
    _one(
        "vehicle-drives-on", "link loss does not stop the vehicle that must stop",
        "vehicle_stub.vehicle",
        "if self.stops_on_link_loss or self.conduct.phase in DRIVEN:",
        "if self.conduct.phase in DRIVEN:",
    ),
    _one(
        "fsync-skipped", "the store answers before the record is durable",
        "sim.store", "ANSWER_EARLY = False", "ANSWER_EARLY = True",
    ),
    _one(
        "event-acknowledged-early", "an event is acknowledged before its record is durable",
        "supervisor.core.requests",
        'effects.append(Count("vehicle_event", "new"))',
        'effects.append(SendEventAck(record.vehicle_id, EventAck(event.event_id)))',
    ),
    _one(
        "resume-not-recorded", "a resume goes out with its record, not after it",
        COMMANDS,
        "        asked_record(fleet, record, asked, now_ns, waits=True),\n",
        "        asked_record(fleet, record, asked, now_ns, waits=True),\n"
        "        *_send(fleet, record, command, 2_000, now_ns),\n",
    ),
    _one(
        "resume-survives-stop", "a stop does not withdraw a resume that waits",
        COMMANDS, "for c in record.in_flight.values() if not c.sent]:", "for c in ()]:",
    ),
    Mutant(
        "decision-without-limit",
        "a slow disk lets an old decision through (its neighbour is off)",
        (
            Change(
                COMMANDS,
                "if now_ns - command.view.asked_ns > int(fleet.config.decision_limit_s * 1e9):",
                "if False:",
            ),
            Change(
                COMMANDS,
                "deadline_ns = now_ns + int(fleet.config.decision_limit_s * 1e9)",
                "deadline_ns = now_ns + 10_000_000_000",
            ),
        ),
    ),
    _one(
        "old-picture-accepted", "a resume is decided on any picture",
        COMMANDS, "if age is None or not 0.0 <= age <= limit:", "if False:",
    ),
    _one(
        "state-of-no-instant", "a vehicle's state is written after the event that changes it",
        "supervisor.core.snapshot",
        "if now_ns >= record.tick_ns or record.open_requests or record.unanswered:", "if False:",
    ),
    _one(
        "deaf-by-beats-unseen", "beats that echo nothing newer are as good as others",
        "supervisor.core.links",
        "unheard_ns is not None and unheard_ns >= self._degraded_ns", "False",
    ),
    _one(
        "deaf-by-channel-forgotten", "an answer from before ends what the vehicle said after it",
        "supervisor.core.links", "or asked_ns < self._deaf_ns:", "or False:",
    ),
    _one(
        "stop-needs-a-link", "a stop is refused while the link is not fresh",
        COMMANDS,
        "        return _stop(fleet, record, asked, now_ns)\n",
        "        if not record.link.is_fresh(now_ns):\n"
        '            return refuse_asked(fleet, asked, "link", "not fresh")\n'
        "        return _stop(fleet, record, asked, now_ns)\n",
    ),
    _one(
        "command-deadline-late", "`>` for `>=` at a command's deadline",
        COMMANDS, "if now_ns >= c.deadline_ns]:", "if now_ns > c.deadline_ns]:",
    ),
    _one(
        "request-deadline-late", "`>` for `>=` at a request's deadline",
        "supervisor.core.requests",
        "and now_ns >= request.deadline_ns", "and now_ns > request.deadline_ns",
    ),
    _one(
        "link-lost-late", "`>` for `>=` where a link is lost",
        "supervisor.core.links", "if silence >= self._lost_ns:", "if silence > self._lost_ns:",
    ),
    _one(
        "link-green-late", "`>` for `>=` where a link stops being online",
        "supervisor.core.links",
        "self.is_silent = silence >= self._degraded_ns",
        "self.is_silent = silence > self._degraded_ns",
    ),
    _one(
        "alarm-delay-late", "`<` for `<=` at the end of an alarm's delay",
        ALARMS, "for place, alarm in self._pending.items() if alarm.due_ns() <= now_ns]",
        "for place, alarm in self._pending.items() if alarm.due_ns() < now_ns]",
    ),
    _one(
        "alarm-forgotten", "an alarm that nobody saw goes away by itself",
        "supervisor.core.alarm_states",
        "Input.RETURNED: {**_SAME, _U: _R,", "Input.RETURNED: {**_SAME, _U: _N,",
    ),
    _one(
        "alarm-not-kept", "an alarm that nobody saw is forgotten when the hub is started again",
        "supervisor.core.alarm",
        "return self.state in ASIDE or self.spec.latching or", "return self.state in ASIDE or",
    ),
    _one(
        "alarm-not-shown", "an alarm changes and consoles are not told",
        ALARMS, "return [record, ShowAlarm(view), Count(", "return [record, Count(",
    ),
    _one(
        "stale-shown-live", "a stream stays live without packets",
        "supervisor.core.streams",
        "return self.last_packet_ns is not None and now_ns - self.last_packet_ns <= live_ns",
        "return self.last_packet_ns is not None",
    ),
    _one(
        "late-beats-count", "a late or doubled beat is evidence of now",
        "supervisor.core.vehicles",
        '        effects.append(Count("heartbeat", order.value))\n'
        "        if order is not Order.GAP:\n            return effects\n",
        '        effects.append(Count("heartbeat", order.value))\n',
    ),
    Mutant(
        "met-without-evidence", "a verdict outlives what it was based on",
        (
            Change("supervisor.core.verdicts", "if now_ns - at_ns > self._stale_ns:", "if False:"),
            Change("supervisor.core.verdicts", "        if missing is not None:", "        if 0:"),
        ),
    ),
    _one(
        "limit-never-lapses", "the vehicle keeps the last limit for ever",
        "vehicle_stub.speed_limit", "return now_ns < self.until_ns", "return self.until_ns > 0",
    ),
    _one(
        "limit-ignored", "the vehicle says applied and drives on",
        "vehicle_stub.drive", "wanted = min(wanted, limit_mps)", "wanted = min(wanted, 99.0)",
    ),
    _one(
        "order-not-recorded", "the hub's own orders go out before their record is durable",
        "supervisor.core.orders", "        if not self._recorded:\n", "        if False:\n",
    ),
    _one(
        "control-epoch-not-raised", "control is given again in the epoch of before",
        CONTROL, "max(self.epoch_used, epoch) + 1", "max(self.epoch_used, epoch, 1)",
    ),
    _one(
        "control-epoch-not-kept", "the store forgets the epoch of a grant",
        "sim.store", "self._epochs[name] = max(self._epochs.get(name, 0), epoch)", "pass",
    ),
    _one(
        "grant-before-record", "the vehicle is to obey before the grant is durable",
        "supervisor.core.authority",
        "    return [granted, *holding.shown(record)]\n",
        "    return [granted, *holding.take(fleet, record, now_ns)]\n",
    ),
    _one(
        "grant-before-vehicle", "control is held before the vehicle has said so",
        HOLDING,
        "        Lease(record.vehicle_id, view.epoch, leased=True),\n",
        "        Lease(record.vehicle_id, view.epoch, leased=True),\n"
        "        SetGrant(record.vehicle_id, control.session, view.holder, view.epoch,"
        ' view.purpose, ""),\n',
    ),
    _one(
        "seat-lost-unnoticed", "control outlives the reports of its seat",
        "supervisor.core.authority",
        "        case ControlState.HELD:\n            if due:\n",
        "        case ControlState.HELD:\n            if False:\n",
    ),
    _one(
        "console-gone-unnoticed", "control outlives its console's socket",
        "supervisor.core.authority", "    if lost is not None:\n", "    if False:\n",
    ),
    _one(
        "grant-kept", "control ends and the grant does not",
        HOLDING, "        effects.append(_no_grant(record))\n", "        pass\n",
    ),
    _one(
        "lease-kept", "control ends and heartbeats go on to say that it is held",
        HOLDING,
        "        effects.append(Lease(record.vehicle_id, record.epoch, leased=False))\n",
        "",
    ),
    _one(
        "preempted-without-fencing", "who takes control from another is offered it at once",
        "supervisor.core.authority",
        "    control.then = wish\n",
        "    control.move(Input.ENDED, now_ns)\n"
        "    control.move(Input.RELEASED, now_ns)\n"
        "    return [*effects, *holding.offer(fleet, record, wish, now_ns)]\n",
    ),
    _one(
        "two-vehicles", "one person has two vehicles",
        "supervisor.core.permits", "    if other is not None:\n", "    if False:\n",
    ),
    Mutant(
        "orders-without-control", "whoever asks orders the vehicle (its neighbour is off)",
        (
            Change(COMMANDS, "    if objection is not None:\n", "    if False:\n"),
            Change(COMMANDS, "if not permits.still_orders(record, command):", "if False:"),
        ),
    ),
    _one(
        "order-outlives-control", "an order waits for the disk and its control is over",
        COMMANDS, "if not permits.still_orders(record, command):", "if False:",
    ),
    _one(
        "control-outlives-link", "control goes on although the vehicle is not heard any more",
        "supervisor.core.authority",
        '    if record.link.state in GONE:\n        return holding.end(',
        '    if False:\n        return holding.end(',
    ),
    Mutant(
        "routed-to-unarmed", "who cannot be warned is asked (his neighbour is off)",
        (
            Change(
                ATTENTION,
                "    armed = {session: seat for session, seat in fleet.seats.items()"
                " if not seat.why_not}\n",
                "    armed = dict(fleet.seats)\n",
            ),
            Change(
                ATTENTION,
                "armed = [session for session, seat in fleet.seats.items() if not seat.why_not]",
                "armed = list(fleet.seats)",
            ),
        ),
    ),
    _one(
        "owner-kept", "an entry stays with a seat that was disarmed",
        ATTENTION, 'if entry.owner in armed and holder in ("", entry.owner):', "if entry.owner:",
    ),
    _one(
        "routed-to-all", "an entry is everybody's at once, and so nobody's",
        ATTENTION, "for s in (entry.owner, entry.neighbour) if s in armed)", "for s in armed)",
    ),
    _one(
        "neighbour-late", "no neighbour is called at half of the time",
        ATTENTION, "if gone >= config.neighbour_at:", "if gone >= config.supervisor_at:",
    ),
    _one(
        "supervisor-never", "no supervisor is called",
        ATTENTION, "if gone >= config.supervisor_at:", "if False:",
    ),
    _one(
        "neighbour-lost", "an entry that moves to another seat loses its neighbour",
        ATTENTION, "            if entry.step is not Step.ROUTED:\n", "            if False:\n",
    ),
    _one(
        "queue-not-shown", "the queue changes and consoles are not told",
        ATTENTION, "effects.append(ShowAttention())", "pass",
    ),
    _one(
        "alarm-not-queued", "alarms that nobody has seen need no person",
        ATTENTION, "    for alarm in fleet.alarms.standing():\n", "    for alarm in ():\n",
    ),
    _one(
        "manoeuvre-never", "what nobody answered stays as it is",
        ATTENTION, "new = entry.step is Step.UNANSWERED and ", "new = False and ",
    ),
    _one(
        "manoeuvre-again", "what was manoeuvred for is manoeuvred for again",
        ATTENTION, "            record.given_up[entry.need.request_id] = None\n", "",
    ),
    Mutant(
        "manoeuvre-although-taken", "a vehicle that somebody has taken is stopped for him",
        (
            Change(ATTENTION, "if new and not entry.taken_by and not", "if new and not"),
            Change(ATTENTION, "or done or taken or _acted(", "or done or _acted("),
        ),
    ),
    _one(
        "duty-not-recorded", "a step is marked and not recorded",
        DUTIES, "return [fleet.ledger.record(kind, actor, duty.vehicle, facts), ShowDuty(duty)]",
        "return [ShowDuty(duty)]",
    ),
    _one(
        "duty-forgotten", "a restarted hub does not go on with the duties of the last one",
        DUTIES, "    for duty in event.duties:\n", "    for duty in ():\n",
    ),
    _one(
        "duty-not-restated", "what the disk refused is not recorded again",
        DUTIES, "board.unwritten = bool(board.duties)", "board.unwritten = False",
    ),
    _one(
        "duty-clock-begins-anew", "the clocks of a duty are not carried to the next hub's",
        "supervisor.evidence.duties", "due_ns=s.due_ns + by_ns,", "due_ns=s.due_ns,",
    ),
    _one(
        "duty-late-unsaid", "a step that is late is not said to be",
        DUTIES, "not step.overdue and now_ns >= step.due_ns", "not step.overdue and False",
    ),
    _one(
        "watch-never-ends", "who has shown a vehicle once has it on screen for ever",
        COVERAGE, "if now_ns - watch.to_ns > JOIN_NS:", "if False:",
    ),
    _one(
        "watch-ends-now", "an interval ends when it is noticed, not with its last proof",
        COVERAGE, '"to_ns": watch.to_ns,', '"to_ns": now_ns,',
    ),
    _one(
        "watch-unseen", "a picture that does not move proves that it was watched",
        COVERAGE,
        "if record is None or not tile.frames or not tile.still_ms <= ALIVE_MS:",
        "if record is None:",
    ),
    _one(
        "watch-hidden", "a hidden page proves that it was watched",
        "supervisor.core.operators",
        "counts = report.visible and who.role", "counts = who.role",
    ),
    _one(
        "watch-begins-twice", "every report begins an interval",
        COVERAGE, "        if watch is None:\n", "        if True:\n",
    ),
    _one(
        "gap-too-long", "a gap goes on although somebody watches",
        COVERAGE, "    if covered.watches or not operated:\n", "    if not operated:\n",
    ),
    _one(
        "clock-too-sure", "a clock's error bar is half of what it must be",
        "supervisor.core.clocksync", "(rtt + 1) // 2)", "(rtt + 1) // 4)",
    ),
)  # fmt: skip

BY_NAME: Final = {mutant.name: mutant for mutant in MUTANTS}


class MutantError(Exception):
    """The mutant does not fit the code any more."""


def apply(mutant: Mutant) -> None:
    """Load the changed modules in place of the real ones. Call it before importing them.

    Raises:
        MutantError: A text is not in its module exactly once, or it is loaded already.
    """
    modules: dict[str, list[Change]] = {}
    for change in mutant.changes:
        modules.setdefault(change.module, []).append(change)
    for name, changes in modules.items():
        if name in sys.modules:
            raise MutantError(f"{name} is loaded already")
        importlib.import_module(name.rpartition(".")[0])
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise MutantError(f"there is no {name}")
        source = Path(spec.origin).read_text(encoding="utf-8")
        for change in changes:
            if source.count(change.old) != 1:
                raise MutantError(
                    f"{mutant.name}: {change.old!r} is in {name} "
                    f"{source.count(change.old)} times, not once"
                )
            source = source.replace(change.old, change.new)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        exec(compile(source, spec.origin, "exec"), module.__dict__)
