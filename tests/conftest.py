"""What every test may use."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))

PROGRAMS = {
    "browser": ("chromium",),
    "mosquitto": ("mosquitto", "mosquitto_sub", "mosquitto_pub"),
}


ONE_AT_A_TIME = (
    "browser",
    "ui",
    "loadtests/test_bench_console.py",
    "loadtests/test_short_faults.py",
    "loadtests/test_short_crash.py",
)
"""Files that keep a whole machine busy: real pictures in a real browser, emulated links."""


class OneAtATime(LoadScopeScheduling):
    """Tests of one file run in one process; those of `ONE_AT_A_TIME` all in the same one.

    pytest-xdist's own groups (`loadgroup`) do nothing under pytest 9.1 and later, which
    no longer reads the attribute they write.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0].removeprefix("tests/")
        return "whole machine" if file.startswith(ONE_AT_A_TIME) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneAtATime:
    """Deal tests out to the processes of pytest-xdist."""
    return OneAtATime(config, log)


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
