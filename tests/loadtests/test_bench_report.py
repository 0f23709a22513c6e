"""The table says what was measured, and what makes a run fail."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import msgspec
import pytest
from rich.console import Console

from loadtests import procfs
from loadtests.report import Report, Result, problems, ratio, show

GOOD = Result(
    forwarder="enkan",
    streams=5,
    mbps=8,
    watchers=1,
    seconds=8.0,
    video="shaped",
    run=16,
    profiles=["SRTP_AEAD_AES_128_GCM"],
    achieved=1.0,
    packets_in=4350.0,
    packets_out=4350.0,
    mbps_in=40.0,
    mbps_out=40.0,
    cpu_s=0.35,
    cpu_share=0.044,
    cpu_us_per_forwarded=10.06,
    cpu_us_per_received=10.06,
    expected=34_800,
    received=34_800,
    lost=0,
    duplicates=0,
    reordered=0,
    dropped_here=0,
    unreadable=0,
    by_sequence=False,
    delay_p50_ms=0.2,
    delay_p99_ms=0.9,
    delay_max_ms=2.0,
    keyframe_requests=5,
    nacks=0,
    memory_mb=80.0,
    memory_per_stream_mb=1.5,
    generator_cpu_share=0.1,
    sinks_cpu_share=0.1,
    load_before=0.5,
)


@pytest.mark.parametrize(
    ("changes", "words", "failed"),
    [
        pytest.param({}, None, False, id="good"),
        pytest.param({"received": 0}, "forwarded nothing", True, id="nothing"),
        pytest.param({"lost": 1}, "lost 1 of 34800", True, id="one lost"),
        pytest.param({"lost": 2, "dropped_here": 2}, "2 at our own", True, id="lost here"),
        pytest.param({"unreadable": 1}, "did not authenticate", True, id="unreadable"),
        pytest.param({"achieved": 0.9}, "only 90.0%", False, id="generator too slow"),
    ],
)
def test_what_is_wrong_is_said_and_losses_fail(
    changes: dict[str, float], words: str | None, failed: bool
) -> None:
    result = msgspec.structs.replace(GOOD, **changes)
    report = Report("./enkan bench media", procfs.machine(), [result])
    assert report.failed() is failed
    if words is None:
        assert problems(result) == []
    else:
        assert words in " ".join(problems(result))


def test_what_another_forwarder_loses_is_said_and_does_not_fail_ours() -> None:
    lossy = msgspec.structs.replace(GOOD, forwarder="other", lost=7)
    report = Report("./enkan bench media", procfs.machine(), [GOOD, lossy])
    assert "other lost 7 of 34800" in " ".join(report.problems())
    assert not report.failed()
    silent = msgspec.structs.replace(lossy, received=0)
    assert Report("./enkan bench media", procfs.machine(), [GOOD, silent]).failed()


def test_the_table_shows_cpu_per_packet_ratio_and_machine() -> None:
    other = msgspec.structs.replace(GOOD, forwarder="other", cpu_us_per_forwarded=100.6)
    text = io.StringIO()
    report = Report("./enkan bench media --peer x", procfs.machine(), [GOOD, other], ratio=0.1)
    show(report, Console(file=text, width=120))
    shown = text.getvalue()
    for words in (
        "CPU µs per forwarded packet",
        "10.06",
        "100.60",
        "0.1000 of the CPU",
        "Python",
        "--peer",
    ):
        assert words in shown


def test_the_processor_time_of_a_process_grows_while_it_computes() -> None:
    before = procfs.cpu_s(os.getpid())
    while procfs.cpu_s(os.getpid()) == before:
        sum(range(10_000))
    assert procfs.memory_bytes(os.getpid()) > 1_000_000


def test_children_of_children_are_found() -> None:
    code = "import subprocess,sys;subprocess.run([sys.executable,'-c','input()'])"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True
    )
    with child:
        while len(found := procfs.descendants(child.pid)) < 1:
            pass
        assert child.pid in procfs.descendants(os.getpid())
        assert found[0] in procfs.descendants(os.getpid())
        assert child.stdin is not None
        child.stdin.close()
    assert procfs.command_line(child.pid) == ""


def test_the_ratio_is_our_cpu_by_the_peer_s() -> None:
    two = msgspec.structs.replace(GOOD, cpu_us_per_forwarded=20.12)
    assert ratio([GOOD, two]) == pytest.approx(0.5)
    assert ratio([GOOD]) is None
    assert ratio([GOOD, msgspec.structs.replace(GOOD, cpu_us_per_forwarded=None)]) is None
