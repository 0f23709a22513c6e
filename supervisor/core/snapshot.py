"""The whole fleet as bytes, and back: where a replay may begin.

`restore(capture(fleet))` is a fleet that gives the same effects for the same events,
for ever. Every object of the core is written with all its fields; two places that
hold the same object hold the same object again afterwards. Rows of the alarm
catalogue are written by key alone, so that a replay uses the catalogue of its own
core. Nothing but classes of this package and of `protocols` is ever made from such
bytes, and no code in them runs.

Plain data is written as it is; everything else as `[mark, ...]`:

    l t s f      list, tuple, set, frozenset (sets in sorted order)
    d o          dict, OrderedDict: their items
    q            deque: maxlen, then its items
    e S n        enum member, msgspec Struct, named tuple: class, then content
    N            many named tuples of one class
    a            a row of the alarm catalogue: its key
    O r          an object and its fields; the same object again
    P            an object of a class that says `is_plain`: its fields in the order of
                 their names; bytes among them are a bytearray
    u            a field that has no value yet

The whole is `["V", root, [[number, fields], ...]]`: the fleet, in which each vehicle is an
object without fields, and then the fields of the vehicles, in the order in which they
were written (`Capture`): a reference never comes before its object.
"""

from __future__ import annotations

import enum
import inspect
import operator
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from protocols.topics import VehicleId
from supervisor.core import events as e
from supervisor.core.catalogue import CATALOGUE, AlarmSpec
from supervisor.core.fleet import Fleet, VehicleRecord

ROOMS: Final = ("supervisor.core.", "protocols.")


class _Unset:
    """Stands for a field without a value."""


_UNSET: Final = _Unset()
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()
_struct_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {}


class SnapshotError(Exception):
    """The state cannot be written, or these bytes are no state of this core."""


def capture(fleet: Fleet) -> bytes:
    """Return the whole state; the same state gives the same bytes.

    Raises:
        SnapshotError: Something in the fleet is neither data nor an object of the core.
    """
    return Capture(fleet).finish()


