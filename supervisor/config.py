"""Assembles the configuration from the Structs that each room declares.

One TOML file; an unknown key or a value of the wrong type stops start-up and names
its path. `ENKAN_SECTION__KEY` in the environment overrides `[section] key`, for
containers and unit files. `deploy/enkan.sample.toml` is the commented reference,
and a test keeps it complete.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from protocols import vehicle
from protocols.codec import ProtocolError
from protocols.ids import check_name
from protocols.topics import VehicleId
from supervisor.console.config import ConsoleConfig
from supervisor.core import duty_rows
from supervisor.core.catalogue import CATALOGUE
from supervisor.core.config import CoreConfig
from supervisor.core.objectives import problems
from supervisor.evidence.journal import JournalConfig
from supervisor.media.pool import MediaConfig
from supervisor.observability.metrics_server import MetricsConfig
from supervisor.telemetry.config import TelemetryConfig

ROOT: Final = Path(__file__).resolve().parent.parent
"""The checkout: where ui/, scenarios/ and deploy/ are."""

ENVIRONMENT_PREFIX: Final = "ENKAN_"
MAX_CONFIG_BYTES: Final = 1_000_000


class ConfigError(Exception):
    """The configuration cannot be used; the text says what, why and what to do."""


class HubSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hub itself.

    Attributes:
        name: Shown to operators.
        id: Sent to vehicles in heartbeats.
        state_dir: Where the audit, the broker's store and secrets are kept;
            relative to the configuration file.
        credentials: Accounts and vehicle secrets; relative to `state_dir`.
        demo: Shows the demo account on the sign-in page. Refused unless every
            address is loopback.
        log_format: "auto" (lines for people on a terminal, JSON else), "text", "json".
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)] = "Enkan"
    id: Annotated[str, Meta(min_length=1, max_length=32)] = "hub-1"
    state_dir: str = "state"
    credentials: str = "credentials.json"
    demo: bool = False
    log_format: Annotated[str, Meta(pattern="^(auto|text|json)$")] = "auto"


class VehicleSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vehicle this hub supervises; others are refused.

    Attributes:
        site, id: Its full name `site/id`.
        kind: bus, tractor, robot or other.
        name: Shown to operators.
    """

    site: str
    id: str
    kind: vehicle.Kind
    name: Annotated[str, Meta(max_length=64)] = ""

    @property
    def vehicle_id(self) -> VehicleId:
        """The full name."""
        return VehicleId(self.site, self.id)


class HubConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration of one hub."""

    hub: HubSection = HubSection()
    telemetry: TelemetryConfig = TelemetryConfig()
    media: MediaConfig = MediaConfig()
    console: ConsoleConfig = ConsoleConfig()
    metrics: MetricsConfig = MetricsConfig()
    core: CoreConfig = CoreConfig()
    journal: JournalConfig = JournalConfig()
    vehicle: list[VehicleSection] = []

    def state_dir(self, config_file: Path) -> Path:
        """Return the state directory, resolved against the configuration file."""
        return (config_file.parent / self.hub.state_dir).resolve()


def load(path: Path, environment: Mapping[str, str] | None = None) -> HubConfig:
    """Read and check a configuration file.

    Args:
        path: The TOML file.
        environment: Overrides; the process environment if None.

    Raises:
        ConfigError: The file is missing, not TOML, has an unknown key, a value of the
            wrong type, or names that do not fit together.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES} bytes: not a configuration")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({error}). "
            "`enkan sample-config > hub.toml` writes a commented one."
        ) from error
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    override(raw, os.environ if environment is None else environment)
    try:
        config = msgspec.convert(raw, HubConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}. See deploy/enkan.sample.toml.") from error
    _check(path, config)
    return config


def override(raw: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Apply `ENKAN_SECTION__KEY=value` (`ENKAN_CORE__LADDER__HOLD_S`) to `raw`, in place.

    A value is read as TOML where it is valid TOML (`8080`, `true`, `["a"]`) and as
    text otherwise.

    Raises:
        ConfigError: A variable names no table.
    """
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or "__" not in variable:
            continue
        *sections, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        table = raw
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{variable}: [{section}] is a list, set it in the file")
        try:
            table[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            table[key] = text


def _check(path: Path, config: HubConfig) -> None:
    seen: set[VehicleId] = set()
    for index, entry in enumerate(config.vehicle):
        try:
            check_name(entry.site, "site")
            check_name(entry.id, "id")
        except ProtocolError as error:
            raise ConfigError(f"{path}: vehicle[{index}]: {error.detail}") from error
        if entry.vehicle_id in seen:
            raise ConfigError(f"{path}: vehicle[{index}]: {entry.vehicle_id} is listed twice")
        seen.add(entry.vehicle_id)
    wrong = problems(config.core.objective, config.core.segment) or duty_rows.problems(
        config.core.duty,
        config.core.contact,
        [segment.name for segment in config.core.segment],
        [row.key for row in CATALOGUE],
    )
    if wrong:
        raise ConfigError(f"{path}: core: {wrong}")
    if config.core.governor.hold_s < 2 * config.core.governor.renew_s:
        raise ConfigError(
            f"{path}: core.governor.hold_s must be at least twice renew_s: a limit that lapses "
            "between two renewals makes the vehicle slow down and speed up again."
        )
    if config.hub.demo:
        for section, address in (
            ("console", config.console.listen),
            ("telemetry", config.telemetry.listen),
            ("media", config.media.listen),
        ):
            if not (address == "::1" or address.startswith("127.")):
                raise ConfigError(
                    f"{path}: hub.demo = true has a published password, so {section}.listen "
                    f"must be a loopback address, not {address}. Set hub.demo = false."
                )
