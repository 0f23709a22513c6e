from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from protocols.topics import VehicleId
from supervisor.core.effects import Record
from supervisor.core.events import AuditWritten
from supervisor.counters import Counters
from supervisor.evidence.audit import AuditError, AuditStore, AuditWriter, Entry, verify

BUS, TRACTOR = VehicleId("maebashi", "bus-01"), VehicleId("iwamizawa", "tractor-01")
ROOT = Path(__file__).resolve().parents[2]


def record(number: int, text: str = "x") -> Record:
    return Record(f"r{number}", "command.asked", "hanako", str(BUS), {"n": number, "text": text})


def filled(path: Path, count: int = 20) -> None:
    store = AuditStore.open(path)
    store.append([Entry(1_000 + n, record(n)) for n in range(count)])
    store.close()


def rewrite(path: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


def test_a_chain_verifies_continues_over_restarts_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    filled(path, 3)
    filled(path, 2)
    result = verify(path)
    assert (result.ok, result.records, result.first_broken) == (True, 5, None)
    assert path.stat().st_mode & 0o777 == 0o600
    store = AuditStore.open(path)
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name
    assert store.head == (5, result.head)
    store.close()


@pytest.mark.parametrize("column", ["utc_ns", "record_id", "kind", "actor", "subject", "data"])
def test_every_altered_column_is_found_and_its_record_named(tmp_path: Path, column: str) -> None:
    path = tmp_path / "audit.sqlite"
    filled(path)
    value = 7 if column == "utc_ns" else "altered"
    rewrite(path, f"UPDATE audit SET {column} = ? WHERE seq = 11", value)
    result = verify(path)
    assert (result.ok, result.records, result.first_broken) == (False, 10, 11)


def test_a_removed_or_inserted_record_is_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    filled(path)
    rewrite(path, "DELETE FROM audit WHERE seq = 5")
    assert verify(path).first_broken == 5
    rewrite(path, "UPDATE audit SET seq = seq - 1 WHERE seq > 5")
    assert verify(path).first_broken == 5


def test_one_altered_byte_anywhere_in_a_record_is_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    store = AuditStore.open(path)
    store.append([Entry(5, record(n, f"needle-{n:03d}-needle")) for n in range(20)])
    store.close()
    clean = path.read_bytes()
    place = clean.index(b"needle-007-needle")
    for offset in range(17):
        broken = bytearray(clean)
        broken[place + offset] ^= 0x04
        path.write_bytes(broken)
        result = verify(path)
        assert (result.ok, result.first_broken) == (False, 8), offset


def test_a_truncated_file_is_found_and_what_is_readable_before_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    filled(path, 500)
    size = path.stat().st_size
    os.truncate(path, size // 2 // 4096 * 4096)
    result = verify(path)
    assert not result.ok
    assert result.first_broken == result.records + 1


def test_a_cut_off_end_and_a_rewritten_chain_are_found_against_a_head_noted_down(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.sqlite"
    store = AuditStore.open(path)
    store.append([Entry(n, record(n)) for n in range(10)])
    noted = store.head
    store.append([Entry(n, record(n)) for n in range(10, 20)])
    store.close()
    assert verify(path, noted).ok
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM audit WHERE seq > 8")
    assert verify(path).ok, "nothing inside shows it"
    assert verify(path, noted)[:3] == (False, 8, 9)
    path.unlink()
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    again = AuditStore.open(path)
    again.append([Entry(n, record(n, "forged")) for n in range(12)])
    again.close()
    assert verify(path).ok
    assert verify(path, noted)[:3] == (False, 9, 10)


def test_a_damaged_last_record_and_a_foreign_file_stop_the_start_with_advice(tmp_path: Path):
    path = tmp_path / "audit.sqlite"
    filled(path)
    rewrite(path, "UPDATE audit SET actor = 'nobody' WHERE seq = 20")
    with pytest.raises(AuditError, match="Keep the file as evidence") as caught:
        AuditStore.open(path)
    assert caught.value.reason == "damaged"
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"this is no database, it is a text that happens to be here" * 100)
    with pytest.raises(AuditError) as caught:
        AuditStore.open(other)
    assert caught.value.reason == "damaged"
    with pytest.raises(AuditError, match="does not exist"):
        verify(tmp_path / "nothing")


def test_only_one_hub_writes_a_store_and_reading_beside_it_works(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    store = AuditStore.open(path)
    store.append([Entry(1, record(1))])
    with pytest.raises(AuditError, match="another hub"):
        AuditStore.open(path)
    assert verify(path).records == 1
    store.close()
    AuditStore.open(path).close()


def test_the_epoch_of_a_grant_is_durable_with_its_record_and_never_given_again(
    tmp_path: Path,
) -> None:
    store = AuditStore.open(tmp_path / "a.sqlite")
    first = store.raise_epochs([BUS])[BUS]
    far = first + 1_000_000
    granted = Record("r1", "control.granted", "hanako", str(BUS), {"epoch": far})
    older = Record("r2", "control.granted", "hanako", str(BUS), {"epoch": far - 5})
    store.append([Entry(1, granted), Entry(2, older)])
    store.close()
    store = AuditStore.open(tmp_path / "a.sqlite")
    assert store.raise_epochs([BUS])[BUS] == far + 1
    store.close()
    assert verify(tmp_path / "a.sqlite").ok


def test_epochs_rise_strictly_over_restarts_and_over_a_lost_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    seen: list[int] = []
    for _ in range(5):
        store = AuditStore.open(path)
        epochs = store.raise_epochs([BUS, TRACTOR])
        assert set(epochs) == {BUS, TRACTOR}
        seen.append(epochs[BUS])
        store.close()
    assert all(later > earlier for earlier, later in itertools.pairwise(seen))
    assert seen[0] > 1_700_000_000, "the wall clock, so that a lost file does not turn it back"
    assert verify(path).records == 10


async def run_writer(
    store: AuditStore, records: list[Record], counters: Counters, queue: int = 4_096
) -> list[AuditWritten]:
    """Submit everything, wait for every answer, end."""
    answers: list[AuditWritten] = []
    done = asyncio.Event()

    def on_written(answer: AuditWritten) -> None:
        answers.append(answer)
        if len(answers) == len(records):
            done.set()

    writer = AuditWriter(store, counters=counters, on_written=on_written, queue=queue)
    for item in records:
        writer.submit(item)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        task = group.create_task(writer.run(), name="audit")
        await done.wait()
        task.cancel()
    return answers


async def test_every_record_is_answered_once_in_order_after_it_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    answers = await run_writer(AuditStore.open(path), [record(n) for n in range(1_500)], Counters())
    assert [answer.record_id for answer in answers] == [f"r{n}" for n in range(1_500)]
    assert all(answer.ok for answer in answers)
    assert verify(path).records == 1_500


async def test_a_full_queue_fails_new_records_at_once_and_loses_none_it_took(tmp_path: Path):
    path = tmp_path / "audit.sqlite"
    counters = Counters()
    answers = await run_writer(
        AuditStore.open(path), [record(n) for n in range(10)], counters, queue=4
    )
    failed = [answer.record_id for answer in answers if not answer.ok]
    assert failed == [f"r{n}" for n in range(4, 10)]
    assert counters.get("audit_failed", "queue_full") == 6
    assert verify(path).records == 4


async def test_a_full_disk_fails_the_record_and_space_makes_it_work_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    store = AuditStore.open(path)
    counters = Counters()
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages}")
    big = [record(n, "x" * 8_000) for n in range(3)]
    with pytest.raises(AuditError) as caught:
        store.append([Entry(1, item) for item in big])
    assert caught.value.reason == "full"
    store._connection.execute("PRAGMA max_page_count=1000000")
    answers = await run_writer(store, big, counters)
    assert all(answer.ok for answer in answers)
    assert verify(path) == (True, 3, None, "", verify(path).head)


async def test_a_read_only_store_answers_not_ok_and_says_why_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = AuditStore.open(tmp_path / "audit.sqlite")
    store._connection.execute("PRAGMA query_only=ON")
    counters = Counters()
    answers = await run_writer(store, [record(n) for n in range(3)], counters)
    assert [answer.ok for answer in answers] == [False] * 3
    assert counters.get("audit_failed", "read_only") == 3
    assert sum("Make the file" in line for line in caplog.messages) == 1


async def test_a_disk_that_stalls_does_not_block_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AuditStore.open(tmp_path / "audit.sqlite")
    release = threading.Event()
    append = store.append
    monkeypatch.setattr(store, "append", lambda batch: (release.wait(20), append(batch))[1])
    turns = 0

    async def turn() -> None:
        nonlocal turns
        for _ in range(50):
            await asyncio.sleep(0)
            turns += 1
        release.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(turn())
        answers = group.create_task(run_writer(store, [record(1)], Counters()))
    assert turns == 50
    assert answers.result()[0].ok


async def test_what_is_queued_when_the_writer_ends_is_still_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    writer = AuditWriter(AuditStore.open(path), counters=Counters(), on_written=lambda answer: None)
    task = asyncio.create_task(writer.run(), name="audit")
    await asyncio.sleep(0)
    for n in range(2_000):
        writer.submit(record(n))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert verify(path).records == 2_000


WRITER = """
import asyncio, sys
from pathlib import Path
from supervisor.core.effects import Record
from supervisor.counters import Counters
from supervisor.evidence.audit import AuditStore, AuditWriter

async def main():
    numbers = iter(range(10**9))
    def submit():
        n = next(numbers)
        writer.submit(Record(f"r{n}", "k", "a", "s", {"n": n}))
    def on_written(answer):
        assert answer.ok
        sys.stdout.write(answer.record_id + "\\n")
        sys.stdout.flush()
        submit()
    writer = AuditWriter(AuditStore.open(Path(sys.argv[1])), counters=Counters(),
                         on_written=on_written)
    for _ in range(8):
        submit()
    await writer.run()

asyncio.run(main())
"""


@pytest.mark.integration
def test_after_kill_9_every_acknowledged_record_is_there_and_the_chain_is_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.sqlite"
    total = 0
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            acknowledged = [process.stdout.readline() for _ in range(60)]
            process.send_signal(signal.SIGKILL)
            acknowledged += [line for line in process.stdout if line.endswith("\n")]
        result = verify(path)
        assert result.ok, result
        assert result.records >= total + len(acknowledged)
        total = result.records
