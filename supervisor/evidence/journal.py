"""The journal: every event and every effect of the core, in order, for replay.

The loop only appends a reference to a list; one thread encodes, compresses and writes
what has gathered, every `FLUSH_S`, and has it on the disk before it takes the next. A
crash costs at most what was gathered since: less than a second.

A new segment begins with the state of the fleet, which is written piece by piece beside
the steps that follow it (`core.snapshot.Capture`): the loop is never held for all of it.

Nothing here ever stops the hub. What cannot be kept (the thread does not keep up, the
disk is full) is counted, and told in the journal itself: the next segment begins with
a `Gap`, and with the state of the fleet after it, so that replay goes on from there.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from supervisor import clock
from supervisor.core.events import AnyEvent
from supervisor.core.snapshot import Capture, SnapshotError
from supervisor.counters import Counters
from supervisor.evidence.segments import (
    MAGIC,
    SUFFIX,
    End,
    Gap,
    Header,
    JournalError,
    State,
    block,
    list_segments,
    step_entry,
)

log = logging.getLogger("enkan.evidence.journal")

FLUSH_S: Final = 0.25
QUEUE: Final = 40_000
"""Steps that may wait for the thread: some 10 s of 200 vehicles."""
BLOCK_STEPS: Final = 512
"""Steps encoded in one go: about 2 ms during which the thread holds the interpreter."""
PENDING_NS: Final = 400_000_000
"""A state still unwritten after this is finished in one go: no events came meanwhile."""
STATE_RETRY_NS: Final = 60_000_000_000
RETRY_NS: Final = 2_000_000_000
"""After a gap, the shortest time until a new segment is tried."""


class JournalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of the core's history, and for how long.

    Attributes:
        enabled: Write a journal.
        folder: Where; relative to the state directory.
        segment_mib: A segment ends at this size, MiB on disk, and
        segment_minutes: at this age; retention removes whole segments.
        keep_mib: Oldest segments are removed above this total, MiB.
        keep_days: Segments older than this are removed.
    """

    enabled: bool = True
    folder: Annotated[str, Meta(min_length=1, max_length=255)] = "journal"
    segment_mib: Annotated[int, Meta(ge=1, le=4_096)] = 64
    segment_minutes: Annotated[float, Meta(gt=0, le=1_440)] = 10.0
    keep_mib: Annotated[int, Meta(ge=2, le=10_000_000)] = 20_480
    keep_days: Annotated[float, Meta(gt=0, le=3_660)] = 30.0


class About(NamedTuple):
    """What each segment says about its hub (see `segments.Header`)."""

    version: str
    core: str
    hub_id: str
    config: str


class _Pending(NamedTuple):
    """A segment is to begin here, with a state that is still being written."""

    gap: Gap | None
    at_ns: int
    capture: Capture


class _Opening(NamedTuple):
    """Begin a segment with this state."""

    gap: Gap | None
    state: State


class _Written(NamedTuple):
    """What one turn of the thread did; `stored_bytes` counts every segment kept."""

    error: JournalError | None
    bytes: int
    records: int
    segment_bytes: int
    removed: int
    stored_bytes: int


