from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols import vehicle
from protocols.topics import VehicleId
from supervisor import __version__, clock
from supervisor.core import events as e
from supervisor.core import links
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import Capture
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.evidence import journal as journal_room
from supervisor.evidence.journal import About, Journal, JournalConfig
from supervisor.evidence.replay import Replay, Summary, Wanted, find_segments
from supervisor.evidence.replay_report import Why, parse_time, summary_lines
from supervisor.evidence.segments import (
    FRAME,
    MAGIC,
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
from support.waiting import until

BUS, TRACTOR = VehicleId("maebashi", "bus-01"), VehicleId("iwamizawa", "tractor-01")
ROOT = Path(__file__).resolve().parents[2]
SECOND = 1_000_000_000


class Writing:
    """A small hub without its shells: a fleet and its journal."""

    def __init__(self, folder: Path, config: JournalConfig | None = None, **more: int) -> None:
        self.fleet = Fleet()
        self.counters = Counters()
        self.now_ns = clock.monotonic_ns()
        self.beats = 0
        self.journal = Journal(
            config or JournalConfig(),
            folder,
            about=About(__version__, core_fingerprint(), "hub-1", "{}"),
            capture=lambda: Capture(self.fleet),
            counters=self.counters,
            **more,
        )
        for name in (BUS, TRACTOR):
            self.do(e.VehicleConfigured(name, vehicle.Kind.BUS, "Bus", 7))

    def do(self, event: e.AnyEvent) -> None:
        self.journal.before(self.now_ns, event)
        self.journal.put(self.now_ns, event, step(self.fleet, event, self.now_ns))

    def run(self, seconds: float, *, beats: bool = True) -> None:
        for tenth in range(round(seconds * 10)):
            self.now_ns += SECOND // 10
            if beats and tenth % 5 == 0:
                self.beats += 1
                for name in (BUS, TRACTOR):
                    beat = vehicle.Heartbeat("run-1", self.beats, self.now_ns, self.now_ns)
                    self.do(e.HeartbeatReceived(name, beat))
            self.do(e.Tick())


def replayed(folder: Path, wanted: Wanted | None = None, **more: object) -> Summary:
    return Replay(find_segments(folder), wanted, **more).run()  # type: ignore[arg-type]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A journal with a lost link in it, of several segments."""
    writing = Writing(tmp_path / "journal", JournalConfig(segment_minutes=0.1))
    for _ in range(4):
        writing.run(4)
        writing.journal.flush()
    writing.run(5, beats=False)
    writing.run(3)
    writing.journal.flush()
    return tmp_path / "journal"


def test_a_journal_replays_over_its_segments_with_identical_effects(written: Path) -> None:
    assert len(list_segments(written)) >= 3
    found = replayed(written)
    assert found.difference is None, summary_lines(found)
    assert found.events > 250
    assert found.alarms >= 2
    assert found.digest == replayed(written).digest


def test_files_and_folder_are_private(written: Path) -> None:
    assert written.stat().st_mode & 0o077 == 0
    for path in written.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_every_segment_can_be_replayed_alone(written: Path) -> None:
    for path in list_segments(written):
        assert replayed(path).difference is None
        first = list(SegmentReader(path))[:3]
        assert [type(entry) for entry in first] == [Header, State, Step]


def test_a_core_that_decides_otherwise_is_found_and_the_difference_is_readable(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = links.Link.on_time

    def later(self: links.Link, now_ns: int) -> bool:
        return real(self, now_ns - 200_000_000)

    monkeypatch.setattr(links.Link, "on_time", later)
    found = replayed(written)
    assert found.difference is not None
    text = "\n".join(summary_lines(found))
    assert "first difference: step" in text
    assert "ShowVehicle" in text
    assert "got:      nothing" in text
    assert "DIFFERENT" in text


def test_a_difference_in_state_that_no_effect_shows_is_found_at_the_next_segment(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = links.Link.on_heartbeat

    def forgetful(self: links.Link, now_ns: int, unheard_ns: int | None = None) -> bool:
        changed = real(self, now_ns, unheard_ns)
        self.last_beat_ns = now_ns - 1
        return changed

    monkeypatch.setattr(links.Link, "on_heartbeat", forgetful)
    found = replayed(written)
    assert found.difference is not None
    assert found.difference.what == "state"
    assert any("last_beat_ns" in line for line in found.difference.fields)


def test_a_core_that_raises_is_a_difference_and_not_a_crash(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: links.Link, now_ns: int) -> bool:
        raise ZeroDivisionError("altered")

    monkeypatch.setattr(links.Link, "on_time", broken)
    found = replayed(written)
    assert found.difference is not None
    assert "ZeroDivisionError: altered" in "\n".join(summary_lines(found))


def test_an_altered_event_is_found(written: Path) -> None:
    """Not damage, which the checksum finds: somebody rewrote the history."""
    from supervisor.evidence import segments

    path = list_segments(written)[0]
    entries = list(SegmentReader(path))
    beats = [
        index
        for index, entry in enumerate(entries)
        if isinstance(entry, Step) and b"HeartbeatReceived" in bytes(entry.event)
    ]
    del entries[beats[3]]
    path.write_bytes(MAGIC + segments.block(entries))
    assert replayed(written).difference is not None


@pytest.mark.parametrize("cut", [1, 5, 9, 200])
def test_a_torn_tail_is_left_out_and_told(written: Path, cut: int) -> None:
    whole = replayed(written)
    last = list_segments(written)[-1]
    last.write_bytes(last.read_bytes()[:-cut])
    found = replayed(written)
    assert found.difference is None
    assert 0 < found.events < whole.events
    assert any("torn tail" in note for note in found.notes), found.notes


def test_a_segment_cut_anywhere_is_read_as_far_as_it_is_whole(written: Path) -> None:
    path = list_segments(written)[0]
    data = path.read_bytes()
    whole = len(list(SegmentReader(path)))
    for end in range(len(data)):
        path.write_bytes(data[:end])
        reader = SegmentReader(path)
        entries = list(reader)
        assert len(entries) < whole
        assert entries == [] or isinstance(entries[0], Header)
        assert reader.lost_bytes >= 0


def test_a_flipped_bit_anywhere_is_found(written: Path) -> None:
    path = list_segments(written)[0]
    data = path.read_bytes()
    for place in range(len(MAGIC), len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        reader = SegmentReader(path)
        list(reader)
        assert reader.problem


def test_what_follows_a_damaged_block_is_replayed_from_the_next_state(written: Path) -> None:
    first = list_segments(written)[0]
    data = bytearray(first.read_bytes())
    start = len(MAGIC)
    length, _ = FRAME.unpack_from(data, start)
    data[start + FRAME.size + length + FRAME.size + 2] ^= 255
    first.write_bytes(data)
    whole = replayed(written)
    assert whole.difference is None
    assert any("damaged" in note for note in whole.notes)
    assert whole.events > 100


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"SQLite format 3\0", "format"),
        (b"enkanj" + (99).to_bytes(2, "big") + b"xxxx", "version"),
        (b"hello", "format"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "00000001.enkj"
    path.write_bytes(content)
    with pytest.raises(JournalError) as refused:
        replayed(path)
    assert refused.value.reason == reason


def test_a_journal_of_another_version_is_refused_unless_wished(tmp_path: Path) -> None:
    writing = Writing(tmp_path)
    writing.journal._files._about = About("0.0.1", "abc", "hub-1", "{}")
    writing.run(1)
    writing.journal.flush()
    with pytest.raises(JournalError, match=r"0\.0\.1.*--other-version") as refused:
        replayed(tmp_path)
    assert refused.value.reason == "version"
    assert replayed(tmp_path, other_version=True).difference is None


def test_an_empty_folder_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="holds no journal"):
        find_segments(tmp_path)
    with pytest.raises(JournalError, match="does not exist"):
        find_segments(tmp_path / "nowhere")


def test_a_full_queue_leaves_a_gap_that_is_counted_told_and_survived(tmp_path: Path) -> None:
    writing = Writing(tmp_path, queue=50)
    writing.run(10)
    lost = writing.counters.get("journal_lost", "queue_full")
    assert lost > 50
    assert not writing.journal.healthy
    writing.journal.flush()
    writing.run(3)
    writing.journal.flush()
    assert writing.journal.healthy
    assert writing.counters.get("journal_records") > 50
    gaps = [x for path in list_segments(tmp_path) for x in SegmentReader(path) if type(x) is Gap]
    assert [gap.reason for gap in gaps] == ["queue_full"]
    assert gaps[0].steps == writing.counters.get("journal_lost", "queue_full")
    found = replayed(tmp_path)
    assert found.difference is None
    assert any("gap" in note and "queue_full" in note for note in found.notes)


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "full"), (errno.EIO, "io"), (errno.EROFS, "read_only")]
)
def test_a_disk_that_refuses_leaves_a_gap_and_the_journal_goes_on_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    writing = Writing(tmp_path)
    writing.run(2)
    writing.journal.flush()
    real = os.write

    def half_then_refuse(fd: int, data: object) -> int:
        if len(data) > 10:  # type: ignore[arg-type]
            return real(fd, memoryview(data)[: len(data) // 2])  # type: ignore[arg-type]
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(journal_room.os, "write", half_then_refuse)
    writing.run(2)
    writing.journal.flush()
    assert not writing.journal.healthy
    assert writing.counters.get("journal_lost", reason) > 0
    monkeypatch.setattr(journal_room.os, "write", real)
    monkeypatch.setattr(journal_room, "RETRY_NS", 0)
    writing.journal._try_after_ns = 0
    writing.run(2)
    writing.journal.flush()
    writing.run(2)
    writing.journal.flush()
    assert writing.journal.healthy
    found = replayed(tmp_path)
    assert found.difference is None
    assert any(f"({reason})" in note for note in found.notes), found.notes
    assert found.events > 60


def test_retention_keeps_total_size_and_age_and_never_the_open_segment(tmp_path: Path) -> None:
    config = JournalConfig(segment_minutes=0.05, keep_days=1.0)
    writing = Writing(tmp_path, config)
    for _ in range(3):
        writing.run(4)
        writing.journal.flush()
    old = list_segments(tmp_path)
    for path in old[:-1]:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    writing.run(4)
    writing.journal.flush()
    left = list_segments(tmp_path)
    assert old[0] not in left
    assert len(left) >= 2
    assert writing.counters.get("journal_segments_removed") == len(old) - 1
    assert writing.journal.stored_bytes == sum(path.stat().st_size for path in left)
    assert replayed(tmp_path).difference is None


def test_a_restarted_hub_goes_on_with_the_next_number_and_replay_says_so(tmp_path: Path) -> None:
    for _ in range(2):
        writing = Writing(tmp_path)
        writing.run(2)
        writing.journal.flush()
    assert [path.name for path in list_segments(tmp_path)] == ["00000001.enkj", "00000002.enkj"]
    found = replayed(tmp_path)
    assert found.difference is None
    assert any("started anew" in note for note in found.notes)


def test_one_vehicle_and_a_span_of_time_can_be_compared_alone(written: Path) -> None:
    whole = replayed(written)
    bus = replayed(written, Wanted(BUS))
    assert 0 < bus.events < whole.events
    assert bus.alarms == whole.alarms / 2 >= 1
    assert whole.first_utc_ns is not None
    start = whole.first_utc_ns + 10 * SECOND
    part = replayed(written, Wanted(None, start, start + 3 * SECOND))
    assert part.first_utc_ns is not None
    assert part.last_utc_ns is not None
    assert start <= part.first_utc_ns
    assert part.events < whole.events / 4


def test_why_tells_what_led_to_an_alarm(written: Path) -> None:
    lines: list[str] = []
    replayed(written, on_step=Why(lines.append, BUS))
    text = "\n".join(lines)
    assert "alarm link.lost@maebashi/bus-01 → unacknowledged" in text
    assert "HeartbeatReceived 3." in text
    assert "tractor" not in text


def test_the_event_at_which_the_core_failed_is_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = Writing(tmp_path)
    writing.run(1)
    with monkeypatch.context() as broken:
        broken.setattr(links.Link, "on_time", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            step(writing.fleet, e.Tick(), writing.now_ns)
        writing.journal.put(writing.now_ns, e.Tick(), None)
        writing.journal.flush()
        found = replayed(tmp_path)
        assert any("ZeroDivisionError" in note for note in found.notes) or found.difference
    repaired = replayed(tmp_path)
    assert repaired.difference is not None
    assert "failed at this event then" in "\n".join(summary_lines(repaired))


def test_a_state_that_cannot_be_written_costs_a_segment_and_never_the_hub(tmp_path: Path) -> None:
    writing = Writing(tmp_path, JournalConfig(segment_minutes=0.05))
    writing.run(2)
    writing.fleet.presentations["s9"] = object()  # type: ignore[assignment]
    writing.run(5)
    writing.journal.flush()
    assert len(list_segments(tmp_path)) == 1
    writing.fleet.presentations.clear()
    writing.run(70)
    writing.journal.flush()
    assert len(list_segments(tmp_path)) > 1
    assert replayed(tmp_path).difference is None


def test_steps_behind_a_state_still_being_written_wait_for_it(tmp_path: Path) -> None:
    writing = Writing(tmp_path, JournalConfig(segment_minutes=0.05))
    writing.journal.flush()
    writing.run(3, beats=False)  # the segment is over its age with the last of these steps
    while writing.journal._pending is None:
        writing.run(0.1, beats=False)
    before = writing.journal._take()
    assert before
    beat = vehicle.Heartbeat("run-1", 1, writing.now_ns, writing.now_ns)
    writing.do(e.HeartbeatReceived(BUS, beat))
    assert writing.journal._take() == [], "the other vehicle is not written yet"
    writing.do(e.HeartbeatReceived(TRACTOR, beat))
    opening, *behind = writing.journal._take()
    assert type(opening).__name__ == "_Opening"
    assert [entry[2] for entry in behind] == [
        e.HeartbeatReceived(BUS, beat),
        e.HeartbeatReceived(TRACTOR, beat),
    ]


def test_a_vehicle_that_cannot_be_written_costs_a_segment_and_nothing_else(tmp_path: Path) -> None:
    writing = Writing(tmp_path, JournalConfig(segment_minutes=0.05))
    writing.journal.flush()
    writing.run(2)
    writing.fleet.vehicles[BUS].encode_ms = object()  # type: ignore[assignment]
    writing.run(2)
    assert ("journal_lost", "state", 0) in writing.counters.items()
    writing.journal.flush()
    writing.fleet.vehicles[BUS].encode_ms = {}
    assert len(list_segments(tmp_path)) == 1
    found = replayed(tmp_path)
    assert found.difference is None
    assert found.events == writing.counters.get("journal_records")


def test_times_are_read_as_utc_unless_they_say_otherwise() -> None:
    assert parse_time("2026-11-23T00:00:00") == parse_time("2026-11-23T09:00:00+09:00")
    with pytest.raises(JournalError, match="no time"):
        parse_time("yesterday")


@contextlib.contextmanager
def blocked_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    go_on = threading.Event()
    real = os.fdatasync

    def stalled(fd: int) -> None:
        assert go_on.wait(30)
        real(fd)

    monkeypatch.setattr(journal_room.os, "fdatasync", stalled)
    try:
        yield go_on
    finally:
        go_on.set()


async def test_a_stalled_disk_never_blocks_the_loop_and_the_end_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_room, "FLUSH_S", 0.01)
    writing = Writing(tmp_path, queue=100)
    with blocked_thread(monkeypatch) as go_on:
        task = asyncio.create_task(writing.journal.run())
        await until(lambda: writing.journal._writing, "the thread has the first steps")
        writing.run(20)
        assert writing.counters.get("journal_lost", "queue_full") > 100
        go_on.set()
        await until(lambda: writing.run(1) or writing.journal.healthy, "the gap is over")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    last = list(SegmentReader(list_segments(tmp_path)[-1]))
    assert isinstance(last[-1], End)
    assert replayed(tmp_path).difference is None


def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="journal"):
        Writing(tmp_path / "file" / "journal")


KILLED = """
import asyncio, sys
sys.path[:0] = [{root!r}, {root!r} + "/tests", {here!r}]
from pathlib import Path
from test_journal import Writing

async def main():
    writing = Writing(Path({folder!r}))
    task = asyncio.create_task(writing.journal.run())
    while True:
        writing.run(1)
        print(writing.counters.get("journal_records"), flush=True)
        await asyncio.sleep(0.02)

asyncio.run(main())
"""


@pytest.mark.integration
def test_a_killed_hub_keeps_everything_that_was_said_to_be_on_disk(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    script = KILLED.format(root=str(ROOT), here=here, folder=str(tmp_path / "journal"))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = 0
        while said < 500:
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    found = replayed(tmp_path / "journal")
    assert found.difference is None
    assert found.events >= said
