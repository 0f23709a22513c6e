"""The command line: `enkan …`."""

from __future__ import annotations

import datetime
import enum
import gc
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
import uvloop
from rich.console import Console as Terminal
from rich.progress import Progress

from protocols.codec import ProtocolError
from protocols.operator import Role
from protocols.topics import VehicleId
from supervisor import __version__, clock, demo, service
from supervisor.app import AUDIT_FILE, Hub
from supervisor.backup.archive import BackupError
from supervisor.backup.command import backup_command, restore_command
from supervisor.config import ROOT, ConfigError, load
from supervisor.console import certificates, https_help
from supervisor.console.certificates import CertificateError
from supervisor.console.credentials import Credentials, CredentialsError, write_vehicle_file
from supervisor.console.listening import ListenError
from supervisor.deployment import mosquitto_command
from supervisor.doctor.command import doctor_command
from supervisor.evidence import audit, coverage, replay_report
from supervisor.evidence.audit import AuditError
from supervisor.evidence.reading import rows
from supervisor.evidence.replay import Replay, Wanted, find_segments
from supervisor.evidence.segments import JournalError
from supervisor.media.errors import MediaError
from supervisor.observability import logs
from supervisor.telemetry.broker import BrokerError

log = logging.getLogger("enkan.cli")

EXIT_DIFFERENT = 1
EXIT_USAGE = 2
EXIT_CANNOT_START = 4
HASH: Final = re.compile(r"[0-9a-fA-F]{64}")

REFUSALS = (
    AuditError,
    BackupError,
    BrokerError,
    CertificateError,
    ConfigError,
    CredentialsError,
    JournalError,
    ListenError,
    MediaError,
    ProtocolError,
    demo.DemoError,
)
"""Errors whose text is written for the person who started the program."""

