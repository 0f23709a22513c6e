"""The file of a backup: a zip of known names, and a manifest with the hash of each.

Everything is checked before anything is written: the names are a closed list, each entry
has exactly the size and SHA-256 that the manifest says, and nothing beside them is in it.
A checked archive is not yet a trusted one: whoever can write the file can write the
manifest too. Keep backups where only administrators write.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Final

import msgspec
from msgspec import Meta

SCHEMA: Final = 1
MANIFEST: Final = "manifest.json"
AUDIT: Final = "audit.sqlite"
CREDENTIALS: Final = "credentials.json"
CONFIG: Final = "hub.toml"
METRICS_TOKEN: Final = "metrics.token"
REQUIRED: Final = frozenset({AUDIT, CREDENTIALS, CONFIG})
NAMES: Final = REQUIRED | {METRICS_TOKEN}

MAX_MANIFEST: Final = 65_536
MAX_BYTES: Final = 1 << 40
CHUNK: Final = 1 << 20


class BackupError(Exception):
    """It cannot be made, read or restored; the text says why and what to do."""


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a backup.

    Attributes:
        size: Bytes.
        sha256: Hexadecimal.
    """

    size: Annotated[int, Meta(ge=0, le=MAX_BYTES)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds.

    Attributes:
        schema: Of this document.
        hub, version: The hub's id, and of the program that made it.
        made_utc_ns: When.
        audit_seq, audit_hash: The last record of the audit in it.
        files: By name.
    """

    schema: int
    hub: Annotated[str, Meta(max_length=64)]
    version: Annotated[str, Meta(max_length=64)]
    made_utc_ns: Annotated[int, Meta(ge=0)]
    audit_seq: Annotated[int, Meta(ge=0)]
    audit_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    files: dict[str, Item]


def item_of(path: Path) -> Item:
    """Measure a file.

    Raises:
        OSError: It cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            digest.update(part)
            size += len(part)
    return Item(size, digest.hexdigest())


def write(to: IO[bytes], manifest: Manifest, files: dict[str, Path]) -> None:
    """Write an archive of the files that the manifest names.

    Raises:
        OSError: A file cannot be read, or the archive not written.
    """
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, msgspec.json.encode(manifest))
        for name, path in files.items():
            archive.write(path, name)


class Reader:
    """An archive whose outside is checked; each entry is checked while it is read.

    Args:
        file: Seekable.

    Raises:
        BackupError: It is no backup, or of another schema, or holds what it should not.
    """

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self._archive = zipfile.ZipFile(file)
            names = self._archive.namelist()
            if sorted(names) != sorted(set(names)) or MANIFEST not in names:
                raise BackupError("this is no backup of Enkan: its list of files is wrong")
            self.manifest = parse_manifest(self._read(MANIFEST, MAX_MANIFEST))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise BackupError(f"this is no backup of Enkan: {error}") from error
        if set(names) != {MANIFEST, *self.manifest.files}:
            raise BackupError("the backup holds other files than its manifest says")

    def parts(self, name: str) -> Iterator[bytes]:
        """Yield a file piece by piece; it is whole and right once this ends.

        Raises:
            BackupError: It is damaged.
        """
        expected = self.manifest.files[name]
        digest, size = hashlib.sha256(), 0
        try:
            with self._archive.open(name) as entry:
                while part := entry.read(CHUNK):
                    size += len(part)
                    if size > expected.size:
                        break
                    digest.update(part)
                    yield part
        except _FAULTS as error:
            raise BackupError(f"{name} in the backup is damaged: {error}") from error
        if (size, digest.hexdigest()) != (expected.size, expected.sha256):
            raise BackupError(f"{name} in the backup is not what its manifest says: damaged")

    def check(self) -> None:
        """Read everything and keep nothing.

        Raises:
            BackupError: Something is damaged.
        """
        for name in self.manifest.files:
            for _ in self.parts(name):
                pass

    def _read(self, name: str, limit: int) -> bytes:
        try:
            with self._archive.open(name) as entry:
                data = entry.read(limit + 1)
        except _FAULTS as error:
            raise BackupError(f"{name} in the backup is damaged: {error}") from error
        if len(data) > limit:
            raise BackupError(f"{name} in the backup has more than {limit} bytes")
        return data


_FAULTS: Final = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
    *(RuntimeError, EOFError, OSError, ValueError),
)
"""What the library raises for damaged, encrypted or unknown entries."""


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BackupError: It is none, is of another schema, or names what a backup does not hold.
    """
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupError(f"the manifest of the backup cannot be read: {error}") from error
    if found.schema != SCHEMA:
        raise BackupError(
            f"the backup has schema {found.schema}, this program reads {SCHEMA}: "
            "restore it with the version that made it"
        )
    strange = set(found.files) - NAMES
    if strange:
        raise BackupError("the backup names files that no backup holds")
    missing = REQUIRED - set(found.files)
    if missing:
        raise BackupError(f"the backup lacks {', '.join(sorted(missing))}")
    return found