class Capture:
    """The state of a fleet at one instant, written while the fleet goes on.

    What is no vehicle's is written at once. Each vehicle follows before the first event
    that may change it (`before`), and the rest at the end: so what is written is the state
    of the instant of construction, and no step waits for more than a few vehicles. Events
    of which it is not known here whom they change have all the rest written first.

    Raises:
        SnapshotError: By every method: something in the fleet is neither data nor an object
            of the core.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._writer = _Writer()
        self._parts: list[tuple[int, bytes]] = []
        with _explained():
            self._root = _encoder.encode(self._writer.value(fleet))
        self._waiting = {record.vehicle_id: n for n, record in self._writer.reserved}

    @property
    def done(self) -> bool:
        """Every vehicle is written."""
        return not self._waiting

    def before(self, event: e.AnyEvent, now_ns: int) -> None:
        """Write what `step` may change at this event; call it just before."""
        if not self._waiting:
            return
        vehicles = self._fleet.vehicles
        match event:
            case (
                e.TelemetryReceived()
                | e.HeartbeatReceived()
                | e.StateReceived()
                | e.LinkSampled()
                | e.ClockExchanged()
                | e.CommandSent()
                | e.CommandResultReceived()
            ):
                self._write(event.vehicle_id)
            case e.Tick():
                for name in list(self._waiting):
                    record = vehicles[name]
                    if now_ns >= record.tick_ns or record.open_requests or record.unanswered:
                        self._write(name)
            case e.PresentationReported():
                shown = self._fleet.shown.get(event.operator.session, ())
                for text in (*(tile.vehicle for tile in event.report.tiles), *shown):
                    shows = self._fleet.by_name.get(text)
                    if shows is not None:
                        self._write(shows.vehicle_id)
            case e.AuditWritten():
                about = self._fleet.ledger.about(event.record_id)
                if about is not None:
                    self._write(about)
            case _:
                self._write_rest()

    def finish(self) -> bytes:
        """Write what is left and return the whole state."""
        self._write_rest()
        return _encoder.encode(["V", self._root, self._parts])

    def _write_rest(self) -> None:
        for name in list(self._waiting):
            self._write(name)

    def _write(self, name: VehicleId) -> None:
        number = self._waiting.pop(name, None)
        if number is not None:
            with _explained():
                content = self._writer.content(self._fleet.vehicles[name])
                self._parts.append((number, _encoder.encode(content)))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (OverflowError, TypeError) as error:  # an integer beyond 64 bits; unsortable sets
        raise SnapshotError(f"the state cannot be written: {error}") from error


def restore(data: bytes) -> Fleet:
    """Return the fleet that `capture` wrote.

    Raises:
        SnapshotError: Not written by `capture`, or by a core with other classes or rows.
    """
    try:
        fleet = _Reader().whole(_decoder.decode(data))
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise SnapshotError(f"not a state of this core: {error}") from error
    if not isinstance(fleet, Fleet):
        raise SnapshotError("not a state of this core: it holds no fleet")
    return fleet


def tree(data: bytes) -> dict[str, Any]:
    """Return the plain tree of a state, to be looked at: the fleet, and each vehicle's fields.

    Raises:
        SnapshotError: Not written by `capture`.
    """
    try:
        _, root, parts = _decoder.decode(data)
        vehicles = {number: _decoder.decode(fields) for number, fields in parts}
        return {"fleet": _decoder.decode(root), "vehicles": vehicles}
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise SnapshotError(f"not a state of this core: {error}") from error


def _fields(kind: type) -> tuple[str, ...]:
    found = _known_fields.get(kind)
    if found is None:
        found = _known_fields[kind] = tuple(
            name
            for base in reversed(kind.__mro__)
            for name in getattr(base, "__slots__", ())
            if name not in ("__dict__", "__weakref__")
        )
    return found


_known_fields: dict[type, tuple[str, ...]] = {}

_Read = Callable[[Any], tuple[Any, ...]]


def _reader(kind: type) -> tuple[tuple[str, ...], _Read | None]:
    """Return the fields in slots, and what reads them all at once where that pays."""
    fields = _fields(kind)
    found = _readers[kind] = fields, operator.attrgetter(*fields) if len(fields) > 1 else None
    return found


_readers: dict[type, tuple[tuple[str, ...], _Read | None]] = {}


def _name(kind: type) -> str:
    if not kind.__module__.startswith(ROOMS):
        raise SnapshotError(f"{kind.__module__}.{kind.__qualname__} is no part of the core's state")
    return f"{kind.__module__}:{kind.__qualname__}"


class _Writer:
    """Turns objects into plain trees.

    Attributes:
        reserved: Vehicles met so far, each with its number: their fields are `content`.
    """

    def __init__(self) -> None:
        self.reserved: list[tuple[int, VehicleRecord]] = []
        self._numbers: dict[int, int] = {}
        self._structs: dict[int, list[Any]] = {}
        self._held: list[object] = []  # an id is only unique while its object lives
        self._by_type: dict[type, Callable[[Any], Any]] = {
            list: lambda v: ["l", *map(self.value, v)],
            tuple: lambda v: ["t", *map(self.value, v)],
            set: lambda v: ["s", *map(self.value, sorted(v))],
            frozenset: lambda v: ["f", *map(self.value, sorted(v))],
            dict: lambda v: ["d", *self._items(v)],
            OrderedDict: lambda v: ["o", *self._items(v)],
            deque: lambda v: ["q", v.maxlen, *self._queue(v)],
            AlarmSpec: lambda v: ["a", v.key],
            _Unset: lambda v: ["u"],
        }

    def value(self, value: Any) -> Any:
        kind = type(value)
        write = self._by_type.get(kind)
        if write is None:
            if kind in _PLAIN:
                return value
            write = self._by_type[kind] = self._how(kind)
        return write(value)

    def _how(self, kind: type) -> Callable[[Any], Any]:
        name = _name(kind)
        if issubclass(kind, enum.Enum):
            members = {member: ["e", name, member.name] for member in kind}
            return lambda v: members[v]
        if issubclass(kind, msgspec.Struct):
            return lambda v: self._whole(v, name)
        if issubclass(kind, tuple):
            return lambda v: ["n", name, *map(self.value, v)]
        if kind is VehicleRecord:
            return lambda v: self._later(v, name)
        if getattr(kind, "is_plain", False):
            read = operator.attrgetter(*sorted(_fields(kind)))
            return lambda v: ["P", name, *read(v)]
        return lambda v: self._object(v, name)

    def _whole(self, value: msgspec.Struct, name: str) -> Any:
        """Encode a Struct; what a whole fleet shares (objectives), once."""
        known = self._structs.get(id(value))
        if known is None:
            known = self._structs[id(value)] = ["S", name, _encoder.encode(value)]
            self._held.append(value)
        return known

    def _later(self, value: VehicleRecord, name: str) -> Any:
        number = self._numbers.get(id(value))
        if number is not None:
            return ["r", number]
        number = self._numbers[id(value)] = len(self._numbers)
        self.reserved.append((number, value))
        return ["O", number, name, {}]

    def _object(self, value: Any, name: str) -> Any:
        number = self._numbers.get(id(value))
        if number is not None:
            return ["r", number]
        number = self._numbers[id(value)] = len(self._numbers)
        self._held.append(value)
        return ["O", number, name, self.content(value)]

    def content(self, value: Any) -> dict[str, Any]:
        """Return the fields of an object."""
        fields, read_all = _readers.get(type(value)) or _reader(type(value))
        content: dict[str, Any]
        try:
            content = {} if read_all is None else dict(zip(fields, read_all(value), strict=True))
        except AttributeError:
            content = {}
        if len(content) != len(fields):
            content = {field: getattr(value, field, _UNSET) for field in fields}
        content.update(getattr(value, "__dict__", ()))
        write = self.value
        for field, part in content.items():
            if type(part) not in _PLAIN:
                content[field] = write(part)
        return content

    def _items(self, value: dict[Any, Any]) -> list[Any]:
        write = self.value
        return [[write(k), write(v)] for k, v in value.items()]

    def _queue(self, value: deque[Any]) -> list[Any]:
        kinds = set(map(type, value))
        if len(kinds) == 1:
            kind = kinds.pop()
            if _is_plain_tuple(kind):  # the long histories: written as they are
                return [["N", _name(kind), *value]]  # msgspec writes each as an array
        return [self.value(item) for item in value]


def _is_plain_tuple(kind: type) -> bool:
    """Return whether every field of a named tuple is declared as plain data."""
    found = _plain_tuples.get(kind)
    if found is None:
        named = issubclass(kind, tuple) and kind is not tuple
        declared = inspect.get_annotations(kind) if named else {}
        plain = {"int", "str", "float", "bool", "bytes", int, str, float, bool, bytes}
        found = _plain_tuples[kind] = bool(declared) and all(
            getattr(how, "__forward_arg__", how) in plain for how in declared.values()
        )
    return found


_plain_tuples: dict[type, bool] = {}


class _Reader:
    def __init__(self) -> None:
        self._rows = {spec.key: spec for spec in CATALOGUE}
        self._objects: dict[int, object] = {}
        self._classes: dict[str, type] = {}

    def whole(self, found: Any) -> Any:
        """Return the fleet of a whole state: `["V", root, [[number, fields], ...]]`."""
        mark, root, parts = found
        if mark != "V":
            raise SnapshotError("not a state of this core: its beginning is missing")
        fleet = self.value(_decoder.decode(root))
        missing = {n for n, made in self._objects.items() if type(made) is VehicleRecord}
        for number, fields in parts:
            missing.remove(number)
            self._fill(self._objects[number], _decoder.decode(fields))
        if missing:
            raise SnapshotError("not a state of this core: a vehicle is missing")
        return fleet

    def value(self, found: Any) -> Any:
        if type(found) is not list:
            if type(found) in _PLAIN:
                return found
            raise SnapshotError("not a state of this core: unmarked data")
        mark, *rest = found
        match mark:
            case "S":
                return self._struct(self._class(rest[0], msgspec.Struct), rest[1])
            case "O":
                return self._object(*rest)
            case "r":
                return self._objects[rest[0]]
            case "P":
                return self._plain(self._class(rest[0], object), rest[1:])
            case "d":
                return {self.value(k): self.value(v) for k, v in rest}
            case "o":
                return OrderedDict((self.value(k), self.value(v)) for k, v in rest)
            case "l":
                return [self.value(item) for item in rest]
            case "t":
                return tuple(self.value(item) for item in rest)
            case "s":
                return {self.value(item) for item in rest}
            case "f":
                return frozenset(self.value(item) for item in rest)
            case "q":
                return self._queue(rest[0], rest[1:])
            case "n":
                kind: Any = self._class(rest[0], tuple)
                return kind(*(self.value(item) for item in rest[1:]))
            case "e":
                members: Any = self._class(rest[0], enum.Enum)
                return members[rest[1]]
            case "a":
                if rest[0] not in self._rows:
                    raise SnapshotError(f"this core's alarm catalogue has no row {rest[0]!r}")
                return self._rows[rest[0]]
            case _:
                raise SnapshotError(f"not a state of this core: unknown mark {mark!r}")

    def _queue(self, maxlen: int | None, items: list[Any]) -> deque[Any]:
        if len(items) == 1 and items[0] and type(items[0]) is list and items[0][0] == "N":
            kind: Any = self._class(items[0][1], tuple)
            return deque((kind(*entry) for entry in items[0][2:]), maxlen)
        return deque((self.value(item) for item in items), maxlen)

    def _object(self, number: int, name: str, fields: dict[str, Any]) -> object:
        kind = self._class(name, object)
        if issubclass(kind, (enum.Enum, msgspec.Struct, tuple, BaseException)):
            raise SnapshotError(f"{name} is not an object with fields")
        made: object = kind.__new__(kind)
        self._objects[number] = made
        self._fill(made, fields)
        return made

    def _fill(self, made: object, fields: dict[str, Any]) -> None:
        for field, content in fields.items():
            if content != ["u"]:
                setattr(made, field, self.value(content))

    def _plain(self, kind: type, values: list[Any]) -> object:
        if not getattr(kind, "is_plain", False):
            raise SnapshotError(f"{kind.__qualname__} is not an object of plain fields")
        made: object = object.__new__(kind)
        for field, content in zip(sorted(_fields(kind)), values, strict=True):
            if type(content) not in _PLAIN:
                raise SnapshotError("not a state of this core: unmarked data")
            setattr(made, field, bytearray(content) if type(content) is bytes else content)
        return made

    def _struct(self, kind: type, data: bytes) -> Any:
        decoder = _struct_decoders.get(kind)
        if decoder is None:
            decoder = _struct_decoders[kind] = msgspec.msgpack.Decoder(kind)
        return decoder.decode(data)

    def _class(self, name: str, base: type) -> type:
        kind = self._classes.get(name)
        if kind is None:
            module, _, path = name.partition(":")
            if not module.startswith(ROOMS) or module not in sys.modules:
                raise SnapshotError(f"{name} is no class of this core")
            found = getattr(sys.modules[module], path, None)
            if not isinstance(found, type) or found.__module__ != module:
                raise SnapshotError(f"{name} is no class of this core")
            kind = self._classes[name] = found
        if not issubclass(kind, base):
            raise SnapshotError(f"{name} is no {base.__name__}")
        return kind
