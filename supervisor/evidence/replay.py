"""A journal fed to the core again: the same events must give the same effects.

Every segment begins with the state of the fleet. A replay starts from the first one
and goes on by itself; at each further segment the state it has reached is held against
the recorded one, so that a difference which no effect has shown yet is found too. After
a gap, or what is damaged, it starts again from the next recorded state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from protocols.operator import AlarmState
from protocols.topics import VehicleId
from supervisor import __version__
from supervisor.core.effects import AnyEffect, SendCommand, ShowAlarm
from supervisor.core.events import AnyEvent
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import SnapshotError, capture, restore, tree
from supervisor.core.step import step
from supervisor.evidence.segments import (
    SUFFIX,
    End,
    Gap,
    Header,
    JournalError,
    SegmentReader,
    State,
    Step,
    core_fingerprint,
    list_segments,
)

_events: msgspec.msgpack.Decoder[AnyEvent] = msgspec.msgpack.Decoder(AnyEvent)
_effects: msgspec.msgpack.Decoder[list[AnyEffect] | None] = msgspec.msgpack.Decoder(
    list[AnyEffect] | None
)
_encoder = msgspec.msgpack.Encoder()


class Taken(NamedTuple):
    """One replayed step, as a listener sees it.

    Attributes:
        utc_ns: Wall clock, by the segment's pair of clocks.
        effects: As recorded.
    """

    number: int
    utc_ns: int
    now_ns: int
    event: AnyEvent
    effects: list[AnyEffect]


class Difference(NamedTuple):
    """The first place where this core and the journal part.

    Attributes:
        what: "effect", "state" or "failure" (the core raised).
        event: None for a state.
        expected, got: The journal's and this core's; None where one has nothing.
        fields: Which parts differ, one line each.
    """

    what: str
    segment: str
    step: int
    utc_ns: int
    now_ns: int
    event: AnyEvent | None
    expected: object
    got: object
    fields: list[str]


class Summary(NamedTuple):
    """What a replay found.

    Attributes:
        events, effects, alarms, commands: Compared; alarms count each raising.
        first_utc_ns, last_utc_ns: Of the compared steps; None if there were none.
        digest: SHA-256 over all compared steps, hexadecimal.
        notes: Gaps, torn tails, restarts, other versions: one line each.
        difference: None if the core gives what the journal says.
    """

    segments: int
    events: int
    effects: int
    alarms: int
    commands: int
    first_utc_ns: int | None
    last_utc_ns: int | None
    digest: str
    notes: list[str]
    difference: Difference | None


class Wanted(NamedTuple):
    """Which steps are compared. All of them are fed to the core."""

    vehicle: VehicleId | None = None
    from_utc_ns: int | None = None
    to_utc_ns: int | None = None


def find_segments(path: Path) -> list[Path]:
    """Return the segments at `path`: one file, a journal's folder, or a state directory.

    Raises:
        JournalError: There are none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise JournalError("io", f"{path} does not exist; say a journal's folder or segment")
    found = list_segments(path)
    if not found and (path / "journal").is_dir():
        found = list_segments(path / "journal")
    if not found:
        raise JournalError("empty", f"{path} holds no journal segment (*{SUFFIX})")
    return found


