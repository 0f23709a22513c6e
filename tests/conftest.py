"""What every test may use."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))

PROGRAMS = {
    "browser": ("chromium",),
    "alertmanager": ("amtool",),
    "systemd": ("systemd-analyze",),
    "mosquitto": ("mosquitto", "mosquitto_sub", "mosquitto_pub"),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, loudly, what this machine cannot run; with CI=true that is a failure."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for marker, programs in PROGRAMS.items():
        missing = [name for name in programs if shutil.which(name, path=path) is None]
        if not missing:
            continue
        for item in items:
            if item.get_closest_marker(marker) is None:
                continue
            if os.environ.get("CI") == "true":
                raise pytest.UsageError(f"{item.nodeid} needs {', '.join(missing)}")
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))
