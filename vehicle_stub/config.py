"""The vehicle's configuration: one TOML file, overridden by the environment.

`deploy/vehicle.sample.toml` is the commented reference. An unknown key, a value of
the wrong type or a missing file stops the start with one line that names the key.
`ENKAN_SECTION__KEY` (lists: `ENKAN_CAMERA__0__BITRATE_KBPS`) overrides a key; its
value is read as TOML if it is TOML, else as text. Relative paths are relative to
the folder of the configuration file.
"""

from __future__ import annotations

import enum
import os
import tomllib
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from protocols.codec import ProtocolError
from protocols.ids import MAX_NAME_LENGTH, check_name
from protocols.topics import VehicleId
from protocols.vehicle import MAX_CAMERAS, Kind, MrmBehaviour
from vehicle_stub.equipment import Happening

ENV_PREFIX: Final = "ENKAN_"
MAX_FILE_BYTES: Final = 1 << 20
DEFAULT_MQTT_PORT: Final = 1883
LOW_SUFFIX: Final = "--low"
"""Ends the name of a camera's small picture; the hub takes both for one camera."""

LAYER_SEPARATOR: Final = "--"
LOW_WIDTH: Final = 640
SCENARIOS: Final = Path(__file__).resolve().parent.parent / "scenarios"
LOW_FROM_HEIGHT: Final = 720


class ConfigError(Exception):
    """The configuration cannot be used; the text says what, where and what to do."""


class OnLinkLoss(enum.StrEnum):
    """What the vehicle does when the hub is not heard any more.

    DEFAULT: a tractor performs its fallback manoeuvre, everything else continues
    inside its operational design domain.
    """

    DEFAULT = "default"
    CONTINUE = "continue"
    FALLBACK = "fallback"


class Facing(enum.StrEnum):
    """Where a synthetic camera looks, seen from the driver."""

    AHEAD = "ahead"
    LEFT = "left"
    RIGHT = "right"


class VehicleSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this vehicle is.

    Attributes:
        site, id: Names (a-z, 0-9, '-'); with the credentials they are its identity.
        name: For people, up to 64 characters; empty takes `id`.
        state_dir: Folder for the highest epoch, the one thing that must survive.
        happening: What befalls it, for demonstrations and tests: `[[vehicle.happening]]`.
    """

    site: str
    id: str
    kind: Kind
    name: Annotated[str, Meta(max_length=64)] = ""
    state_dir: str = "state"
    happening: Annotated[list[Happening], Meta(max_length=64)] = []


class HubSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the hub and the broker are.

    Attributes:
        whip_url: Where the hub's WHIP endpoints (RFC 9725) begin; `/site/vehicle` is
            appended. Empty sends no video and sound.
        broker: `mqtt://host:port`, or `mqtts://host:port` with TLS.
        media_via: `host:port` that pictures and sound are sent to, in place of the addresses
            the hub's answer names: a forwarded port or a relay. Empty: as the answer says.
        ca_file: PEM bundle that signs the hub's certificates; empty: the system's.
        credentials: File made by the hub, mode 0600.
    """

    whip_url: str = "http://127.0.0.1:8080/whip"
    broker: str = "mqtt://127.0.0.1:1883"
    media_via: str = ""
    ca_file: str = ""
    credentials: str


class CameraSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera.

    Attributes:
        source: `synthetic`, `file:PATH`, `v4l2:/dev/video0`, `rtsp://…`.
        facing: Where a synthetic one looks.
        bitrate_kbps: Upper limit; the encoder follows the hub's estimate below it.
        keyframe_interval_s: Seconds between keyframes nobody asked for.
        low: Also send a small picture (640 pixels wide, 15 a second, 300 kbit/s) as
            `NAME--low`, for tiles and thin links; default: cameras of 720 lines and more.
        burn_strip: Draw frame number and capture time into the picture; default:
            only into the synthetic one.
    """

    name: str
    source: str = "synthetic"
    facing: Facing = Facing.AHEAD
    width: Annotated[int, Meta(ge=320, le=3840, multiple_of=16)] = 1280
    height: Annotated[int, Meta(ge=180, le=2160, multiple_of=2)] = 720
    fps: Annotated[int, Meta(ge=1, le=60)] = 30
    bitrate_kbps: Annotated[int, Meta(ge=100, le=50_000)] = 2_500
    keyframe_interval_s: Annotated[float, Meta(ge=0.2, le=60)] = 2.0
    low: bool | None = None
    burn_strip: bool | None = None

    @property
    def sends_low(self) -> bool:
        """Whether a small picture of this camera is sent too."""
        return self.height >= LOW_FROM_HEIGHT if self.low is None else self.low

    @property
    def strip(self) -> bool:
        """Whether the strip is drawn into this camera's picture."""
        return self.source == "synthetic" if self.burn_strip is None else self.burn_strip


class AudioSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The microphone. `source`: `synthetic`, `file:PATH` or `none`."""

    source: str = "synthetic"


class SpeakerSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an operator's voice goes. `output`: `none`, `file:PATH.wav`, `alsa:DEVICE`."""

    output: str = "none"


class DriveSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it drives.

    Attributes:
        route: GeoJSON with one LineString (a closed ring loops) and named stops;
            `scenario:…` is a path below the program's own scenarios.
        field: GeoJSON with one Polygon, covered in lanes; for tractors.
        implement_width_m: Width worked in one lane.
        cruise_kmh: Speed on the straight.
        silent_kmh: At most this fast while the hub does not say, again and again, how fast
            it may: the lower, safe speed for a vehicle that nobody watches.
        start_m: Where on the path it starts.
        obstacle_at_m: Where on the path something stands in its way.
        answer_within_s: How long it waits for a person before its own manoeuvre.
        dwell_s: Standing time at a stop.
        fallback: The minimal-risk manoeuvre it performs by itself.
        link_loss_s: Without the hub's heartbeat for so long, the link is lost.
        on_link_loss: What then; see `OnLinkLoss`.
        loop: Begin again at the end of the path.
    """

    route: str = ""
    field: str = ""
    implement_width_m: Annotated[float, Meta(ge=1.0, le=30.0)] = 4.0
    cruise_kmh: Annotated[float, Meta(gt=0, le=60)] = 20.0
    silent_kmh: Annotated[float, Meta(ge=0, le=60)] = 10.0
    start_m: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    obstacle_at_m: Annotated[list[Annotated[float, Meta(ge=0, le=1e6)]], Meta(max_length=32)] = []
    answer_within_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    dwell_s: Annotated[float, Meta(ge=0, le=600)] = 6.0
    fallback: MrmBehaviour = MrmBehaviour.COMFORTABLE_STOP
    link_loss_s: Annotated[float, Meta(ge=1, le=600)] = 3.0
    on_link_loss: OnLinkLoss = OnLinkLoss.DEFAULT
    loop: bool = True


class VehicleConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `camera` is a list: `[[camera]]` once for each."""

    vehicle: VehicleSection
    hub: HubSection
    camera: Annotated[list[CameraSection], Meta(max_length=MAX_CAMERAS)] = []
    audio: AudioSection = AudioSection()
    speaker: SpeakerSection = SpeakerSection()
    drive: DriveSection

    @property
    def vehicle_id(self) -> VehicleId:
        """The full name."""
        return VehicleId(self.vehicle.site, self.vehicle.id)


class Broker(msgspec.Struct, frozen=True):
    """A parsed broker address."""

    host: str
    port: int
    tls: bool


def load(path: Path, environment: Mapping[str, str] | None = None) -> VehicleConfig:
    """Read and check one configuration file.

    Raises:
        ConfigError: Anything wrong with it; one line.
    """
    data = _toml(path)
    _override(data, os.environ if environment is None else environment)
    try:
        config = msgspec.convert(data, VehicleConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_readable(str(error))}") from error
    _check(config, path)
    return config


def resolve(config_path: Path, relative: str) -> Path:
    """Return a path of the configuration, relative to its folder.

    `scenario:` stands for the folder of routes and fields that comes with the program.

    Raises:
        ConfigError: It begins with the home of somebody unknown.
    """
    prefix, colon, rest = relative.partition(":")
    if colon and prefix == "scenario":
        return SCENARIOS / rest
    try:
        return config_path.parent / Path(relative).expanduser()
    except RuntimeError as error:  # ~somebody, who has no home here
        raise ConfigError(f"{relative!r}: {error}") from error


def parse_broker(url: str) -> Broker:
    """Return the parts of `mqtt://host[:port]` or `mqtts://host[:port]`.

    Raises:
        ConfigError: Not such an address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"hub.broker: {url!r}: {error}") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ConfigError(f"hub.broker: {url!r}: expected mqtt://host:port or mqtts://host:port")
    if parts.username or parts.password:
        raise ConfigError("hub.broker: leave the user name out; it comes from hub.credentials")
    tls = parts.scheme == "mqtts"
    return Broker(parts.hostname, port or (8883 if tls else DEFAULT_MQTT_PORT), tls)


def parse_media_via(text: str) -> tuple[str, int] | None:
    """Return host and port of `hub.media_via`; None if it is empty.

    Raises:
        ConfigError: Not `host:port`.
    """
    if not text:
        return None
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"hub.media_via: {text!r}: {error}") from error
    if not host or not port or parts.netloc != text or "@" in text:
        raise ConfigError(f"hub.media_via: {text!r}: expected host:port")
    return host, port


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _override(data: dict[str, Any], environment: Mapping[str, str]) -> None:
    sections = set(VehicleConfig.__struct_fields__)
    for name in sorted(environment):
        if not name.startswith(ENV_PREFIX) or "__" not in name:
            continue
        keys = name[len(ENV_PREFIX) :].lower().split("__")
        if keys[0] not in sections:
            continue  # a key of the hub, which shares the prefix
        _set(data, keys, environment[name], name)


def _set(data: dict[str, Any], keys: list[str], text: str, name: str) -> None:
    place: Any = data
    for key, after in pairwise(keys):
        if isinstance(place, list):
            place = _entry(place, key, name)
        elif isinstance(place, dict):
            place = place.setdefault(key, [] if after.isdigit() else {})
        else:
            raise ConfigError(f"{name}: `{key}` has no keys below it")
    try:
        value: Any = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text
    if isinstance(place, list):
        _entry(place, keys[-1], name)
        place[int(keys[-1])] = value
    elif isinstance(place, dict):
        place[keys[-1]] = value
    else:
        raise ConfigError(f"{name}: `{keys[-2]}` has no keys below it")


def _entry(entries: list[Any], key: str, name: str) -> Any:
    if not key.isdigit() or int(key) > len(entries):
        raise ConfigError(f"{name}: expected a number from 0 to {len(entries)} instead of {key}")
    if int(key) == len(entries):
        entries.append({})
    return entries[int(key)]


def _readable(text: str) -> str:
    """Turn msgspec's "… - at `$.hub`" into "hub: …"."""
    message, separator, where = text.rpartition(" - at `")
    if not separator:
        return text
    return f"{where.rstrip('`').removeprefix('$').removeprefix('.')}: {message}"