class Replay:
    """One run over some segments.

    Args:
        segments: In order.
        wanted: What is compared.
        other_version: Go on although another version of Enkan wrote the journal.
        on_step: Called with each compared step.
        on_bytes: Called with the bytes read so far.

    Attributes:
        total_bytes: Of all segments.
    """

    def __init__(
        self,
        segments: list[Path],
        wanted: Wanted | None = None,
        *,
        other_version: bool = False,
        on_step: Callable[[Taken], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self.total_bytes = sum(path.stat().st_size for path in segments)
        self._segments = segments
        self._wanted = Wanted() if wanted is None else wanted
        self._other_version = other_version
        self._on_step = on_step
        self._on_bytes = on_bytes
        self._fleet: Fleet | None = None
        self._header: Header | None = None
        self._notes: list[str] = []
        self._digest = hashlib.sha256()
        self._steps = self._count = self._effect_count = self._alarms = self._commands = 0
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._fingerprint = core_fingerprint()

    def run(self) -> Summary:
        """Replay up to the end or the first difference.

        Raises:
            JournalError: A file is no journal, of another version, or cannot be read.
        """
        difference: Difference | None = None
        read = done = 0
        for path in self._skip_early(self._segments):
            reader = SegmentReader(path)
            done += 1
            difference = self._segment(reader, read)
            read += reader.size
            if difference is not None or self._is_after(self._last_ns):
                break
        if not self._count and difference is None:
            self._notes.append("no step was compared: nothing matches, or all of it is damaged")
        return Summary(
            done,
            self._count,
            self._effect_count,
            self._alarms,
            self._commands,
            self._first_ns,
            self._last_ns,
            self._digest.hexdigest(),
            self._notes,
            difference,
        )

    def _skip_early(self, paths: list[Path]) -> list[Path]:
        """Leave out segments that end before `from`: a later state serves as well."""
        start = self._wanted.from_utc_ns
        if start is None:
            return paths
        first = 0
        for index, path in enumerate(paths):
            reader = SegmentReader(path)
            try:
                header = next(iter(reader), None)
            finally:
                reader.close()
            if isinstance(header, Header) and header.opened_utc_ns <= start:
                first = index
        return paths[first:]

    def _segment(self, reader: SegmentReader, read: int) -> Difference | None:
        name = reader.path.name
        ended = False
        for entry in reader:
            difference: Difference | None = None
            match entry:
                case Header():
                    self._begin(entry, name)
                case Gap(reason, steps, first_ns, last_ns):
                    seconds = (last_ns - first_ns) / 1e9
                    self._notes.append(
                        f"{name}: gap, {steps} steps in {seconds:.1f} s are missing ({reason})"
                    )
                    self._fleet = None
                case State():
                    difference = self._state(entry, name)
                case Step():
                    difference = self._step(entry, name)
                case End():
                    ended = True
                    self._fleet = None
            if difference is not None:
                reader.close()
                return difference
            if self._is_after(self._last_ns):
                reader.close()
                break
            if self._on_bytes is not None and self._steps % 256 == 0:
                self._on_bytes(read + reader.position)
        if self._on_bytes is not None:
            self._on_bytes(read + reader.size)
        if reader.problem:
            self._notes.append(f"{name}: {reader.problem}; {reader.lost_bytes} bytes are left out")
            self._fleet = None
        elif reader.path == self._segments[-1] and not ended and self._header is not None:
            self._notes.append(f"{name}: no end is marked: the hub still runs, or was killed")
        return None

    def _begin(self, header: Header, name: str) -> None:
        before = self._header
        self._header = header
        if before is not None and before.run != header.run:
            self._notes.append(f"{name}: the hub was started anew")
            self._fleet = None
        elif before is not None and header.number != before.number + 1:
            self._notes.append(f"{name}: segments {before.number + 1} and on are missing")
            self._fleet = None
        if before is not None and before.core == header.core and before.version == header.version:
            return
        if header.version != __version__ and not self._other_version:
            raise JournalError(
                "version",
                f"{name} was written by Enkan {header.version}, this is {__version__}. Replay "
                "it with that version; --other-version tries with this one.",
            )
        if header.core != self._fingerprint:
            self._notes.append(
                f"{name}: written with core {header.core}, replayed with {self._fingerprint}"
            )

    def _state(self, state: State, name: str) -> Difference | None:
        if self._fleet is not None:
            lines = _state_differences(state.fleet, self._fleet)
            if lines:
                return Difference(
                    "state", name, self._steps, self._utc(state.at_ns), state.at_ns,
                    None, None, None, lines,
                )  # fmt: skip
            return None
        try:
            self._fleet = restore(state.fleet)
        except SnapshotError as error:
            raise JournalError("version", f"{name}: {error}") from error
        return None

    def _step(self, entry: Step, name: str) -> Difference | None:
        if self._fleet is None:
            return None
        try:
            event = _events.decode(entry.event)
            expected = _effects.decode(entry.effects)
        except msgspec.ValidationError as error:
            raise JournalError(
                "version", f"{name}: step {self._steps + 1} holds what this core does not know: "
                f"{error}",
            ) from error  # fmt: skip
        self._steps += 1
        utc_ns = self._utc(entry.now_ns)
        place = ("effect", name, self._steps, utc_ns, entry.now_ns, event)
        try:
            got = step(self._fleet, event, entry.now_ns)
        except Exception as error:  # noqa: BLE001 - a changed core may raise anything: it is told
            text = f"the core failed: {type(error).__name__}: {error}"
            if expected is None:
                self._notes.append(f"{name}: step {self._steps}: {text}, as it did then")
                self._fleet = None
                return None
            return Difference("failure", *place[1:], expected, None, [text])
        if expected is None:
            text = "the core failed at this event then, and does not now"
            return Difference("failure", *place[1:], None, got, [text])
        wanted = self._wanted
        if wanted.from_utc_ns is not None and utc_ns < wanted.from_utc_ns:
            return None
        self._last_ns = utc_ns
        if self._is_after(utc_ns):
            return None
        if wanted.vehicle is not None:
            is_own = getattr(event, "vehicle_id", None) == wanted.vehicle
            expected = [e for e in expected if is_own or concerns(e, wanted.vehicle)]
            got = [e for e in got if is_own or concerns(e, wanted.vehicle)]
            if not (is_own or expected or got):
                return None
        elif _encoder.encode(got) == entry.effects:
            got = expected
        if self._first_ns is None:
            self._first_ns = utc_ns
        self._count += 1
        self._digest.update(entry.event)
        self._digest.update(_encoder.encode(expected))
        for index in range(max(len(expected), len(got))):
            want = expected[index] if index < len(expected) else None
            have = got[index] if index < len(got) else None
            if want != have:
                return Difference(*place, want, have, _fields(want, have))
        self._tally(expected)
        if self._on_step is not None:
            self._on_step(Taken(self._steps, utc_ns, entry.now_ns, event, expected))
        return None

    def _tally(self, effects: list[AnyEffect]) -> None:
        self._effect_count += len(effects)
        for effect in effects:
            if isinstance(effect, ShowAlarm):
                self._alarms += effect.alarm.state is AlarmState.UNACKNOWLEDGED
            elif isinstance(effect, SendCommand):
                self._commands += 1

    def _utc(self, now_ns: int) -> int:
        header = self._header
        return now_ns if header is None else header.opened_utc_ns + now_ns - header.opened_ns

    def _is_after(self, utc_ns: int | None) -> bool:
        end = self._wanted.to_utc_ns
        return end is not None and utc_ns is not None and utc_ns > end


def concerns(effect: AnyEffect, vehicle_id: VehicleId) -> bool:
    """Return whether an effect is about this vehicle."""
    if getattr(effect, "vehicle_id", None) == vehicle_id:
        return True
    name = str(vehicle_id)
    if getattr(effect, "subject", None) == name:
        return True
    shown = (getattr(effect, part, None) for part in ("alarm", "request", "command"))
    return any(getattr(view, "vehicle", None) == name for view in shown)


def _fields(expected: object, got: object) -> list[str]:
    if expected is None or got is None or type(expected) is not type(got):
        return []
    pair = (msgspec.to_builtins(expected), msgspec.to_builtins(got))
    return list(differences(*pair))[:20]


def differences(expected: Any, got: Any, path: str = "") -> Iterator[str]:
    """Yield `path: expected …, got …` for each leaf where two plain trees differ."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *(key for key in got if key not in expected)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(expected.get(key), got.get(key), inner)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (want, have) in enumerate(zip(expected, got, strict=True)):
            yield from differences(want, have, f"{path}[{index}]")
    elif expected != got:
        yield f"{path}: expected {_short(expected)}, got {_short(got)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _state_differences(recorded: bytes, fleet: Fleet) -> list[str]:
    """Return where two states differ; both by way of `restore`, which settles types."""
    reached = capture(fleet)
    if reached == recorded:
        return []
    try:
        recorded = capture(restore(recorded))
    except SnapshotError as error:
        return [str(error)]
    if reached == recorded:
        return []
    return list(differences(tree(recorded), tree(reached)))[:20] or ["the order of entries"]
