"""`enkan backup` and `enkan restore`."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from supervisor import __version__, clock
from supervisor.backup import archive
from supervisor.backup.archive import BackupError, Manifest, Reader
from supervisor.config import load
from supervisor.core.effects import Record
from supervisor.evidence import audit
from supervisor.evidence.audit import AuditStore, Entry

PAGES: Final = 1_000
"""Of the audit, copied at a time: the hub writes in between."""
EPOCH_LEAP: Final = 86_400
"""Epochs were given out after the backup was made. They follow the wall clock in seconds;
to give one twice, the clock would have to have gone back by more than a day."""
RESTORED_CONFIG: Final = "hub.toml.restored"

terminal = Console(stderr=True, highlight=False)


def backup_command(
    folder: Annotated[Path, typer.Argument(help="Where to put it; made if needed.")],
    config: Annotated[Path, typer.Option("--config", help="The hub's configuration file.")] = Path(
        "hub.toml"
    ),
) -> None:
    """Write one file with audit, accounts, secrets and configuration; the hub goes on.

    The file holds secrets: only its owner may read it.
    """
    loaded = load(config, dict(os.environ))
    state = loaded.state_dir(config.resolve())
    made_ns = clock.utc_ns()
    when = datetime.datetime.fromtimestamp(made_ns // 1_000_000_000, datetime.UTC)
    target = folder / f"enkan-{loaded.hub.id}-{when:%Y%m%dT%H%M%SZ}.zip"
    with _explained("the backup was not made"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=".enkan-", dir=folder) as kept:
            copy = Path(kept) / archive.AUDIT
            _copy_audit(state / archive.AUDIT, copy)
            checked = audit.verify(copy)
            if not checked.ok:
                raise BackupError(f"the audit is damaged and was not backed up: {checked.reason}")
            files = {
                archive.AUDIT: copy,
                archive.CREDENTIALS: state / loaded.hub.credentials,
                archive.CONFIG: config,
            }
            if (token := state / loaded.metrics.token_file).exists():
                files[archive.METRICS_TOKEN] = token
            manifest = Manifest(
                schema=archive.SCHEMA,
                hub=loaded.hub.id,
                version=__version__,
                made_utc_ns=made_ns,
                audit_seq=checked.records,
                audit_hash=checked.head,
                files={name: archive.item_of(path) for name, path in files.items()},
            )
            partial = Path(kept) / "archive"
            with _created(partial) as file:
                archive.write(file, manifest, files)
            with partial.open("rb") as file:
                Reader(file).check()
            if target.exists():
                raise BackupError(f"{target} exists already")
            partial.rename(target)
    typer.echo(f"{target}: {checked.records} audit records, {target.stat().st_size >> 10} KiB")
    typer.echo(f"keep elsewhere: --head {checked.records}:{checked.head}")


def restore_command(
    backup: Annotated[Path, typer.Argument(help="A file that `enkan backup` made.")],
    state: Annotated[Path, typer.Argument(help="The hub's state folder: new, or empty.")],
    check: Annotated[bool, typer.Option("--check", help="Only read it; write nothing.")] = False,
) -> None:
    """Put a backup into an empty state folder, and put on record that this was done."""
    with _explained("nothing was restored"), backup.open("rb") as file:
        reader = Reader(file)
        reader.check()
        manifest = reader.manifest
        made = datetime.datetime.fromtimestamp(
            min(manifest.made_utc_ns // 1_000_000_000, 253_402_300_799), datetime.UTC
        )
        about = f"{manifest.hub}, {made:%Y-%m-%d %H:%M:%S} UTC, {manifest.audit_seq} audit records"
        if check:
            typer.echo(f"whole: {about}")
            return
        if state.exists() and (not state.is_dir() or any(state.iterdir())):
            raise BackupError(f"{state} is not empty: nothing that is there is ever overwritten")
        state.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".enkan-", dir=state.parent) as kept:
            ready = Path(kept) / "state"
            ready.mkdir(mode=0o700)
            for name in manifest.files:
                placed = RESTORED_CONFIG if name == archive.CONFIG else name
                with _created(ready / placed) as out:
                    for part in reader.parts(name):
                        out.write(part)
            _put_on_record(ready / archive.AUDIT, manifest)
            if state.exists():
                state.rmdir()
            ready.rename(state)
    typer.echo(f"restored into {state}: {about}")
    typer.echo(f"its configuration is {state / RESTORED_CONFIG}: compare it with the present one")


def _copy_audit(source: Path, target: Path) -> None:
    """Copy the audit as of one instant, while a hub may be writing (SQLite online backup)."""
    if not source.exists():
        raise BackupError(f"{source} does not exist: is --config the hub's?")
    with (
        contextlib.closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as of,
        contextlib.closing(sqlite3.connect(target)) as to,
        Progress(console=terminal, transient=True) as progress,
    ):
        bar = progress.add_task("audit")

        def tell(status: int, remaining: int, total: int) -> None:
            progress.update(bar, total=total, completed=total - remaining)

        of.backup(to, pages=PAGES, progress=tell, sleep=0.001)
        to.execute("PRAGMA journal_mode=DELETE")
    target.chmod(0o600)


def _put_on_record(file: Path, manifest: Manifest) -> None:
    found = audit.verify(file)
    if not found.ok or (found.records, found.head) != (manifest.audit_seq, manifest.audit_hash):
        raise BackupError("the audit in the backup is not the one that its manifest names")
    store = AuditStore.open(file)
    facts: dict[str, str | int | float | None] = {
        "hub": manifest.hub,
        "version": manifest.version,
        "made_utc_ns": manifest.made_utc_ns,
        "seq": manifest.audit_seq,
        "hash": manifest.audit_hash,
    }
    try:
        store.append([Entry(clock.utc_ns(), Record("", "hub.restored", "hub", "hub", facts))])
        store.raise_epochs(store.vehicles(), leap=EPOCH_LEAP)
    finally:
        store.close()


@contextlib.contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{what}: {error}") from error
