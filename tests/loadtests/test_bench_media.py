"""`enkan bench media` against real forwarders: nothing lost, CPU per packet printed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.janus_process import JanusProcess
from loadtests.media_bench import Load, measure
from loadtests.relay_process import RelayProcess

ROOT = Path(__file__).resolve().parent.parent.parent


def bench(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtests", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        env=None if path is None else {"PATH": path, "HOME": "/nonexistent"},
    )


def figures(file: Path, number: int = 0) -> dict[str, float]:
    result: dict[str, float] = json.loads(file.read_text())["results"][number]
    return result


def test_the_help_says_in_plain_words_what_is_measured() -> None:
    done = bench("media", "--help")
    assert done.returncode == 0
    for words in ("CPU per packet", "--peer", "--streams", "--watchers", "--json"):
        assert words in done.stdout


def test_a_missing_janus_is_one_line_that_says_how_to_install_it(tmp_path: Path) -> None:
    done = bench("media", "--peer", "janus", path=str(tmp_path))
    assert done.returncode == 4
    assert "apt-get install janus" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.integration
def test_the_hub_forwards_every_packet_and_its_cpu_per_packet_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = bench(
        *("media", "--streams", "2", "--mbps", "2", "--watchers", "2", "--seconds", "3"),
        *("--json", str(file)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CPU µs per forwarded packet" in done.stdout
    measured = figures(file)
    assert measured["cpu_us_per_forwarded"] > 0
    assert measured["lost"] == 0
    assert measured["received"] == measured["expected"] > 500
    assert measured["delay_p50_ms"] > 0
    assert measured["profiles"] == ["SRTP_AEAD_AES_128_GCM"]


@pytest.mark.integration
async def test_aiortc_s_relay_can_be_measured_with_the_same_peers(tmp_path: Path) -> None:
    load = Load(streams=1, mbps=1, watchers=1, seconds=1, video="encoded", run=16)
    measured = await measure(RelayProcess(tmp_path, 1), load, tmp_path, lambda what, share: None)
    assert measured.received > 0
    assert measured.by_sequence  # it makes new packets, so ours cannot be recognised
    assert measured.cpu_us_per_forwarded is not None


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("janus") is None, reason="not installed: janus")
async def test_janus_can_be_measured_with_the_same_peers(tmp_path: Path) -> None:
    load = Load(streams=1, mbps=1, watchers=2, seconds=1, video="shaped", run=16)
    measured = await measure(JanusProcess(tmp_path), load, tmp_path, lambda what, share: None)
    assert measured.received > 0
    assert not measured.by_sequence
    assert measured.profiles == ["SRTP_AEAD_AES_128_GCM"]
