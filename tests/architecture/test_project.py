"""What must stay true of the project as a whole."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest

from supervisor.config import HubConfig, VehicleSection, load

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "deploy" / "enkan.sample.toml"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_the_sample_configuration_loads_and_shows_every_default() -> None:
    raw = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    loaded = load(SAMPLE, {})
    for section in ("hub", "telemetry", "media", "console", "metrics", "core", "journal"):
        assert getattr(loaded, section) == getattr(HubConfig(), section), section
        struct = type(getattr(loaded, section))
        assert sorted(raw[section]) == sorted(struct.__struct_fields__), section
    for entry in raw["vehicle"]:
        assert sorted(entry) == sorted(VehicleSection.__struct_fields__)


def test_every_key_of_the_sample_is_explained() -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-z_]+ *=", line):
            assert lines[number - 1].startswith("#"), f"line {number + 1}: {line}"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    packages = re.findall(r"^([a-z0-9][a-z0-9._-]*)==.*?(?=^[a-z0-9]|\Z)", text, re.M | re.S)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]
    assert len(blocks) == len(packages) > 20
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_development_lock_holds_all_of_the_other() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return {line.rstrip(" \\") for line in text.splitlines() if re.match(r"[a-z0-9]", line)}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_both_readmes_name_the_same_files_and_commands() -> None:
    def links(name: str) -> set[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        found = re.findall(r"\]\(((?:docs|deploy)/[^)]+|[A-Z]+(?:\.md)?)\)", text)
        # A page that exists in Japanese is linked in Japanese.
        return {link.replace(".ja.md", ".md") for link in found} - {
            "docs/screens/watch.en.1920.png",
            "docs/screens/watch.ja.1920.png",
            "README.md",
        }

    def commands(name: str) -> list[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return re.findall(r"^(\./enkan [^#\n]*?) *(?:#.*)?$", text, re.M)

    assert links("README.md") == links("README.ja.md") != set()
    assert commands("README.md") == commands("README.ja.md") != []


def test_every_linked_file_exists() -> None:
    for page in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} → {target}"


def test_no_module_has_outgrown_its_room() -> None:
    files = [
        path
        for path in tracked("*.py", "*.js")
        if "vendor" not in path.parts and len(path.read_text(encoding="utf-8").splitlines()) > 600
    ]
    assert files == []


def test_the_alarm_and_metric_documents_are_what_the_code_says() -> None:
    from supervisor.observability.catalogue import document

    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert written == document(), "renew: python -m supervisor.observability.catalogue"


def test_the_defaults_of_the_hub_are_safe() -> None:
    config = HubConfig()
    assert not config.hub.demo
    for section in (config.console, config.media, config.telemetry, config.metrics):
        assert section.listen == "127.0.0.1", section
    assert msgspec.to_builtins(config)["console"]["insecure_http"] is False