def _check(config: VehicleConfig, path: Path) -> None:
    try:
        check_name(config.vehicle.site, "vehicle.site")
        check_name(config.vehicle.id, "vehicle.id")
        for index, camera in enumerate(config.camera):
            check_name(camera.name, f"camera[{index}].name")
    except ProtocolError as error:
        raise ConfigError(f"{path}: {error.detail}") from error
    names = [camera.name for camera in config.camera]
    for index, camera in enumerate(config.camera):
        if names.index(camera.name) != index:
            raise ConfigError(f"{path}: camera[{index}].name: {camera.name!r} is used twice")
        if LAYER_SEPARATOR in camera.name:
            raise ConfigError(
                f"{path}: camera[{index}].name: {LAYER_SEPARATOR!r} stands between a camera and "
                "its sizes"
            )
        if camera.sends_low and camera.width <= LOW_WIDTH:
            raise ConfigError(
                f"{path}: camera[{index}].low: {camera.width} pixels are not more than the small "
                f"picture has; only a camera wider than {LOW_WIDTH} has one"
            )
        if camera.sends_low and len(camera.name + LOW_SUFFIX) > MAX_NAME_LENGTH:
            raise ConfigError(f"{path}: camera[{index}].name: too long for `low`")
        _check_camera_source(camera.source, f"camera[{index}].source", path)
    if config.audio.source not in ("synthetic", "none"):
        if not config.audio.source.startswith("file:"):
            raise ConfigError(f"{path}: audio.source: expected synthetic, file:PATH or none")
        _check_file(config.audio.source.removeprefix("file:"), "audio.source", path)
    _check_speaker(config.speaker.output, path)
    parse_broker(config.hub.broker)
    parse_media_via(config.hub.media_via)
    if config.hub.whip_url and not _is_http(config.hub.whip_url):
        raise ConfigError(f"{path}: hub.whip_url: expected http://… or https://…, or empty")
    if config.hub.ca_file:
        _check_file(config.hub.ca_file, "hub.ca_file", path)
    if bool(config.drive.route) == bool(config.drive.field):
        raise ConfigError(f"{path}: drive: give either `route` or `field`")
    key = "route" if config.drive.route else "field"
    _check_file(config.drive.route or config.drive.field, f"drive.{key}", path)
    if config.drive.fallback is MrmBehaviour.NONE:
        raise ConfigError(f"{path}: drive.fallback: a vehicle needs a minimal-risk manoeuvre")


def _check_camera_source(source: str, key: str, path: Path) -> None:
    scheme, _, rest = source.partition(":")
    if source == "synthetic" or (scheme in ("rtsp", "rtsps", "v4l2") and rest):
        return
    if scheme == "file" and rest:
        _check_file(rest, key, path)
        return
    raise ConfigError(
        f"{path}: {key}: {source!r}: expected synthetic, file:PATH, v4l2:DEVICE or rtsp://…"
    )


def _check_speaker(output: str, path: Path) -> None:
    kind, _, rest = output.partition(":")
    if output == "none" or (kind == "alsa" and rest):
        return
    if kind != "file" or not rest.endswith(".wav"):
        raise ConfigError(f"{path}: speaker.output: expected none, file:PATH.wav or alsa:DEVICE")
    folder = resolve(path, rest).parent
    if not _there(folder.is_dir):
        raise ConfigError(f"{path}: speaker.output: {folder}: no such folder")


def _check_file(relative: str, key: str, path: Path) -> None:
    target = resolve(path, relative)
    if not _there(target.is_file):
        raise ConfigError(f"{path}: {key}: {target}: no such file")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # brackets that hold no address
        return False


def _there(look: Callable[[], bool]) -> bool:
    """Tell what `look` finds; a name that cannot be one of a file is not there."""
    try:
        return look()
    except (OSError, ValueError):
        return False
