"""`enkan bench fleet` against a real hub: nothing lost, everything in order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests import metrics_page, mqtt
from loadtests.fleet_bench import FleetLoad, measure
from loadtests.fleet_consoles import Reader


@pytest.mark.integration
async def test_a_small_fleet_reaches_its_consoles_whole_and_in_order(tmp_path: Path) -> None:
    said: list[str] = []
    result = await measure(FleetLoad(10, 2, 2.0), tmp_path, lambda what, _: said.append(what), {})
    assert (result.messages_lost, result.disordered, result.lost) == (0, 0, [])
    assert result.faults == {}
    assert result.telemetry > 0 and result.delays > 0 and result.lag_samples > 0
    assert any("measuring" in what for what in said)


def test_what_is_not_possible_is_said_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", "fleet", "--consoles", "41"],
        cwd=Path(__file__).resolve().parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "--consoles" in done.stderr and "Traceback" not in done.stderr


def test_packets_are_cut_wherever_the_bytes_are_split() -> None:
    data = mqtt.packet(mqtt.PUBLISH, bytes(321)) + mqtt.packet(mqtt.PINGREQ)
    packets = mqtt.Packets()
    found = [one for at in range(len(data)) for one in packets.feed(data[at : at + 1])]
    assert [(one.type, len(one.body)) for one in found] == [(mqtt.PUBLISH, 321), (mqtt.PINGREQ, 0)]


def test_a_packet_length_without_end_is_refused() -> None:
    with pytest.raises(mqtt.MqttError):
        mqtt.Packets().feed(b"\x30\xff\xff\xff\xff\x01")


def test_a_console_sees_missing_and_older_messages() -> None:
    reader = Reader()
    for seq in (1, 2, 5, 4):
        reader.take(json.dumps({"type": "delta", "seq": seq}, separators=(",", ":")).encode(), 0)
    assert (reader.messages, reader.missing, reader.disordered) == (4, 2, 1)


def test_a_histogram_s_percentile_is_the_bound_it_lies_within() -> None:
    page = 'h_bucket{le="0.01"} %d\nh_bucket{le="0.02"} %d\nh_bucket{le="+Inf"} %d\n'
    rows = metrics_page.histogram(
        metrics_page.parse(page % (5, 5, 5)), metrics_page.parse(page % (103, 104, 105)), "h"
    )
    assert rows == [(0.01, 98), (0.02, 99), (float("inf"), 100)]
    assert metrics_page.bound_of(rows, 0.99) == 0.02
    assert metrics_page.bound_of(rows, 0.995) == float("inf")
