"""The audit: what people and the hub did, append-only, each record chained to the last.

    hash(n) = SHA-256( hash(n-1) || canonical bytes of record n ),  hash(0) = 32 zero bytes

so that a record cannot be changed, removed from the middle or put in between without
every later hash telling. (Cutting off the newest records is not seen by the chain
alone; compare the head with one kept elsewhere.)

SQLite in WAL mode with `synchronous=FULL`: a commit returns after fsync, and only
then is a record called durable. Records that queue up while one commit runs are
committed together by the next (group commit). One thread writes; the loop never waits.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from protocols.topics import VehicleId
from supervisor import clock
from supervisor.core.alarm_standing import StandingAlarm, from_record
from supervisor.core.effects import Record
from supervisor.core.events import AuditWritten
from supervisor.counters import Counters

log = logging.getLogger("enkan.evidence.audit")

QUEUE: Final = 4_096
"""Records waiting for the disk. A full queue fails new ones at once."""
GROUP: Final = 512
BUSY_TIMEOUT_S: Final = 0.5
SCHEMA_VERSION: Final = 1
GRANTED: Final = "control.granted"
"""Its `epoch` is given out by it: never again, over restarts too."""
GENESIS: Final = bytes(32)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY,
    utc_ns INTEGER NOT NULL,
    record_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audit_kind ON audit (kind);
CREATE TABLE IF NOT EXISTS epochs (vehicle TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS standing (alarm TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
"""

_encoder = msgspec.json.Encoder(order="sorted")


