"""The command line of one vehicle."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from vehicle_stub.config import ConfigError, load
from vehicle_stub.contract.cli import check as contract_check

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command("check")(contract_check)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="The vehicle's configuration file; deploy/vehicle.sample.toml explains every key.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check the configuration, then end.")
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Take faults from standard input, for the demo."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Run one vehicle: it drives its route or field, sends pictures, sound and numbers
    to the hub, and obeys it by its contract. Ctrl-C ends it and tells the hub.

    `check` instead of options holds a vehicle of any maker to that contract."""
    if context.invoked_subcommand is not None:
        return
    if config is None:
        raise typer.BadParameter(
            "missing; deploy/vehicle.sample.toml explains every key", param_hint="--config"
        )
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for name in ("httpx", "httpcore", "aioice", "aiortc", "mqtt", "libav", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from vehicle_stub.app import VehicleApp

    try:
        found = load(config)
        vehicle = VehicleApp(found, config, rehearse=rehearse)
    except ConfigError as error:
        typer.echo(f"enkan vehicle: {error}", err=True)
        raise typer.Exit(2) from None
    if check:
        typer.echo(f"{config}: {found.vehicle_id} is complete")
        return
    logging.getLogger("enkan.vehicle").info(
        "%s (%s), %d cameras", found.vehicle_id, found.vehicle.kind, len(found.camera)
    )
    asyncio.run(vehicle.run())


def main() -> None:
    """Run the command line."""
    app()
