"""`enkan mosquitto`: the files of a broker of one's own, from the hub's configuration."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

from supervisor.config import ConfigError, load
from supervisor.console.credentials import Credentials
from supervisor.telemetry.mosquitto import write_files, write_private
from supervisor.telemetry.permissions import HUB_USER

ENVIRONMENT_FILE: Final = "hub.env"
VARIABLE: Final = "ENKAN_TELEMETRY__BROKER"


def mosquitto_command(
    out: Annotated[Path, typer.Argument(help="Folder for the files; made if needed.")],
    config: Annotated[Path, typer.Option("--config", help="The hub's configuration file.")] = Path(
        "hub.toml"
    ),
    listen: Annotated[str, typer.Option(help="Address the broker listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: 1883, or 8883 with TLS.")] = 0,
    name: Annotated[
        str, typer.Option(help="Host name or address by which the hub reaches it; else --listen.")
    ] = "",
    certificate: Annotated[Path | None, typer.Option(help="PEM file; turns TLS on.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    run_as: Annotated[str, typer.Option(help="Account that Mosquitto changes to.")] = "mosquitto",
) -> None:
    """Write mosquitto.conf, acl, passwords and the hub's hub.env for Eclipse Mosquitto 2.

    Run it again after `enkan credentials add-vehicle`: the hub's password stays, and a
    running Mosquitto takes the rest up with SIGHUP.
    """
    if (certificate is None) != (key is None):
        raise ConfigError("--certificate and --key belong together")
    loaded = load(config, dict(os.environ))
    known = Credentials.load(loaded.state_dir(config.resolve()) / loaded.hub.credentials).vehicles()
    users = {}
    for entry in loaded.vehicle:
        if entry.vehicle_id not in known:
            raise ConfigError(
                f"vehicle {entry.vehicle_id} has no credentials; "
                f"make them: enkan credentials add-vehicle {entry.vehicle_id}"
            )
        users[entry.vehicle_id] = known[entry.vehicle_id].token
    tls = None if certificate is None or key is None else (certificate.resolve(), key.resolve())
    scheme, usual = ("mqtt", 1883) if tls is None else ("mqtts", 8883)
    environment = out / ENVIRONMENT_FILE
    password = _password_in(environment) or secrets.token_urlsafe(32)
    written = write_files(
        out.resolve(),
        listen=listen,
        port=port or usual,
        users=users,
        hub_password=password,
        run_as=run_as,
        tls=tls,
    )
    url = f"{scheme}://{HUB_USER}:{password}@{name or listen}:{port or usual}"
    write_private(environment, f"{VARIABLE}={url}\n")
    typer.echo(f"broker   mosquitto -c {written}   ({len(users)} vehicles)")
    typer.echo(f"hub      EnvironmentFile={environment.resolve()}   (holds its password)")
    if tls is None and listen not in ("127.0.0.1", "::1", "localhost"):
        typer.echo(
            "PLAIN MQTT beyond loopback: put it behind a VPN, or give --certificate", err=True
        )


def _password_in(environment: Path) -> str:
    """Return the hub's password of an earlier run; empty: there was none."""
    if not environment.exists():
        return ""
    _, _, url = environment.read_text(encoding="utf-8").strip().partition("=")
    before, _, _ = url.rpartition("@")
    return before.rpartition(":")[2]
