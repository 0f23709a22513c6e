"""The journal's files: framed, checked, compressed; a torn tail costs only itself.

A segment is one file, `00000042.enkj`, never written to again once it is closed:

    magic   8 bytes  "enkanj" and the format version, big-endian
    blocks           length (4 bytes, little-endian), CRC-32 of the payload (4), payload

A payload is a zlib stream of MessagePack: an array of records. Records in a segment:

    Header           who wrote it, with which core; one, the first
    Gap              what is missing before this segment, if anything is
    State            the whole fleet (core.snapshot): replay begins here; exactly one
    Step, Step, ...  one event, its time, its effects
    End              the hub ended in order; only in the last segment of a run

Every block stands for itself, so damage costs its block; what follows the next intact
`State` can be replayed again.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

FORMAT: Final = 1
MAGIC: Final = b"enkanj" + FORMAT.to_bytes(2, "big")
SUFFIX: Final = ".enkj"
FRAME: Final = struct.Struct("<II")
MAX_BLOCK: Final = 64 << 20
"""Bytes of one payload, compressed; a larger length is damage."""
MAX_UNPACKED: Final = 256 << 20
LEVEL: Final = 3
"""zlib's; `./enkan bench journal` prints what it costs."""

ROOT: Final = Path(__file__).resolve().parent.parent.parent


class JournalError(Exception):
    """The journal cannot be written or read; the text says what, why and what to do.

    Attributes:
        reason: A short constant for a metric label: `full`, `read_only`, `io`, `format`,
            `version`, `empty`, `damaged`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Header(msgspec.Struct, frozen=True, tag="h", array_like=True):
    """The first record.

    Attributes:
        version: Of the project that wrote it.
        core: Fingerprint of the sources that decide (`core_fingerprint`).
        hub_id: Its name in the configuration.
        run: Different for each start of a hub.
        number: Of this segment, rising within a folder.
        opened_ns, opened_utc_ns: The state's instant on the hub's monotonic and wall clock.
        started_ns, started_utc_ns: The same of the hub's start.
        config: The core's configuration as JSON, for people; replay uses the state's.
    """

    version: str
    core: str
    hub_id: str
    run: str
    number: int
    opened_ns: int
    opened_utc_ns: int
    started_ns: int
    started_utc_ns: int
    config: str


class State(msgspec.Struct, frozen=True, tag="s", array_like=True):
    """The whole fleet after the last step before this record."""

    at_ns: int
    fleet: bytes


class Step(msgspec.Struct, frozen=True, tag="e", array_like=True):
    """One event, the hub's clock at which the core took it, and what followed.

    Attributes:
        event, effects: MessagePack, left undecoded until somebody looks. Effects of nil:
            the core failed at this event.
    """

    now_ns: int
    event: msgspec.Raw
    effects: msgspec.Raw


class Gap(msgspec.Struct, frozen=True, tag="g", array_like=True):
    """Steps that were taken and are not in the journal.

    Attributes:
        reason: `queue_full`, or the reason of a failed write.
        first_ns, last_ns: Times of the first and the last of them.
    """

    reason: str
    steps: int
    first_ns: int
    last_ns: int


class End(msgspec.Struct, frozen=True, tag="z", array_like=True):
    """The hub ended in order; nothing is missing after this."""

    at_ns: int


Entry = Header | State | Step | Gap | End

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[list[Entry]] = msgspec.msgpack.Decoder(list[Entry])


def step_entry(now_ns: int, event: Any, effects: Any) -> tuple[str, int, Any, Any]:
    """Return what encodes as a `Step`, without encoding anything now."""
    return ("e", now_ns, event, effects)


def block(entries: Sequence[Any]) -> bytes:
    """Return one block ready to be written."""
    payload = zlib.compress(_encoder.encode(entries), LEVEL)
    return FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def core_fingerprint() -> str:
    """Return a hash over the sources that decide: `supervisor.core` and `protocols`."""
    digest = hashlib.sha256()
    for folder in ("supervisor/core", "protocols"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def list_segments(folder: Path) -> list[Path]:
    """Return the segments in a folder, oldest first.

    Raises:
        JournalError: The folder cannot be read.
    """
    try:
        found = [p for p in folder.iterdir() if p.suffix == SUFFIX and p.stem.isdecimal()]
    except OSError as error:
        raise JournalError("io", f"{folder}: {error.strerror}") from error
    return sorted(found, key=lambda path: int(path.stem))


class SegmentReader:
    """Reads one segment from the beginning, as far as it is whole.

    Attributes:
        path: The file.
        size: Its bytes when it was opened.
        position: How far it is read.
        problem: What cut the reading short, in words; empty while nothing did.
        lost_bytes: Bytes behind that problem.

    Raises:
        JournalError: It is no segment, of another format, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self.lost_bytes = 0
        self.position = 0
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise JournalError("io", f"{path}: {error.strerror}") from error
        try:
            self.size = path.stat().st_size
            self._check_magic(self._file.read(len(MAGIC)))
        except BaseException:
            self._file.close()
            raise

    def _check_magic(self, found: bytes) -> None:
        self.position = len(found)
        if found == MAGIC:
            return
        if found.startswith(MAGIC[:6]) and len(found) == len(MAGIC):
            version = int.from_bytes(found[6:], "big")
            raise JournalError(
                "version",
                f"{self.path} has journal format {version}; this program reads {FORMAT}. "
                "Use the version of Enkan that wrote it.",
            )
        if MAGIC.startswith(found):
            self._cut("the file ends within its first bytes: the hub was ended just then", 0)
            return
        raise JournalError("format", f"{self.path} is not a journal segment of Enkan")

    def __iter__(self) -> Iterator[Entry]:
        """Yield the records; afterwards `problem` says whether that was all."""
        with self._file:
            while not self.problem:
                entries = self._next_block()
                if entries is None:
                    return
                yield from entries

    def close(self) -> None:
        """Close the file without reading on."""
        self._file.close()

    def _next_block(self) -> list[Entry] | None:
        start = self.position
        frame = self._file.read(FRAME.size)
        if not frame:
            return None
        if len(frame) < FRAME.size:
            self._cut("torn tail: the last block was not finished", start)
            return None
        length, expected = FRAME.unpack(frame)
        if length > MAX_BLOCK:
            self._cut(f"damaged: a block of {length} bytes is impossible", start)
            return None
        payload = self._file.read(length)
        if len(payload) < length:
            self._cut("torn tail: the last block was not finished", start)
            return None
        self.position = start + FRAME.size + length
        last = self.position >= self.size
        if zlib.crc32(payload) != expected:
            what = "torn tail: the last block" if last else "damaged: a block"
            self._cut(f"{what} does not fit its checksum", start)
            return None
        try:
            unpacker = zlib.decompressobj()
            entries = _decoder.decode(unpacker.decompress(payload, MAX_UNPACKED))
        except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._cut(f"damaged: a block cannot be unpacked ({error})", start)
            return None
        return entries

    def _cut(self, problem: str, start: int) -> None:
        self.problem = f"{problem}, at byte {start} of {self.size}"
        self.lost_bytes = self.size - start
