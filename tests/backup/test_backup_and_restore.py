"""From a state folder into a file and into another folder; nothing is ever overwritten."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from protocols.topics import VehicleId
from supervisor import cli
from supervisor.backup.archive import BackupError
from supervisor.console.credentials import Credentials
from supervisor.core.effects import Record
from supervisor.evidence import audit
from supervisor.evidence.audit import AuditStore, Entry
from support.fleet import BUS, prepare_hub, running_hub


def enkan(*words: object) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def records(state: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(state / "audit.sqlite") as database:
        return list(database.execute("SELECT kind, data FROM audit ORDER BY seq"))


@pytest.fixture
def hub(tmp_path: Path) -> tuple[Path, Path]:
    """A hub's configuration and its state, with a thousand records."""
    config, _ = prepare_hub(tmp_path / "site")
    state = tmp_path / "site" / "state"
    store = AuditStore.open(state / "audit.sqlite")
    store.raise_epochs([BUS])
    store.append([Entry(n, Record("", "test", "a", "b", {"n": n})) for n in range(999)])
    store.close()
    return config, state


def made(config: Path, folder: Path) -> Path:
    done = enkan("backup", folder, "--config", config)
    assert done.exit_code == 0, (done.output, done.exception)
    (file,) = folder.iterdir()
    return file


def test_what_is_restored_is_what_was_there_and_that_is_on_record(
    hub: tuple[Path, Path], tmp_path: Path
) -> None:
    config, state = hub
    file = made(config, tmp_path / "kept")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    checked = enkan("restore", file, tmp_path / "new", "--check")
    assert checked.exit_code == 0 and "1000 audit records" in checked.output
    assert not (tmp_path / "new").exists(), "only read"
    (tmp_path / "new").mkdir()
    done = enkan("restore", file, tmp_path / "new")
    assert done.exit_code == 0, done.output
    new = tmp_path / "new"
    assert records(new)[:1000] == records(state)
    (kind, data), (then, _) = records(new)[1000:]
    assert (kind, then) == ("hub.restored", "epoch") and json.loads(data)["seq"] == 1000
    assert audit.verify(new / "audit.sqlite").ok
    assert Credentials.load(new / "credentials.json").vehicles().keys() == {BUS}
    assert (new / "hub.toml.restored").read_bytes() == config.read_bytes()
    assert {stat.S_IMODE(one.stat().st_mode) for one in new.iterdir()} == {0o600}
    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    left = {path.name for path in (tmp_path / "kept").iterdir()} | {
        p.name for p in tmp_path.iterdir()
    }
    assert not any(name.startswith(".enkan-") for name in left)


def test_epochs_rise_over_a_restore_whatever_was_given_out_since(
    hub: tuple[Path, Path], tmp_path: Path
) -> None:
    config, state = hub
    file = made(config, tmp_path / "kept")
    store = AuditStore.open(state / "audit.sqlite")
    since = [store.raise_epochs([BUS])[BUS] for _ in range(3)]
    store.close()
    enkan("restore", file, tmp_path / "new")
    again = AuditStore.open(tmp_path / "new" / "audit.sqlite")
    first = again.raise_epochs([BUS])[BUS]
    again.close()
    assert first > since[-1] + 80_000, "also if the clock has gone back some hours"


@pytest.mark.integration
async def test_a_hub_goes_on_while_it_is_backed_up_and_its_backup_serves(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path / "site")
    async with running_hub(config):
        file = made(config, tmp_path / "kept")
        busy = enkan("restore", file, tmp_path / "site" / "state")
        assert isinstance(busy.exception, BackupError) and "not empty" in str(busy.exception)
    shutil.rmtree(tmp_path / "site" / "state")
    assert enkan("restore", file, tmp_path / "site" / "state").exit_code == 0
    async with running_hub(config) as again:
        kinds = [kind for kind, _ in records(again.state_dir)]
    assert kinds.index("hub.restored") < len(kinds) - 1, "and the chain goes on"
    assert audit.verify(tmp_path / "site" / "state" / "audit.sqlite").ok


@pytest.mark.parametrize("what", ["damaged", "swapped", "full", "a file"])
def test_nothing_is_left_behind_by_a_restore_that_fails(
    hub: tuple[Path, Path], tmp_path: Path, what: str
) -> None:
    config, _ = hub
    file = made(config, tmp_path / "kept")
    new = tmp_path / "new"
    if what == "damaged":
        data = bytearray(file.read_bytes())
        data[len(data) // 3] ^= 1
        file.write_bytes(data)
    elif what == "swapped":  # a whole archive around an audit that its manifest does not name
        with zipfile.ZipFile(file) as before:
            inside = {name: before.read(name) for name in before.namelist()}
        told = json.loads(inside["manifest.json"])
        told["audit_hash"] = "0" * 64
        inside["manifest.json"] = json.dumps(told).encode()
        with zipfile.ZipFile(file, "w") as after:
            for name, content in inside.items():
                after.writestr(name, content)
    elif what == "full":
        new.mkdir()
        (new / "something").touch()
    else:
        new.touch()
    before_it = sorted(tmp_path.rglob("*"))
    done = enkan("restore", file, new)
    assert isinstance(done.exception, BackupError), done.output
    assert sorted(tmp_path.rglob("*")) == before_it


def test_a_damaged_audit_is_not_backed_up_and_a_wrong_configuration_is_told(
    hub: tuple[Path, Path], tmp_path: Path
) -> None:
    config, state = hub
    with sqlite3.connect(state / "audit.sqlite") as database:
        database.execute("UPDATE audit SET actor = 'x' WHERE seq = 500")
    done = enkan("backup", tmp_path / "kept", "--config", config)
    assert "record 500" in str(done.exception)
    assert list((tmp_path / "kept").iterdir()) == []
    (state / "audit.sqlite").unlink()
    assert "does not exist" in str(enkan("backup", tmp_path / "kept", "--config", config).exception)


def test_a_vehicle_of_the_backup_is_known_again(hub: tuple[Path, Path], tmp_path: Path) -> None:
    config, state = hub
    file = made(config, tmp_path / "kept")
    tokens = Credentials.load(state / "credentials.json").vehicles()
    enkan("restore", file, tmp_path / "new")
    again = Credentials.load(tmp_path / "new" / "credentials.json").vehicles()
    assert again[VehicleId.parse(str(BUS))].token == tokens[BUS].token
