"""What changed since the last message, and what one console still has to be sent.

Ten times a second the changes of all vehicles become one text, encoded once. A
console that keeps up is sent that text. One that does not collects: the changes of
the ticks it missed are folded together, newer views over older ones by id, and become
one text of its own when it reads again. So the outbox of a console never holds more
than one view of each object, however long it sleeps, and no alarm, request or command
is ever left out.
"""

from __future__ import annotations

import collections
from typing import Final

import msgspec

from protocols.alarms import AlarmGroupView, AlarmKpiView, AlarmView
from protocols.authority import AttentionView, ControlView, DriveKey, SeatView, StopKeys
from protocols.codec import encode
from protocols.duties import CoverageView, DutyView
from protocols.handover import HandoverBoardView
from protocols.operator import (
    CommandView,
    Delta,
    Refusal,
    RequestView,
    RouteView,
    Snapshot,
    VehicleView,
    Welcome,
)
from protocols.session import SessionView
from protocols.supervision import SupervisionView

MAX_KEPT: Final = 5_000
"""Alarms, requests and commands waiting for one console. More cannot be worked off
by a person: the console is closed as too slow and begins again from a snapshot."""

MAX_REFUSALS: Final = 64

_HEAD: Final = b'{"type":"delta","seq":0,'


class Changes:
    """The newest view of everything that changed, by id."""

    def __init__(self) -> None:
        self.vehicles: dict[str, VehicleView] = {}
        self.alarms: dict[str, AlarmView] = {}
        self.requests: dict[tuple[str, str], RequestView] = {}
        self.commands: dict[str, CommandView] = {}
        self.routes: dict[str, RouteView] = {}
        self.supervision: dict[str, SupervisionView] = {}
        self.controls: dict[str, ControlView] = {}
        self.seats: list[SeatView] | None = None
        self.attention: list[AttentionView] | None = None
        self.duties: dict[str, DutyView] = {}
        self.coverage: dict[str, CoverageView] = {}
        self.alarm_groups: dict[str, AlarmGroupView] = {}
        self.alarm_kpi: AlarmKpiView | None = None
        self.handover: HandoverBoardView | None = None

    def __bool__(self) -> bool:
        return bool(
            self.vehicles
            or self.alarms
            or self.requests
            or self.commands
            or self.routes
            or self.supervision
            or self.controls
            or self.seats is not None
            or self.attention is not None
            or self.duties
            or self.coverage
            or self.alarm_groups
            or self.alarm_kpi is not None
            or self.handover is not None
        )

    @property
    def kept(self) -> int:
        """How many entries may not be dropped."""
        return len(self.alarms) + len(self.requests) + len(self.commands)

    def merged(self, newer: Changes) -> Changes:
        """Return both, `newer` over this."""
        both = Changes()
        both.vehicles = self.vehicles | newer.vehicles
        both.alarms = self.alarms | newer.alarms
        both.requests = self.requests | newer.requests
        both.commands = self.commands | newer.commands
        both.routes = self.routes | newer.routes
        both.supervision = self.supervision | newer.supervision
        both.controls = self.controls | newer.controls
        both.seats = self.seats if newer.seats is None else newer.seats
        both.alarm_groups = self.alarm_groups | newer.alarm_groups
        both.alarm_kpi = self.alarm_kpi if newer.alarm_kpi is None else newer.alarm_kpi
        both.handover = self.handover if newer.handover is None else newer.handover
        both.attention = self.attention if newer.attention is None else newer.attention
        both.duties = self.duties | newer.duties
        both.coverage = self.coverage | newer.coverage
        return both


class Tick:
    """The changes of one tick; `text` is encoded once and shared by all consoles.

    Attributes:
        changes: What changed.
        now_ns: Hub monotonic clock when the views were taken.
    """

    def __init__(self, changes: Changes, now_ns: int) -> None:
        self.changes = changes
        self.now_ns = now_ns
        self._tail: str | None = None

    def text(self, seq: int) -> str:
        """Return the Delta of this tick with a console's own `seq`."""
        if self._tail is None:
            data = encode(
                Delta(
                    seq=0,
                    hub_now_ns=self.now_ns,
                    vehicles=list(self.changes.vehicles.values()),
                    alarms=list(self.changes.alarms.values()),
                    requests=list(self.changes.requests.values()),
                    commands=list(self.changes.commands.values()),
                    routes=list(self.changes.routes.values()),
                    supervision=list(self.changes.supervision.values()),
                    controls=list(self.changes.controls.values()),
                    seats=self.changes.seats,
                    attention=self.changes.attention,
                    duties=list(self.changes.duties.values()),
                    coverage=list(self.changes.coverage.values()),
                    alarm_groups=list(self.changes.alarm_groups.values()),
                    alarm_kpi=self.changes.alarm_kpi,
                    handover=self.changes.handover,
                )
            )
            assert data.startswith(_HEAD), "Delta no longer begins with its type and seq"
            self._tail = data[len(_HEAD) :].decode()
        return f'{{"type":"delta","seq":{seq},{self._tail}'

    def merged(self, newer: Tick) -> Tick:
        """Return one tick with the changes of both."""
        return Tick(self.changes.merged(newer.changes), newer.now_ns)


class Outbox:
    """What one console still has to be sent, the most urgent first.

    Bounded: one Tick, `MAX_REFUSALS` refusals, one key, one ping to answer. `full` says
    that something would have to be dropped which may not be.

    Args:
        stop_keys: Sent after the snapshot; None: to this role they are not given.
        session: Sent after these.
    """

    def __init__(
        self,
        welcome: Welcome,
        snapshot: Snapshot,
        stop_keys: StopKeys | None = None,
        session: SessionView | None = None,
    ) -> None:
        self._first: collections.deque[msgspec.Struct] = collections.deque((welcome, snapshot))
        self.session = session
        """How long the sign-in lasts, as it is still to be told; newer replaces older."""
        if stop_keys is not None:
            self._first.append(stop_keys)
        self._key: DriveKey | None = None
        self._refusals: collections.deque[Refusal] = collections.deque()
        self._tick: Tick | None = None
        self._seq = snapshot.seq
        self.ping: tuple[float, int] | None = None
        """(t1_ms, received_ns) of the newest ping; older ones are no use any more."""
        self.full = False

    def offer(self, tick: Tick) -> None:
        """Take the changes of one tick."""
        self._tick = tick if self._tick is None else self._tick.merged(tick)
        if self._tick.changes.kept > MAX_KEPT:
            self.full = True

    def refuse(self, refusal: Refusal) -> None:
        """Take a refusal."""
        if len(self._refusals) >= MAX_REFUSALS:
            self.full = True
        else:
            self._refusals.append(refusal)

    def give_key(self, key: DriveKey) -> None:
        """Take the key of the control that this console holds now; it replaces an older one."""
        self._key = key

    def next_text(self) -> str | None:
        """Return the next message to send, or None."""
        if self._first:
            return encode(self._first.popleft()).decode()
        if self.session is not None:
            told, self.session = self.session, None
            return encode(told).decode()
        if self._key is not None:
            key, self._key = self._key, None
            return encode(key).decode()
        if self._refusals:
            return encode(self._refusals.popleft()).decode()
        if self._tick is not None:
            tick, self._tick = self._tick, None
            self._seq += 1
            return tick.text(self._seq)
        return None
