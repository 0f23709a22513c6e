"""Configuration for Eclipse Mosquitto 2 with the same permissions as the embedded broker.

Mosquitto's defaults silently drop queued QoS 1 messages beyond 1000 for a client and
accept packets of 256 MiB; the limits are explicit here. Passwords are stored as
Mosquitto does it: `$7$` PBKDF2-HMAC-SHA512 (RFC 8018), salt and hash in base64.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from protocols.codec import MAX_MQTT_PAYLOAD
from protocols.topics import VehicleId
from supervisor.telemetry.permissions import (
    HUB_USER,
    Permissions,
    check_secret,
    for_hub,
    for_vehicle,
)

ITERATIONS: Final = 101
"""Mosquitto's own figure. Tokens are 32 random bytes: guessing is hopeless anyway."""


def write_files(
    directory: Path,
    *,
    listen: str,
    port: int,
    users: Mapping[VehicleId, str],
    hub_password: str,
    run_as: str | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Path:
    """Write `mosquitto.conf`, `acl` and `passwords` (all 0600) and return the first.

    Args:
        directory: Made if needed, mode 0700; also holds Mosquitto's store.
        listen, port: Where it listens.
        users: The token of each vehicle: password of the user `site/vehicle`.
        hub_password: Password of the user `hub`.
        run_as: The account Mosquitto changes to when it is started as root.
        tls: Certificate and private key, PEM files; None: plain MQTT.

    Raises:
        OSError: The directory cannot be written.
        ValueError: A secret has characters that no broker's file takes unquoted.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    logins = {HUB_USER: hub_password, **{str(name): token for name, token in users.items()}}
    rights = {HUB_USER: for_hub(), **{str(name): for_vehicle(name) for name in users}}
    passwords = "".join(
        f"{user}:{password_hash(check_secret(user, secret))}\n" for user, secret in logins.items()
    )
    write_private(directory / "passwords", passwords)
    write_private(directory / "acl", "\n".join(_acl(user, right) for user, right in rights.items()))
    path = directory / "mosquitto.conf"
    write_private(
        path, mosquitto_config(directory, listen=listen, port=port, run_as=run_as, tls=tls)
    )
    return path


def mosquitto_config(
    directory: Path,
    *,
    listen: str,
    port: int,
    run_as: str | None = None,
    tls: tuple[Path, Path] | None = None,
) -> str:
    """Return the text of `mosquitto.conf`."""
    lines = [
        f"listener {port} {listen}",
        *(
            ()
            if tls is None
            else (f"certfile {tls[0]}", f"keyfile {tls[1]}", "tls_version tlsv1.2")
        ),
        "allow_anonymous false",
        f"password_file {directory / 'passwords'}",
        f"acl_file {directory / 'acl'}",
        "",
        "# Limits, in messages and bytes for each client. Beyond them the newest is dropped.",
        "max_inflight_messages 100",
        "max_queued_messages 5000",
        "max_queued_bytes 16777216",
        f"message_size_limit {4 * MAX_MQTT_PAYLOAD}",
        f"max_packet_size {4 * MAX_MQTT_PAYLOAD + 1024}",
        "max_keepalive 120",
        "set_tcp_nodelay true",
        "",
        "# Retained messages survive a restart; what changed in the last seconds comes again",
        "# from the vehicles themselves.",
        "persistence true",
        f"persistence_location {directory}/",
        "autosave_interval 10",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
    ]
    if run_as is not None:
        lines.append(f"user {run_as}")
    return "\n".join(lines) + "\n"


def password_hash(password: str, salt: bytes | None = None) -> str:
    """Return one entry of Mosquitto's password file."""
    salt = secrets.token_bytes(12) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    encoded = [base64.b64encode(part).decode() for part in (salt, digest)]
    return f"$7${ITERATIONS}${encoded[0]}${encoded[1]}"


def _acl(user: str, rights: Permissions) -> str:
    lines = [f"user {user}"]
    lines += [f"topic write {topic}" for topic in rights.publish]
    lines += [f"topic read {topic}" for topic in rights.subscribe]
    return "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(
        os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    partial.replace(path)