terminal = Terminal(stderr=True, highlight=False)
app = typer.Typer(
    name="enkan",
    help="Enkan (遠監): remote supervision of Level-4 buses and tractors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
credentials_app = typer.Typer(
    help="Accounts of operators and secrets of vehicles.", no_args_is_help=True
)
app.add_typer(credentials_app, name="credentials")
app.command("doctor")(doctor_command)
app.command("mosquitto")(mosquitto_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

ConfigOption = Annotated[
    Path, typer.Option("--config", help="Configuration file (see `enkan sample-config`).")
]
CredentialsOption = Annotated[
    Path, typer.Option("--file", help="The credentials file in the hub's state directory.")
]


class Language(enum.StrEnum):
    """Of a report for people."""

    JA = "ja"
    EN = "en"


INSIDE_BENCHES: Final = {
    "core": "supervisor.core_bench",
    "journal": "supervisor.evidence.journal_bench",
}
"""Those that look inside the hub; the others are black boxes (`loadtests`)."""


def main() -> None:
    """Run the command line; a refusal ends in one clear line and an exit code."""
    try:
        app(prog_name="enkan")
    except REFUSALS as error:
        terminal.print(f"enkan: {error}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(EXIT_CANNOT_START) from error


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command("demo")
def demo_command(
    port: Annotated[int, typer.Option(help="Port of the console; another if taken.")] = 8080,
    state: Annotated[Path, typer.Option(help="Where the demo keeps its state.")] = ROOT / ".demo",
    vehicles: Annotated[int, typer.Option(min=1, max=3, help="How many of the fleet.")] = 3,
) -> None:
    """Start everything with a synthetic fleet, on loopback; Ctrl-C ends it."""
    logs.configure("text", level=logging.WARNING)
    raise SystemExit(uvloop.run(demo.run(port=port, state_dir=state, vehicles=vehicles)))


@app.command()
def hub(
    config: ConfigOption,
    broker: Annotated[
        str, typer.Option(help="Another broker: mqtt://user:password@host:port")
    ] = "",
) -> None:
    """Run a hub."""
    environment = dict(os.environ)
    if broker:
        environment["ENKAN_TELEMETRY__BROKER"] = broker
    loaded = load(config, environment)
    logs.configure(loaded.hub.log_format, level=logging.INFO)
    part_ready = lambda part, text: typer.echo(f"{part:<8} {text}")  # noqa: E731
    built = Hub(loaded, config.resolve(), announce=part_ready)
    # What was loaded stays: looking through all of it again and again held the loop.
    gc.collect()
    gc.freeze()
    raise SystemExit(uvloop.run(_run_hub(built)))


async def _run_hub(built: Hub) -> int:
    try:
        await service.run(built, service.Notifier.of_this_process())
    except BaseExceptionGroup as group:  # the boundary of the process: one line each, a code
        for error in _leaves(group):
            known = isinstance(error, REFUSALS)
            log.error("hub ended: %s", error, exc_info=None if known else error)
            terminal.print(f"enkan: {error}", style="red", markup=False, soft_wrap=True)
        return EXIT_CANNOT_START
    log.info("hub ended on request")
    return 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found


@app.command("sample-config")
def sample_config(
    which: Annotated[str, typer.Argument(help="hub or vehicle")] = "hub",
) -> None:
    """Print a commented configuration with every key and its default."""
    names = {"hub": "enkan.sample.toml", "vehicle": "vehicle.sample.toml"}
    if which not in names:
        raise ConfigError(f"there is no sample for {which!r}: say hub or vehicle")
    typer.echo((ROOT / "deploy" / names[which]).read_text(encoding="utf-8"), nl=False)


@app.command("certs")
def certs_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="What people type to reach the console: host names, IP addresses."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("certs"),
    renew: Annotated[
        bool, typer.Option("--renew", help="Keep the authority, make a new certificate.")
    ] = False,
) -> None:
    """Make a local certificate authority and the console's certificate, for https on a LAN.

    Without names: this machine's name and addresses; with --renew those it had. The
    authority can sign for these names only, for ten years; the certificate holds 397 days.
    """
    made = certificates.issue(
        out,
        certificates.parse_names(names) if names else None,
        renew=renew,
        now=datetime.datetime.fromtimestamp(clock.utc_ns() / 1e9, datetime.UTC),
    )
    https_help.write_pages(made.folder, ROOT / "docs" / "help", ROOT / "ui" / "style")
    for line in https_help.report(made):
        typer.echo(line)


@app.command("replay")
def replay_command(
    journal: Annotated[Path, typer.Option(help="A journal's folder, or one of its files.")],
    vehicle: Annotated[str, typer.Option(help="Compare only this one: site/vehicle.")] = "",
    from_: Annotated[str, typer.Option("--from", help="Compare from here, UTC.")] = "",
    to: Annotated[str, typer.Option(help="Compare up to here: 2026-11-23T15:04:05.")] = "",
    why: Annotated[bool, typer.Option(help="Tell what led to each alarm and command.")] = False,
    other_version: Annotated[
        bool, typer.Option(help="Try a journal that another version of Enkan wrote.")
    ] = False,
) -> None:
    """Feed a journal to the core again; the first difference ends it with code 1."""
    wanted = Wanted(
        VehicleId.parse(vehicle) if vehicle else None,
        replay_report.parse_time(from_) if from_ else None,
        replay_report.parse_time(to) if to else None,
    )
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("replay")
        running = Replay(
            find_segments(journal),
            wanted,
            other_version=other_version,
            on_step=replay_report.Why(typer.echo, wanted.vehicle) if why else None,
            on_bytes=lambda read: bar.update(task, completed=read),
        )
        bar.update(task, total=running.total_bytes)
        summary = running.run()
    for line in replay_report.summary_lines(summary):
        typer.echo(line)
    raise SystemExit(EXIT_DIFFERENT if summary.difference is not None else 0)


@app.command("verify")
def verify_command(
    store: Annotated[
        Path, typer.Argument(help="The audit store, or the hub's state folder that holds it.")
    ],
    head: Annotated[
        str, typer.Option(help="A head noted down earlier, NUMBER:HASH: is it still in there?")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check an audit store's chain of hashes, offline; changes nothing.

    Prints the head of the chain: keep a copy of it elsewhere, since nothing inside a
    file can show that its end was cut off. Ends with code 1 if a record is missing,
    altered or unreadable, and names the first such record.
    """
    known: tuple[int, str] | None = None
    if head:
        number, colon, digest = head.partition(":")
        if not colon or not number.isdecimal() or not HASH.fullmatch(digest):
            raise typer.BadParameter("expected NUMBER:HASH, as this command prints it")
        known = int(number), digest.lower()
    file = store / AUDIT_FILE if store.is_dir() else store
    result = audit.verify(file, known)
    if as_json:
        typer.echo(msgspec.json.encode(result._asdict()).decode())
    elif result.ok:
        typer.echo(f"intact: {result.records} records, head {result.records}:{result.head}")
    else:
        typer.echo(f"BROKEN at record {result.first_broken}: {result.reason}")
        typer.echo(f"the {result.records} records before it are intact")
    raise SystemExit(0 if result.ok else EXIT_DIFFERENT)


@app.command("coverage")
def coverage_command(
    store: Annotated[
        Path, typer.Argument(help="The audit store, or the hub's state folder that holds it.")
    ],
    from_: Annotated[str, typer.Option("--from", help="From here: 2026-11-23T09:00+09:00.")] = "",
    to: Annotated[str, typer.Option(help="Up to here; UTC if it says no zone.")] = "",
    vehicle: Annotated[str, typer.Option(help="Only this one: site/vehicle.")] = "",
    language: Annotated[
        Language, typer.Option(help="Of the report; ja tells times in JST.")
    ] = Language.JA,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead, times in UTC.")] = False,
) -> None:
    """Tell who had which vehicle on screen when, and when nobody had; from the audit.

    Ends with code 1 if a vehicle in operation was on nobody's screen.
    """
    file = store / AUDIT_FILE if store.is_dir() else store
    found = coverage.spans(
        rows(file, coverage.KINDS),
        replay_report.parse_time(from_) if from_ else None,
        replay_report.parse_time(to) if to else None,
    )
    if vehicle:
        name = str(VehicleId.parse(vehicle))
        found = [one for one in found if one.vehicle == name]
    if as_csv:
        typer.echo(coverage.comma_separated(found), nl=False)
    else:
        for line in coverage.lines(found, language.value):
            typer.echo(line)
    raise SystemExit(EXIT_DIFFERENT if any(not one.account for one in found) else 0)


# ------------------------------------------------------------------ credentials


@credentials_app.command("add-account")
def add_account(
    name: str,
    role: Annotated[Role, typer.Option(help="What the account may do.")] = Role.OPERATOR,
    file: CredentialsOption = Path("state/credentials.json"),
) -> None:
    """Add an account; asks for its password, or reads it from standard input."""
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\n")
    )
    credentials = _open_or_create(file)
    credentials.add_account(name, role, password)
    credentials.save()
    typer.echo(f"account {name} ({role.value}) is in {file}")


@credentials_app.command("add-vehicle")
def add_vehicle(
    vehicles: Annotated[list[str], typer.Argument(help="site/vehicle; several may be given")],
    out: Annotated[Path, typer.Option(help="Folder for the file a vehicle is given.")] = Path(),
    file: CredentialsOption = Path("state/credentials.json"),
) -> None:
    """Make the secrets of vehicles, and for each the file that is copied to it."""
    names = [VehicleId.parse(name) for name in vehicles]
    credentials = _open_or_create(file)
    secrets = [credentials.add_vehicle(name) for name in names]
    credentials.save()
    for name, secret in zip(names, secrets, strict=True):
        given = out / f"{name.vehicle}.credentials.json"
        write_vehicle_file(given, name, secret)
        typer.echo(f"copy {given} to the vehicle, then delete it here")


def _open_or_create(file: Path) -> Credentials:
    return Credentials.load(file) if file.exists() else Credentials.create(file)


# --------------------------------------------- other programs of the same checkout


@app.command("vehicle", context_settings=PASS_ON)
def vehicle_command(context: typer.Context) -> None:
    """Run a vehicle client (see `enkan vehicle --help`)."""
    _become("vehicle_stub", context.args)


@app.command("bench", context_settings=PASS_ON)
def bench_command(context: typer.Context) -> None:
    """Measure; prints figures beside their targets (see `enkan bench --help`)."""
    inside = INSIDE_BENCHES.get(next(iter(context.args), ""))
    if inside is not None:
        _become(inside, context.args[1:])
    _become("loadtests", context.args)


@app.command("test", context_settings=PASS_ON)
def test_command(context: typer.Context) -> None:
    """Check the whole project: style, types, contracts, tests, browser tests."""
    raise SystemExit(
        subprocess.run(
            [sys.executable, str(ROOT / "tests" / "run.py"), *context.args], check=False
        ).returncode
    )


@app.command("fuzz", context_settings=PASS_ON)
def fuzz_command(context: typer.Context) -> None:
    """Feed damaged inputs to every parser (see `enkan fuzz --help`)."""
    raise SystemExit(
        subprocess.run(
            [sys.executable, str(ROOT / "tests" / "fuzz.py"), *context.args], check=False
        ).returncode
    )


@app.command("mutate", context_settings=PASS_ON)
def mutate_command(context: typer.Context) -> None:
    """Change the vehicle's guards; their tests must notice (see `enkan mutate --help`)."""
    script = str(ROOT / "tests" / "mutate.py")
    os.execv(sys.executable, [sys.executable, script, *context.args])


@app.command("sim", context_settings=PASS_ON)
def sim_command(context: typer.Context) -> None:
    """Simulate the core with vehicles and people on a virtual clock (`enkan sim --help`)."""
    script = str(ROOT / "tests" / "sim" / "run.py")
    os.execv(sys.executable, [sys.executable, script, *context.args])


@app.command("check")
def check_command() -> None:
    """Check style, types and import contracts only (seconds)."""
    raise SystemExit(
        subprocess.run(
            [sys.executable, str(ROOT / "tests" / "run.py"), "--static"], check=False
        ).returncode
    )


def _become(module: str, arguments: list[str]) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
