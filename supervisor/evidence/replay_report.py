"""A replay in words: summary, first difference, and why things happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from protocols.operator import AlarmState
from protocols.topics import VehicleId
from protocols.vehicle import LimitSpeed, MinimalRisk
from supervisor.core import events as e
from supervisor.core.effects import (
    AnyEffect,
    PreferLayers,
    Record,
    SendCommand,
    ShowAlarm,
    WithdrawDrive,
)
from supervisor.evidence.replay import Difference, Summary, Taken
from supervisor.evidence.segments import JournalError

STREAMS: Final = (
    e.HeartbeatReceived,
    e.TelemetryReceived,
    e.StateReceived,
    e.LinkSampled,
    e.PresentationReported,
    e.Tick,
)
"""What comes all the time: told by its age, not by its occurrences."""

KEPT_EVENTS: Final = 6
DECISIONS: Final = (
    "ladder.announced",
    "ladder.taken",
    "limit.ordered",
    "minimal_risk.ordered",
    "drive.withdrawn",
)
"""Records of what the hub decides by itself. Their facts are its inputs."""

RENEWED: Final = (LimitSpeed, MinimalRisk)


def parse_time(text: str) -> int:
    """Return nanoseconds since 1970 of `2026-11-23T15:04:05[.5][+09:00]`; UTC if it says none.

    Raises:
        JournalError: It is no such time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise JournalError(
            "format", f"{text!r} is no time; say 2026-11-23T15:04:05 (UTC) or …+09:00"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6) * 1_000


def clock_text(utc_ns: int) -> str:
    """Return a time for people, UTC, milliseconds."""
    moment = datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{utc_ns // 1_000_000 % 1_000:03d}Z"


def summary_lines(summary: Summary) -> list[str]:
    """Return what a person reads at the end."""
    lines = [f"note: {note}" for note in summary.notes]
    if summary.difference is not None:
        lines += difference_lines(summary.difference)
    if summary.first_utc_ns is not None and summary.last_utc_ns is not None:
        span_s = (summary.last_utc_ns - summary.first_utc_ns) / 1e9
        lines.append(
            f"{clock_text(summary.first_utc_ns)} to {clock_text(summary.last_utc_ns)} "
            f"({span_s:.1f} s), {summary.segments} segments"
        )
    same = "DIFFERENT" if summary.difference is not None else "identical"
    lines.append(
        f"{same}: {summary.events} events, {summary.effects} effects, {summary.alarms} alarms, "
        f"{summary.commands} commands; sha256 {summary.digest[:16]}"
    )
    return lines


def difference_lines(found: Difference) -> list[str]:
    """Return the first difference, readable."""
    lines = [f"first difference: step {found.step} in {found.segment}, {clock_text(found.utc_ns)}"]
    match found.what:
        case "state":
            lines.append("  the state reached differs from the recorded one")
        case "failure":
            lines.append(f"  event:    {brief(found.event)}")
        case _:
            lines.append(f"  event:    {brief(found.event)}")
            lines.append(f"  expected: {brief(found.expected)}")
            lines.append(f"  got:      {brief(found.got)}")
    return lines + [f"  differs:  {line}" for line in found.fields]


def brief(value: object, limit: int = 400) -> str:
    """Return a Struct as one line; None is "nothing"."""
    if value is None:
        return "nothing"
    text = f"{type(value).__name__} {msgspec.json.encode(value).decode()}"
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Why:
    """Tells for each alarm, command, limit and withdrawal what led to it. Feed it every step.

    Args:
        say: Takes one line.
        vehicle: Only this one; None: all.
    """

    def __init__(self, say: Callable[[str], None], vehicle: VehicleId | None = None) -> None:
        self._say = say
        self._only = None if vehicle is None else str(vehicle)
        self._last: dict[str, dict[str, int]] = {}
        self._recent: dict[str, deque[tuple[int, e.AnyEvent]]] = {}

    def __call__(self, taken: Taken) -> None:
        """Take one replayed step."""
        event = taken.event
        vehicle_id = getattr(event, "vehicle_id", None)
        name = "" if vehicle_id is None else str(vehicle_id)
        if isinstance(event, STREAMS):
            self._last.setdefault(name, {})[type(event).__name__] = taken.now_ns
        elif not isinstance(event, e.AuditWritten):
            recent = self._recent.setdefault(name, deque(maxlen=KEPT_EVENTS))
            recent.append((taken.now_ns, event))
        for effect in taken.effects:
            told = _headline(effect)
            if told is not None and self._only in (None, told[0]):
                self._tell(taken, *told)

    def _tell(self, taken: Taken, name: str, headline: str) -> None:
        self._say(f"{clock_text(taken.utc_ns)}  {headline}")
        self._say(f"    at step {taken.number}, taking {brief(taken.event, 160)}")
        ages = [
            f"{what} {(taken.now_ns - at_ns) / 1e9:.2f} s"
            for what, at_ns in sorted(self._last.get(name, {}).items())
            if at_ns != taken.now_ns
        ]
        if ages:
            self._say(f"    last heard before: {', '.join(ages)}")
        before = [*self._recent.get("", ()), *(self._recent.get(name, ()) if name else ())]
        before.sort(key=lambda pair: pair[0])
        for at_ns, event in before[-KEPT_EVENTS:]:
            if event is not taken.event:
                self._say(f"    {(at_ns - taken.now_ns) / 1e9:+9.3f} s {brief(event, 140)}")


def _headline(effect: AnyEffect) -> tuple[str, str] | None:
    """Return the vehicle and the words for an effect that deserves a reason."""
    match effect:
        case ShowAlarm(alarm) if alarm.state is not AlarmState.NORMAL:
            detail = f" ({alarm.detail})" if alarm.detail else ""
            return alarm.vehicle, f"alarm {alarm.id} → {alarm.state}{detail}"
        case WithdrawDrive(vehicle_id, reasons):
            what = f"withdrawn: {', '.join(reasons)}" if reasons else "may be offered again"
            return str(vehicle_id), f"remote driving of {vehicle_id} {what}"
        case PreferLayers(vehicle_id):
            return str(vehicle_id), f"sizes of {vehicle_id}: {brief(effect, 200)}"
        case Record(_, kind, _, subject, data) if kind in DECISIONS:
            facts = msgspec.json.encode(data).decode()
            return subject, f"{kind} for {subject}: {facts}"
        case SendCommand(_, command) if isinstance(command.body, RENEWED):
            return None  # ordered and recorded once, then said again and again
        case SendCommand(vehicle_id, command):
            what = str(command.body.__struct_config__.tag)
            who = command.operator or "the hub"
            return str(vehicle_id), f"{what} sent to {vehicle_id} for {who}"
        case _:
            return None
