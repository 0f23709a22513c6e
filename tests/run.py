"""Everything that checks the project, in one command: `./enkan test`.

    ./enkan test              style, types, contracts, then every test
    ./enkan test --static     style, types, contracts only (also: ./enkan check)
    ./enkan test -k words     further arguments go to pytest

The full run simulates 1,000 seeds for at most a minute and says how many it was. Tests
that hold real pictures to bounds of real time then have the machine to themselves; all
others run in two processes, one file in one of them. Up to five tests of real servers or
browsers that fail there are run once more, alone, and both results are told. What tests
write is kept in memory where there is room: the disk of a shared machine is as slow as
its other users make it.

Browser and broker tests need Debian packages. As root they are installed; otherwise
one line says what is missing, and the tests that need it are left out and counted
as such. With CI=true anything missing is a failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.node import NodeMissingError, node, tool  # noqa: E402 - its folder is named above

BIN = Path(sys.executable).parent

PACKAGES = {
    "chromium": "chromium",
    "mosquitto": "mosquitto",
    "mosquitto_sub": "mosquitto-clients",
    "ip": "iproute2",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "systemd-analyze": "systemd",
}
SERVICES = {"mosquitto", "prometheus", "prometheus-alertmanager"}
"""Packages that bring a service."""
SIMULATION = [str(ROOT / "tests" / "sim" / "run.py"), "--seeds", "1000", "--within", "60"]
CONTROL = [*SIMULATION[:1], "--control", "--seeds", "2000", "--within", "20"]
PYTEST = [sys.executable, "-m", "pytest"]
FEW = 5
"""So many tests may be run a second time, alone."""
MEMORY = Path("/dev/shm")
ROOM = 256 << 20
"""Bytes that the tests' files may come to; a whole run writes some 10 MB."""
FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
"""Japanese glyphs for the screenshots."""


def main() -> int:
    arguments = sys.argv[1:]
    static_only = "--static" in arguments
    arguments = [argument for argument in arguments if argument != "--static"]
    if not arguments or static_only:
        for name, command in checks():
            print(f"-- {name}", flush=True)
            result = subprocess.run(command, cwd=ROOT, check=False)
            if result.returncode != 0:
                print(f"-- {name} failed", flush=True)
                return 1
    if static_only:
        return 0
    missing = provide_packages()
    if missing and os.environ.get("CI") == "true":
        print(f"-- missing: {', '.join(missing)}. Install: apt-get install {' '.join(missing)}")
        return 1
    whole = not arguments
    if whole:
        print("-- simulation", flush=True)
        result = subprocess.run([sys.executable, *SIMULATION], cwd=ROOT, check=False)
        if result.returncode != 0:
            print("-- simulation failed", flush=True)
            return 1
        result = subprocess.run([sys.executable, *CONTROL], cwd=ROOT, check=False)
        if result.returncode != 0:
            print("-- simulation of control failed", flush=True)
            return 1
        return all_tests()
    print("-- tests", flush=True)
    return pytest(*arguments)


def all_tests() -> int:
    """Run the tests of real time by themselves, then all others side by side."""
    with contextlib.ExitStack() as stack:
        if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY, prefix="enkan-"))
            os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
        print("-- tests of real time, alone", flush=True)
        first = pytest("--cache-clear", "-m", "real_time", "--durations=10")
        print("-- all other tests", flush=True)
        processes = str(min(2, os.cpu_count() or 1))
        second = pytest(
            *("-n", processes, "--dist", "loadfile", "--no-loadscope-reorder"),
            *("-m", "not real_time", "--durations=20"),
        )
        results = {first, second} - {0}
        return again() if results == {1} else max(results, default=0)


def again() -> int:
    """Run the few tests of real servers and browsers that failed again, by themselves.

    What they wait for came from processors shared with other tests, or other users of the
    machine. The bounds stay; who fails twice has failed, and so has everything else that
    failed. Both results are told.
    """
    failed = still_failing()
    if not failed or len(failed) > FEW:
        return 1
    print(f"-- again, alone: {', '.join(failed)}", flush=True)
    pytest("--last-failed", "-m", "browser or integration or real_time")
    twice = still_failing()
    for name in failed:
        print(f"-- failed once, {'failed' if name in twice else 'passed'} alone: {name}")
    return 1 if twice else 0


def pytest(*arguments: str) -> int:
    """Run pytest; return its exit code."""
    return subprocess.run([*PYTEST, *arguments], cwd=ROOT, check=False).returncode


def still_failing() -> list[str]:
    """Return the tests that pytest remembers as failed."""
    cache = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
    return sorted(json.loads(cache.read_text())) if cache.exists() else []


def checks() -> list[tuple[str, list[str]]]:
    """Return what is checked without running the project, each with its command."""
    modules = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "ui").glob("**/*.test.mjs"))
    return [
        ("style", [str(BIN / "ruff"), "check", "."]),
        ("format", [str(BIN / "ruff"), "format", "--check", "."]),
        ("types", [str(BIN / "mypy")]),
        ("contracts", [str(BIN / "lint-imports")]),
        ("types of the page", [*tool("tsc"), "--project", "tests/node"]),
        ("modules of the page", [str(node()), "--test", "--test-reporter=dot", *modules]),
    ]


def provide_packages() -> list[str]:
    """Install what is missing if that is possible; return what still is."""
    missing = _missing()
    if not missing:
        return []
    names = " ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"-- missing for browser and broker tests: {names} (apt-get install {names})")
        return missing
    print(f"-- installing {names}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
    ):
        done = subprocess.run(
            command, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode != 0:
            sys.stdout.buffer.write(done.stdout)
            print(f"-- `{' '.join(command)}` failed")
    _quieten(missing)
    return _missing()


def _quieten(packages: list[str]) -> None:
    """End the services that Debian's packages start where systemd runs: tests start their
    own, on free ports. What was installed before is somebody's own, and left alone."""
    started = [f"{name}.service" for name in packages if name in SERVICES]
    if started and Path("/run/systemd/system").exists():
        subprocess.run(["systemctl", "disable", "--now", *started], check=False)


def _missing() -> list[str]:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [
        name for program, name in PACKAGES.items() if shutil.which(program, path=path) is None
    ]
    if not FONT.exists():
        missing.append("fonts-noto-cjk")
    return missing


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except NodeMissingError as error:
        print(f"-- {error}")
        raise SystemExit(1) from error
