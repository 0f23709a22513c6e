"""What a backup may be: whole, of known names, each file as its manifest says."""

from __future__ import annotations

import io
import re
import zipfile

import msgspec
import pytest

from supervisor.backup.archive import MAX_MANIFEST, NAMES, REQUIRED, BackupError, Reader
from support.backups import backup_of, manifest_of

FILES = {name: name.encode() * 500 for name in NAMES}


def refused(data: bytes) -> str:
    with pytest.raises(BackupError) as caught:
        Reader(io.BytesIO(data)).check()
    return str(caught.value)


def test_a_whole_backup_is_read_piece_by_piece() -> None:
    reader = Reader(io.BytesIO(backup_of(FILES)))
    reader.check()
    assert {name: b"".join(reader.parts(name)) for name in FILES} == FILES


def test_without_the_token_of_metrics_it_is_whole_too() -> None:
    Reader(io.BytesIO(backup_of({name: FILES[name] for name in REQUIRED}))).check()


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_what_must_be_there_is_missed_by_name(name: str) -> None:
    assert name in refused(backup_of({n: d for n, d in FILES.items() if n != name}))


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "audit.sqlite/../x", "journal/1", "a\x00b", "AUDIT.SQLITE"]
)
def test_other_names_are_refused_before_anything_is_read(name: str) -> None:
    assert "no backup holds" in refused(backup_of({**FILES, name: b"x"}))
    out = io.BytesIO(backup_of(FILES))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(name, b"x")
    assert "other files than its manifest" in refused(out.getvalue())


def test_a_file_that_is_longer_shorter_or_other_than_said_is_refused() -> None:
    said = msgspec.json.encode(manifest_of(FILES))
    for data in (FILES["hub.toml"] + b"x", FILES["hub.toml"][:-1], b"x" * len(FILES["hub.toml"])):
        assert "damaged" in refused(backup_of({**FILES, "hub.toml": data}, said))


def test_a_bomb_is_cut_at_the_size_that_was_said() -> None:
    said = msgspec.json.encode(manifest_of(FILES))
    bomb = backup_of({**FILES, "hub.toml": bytes(64 << 20)}, said)
    reader = Reader(io.BytesIO(bomb))
    taken = 0
    with pytest.raises(BackupError, match="damaged"):
        for part in reader.parts("hub.toml"):
            taken += len(part)
    assert taken <= len(FILES["hub.toml"])
    assert "more than" in refused(backup_of(FILES, b" " * (MAX_MANIFEST + 1)))


def test_every_flipped_byte_is_noticed_or_changes_nothing() -> None:
    whole = backup_of(FILES)
    for at in range(0, len(whole), 7):
        data = bytearray(whole)
        data[at] ^= 0x55
        try:
            reader = Reader(io.BytesIO(data))
            found = {name: b"".join(reader.parts(name)) for name in reader.manifest.files}
        except BackupError:
            continue
        assert found == FILES


def test_another_schema_says_which_version_to_use() -> None:
    assert re.search("schema 2.*restore it with", refused(backup_of(FILES, schema=2)))
    for broken in (b"", b"[]", b"{", b'{"schema":1}', b"\xff"):
        assert "manifest" in refused(backup_of(FILES, broken))


def test_what_is_no_archive_or_an_encrypted_one_is_refused() -> None:
    assert "no backup of Enkan" in refused(b"")
    assert "no backup of Enkan" in refused(b"PK\x05\x06" + bytes(18))
    data = bytearray(backup_of(FILES))
    central = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[central + 8] |= 1  # general purpose bit 0: encrypted
    assert "damaged" in refused(bytes(data))
    first = bytearray(backup_of(FILES))
    first[first.index(b"PK\x01\x02") + 8] |= 1
    assert "damaged" in refused(bytes(first))
