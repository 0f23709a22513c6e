"""Vendored libraries are what they claim to be, and everything the page names is there."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

UI = Path(__file__).resolve().parents[2] / "ui"
VENDOR = UI / "vendor"


def listed() -> dict[str, str]:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def test_every_vendored_file_is_listed_with_its_checksum() -> None:
    files = {
        str(path.relative_to(VENDOR))
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name not in {"SHA256SUMS", "VENDORED.md"}
    }
    assert files == set(listed())
    for name, digest in listed().items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_the_table_names_every_library_file_with_the_same_checksum() -> None:
    table = (VENDOR / "VENDORED.md").read_text()
    rows = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]{64})` \|", table))
    programs = {name for name in listed() if not Path(name).name.startswith("LICENSE")}
    assert set(rows) == programs
    assert all(listed()[name] == digest for name, digest in rows.items())


def test_every_library_has_its_licence_text_beside_it() -> None:
    for folder in (path for path in VENDOR.iterdir() if path.is_dir()):
        assert list(folder.glob("LICENSE*")), folder.name


def test_the_import_map_and_the_page_name_only_files_of_our_own() -> None:
    page = (UI / "index.html").read_text()
    found = re.search(r'<script type="importmap">(.*?)</script>', page, re.S)
    assert found is not None
    for target in json.loads(found.group(1))["imports"].values():
        assert (UI / target).is_file(), target
    for target in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (UI / target).is_file(), target


def test_our_sources_name_no_outside_host_and_no_inline_code() -> None:
    sources = [p for p in UI.rglob("*") if p.suffix in {".js", ".css"} and VENDOR not in p.parents]
    assert len(sources) > 20
    for path in sources:
        text = path.read_text()
        assert not re.search(r"(https?|wss?)://(?!\$\{)", text), path
        assert "innerHTML" not in text and "eval(" not in text, path
    page = (UI / "index.html").read_text()
    assert " style=" not in page and not re.search(r"<script>|\son\w+=", page)