class AuditError(Exception):
    """The store cannot be used or written; the text says what, why and what to do.

    Attributes:
        reason: A short constant for a metric label: `full`, `read_only`, `io`, `busy`,
            `damaged`, `other`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Entry(NamedTuple):
    """One record with the wall clock at which it was handed over."""

    utc_ns: int
    record: Record


class VerifyResult(NamedTuple):
    """What `verify` found.

    Attributes:
        ok: Every record that is there is as it was written.
        records: Records read in order before the first broken one.
        first_broken: `seq` of the first record that is missing, altered or unreadable.
        reason: In words; empty if ok.
        head: Hash of the last good record, hexadecimal.
    """

    ok: bool
    records: int
    first_broken: int | None
    reason: str
    head: str


def next_epoch(highest: int, utc_ns: int) -> int:
    """Return an epoch higher than any given before, whatever the wall clock says.

    >>> next_epoch(0, 1_800_000_000_000_000_000), next_epoch(1_800_000_000, 5)
    (1800000000, 1800000001)
    """
    return max(highest + 1, utc_ns // 1_000_000_000)


class AuditStore:
    """The file. Blocking; safe to use from several threads, one at a time.

    Use `AuditStore.open`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock_file: int) -> None:
        self.path = path
        self._connection = connection
        self._lock_file = lock_file
        self._lock = threading.Lock()
        self._seq, self._head = self._read_head()

    @classmethod
    def open(cls, path: Path) -> AuditStore:
        """Open or create the store, mode 0600.

        Raises:
            AuditError: It cannot be opened or written, is no audit store, or its last
                record is damaged.
        """
        lock_file = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Locked before the file itself is touched: closing a second descriptor of it
            # would drop the POSIX locks that SQLite holds in this process.
            lock_file = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
        except BlockingIOError as error:
            os.close(lock_file)
            raise AuditError(
                "busy",
                f"another hub writes {path}. End it, or give this one its own hub.state_dir.",
            ) from error
        except OSError as error:
            if lock_file >= 0:
                os.close(lock_file)
            raise AuditError(
                "io", f"the audit store {path} cannot be written: {error.strerror}"
            ) from error
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, SCHEMA_VERSION):
                raise AuditError(
                    "damaged", f"{path} has version {version}, this hub writes {SCHEMA_VERSION}"
                )
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            return cls(path, connection, lock_file)
        except sqlite3.Error as error:
            connection.close()
            os.close(lock_file)
            raise _explain(error, path) from error
        except AuditError:
            connection.close()
            os.close(lock_file)
            raise

    def _read_head(self) -> tuple[int, bytes]:
        rows = self._connection.execute("SELECT * FROM audit ORDER BY seq DESC LIMIT 2").fetchall()
        if not rows:
            return 0, GENESIS
        seq, *facts, digest = rows[0]
        previous = rows[1][-1] if len(rows) == 2 else GENESIS
        if _digest(previous, seq, *facts) != digest:
            raise AuditError(
                "damaged",
                f"the last record ({seq}) of the audit store {self.path} is damaged. Keep the "
                "file as evidence (`enkan verify` names what is broken), move it away, restart.",
            )
        return seq, digest

    @property
    def head(self) -> tuple[int, str]:
        """Number and hash of the last record; keep a copy elsewhere."""
        return self._seq, self._head.hex()

    def append(self, entries: Sequence[Entry]) -> None:
        """Write records in one transaction; they are durable when this returns, and with a
        grant of control its epoch.

        Raises:
            AuditError: None of them was written.
        """
        with self._lock:
            granted = [
                (entry.record.subject, int(entry.record.data["epoch"] or 0))
                for entry in entries
                if entry.record.kind == GRANTED
            ]
            self._transaction(entries, granted)

    def raise_epochs(
        self, vehicle_ids: Iterable[VehicleId], *, leap: int = 0
    ) -> dict[VehicleId, int]:
        """Return a new epoch for each vehicle, durable, higher than any given before.

        The first epoch is the wall clock in seconds, so that epochs rise even when this
        file was lost and the vehicles still remember the highest they have seen.

        Args:
            vehicle_ids: Which.
            leap: So much higher still.

        Raises:
            AuditError: It could not be written; no epoch was raised.
        """
        with self._lock:
            now_ns = clock.utc_ns()
            try:
                stored = dict(self._connection.execute("SELECT vehicle, epoch FROM epochs"))
            except sqlite3.Error as error:
                raise _explain(error, self.path) from error
            raised = {
                vehicle_id: next_epoch(stored.get(str(vehicle_id), 0), now_ns) + leap
                for vehicle_id in vehicle_ids
            }
            entries = [
                Entry(now_ns, Record("", "epoch", "hub", str(vehicle_id), {"epoch": epoch}))
                for vehicle_id, epoch in raised.items()
            ]
            self._transaction(entries, [(str(name), epoch) for name, epoch in raised.items()])
            return raised

    def vehicles(self) -> list[VehicleId]:
        """Return the vehicles that were ever given an epoch.

        Raises:
            AuditError: It cannot be read.
        """
        try:
            rows = self._connection.execute("SELECT vehicle FROM epochs").fetchall()
        except sqlite3.Error as error:
            raise _explain(error, self.path) from error
        return [VehicleId.parse(name) for (name,) in rows]

    def standing_alarms(self) -> list[StandingAlarm]:
        """Return the last word on each alarm that outlives a hub.

        The table `standing` only says which records these are; what they say is read from
        the records, which are chained.

        Raises:
            AuditError: The store cannot be read.
        """
        with self._lock:
            now_ns = clock.utc_ns()
            try:
                rows = self._connection.execute(
                    "SELECT utc_ns, data FROM audit JOIN standing USING (seq) "
                    "WHERE kind = 'alarm' ORDER BY seq"
                ).fetchall()
            except sqlite3.Error as error:
                raise _explain(error, self.path) from error
        found = (from_record(msgspec.json.decode(data), now_ns - utc_ns) for utc_ns, data in rows)
        return [standing for standing in found if standing is not None]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
            if self._lock_file >= 0:
                os.close(self._lock_file)
                self._lock_file = -1

    def _transaction(self, entries: Sequence[Entry], epochs: Sequence[tuple[str, int]]) -> None:
        seq, head = self._seq, self._head
        rows = []
        standing: dict[str, int | None] = {}  # alarm → its last word; None: it is over
        for entry in entries:
            seq += 1
            record = entry.record
            data = _encoder.encode(record.data).decode()
            facts = (entry.utc_ns, record.record_id, record.kind, record.actor, record.subject)
            head = _digest(head, seq, *facts, data)
            rows.append((seq, *facts, data, head))
            if record.kind == "alarm" and "alarm" in record.data:
                standing[str(record.data["alarm"])] = seq if record.data.get("stands") else None
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany(
                "INSERT INTO epochs VALUES (?, ?) "
                "ON CONFLICT (vehicle) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
                epochs,
            )
            for alarm, last in standing.items():
                if last is None:
                    connection.execute("DELETE FROM standing WHERE alarm = ?", (alarm,))
                else:
                    connection.execute(
                        "INSERT INTO standing VALUES (?, ?) "
                        "ON CONFLICT (alarm) DO UPDATE SET seq = excluded.seq",
                        (alarm, last),
                    )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise _explain(error, self.path) from error
        self._seq, self._head = seq, head


