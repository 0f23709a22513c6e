"""Configuration: the sample is complete, and every mistake is one clear line."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vehicle_stub import config as configuration
from vehicle_stub.config import ConfigError, load
from vehicle_stub.credentials import load_credentials

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "deploy/vehicle.sample.toml"


def test_the_sample_loads() -> None:
    found = load(SAMPLE, {})
    assert str(found.vehicle_id) == "maebashi/bus-01"
    assert found.camera[0].strip


def test_the_sample_names_every_key_there_is() -> None:
    data = tomllib.loads(SAMPLE.read_text())
    for section in msgspec.structs.fields(configuration.VehicleConfig):
        given = data[section.name]
        given = given[0] if isinstance(given, list) else given
        kind = {
            "vehicle": configuration.VehicleSection,
            "hub": configuration.HubSection,
            "camera": configuration.CameraSection,
            "audio": configuration.AudioSection,
            "speaker": configuration.SpeakerSection,
            "drive": configuration.DriveSection,
        }[section.name]
        assert set(given) == set(kind.__struct_fields__), section.name


def test_the_sample_shows_the_defaults() -> None:
    data = tomllib.loads(SAMPLE.read_text())
    shown_otherwise = {"route", "obstacle_at_m", "burn_strip", "name"}
    for section, kind in (
        ("drive", configuration.DriveSection),
        ("audio", configuration.AudioSection),
        ("speaker", configuration.SpeakerSection),
        ("hub", configuration.HubSection),
    ):
        for field in msgspec.structs.fields(kind):
            if field.name in shown_otherwise or field.required:
                continue
            default = field.default
            if default is msgspec.NODEFAULT:
                default = field.default_factory()
            assert data[section][field.name] == default, field.name


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = SAMPLE.read_text()
    assert old in text
    path = tmp_path / "vehicle.toml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fps = 30", "fsp = 30", "camera[0]: Object contains unknown field `fsp`"),
        ("fps = 30", 'fps = "fast"', "camera[0].fps: Expected `int`, got `str`"),
        ("fps = 30", "fps = 3000", "camera[0].fps"),
        ("[audio]", "[sound]", "unknown field `sound`"),
        ('kind = "bus"', 'kind = "ship"', "vehicle.kind: Invalid enum value 'ship'"),
        ('site = "maebashi"', "", "vehicle: Object missing required field `site`"),
        ('id = "bus-01"', 'id = "Bus 01"', "vehicle.id"),
        ('source = "synthetic"', 'source = "file:gone.mp4"', "camera[0].source"),
        ('source = "synthetic"', 'source = "magic"', "expected synthetic, file:PATH"),
        ('name = "front"', 'name = "front--low"', "camera[0].name"),
        ("width = 1280", "width = 640", "camera[0].low"),
        ('name = "front"', 'name = "abcdefghijklmnopqrstuvwxyz-12345"', "too long for `low`"),
        ('output = "none"', 'output = "loud"', "speaker.output: expected none"),
        ('output = "none"', 'output = "file:gone/x.wav"', "no such folder"),
        ("mqtt://127.0.0.1:1883", "http://127.0.0.1", "hub.broker"),
        ("mqtt://127.0.0.1:1883", "mqtt://127.0.0.1:x", "hub.broker"),
        ("http://127.0.0.1:8080/whip", "ftp://x", "hub.whip_url"),
        ('field = ""', 'field = "field.geojson"', "either `route` or `field`"),
        ("route.geojson", "nowhere.geojson", "no such file"),
        ("COMFORTABLE_STOP", "NONE", "drive.fallback"),
        ("[vehicle]", "[vehicle", "not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    if old == "COMFORTABLE_STOP":
        old, new = 'fallback = "COMFORTABLE_STOP"', 'fallback = "NONE"'
    with pytest.raises(ConfigError) as caught:
        load(changed(tmp_path, old, new), {})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_environment_overrides_and_the_hubs_keys_are_left_alone() -> None:
    found = load(
        SAMPLE,
        {
            "ENKAN_CAMERA__0__FPS": "15",
            "ENKAN_HUB__BROKER": "mqtt://broker:1884",
            "ENKAN_DRIVE__OBSTACLE_AT_M": "[1.0, 2.0]",
            "ENKAN_CONSOLE__PORT": "8080",
            "ENKAN_PYTHON": "python3",
        },
    )
    assert found.camera[0].fps == 15
    assert found.hub.broker == "mqtt://broker:1884"
    assert found.drive.obstacle_at_m == [1.0, 2.0]


@pytest.mark.parametrize(
    "name", ["ENKAN_DRIVE__CRUSE_KMH", "ENKAN_CAMERA__7__FPS", "ENKAN_DRIVE__LOOP__X__Y"]
)
def test_a_wrong_variable_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError):
        load(SAMPLE, {name: "1"})


def test_credentials_must_be_private_and_of_this_vehicle(vehicle_files: Any) -> None:
    path = vehicle_files()
    config = load(path, {})
    found = load_credentials(config, path)
    assert found.key == bytes(range(32))
    assert "token-of" not in repr(found)
    file = path.parent / "bus-01.credentials.json"
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_credentials(config, path)
    file.chmod(0o600)
    file.write_text(file.read_text().replace("bus-01", "bus-02"))
    with pytest.raises(ConfigError, match="belongs to maebashi/bus-02"):
        load_credentials(config, path)
    file.write_text("{")
    with pytest.raises(ConfigError, match="not JSON"):
        load_credentials(config, path)
    file.unlink()
    with pytest.raises(ConfigError, match="The hub makes this file"):
        load_credentials(config, path)


@pytest.mark.integration
def test_the_program_ends_with_2_and_one_line(vehicle_files: Any) -> None:
    path = vehicle_files(extra="[nonsense]\nx = 1")
    done = subprocess.run(
        [sys.executable, "-m", "vehicle_stub", "--config", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "unknown field `nonsense`" in done.stderr
    assert "Traceback" not in done.stderr
    good = subprocess.run(
        [sys.executable, "-m", "vehicle_stub", "--config", str(vehicle_files()), "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (good.returncode, good.stdout.count("\n")) == (0, 1)
