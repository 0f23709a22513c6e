"""A model of the audit store: what is durable, what is lost with a crash.

Records become durable in order, some milliseconds after they were handed over, and
are answered only then. A crash loses what was not durable yet; some of it may have
become durable without an answer. `answer_early` is the bug of a store that answers
before its fsync.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from protocols.duties import DutyView
from protocols.topics import VehicleId
from sim.clockwork import GRID_NS, MS, SECOND, Clockwork
from supervisor.core.alarm_standing import StandingAlarm, from_record
from supervisor.core.effects import Record
from supervisor.core.events import AuditWritten, DutiesRestored
from supervisor.evidence.audit import next_epoch
from supervisor.evidence.duties import KINDS, moved

_decoder = msgspec.json.Decoder(DutyView)
ANSWER_EARLY = False


class Store:
    """One hub's disk, over all its lives.

    Attributes:
        asked, events: Command ids and event ids with a durable record.
        orders: What the hub itself ordered, durably: life, vehicle, order id.
        granted: Control that was granted, durably: vehicle, epoch → to whom.
        answered: Records said to be durable.
        alarm_words: By alarm, when the last word on it was written, and what it says.
        duty_words: By duty, what its newest record says, and the base of the clock of then.
        base_ns: Of the monotonic clock of the hub that writes.
        failing_until, stalled_until: Faults, true time.
    """

    def __init__(self, clockwork: Clockwork) -> None:
        self.durable: set[tuple[int, str]] = set()
        self.asked: set[str] = set()
        self.events: set[str] = set()
        self.orders: set[tuple[int, str, str]] = set()
        self.granted: dict[tuple[str, int], str] = {}
        self.answered = 0
        self.alarm_words: dict[str, tuple[int, dict[str, object]]] = {}
        self.duty_words: dict[str, tuple[DutyView, int]] = {}
        self.base_ns = 0
        self.failing_until = 0
        self.stalled_until = 0
        self._epochs: dict[VehicleId, int] = {}
        self._clockwork = clockwork
        self._pending: dict[tuple[int, str], Record] = {}
        self._last_ns = 0

    def raise_epochs(self, names: Iterable[VehicleId], wall_s: int) -> dict[VehicleId, int]:
        """As the audit store does, at its start."""
        raised = {name: next_epoch(self._epochs.get(name, 0), wall_s * SECOND) for name in names}
        self._epochs.update(raised)
        return raised

    def standing_alarms(self) -> list[StandingAlarm]:
        """As the audit store does, at its start."""
        now = self._clockwork.now
        words = [word for word in self.alarm_words.values() if word[1]["stands"]]
        found = [from_record(data, now - at) for at, data in words]
        return [said for said in found if said is not None]

    def open_duties(self) -> DutiesRestored:
        """As the audit store does, at its start; `base_ns` is the new hub's."""
        found, handled = [], {}
        for written, base_ns in self.duty_words.values():
            duty = moved(written, self.base_ns - base_ns)
            if duty.trigger:
                handled[duty.trigger] = max(duty.event_ns, handled.get(duty.trigger, duty.event_ns))
            if duty.ended_ns is None:
                found.append(duty)
        return DutiesRestored(found, handled)

    def submit(
        self, record: Record, life: int, answer: Callable[[int, AuditWritten], None]
    ) -> None:
        """Take one record of one life of the hub."""
        clockwork = self._clockwork
        now = clockwork.now
        if now < self.failing_until:
            written = AuditWritten(record.record_id, False)
            clockwork.after(GRID_NS, answer, life, written)
            return
        begin = max(now, self.stalled_until)
        self._last_ns = max(self._last_ns, begin + clockwork.chance.randrange(4) * GRID_NS)
        self._pending[life, record.record_id] = record
        if ANSWER_EARLY:
            clockwork.after(0, answer, life, AuditWritten(record.record_id, True))
        clockwork.after(self._last_ns - now, self._write, life, record, answer)

    def crash(self) -> None:
        """What is not durable is lost; the disk may have finished the oldest ones."""
        finished = self._clockwork.chance.randrange(3)
        for place, record in list(self._pending.items())[:finished]:
            self._keep(place, record)
        self._pending.clear()

    def _write(
        self, life: int, record: Record, answer: Callable[[int, AuditWritten], None]
    ) -> None:
        place = (life, record.record_id)
        if self._pending.pop(place, None) is None:
            return  # lost with the crash
        self._keep(place, record)
        self.answered += 1
        if not ANSWER_EARLY:
            answer(life, AuditWritten(record.record_id, True))

    def _keep(self, place: tuple[int, str], record: Record) -> None:
        self.durable.add(place)
        if record.kind == "command.asked":
            self.asked.add(str(record.data["command_id"]))
        elif record.kind == "control.granted":
            epoch = int(record.data["epoch"])
            self.granted[record.subject, epoch] = record.actor
            name = VehicleId.parse(record.subject)
            self._epochs[name] = max(self._epochs.get(name, 0), epoch)
        elif record.kind == "event":
            self.events.add(str(record.data["event_id"]))
        elif record.kind == "alarm":
            written = (self._clockwork.now, dict(record.data))
            self.alarm_words[str(record.data["alarm"])] = written
        elif record.kind in KINDS:
            written_duty = _decoder.decode(str(record.data["view"]))
            self.duty_words[written_duty.id] = (written_duty, self.base_ns)
        elif record.kind.endswith(".ordered"):
            self.orders.add((place[0], record.subject, str(record.data["order_id"])))

    def stall(self, milliseconds: int) -> None:
        """The disk does nothing for a while."""
        self.stalled_until = self._clockwork.now + milliseconds * MS

    def fail(self, seconds: float) -> None:
        """Every write fails for a while."""
        self.failing_until = self._clockwork.now + int(seconds * SECOND)
