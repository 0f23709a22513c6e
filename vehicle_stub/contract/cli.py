"""`enkan vehicle check`: 0 every rule is kept, 1 one is broken, 2 it cannot be checked."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from protocols.codec import ProtocolError
from protocols.tags import KEY_BYTES
from protocols.topics import VehicleId
from vehicle_stub import clock
from vehicle_stub.contract import report
from vehicle_stub.contract.hub import CheckingHub
from vehicle_stub.contract.mqtt import Account, CheckError, connected, parse_account
from vehicle_stub.contract.report import Language
from vehicle_stub.contract.run import CannotCheckError, Finding, Verdict, run

EXIT_BROKEN: Final = 1
EXIT_CANNOT: Final = 2
MAX_KEY_FILE: Final = 65_536


class _KeyFile(msgspec.Struct):
    """The part of a vehicle's credentials that a hub has too."""

    command_key: str


def check(
    broker: Annotated[
        str, typer.Option(help="mqtt[s]://user:password@host:port, with the hub's account.")
    ],
    vehicle: Annotated[str, typer.Option(help="SITE/NAME of the vehicle.")],
    key_file: Annotated[
        Path, typer.Option(help="The vehicle's credentials file, for its command key.")
    ],
    standing: Annotated[
        bool, typer.Option("--standing", help="The vehicle stands, and may be stopped.")
    ] = False,
    lang: Annotated[Language, typer.Option(help="Of the report.")] = Language.JA,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    reconnect: Annotated[
        float,
        typer.Option(min=0, max=600, help="Wait so many seconds for its client to come back."),
    ] = 0.0,
    epoch: Annotated[
        int, typer.Option(min=0, help="Begin with this epoch; 0: the time of day, as hubs do.")
    ] = 0,
    ca_file: Annotated[str, typer.Option(help="PEM file that signs the broker's key.")] = "",
) -> None:
    """Hold a vehicle of any maker to the contract, from outside, over MQTT.

    It never moves the vehicle: it sends stops, orders that have to be refused or do nothing,
    and takes control only to assist. No other hub may talk to the vehicle meanwhile, and a
    hub has to be started anew afterwards: its epoch is fenced off.
    """

    def say(finding: Finding) -> None:
        if not as_json:
            typer.echo(report.line(finding, lang))

    try:
        if not standing:
            raise CannotCheckError("not_confirmed")
        vehicle_id = VehicleId.parse(vehicle)
        account, key = parse_account(broker), _key(key_file)
        first = epoch or clock.utc_ns() // 1_000_000_000
        findings = asyncio.run(_check(account, vehicle_id, key, first, reconnect, ca_file, say))
    except CannotCheckError as error:
        words = report.text(report.CANNOT[error.reason], lang)
        detail = f" ({error.detail})" if error.detail else ""
        typer.echo(f"enkan vehicle check: {words}{detail}", err=True)
        raise typer.Exit(EXIT_CANNOT) from None
    except (CheckError, ProtocolError) as error:
        typer.echo(f"enkan vehicle check: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT) from None
    if as_json:
        typer.echo(json.dumps(report.as_data(findings), ensure_ascii=False, indent=1))
    else:
        typer.echo(report.summary(findings, lang))
    if any(finding.verdict is Verdict.BROKEN for finding in findings):
        raise typer.Exit(EXIT_BROKEN)


async def _check(
    account: Account,
    vehicle_id: VehicleId,
    key: bytes,
    epoch: int,
    reconnect_s: float,
    ca_file: str,
    say: Callable[[Finding], None],
) -> list[Finding]:
    run_id = f"check-{secrets.token_hex(4)}"
    async with connected(account, vehicle_id, run_id, ca_file) as way:
        hub = CheckingHub(way, vehicle_id, key, epoch, run_id, reconnect_s)
        beside = [
            asyncio.create_task(way.hear(), name="check-hear"),
            asyncio.create_task(way.beat(hub), name="check-beat"),
        ]
        try:
            return await run(hub, say=say)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


def _key(path: Path) -> bytes:
    try:
        found = msgspec.json.decode(path.read_bytes()[:MAX_KEY_FILE], type=_KeyFile)
        key = bytes.fromhex(found.command_key)
    except OSError as error:
        raise CheckError(f"--key-file: {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise CheckError(f"--key-file: {path}: expected a vehicle's credentials file") from error
    if len(key) != KEY_BYTES:
        raise CheckError(f"--key-file: {path}: a command key has {KEY_BYTES} bytes")
    return key
