"""What the documents point at exists: files by their links, commands by their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from supervisor import cli
from vehicle_stub import config as vehicle_config

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:\./|/opt/enkan/)enkan ([a-z][a-z-]*)((?: [a-z][a-z-]*)?)")


def names() -> dict[str, set[str]]:
    group = typer.main.get_command(cli.app)
    commands: dict[str, object] = getattr(group, "commands", {})
    return {name: set(getattr(command, "commands", ())) for name, command in commands.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith(("/", "mailto:")):
            assert (page.parent / target).exists(), f"{target} does not exist"


def test_every_command_in_the_documents_exists() -> None:
    known, seen = names(), set()
    for page in PAGES:
        for command, further in COMMAND.findall(page.read_text(encoding="utf-8")):
            assert command in known, f"{page.name}: enkan {command}"
            if known[command]:
                assert further.strip() in known[command], f"{page.name}: enkan {command}{further}"
            seen.add(command)
    assert {"demo", "test", "hub", "doctor", "mosquitto"} <= seen


@pytest.mark.parametrize("name", ["first-vehicle.md", "first-vehicle.ja.md"])
def test_each_camera_of_the_document_is_one_that_the_client_takes(
    name: str, tmp_path: Path
) -> None:
    sample = (ROOT / "deploy" / "vehicle.sample.toml").read_text(encoding="utf-8")
    begins, ends = sample.index("\n[[camera]]") + 1, sample.index("[audio]")
    blocks = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / name).read_text(), re.M | re.S)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.toml"
        file.write_text(sample[:begins] + block + sample[ends:], encoding="utf-8")
        (camera,) = vehicle_config.load(file, {}).camera
        assert camera.name == "front" and camera.source in block


def test_operations_documents_are_there_in_both_languages() -> None:
    for name in ("doctor", "health", "deployment", "backup", "first-vehicle"):
        english, japanese = (ROOT / "docs" / f"{name}{end}" for end in (".md", ".ja.md"))
        blocks = [BLOCK.findall(page.read_text()) for page in (english, japanese)]
        assert len(blocks[0]) == len(blocks[1]), name