class Journal:
    """Takes steps on the loop, writes them in one thread.

    Args:
        config: Where and for how long.
        folder: The resolved folder; made if it is missing.
        about: What the headers say.
        capture: Begins to write the fleet's whole state; called on the loop.
        counters: Gets `journal_bytes`, `journal_records`, `journal_lost` by reason,
            `journal_segments_removed`.
        queue: Bound of the queue, steps.

    Raises:
        JournalError: The folder cannot be made or written.
    """

    def __init__(
        self,
        config: JournalConfig,
        folder: Path,
        *,
        about: About,
        capture: Callable[[], Capture],
        counters: Counters,
        queue: int = QUEUE,
    ) -> None:
        self._config = config
        self._capture = capture
        self._counters = counters
        self._bound = queue
        self._files = _Files(config, folder, about)
        self._waiting: list[Any] = []
        self._writing = 0
        self._gap: Gap | None = None
        self._opened_ns = clock.monotonic_ns()
        self._segment_bytes = 0
        self._opening_waits = False
        self._pending: _Pending | None = None
        self._try_after_ns = 0
        self._last_write_ns: int | None = None
        self._healthy = True
        self.stored_bytes = 0
        self._open(self._opened_ns)
        if not self._waiting:
            self._lose("state", 0, self._opened_ns, self._opened_ns)

    @property
    def healthy(self) -> bool:
        """Whether the last write succeeded and nothing is being lost now."""
        return self._healthy and self._gap is None

    def last_write_age_s(self) -> float:
        """Return how long ago steps were last known to be on the disk; NaN: never."""
        if self._last_write_ns is None:
            return float("nan")
        return (clock.monotonic_ns() - self._last_write_ns) / 1e9

    def before(self, now_ns: int, event: AnyEvent) -> None:
        """An event is about to be given to the core; call it before every step."""
        if self._pending is None or self._pending.capture.done:
            return
        try:
            self._pending.capture.before(event, now_ns)
        except SnapshotError as error:
            self._give_up(self._pending, error, now_ns)

    def put(self, now_ns: int, event: Any, effects: Any) -> None:
        """Take one step that the core has just made; never blocks.

        Neither the event nor the effects may be changed afterwards. Effects of None: the
        core failed at this event, and the hub is about to end.
        """
        if self._gap is not None:
            self._recover(now_ns)
        elif len(self._waiting) + self._writing >= self._bound:
            self._lose("queue_full", 1, now_ns, now_ns)
        else:
            self._waiting.append(step_entry(now_ns, event, effects))
            if effects is not None and (
                self._segment_bytes >= self._config.segment_mib << 20
                or now_ns - self._opened_ns >= self._config.segment_minutes * 60e9
            ):
                self._open(now_ns)

    async def run(self) -> None:
        """Write until cancelled; what waits then is still written, and the end marked."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                batch = self._take()
                if not batch:
                    continue
                written = loop.run_in_executor(thread, self._files.write, batch)
                try:
                    done = await asyncio.shield(written)
                except asyncio.CancelledError:
                    await asyncio.wait([written])
                    self._tell(batch, written.result())
                    raise
                self._tell(batch, done)
        finally:
            batch = [*self._take(all_of_it=True), End(clock.monotonic_ns())]
            self._tell(batch, await loop.run_in_executor(thread, self._files.write, batch))
            await loop.run_in_executor(thread, self._files.close)
            thread.shutdown()

    def flush(self, batch: int = QUEUE) -> None:
        """Write what waits, in this thread, `batch` steps at a time: for benches and tests."""
        waiting = self._take(all_of_it=True)
        for start in range(0, len(waiting), batch):
            part = waiting[start : start + batch]
            self._tell(part, self._files.write(part))

    def _take(self, *, all_of_it: bool = False) -> list[Any]:
        """Return what can be written now; a state still being written waits, with all
        behind it, but not twice as long as a turn of the thread."""
        pending = self._pending
        now_ns = clock.monotonic_ns()
        if pending is not None:
            young = now_ns - pending.at_ns < PENDING_NS
            if not all_of_it and young and not pending.capture.done:
                place = self._waiting.index(pending)
                batch, self._waiting = self._waiting[:place], self._waiting[place:]
                self._writing = len(batch)
                return batch
            self._settle(pending, now_ns)
        batch, self._waiting = self._waiting, []
        self._writing = len(batch)
        self._opening_waits = False
        return batch

    def _settle(self, pending: _Pending, now_ns: int) -> None:
        """The state is written, or is now: the segment can begin."""
        try:
            state = State(pending.at_ns, pending.capture.finish())
        except SnapshotError as error:
            self._give_up(pending, error, now_ns)
            return
        self._pending = None
        self._waiting[self._waiting.index(pending)] = _Opening(pending.gap, state)

    def _open(self, now_ns: int) -> None:
        """Begin a segment with the state as it is now, after the step just taken."""
        if self._pending is not None:
            self._settle(self._pending, now_ns)
        self._opened_ns, self._segment_bytes = now_ns, 0
        try:
            pending = _Pending(self._gap, now_ns, self._capture())
        except SnapshotError as error:  # the old segment goes on, or the gap
            self._say_no_state(error, now_ns)
            return
        self._gap = None
        self._pending = pending
        self._waiting.append(pending)
        self._opening_waits = True

    def _give_up(self, pending: _Pending, error: SnapshotError, now_ns: int) -> None:
        """A state cannot be written: the old segment goes on, or the gap."""
        self._pending = None
        self._opening_waits = False
        place = self._waiting.index(pending)
        after = self._waiting[place + 1 :]
        del self._waiting[place]
        if pending.gap is not None:  # what follows cannot be replayed without the state
            del self._waiting[place:]
            gap = pending.gap
            self._lose(gap.reason, len(after), gap.first_ns, now_ns)
            assert self._gap is not None
            self._gap = msgspec.structs.replace(self._gap, steps=self._gap.steps + gap.steps)
        self._say_no_state(error, now_ns)

    def _say_no_state(self, error: SnapshotError, now_ns: int) -> None:
        self._counters.add("journal_lost", "state", 0)
        self._try_after_ns = now_ns + STATE_RETRY_NS
        log.error("no new journal segment: %s", error)

    def _lose(self, reason: str, steps: int, first_ns: int, last_ns: int) -> None:
        self._counters.add("journal_lost", reason, steps)
        if self._gap is None:
            log.error("the journal has a gap: %s", reason)
            self._gap = Gap(reason, steps, first_ns, last_ns)
            self._try_after_ns = last_ns + RETRY_NS
        else:
            before = self._gap
            self._gap = Gap(before.reason, before.steps + steps, before.first_ns, last_ns)

    def _recover(self, now_ns: int) -> None:
        """This step is lost too; but the next may follow a new state."""
        assert self._gap is not None
        self._lose(self._gap.reason, 1, now_ns, now_ns)
        if now_ns >= self._try_after_ns and len(self._waiting) + self._writing < self._bound // 2:
            log.info("the journal goes on after a gap of %d steps", self._gap.steps)
            self._open(now_ns)

    def _tell(self, batch: Sequence[Any], done: _Written) -> None:
        self._writing = 0
        self._counters.add("journal_bytes", "", done.bytes)
        self._counters.add("journal_records", "", done.records)
        self._counters.add("journal_segments_removed", "", done.removed)
        self.stored_bytes = done.stored_bytes
        if not self._opening_waits:
            self._segment_bytes = done.segment_bytes
        if done.error is None:
            self._last_write_ns = clock.monotonic_ns()
            self._healthy = True
            return
        if self._healthy:
            log.error("the journal was not written: %s", done.error)
        self._healthy = False
        # Nothing after the failure can be replayed without a new state: all of it is lost,
        # what gathered meanwhile too.
        unwritten = [item for item in (*batch, *self._waiting) if type(item) is tuple]
        began = (_Opening, _Pending)
        gaps = [item.gap for item in (*batch, *self._waiting) if isinstance(item, began)]
        self._waiting = []
        self._pending = None
        now_ns = clock.monotonic_ns()
        for gap in gaps:
            if gap is not None:
                self._lose(done.error.reason, 0, gap.first_ns, gap.last_ns)
                assert self._gap is not None
                self._gap = msgspec.structs.replace(self._gap, steps=self._gap.steps + gap.steps)
        first_ns, last_ns = (unwritten[0][1], unwritten[-1][1]) if unwritten else (now_ns, now_ns)
        self._lose(done.error.reason, len(unwritten), first_ns, last_ns)
        self._try_after_ns = now_ns + RETRY_NS


class _Files:
    """The thread's part: one open segment, and how many are kept. Blocking."""

    def __init__(self, config: JournalConfig, folder: Path, about: About) -> None:
        self._config = config
        self._folder = folder
        self._about = about
        self._run = secrets.token_hex(8)
        self._started = (clock.monotonic_ns(), clock.utc_ns())
        self._fd = -1
        self._size = 0
        self._closed_bytes = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError as error:
            raise _explain(error, folder) from error
        if not writable:
            raise JournalError("read_only", f"the journal folder {folder} cannot be written")
        segments = list_segments(folder)
        self._next = int(segments[-1].stem) + 1 if segments else 1

    def write(self, batch: Sequence[Any]) -> _Written:
        """Write a batch and have it on the disk; an error loses all of the batch."""
        written, records, removed = 0, 0, 0
        error: JournalError | None = None
        try:
            part: list[Any] = []
            for item in batch:
                if isinstance(item, _Opening):
                    written += self._append(part)
                    part = []
                    removed += self._rotate(item)
                else:
                    part.append(item)
                    records += 1
                    if len(part) >= BLOCK_STEPS:
                        written += self._append(part)
                        part = []
            written += self._append(part)
            if self._fd >= 0:
                os.fdatasync(self._fd)
        except OSError as problem:
            error = _explain(problem, self._folder)
            records = 0
            self._abandon()
        stored = self._closed_bytes + self._size
        return _Written(error, written, records, self._size, removed, stored)

    def close(self) -> None:
        """Close the open segment."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _rotate(self, opening: _Opening) -> int:
        """Begin the next segment; return how many old ones were removed."""
        self.close()
        path = self._folder / f"{self._next:08d}{SUFFIX}"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._next += 1
        self._size = 0
        at_ns = opening.state.at_ns
        header = Header(
            *self._about[:3],
            run=self._run,
            number=self._next - 1,
            opened_ns=at_ns,
            opened_utc_ns=clock.utc_ns() - (clock.monotonic_ns() - at_ns),
            started_ns=self._started[0],
            started_utc_ns=self._started[1],
            config=self._about.config,
        )
        first = [entry for entry in (header, opening.gap, opening.state) if entry is not None]
        self._write_all(MAGIC + block(first))
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._retain(path)

    def _append(self, part: Sequence[Any]) -> int:
        if not part or self._fd < 0:  # a bare end after a failure has nothing to end
            return 0
        return self._write_all(block(part))

    def _write_all(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(data)
        return len(data)

    def _abandon(self) -> None:
        """The open segment may end in half a block: cut that off, and never go on in it."""
        if self._fd < 0:
            return
        try:
            os.ftruncate(self._fd, self._size)
        except OSError as error:
            log.info("half a block stays at the end of a segment: %s", error.strerror)
        self.close()

    def _retain(self, current: Path) -> int:
        """Remove the oldest segments beyond the limits; never the open one."""
        oldest_ns = clock.utc_ns() - int(self._config.keep_days * 86_400e9)
        segments = [(path, path.stat()) for path in list_segments(self._folder) if path != current]
        total = sum(facts.st_size for _, facts in segments)
        removed = 0
        for path, facts in segments:
            if total <= self._config.keep_mib << 20 and facts.st_mtime_ns >= oldest_ns:
                break
            path.unlink()
            total -= facts.st_size
            removed += 1
        self._closed_bytes = total
        return removed


_REASONS: Final = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EROFS: "read_only"}


def _explain(error: OSError, folder: Path) -> JournalError:
    reason = _REASONS.get(error.errno or 0, "io")
    return JournalError(
        reason,
        f"the journal in {folder}: {error.strerror}. Free space there, or make it writable "
        "for the hub's user.",
    )
