"""Accounts and vehicle secrets, in one file that only the hub's user can read.

Passwords are kept as argon2id hashes (RFC 9106, the library's second recommended
parameters: 64 MiB, three passes). Vehicle tokens and command keys are random and
32 bytes long; the hub needs them as they are, for the broker's user list and for
HMAC, so the file's mode is what protects them.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Annotated, Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Meta

from protocols.codec import ProtocolError
from protocols.ids import check_name
from protocols.operator import Role
from protocols.tags import KEY_BYTES
from protocols.topics import VehicleId

MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 256
MAX_FILE_BYTES: Final = 4_000_000
TOKEN_BYTES: Final = 32

_PRIVATE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class CredentialsError(Exception):
    """The credentials cannot be used; the text says what, why and what to do."""


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person's account. `password_hash` is in PHC string format (argon2id)."""

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    role: Role
    password_hash: Annotated[str, Meta(max_length=512)]

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.role.value!r})"


class VehicleSecret(msgspec.Struct, frozen=True):
    """What one vehicle and this hub know.

    Attributes:
        token: Presented at WHIP (bearer) and at the broker (password).
        command_key: Key of the command tag, see `protocols.tags`.
    """

    token: str
    command_key: bytes

    def __repr__(self) -> str:
        return "VehicleSecret(...)"


class VehicleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file that one vehicle is given; `command_key` in hexadecimal."""

    site: str
    vehicle: str
    token: Annotated[str, Meta(min_length=16, max_length=256)]
    command_key: Annotated[str, Meta(pattern=f"^[0-9a-f]{{{2 * KEY_BYTES}}}$")]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=1, le=1)]
    accounts: list[Account]
    vehicles: list[VehicleFile]


class Credentials:
    """All secrets of one hub. `load` or `create` makes one; `save` writes it.

    Not shared between threads, except `password_ok`, which reads one account.
    """

    def __init__(self, path: Path, *, hasher: PasswordHasher | None = None) -> None:
        self._path = path
        self._hasher = hasher if hasher is not None else PasswordHasher()
        self._accounts: dict[str, Account] = {}
        self._vehicles: dict[VehicleId, VehicleSecret] = {}
        # Verified for unknown accounts, so that they cost the same time.
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    @classmethod
    def create(cls, path: Path, *, hasher: PasswordHasher | None = None) -> Credentials:
        """Make an empty file.

        Raises:
            CredentialsError: It exists already or cannot be written.
        """
        if path.exists():
            raise CredentialsError(
                f"{path}: exists already and holds secrets in use. "
                "Add to it, or move it away before making a new one."
            )
        credentials = cls(path, hasher=hasher)
        credentials.save()
        return credentials

    @classmethod
    def load(cls, path: Path, *, hasher: PasswordHasher | None = None) -> Credentials:
        """Read a file.

        Raises:
            CredentialsError: It is missing, open to other users, or broken.
        """
        content = _parse(path, read_private(path, "make new secrets for everyone in it"))
        credentials = cls(path, hasher=hasher)
        for account in content.accounts:
            if account.name in credentials._accounts:
                raise _broken(path, f"account {account.name!r} is listed twice")
            credentials._accounts[account.name] = account
        for entry in content.vehicles:
            try:
                vehicle_id = VehicleId(
                    check_name(entry.site, "site"), check_name(entry.vehicle, "vehicle")
                )
            except ProtocolError as error:
                raise _broken(path, error.detail) from error
            if vehicle_id in credentials._vehicles:
                raise _broken(path, f"vehicle {vehicle_id} is listed twice")
            credentials._vehicles[vehicle_id] = VehicleSecret(
                entry.token, bytes.fromhex(entry.command_key)
            )
        return credentials

    def save(self) -> None:
        """Write everything; after a crash the file is the old or the new one.

        Raises:
            CredentialsError: It cannot be written.
        """
        content = _File(
            version=1,
            accounts=sorted(self._accounts.values(), key=lambda account: account.name),
            vehicles=[
                _vehicle_file(vehicle_id, secret)
                for vehicle_id, secret in sorted(self._vehicles.items())
            ],
        )
        write_private(self._path, msgspec.json.format(msgspec.json.encode(content), indent=2))

    # --------------------------------------------------------------- accounts

    def add_account(self, name: str, role: Role, password: str) -> None:
        """Add an account; takes effect in the file with `save`.

        Raises:
            CredentialsError: The name is taken or no name, or the password too short.
        """
        try:
            check_name(name, "account")
        except ProtocolError as error:
            raise CredentialsError(error.detail) from error
        if name in self._accounts:
            raise CredentialsError(
                f"account {name!r} exists already: choose another name, or remove it first"
            )
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise CredentialsError(
                f"the password of {name!r} has {len(password)} characters: "
                f"use {MIN_PASSWORD} to {MAX_PASSWORD}, for example four random words"
            )
        self._accounts[name] = Account(name, role, self._hasher.hash(password))

    def remove_account(self, name: str) -> None:
        """Remove an account.

        Raises:
            CredentialsError: There is none of that name.
        """
        if self._accounts.pop(name, None) is None:
            raise CredentialsError(f"there is no account {name!r}")

    def account(self, name: str) -> Account | None:
        """Return one account, or None."""
        return self._accounts.get(name)

    def accounts(self) -> list[Account]:
        """Return all accounts, by name."""
        return sorted(self._accounts.values(), key=lambda account: account.name)

    def password_ok(self, name: str, password: str) -> bool:
        """Return whether this is the account's password. Takes tens of milliseconds
        and 64 MiB, equally for an unknown account: call `verify` on the loop."""
        account = self._accounts.get(name)
        try:
            self._hasher.verify(
                self._nobody if account is None else account.password_hash, password[:MAX_PASSWORD]
            )
        except (VerificationError, InvalidHashError):
            return False
        return account is not None and len(password) <= MAX_PASSWORD

    async def verify(self, name: str, password: str) -> Account | None:
        """Return the account if the password is right; works in a thread."""
        ok = await asyncio.to_thread(self.password_ok, name, password)
        return self._accounts.get(name) if ok else None

    # --------------------------------------------------------------- vehicles

    def add_vehicle(self, vehicle_id: VehicleId) -> VehicleSecret:
        """Make secrets for a vehicle; takes effect in the file with `save`.

        Raises:
            CredentialsError: It has some already, or is no valid name.
        """
        try:
            check_name(vehicle_id.site, "site")
            check_name(vehicle_id.vehicle, "vehicle")
        except ProtocolError as error:
            raise CredentialsError(error.detail) from error
        if vehicle_id in self._vehicles:
            raise CredentialsError(f"vehicle {vehicle_id} has credentials already: remove it first")
        secret = VehicleSecret(secrets.token_urlsafe(TOKEN_BYTES), secrets.token_bytes(KEY_BYTES))
        self._vehicles[vehicle_id] = secret
        return secret

    def remove_vehicle(self, vehicle_id: VehicleId) -> None:
        """Remove a vehicle's secrets.

        Raises:
            CredentialsError: It has none.
        """
        if self._vehicles.pop(vehicle_id, None) is None:
            raise CredentialsError(f"vehicle {vehicle_id} has no credentials")

    def vehicles(self) -> dict[VehicleId, VehicleSecret]:
        """Return the secrets of all vehicles."""
        return dict(self._vehicles)

    def vehicle_token_ok(self, vehicle_id: VehicleId, token: str) -> bool:
        """Return whether `token` belongs to this vehicle, in constant time."""
        secret = self._vehicles.get(vehicle_id)
        expected = secret.token if secret is not None else secrets.token_urlsafe(TOKEN_BYTES)
        same = hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogatepass"))
        return same and secret is not None


def write_vehicle_file(path: Path, vehicle_id: VehicleId, secret: VehicleSecret) -> None:
    """Write the file that one vehicle is given (mode 0600).

    Raises:
        CredentialsError: It cannot be written.
    """
    entry = _vehicle_file(vehicle_id, secret)
    write_private(path, msgspec.json.format(msgspec.json.encode(entry), indent=2))


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, mode 0600, durable when this returns.

    Raises:
        CredentialsError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:  # mkstemp makes it 0600
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(path)
        except OSError:
            Path(partial).unlink(missing_ok=True)
            raise
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise CredentialsError(
            f"{path}: cannot be written ({error.strerror}). "
            "Check the directory's owner and the free space."
        ) from error


def _vehicle_file(vehicle_id: VehicleId, secret: VehicleSecret) -> VehicleFile:
    return VehicleFile(vehicle_id.site, vehicle_id.vehicle, secret.token, secret.command_key.hex())


def read_private(path: Path, if_read: str) -> bytes:
    """Return the content of a file that only its owner may read.

    Args:
        path: The file.
        if_read: What to do if others may have read it, for the error text.

    Raises:
        CredentialsError: It is missing, open to other users, or too large.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mode & _OTHERS:
                raise CredentialsError(
                    f"{path}: holds secrets, but its mode {stat.S_IMODE(status.st_mode):04o} lets "
                    f"other users of this machine in. Run: chmod 600 {path} "
                    f"and, if others may have read it, {if_read}."
                )
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CredentialsError(
            f"{path}: cannot be read ({error.strerror}). `enkan credentials create` makes one."
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise _broken(path, f"larger than {MAX_FILE_BYTES} bytes")
    return data


def _parse(path: Path, data: bytes) -> _File:
    try:
        return msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        # msgspec names the path of the field and its type, never its value.
        raise _broken(path, str(error)) from error


def _broken(path: Path, why: str) -> CredentialsError:
    return CredentialsError(
        f"{path}: not a credentials file ({why}). Restore it from backup, or move it away "
        "and make new credentials for every account and vehicle."
    )
