"""What alarms ask of people: rates, floods, times to acknowledge, and the worst alarms.

EEMUA 191 and ISA-18.2 judge an alarm system by what it does to one operator: about one
alarm in ten minutes is manageable, more than ten in ten minutes is a *flood*, in which he
misses what matters; a flood is over when fewer than five came in ten minutes. Every alarm is
announced to every operator who is at a console, so each is counted for each of them, and
only while he is there. A group is one announcement.

    11 alarms at 0, 30, …, 300 s: the 11th makes a flood; at 721 s only four of them are
    within the last ten minutes, and it is over.

Bounded: at most `MAX_OPERATORS` accounts, a day in stretches of ten minutes each; the ten
minutes that decide about floods are kept alarm by alarm, up to `MAX_RECENT`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Final, NamedTuple

from protocols.alarms import AlarmCount, AlarmKpiView, AlarmState, OperatorLoadView
from supervisor.core.alarm import Alarm
from supervisor.core.alarm_states import ANNOUNCED
from supervisor.core.effects import AnyEffect, Count, ShowAlarmKpi
from supervisor.core.ledger import Facts, Ledger

STRETCH_NS: Final = 600_000_000_000
STRETCHES: Final = 144
FLOOD_ABOVE: Final = 10
FLOOD_OVER_BELOW: Final = 5
SHOW_NS: Final = 5_000_000_000
"""Shown at most this often; the begin and end of a flood at once."""
MAX_OPERATORS: Final = 64
MAX_RECENT: Final = 1_000
MAX_ACKNOWLEDGED: Final = 256
MAX_FREQUENT: Final = 256
"""Alarms counted in one stretch; more of them cannot be told from a flood."""
FREQUENT_SHOWN: Final = 10


class Stretch(NamedTuple):
    """Ten minutes of one operator: alarms by priority, and nanoseconds there and in flood."""

    urgent: int
    high: int
    low: int
    duty_ns: int
    flood_ns: int


_NOTHING: Final = Stretch(0, 0, 0, 0, 0)


class OperatorLoad:
    """What alarms asked of one account.

    Attributes:
        sessions: Consoles he has open.
        flood_since_ns: Of the present flood; None: none.
    """

    def __init__(self, account: str, now_ns: int) -> None:
        self.account = account
        self.sessions = 0
        self.flood_since_ns: int | None = None
        self.looked_ns = now_ns
        self._recent_ns: deque[int] = deque(maxlen=MAX_RECENT)
        self._past: deque[Stretch] = deque(maxlen=STRETCHES - 1)
        self._now = _NOTHING
        self._acknowledged: deque[float] = deque(maxlen=MAX_ACKNOWLEDGED)

    def announced(self, priority: int, now_ns: int) -> bool:
        """One more alarm; return whether a flood begins."""
        self._recent_ns.append(now_ns)
        self._count(urgent=priority == 1, high=priority == 2, low=priority == 3)
        self._forget(now_ns)
        if self.flood_since_ns is None and len(self._recent_ns) > FLOOD_ABOVE:
            self.flood_since_ns = now_ns
            return True
        return False

    def acknowledged(self, seconds: float) -> None:
        """He acknowledged an alarm after so long."""
        self._acknowledged.append(seconds)

    def on_time(self, now_ns: int) -> bool:
        """Time passed; return whether a flood is over."""
        since_ns, self.looked_ns = self.looked_ns, now_ns
        if self.sessions:
            passed_ns = max(0, now_ns - since_ns)
            flood_ns = passed_ns if self.flood_since_ns is not None else 0
            self._count(duty_ns=passed_ns, flood_ns=flood_ns)
        self._forget(now_ns)
        if self.flood_since_ns is None or len(self._recent_ns) >= FLOOD_OVER_BELOW:
            return False
        self.flood_since_ns = None
        return True

    def end_stretch(self) -> None:
        """Ten more minutes are over."""
        self._past.append(self._now)
        self._now = _NOTHING

    @property
    def silent(self) -> bool:
        """Nothing is known of him for a day: he can be forgotten."""
        return not self.sessions and not any(map(any, (self._now, *self._past)))

    def view(self, now_ns: int) -> OperatorLoadView:
        """Return what a console shows."""
        self._forget(now_ns)
        urgent, high, low, duty_ns, flood_ns = (
            sum(column) for column in zip(self._now, *self._past, strict=True)
        )
        total = urgent + high + low
        return OperatorLoadView(
            account=self.account,
            on_duty=self.sessions > 0,
            on_duty_s=duty_ns / 1e9,
            last_10_min=len(self._recent_ns),
            by_priority=(urgent, high, low),
            per_10_min=total * STRETCH_NS / duty_ns if duty_ns >= STRETCH_NS else None,
            acknowledge_s=median(self._acknowledged) if self._acknowledged else None,
            flood=self.flood_since_ns is not None,
            flood_since_ns=self.flood_since_ns,
            flood_share=flood_ns / duty_ns if duty_ns else 0.0,
        )

    def _count(
        self,
        *,
        urgent: int = 0,
        high: int = 0,
        low: int = 0,
        duty_ns: int = 0,
        flood_ns: int = 0,
    ) -> None:
        now = self._now
        self._now = Stretch(
            now.urgent + urgent,
            now.high + high,
            now.low + low,
            now.duty_ns + duty_ns,
            now.flood_ns + flood_ns,
        )

    def _forget(self, now_ns: int) -> None:
        recent = self._recent_ns
        while recent and now_ns - recent[0] >= STRETCH_NS:
            recent.popleft()


class AlarmLoad:
    """The loads of all operators, and of the hub as a whole."""

    def __init__(self, ledger: Ledger) -> None:
        self.operators: dict[str, OperatorLoad] = {}
        self._ledger = ledger
        self._since_ns: int | None = None
        self._stretch_ns = 0
        self._past: deque[int] = deque(maxlen=STRETCHES - 1)
        self._now = 0
        self._frequent_past: deque[dict[str, int]] = deque(maxlen=STRETCHES - 1)
        self._frequent: dict[str, int] = {}
        self._shown_ns = 0
        self._shown: AlarmKpiView | None = None

    # ----------------------------------------------------------- what happens

    def on_duty(self, account: str, now_ns: int) -> None:
        """Somebody who may act opened a console."""
        load = self.operators.get(account)
        if load is None:
            if len(self.operators) >= MAX_OPERATORS:
                self._forget_one()
            load = self.operators[account] = OperatorLoad(account, now_ns)
        if not load.sessions:
            load.looked_ns = now_ns
        load.sessions += 1

    def off_duty(self, account: str, now_ns: int) -> None:
        """One of his consoles is gone."""
        load = self.operators.get(account)
        if load is not None and load.sessions:
            load.on_time(now_ns)
            load.sessions -= 1

    def announced(self, alarm_id: str, priority: int, now_ns: int) -> list[AnyEffect]:
        """An alarm asks for a person's eye."""
        self._now += 1
        if alarm_id in self._frequent or len(self._frequent) < MAX_FREQUENT:
            self._frequent[alarm_id] = self._frequent.get(alarm_id, 0) + 1
        effects: list[AnyEffect] = []
        for load in self.operators.values():
            if load.sessions and load.announced(int(priority), now_ns):
                effects += self._flood(load, "begins", now_ns)
        return effects

    def acknowledged(self, account: str, seconds: float) -> None:
        """Somebody acknowledged an alarm after so long."""
        load = self.operators.get(account)
        if load is not None:
            load.acknowledged(seconds)

    def on_time(self, standing: Iterable[Alarm], now_ns: int) -> list[AnyEffect]:
        """Time passed: call it about once a second."""
        if self._since_ns is None:
            self._since_ns = self._stretch_ns = now_ns
        effects: list[AnyEffect] = []
        for load in self.operators.values():
            if load.on_time(now_ns):
                effects += self._flood(load, "is over", now_ns)
        while now_ns - self._stretch_ns >= STRETCH_NS:
            self._stretch_ns += STRETCH_NS
            self._past.append(self._now)
            self._now = 0
            self._frequent_past.append(self._frequent)
            self._frequent = {}
            for load in self.operators.values():
                load.end_stretch()
        if effects or now_ns - self._shown_ns >= SHOW_NS:
            self._shown_ns = now_ns
            view = self.view(standing, now_ns)
            if view != self._shown:
                self._shown = view
                effects.append(ShowAlarmKpi(view))
        return effects

    # ---------------------------------------------------------------- reading

    def view(self, standing: Iterable[Alarm], now_ns: int) -> AlarmKpiView:
        """Return what a console shows."""
        alarms = list(standing)
        states = [alarm.state for alarm in alarms]
        totals: dict[str, int] = {}
        for part in (*self._frequent_past, self._frequent):
            for alarm_id, count in part.items():
                totals[alarm_id] = totals.get(alarm_id, 0) + count
        frequent = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT_SHOWN]
        start_ns = now_ns if self._since_ns is None else self._since_ns
        end_ns = (self._stretch_ns if self._since_ns is not None else now_ns) + STRETCH_NS
        return AlarmKpiView(
            since_ns=max(start_ns, end_ns - STRETCHES * STRETCH_NS),
            standing=sum(alarm.active and alarm.state in ANNOUNCED for alarm in alarms),
            stale=sum(alarm.stale for alarm in alarms),
            chattering=sum(alarm.chattering for alarm in alarms),
            shelved=states.count(AlarmState.SHELVED),
            suppressed=states.count(AlarmState.SUPPRESSED_BY_DESIGN),
            out_of_service=states.count(AlarmState.OUT_OF_SERVICE),
            history=[*self._past, self._now],
            history_end_ns=end_ns,
            frequent=[AlarmCount(alarm_id, count) for alarm_id, count in frequent],
            operators=[load.view(now_ns) for load in self.operators.values()],
        )

    def _flood(self, load: OperatorLoad, what: str, now_ns: int) -> list[AnyEffect]:
        facts: Facts = {"what": what, "at_ns": now_ns, "last_10_min": load.view(now_ns).last_10_min}
        counted = "flood" if what == "begins" else "flood_over"
        return [
            self._ledger.record("alarm.flood", "hub", load.account, facts),
            Count("alarm", counted),
        ]

    def _forget_one(self) -> None:
        """Make room: for somebody who is not there, the longest unseen first."""
        for account, load in list(self.operators.items()):
            if not load.sessions:
                del self.operators[account]
                return
        self.operators.pop(next(iter(self.operators)))