class AuditWriter:
    """Takes records on the loop, writes them in one thread, tells when they are durable.

    Args:
        store: Where to.
        counters: Gets `audit_failed` by reason.
        on_written: Called on the loop, once for each record, in order of submission
            (except that a record refused by a full queue is answered at once).
        queue: Bound of the queue.
    """

    def __init__(
        self,
        store: AuditStore,
        *,
        counters: Counters,
        on_written: Callable[[AuditWritten], None],
        queue: int = QUEUE,
    ) -> None:
        self.store = store
        self._counters = counters
        self._on_written = on_written
        self._queue: asyncio.Queue[Entry] = asyncio.Queue(queue)
        self._healthy = True

    @property
    def healthy(self) -> bool:
        """Whether the last write succeeded."""
        return self._healthy

    def submit(self, record: Record) -> None:
        """Take one record; never blocks. A full queue answers `AuditWritten(ok=False)`."""
        try:
            self._queue.put_nowait(Entry(clock.utc_ns(), record))
        except asyncio.QueueFull:
            self._counters.add("audit_failed", "queue_full")
            self._on_written(AuditWritten(record.record_id, ok=False))

    async def run(self) -> None:
        """Write until cancelled; what is queued then is still written."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        batch: list[Entry] = []
        try:
            while True:
                batch = [await self._queue.get(), *self._drain()]
                written = loop.run_in_executor(thread, self._write, batch)
                try:
                    error = await asyncio.shield(written)
                except asyncio.CancelledError:
                    await asyncio.wait([written])
                    raise
                self._tell(batch, error)
        finally:
            rest = self._drain()
            while rest:
                await loop.run_in_executor(thread, self._write, rest)
                rest = self._drain()
            thread.shutdown()
            self.store.close()

    def _drain(self) -> list[Entry]:
        batch: list[Entry] = []
        while len(batch) < GROUP - 1 and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    def _write(self, batch: Sequence[Entry]) -> AuditError | None:
        try:
            self.store.append(batch)
        except AuditError as error:
            return error
        return None

    def _tell(self, batch: Sequence[Entry], error: AuditError | None) -> None:
        if error is not None:
            self._counters.add("audit_failed", error.reason, len(batch))
            if self._healthy:
                log.error("audit records were not written: %s", error)
        elif not self._healthy:
            log.info("audit records are written again")
        self._healthy = error is None
        for entry in batch:
            self._on_written(AuditWritten(entry.record.record_id, ok=self._healthy))


def verify(path: Path, known: tuple[int, str] | None = None) -> VerifyResult:
    """Check every record of a store against the chain; changes nothing.

    A chain cannot tell that its own end was cut off, or that all of it was written anew:
    only a head noted down elsewhere can.

    Args:
        path: The file.
        known: Number and hash (hexadecimal) of a record, noted down earlier.

    Raises:
        AuditError: There is no such file.
    """
    if not path.is_file():
        raise AuditError("io", f"{path} does not exist")
    last, head = 0, GENESIS
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        for seq, *facts, digest in connection.execute("SELECT * FROM audit ORDER BY seq"):
            if seq != last + 1:
                return VerifyResult(
                    False, last, last + 1, f"record {last + 1} is missing", head.hex()
                )
            if _digest(head, seq, *facts) != digest:
                return VerifyResult(
                    False, last, seq, f"record {seq} or its hash was altered", head.hex()
                )
            last, head = seq, digest
            if known is not None and known[0] == seq and known[1] != digest.hex():
                why = f"record {seq} is not the one that was noted down: the chain was rewritten"
                return VerifyResult(False, last - 1, seq, why, head.hex())
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        return VerifyResult(
            False, last, last + 1, f"record {last + 1} cannot be read: {error}", head.hex()
        )
    finally:
        connection.close()
    if known is not None and known[0] > last:
        why = f"record {last + 1} is missing: the chain goes up to {known[0]} at least"
        return VerifyResult(False, last, last + 1, why, head.hex())
    return VerifyResult(True, last, None, "", head.hex())


def _digest(previous: bytes, *facts: int | str) -> bytes:
    """Hash one record. Canonical bytes: the JSON array of its columns without the hash."""
    return hashlib.sha256(previous + _encoder.encode(facts)).digest()


_REASONS: Final = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_IOERR: "io",
    sqlite3.SQLITE_CANTOPEN: "io",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}

_ADVICE: Final = {
    "full": "Free space on that disk.",
    "read_only": "Make the file and its directory writable for the hub's user.",
    "io": "Check the disk.",
    "busy": "Another program holds the file; only one hub may use it.",
    "damaged": "Keep the file as evidence, move it away and restart.",
}


def _explain(error: sqlite3.Error, path: Path) -> AuditError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    reason = _REASONS.get(code, "other")
    return AuditError(reason, f"the audit store {path}: {error}. {_ADVICE.get(reason, '')}".strip())
