"""What the hub gave this one vehicle: a token and a command key, in a private file."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from protocols.tags import KEY_BYTES
from vehicle_stub.config import MAX_FILE_BYTES, ConfigError, VehicleConfig, resolve


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the hub gave this one vehicle.

    Attributes:
        token: Password at the broker, bearer token at WHIP.
        command_key: Hex of the 32-byte key that signs its commands.
    """

    site: str
    vehicle: str
    token: Annotated[str, Meta(min_length=1, max_length=512)]
    command_key: Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{64}$")]

    def __repr__(self) -> str:
        return f"Credentials({self.site}/{self.vehicle}, secrets hidden)"

    @property
    def key(self) -> bytes:
        """The command key as bytes."""
        key = bytes.fromhex(self.command_key)
        assert len(key) == KEY_BYTES
        return key


def load_credentials(config: VehicleConfig, config_path: Path) -> Credentials:
    """Read the credentials the configuration names.

    Raises:
        ConfigError: Missing, readable by others, or made for another vehicle.
    """
    path = resolve(config_path, config.hub.credentials)
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"hub.credentials: {path}: {error.strerror}. The hub makes this file; copy it here"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"hub.credentials: {path} can be read by others (mode {stat.S_IMODE(mode):04o}). "
            f"Run: chmod 600 {path}"
        )
    try:
        found = msgspec.json.decode(raw[:MAX_FILE_BYTES], type=Credentials)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise ConfigError(f"hub.credentials: {path}: {reason}") from error
    if (found.site, found.vehicle) != config.vehicle_id:
        raise ConfigError(
            f"hub.credentials: {path} belongs to {found.site}/{found.vehicle}, "
            f"this is {config.vehicle_id}"
        )
    return found
