"""When a figure was made, and of which state of the project."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

from loadtests.children import ROOT


def date_utc() -> str:
    """Return the present minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def commit() -> str:
    """Return the commit of this checkout, with `-dirty` if it was changed since."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"
