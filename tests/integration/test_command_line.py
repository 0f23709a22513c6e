"""Refusals of the command line: one clear line, an exit code, no traceback."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from protocols.topics import VehicleId
from protocols.vehicle import Kind
from supervisor import __version__
from supervisor.core import effects, events
from supervisor.core.fleet import Fleet
from supervisor.core.snapshot import Capture
from supervisor.core.step import step
from supervisor.counters import Counters
from supervisor.evidence.audit import AuditStore, Entry
from supervisor.evidence.journal import About, Journal, JournalConfig
from supervisor.evidence.segments import core_fingerprint
from support.fleet import prepare_hub
from support.processes import ROOT

pytestmark = pytest.mark.integration


def enkan(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 4, result
    assert "Traceback" not in result.stderr + result.stdout
    for word in words:
        assert word in result.stderr.replace("\n", " "), result.stderr


def test_an_unknown_key_stops_the_start_and_is_named_with_its_path(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    config.write_text(config.read_text().replace("port = 0", "prot = 0"))
    assert_refused(enkan("hub", "--config", str(config)), "prot", "console")


def test_a_wrong_type_names_its_path(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    config.write_text(config.read_text().replace("port = 0", 'port = "many"'))
    assert_refused(enkan("hub", "--config", str(config)), "console.port")


def test_an_override_from_the_environment_is_checked_like_the_file(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    result = enkan("hub", "--config", str(config), ENKAN_CONSOLE__PORT="many")
    assert_refused(result, "console.port")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    assert_refused(enkan("hub", "--config", str(tmp_path / "no.toml")), "sample-config")


def test_a_vehicle_without_credentials_says_which_command_makes_them(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    config.write_text(
        config.read_text() + '\n[[vehicle]]\nsite = "maebashi"\nid = "bus-99"\nkind = "bus"\n'
    )
    assert_refused(enkan("hub", "--config", str(config)), "credentials add-vehicle maebashi/bus-99")


def test_demo_mode_with_its_published_password_refuses_any_other_address(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    text = config.read_text().replace("[console]", '[console]\nlisten = "0.0.0.0"')
    config.write_text(text.replace("[hub]", "[hub]\ndemo = true"))
    assert_refused(enkan("hub", "--config", str(config)), "demo", "loopback")


def test_a_taken_port_without_fallback_is_named(tmp_path: Path) -> None:
    config, _ = prepare_hub(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = config.read_text().replace("port = 0", f"port = {port}")
        config.write_text(text.replace("fallback_ports = true", "fallback_ports = false"))
        assert_refused(enkan("hub", "--config", str(config)), str(port))


def test_help_of_every_program_is_reached_through_one_command_line() -> None:
    for arguments, word in (
        (("--help",), "demo"),
        (("vehicle", "--help"), "--config"),
        (("bench", "--help"), "media"),
    ):
        result = enkan(*arguments)
        assert result.returncode == 0, result
        assert word in result.stdout


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    from supervisor import __version__

    assert enkan("version").stdout.strip() == __version__


def test_a_replay_says_identical_different_or_why_it_cannot(tmp_path: Path) -> None:
    assert_refused(enkan("replay", "--journal", str(tmp_path / "no")), "does not exist")
    assert_refused(enkan("replay", "--journal", str(tmp_path)), "no journal segment")
    fleet = Fleet()
    journal = Journal(
        JournalConfig(),
        tmp_path / "journal",
        about=About(__version__, core_fingerprint(), "hub-1", "{}"),
        capture=lambda: Capture(fleet),
        counters=Counters(),
    )
    configured = events.VehicleConfigured(VehicleId("a", "b"), Kind.BUS, "B", 1)
    for now_ns, event in ((1, configured), (2, events.Tick())):
        journal.before(now_ns, event)
        journal.put(now_ns, event, step(fleet, event, now_ns))
    journal.flush()
    same = enkan("replay", "--journal", str(tmp_path), "--why")
    assert same.returncode == 0, same.stderr
    assert "identical: 2 events" in same.stdout
    journal.put(3, events.Tick(), [effects.Count("session", "new")])
    journal.flush()
    different = enkan("replay", "--journal", str(tmp_path))
    assert different.returncode == 1
    assert "first difference: step 3" in different.stdout
    assert 'expected: Count {"type":"Count","name":"session","reason":"new"}' in different.stdout
    assert "got:      nothing" in different.stdout


def test_an_audit_store_is_intact_or_the_first_broken_record_is_named(tmp_path: Path) -> None:
    assert_refused(enkan("verify", str(tmp_path / "no.sqlite")), "does not exist")
    path = tmp_path / "audit.sqlite"
    store = AuditStore.open(path)
    store.append([Entry(n, effects.Record(f"r{n}", "k", "a", "s", {"n": n})) for n in range(5)])
    number, digest = store.head
    store.close()
    intact = enkan("verify", str(tmp_path))
    assert intact.returncode == 0, intact.stderr
    assert f"intact: 5 records, head {number}:{digest}" in intact.stdout
    assert enkan("verify", str(tmp_path), "--head", f"{number}:{digest}").returncode == 0
    assert enkan("verify", str(tmp_path), "--head", "5:beef").returncode == 2
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 3")
    broken = enkan("verify", str(path), "--json")
    assert broken.returncode == 1
    said = json.loads(broken.stdout)
    assert (said["ok"], said["records"], said["first_broken"]) == (False, 2, 3)
