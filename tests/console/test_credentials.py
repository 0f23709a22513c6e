"""The credentials file: private, atomic, and honest about what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from protocols.operator import Role
from protocols.tags import KEY_BYTES
from protocols.topics import VehicleId
from supervisor.console.credentials import (
    Credentials,
    CredentialsError,
    _parse,
    write_vehicle_file,
)

BUS = VehicleId("maebashi", "bus-01")
TRACTOR = VehicleId("iwamizawa", "tractor-01")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "credentials.json"


@pytest.fixture
def made(path: Path, cheap_hasher: PasswordHasher) -> Credentials:
    credentials = Credentials.create(path, hasher=cheap_hasher)
    credentials.add_account("aoki", Role.OPERATOR, "correct horse battery")
    credentials.add_vehicle(BUS)
    credentials.save()
    return credentials


def test_what_is_saved_is_loaded(made: Credentials, path: Path) -> None:
    loaded = Credentials.load(path)
    assert loaded.accounts() == made.accounts()
    assert loaded.vehicles() == made.vehicles()
    assert loaded.password_ok("aoki", "correct horse battery")
    assert len(loaded.vehicles()[BUS].command_key) == KEY_BYTES


def test_the_file_is_private_and_holds_no_password(made: Credentials, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "correct horse" not in text and "$argon2id$" in text
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no partial file stays


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_file_that_others_may_read_is_refused(made: Credentials, path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(CredentialsError, match=f"mode {mode:04o}.*chmod 600"):
        Credentials.load(path)


def test_a_missing_file_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(CredentialsError, match="enkan credentials create"):
        Credentials.load(path)


def test_an_existing_file_is_not_overwritten(made: Credentials, path: Path) -> None:
    with pytest.raises(CredentialsError, match="exists already"):
        Credentials.create(path)


def test_a_failed_save_leaves_the_old_file(
    made: Credentials, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def no_space(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(CredentialsError, match="No space left"):
        made.save()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def change(path: Path, edit: object) -> None:
    content = json.loads(path.read_text())
    assert callable(edit)
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c.update(version=2),
        lambda c: c.update(surplus=1),
        lambda c: c.pop("accounts"),
        lambda c: c["accounts"].append(c["accounts"][0]),
        lambda c: c["vehicles"].append(c["vehicles"][0]),
        lambda c: c["accounts"][0].update(role="king"),
        lambda c: c["vehicles"][0].update(command_key="00"),
        lambda c: c["vehicles"][0].update(command_key="zz" * 32),
        lambda c: c["vehicles"][0].update(site="no/such"),
        lambda c: c["vehicles"][0].update(token="short"),
    ],
)
def test_a_broken_file_is_refused_as_a_whole(made: Credentials, path: Path, edit: object) -> None:
    change(path, edit)
    with pytest.raises(CredentialsError, match="not a credentials file"):
        Credentials.load(path)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_the_declared_error(data: bytes) -> None:
    with contextlib.suppress(CredentialsError):
        _parse(Path("x"), data)


def test_a_bad_hash_in_the_file_refuses_the_account(made: Credentials, path: Path) -> None:
    change(path, lambda c: c["accounts"][0].update(password_hash="not a hash"))
    assert not Credentials.load(path).password_ok("aoki", "correct horse battery")


@pytest.mark.parametrize("password", ["", "123456789", "x" * 257])
def test_passwords_have_a_length(made: Credentials, password: str) -> None:
    with pytest.raises(CredentialsError, match="10 to 256"):
        made.add_account("new", Role.VIEWER, password)


@pytest.mark.parametrize("name", ["", "Aoki", "a b", "a/b", "x" * 33])
def test_names_have_a_grammar(made: Credentials, name: str) -> None:
    with pytest.raises(CredentialsError):
        made.add_account(name, Role.VIEWER, "long enough password")


def test_names_are_taken_once(made: Credentials) -> None:
    with pytest.raises(CredentialsError, match="exists already"):
        made.add_account("aoki", Role.VIEWER, "long enough password")
    with pytest.raises(CredentialsError, match="already"):
        made.add_vehicle(BUS)


def test_what_is_removed_is_gone(made: Credentials, path: Path) -> None:
    token = made.vehicles()[BUS].token
    made.remove_account("aoki")
    made.remove_vehicle(BUS)
    assert not made.password_ok("aoki", "correct horse battery")
    assert not made.vehicle_token_ok(BUS, token)
    with pytest.raises(CredentialsError):
        made.remove_account("aoki")
    with pytest.raises(CredentialsError):
        made.remove_vehicle(BUS)


def test_a_token_opens_one_vehicle_only(made: Credentials) -> None:
    bus, tractor = made.vehicles()[BUS], made.add_vehicle(TRACTOR)
    assert bus.token != tractor.token and bus.command_key != tractor.command_key
    assert made.vehicle_token_ok(BUS, bus.token)
    for vehicle_id, token in [
        (TRACTOR, bus.token),
        (BUS, tractor.token),
        (VehicleId("no", "such"), bus.token),
        (BUS, ""),
        (BUS, bus.token + "x"),
        (BUS, "\ud800"),
        (BUS, "日本"),
    ]:
        assert not made.vehicle_token_ok(vehicle_id, token)


def test_an_unknown_account_costs_a_verification_too(path: Path) -> None:
    class Counting(PasswordHasher):
        verified = 0

        def verify(self, *arguments: object) -> bool:  # type: ignore[override]
            Counting.verified += 1
            return super().verify(*arguments)  # type: ignore[arg-type]

    credentials = Credentials(path, hasher=Counting(time_cost=1, memory_cost=8, parallelism=1))
    assert not credentials.password_ok("nobody", "whatever it is")
    assert Counting.verified == 1


def test_a_vehicle_gets_a_private_file_of_its_own(made: Credentials, tmp_path: Path) -> None:
    secret = made.vehicles()[BUS]
    write_vehicle_file(tmp_path / "bus.json", BUS, secret)
    assert stat.S_IMODE((tmp_path / "bus.json").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "bus.json").read_text()) == {
        "site": "maebashi",
        "vehicle": "bus-01",
        "token": secret.token,
        "command_key": secret.command_key.hex(),
    }
